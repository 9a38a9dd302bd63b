//! Whoever guesses tokens waits longer and longer. Pure: the time is an argument.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// Failures in a row that are borne.
const FAILURES: u32 = 5;

/// Seconds of the first lock-out. Each further failure doubles it.
const FIRST_S: f64 = 1.0;

/// Seconds of the longest.
const LONGEST_S: f64 = 300.0;

/// Seconds without a failure after which those before are forgotten. Who waits for
/// that guesses slower than who fails at the longest lock-out's pace.
const FORGIVEN_S: f64 = 3_600.0;

/// Addresses that are remembered. At the pace that all together may fail at, an
/// address is pushed out no sooner than after three times the longest lock-out.
const ADDRESSES: usize = 10_000;

/// Failures a second that all addresses together may have, in the long run.
const OVERALL_PER_S: f64 = 10.0;

/// Failures that all together may have at once.
const OVERALL_AT_ONCE: f64 = 100.0;

/// Seconds for which an address that had a right token is not held up by what
/// others do.
const KNOWN_S: f64 = 86_400.0;

/// Why nothing that a client says is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Refused {
    /// This address failed too often. For so many seconds yet.
    Locked(f64),
    /// All addresses together fail too often. For so many seconds at least.
    Overall(f64),
}

impl Refused {
    /// Whole seconds to wait, 1 to 300.
    pub(super) fn retry_after_s(self) -> u32 {
        let (Refused::Locked(seconds) | Refused::Overall(seconds)) = self;
        seconds.ceil().clamp(1.0, LONGEST_S) as u32
    }
}

#[derive(Debug, Default)]
struct Entry {
    /// In a row.
    failures: u32,
    failed_at: f64,
    /// When it had a right token last.
    known_at: Option<f64>,
}

impl Entry {
    /// Seconds for which it is locked out, from its last failure on.
    fn pause(&self) -> f64 {
        match self.failures.checked_sub(FAILURES) {
            Some(further) => (FIRST_S * 2_f64.powi(further.min(30).cast_signed())).min(LONGEST_S),
            None => 0.0,
        }
    }

    fn touched_at(&self) -> f64 {
        self.failed_at.max(self.known_at.unwrap_or_default())
    }
}

/// What is known of who failed. Times are in seconds since the Unix epoch; one that
/// was set back makes no lock-out longer.
#[derive(Debug)]
pub(super) struct Lockout {
    entries: HashMap<IpAddr, Entry>,
    /// Failures that all together have left, and since when.
    left: f64,
    left_at: f64,
}

impl Lockout {
    pub(super) fn new(now: f64) -> Self {
        Lockout {
            entries: HashMap::new(),
            left: OVERALL_AT_ONCE,
            left_at: now,
        }
    }

    /// Whether a token from this address is looked at. If it is not, it is not
    /// looked at whether it is right either: to tell would be an answer to a guess.
    /// Nor does it make the lock-out longer, so that whoever keeps to `Retry-After`
    /// gets in.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the time to wait.
    pub(super) fn check(&mut self, client: IpAddr, now: f64) -> Result<(), Refused> {
        self.refill(now);
        let mut known = false;
        if let Some(entry) = self.entries.get_mut(&network(client)) {
            entry.failed_at = entry.failed_at.min(now);
            let left = entry.failed_at + entry.pause() - now;
            if left > 0.0 {
                return Err(Refused::Locked(left));
            }
            known = entry.known_at.is_some_and(|at| now - at < KNOWN_S);
        }
        if self.left < 1.0 && !known {
            return Err(Refused::Overall((1.0 - self.left) / OVERALL_PER_S));
        }
        Ok(())
    }

    /// A token that was looked at is wrong. Returns the seconds that the address is
    /// locked out for, if it was not before.
    pub(super) fn failed(&mut self, client: IpAddr, now: f64) -> Option<f64> {
        self.refill(now);
        self.left = (self.left - 1.0).max(0.0);
        let entry = self.entry(network(client), now);
        if now - entry.failed_at >= FORGIVEN_S {
            entry.failures = 0;
        }
        entry.failures = entry.failures.saturating_add(1);
        entry.failed_at = now;
        (entry.failures == FAILURES).then(|| entry.pause())
    }

    /// A token that was looked at is right.
    pub(super) fn succeeded(&mut self, client: IpAddr, now: f64) {
        let entry = self.entry(network(client), now);
        entry.failures = 0;
        entry.known_at = Some(now);
    }

    fn entry(&mut self, network: IpAddr, now: f64) -> &mut Entry {
        if self.entries.len() >= ADDRESSES && !self.entries.contains_key(&network) {
            let touched = self.entries.iter();
            let oldest = touched.min_by(|a, b| a.1.touched_at().total_cmp(&b.1.touched_at()));
            if let Some(oldest) = oldest.map(|(network, _)| *network) {
                self.entries.remove(&oldest);
            }
        }
        self.entries.entry(network).or_insert_with(|| Entry {
            failed_at: now,
            ..Entry::default()
        })
    }

    fn refill(&mut self, now: f64) {
        let passed = (now - self.left_at).max(0.0);
        self.left = (self.left + passed * OVERALL_PER_S).min(OVERALL_AT_ONCE);
        self.left_at = now;
    }
}

/// What is one client: an IPv4 address, or the /64 that one gets with IPv6.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// A client that guesses once; how long it must wait if it may not.
    fn guess(lockout: &mut Lockout, client: IpAddr, now: f64) -> Option<u32> {
        match lockout.check(client, now) {
            Ok(()) => {
                lockout.failed(client, now);
                None
            }
            Err(refused) => Some(refused.retry_after_s()),
        }
    }

    #[test]
    fn after_five_failures_each_further_one_doubles_the_wait_up_to_five_minutes() {
        let client = address("192.0.2.1");
        let mut lockout = Lockout::new(1_000.0);
        let mut now = 1_000.0;
        for failure in 1..=4 {
            assert_eq!(guess(&mut lockout, client, now), None, "failure {failure}");
        }
        lockout.check(client, now).unwrap();
        assert_eq!(lockout.failed(client, now), Some(1.0), "it is told once");
        for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300] {
            assert_eq!(guess(&mut lockout, client, now), Some(wait));
            now += f64::from(wait) - 0.5;
            assert_eq!(guess(&mut lockout, client, now), Some(1), "{wait}");
            now += 0.5;
            lockout.check(client, now).unwrap();
            assert_eq!(lockout.failed(client, now), None);
        }
    }

    #[test]
    fn what_is_tried_in_a_lockout_does_not_prolong_it() {
        let client = address("192.0.2.1");
        let mut lockout = Lockout::new(0.0);
        for _ in 0..100 {
            guess(&mut lockout, client, 0.0);
        }
        assert_eq!(lockout.check(client, 0.5), Err(Refused::Locked(0.5)));
        assert_eq!(lockout.check(client, 1.0), Ok(()));
    }

    #[test]
    fn a_success_clears_and_so_does_an_hour() {
        let client = address("192.0.2.1");
        let mut lockout = Lockout::new(0.0);
        for _ in 0..6 {
            for _ in 0..4 {
                assert_eq!(guess(&mut lockout, client, 0.0), None);
            }
            lockout.succeeded(client, 0.0);
        }
        for failure in 0..20 {
            let now = 3_600.0 * f64::from(failure);
            assert_eq!(guess(&mut lockout, client, now), None, "{failure}");
        }
    }

    #[test]
    fn clients_are_locked_out_by_address_and_with_ipv6_by_64_bits() {
        let mut lockout = Lockout::new(0.0);
        for host in 1..=5 {
            let client = address(&format!("2001:db8:0:1::{host}"));
            assert_eq!(guess(&mut lockout, client, 0.0), None);
        }
        assert!(guess(&mut lockout, address("2001:db8:0:1:ffff::9"), 0.0).is_some());
        assert!(guess(&mut lockout, address("2001:db8:0:2::1"), 0.0).is_none());
        for _ in 0..5 {
            guess(&mut lockout, address("192.0.2.1"), 0.0);
        }
        assert!(guess(&mut lockout, address("::ffff:192.0.2.1"), 0.0).is_some());
        assert!(guess(&mut lockout, address("192.0.2.2"), 0.0).is_none());
        assert!(guess(&mut lockout, address("::ffff:192.0.2.2"), 0.0).is_none());
    }

    #[test]
    fn many_addresses_together_guess_no_faster_than_the_cap() {
        let mut lockout = Lockout::new(0.0);
        let operator = address("198.51.100.1");
        lockout.succeeded(operator, 0.0);
        let mut guesses = 0;
        for second in 0..60_u32 {
            for bot in 0..1_000 {
                let client = IpAddr::V4((0x0a00_0000 + second * 1_000 + bot).into());
                guesses += u32::from(guess(&mut lockout, client, f64::from(second)).is_none());
            }
        }
        assert_eq!(guesses, 100 + 59 * 10);
        let late = lockout.check(address("203.0.113.1"), 59.0);
        assert_eq!(late, Err(Refused::Overall(0.1)));
        lockout.check(operator, 59.0).unwrap();
        // Not for ever, and not if it guesses itself.
        let drain = |lockout: &mut Lockout, now| {
            for bot in 0..100_u32 {
                lockout.failed(IpAddr::V4((0xc000_0000 + bot).into()), now);
            }
        };
        drain(&mut lockout, 86_399.0);
        lockout.check(operator, 86_399.0).unwrap();
        drain(&mut lockout, 86_400.0);
        let stranger = lockout.check(operator, 86_400.0);
        assert_eq!(stranger, Err(Refused::Overall(0.1)));
        lockout.succeeded(operator, 86_400.0);
        for _ in 0..5 {
            lockout.check(operator, 86_400.0).unwrap();
            lockout.failed(operator, 86_400.0);
        }
        assert_eq!(lockout.check(operator, 86_400.0), Err(Refused::Locked(1.0)));
    }

    #[test]
    fn the_oldest_address_is_forgotten_when_there_are_too_many() {
        let mut lockout = Lockout::new(0.0);
        let first = address("192.0.2.1");
        for _ in 0..14 {
            lockout.failed(first, 0.0);
        }
        for client in 0..9_999_u32 {
            lockout.failed(IpAddr::V4((0x0a00_0000 + client).into()), 1.0);
        }
        assert_eq!(lockout.check(first, 100.0), Err(Refused::Locked(200.0)));
        lockout.failed(address("203.0.113.1"), 1.0);
        assert_eq!(lockout.entries.len(), ADDRESSES);
        assert_eq!(lockout.check(first, 100.0), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out_for_long() {
        let client = address("192.0.2.1");
        let mut lockout = Lockout::new(1e9);
        for _ in 0..5 {
            lockout.failed(client, 1e9);
        }
        assert_eq!(lockout.check(client, 1e6), Err(Refused::Locked(1.0)));
        assert_eq!(lockout.check(client, 1e6 + 1.0), Ok(()));
    }
}
