//! What the runtime says of a transaction that is not in a block.

use parity_scale_codec::Decode;
use proctor_simulated_chain::RpcError;

/// A transaction that a pool can keep. What is not asked for is not named.
#[derive(Debug, Clone, Decode)]
pub(crate) struct Valid {
    pub(crate) priority: u64,
    /// What must be provided by others before; by none if it is ready.
    pub(crate) requires: Vec<Vec<u8>>,
    /// What it is, for others: the account and its nonce.
    pub(crate) provides: Vec<Vec<u8>>,
}

/// Why a transaction cannot be in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Decode)]
pub(crate) enum Refusal {
    #[codec(index = 0)]
    Invalid(Invalid),
    #[codec(index = 1)]
    Unknown(Unknown),
}

/// `InvalidTransaction`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Decode)]
pub(crate) enum Invalid {
    Call,
    Payment,
    Future,
    Stale,
    BadProof,
    AncientBirthBlock,
    ExhaustsResources,
    Custom(u8),
    BadMandatory,
    MandatoryValidation,
    BadSigner,
}

/// `UnknownTransaction`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Decode)]
pub(crate) enum Unknown {
    CannotLookup,
    NoUnsignedValidator,
    Custom(u8),
}

/// The error of a node's `author` methods. Source: polkadot-sdk
/// `substrate/client/rpc-api/src/author/error.rs` and `sp_runtime::transaction_validity`.
impl From<Refusal> for RpcError {
    fn from(refusal: Refusal) -> Self {
        let text = match refusal {
            Refusal::Unknown(unknown) => {
                let data = match unknown {
                    Unknown::CannotLookup => {
                        "Could not lookup information required to validate the transaction"
                    }
                    Unknown::NoUnsignedValidator => {
                        "Could not find an unsigned validator for the unsigned transaction"
                    }
                    Unknown::Custom(_) => "UnknownTransaction custom error",
                };
                return RpcError::new(1011, "Unknown Transaction Validity").with_data(data);
            }
            Refusal::Invalid(Invalid::Custom(n)) => format!("Custom error: {n}"),
            Refusal::Invalid(invalid) => invalid.text().to_owned(),
        };
        RpcError::new(1010, "Invalid Transaction").with_data(text)
    }
}

impl Invalid {
    fn text(self) -> &'static str {
        match self {
            Invalid::Call => "Transaction call is not expected",
            Invalid::Payment => "Inability to pay some fees (e.g. account balance too low)",
            Invalid::Future => "Transaction will be valid in the future",
            Invalid::Stale => "Transaction is outdated",
            Invalid::BadProof => "Transaction has a bad signature",
            Invalid::AncientBirthBlock => "Transaction has an ancient birth block",
            Invalid::ExhaustsResources => "Transaction would exhaust the block limits",
            Invalid::Custom(_) => "InvalidTransaction custom error",
            Invalid::BadMandatory => "A call was labelled as mandatory, but resulted in an Error.",
            Invalid::MandatoryValidation => {
                "Transaction dispatch is mandatory; transactions must not be validated."
            }
            Invalid::BadSigner => "Invalid signing address",
        }
    }
}
