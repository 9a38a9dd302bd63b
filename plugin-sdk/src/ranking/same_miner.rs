//! One miner behind several hotkeys is paid once.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// A hotkey's share, and what tells who is behind the hotkey.
#[derive(Clone, Copy, Debug)]
pub struct Contender<'a> {
    /// The share or score. What is not finite and positive is nothing.
    pub score: f64,
    /// IP address of the axon.
    pub axon_ip: Option<&'a str>,
    /// The coldkey that owns the hotkey.
    pub coldkey: Option<&'a str>,
    /// Owner of the artifact's repository, see [`repository_owner`].
    pub repository_owner: Option<&'a str>,
}

/// Leaves each miner its best score only, the first on a tie, and normalizes to
/// a sum of 1; all 0 if nobody has a score. In the order of `contenders`.
///
/// Contenders are the same miner if they share an axon IP, a coldkey or a
/// repository owner, directly or through others. Only contenders with a score
/// count: an axon IP is the hotkey's own claim, and claiming somebody's without
/// earning anything must not bind that somebody to a third.
///
/// An axon that is not served (`0.0.0.0`, `::`), an address that does not parse
/// and an empty name identify nobody.
///
/// Source: `MinerManager.exclude_same_miner`, RedTeam ced9b911, made transitive.
pub fn exclude_same_miner(contenders: &[Contender<'_>]) -> Vec<f64> {
    let mut best: BTreeMap<usize, (usize, f64)> = BTreeMap::new();
    let mut groups = group(contenders);
    for (index, score) in scored(contenders) {
        let (keeper, highest) = best.entry(groups.root(index)).or_insert((index, score));
        if score > *highest {
            (*keeper, *highest) = (index, score);
        }
    }
    let sum: f64 = best.values().map(|(_, score)| score).sum();
    let mut shares = vec![0.0; contenders.len()];
    for (keeper, score) in best.into_values() {
        if let Some(share) = shares.get_mut(keeper) {
            *share = score / sum;
        }
    }
    shares
}

/// The owner of the repository that an artifact reference names, with the
/// registry if it is not Docker's: `bob` for `bob/solver@sha256:…`, `ghcr.io/bob`
/// for `ghcr.io/bob/solver@sha256:…`.
///
/// `None` if the reference has no owner, as `sha256:…` and `solver@sha256:…`.
pub fn repository_owner(artifact: &str) -> Option<&str> {
    let repository = artifact.split('@').next()?;
    let repository = ["docker.io/", "index.docker.io/"]
        .iter()
        .find_map(|registry| repository.strip_prefix(registry))
        .unwrap_or(repository);
    let (first, path) = repository.split_once('/')?;
    // As Docker reads a reference: a host has a dot or a port, an owner does not.
    let owner = if first.contains(['.', ':']) || first == "localhost" {
        let length = first.len() + 1 + path.find('/')?;
        repository.get(..length)?
    } else {
        first
    };
    (!owner.is_empty()).then_some(owner)
}

/// What two contenders can have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Identity<'a> {
    AxonIp(IpAddr),
    Coldkey(&'a str),
    RepositoryOwner(&'a str),
}

impl<'a> Contender<'a> {
    fn identities(&self) -> impl Iterator<Item = Identity<'a>> {
        let named = |name: &&str| !name.is_empty();
        let ip = self
            .axon_ip
            .and_then(|ip| ip.parse().ok())
            .map(|ip: IpAddr| ip.to_canonical())
            .filter(|ip| !ip.is_unspecified());
        [
            ip.map(Identity::AxonIp),
            self.coldkey.filter(named).map(Identity::Coldkey),
            self.repository_owner
                .filter(named)
                .map(Identity::RepositoryOwner),
        ]
        .into_iter()
        .flatten()
    }
}

fn scored(contenders: &[Contender<'_>]) -> impl Iterator<Item = (usize, f64)> {
    let scores = contenders.iter().map(|contender| contender.score);
    scores
        .enumerate()
        .filter(|(_, score)| score.is_finite() && *score > 0.0)
}

fn group(contenders: &[Contender<'_>]) -> Groups {
    let mut groups = Groups((0..contenders.len()).collect());
    let mut holders = BTreeMap::new();
    for (index, _) in scored(contenders) {
        for identity in contenders.get(index).iter().flat_map(|c| c.identities()) {
            let holder = *holders.entry(identity).or_insert(index);
            groups.join(holder, index);
        }
    }
    groups
}

/// A union-find: the parent of each index, a root being its own.
struct Groups(Vec<usize>);

impl Groups {
    fn parent(&self, index: usize) -> usize {
        self.0.get(index).copied().unwrap_or(index)
    }

    fn set_parent(&mut self, index: usize, parent: usize) {
        if let Some(slot) = self.0.get_mut(index) {
            *slot = parent;
        }
    }

    fn root(&mut self, mut index: usize) -> usize {
        while self.parent(index) != index {
            // Halving the path keeps long chains cheap.
            let grandparent = self.parent(self.parent(index));
            self.set_parent(index, grandparent);
            index = grandparent;
        }
        index
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.set_parent(a.max(b), a.min(b));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contender<'a>(score: f64, ip: &'a str, coldkey: &'a str, owner: &'a str) -> Contender<'a> {
        Contender {
            score,
            axon_ip: Some(ip),
            coldkey: Some(coldkey),
            repository_owner: Some(owner),
        }
    }

    #[test]
    fn nobody_scored_nobody_paid() {
        assert!(exclude_same_miner(&[]).is_empty());
        let scores = [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY];
        let contenders = scores.map(|score| contender(score, "", "", ""));
        assert_eq!(exclude_same_miner(&contenders), [0.0; 5]);
    }

    #[test]
    fn a_bridging_miner_joins_two_groups_whatever_the_order() {
        let (a, b) = (
            contender(0.3, "1.1.1.1", "ck-a", "alice"),
            contender(0.4, "2.2.2.2", "ck-b", "bob"),
        );
        let bridge = contender(0.2, "1.1.1.1", "ck-c", "bob");
        let other = contender(0.4, "3.3.3.3", "ck-d", "carol");
        assert_eq!(
            exclude_same_miner(&[a, b, bridge, other]),
            [0.0, 0.5, 0.0, 0.5]
        );
        assert_eq!(
            exclude_same_miner(&[bridge, other, b, a]),
            [0.0, 0.5, 0.5, 0.0]
        );
    }

    #[test]
    fn a_hotkey_without_score_binds_nobody() {
        let contenders = [
            contender(0.5, "1.1.1.1", "ck-a", "alice"),
            contender(0.0, "1.1.1.1", "ck-b", "mallory"),
            contender(0.5, "2.2.2.2", "ck-b", "bob"),
        ];
        assert_eq!(exclude_same_miner(&contenders), [0.5, 0.0, 0.5]);
    }

    #[test]
    fn on_a_tie_the_first_is_kept() {
        let twin = contender(0.5, "1.1.1.1", "ck", "bob");
        assert_eq!(exclude_same_miner(&[twin, twin]), [1.0, 0.0]);
    }

    #[test]
    fn what_identifies_nobody_groups_nobody() {
        for ip in ["0.0.0.0", "::", "", "not an address"] {
            let anonymous = contender(0.5, ip, "", "");
            assert_eq!(exclude_same_miner(&[anonymous; 2]), [0.5, 0.5]);
        }
    }

    #[test]
    fn kinds_of_identity_are_kept_apart_and_addresses_are_compared_as_such() {
        let (named, keyed) = (contender(0.5, "", "bob", ""), contender(0.5, "", "", "bob"));
        assert_eq!(exclude_same_miner(&[named, keyed]), [0.5, 0.5]);
        let (v4, mapped) = (
            contender(0.5, "1.2.3.4", "", ""),
            contender(0.5, "::ffff:1.2.3.4", "", ""),
        );
        assert_eq!(exclude_same_miner(&[v4, mapped]), [1.0, 0.0]);
    }

    #[test]
    fn one_long_chain_is_one_miner() {
        let keys: Vec<String> = (0..=5000).map(|i| format!("k{i}")).collect();
        let chain: Vec<Contender<'_>> = (0..5000)
            .map(|i| contender(0.5, "", &keys[i / 2], &keys[i.div_ceil(2)]))
            .collect();
        let paid = exclude_same_miner(&chain);
        assert_eq!((paid[0], paid.iter().sum::<f64>()), (1.0, 1.0));
    }

    #[test]
    fn owner_of_a_repository() {
        for (artifact, owner) in [
            ("bob/solver@sha256:00", Some("bob")),
            ("bob/deep/solver:v1@sha256:00", Some("bob")),
            ("docker.io/bob/solver@sha256:00", Some("bob")),
            ("ghcr.io/bob/solver@sha256:00", Some("ghcr.io/bob")),
            ("localhost:5000/bob/solver", Some("localhost:5000/bob")),
            ("ghcr.io/solver@sha256:00", None),
            ("solver@sha256:00", None),
            ("sha256:00", None),
            ("/solver", None),
            ("", None),
        ] {
            assert_eq!(repository_owner(artifact), owner, "{artifact}");
        }
    }
}
