//! Writing a bundle from its beginning to its end.

use super::{
    HEAD, LINKED, MANIFEST, Manifest, PROOFS, Proofs, RECEIPTS, blob_name, header, padding,
};
use crate::canonical;
use crate::receipts::{SignedHead, SignedReceipt};
use std::io::{self, Write};

/// Why a bundle cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// What is written to does not take it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// An entry is larger than the format allows.
    #[error("{name} of {size} bytes is more than an archive holds")]
    TooLarge {
        /// Name of the entry.
        name: String,
        /// Its size, in bytes.
        size: u64,
    },
    /// An entry comes where it does not belong, or is not as long as it was said to be.
    #[error("a bundle is not written in this order: {0}")]
    Order(String),
    /// A receipt or head cannot be written as JSON.
    #[error("what is to be written is not JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Writes a bundle, entry by entry. It keeps nothing but the place where it is; what was
/// begun and is dropped has no end, so that it is not taken for a whole one.
#[derive(Debug)]
pub struct BundleWriter<W> {
    out: W,
    written: u64,
    /// Name of the last entry.
    last: String,
    /// Bytes that are still to come of it, and zeros after them.
    open: (u64, u64),
}

impl<W: Write> BundleWriter<W> {
    /// Begins with the manifest.
    ///
    /// # Errors
    ///
    /// See [`WriteError`].
    pub fn new(out: W, manifest: &Manifest) -> Result<Self, WriteError> {
        let mut writer = BundleWriter {
            out,
            written: 0,
            last: String::new(),
            open: (0, 0),
        };
        writer.whole(MANIFEST, canonical::to_string(manifest)?.as_bytes())?;
        Ok(writer)
    }

    /// Writes the head, right after the manifest.
    ///
    /// # Errors
    ///
    /// See [`WriteError`].
    pub fn head(&mut self, head: &SignedHead) -> Result<(), WriteError> {
        self.follows(HEAD, &[MANIFEST])?;
        self.whole(HEAD, canonical::to_string(head)?.as_bytes())
    }

    /// Begins the receipts: `size` is that of all their [lines](receipt_line). They follow
    /// by [`line`](Self::line), in the order of the tree.
    ///
    /// # Errors
    ///
    /// See [`WriteError`].
    pub fn receipts(&mut self, size: u64) -> Result<(), WriteError> {
        self.follows(RECEIPTS, &[MANIFEST, HEAD])?;
        self.begin(RECEIPTS, size)
    }

    /// Begins the receipts that those depend on: `size` is that of all their
    /// [lines](receipt_line). They follow by [`line`](Self::line), by id.
    ///
    /// # Errors
    ///
    /// See [`WriteError`].
    pub fn linked(&mut self, size: u64) -> Result<(), WriteError> {
        self.follows(LINKED, &[RECEIPTS])?;
        self.begin(LINKED, size)
    }

    /// Writes a line, as [`receipt_line`] makes it.
    ///
    /// # Errors
    ///
    /// See [`WriteError`].
    pub fn line(&mut self, line: &str) -> Result<(), WriteError> {
        self.bytes(line.as_bytes())
    }

    /// Writes where the receipts of other days are, after the lines of [`linked`](Self::linked).
    ///
    /// # Errors
    ///
    /// See [`WriteError`].
    pub fn proofs(&mut self, proofs: &Proofs) -> Result<(), WriteError> {
        self.follows(PROOFS, &[LINKED])?;
        self.whole(PROOFS, canonical::to_string(proofs)?.as_bytes())
    }

    /// Writes a blob: a frame as [`compress`](super::compress) makes them. They come by
    /// digest.
    ///
    /// # Errors
    ///
    /// See [`WriteError`].
    pub fn blob(&mut self, digest: &str, frame: &[u8]) -> Result<(), WriteError> {
        let name = blob_name(digest);
        if self.last == PROOFS || (self.last.starts_with(super::BLOBS) && self.last < name) {
            return self.whole(&name, frame);
        }
        Err(WriteError::Order(format!("{name} after {}", self.last)))
    }

    /// Ends the bundle. Returns what it was written to, and its size in bytes.
    ///
    /// # Errors
    ///
    /// See [`WriteError`].
    pub fn finish(mut self) -> Result<(W, u64), WriteError> {
        if self.last != PROOFS && !self.last.starts_with(super::BLOBS) {
            return Err(WriteError::Order(format!("the end after {}", self.last)));
        }
        self.end()?;
        self.put(&[0; 1024])?;
        self.out.flush()?;
        Ok((self.out, self.written))
    }

    fn follows(&self, name: &str, before: &[&str]) -> Result<(), WriteError> {
        if before.contains(&self.last.as_str()) {
            return Ok(());
        }
        Err(WriteError::Order(format!("{name} after {}", self.last)))
    }

    fn whole(&mut self, name: &str, content: &[u8]) -> Result<(), WriteError> {
        self.begin(name, content.len() as u64)?;
        self.bytes(content)
    }

    fn begin(&mut self, name: &str, size: u64) -> Result<(), WriteError> {
        self.end()?;
        let too_large = || WriteError::TooLarge {
            name: name.to_owned(),
            size,
        };
        let header = header(name, size).ok_or_else(too_large)?;
        self.put(&header)?;
        self.open = (size, padding(size));
        name.clone_into(&mut self.last);
        Ok(())
    }

    fn bytes(&mut self, content: &[u8]) -> Result<(), WriteError> {
        let (left, zeros) = self.open;
        let longer = || WriteError::Order(format!("{} is longer than it said", self.last));
        let left = left.checked_sub(content.len() as u64);
        self.open = (left.ok_or_else(longer)?, zeros);
        self.put(content)
    }

    /// Fills up the last entry.
    fn end(&mut self) -> Result<(), WriteError> {
        let (left, zeros) = std::mem::take(&mut self.open);
        if left > 0 {
            let shorter = format!("{} is shorter than it said, by {left} bytes", self.last);
            return Err(WriteError::Order(shorter));
        }
        let zeros = usize::try_from(zeros).unwrap_or_default();
        self.put([0; 512].get(..zeros).unwrap_or_default())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

/// The line of a receipt, with its end.
///
/// # Errors
///
/// None that is known of.
pub fn receipt_line(receipt: &SignedReceipt) -> Result<String, serde_json::Error> {
    Ok(format!("{}\n", canonical::to_string(receipt)?))
}
