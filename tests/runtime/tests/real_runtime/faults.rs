//! What may be wrong with weights, one thing at a time, to be put together.

use crate::support::{MEMBERS, NETUID, RAO, STRANGER};
use proctor_host::chain::call::WeightCall;
use proctor_runtime_tests::{Key, Node};

/// What newer runtimes call `StakeThreshold`.
pub(crate) const THRESHOLD: &str = "WeightsMinStake";

/// More than anybody has, in rao.
const MUCH: u64 = 1_000_000 * RAO;

/// Something that is wrong. Each has an error of its own, the first of those that the
/// chain then finds. A permit is missing nowhere: see
/// `who_has_just_registered_has_no_permit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    CommitReveal,
    Root,
    Lengths,
    TooManyUids,
    Stranger,
    LowStake,
    OldVersion,
    TooFast,
    Duplicate,
    UnknownUid,
    TooFew,
    TooHeavy,
}

impl Fault {
    pub(crate) const ALL: [Fault; 12] = [
        Fault::CommitReveal,
        Fault::Root,
        Fault::Lengths,
        Fault::TooManyUids,
        Fault::Stranger,
        Fault::LowStake,
        Fault::OldVersion,
        Fault::TooFast,
        Fault::Duplicate,
        Fault::UnknownUid,
        Fault::TooFew,
        Fault::TooHeavy,
    ];

    /// What the chain calls it.
    pub(crate) fn error(self) -> &'static str {
        match self {
            Fault::CommitReveal => "CommitRevealEnabled",
            Fault::Root => "CanNotSetRootNetworkWeights",
            Fault::Lengths => "WeightVecNotEqualSize",
            Fault::TooManyUids => "UidsLengthExceedUidsInSubNet",
            Fault::Stranger => "HotKeyNotRegisteredInSubNet",
            Fault::LowStake => "NotEnoughStakeToSetWeights",
            Fault::OldVersion => "IncorrectWeightVersionKey",
            Fault::TooFast => "SettingWeightsTooFast",
            Fault::Duplicate => "DuplicateUids",
            Fault::UnknownUid => "UidVecContainInvalidOne",
            Fault::TooFew => "WeightVecLengthIsLow",
            Fault::TooHeavy => "MaxWeightExceeded",
        }
    }
}

/// A call with these faults and no others, and who sends it. What of them is in the
/// subnet, is written there.
pub(crate) fn call_with(node: &Node, faults: &[Fault]) -> (&'static str, WeightCall) {
    let has = |fault| faults.contains(&fault);
    write_subnet(node, &has);
    let who = if has(Fault::Stranger) {
        STRANGER
    } else {
        MEMBERS[0]
    };
    let mut uids: Vec<u16> = vec![0, 1, 2];
    if has(Fault::Duplicate) {
        uids[1] = 0;
    }
    if has(Fault::UnknownUid) {
        uids[2] = 9;
    }
    if has(Fault::TooManyUids) {
        uids.extend([3, 3]);
    }
    let count = uids.len() - usize::from(has(Fault::Lengths));
    let call = WeightCall::Set {
        netuid: if has(Fault::Root) { 0 } else { NETUID },
        mechanism: 0,
        values: vec![65_535; count],
        uids,
        version_key: 4,
    };
    (who, call)
}

fn write_subnet(node: &Node, has: &impl Fn(Fault) -> bool) {
    let now = u64::from(node.number());
    node.write(|storage| {
        let of = |item| Key::subtensor(item).identity(NETUID);
        let is_fast = has(Fault::TooFast);
        let updates = [if is_fast { now } else { 0 }; MEMBERS.len()];
        storage.set(of("LastUpdate"), updates.to_vec());
        storage.set(of("CommitRevealWeightsEnabled"), has(Fault::CommitReveal));
        let version = if has(Fault::OldVersion) { 5u64 } else { 4 };
        storage.set(of("WeightsVersionKey"), version);
        let least = if has(Fault::TooFew) { 4u16 } else { 3 };
        storage.set(of("MinAllowedWeights"), least);
        let limit = if has(Fault::TooHeavy) {
            6_553u16
        } else {
            u16::MAX
        };
        storage.set(of("MaxWeightsLimit"), limit);
        let threshold = if has(Fault::LowStake) { MUCH } else { 0 };
        storage.set(Key::subtensor(THRESHOLD), threshold);
    });
}
