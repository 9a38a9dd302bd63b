//! Receipts: what a score was computed from and came to, so that anyone can compute it
//! again. `docs/receipts.md` specifies every form in here.
//!
//! A [`Receipt`] names all that a result is a function of by digest, and the result. It
//! has no time of making and no chance in it: who computes the same has the same receipt.
//! It is signed, and is a leaf of its day's tree ([`tree`]) once the day is finalized.

pub mod bundle;
pub mod documents;
mod private;
mod receipt;
mod sign;
pub mod transcript;
pub mod tree;
mod vector;

pub use bundle::{BlobProblem, compress, decompress};
pub use private::Private;
pub use receipt::{Kind, RULES, Receipt, SignedReceipt};
pub use sign::{Head, PreviousHead, SignedHead, Signer, SignerError, signs_head, signs_receipt};
pub use vector::{VectorChallenge, VectorInput, VectorMiner, VectorOutput, compute};
