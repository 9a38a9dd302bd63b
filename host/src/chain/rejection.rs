//! What the chain says when it does not take a call, or fails it.
//!
//! A refusal comes in two shapes. The pool of a node refuses a transaction before it
//! is in any block, with a JSON-RPC error. A block includes it and its call fails, with
//! an error of the pallet. The rate limit comes in both, by runtime and by call.

mod known;

use std::fmt;

use serde::{Deserialize, Serialize};
use subxt::error::DispatchError;
use subxt_rpcs::UserError;
use utoipa::ToSchema;

use known::{CUSTOM, INVALID, Invalid, POOL, known};

/// Where a transaction was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// By a node's pool: it is in no block, and its nonce is not used.
    Pool,
    /// By its call, in a block: it used its nonce.
    Block,
}

/// What comes after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// The node had this transaction before, or one with its nonce: it may be in the
    /// pool or in a block. Look for it; send nothing else before that is known.
    Look,
    /// It came too early. Wait until the rate limit allows it.
    Wait,
    /// The node cannot take it now. The same bytes may pass later.
    Later,
    /// Its nonce, its era or the runtime that it was signed for is not right any more.
    /// Sign it anew.
    Sign,
    /// The chain is not in the state that the call was made for. Read it anew and plan
    /// anew: another call, another round, another vector.
    Plan,
    /// It will be refused until somebody changes something.
    Operator,
}

/// A refusal of a transaction by the chain.
///
/// A lost connection is none: nobody refused anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rejection {
    /// Where it was refused.
    pub stage: Stage,
    /// The chain's name for it without the pallet, such as `SettingWeightsTooFast`,
    /// `RateLimitExceeded`, `BadProof`, `AlreadyImported`.
    pub error: String,
    /// The pallet whose error it is; none if it is no error of a pallet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pallet: Option<String>,
    /// The code of the JSON-RPC error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// The number n of `InvalidTransaction::Custom(n)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<u8>,
    /// What the node said, or what the runtime's metadata says of the error.
    pub message: String,
}

/// What to do about an error of the chain, or of the checks before it.
pub(super) fn todo(error: &str) -> &'static str {
    known(error).1
}

/// The number in `Custom error: 6`, `Custom(6)` or `{"invalid":{"custom":6}}`.
fn custom_number(text: &str) -> Option<u8> {
    let lower = text.to_ascii_lowercase();
    let rest = lower.split_once("custom")?.1;
    let start = rest.find(|c: char| c.is_ascii_digit())?;
    // The number belongs to the word only if nothing but these is between them.
    let (between, number) = rest.split_at(start);
    let between = between.trim_start_matches(" error");
    if !between.chars().all(|c| " :(\"'".contains(c)) {
        return None;
    }
    let end = number.find(|c: char| !c.is_ascii_digit());
    let (digits, _) = number.split_at(end.unwrap_or(number.len()));
    digits.parse().ok()
}

/// Whether it is the text that nodes have for this error, or its name in JSON, as in
/// `{"invalid":{"stale":null}}`.
fn says(text: &str, (name, sentence, ..): &Invalid) -> bool {
    let lower = text.to_ascii_lowercase();
    let quoted = format!("\"{}\"", name.to_ascii_lowercase());
    text.contains(sentence) || (lower.contains("\"invalid\"") && lower.contains(&quoted))
}

impl Rejection {
    /// What a node answers instead of taking a transaction; none if the answer is not
    /// about the transaction, such as an unknown method or too many requests.
    #[must_use]
    pub fn pool(error: &UserError) -> Option<Self> {
        let data = error.data.as_deref().map(|raw| {
            let text = serde_json::from_str::<String>(raw.get());
            text.unwrap_or_else(|_| raw.get().to_owned())
        });
        Self::pool_parts(error.code, &error.message, data.as_deref())
    }

    fn pool_parts(code: i32, message: &str, data: Option<&str>) -> Option<Self> {
        let texts = || data.into_iter().chain([message]);
        let (custom, name) = if let Some(n) = texts().find_map(custom_number) {
            let found = CUSTOM.iter().find(|custom| custom.0 == n);
            let name = found.map_or_else(|| format!("Custom({n})"), |known| known.1.to_owned());
            (Some(n), name)
        } else if let Some(known) = INVALID
            .iter()
            .find(|known| texts().any(|text| says(text, known)))
        {
            (None, known.0.to_owned())
        } else {
            let known = POOL.iter().find(|known| known.0 == code)?;
            (None, known.1.to_owned())
        };
        let message = match data {
            Some(data) if !data.is_empty() => format!("{message}: {data}"),
            _ => message.to_owned(),
        };
        Some(Rejection {
            stage: Stage::Pool,
            error: name,
            pallet: None,
            code: Some(code),
            custom,
            message,
        })
    }

    /// What the call of an included transaction failed with.
    #[must_use]
    pub fn dispatch(error: &DispatchError) -> Self {
        let (pallet, name, message) = match error {
            DispatchError::Module(module) => match module.details() {
                Ok(details) => (
                    Some(details.pallet.name().to_owned()),
                    details.variant.name.clone(),
                    details.variant.docs.join(" ").trim().to_owned(),
                ),
                Err(_) => (
                    None,
                    format!(
                        "Module({}, {})",
                        module.pallet_index(),
                        module.error_index()
                    ),
                    "the runtime's metadata does not have this error".to_owned(),
                ),
            },
            other => {
                // `Token(FundsUnavailable)`.
                (None, format!("{other:?}"), other.to_string())
            }
        };
        Rejection {
            stage: Stage::Block,
            error: name,
            pallet,
            code: None,
            custom: None,
            message,
        }
    }

    /// The error with its pallet: `SubtensorModule::SettingWeightsTooFast`; without
    /// one, `RateLimitExceeded`.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.pallet {
            Some(pallet) => format!("{pallet}::{}", self.error),
            None => self.error.clone(),
        }
    }

    /// Whether it came before the rate limit of weights allows it, in either shape.
    #[must_use]
    pub fn is_rate_limit(&self) -> bool {
        self.next() == Next::Wait
    }

    /// What comes after it.
    #[must_use]
    pub fn next(&self) -> Next {
        known(&self.error).0
    }

    /// What to do about it.
    #[must_use]
    pub fn todo(&self) -> &'static str {
        todo(&self.error)
    }

    /// Whether it is refused until somebody changes something.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.next() == Next::Operator
    }

    /// Whether the same call, or another of the same weights, may pass by itself later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        !self.is_final()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name())?;
        if let Some(n) = self.custom {
            write!(f, " (custom error {n})")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Rejection {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::metadata::known_runtime;
    use serde_json::json;

    /// What subxt gives of a JSON-RPC error.
    fn user_error(error: serde_json::Value) -> UserError {
        serde_json::from_value(error).unwrap()
    }

    fn pool(error: serde_json::Value) -> Rejection {
        Rejection::pool(&user_error(error)).unwrap()
    }

    fn invalid(data: &str) -> Rejection {
        pool(json!({"code": 1010, "message": "Invalid Transaction", "data": data}))
    }

    /// The error of the pallet with this index in the runtime of spec version 365.
    fn module(pallet: u8, error: u8) -> Rejection {
        let metadata = known_runtime([0; 32]).unwrap().metadata();
        let bytes = [3, pallet, error, 0, 0, 0];
        Rejection::dispatch(&DispatchError::decode_from(&bytes[..], metadata).unwrap())
    }

    /// The index of an error of the pallet, counted in the metadata.
    fn index(name: &str) -> u8 {
        let runtime = known_runtime([0; 32]).unwrap();
        let pallet = runtime.metadata_ref().pallet_by_name("SubtensorModule");
        let errors = pallet.unwrap().error_variants().unwrap();
        errors.iter().find(|e| e.name == name).unwrap().index
    }

    #[test]
    fn every_custom_error_has_subtensors_name_and_what_it_means_for_weights() {
        for (n, name, next) in [
            (0, "ColdkeyInSwapSchedule", Next::Operator),
            (1, "StakeAmountTooLow", Next::Operator),
            (6, "RateLimitExceeded", Next::Wait),
            (15, "InvalidRevealRound", Next::Plan),
            (16, "CommitNotFound", Next::Plan),
            (17, "CommitBlockNotInRevealRange", Next::Later),
            (18, "InputLengthsUnequal", Next::Plan),
            (19, "UidNotFound", Next::Operator),
            (27, "DelegateTakeTooHigh", Next::Operator),
            (255, "BadRequest", Next::Operator),
            (200, "Custom(200)", Next::Operator),
        ] {
            let rejection = invalid(&format!("Custom error: {n}"));
            assert_eq!(rejection.name(), name);
            assert_eq!(rejection.next(), next, "{n}");
            assert_eq!((rejection.custom, rejection.code), (Some(n), Some(1010)));
            assert_eq!(rejection.stage, Stage::Pool);
        }
        let mut numbers: Vec<_> = CUSTOM.iter().map(|custom| custom.0).collect();
        numbers.dedup();
        assert_eq!(numbers.len(), 29);
        assert_eq!(
            invalid("Custom error: 1").todo(),
            todo("NotEnoughStakeToSetWeights")
        );
    }

    #[test]
    fn a_custom_error_is_read_from_whatever_text_a_node_has_for_it() {
        for text in [
            "Custom error: 6",
            "Custom(6)",
            "Internal {\"invalid\":{\"custom\":6}}",
            "{\"Invalid\":{\"Custom\":\"6\"}}",
        ] {
            assert_eq!(custom_number(text), Some(6), "{text}");
        }
        for text in [
            "",
            "custom",
            "customers: 6",
            "Custom error: none of 6",
            "Custom(256)",
        ] {
            assert_eq!(custom_number(text), None, "{text}");
        }
        let as_message = pool(json!({"code": -32603, "message": "{\"invalid\":{\"custom\":6}}"}));
        assert!(as_message.is_rate_limit());
    }

    #[test]
    fn the_rate_limit_is_the_same_in_both_shapes() {
        assert!(invalid("Custom error: 6").is_rate_limit());
        for name in ["SettingWeightsTooFast", "CommittingWeightsTooFast"] {
            let failed = module(7, index(name));
            assert_eq!(failed.name(), format!("SubtensorModule::{name}"));
            assert_eq!(failed.stage, Stage::Block);
            assert!(failed.is_rate_limit() && failed.is_temporary());
        }
        for other in [invalid("Custom error: 1"), invalid("Custom error: 12")] {
            assert!(!other.is_rate_limit());
        }
    }

    #[test]
    fn an_error_of_the_pallet_has_its_name_and_what_the_metadata_says() {
        let rejection = module(7, index("NeuronNoValidatorPermit"));
        let expected = "SubtensorModule::NeuronNoValidatorPermit: The caller is attempting to \
                        set non-self weights without being a permitted validator.";
        assert_eq!(rejection.to_string(), expected);
        assert!(rejection.is_final());
        assert_eq!(module(7, 254).error, "Module(7, 254)");
        let metadata = known_runtime([0; 32]).unwrap().metadata();
        let origin = DispatchError::decode_from(&[2][..], metadata).unwrap();
        assert_eq!(
            Rejection::dispatch(&origin).to_string(),
            "BadOrigin: Bad origin."
        );
    }

    #[test]
    fn every_error_of_a_weight_call_says_what_to_do() {
        for name in [
            "CommitRevealEnabled",
            "CommitRevealDisabled",
            "CanNotSetRootNetworkWeights",
            "WeightVecNotEqualSize",
            "MechanismDoesNotExist",
            "UidsLengthExceedUidsInSubNet",
            "HotKeyNotRegisteredInSubNet",
            "NotEnoughStakeToSetWeights",
            "IncorrectWeightVersionKey",
            "SettingWeightsTooFast",
            "CommittingWeightsTooFast",
            "NeuronNoValidatorPermit",
            "DuplicateUids",
            "UidVecContainInvalidOne",
            "WeightVecLengthIsLow",
            "MaxWeightExceeded",
            "TooManyUnrevealedCommits",
            "IncorrectCommitRevealVersion",
            "NoWeightsCommitFound",
            "InvalidRevealCommitHashNotMatch",
            "ExpiredWeightCommit",
            "RevealTooEarly",
            "InputLengthsUnequal",
        ] {
            // The runtime has an error of this name.
            let rejection = module(7, index(name));
            assert!(!rejection.todo().contains("does not know"), "{name}");
            assert!(!rejection.message.is_empty(), "{name}");
        }
        // Of later runtimes.
        for name in [
            "InvalidRevealRound",
            "ColdkeySwapAnnounced",
            "ColdkeySwapDisputed",
        ] {
            assert!(!todo(name).contains("does not know"), "{name}");
        }
    }

    #[test]
    fn what_substrate_finds_is_told_from_what_the_pool_finds() {
        for (data, name, next) in [
            (
                "Inability to pay some fees (e.g. account balance too low)",
                "Payment",
                Next::Operator,
            ),
            ("Transaction is outdated", "Stale", Next::Look),
            (
                "Transaction will be valid in the future",
                "Future",
                Next::Sign,
            ),
            ("Transaction has a bad signature", "BadProof", Next::Sign),
            (
                "Transaction has an ancient birth block",
                "AncientBirthBlock",
                Next::Sign,
            ),
            (
                "Transaction would exhaust the block limits",
                "ExhaustsResources",
                Next::Later,
            ),
            ("Invalid signing address", "BadSigner", Next::Operator),
            ("something new", "InvalidTransaction", Next::Operator),
        ] {
            let rejection = invalid(data);
            assert_eq!((rejection.name().as_str(), rejection.next()), (name, next));
            assert_eq!(rejection.message, format!("Invalid Transaction: {data}"));
        }
        let short = pool(json!({"code": 1010, "message": "{\"invalid\":{\"stale\":null}}"}));
        assert_eq!(short.error, "Stale");
    }

    #[test]
    fn what_the_pool_finds_is_told_by_its_code() {
        for (code, message, name, next) in [
            (
                1001,
                "Extrinsic has invalid format",
                "BadFormat",
                Next::Sign,
            ),
            (1002, "Verification Error", "Verification", Next::Later),
            (
                1011,
                "Unknown Transaction Validity",
                "UnknownTransaction",
                Next::Later,
            ),
            (
                1012,
                "Transaction is temporarily banned",
                "TemporarilyBanned",
                Next::Look,
            ),
            (
                1013,
                "Transaction Already Imported",
                "AlreadyImported",
                Next::Look,
            ),
            (
                1014,
                "Priority is too low: (1 vs 1)",
                "TooLowPriority",
                Next::Look,
            ),
            (1015, "Cycle Detected", "CycleDetected", Next::Later),
            (
                1016,
                "Immediately Dropped",
                "ImmediatelyDropped",
                Next::Later,
            ),
            (
                1021,
                "The pool is not accepting future transactions",
                "RejectedFutureTransaction",
                Next::Sign,
            ),
        ] {
            let rejection = pool(json!({"code": code, "message": message}));
            assert_eq!((rejection.name().as_str(), rejection.next()), (name, next));
            assert_eq!(rejection.to_string(), format!("{name}: {message}"));
        }
    }

    #[test]
    fn an_answer_that_is_not_about_the_transaction_is_no_rejection() {
        for (code, message) in [
            (-32601, "Method not found"),
            (-32603, "Internal error"),
            (-32005, "Too many requests"),
        ] {
            let error = user_error(json!({"code": code, "message": message, "data": {"a": 1}}));
            assert_eq!(Rejection::pool(&error), None);
        }
    }

    #[test]
    fn a_rejection_is_kept_as_json() {
        for rejection in [
            invalid("Custom error: 6"),
            module(7, index("DuplicateUids")),
        ] {
            let text = serde_json::to_string(&rejection).unwrap();
            assert_eq!(serde_json::from_str::<Rejection>(&text).unwrap(), rejection);
        }
        let json = serde_json::to_value(module(7, index("DuplicateUids"))).unwrap();
        assert_eq!(json["stage"], "block");
        assert_eq!(json["pallet"], "SubtensorModule");
        assert_eq!(json.get("code"), None);
    }
}
