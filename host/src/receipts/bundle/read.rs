//! Reading a bundle, and finding whatever was not written as it is.

use super::{
    BLOCK, BlobProblem, BundleProblem, Fault, HEAD, LINKED, MANIFEST, Manifest, PROOFS, Proofs,
    RECEIPTS, Why, decompress, digest_in, header, padding,
};
use crate::canonical;
use crate::receipts::{Receipt, SignedHead, SignedReceipt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Largest content of a blob that is taken, unless who reads says otherwise: 1 GiB.
const MAX_BLOB: u64 = 1 << 30;

/// An entry of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Where its content begins, in bytes from the beginning of the file.
    pub offset: u64,
    /// Size of its content, in bytes.
    pub size: u64,
}

/// A bundle of which everything but the contents of blobs was read. Whether what is in it
/// is true, signatures and tree and links, is not looked at here. May be used by many
/// threads at once.
#[derive(Debug)]
pub struct Bundle<R = BufReader<File>> {
    reader: Mutex<R>,
    entries: Vec<Entry>,
    manifest: Manifest,
    head: Option<SignedHead>,
    receipts: Vec<SignedReceipt>,
    linked: Vec<SignedReceipt>,
    proofs: Proofs,
    /// By digest, where its frame is and how long.
    blobs: BTreeMap<String, (u64, u64)>,
    max_blob: u64,
}

impl Bundle<BufReader<File>> {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// See [`BundleProblem`].
    pub fn open(path: &Path) -> Result<Self, BundleProblem> {
        let file = File::open(path).map_err(|e| problem(MANIFEST, 0, unreadable(&e)))?;
        Bundle::from_reader(BufReader::new(file))
    }
}

impl<R: Read + Seek> Bundle<R> {
    /// Reads a bundle from its beginning. Holds its receipts in memory, and no more for
    /// each than there are bytes of it.
    ///
    /// # Errors
    ///
    /// The first that is wrong: see [`BundleProblem`].
    pub fn from_reader(mut reader: R) -> Result<Self, BundleProblem> {
        let (entries, contents) = index(&mut reader)?;
        let mut contents = contents.into_iter();
        let mut next = |name: &str| {
            let found = contents.next().filter(|(entry, _)| entry.name == name);
            found.ok_or_else(|| problem(name, 0, Fault::Entry))
        };
        let (entry, content) = next(MANIFEST)?;
        let manifest: Manifest = document(&entry, &content)?;
        let wrong = |what: String| problem(MANIFEST, entry.offset, Fault::Document(what));
        manifest.check().map_err(wrong)?;
        let mut head = None;
        if entries.iter().any(|entry| entry.name == HEAD) {
            let (entry, content) = next(HEAD)?;
            let signed: SignedHead = document(&entry, &content)?;
            if manifest.day.as_ref() != Some(&signed.head.day) {
                return Err(problem(HEAD, entry.offset, Fault::Day));
            }
            head = Some(signed);
        }
        if head.is_none() && manifest.day.is_some() {
            return Err(problem(HEAD, 0, Fault::Entry));
        }
        let mut ids = BTreeSet::new();
        let (entry, content) = next(RECEIPTS)?;
        let receipts = lines(&entry, &content, &mut ids)?;
        if manifest.day.is_none() && receipts.len() != 1 {
            let fault = Fault::NotOne(receipts.len());
            return Err(problem(RECEIPTS, entry.offset, fault));
        }
        let (entry, content) = next(LINKED)?;
        let linked = lines(&entry, &content, &mut ids)?;
        if !linked.is_sorted_by(|a, b| a.id < b.id) {
            return Err(problem(LINKED, entry.offset, Fault::Order));
        }
        let (entry, content) = next(PROOFS)?;
        let proofs: Proofs = document(&entry, &content)?;
        let checked = proofs.check(manifest.day.as_deref(), &linked);
        checked.map_err(|what| problem(PROOFS, entry.offset, Fault::Document(what)))?;
        let mut blobs = BTreeMap::new();
        for entry in &entries {
            let Some(digest) = digest_in(&entry.name) else {
                continue;
            };
            if manifest.why(digest).is_some() {
                let fault = Fault::NotWithheld(digest.to_owned());
                return Err(problem(&entry.name, entry.offset, fault));
            }
            blobs.insert(digest.to_owned(), (entry.offset, entry.size));
        }
        Ok(Bundle {
            reader: Mutex::new(reader),
            entries,
            manifest,
            head,
            receipts,
            linked,
            proofs,
            blobs,
            max_blob: MAX_BLOB,
        })
    }

    /// Takes blobs whose content is at most this, in bytes, instead of 1 GiB.
    #[must_use]
    pub fn with_max_blob(mut self, bytes: u64) -> Self {
        self.max_blob = bytes;
        self
    }

    /// The content of a blob, as its digest says. Reading it takes memory for it and for
    /// its frame.
    ///
    /// # Errors
    ///
    /// See [`BlobProblem`].
    pub fn blob(&self, digest: &str) -> Result<Vec<u8>, BlobProblem> {
        let &(offset, size) = self.blobs.get(digest).ok_or(BlobProblem::Missing)?;
        // A frame is hardly larger than what is in it.
        let most = self.max_blob.saturating_add(self.max_blob >> 7);
        if size > most.saturating_add(1 << 10) {
            let max = self.max_blob;
            return Err(BlobProblem::TooLarge { size, max });
        }
        let frame = {
            let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
            content(&mut *reader, offset, size).map_err(|e| BlobProblem::Io(e.to_string()))?
        };
        let content = decompress(&frame, self.max_blob)?;
        match canonical::digest(&content) {
            found if found == digest => Ok(content),
            found => Err(BlobProblem::Digest(found)),
        }
    }
}

impl<R> Bundle<R> {
    /// What it is of, and what is not in it.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The head of the day's tree; none of a bundle of one receipt.
    #[must_use]
    pub fn head(&self) -> Option<&SignedHead> {
        self.head.as_ref()
    }

    /// The day's leaves in their order, or the one receipt.
    #[must_use]
    pub fn receipts(&self) -> &[SignedReceipt] {
        &self.receipts
    }

    /// Other receipts that those depend on, by id.
    #[must_use]
    pub fn linked(&self) -> &[SignedReceipt] {
        &self.linked
    }

    /// Where those of them that are of other days are in the trees of their days. That they
    /// are there is not checked.
    #[must_use]
    pub fn proofs(&self) -> &Proofs {
        &self.proofs
    }

    /// The digests of its blobs, in order.
    pub fn digests(&self) -> impl Iterator<Item = &str> {
        self.blobs.keys().map(String::as_str)
    }

    /// Whether it has a blob of this digest; it is not read.
    #[must_use]
    pub fn has(&self, digest: &str) -> bool {
        self.blobs.contains_key(digest)
    }

    /// Why what has this digest is not in it; none if it does not say.
    #[must_use]
    pub fn why(&self, digest: &str) -> Option<Why> {
        self.manifest.why(digest)
    }

    /// Its entries, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

fn problem(entry: &str, offset: u64, fault: Fault) -> BundleProblem {
    BundleProblem {
        entry: entry.to_owned(),
        offset,
        fault,
    }
}

fn unreadable(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Fault::Truncated,
        _ => Fault::Unreadable(error.to_string()),
    }
}

type Content = (Entry, Vec<u8>);

/// The entries, and the contents of those that are no blobs.
fn index<R: Read + Seek>(reader: &mut R) -> Result<(Vec<Entry>, Vec<Content>), BundleProblem> {
    let failed = |e: io::Error| problem(MANIFEST, 0, unreadable(&e));
    let length = reader.seek(SeekFrom::End(0)).map_err(failed)?;
    reader.rewind().map_err(failed)?;
    let (mut entries, mut contents) = (Vec::new(), Vec::new());
    let mut at = 0;
    loop {
        let region = format!("header {}", entries.len());
        let mut block = [0; 512];
        let read = reader.read_exact(&mut block);
        read.map_err(|e| problem(&region, at.min(length), unreadable(&e)))?;
        if block == [0; 512] && !entries.is_empty() {
            end(reader, at + BLOCK, length)?;
            return Ok((entries, contents));
        }
        let (name, size) =
            entry_of(&block).map_err(|byte| problem(&region, at + byte, Fault::Header))?;
        if !may_follow(entries.last(), &name) {
            return Err(problem(&name, at, Fault::Entry));
        }
        let offset = at + BLOCK;
        let zeros = padding(size);
        // The end comes after it, so that nothing is held that is not there.
        if offset + size + zeros + 2 * BLOCK > length {
            return Err(problem(&name, length, Fault::Truncated));
        }
        let failed = |e: io::Error| problem(&name, offset, unreadable(&e));
        let entry = Entry {
            name: name.clone(),
            offset,
            size,
        };
        if digest_in(&name).is_some() {
            reader
                .seek(SeekFrom::Start(offset + size))
                .map_err(failed)?;
        } else {
            contents.push((
                entry.clone(),
                content(reader, offset, size).map_err(failed)?,
            ));
        }
        let filled = content(reader, offset + size, zeros).map_err(failed)?;
        if let Some(byte) = filled.iter().position(|byte| *byte != 0) {
            return Err(problem(&name, offset + size + byte as u64, Fault::Padding));
        }
        entries.push(entry);
        at = offset + size + zeros;
    }
}

/// Name and size of the entry with this header, or the first byte that is not as an entry of
/// that name and size has it.
fn entry_of(block: &[u8; 512]) -> Result<(String, u64), u64> {
    let field = |from: usize, to: usize| block.get(from..to).unwrap_or_default();
    let name = field(0, 100)
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default();
    let name = std::str::from_utf8(name).map_err(|_| 0_u64)?;
    let digits = std::str::from_utf8(field(124, 135)).map_err(|_| 124_u64)?;
    let size = u64::from_str_radix(digits, 8).map_err(|_| 124_u64)?;
    let expected = header(name, size).ok_or(0_u64)?;
    let differs = block.iter().zip(&expected).position(|(a, b)| a != b);
    match differs {
        None => Ok((name.to_owned(), size)),
        Some(byte) => Err(byte as u64),
    }
}

/// Whether an entry of this name may come after another, or first.
fn may_follow(last: Option<&Entry>, name: &str) -> bool {
    let last = last.map(|entry| entry.name.as_str());
    match name {
        MANIFEST => last.is_none(),
        HEAD => last == Some(MANIFEST),
        RECEIPTS => matches!(last, Some(MANIFEST | HEAD)),
        LINKED => last == Some(RECEIPTS),
        PROOFS => last == Some(LINKED),
        _ => {
            let is_blob = digest_in(name).is_some();
            let before = last
                .is_some_and(|last| last == PROOFS || (digest_in(last).is_some() && last < name));
            is_blob && before
        }
    }
}

/// Checks what follows the first block of zeros, which ends at `at`.
fn end<R: Read + Seek>(reader: &mut R, at: u64, length: u64) -> Result<(), BundleProblem> {
    let mut block = [0; 512];
    let read = reader.read_exact(&mut block);
    read.map_err(|e| problem("end", at, unreadable(&e)))?;
    if let Some(byte) = block.iter().position(|byte| *byte != 0) {
        return Err(problem("end", at + byte as u64, Fault::End));
    }
    if at + BLOCK != length {
        return Err(problem("end", at + BLOCK, Fault::End));
    }
    Ok(())
}

/// Bytes of the file. It takes no memory for what is not there.
fn content<R: Read + Seek>(reader: &mut R, offset: u64, size: u64) -> io::Result<Vec<u8>> {
    reader.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    reader.take(size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

fn document<T: DeserializeOwned + Serialize>(
    entry: &Entry,
    content: &[u8],
) -> Result<T, BundleProblem> {
    let wrong = |byte: usize, what: String| {
        problem(
            &entry.name,
            entry.offset + byte as u64,
            Fault::Document(what),
        )
    };
    let document = serde_json::from_slice(content).map_err(|e| wrong(0, e.to_string()))?;
    let text = canonical::to_string(&document).map_err(|e| wrong(0, e.to_string()))?;
    match difference(text.as_bytes(), content) {
        None => Ok(document),
        Some(byte) => Err(wrong(byte, "it is not canonical".to_owned())),
    }
}

/// The first byte that differs.
fn difference(expected: &[u8], found: &[u8]) -> Option<usize> {
    let differs = expected.iter().zip(found).position(|(a, b)| a != b);
    let shorter = expected.len().min(found.len());
    differs.or((expected.len() != found.len()).then_some(shorter))
}

/// The receipts of an entry; `ids` are those that were there before.
fn lines(
    entry: &Entry,
    content: &[u8],
    ids: &mut BTreeSet<String>,
) -> Result<Vec<SignedReceipt>, BundleProblem> {
    let mut receipts = Vec::new();
    let mut at = entry.offset;
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        let wrong = |byte: usize, fault: Fault| problem(&entry.name, at + byte as u64, fault);
        let receipt = receipt(line).map_err(|(byte, fault)| wrong(byte, fault))?;
        if !ids.insert(receipt.id.clone()) {
            return Err(wrong(0, Fault::Duplicate(receipt.id)));
        }
        receipts.push(receipt);
        at += line.len() as u64;
    }
    Ok(receipts)
}

fn receipt(line: &[u8]) -> Result<SignedReceipt, (usize, Fault)> {
    let bad = |byte: usize, what: String| (byte, Fault::Line(what));
    let text = line.strip_suffix(b"\n");
    let text = text.ok_or_else(|| bad(line.len(), "it has no end".to_owned()))?;
    let signed: SignedReceipt = serde_json::from_slice(text).map_err(|e| bad(0, e.to_string()))?;
    signed.receipt.check().map_err(|e| bad(0, e))?;
    if signed.signature.is_some() != signed.signer.is_some() {
        return Err(bad(0, "a signature needs a signer".to_owned()));
    }
    let canonical = canonical::to_string(&signed).map_err(|e| bad(0, e.to_string()))?;
    if let Some(byte) = difference(canonical.as_bytes(), text) {
        return Err(bad(byte, "it is not canonical".to_owned()));
    }
    let body = signed.receipt.text().map_err(|e| bad(0, e.to_string()))?;
    match Receipt::id_of(&body) {
        id if id == signed.id => Ok(signed),
        id => Err((0, Fault::Id(id))),
    }
}
