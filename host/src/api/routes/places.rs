//! How many requests a challenge answers at a time, and of them those of one client; and
//! what is left for the other challenges.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Who has the places of each challenge. Clones share everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Arc<Mutex<HashMap<String, Taken>>>);

#[derive(Debug, Default)]
struct Taken {
    all: u32,
    by_client: HashMap<IpAddr, u32>,
}

/// A place; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    challenge: String,
    client: IpAddr,
}

/// How many places there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Of the challenge.
    pub(super) all: u32,
    /// Of them, for each client.
    pub(super) per_client: u32,
    /// Of all challenges together.
    pub(super) shared: u32,
    /// How many challenges they are for.
    pub(super) challenges: usize,
}

impl Room {
    /// Whether a challenge with so many places may have another, when so many are taken
    /// by all. The last eighth is for those that have less than their share.
    fn is_fair(&self, own: u32, taken: u32) -> bool {
        let challenges = u32::try_from(self.challenges).unwrap_or(u32::MAX).max(1);
        let share = (self.shared / challenges).max(1);
        own < share || taken < self.shared - self.shared.div_ceil(8)
    }
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The client has as many as it may.
    Client,
    /// All are taken that the challenge may have.
    Challenge,
}

impl Places {
    /// Takes a place of a challenge for a client.
    pub(super) fn take(&self, challenge: &str, client: IpAddr, room: Room) -> Result<Place, Full> {
        let client = network(client);
        let mut places = self.lock();
        let of_all = places.values().map(|taken| taken.all).sum();
        let taken = places.entry(challenge.to_owned()).or_default();
        if taken.by_client.get(&client).copied().unwrap_or_default() >= room.per_client {
            return Err(Full::Client);
        }
        if taken.all >= room.all || !room.is_fair(taken.all, of_all) {
            return Err(Full::Challenge);
        }
        taken.all += 1;
        *taken.by_client.entry(client).or_default() += 1;
        Ok(Place {
            places: self.clone(),
            challenge: challenge.to_owned(),
            client,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Taken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.places.lock();
        let Some(taken) = places.get_mut(&self.challenge) else {
            return;
        };
        taken.all = taken.all.saturating_sub(1);
        if let Some(of_client) = taken.by_client.get_mut(&self.client) {
            *of_client = of_client.saturating_sub(1);
            if *of_client == 0 {
                taken.by_client.remove(&self.client);
            }
        }
        if taken.all == 0 {
            places.remove(&self.challenge);
        }
    }
}

/// What counts as one client: of IPv6 a network of 64 bits, which is the least that
/// anybody has.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn room(all: u32, per_client: u32) -> Room {
        Room {
            all,
            per_client,
            shared: 64,
            challenges: 3,
        }
    }

    #[test]
    fn a_client_cannot_take_all_places_and_gives_its_own_back() {
        let places = Places::default();
        let take = |client: &str| places.take("a", ip(client), room(3, 2));
        let first = take("192.0.2.1").unwrap();
        let _second = take("192.0.2.1").unwrap();
        assert_eq!(take("192.0.2.1").unwrap_err(), Full::Client);
        let _third = take("192.0.2.2").unwrap();
        assert_eq!(take("192.0.2.3").unwrap_err(), Full::Challenge);
        assert!(
            places.take("b", ip("192.0.2.1"), room(1, 1)).is_ok(),
            "of another challenge"
        );
        drop(first);
        assert!(take("192.0.2.1").is_ok());
    }

    #[test]
    fn nothing_is_kept_of_who_has_no_place() {
        let places = Places::default();
        for number in 0..100_u8 {
            places
                .take("a", ip(&format!("192.0.2.{number}")), room(3, 2))
                .unwrap();
        }
        assert!(places.lock().is_empty());
    }

    #[test]
    fn two_challenges_leave_places_for_a_third() {
        let places = Places::default();
        let take = |challenge| places.take(challenge, ip("192.0.2.1"), room(32, 32));
        let all =
            |challenge| -> Vec<Place> { std::iter::from_fn(|| take(challenge).ok()).collect() };
        // A challenge has what it may while there is enough.
        let first = all("a");
        assert_eq!(first.len(), 32);
        assert_eq!(all("b").len(), 24);
        let _second = all("b");
        assert_eq!(take("b").unwrap_err(), Full::Challenge);
        assert_eq!(all("c").len(), 21, "its share");
        drop(first);
        let second: Vec<Place> = std::iter::from_fn(|| take("b").ok()).collect();
        assert_eq!(second.len(), 8, "up to its own 32");
    }

    #[test]
    fn a_challenge_that_is_alone_has_all_places() {
        let one = Room {
            shared: 4,
            challenges: 1,
            ..room(32, 32)
        };
        assert!(one.is_fair(3, 3) && !one.is_fair(4, 4));
        // With more challenges than places each may have one.
        let many = Room {
            shared: 1,
            challenges: 5,
            ..one
        };
        assert!(many.is_fair(0, 0) && many.is_fair(0, 1) && !many.is_fair(1, 1));
    }

    #[test]
    fn a_client_is_an_address_or_a_network() {
        assert_eq!(network(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
        assert_eq!(network(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
        assert_ne!(network(ip("2001:db8:1:2::")), network(ip("2001:db8:1:3::")));
    }
}
