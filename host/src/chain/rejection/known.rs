//! The errors that are known, by the names that subtensor and Substrate give them.

use super::Next;

/// An error that weight calls may come to, what comes after it, and what to do.
type Known = (&'static str, Next, &'static str);

/// Errors of the pallet `SubtensorModule`, and of this host about its own call.
const CALL: &[Known] = &[
    (
        "CommitRevealEnabled",
        Next::Plan,
        "the subnet wants commits now; commit instead of setting weights",
    ),
    (
        "CommitRevealDisabled",
        Next::Plan,
        "the subnet wants no commits now; set weights instead",
    ),
    (
        "CanNotSetRootNetworkWeights",
        Next::Operator,
        "subnet 0 takes no weights; set chain.netuid to the subnet of this host",
    ),
    (
        "WeightVecNotEqualSize",
        Next::Plan,
        "give each uid one value",
    ),
    (
        "MechanismDoesNotExist",
        Next::Operator,
        "set chain.netuid and chain.mechanism to what there is",
    ),
    (
        "UidsLengthExceedUidsInSubNet",
        Next::Plan,
        "give at most one weight for each registered uid",
    ),
    (
        "HotKeyNotRegisteredInSubNet",
        Next::Operator,
        "register the hotkey on the subnet, or set wallet.name and wallet.hotkey to one that is",
    ),
    (
        "NotEnoughStakeToSetWeights",
        Next::Operator,
        "stake more to the hotkey",
    ),
    (
        "IncorrectWeightVersionKey",
        Next::Operator,
        "set weights.version_key to at least what the subnet asks for",
    ),
    (
        "SettingWeightsTooFast",
        Next::Wait,
        "wait; it is sent when the rate limit allows it",
    ),
    (
        "CommittingWeightsTooFast",
        Next::Wait,
        "wait; it is sent when the rate limit allows it",
    ),
    (
        "NeuronNoValidatorPermit",
        Next::Operator,
        "wait for the next epoch if the hotkey is new; else stake more to it, as permits go to those with the most stake",
    ),
    ("DuplicateUids", Next::Plan, "give each uid once"),
    (
        "UidVecContainInvalidOne",
        Next::Plan,
        "give only uids that are registered",
    ),
    (
        "WeightVecLengthIsLow",
        Next::Operator,
        "give more weights: let more miners have some, or set weights.too_few to `pad`",
    ),
    (
        "MaxWeightExceeded",
        Next::Operator,
        "spread the weights over more uids",
    ),
    (
        "TooManyUnrevealedCommits",
        Next::Plan,
        "reveal, or wait until the oldest commits expire",
    ),
    (
        "IncorrectCommitRevealVersion",
        Next::Operator,
        "use a version of Proctor that knows the chain's timelock version",
    ),
    (
        "InvalidRevealRound",
        Next::Plan,
        "commit anew to a later round of drand; check the clock of this machine",
    ),
    (
        "NoWeightsCommitFound",
        Next::Plan,
        "commit anew; what was committed is expired, revealed, or was never there",
    ),
    (
        "InvalidRevealCommitHashNotMatch",
        Next::Plan,
        "reveal exactly what was committed, with its salt and version key",
    ),
    (
        "ExpiredWeightCommit",
        Next::Plan,
        "commit anew; reveal within the epoch that the chain gives",
    ),
    (
        "RevealTooEarly",
        Next::Later,
        "wait for the epoch that the commit is to be revealed in",
    ),
    (
        "InputLengthsUnequal",
        Next::Plan,
        "give lists of the same length",
    ),
    (
        "ColdkeySwapAnnounced",
        Next::Operator,
        "the account is being swapped and may do nothing else; wait, or use another hotkey",
    ),
    (
        "ColdkeySwapDisputed",
        Next::Operator,
        "the swap of the account is disputed and it may do nothing; use another hotkey",
    ),
    (
        "CallFiltered",
        Next::Later,
        "the runtime allows no such call now; wait, it may be in safe mode",
    ),
    (
        "Exhausted",
        Next::Later,
        "blocks are full; send it again later",
    ),
    (
        "Unavailable",
        Next::Later,
        "the runtime cannot do it now; send it again later",
    ),
    (
        "AllWeightsZero",
        Next::Plan,
        "give at least one weight that is not zero",
    ),
    (
        "CommitTooLong",
        Next::Plan,
        "give fewer weights; the chain takes commits of at most 5,000 bytes",
    ),
];

/// `InvalidTransaction::Custom(n)`: the number, its name in subtensor's
/// `CustomTransactionError`, and the pallet's error that weight calls mean by it.
pub(super) const CUSTOM: &[(u8, &str, Option<&str>)] = &[
    (0, "ColdkeyInSwapSchedule", Some("ColdkeySwapAnnounced")),
    (1, "StakeAmountTooLow", Some("NotEnoughStakeToSetWeights")),
    (2, "BalanceTooLow", None),
    (3, "SubnetNotExists", Some("MechanismDoesNotExist")),
    (
        4,
        "HotkeyAccountDoesntExist",
        Some("HotKeyNotRegisteredInSubNet"),
    ),
    (5, "NotEnoughStakeToWithdraw", None),
    (6, "RateLimitExceeded", Some("SettingWeightsTooFast")),
    (7, "InsufficientLiquidity", None),
    (8, "SlippageTooHigh", None),
    (9, "TransferDisallowed", None),
    (
        10,
        "HotKeyNotRegisteredInNetwork",
        Some("HotKeyNotRegisteredInSubNet"),
    ),
    (11, "InvalidIpAddress", None),
    (12, "ServingRateLimitExceeded", None),
    (13, "InvalidPort", None),
    (14, "ZeroMaxAmount", None),
    (15, "InvalidRevealRound", Some("InvalidRevealRound")),
    (16, "CommitNotFound", Some("NoWeightsCommitFound")),
    (17, "CommitBlockNotInRevealRange", Some("RevealTooEarly")),
    (18, "InputLengthsUnequal", Some("InputLengthsUnequal")),
    (19, "UidNotFound", Some("HotKeyNotRegisteredInSubNet")),
    (20, "EvmKeyAssociateRateLimitExceeded", None),
    (21, "ColdkeySwapDisputed", Some("ColdkeySwapDisputed")),
    (22, "InvalidRealAccount", None),
    (23, "FailedShieldedTxParsing", None),
    (24, "InvalidShieldedTxPubKeyHash", None),
    (25, "NonAssociatedColdKey", None),
    (26, "DelegateTakeTooLow", None),
    (27, "DelegateTakeTooHigh", None),
    (255, "BadRequest", None),
];

/// A variant of `InvalidTransaction`, what nodes say of it, what comes after it, and
/// what to do.
pub(super) type Invalid = (&'static str, &'static str, Next, &'static str);

/// What Substrate itself finds in a transaction. What nodes say of it is in the `data`
/// of error 1010.
pub(super) const INVALID: &[Invalid] = &[
    (
        "Call",
        "Transaction call is not expected",
        Next::Later,
        "the runtime allows no such call now",
    ),
    (
        "Payment",
        "Inability to pay some fees (e.g. account balance too low)",
        Next::Operator,
        "the runtime wants a fee for this call: put some TAO on the hotkey",
    ),
    (
        "Future",
        "Transaction will be valid in the future",
        Next::Sign,
        "its nonce is too high; sign anew with the chain's nonce",
    ),
    (
        "Stale",
        "Transaction is outdated",
        Next::Look,
        "its nonce is used: look whether it is in a block already, else sign anew",
    ),
    (
        "BadProof",
        "Transaction has a bad signature",
        Next::Sign,
        "it was signed for another runtime, chain or block; read the runtime anew and sign anew",
    ),
    (
        "AncientBirthBlock",
        "Transaction has an ancient birth block",
        Next::Sign,
        "its era is over; sign anew",
    ),
    (
        "ExhaustsResources",
        "Transaction would exhaust the block limits",
        Next::Later,
        "blocks are full; send it again later",
    ),
    (
        "BadMandatory",
        "A call was labelled as mandatory, but resulted in an Error.",
        Next::Later,
        "the node is faulty; use another endpoint",
    ),
    (
        "MandatoryValidation",
        "Transaction dispatch is mandatory; transactions must not be validated.",
        Next::Operator,
        "the runtime takes no such call in a transaction",
    ),
    (
        "BadSigner",
        "Invalid signing address",
        Next::Operator,
        "the runtime takes nothing from this account; use another hotkey",
    ),
    (
        "IndeterminateImplicit",
        "The implicit data was unable to be calculated",
        Next::Sign,
        "its era is over, or the runtime wants what this host does not know; sign anew",
    ),
    (
        "UnknownOrigin",
        "The transaction extension did not authorize any origin",
        Next::Sign,
        "the runtime wants it signed in another way; use a newer version of Proctor",
    ),
];

/// What the pool of a node says of a transaction beside [`INVALID`], by code. Source:
/// polkadot-sdk, the error codes of `author_*`.
pub(super) const POOL: &[(i32, &str, Next, &str)] = &[
    (
        1001,
        "BadFormat",
        Next::Sign,
        "the runtime does not know such a transaction; read the runtime anew and sign anew",
    ),
    (
        1002,
        "Verification",
        Next::Later,
        "the runtime failed while it looked at it; send it again later, by another endpoint",
    ),
    (
        1010,
        "InvalidTransaction",
        Next::Operator,
        "the chain calls it invalid for a reason that this version of Proctor does not know",
    ),
    (
        1011,
        "UnknownTransaction",
        Next::Later,
        "the runtime cannot tell whether it is valid; send it again later",
    ),
    (
        1012,
        "TemporarilyBanned",
        Next::Look,
        "the node had it before: look whether it is in a block, else sign anew after its era",
    ),
    (
        1013,
        "AlreadyImported",
        Next::Look,
        "the node has it already: wait for it",
    ),
    (
        1014,
        "TooLowPriority",
        Next::Look,
        "the pool has another transaction with this nonce: wait for that one",
    ),
    (
        1015,
        "CycleDetected",
        Next::Later,
        "send it again later, by another endpoint",
    ),
    (
        1016,
        "ImmediatelyDropped",
        Next::Later,
        "the pool of the node is full; send it again later, by another endpoint",
    ),
    (
        1018,
        "Unactionable",
        Next::Later,
        "the node can do nothing with it; use another endpoint",
    ),
    (
        1019,
        "NoTagsProvided",
        Next::Later,
        "the node can do nothing with it; use another endpoint",
    ),
    (
        1020,
        "InvalidBlockId",
        Next::Later,
        "the node is behind; send it again later, by another endpoint",
    ),
    (
        1021,
        "RejectedFutureTransaction",
        Next::Sign,
        "its nonce is too high; sign anew with the chain's nonce",
    ),
    (
        1040,
        "Other",
        Next::Later,
        "send it again later, by another endpoint",
    ),
];

/// What comes after an error, and what to do about it.
pub(super) fn known(error: &str) -> (Next, &'static str) {
    let call = |error: &str| {
        let found = CALL.iter().find(|known| known.0 == error);
        found.map(|&(_, next, todo)| (next, todo))
    };
    let custom = CUSTOM.iter().find(|custom| custom.1 == error);
    let named = custom.and_then(|custom| custom.2).unwrap_or(error);
    let invalid = || INVALID.iter().find(|known| known.0 == error);
    let pool = || POOL.iter().find(|known| known.1 == error);
    call(named)
        .or_else(|| invalid().map(|&(_, _, next, todo)| (next, todo)))
        .or_else(|| pool().map(|&(_, _, next, todo)| (next, todo)))
        .unwrap_or((
            Next::Operator,
            "this version of Proctor does not know the error; see what the chain says of it",
        ))
}
