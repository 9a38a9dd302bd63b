//! A bundle is read as it was written, and nothing else is.

use super::*;
use crate::canonical::digest;
use crate::chain::Hotkey;
use crate::receipts::tree::Tree;
use crate::receipts::{
    Head, Kind, Receipt, SignedHead, SignedReceipt, Signer, signs_head, signs_receipt,
};
use proptest::prelude::*;
use std::io::Cursor;
use std::sync::LazyLock;

const DAY: &str = "2026-08-22";
const INPUT: &str = "what went in";

fn signer() -> Signer {
    Signer::from(Hotkey::from_uri("//Alice").unwrap())
}

fn signed(input: &str, depends_on: &[&SignedReceipt]) -> SignedReceipt {
    let receipt = Receipt::of_rule(Kind::Judge, None, digest(input), digest("out"))
        .depending_on(depends_on.iter().map(|of| of.id.clone()));
    let id = Receipt::id_of(&receipt.text().unwrap());
    let signer = signer();
    SignedReceipt {
        signature: Some(signer.sign_receipt(&id)),
        signer: Some(signer.address().to_owned()),
        id,
        receipt,
    }
}

/// What a bundle is written from.
#[derive(Clone)]
struct Parts {
    manifest: Manifest,
    head: Option<SignedHead>,
    receipts: Vec<SignedReceipt>,
    linked: Vec<SignedReceipt>,
    proofs: Proofs,
    blobs: Vec<(String, Vec<u8>)>,
}

impl Parts {
    fn day() -> Parts {
        let linked = signed("of another day", &[]);
        let there = [digest("first"), linked.id.clone()];
        let before = Head::of("2026-08-21", &there, None).unwrap();
        let proof = LeafProof {
            day: before.day.clone(),
            id: linked.id.clone(),
            leaf: 1,
            proof: Tree::of(&there).unwrap().inclusion(1).unwrap(),
        };
        let receipts = vec![signed(INPUT, &[]), signed("more", &[&linked])];
        let ids: Vec<String> = receipts.iter().map(|leaf| leaf.id.clone()).collect();
        let head = Head::of(DAY, &ids, None).unwrap();
        let mut blobs: Vec<_> = [INPUT, "out"]
            .map(|content| (digest(content), compress(content.as_bytes()).unwrap()))
            .into();
        blobs.sort();
        let withheld = ["more", "of another day"].map(|content| Withheld {
            digest: digest(content),
            why: Why::Private,
        });
        Parts {
            manifest: Manifest::new(Some(DAY.into()), withheld.into()),
            head: Some(signer().sign_head(head).unwrap()),
            receipts,
            linked: vec![linked],
            proofs: Proofs::new(vec![signer().sign_head(before).unwrap()], vec![proof]),
            blobs,
        }
    }

    fn try_write(&self) -> Result<Vec<u8>, WriteError> {
        let mut writer = BundleWriter::new(Vec::new(), &self.manifest)?;
        if let Some(head) = &self.head {
            writer.head(head)?;
        }
        let lines = |of: &[SignedReceipt]| -> Vec<String> {
            of.iter().map(|r| receipt_line(r).unwrap()).collect()
        };
        let (receipts, linked) = (lines(&self.receipts), lines(&self.linked));
        let size = |lines: &[String]| lines.iter().map(|line| line.len() as u64).sum();
        writer.receipts(size(&receipts))?;
        for line in &receipts {
            writer.line(line)?;
        }
        writer.linked(size(&linked))?;
        for line in &linked {
            writer.line(line)?;
        }
        writer.proofs(&self.proofs)?;
        for (digest, frame) in &self.blobs {
            writer.blob(digest, frame)?;
        }
        let (bytes, size) = writer.finish()?;
        assert_eq!(bytes.len() as u64, size);
        Ok(bytes)
    }

    fn write(&self) -> Vec<u8> {
        self.try_write().unwrap()
    }
}

type InMemory = Bundle<Cursor<Vec<u8>>>;

fn read(bytes: &[u8]) -> Result<InMemory, BundleProblem> {
    Bundle::from_reader(Cursor::new(bytes.to_vec()))
}

fn code(bytes: &[u8]) -> &'static str {
    read(bytes).map_or_else(|problem| problem.code(), |_| "ok")
}

/// Whether all that is in it is true.
fn holds(bundle: &InMemory) -> bool {
    let signed = |of: &SignedReceipt| match (&of.signer, &of.signature) {
        (Some(signer), Some(signature)) => signs_receipt(&of.id, signer, signature),
        _ => false,
    };
    let there = |digest: &String| bundle.has(digest) || bundle.why(digest).is_some();
    let named = |of: &SignedReceipt| there(&of.receipt.input) && there(&of.receipt.output);
    let shown = |of: &SignedReceipt| {
        let found = bundle.proofs().of(&of.id);
        found.is_some_and(|(leaf, head)| signs_head(head) && leaf.holds(head).unwrap())
    };
    let head = bundle.head().unwrap();
    let leaves: Vec<&str> = bundle.receipts().iter().map(|r| r.id.as_str()).collect();
    bundle
        .receipts()
        .iter()
        .chain(bundle.linked())
        .all(|of| signed(of) && named(of))
        && bundle.linked().iter().all(shown)
        && signs_head(head)
        && head.head.size == leaves.len() as u64
        && Tree::of(leaves).unwrap().root() == head.head.root
        && bundle.digests().all(|digest| bundle.blob(digest).is_ok())
}

/// Signatures have chance in them, so there is one of it.
static PARTS: LazyLock<Parts> = LazyLock::new(Parts::day);
static SMALL: LazyLock<Vec<u8>> = LazyLock::new(|| PARTS.write());

#[test]
fn a_bundle_comes_back_as_it_was_written() {
    let parts = &*PARTS;
    let bundle = read(&SMALL).unwrap();
    assert_eq!(bundle.manifest(), &parts.manifest);
    assert_eq!(bundle.head(), parts.head.as_ref());
    assert_eq!(bundle.receipts(), parts.receipts);
    assert_eq!(bundle.linked(), parts.linked);
    assert_eq!(bundle.proofs(), &parts.proofs);
    assert_eq!(bundle.proofs().of(&digest("x")), None);
    assert!(
        bundle
            .digests()
            .eq(parts.blobs.iter().map(|(digest, _)| digest))
    );
    assert_eq!(bundle.blob(&digest(INPUT)).unwrap(), INPUT.as_bytes());
    assert_eq!(bundle.blob(&digest("more")), Err(BlobProblem::Missing));
    assert_eq!(bundle.why(&digest("more")), Some(Why::Private));
    assert_eq!(bundle.why(&digest("out")), None);
    assert!(holds(&bundle));
    assert_eq!(*SMALL, parts.write(), "the same content is the same bytes");
}

#[test]
fn a_bundle_of_one_receipt_has_no_head_and_may_have_no_blobs() {
    let parts = Parts {
        manifest: Manifest::new(None, Vec::new()),
        head: None,
        receipts: vec![signed(INPUT, &[])],
        linked: Vec::new(),
        proofs: Proofs::new(Vec::new(), Vec::new()),
        blobs: Vec::new(),
    };
    let bundle = read(&parts.write()).unwrap();
    assert_eq!((bundle.head(), bundle.receipts().len()), (None, 1));
    assert_eq!(bundle.digests().count(), 0);
    let changed = |change: fn(&mut Parts)| {
        let mut parts = parts.clone();
        change(&mut parts);
        code(&parts.write())
    };
    assert_eq!(changed(|p| p.receipts.clear()), "not_one");
    assert_eq!(changed(|p| p.receipts.push(signed("more", &[]))), "not_one");
    // A head that nothing is compared with.
    assert_eq!(changed(|p| p.head = PARTS.head.clone()), "day");
}

#[test]
fn proofs_are_of_what_is_linked_and_in_order() {
    let changed = |change: fn(&mut Parts)| {
        let mut parts = PARTS.clone();
        change(&mut parts);
        read(&parts.write()).map_or_else(|problem| problem.to_string(), |_| "ok".into())
    };
    assert_eq!(changed(|_| ()), "ok");
    // It is not told: who verifies it says so.
    let empty = changed(|p| p.proofs = Proofs::new(Vec::new(), Vec::new()));
    assert_eq!(empty, "ok");
    type Change = fn(&mut Parts);
    let cases: [(Change, &str); 9] = [
        (|p| p.proofs.version = "proctor-proofs-2".into(), "version"),
        (|p| p.proofs.heads.clear(), "of which there is no head"),
        (|p| p.proofs.leaves.clear(), "no leaf of that day"),
        (
            |p| p.proofs.heads.push(p.proofs.heads[0].clone()),
            "heads are not in order",
        ),
        (
            |p| p.proofs.leaves.push(p.proofs.leaves[0].clone()),
            "leaves are not in order",
        ),
        (|p| p.proofs.leaves[0].id = digest("x"), "is not linked"),
        (
            |p| p.proofs.leaves[0].proof[0].make_ascii_uppercase(),
            "not of digests",
        ),
        (
            |p| {
                p.proofs.heads[0].head.day = DAY.into();
                p.proofs.leaves[0].day = DAY.into();
            },
            "own day",
        ),
        (
            |p| {
                let mut solve = signed("a run", &[]);
                solve.receipt.kind = Kind::Solve;
                solve.receipt.component = Some(digest("an artifact"));
                solve.id = Receipt::id_of(&solve.receipt.text().unwrap());
                p.proofs.leaves[0].id = solve.id.clone();
                p.linked = vec![solve];
            },
            "or a solve",
        ),
    ];
    for (change, what) in cases {
        let found = changed(change);
        assert!(
            found.starts_with("proofs.json, ") && found.contains(what),
            "{found}"
        );
    }
}

#[test]
fn any_tar_reads_it() {
    let mut archive = tar::Archive::new(&SMALL[..]);
    let names: Vec<String> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            assert_eq!(entry.header().mode().unwrap(), 0o644);
            assert_eq!(entry.header().mtime().unwrap(), 0);
            entry.path().unwrap().to_str().unwrap().to_owned()
        })
        .collect();
    let mut blobs = [blob_name(&digest(INPUT)), blob_name(&digest("out"))];
    blobs.sort();
    let first = [MANIFEST, HEAD, RECEIPTS, LINKED, PROOFS].map(str::to_owned);
    assert_eq!(names, [&first[..], &blobs].concat());
}

/// The header is specified down to the byte, for others who write bundles.
#[test]
fn a_header_has_these_bytes() {
    let header = header(MANIFEST, 0o1234).unwrap();
    let mut expected = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| {
        expected[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(0, b"bundle.json");
    let numbers = [
        "0000644",
        "0000000",
        "0000000",
        "00000001234",
        "00000000000",
    ];
    let numbers = numbers.map(|number| format!("{number}\0")).concat();
    put(100, numbers.as_bytes());
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(148, b"        ");
    let sum: u32 = expected.iter().map(|byte| u32::from(*byte)).sum();
    expected[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
    assert_eq!(header, expected);
    assert_eq!(super::header(MANIFEST, MAX_ENTRY + 1), None);
}

#[test]
fn every_flipped_byte_is_found() {
    for at in 0..SMALL.len() {
        let mut bytes = SMALL.clone();
        bytes[at] ^= 0xff;
        let found = read(&bytes).map_or(true, |bundle| !holds(&bundle));
        assert!(found, "byte {at}");
    }
}

/// In a frame of zstd there are bits that mean nothing, such as those that fill up the last
/// byte of a table. So a flipped bit may be passed over there, but the content is the same.
#[test]
fn every_flipped_bit_is_found_but_in_a_frame_where_it_means_nothing() {
    let whole = read(&SMALL).unwrap();
    let entries = whole.entries().iter();
    let frames: Vec<&Entry> = entries.filter(|e| digest_in(&e.name).is_some()).collect();
    for bit in 0..SMALL.len() * 8 {
        let at = bit / 8;
        let mut bytes = SMALL.clone();
        bytes[at] ^= 1 << (bit % 8);
        let Ok(bundle) = read(&bytes) else { continue };
        if holds(&bundle) {
            let at = at as u64;
            let in_frame = |e: &&&Entry| (e.offset + 6..e.offset + e.size).contains(&at);
            assert!(frames.iter().find(in_frame).is_some(), "bit {bit}");
        }
    }
}

/// Where a byte is, is told: the entry, and the byte itself where it can be.
#[test]
fn each_region_has_its_finding() {
    let whole = read(&SMALL).unwrap();
    let entry = |name: &str| whole.entries().iter().find(|e| e.name == name).unwrap();
    let flipped = |at: u64| {
        let mut bytes = SMALL.clone();
        bytes[usize::try_from(at).unwrap()] ^= 1;
        let problem = read(&bytes).unwrap_err();
        (problem.entry.clone(), problem.offset, problem.code())
    };
    let receipts = entry(RECEIPTS);
    let header = receipts.offset - BLOCK;
    for field in [100, 108, 130, 156, 260, 300, 400, 511] {
        let (region, offset, code) = flipped(header + field);
        assert_eq!((region.as_str(), code), ("header 2", "header"));
        // With another size or name, the checksum is the first that differs.
        let expected = if field == 130 {
            148..=155
        } else {
            field..=field
        };
        assert!(expected.contains(&(offset - header)), "{field}: {offset}");
    }
    let end = receipts.offset + receipts.size;
    assert_eq!(flipped(end), (RECEIPTS.into(), end, "padding"));
    let last = SMALL.len() as u64 - 1;
    assert_eq!(flipped(last), ("end".into(), last, "end"));
    assert_eq!(flipped(entry(MANIFEST).offset).2, "document");
    assert_eq!(flipped(entry(HEAD).offset).2, "document");
    assert_eq!(flipped(entry(LINKED).offset).2, "line");
    assert_eq!(flipped(entry(PROOFS).offset).2, "document");
    // A digit of the fuel: a receipt, but not of this id.
    let text = String::from_utf8_lossy(&SMALL).into_owned();
    let fuel = text.find("\"fuel\":0").unwrap() as u64 + 7;
    assert_eq!(flipped(fuel).2, "receipt_id");
}

#[test]
fn a_bundle_that_is_cut_off_or_longer_is_none() {
    for length in (0..SMALL.len()).step_by(512).chain([SMALL.len() - 1]) {
        let problem = read(&SMALL[..length]).unwrap_err();
        assert!(
            ["truncated", "entry"].contains(&problem.code()),
            "{length}: {problem}"
        );
        assert!(problem.offset <= length as u64, "{length}: {problem}");
    }
    for more in [1, 512, 1024] {
        let longer = [&SMALL[..], &vec![0; more]].concat();
        assert_eq!(code(&longer), "end");
    }
}

#[test]
fn what_is_there_twice_or_out_of_order_is_found() {
    let day = PARTS.clone();
    let changed = |change: fn(&mut Parts)| {
        let mut parts = day.clone();
        change(&mut parts);
        code(&parts.write())
    };
    assert_eq!(changed(|_| ()), "ok");
    assert_eq!(
        changed(|p| p.receipts.push(p.receipts[0].clone())),
        "duplicate"
    );
    assert_eq!(
        changed(|p| p.linked.insert(0, p.receipts[0].clone())),
        "duplicate"
    );
    let two = changed(|p| {
        p.linked.push(signed("x", &[]));
        p.linked.sort_by(|a, b| b.id.cmp(&a.id));
    });
    assert_eq!(two, "order");
    assert_eq!(changed(|p| p.receipts[0].signer = None), "line");
    assert_eq!(changed(|p| p.receipts[0].receipt.fuel = 1), "receipt_id");
    assert_eq!(
        changed(|p| p.receipts[0].receipt.seed = "01".into()),
        "line"
    );
    assert_eq!(
        changed(|p| {
            p.manifest.withheld.truncate(1);
            p.manifest.withheld[0].digest = digest("out");
        }),
        "not_withheld"
    );
    assert_eq!(
        changed(|p| p.manifest.withheld[0].digest = "x".into()),
        "document"
    );
    assert_eq!(
        changed(|p| p.manifest.withheld.push(p.manifest.withheld[0].clone())),
        "document"
    );
    assert_eq!(
        changed(|p| p.manifest.version = "proctor-bundle-2".into()),
        "document"
    );
    assert_eq!(
        changed(|p| p.manifest.day = Some("2026-08-23".into())),
        "day"
    );
    assert_eq!(changed(|p| p.head = None), "entry");
}

#[test]
fn a_writer_keeps_to_the_order_and_to_what_it_said() {
    let mut parts = PARTS.clone();
    parts.blobs.reverse();
    assert!(matches!(parts.try_write(), Err(WriteError::Order(_))));
    let begin = || BundleWriter::new(Vec::new(), &PARTS.manifest).unwrap();
    assert!(matches!(begin().finish(), Err(WriteError::Order(_))));
    assert!(matches!(begin().linked(0), Err(WriteError::Order(_))));
    assert!(matches!(
        begin().proofs(&PARTS.proofs),
        Err(WriteError::Order(_))
    ));
    // Nor is a bundle without proofs one.
    let linked = || {
        let mut writer = begin();
        writer.receipts(0).and_then(|()| writer.linked(0)).unwrap();
        writer
    };
    assert!(matches!(linked().finish(), Err(WriteError::Order(_))));
    let blob = linked().blob(&digest(INPUT), b"");
    assert!(matches!(blob, Err(WriteError::Order(_))));
    for (said, line) in [(2, "abc"), (4, "abc")] {
        let mut writer = begin();
        writer.receipts(said).unwrap();
        let written = writer.line(line).and_then(|()| writer.linked(0));
        assert!(matches!(written, Err(WriteError::Order(_))), "{said}");
    }
    let too_large = begin().receipts(MAX_ENTRY + 1);
    assert!(matches!(too_large, Err(WriteError::TooLarge { .. })));
}

#[test]
fn a_blob_that_is_another_or_too_large_is_not_returned() {
    let mut parts = PARTS.clone();
    let zeros = vec![0; 1 << 20];
    parts
        .blobs
        .push((digest(&zeros), compress(&zeros).unwrap()));
    parts.blobs.sort();
    let bundle = read(&parts.write()).unwrap().with_max_blob(1 << 10);
    assert_eq!(
        bundle.blob(&digest(&zeros)).unwrap_err().code(),
        "blob_too_large"
    );
    assert!(bundle.blob(&digest(INPUT)).is_ok());
    parts.blobs[0].1 = compress(b"another").unwrap();
    let other = &parts.blobs[0].0;
    let problem = read(&parts.write()).unwrap().blob(other).unwrap_err();
    assert_eq!(problem, BlobProblem::Digest(digest("another")));
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn a_damaged_bundle_makes_no_reader_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..8),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut bytes = SMALL.clone();
        for (at, flip) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(bundle) = read(&bytes) {
            for digest in bundle.digests() {
                let _ = bundle.blob(digest);
            }
        }
    }
}
