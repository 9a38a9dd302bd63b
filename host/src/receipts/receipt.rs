//! One receipt.

use crate::canonical::{self, Bits, digest, is_digest};
use crate::sandbox::Outcome;
use serde::{Deserialize, Serialize};

/// Which form a receipt has.
const VERSION: &str = "proctor-receipt-1";

/// The engine of what is computed by the host's own rules.
pub const RULES: &str = "proctor-rules-1";

/// What was computed.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A challenge evaluated a submission.
    Evaluate,
    /// A submission solved a task.
    Solve,
    /// A challenge compared a submission with earlier ones.
    Compare,
    /// A commit got its verdict.
    Judge,
    /// A challenge turned standings into weights.
    GetWeights,
    /// The host made one weight vector of all challenges.
    Vector,
}

impl Kind {
    /// Every kind, a kind after those that it depends on.
    pub const ALL: [Kind; 6] = [
        Kind::Solve,
        Kind::Evaluate,
        Kind::Compare,
        Kind::Judge,
        Kind::GetWeights,
        Kind::Vector,
    ];

    /// The stable name, such as `get_weights`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Evaluate => "evaluate",
            Kind::Solve => "solve",
            Kind::Compare => "compare",
            Kind::Judge => "judge",
            Kind::GetWeights => "get_weights",
            Kind::Vector => "vector",
        }
    }
}

/// What a result was computed from, and the result. A digest is SHA-256 in 64 lower-case
/// hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Name of the challenge; none for a solve and a vector.
    pub challenge: Option<String>,
    /// Digest of the component that was called, of a solve the artifact's; none where the
    /// host's own rule decided.
    pub component: Option<String>,
    /// Receipts of what the input was taken from, and of the solves: in ascending order,
    /// each once.
    pub depends_on: Vec<String>,
    /// What ran it: the sandbox's [identity](crate::sandbox::Sandbox::identity), or
    /// [`RULES`].
    pub engine: String,
    /// Digest of the environment's document; none where there was no call.
    pub environment: Option<String>,
    /// Fuel used.
    pub fuel: u64,
    /// Digest of the input's document.
    pub input: String,
    /// What was computed.
    pub kind: Kind,
    /// Digest of the limits' document; none where there was no call.
    pub limits: Option<String>,
    /// The logical time of the call, in seconds since the Unix epoch.
    #[schema(value_type = String)]
    pub logical_time: Bits,
    /// How it ended: the code of an [`Outcome`].
    pub outcome: String,
    /// Digest of the output's document.
    pub output: String,
    /// The seed of the call, 0 to 2⁶⁴ − 1, in decimal digits.
    pub seed: String,
    /// Digest of the challenge's settings; none where there was no call, and of a solve.
    pub settings: Option<String>,
    /// Digest of the transcript; none if the host answered with more than it keeps, and
    /// where there was no call.
    pub transcript: Option<String>,
    /// `proctor-receipt-1`.
    pub version: String,
}

impl Receipt {
    /// A receipt of what the host's own rule made of `input`: outcome `ok`, no fuel, and
    /// nothing of a call.
    #[must_use]
    pub fn of_rule(kind: Kind, challenge: Option<String>, input: String, output: String) -> Self {
        Receipt {
            challenge,
            component: None,
            depends_on: Vec::new(),
            engine: RULES.to_owned(),
            environment: None,
            fuel: 0,
            input,
            kind,
            limits: None,
            logical_time: Bits(0.0),
            outcome: Outcome::Ok.code().to_owned(),
            output,
            seed: "0".to_owned(),
            settings: None,
            transcript: None,
            version: VERSION.to_owned(),
        }
    }

    /// With these receipts to depend on.
    #[must_use]
    pub fn depending_on(mut self, receipts: impl IntoIterator<Item = String>) -> Self {
        self.depends_on = receipts.into_iter().collect();
        self.depends_on.sort();
        self.depends_on.dedup();
        self
    }

    /// The canonical text, which is hashed.
    ///
    /// # Errors
    ///
    /// None that is known of: it has nothing in it that JSON cannot hold.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        canonical::to_string(self)
    }

    /// The id of a receipt with this [text](Self::text): its digest.
    #[must_use]
    pub fn id_of(text: &str) -> String {
        digest(text)
    }

    /// Reads a receipt.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for people: it is not JSON, not of this version, or not as
    /// [`text`](Self::text) writes it.
    pub fn parse(text: &str) -> Result<Receipt, String> {
        let receipt: Receipt = serde_json::from_str(text).map_err(|e| e.to_string())?;
        receipt.check()?;
        match receipt.text() {
            Ok(canonical) if canonical == text => Ok(receipt),
            _ => Err("it is not canonical".to_owned()),
        }
    }

    /// What is wrong with its fields, beside their types.
    ///
    /// # Errors
    ///
    /// That, for people.
    pub fn check(&self) -> Result<(), String> {
        if self.version != VERSION {
            let version = &self.version;
            return Err(format!("version {version:?}: this one knows {VERSION}"));
        }
        let digests = [&self.component, &self.environment, &self.limits]
            .into_iter()
            .chain([&self.settings, &self.transcript])
            .flatten()
            .chain([&self.input, &self.output])
            .chain(&self.depends_on);
        if let Some(bad) = digests.into_iter().find(|digest| !is_digest(digest)) {
            return Err(format!("{bad:?} is no digest"));
        }
        if !self.depends_on.is_sorted_by(|a, b| a < b) {
            return Err("depends_on is not in order".to_owned());
        }
        if Outcome::from_code(&self.outcome).is_none() {
            return Err(format!("{:?} is no outcome", self.outcome));
        }
        match self.seed.parse::<u64>() {
            Ok(seed) if seed.to_string() == self.seed => Ok(()),
            _ => Err(format!("{:?} is no seed", self.seed)),
        }
    }

    /// How it ended; [`HostError`](Outcome::HostError) for a code that there is not.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome::from_code(&self.outcome).unwrap_or(Outcome::HostError)
    }
}

/// A receipt and who signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedReceipt {
    /// Its id: the digest of its canonical text.
    pub id: String,
    /// What it says.
    pub receipt: Receipt,
    /// The signature over `proctor-receipt-1:<id>`, sr25519, 128 lower-case hexadecimal
    /// digits; none of a solve, which the receipt signs that depends on it.
    pub signature: Option<String>,
    /// Whose: an address, SS58 with prefix 42.
    pub signer: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_comes_back_from_its_text_and_from_no_other() {
        let input = digest("in");
        let receipt = Receipt::of_rule(Kind::Judge, Some("c".into()), input, digest("out"))
            .depending_on([digest("b"), digest("a"), digest("b")]);
        let text = receipt.text().unwrap();
        assert_eq!(Receipt::parse(&text).unwrap(), receipt);
        assert_eq!(receipt.depends_on.len(), 2);
        let spaced = text.replacen(':', ": ", 1);
        assert_eq!(Receipt::parse(&spaced).unwrap_err(), "it is not canonical");
        let newer = text.replace("proctor-receipt-1", "proctor-receipt-2");
        assert!(
            Receipt::parse(&newer)
                .unwrap_err()
                .contains("proctor-receipt-2")
        );
        for (field, bad) in [
            ("\"seed\":\"0\"", "\"seed\":\"00\""),
            ("\"outcome\":\"ok\"", "\"outcome\":\"fine\""),
            (&*format!("\"{}\"", digest("in")), "\"x\""),
            ("\"fuel\":0", "\"fuel\":0,\"more\":1"),
            ("\"fuel\":0", "\"fuel\":-1"),
        ] {
            let text = text.replace(field, bad);
            assert!(Receipt::parse(&text).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_those_that_serde_writes() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
