//! What is wrong with a bundle.

/// What is wrong with a bundle, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{entry}, at byte {offset} of the file: {fault}")]
pub struct BundleProblem {
    /// Name of the entry; `header 3` for the fourth header, `end` after the last entry.
    pub entry: String,
    /// Where in the file: the first byte that is wrong, or the beginning of what is.
    pub offset: u64,
    /// What is wrong.
    pub fault: Fault,
}

impl BundleProblem {
    /// The stable name of what is wrong, such as `header`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.fault.code()
    }
}

/// What may be wrong with a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It is cut off.
    #[error("the file ends here, and should not")]
    Truncated,
    /// A header is not the one that an entry of its name and size has.
    #[error("the header is not as it is written")]
    Header,
    /// An entry has no business where it is.
    #[error("this entry does not belong here")]
    Entry,
    /// There is something in between that is not zero.
    #[error("what fills up the block is not zero")]
    Padding,
    /// The end is not two blocks of zeros, or something follows.
    #[error("this is not two blocks of zeros and then nothing")]
    End,
    /// The manifest, the head, or the proofs are none, or not canonical.
    #[error("the document is not as it is written: {0}")]
    Document(String),
    /// A line is no receipt, or not canonical.
    #[error("the line is not as it is written: {0}")]
    Line(String),
    /// The id of a receipt is not its digest.
    #[error("the id of a receipt is not its digest, {0}")]
    Id(String),
    /// A receipt is there twice.
    #[error("receipt {0} is there twice")]
    Duplicate(String),
    /// Linked receipts are not by id.
    #[error("receipts are not in order")]
    Order,
    /// Something is said to be withheld and is there.
    #[error("{0} is said to be withheld, and is there")]
    NotWithheld(String),
    /// The manifest and the head are not of one day, or the manifest is of none.
    #[error("the head is not of the day of the bundle")]
    Day,
    /// The manifest is of one receipt, and there are none or more.
    #[error("a bundle of no day has one receipt, and this one has {0}")]
    NotOne(usize),
}

impl Fault {
    /// The stable name, such as `header`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Fault::Unreadable(_) => "unreadable",
            Fault::Truncated => "truncated",
            Fault::Header => "header",
            Fault::Entry => "entry",
            Fault::Padding => "padding",
            Fault::End => "end",
            Fault::Document(_) => "document",
            Fault::Line(_) => "line",
            Fault::Id(_) => "receipt_id",
            Fault::Duplicate(_) => "duplicate",
            Fault::Order => "order",
            Fault::NotWithheld(_) => "not_withheld",
            Fault::Day => "day",
            Fault::NotOne(_) => "not_one",
        }
    }
}
