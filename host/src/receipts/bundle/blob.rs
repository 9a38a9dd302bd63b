//! How blobs are kept: as frames of zstd, each with the size of its content and a
//! checksum, so that a damaged one is found by itself.

use std::io;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{find_frame_compressed_size, get_frame_content_size};

const LEVEL: i32 = 3;

/// 2 MiB: what a reader must hold who decompresses a piece at a time.
const WINDOW_LOG: u32 = 21;

/// The window's descriptor in a frame (RFC 8878, 3.1.1.1.2).
const WINDOW_DESCRIPTOR: u8 = 11 << 3;

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The frame's descriptor (RFC 8878, 3.1.1.1.1) without the size of the content's size: a
/// checksum, no dictionary, nothing reserved or unused.
const CHECKSUM: u8 = 1 << 2;
const SINGLE_SEGMENT: u8 = 1 << 5;

/// Why there is no blob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlobProblem {
    /// There is none of that digest.
    #[error("it is not there")]
    Missing,
    /// It is more than the reader takes.
    #[error("{size} bytes are more than is taken ({max})")]
    TooLarge {
        /// The size that it says it has, in bytes.
        size: u64,
        /// The most that is taken, in bytes.
        max: u64,
    },
    /// It is no frame as [`compress`] makes them, or a damaged one.
    #[error("it is no whole frame of zstd: {0}")]
    Frame(String),
    /// It is not what its name says.
    #[error("its content has the digest {0}")]
    Digest(String),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(String),
}

impl BlobProblem {
    /// The stable name, such as `blob_damaged`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            BlobProblem::Missing => "blob_missing",
            BlobProblem::TooLarge { .. } => "blob_too_large",
            BlobProblem::Frame(_) => "blob_damaged",
            BlobProblem::Digest(_) => "blob_digest",
            BlobProblem::Io(_) => "unreadable",
        }
    }
}

/// Compresses bytes to one frame. Takes about the memory of the bytes once more; the same
/// release of zstd makes the same frame of the same bytes.
///
/// # Errors
///
/// There is no memory for it.
pub fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressor = Compressor::new(LEVEL)?;
    compressor.window_log(WINDOW_LOG)?;
    compressor.include_checksum(true)?;
    compressor.include_contentsize(true)?;
    let mut frame = compressor.compress(bytes)?;
    frame.shrink_to_fit();
    Ok(frame)
}

/// The bytes of a frame, if they are at most `max`. Takes no more memory than that, whatever
/// the frame says.
///
/// # Errors
///
/// [`BlobProblem::TooLarge`] and [`BlobProblem::Frame`].
pub fn decompress(frame: &[u8], max: u64) -> Result<Vec<u8>, BlobProblem> {
    let bad = |what: &str| BlobProblem::Frame(what.to_owned());
    if frame.get(..4) != Some(&MAGIC) {
        return Err(bad("it does not begin like one"));
    }
    let size = match get_frame_content_size(frame) {
        Ok(Some(size)) => size,
        _ => return Err(bad("it does not say how much is in it")),
    };
    if size > max {
        return Err(BlobProblem::TooLarge { size, max });
    }
    let is_single = size <= 1 << WINDOW_LOG;
    let descriptor = CHECKSUM | if is_single { SINGLE_SEGMENT } else { 0 };
    let has = |at: usize, what: u8, mask: u8| frame.get(at).is_some_and(|b| b & mask == what);
    if !has(4, descriptor, 0x3f) || (!is_single && !has(5, WINDOW_DESCRIPTOR, 0xff)) {
        return Err(bad("its header is another"));
    }
    if find_frame_compressed_size(frame) != Ok(frame.len()) {
        return Err(bad("it ends early or something follows"));
    }
    let capacity = usize::try_from(size).map_err(|_| BlobProblem::TooLarge { size, max })?;
    let bytes = Decompressor::new().and_then(|mut d| d.decompress(frame, capacity));
    let bytes = bytes.map_err(|error| bad(&error.to_string()))?;
    match bytes.len() == capacity {
        true => Ok(bytes),
        false => Err(bad("it holds less than it says")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes that do not compress to nearly nothing.
    fn bytes(size: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let next = std::iter::from_fn(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some(b'a' + (state >> 28) as u8)
        });
        next.take(size).collect()
    }

    #[test]
    fn what_goes_in_comes_out_up_to_a_size_and_no_further() {
        for size in [
            0,
            1,
            255,
            256,
            1 << 16,
            (2 << 20) - 1,
            2 << 20,
            (2 << 20) + 1,
            5 << 20,
        ] {
            let content = bytes(size);
            let frame = compress(&content).unwrap();
            assert_eq!(
                decompress(&frame, size as u64).as_ref(),
                Ok(&content),
                "{size}"
            );
            if let Some(max) = (size as u64).checked_sub(1) {
                let size = size as u64;
                let expected = BlobProblem::TooLarge { size, max };
                assert_eq!(decompress(&frame, max), Err(expected));
            }
        }
    }

    #[test]
    fn a_frame_says_no_less_than_it_holds() {
        // It is refused for what it says.
        let bomb = compress(&vec![0; 1 << 26]).unwrap();
        assert!(bomb.len() < 1 << 13, "{}", bomb.len());
        let refused = decompress(&bomb, 1 << 20).unwrap_err();
        assert_eq!(refused.code(), "blob_too_large");
        // One that lies about its size is stopped there.
        let mut liar = bomb.clone();
        liar.splice(6..10, 3_000_000_u32.to_le_bytes());
        assert_eq!(
            decompress(&liar, 1 << 22).unwrap_err().code(),
            "blob_damaged"
        );
        // One that does not say is not tried.
        let mut compressor = Compressor::new(LEVEL).unwrap();
        compressor.include_contentsize(false).unwrap();
        let silent = compressor.compress(b"content").unwrap();
        assert_eq!(
            decompress(&silent, 1 << 20).unwrap_err().code(),
            "blob_damaged"
        );
    }

    #[test]
    fn frames_of_other_forms_are_refused() {
        let plain = zstd::bulk::compress(b"content", LEVEL).unwrap();
        let frame = compress(b"content").unwrap();
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0][..], &frame].concat();
        let two = [frame.clone(), frame.clone()].concat();
        let none = Vec::new();
        for bad in [
            plain,
            skippable,
            two,
            none,
            frame[..frame.len() - 1].to_vec(),
        ] {
            assert_eq!(decompress(&bad, 100).unwrap_err().code(), "blob_damaged");
        }
    }

    #[test]
    fn the_bits_of_a_header_that_readers_pass_over_are_looked_at() {
        let large = compress(&bytes(3 << 20)).unwrap();
        for (frame, headers) in [(compress(&bytes(100)).unwrap(), 5), (large, 6)] {
            for bit in 0..headers * 8 {
                let mut frame = frame.clone();
                frame[bit / 8] ^= 1 << (bit % 8);
                assert!(decompress(&frame, 1 << 30).is_err(), "bit {bit}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_reader_fail_but_with_a_problem(
            tail in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let header = [&MAGIC[..], &[CHECKSUM | SINGLE_SEGMENT]].concat();
            for bytes in [tail.clone(), [header, tail].concat()] {
                let _ = decompress(&bytes, 1 << 16);
            }
        }
    }
}
