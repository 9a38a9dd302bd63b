//! What stake counts, in the runtime's fixed-point arithmetic.
//!
//! Source: subtensor `get_stake_weights_for_hotkey_on_subnet`, spec 425.

use super::storage::Storage;
use crate::chain::error::ChainError;

/// A part of one is a number of 2⁻³²: the fraction of the runtime's `U96F32`.
const FRACTION_BITS: u32 = 32;

/// The stake of a hotkey on a subnet, in rao.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stake {
    /// On the subnet: its own, less what it leaves to children, with what it has of
    /// parents.
    pub(super) alpha: u64,
    /// The same on the root network.
    pub(super) tao: u64,
    /// What counts: alpha + tao · `TaoWeight`.
    pub(super) total: u64,
}

/// Parts of stake, in parts of `u64::MAX`, and whom they are left to or come from.
type Links = Vec<(u64, [u8; 32])>;

/// Reads what a hotkey has, leaves and is left. `tao_weight` is of [`tao_weight`].
pub(super) async fn stake(
    storage: Storage<'_>,
    netuid: u16,
    hotkey: [u8; 32],
    tao_weight: u64,
) -> Result<Stake, ChainError> {
    let own = Held::read(storage, netuid, hotkey);
    let children = storage.get("ChildKeys", (hotkey, netuid));
    let parents = storage.get("ParentKeys", (hotkey, netuid));
    let (own, children, parents): (Held, Links, Links) = tokio::try_join!(own, children, parents)?;
    let children: Vec<u64> = children.into_iter().map(|(part, _)| part).collect();
    let mut left = Vec::with_capacity(parents.len());
    for (part, parent) in parents {
        left.push((part, Held::read(storage, netuid, parent).await?));
    }
    Ok(stake_of(own, &children, &left, tao_weight))
}

/// `TaoWeight`, in parts of `u64::MAX`: what a TAO on the root network counts. 0 where
/// the runtime has none, or has it by subnet.
pub(super) async fn tao_weight(storage: Storage<'_>) -> Result<u64, ChainError> {
    match storage.known("TaoWeight", ()).await {
        Err(ChainError::Encode { .. }) => Ok(0),
        other => Ok(other?.unwrap_or_default()),
    }
}

/// What is staked to a hotkey itself, in rao.
#[derive(Debug, Clone, Copy)]
struct Held {
    alpha: u64,
    tao: u64,
}

impl Held {
    async fn read(storage: Storage<'_>, netuid: u16, hotkey: [u8; 32]) -> Result<Held, ChainError> {
        let alpha = storage.get("TotalHotkeyAlpha", (hotkey, netuid));
        let tao = storage.get("TotalHotkeyAlpha", (hotkey, 0_u16));
        let (alpha, tao) = tokio::try_join!(alpha, tao)?;
        Ok(Held { alpha, tao })
    }
}

fn stake_of(own: Held, children: &[u64], parents: &[(u64, Held)], tao_weight: u64) -> Stake {
    let alpha = parents.iter().map(|(part, held)| (*part, held.alpha));
    let tao = parents.iter().map(|(part, held)| (*part, held.tao));
    let alpha = inherited(own.alpha, children, alpha);
    let tao = inherited(own.tao, children, tao);
    let counted = (u128::from(tao) * u128::from(part_of(tao_weight))) >> FRACTION_BITS;
    Stake {
        alpha,
        tao,
        total: alpha.saturating_add(u64::try_from(counted).unwrap_or(u64::MAX)),
    }
}

/// What remains of `own` after the parts of children, with the parts of what parents
/// have.
fn inherited(own: u64, children: &[u64], parents: impl Iterator<Item = (u64, u64)>) -> u64 {
    let of = |part: u64, stake: u64| u128::from(stake) * u128::from(part_of(part));
    let left = children.iter().map(|part| of(*part, own));
    let left = left.fold(0, u128::saturating_add);
    let gained = parents.map(|(part, stake)| of(part, stake));
    let gained = gained.fold(0, u128::saturating_add);
    let own = u128::from(own) << FRACTION_BITS;
    let remains = own.saturating_sub(left).saturating_add(gained) >> FRACTION_BITS;
    u64::try_from(remains).unwrap_or(u64::MAX)
}

/// A part of `u64::MAX` as a number of 2⁻³², rounded down as the runtime does.
fn part_of(part: u64) -> u64 {
    let fraction = (u128::from(part) << FRACTION_BITS) / u128::from(u64::MAX);
    u64::try_from(fraction).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: u64 = u64::MAX / 2;

    fn held(alpha: u64, tao: u64) -> Held {
        Held { alpha, tao }
    }

    #[test]
    fn tao_counts_by_its_weight_and_is_rounded_down() {
        let count = |tao, weight| stake_of(held(1_000, tao), &[], &[], weight).total;
        assert_eq!(count(1_000, 0), 1_000);
        assert_eq!(count(1_000, u64::MAX), 2_000);
        // Half of u64::MAX, rounded down, is a little less than a half in 2⁻³².
        assert_eq!(count(1_000, HALF), 1_499);
        assert_eq!(count(1_000, HALF + 1), 1_500);
        // The weight on the main network, 0.18.
        let main = 3_320_413_933_267_719_290;
        assert_eq!(count(1_000_000_000, main), 180_000_999);
        assert_eq!(count(u64::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn children_take_their_part_and_parents_leave_theirs() {
        let own = held(1_000, 500);
        let parents = [(u64::MAX, held(40, 8)), (HALF + 1, held(100, 60))];
        let stake = stake_of(own, &[HALF + 1], &parents, 0);
        assert_eq!((stake.alpha, stake.tao), (500 + 40 + 50, 250 + 8 + 30));
        // More than everything cannot be left to children.
        let stake = stake_of(own, &[u64::MAX, u64::MAX], &[], u64::MAX);
        assert_eq!((stake.alpha, stake.tao, stake.total), (0, 0, 0));
    }
}
