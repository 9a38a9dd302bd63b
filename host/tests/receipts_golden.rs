//! Receipts against the test vectors of `docs/receipts.md`, which an implementation of
//! its own makes: `tests/golden/receipts/make.py`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use proctor_host::canonical::{self, bits, digest, from_bits};
use proctor_host::receipts::bundle::{Bundle, BundleWriter, LeafProof, receipt_line};
use proctor_host::receipts::documents::{
    CompareInput, CompareOutput, Document, Environment, EvaluateInput, EvaluateOutput,
    GetWeightsInput, GetWeightsOutput, JudgeInput, JudgeOutput, LimitsDocument, SolveOutput,
};
use proctor_host::receipts::transcript::Transcript;
use proctor_host::receipts::tree::{Tree, is_consistent, is_included};
use proctor_host::receipts::{
    Head, Kind, PreviousHead, Receipt, SignedHead, SignedReceipt, VectorInput, VectorOutput,
    compute, signs_head, signs_receipt,
};
use proctor_host::sandbox::HostCall;
use proctor_host::verify::{self, Options, Verdict, Why};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn path(name: &str) -> PathBuf {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/receipts");
    PathBuf::from(golden).join(name)
}

fn vectors(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(path(name)).unwrap()).unwrap()
}

fn list(value: &Value) -> &[Value] {
    let list = value.as_array().unwrap();
    assert!(!list.is_empty());
    list
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| text(v).to_owned())
        .collect()
}

#[test]
fn a_value_has_the_text_that_others_write() {
    let vectors = vectors("canonical.json");
    for case in list(&vectors["texts"]) {
        let written = canonical::to_string(&case["value"]).unwrap();
        assert_eq!(written, text(&case["text"]));
        assert_eq!(digest(&written), text(&case["sha256"]));
    }
    for case in list(&vectors["bits"]) {
        let number: f64 = text(&case["number"]).parse().unwrap();
        assert_eq!(bits(number), text(&case["bits"]), "{number}");
        assert_eq!(
            from_bits(&bits(number)).unwrap().to_bits(),
            number.to_bits()
        );
    }
    for bad in list(&vectors["not_bits"]) {
        assert_eq!(from_bits(text(bad)), None, "{bad}");
    }
}

/// The digests of `docs/validators.md` are those of the same document.
#[test]
fn what_an_evaluation_came_to_has_the_digest_that_validators_tell() {
    let documented = include_str!("../../docs/validators.md");
    let vectors = vectors("canonical.json");
    let results: Vec<&Value> = list(&vectors["texts"])
        .iter()
        .filter(|case| case["value"]["version"] == EvaluateOutput::VERSION)
        .collect();
    assert_eq!(results.len(), 2);
    for case in results {
        let output = EvaluateOutput::parse(text(&case["text"])).unwrap();
        assert_eq!(output.text().unwrap(), text(&case["text"]));
        assert!(documented.contains(text(&case["sha256"])));
    }
}

#[test]
fn every_document_is_read_and_written_as_it_is() {
    let mut seen = BTreeSet::new();
    for case in list(&vectors("documents.json")) {
        let (version, text) = (text(&case["version"]), text(&case["text"]));
        let written = rewritten(version, text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(written, text);
        assert_eq!(digest(text), case["sha256"].as_str().unwrap());
        let spaced = text.replacen(':', ": ", 1);
        assert_eq!(
            rewritten(version, &spaced).unwrap_err(),
            "it is not canonical"
        );
        seen.insert(version.to_owned());
    }
    assert_eq!(seen.len(), 14, "there is one of each: {seen:?}");
}

fn rewritten(version: &str, text: &str) -> Result<String, String> {
    fn again<T: Document>(text: &str) -> Option<Result<String, String>> {
        Some(T::parse(text).map(|document| document.text().unwrap()))
    }
    let of = |known: &str| known == version;
    let written = match () {
        () if of(LimitsDocument::VERSION) => again::<LimitsDocument>(text),
        () if of(Environment::VERSION) => again::<Environment>(text),
        () if of(EvaluateInput::VERSION) => again::<EvaluateInput>(text),
        () if of(EvaluateOutput::VERSION) => again::<EvaluateOutput>(text),
        () if of(SolveOutput::VERSION) => again::<SolveOutput>(text),
        () if of(CompareInput::VERSION) => again::<CompareInput>(text),
        () if of(CompareOutput::VERSION) => again::<CompareOutput>(text),
        () if of(JudgeInput::VERSION) => again::<JudgeInput>(text),
        () if of(JudgeOutput::VERSION) => again::<JudgeOutput>(text),
        () if of(GetWeightsInput::VERSION) => again::<GetWeightsInput>(text),
        () if of(GetWeightsOutput::VERSION) => again::<GetWeightsOutput>(text),
        () if of(VectorInput::VERSION) => again::<VectorInput>(text),
        () if of(VectorOutput::VERSION) => again::<VectorOutput>(text),
        () if of(Transcript::VERSION) => again::<Transcript>(text),
        () => None,
    };
    written.unwrap_or_else(|| panic!("no document is of version {version}"))
}

#[test]
fn a_vector_comes_of_its_input() {
    let documents = vectors("documents.json");
    let by_digest: BTreeMap<&str, &str> = list(&documents)
        .iter()
        .map(|case| (text(&case["sha256"]), text(&case["text"])))
        .collect();
    let mut made = 0;
    for case in list(&vectors("receipts.json")) {
        let receipt = Receipt::parse(text(&case["text"])).unwrap();
        if receipt.kind == Kind::Vector {
            let input = VectorInput::parse(by_digest[receipt.input.as_str()]).unwrap();
            let output = compute(&input).unwrap().text().unwrap();
            assert_eq!(output, by_digest[receipt.output.as_str()]);
            made += 1;
        }
    }
    assert_eq!(made, 2, "the day's, and one for the chain");
}

#[test]
fn receipts_have_the_ids_and_signatures_that_others_find() {
    let mut kinds = BTreeSet::new();
    for case in list(&vectors("receipts.json")) {
        let body = text(&case["text"]);
        let receipt = Receipt::parse(body).unwrap();
        assert_eq!(receipt.text().unwrap(), body);
        let id = Receipt::id_of(body);
        assert_eq!(id, text(&case["id"]));
        assert_eq!(receipt.kind.name(), text(&case["kind"]));
        if receipt.kind == Kind::Solve {
            assert!(case["signature"].is_null() && case["signer"].is_null());
        } else {
            assert_eq!(text(&case["message"]), format!("proctor-receipt-1:{id}"));
            let (signer, signature) = (text(&case["signer"]), text(&case["signature"]));
            assert!(signs_receipt(&id, signer, signature), "{body}");
            assert!(!signs_receipt(&digest(&id), signer, signature));
        }
        kinds.insert(receipt.kind);
    }
    assert_eq!(kinds, BTreeSet::from(Kind::ALL));
}

#[test]
fn a_transcript_is_made_of_its_calls_and_tells_them() {
    let vectors = vectors("transcript.json");
    let bytes = |value: &Value| hex::decode(text(value)).unwrap();
    let calls: Vec<HostCall> = list(&vectors["calls"])
        .iter()
        .map(|call| HostCall {
            name: text(&call["name"]).to_owned(),
            request: bytes(&call["request"]),
            response: bytes(&call["response"]),
            solve: None,
        })
        .collect();
    let mut solves = list(&vectors["calls"])
        .iter()
        .map(|call| call["solve"].as_str());
    let mut blobs = BTreeMap::new();
    let solve = |_: &HostCall| solves.next().unwrap().map(str::to_owned);
    let transcript = Transcript::new(&calls, solve, &mut blobs);
    assert_eq!(transcript.text().unwrap(), text(&vectors["text"]));
    assert_eq!(digest(text(&vectors["text"])), text(&vectors["sha256"]));
    assert_eq!(
        blobs.keys().cloned().collect::<Vec<_>>(),
        texts(&vectors["blobs"])
    );
    let read = Transcript::parse(text(&vectors["text"])).unwrap();
    let told = read.host_calls(|digest| blobs.get(digest).cloned().ok_or(()));
    assert_eq!(told.unwrap(), calls);
}

#[test]
fn trees_have_the_roots_and_proofs_of_the_rfc() {
    let vectors = vectors("trees.json");
    let leaves = texts(&vectors["leaves"]);
    let roots: Vec<&str> = list(&vectors["trees"])
        .iter()
        .map(|tree| text(&tree["root"]))
        .collect();
    for (size, case) in (1_u64..).zip(list(&vectors["trees"])) {
        assert_eq!(case["size"], size);
        let count = usize::try_from(size).unwrap();
        let tree = Tree::of(&leaves[..count]).unwrap();
        let root = tree.root();
        assert_eq!(root, text(&case["root"]));
        for (leaf, path) in (0..).zip(list(&case["inclusion"])) {
            let path = texts(path);
            assert_eq!(tree.inclusion(leaf).unwrap(), path, "leaf {leaf} of {size}");
            let id = &leaves[usize::try_from(leaf).unwrap()];
            assert!(is_included(id, leaf, (&root, size), &path).unwrap());
        }
        for (old, proof) in (1_u64..).zip(list(&case["consistency"])) {
            let proof = texts(proof);
            assert_eq!(tree.consistency(old).unwrap(), proof, "{old} of {size}");
            let before = roots[usize::try_from(old - 1).unwrap()];
            assert!(is_consistent((before, old), (&root, size), &proof).unwrap());
        }
    }
}

#[test]
fn heads_are_those_of_their_leaves_and_are_signed() {
    let receipts = vectors("receipts.json");
    let ids = |from: usize, count: usize| -> Vec<String> {
        let signed = list(&receipts)
            .iter()
            .filter(|case| !case["signer"].is_null());
        signed
            .skip(from)
            .take(count)
            .map(|case| text(&case["id"]).to_owned())
            .collect()
    };
    let heads = vectors("heads.json");
    let mut before: Option<Head> = None;
    for case in list(&heads) {
        let signed: SignedHead = serde_json::from_value(serde_json::json!({
            "head": case["head"], "signature": case["signature"], "signer": case["signer"],
        }))
        .unwrap();
        let head = &signed.head;
        let size = usize::try_from(head.size).unwrap();
        let from = before
            .as_ref()
            .map_or(0, |before| usize::try_from(before.size).unwrap());
        let previous = before.as_ref().map(|head| PreviousHead {
            day: head.day.clone(),
            root: head.root.clone(),
            size: head.size,
        });
        assert_eq!(
            *head,
            Head::of(&head.day, &ids(from, size), previous).unwrap()
        );
        let written = head.text().unwrap();
        assert_eq!(written, text(&case["text"]));
        assert_eq!(digest(&written), text(&case["sha256"]));
        assert_eq!(
            text(&case["message"]),
            format!("proctor-head-1:{}", digest(&written))
        );
        assert!(signs_head(&signed));
        // The first is that of the day before the others.
        before.get_or_insert_with(|| head.clone());
    }
}

fn bundle() -> Bundle<std::io::BufReader<std::fs::File>> {
    Bundle::open(&path("bundle.tar")).unwrap()
}

#[test]
fn a_bundle_of_others_is_read_and_its_bytes_are_written() {
    let bundle = bundle();
    let file = std::fs::read(path("bundle.tar")).unwrap();
    let lines = |receipts: &[SignedReceipt]| -> Vec<String> {
        receipts
            .iter()
            .map(|receipt| receipt_line(receipt).unwrap())
            .collect()
    };
    let size = |lines: &[String]| lines.iter().map(|line| line.len() as u64).sum();
    let (receipts, linked) = (lines(bundle.receipts()), lines(bundle.linked()));
    assert_eq!((receipts.len(), linked.len()), (10, 6));
    let mut writer = BundleWriter::new(Vec::new(), bundle.manifest()).unwrap();
    writer.head(bundle.head().unwrap()).unwrap();
    writer.receipts(size(&receipts)).unwrap();
    receipts.iter().for_each(|line| writer.line(line).unwrap());
    writer.linked(size(&linked)).unwrap();
    linked.iter().for_each(|line| writer.line(line).unwrap());
    writer.proofs(bundle.proofs()).unwrap();
    let mut blobs = 0;
    for entry in bundle.entries() {
        let name = entry.name.strip_prefix("blobs/sha256/");
        let Some(digest) = name.and_then(|name| name.strip_suffix(".zst")) else {
            continue;
        };
        assert_eq!(canonical::digest(bundle.blob(digest).unwrap()), digest);
        let from = usize::try_from(entry.offset).unwrap();
        let frame = &file[from..from + usize::try_from(entry.size).unwrap()];
        writer.blob(digest, frame).unwrap();
        blobs += 1;
    }
    assert!(blobs > 30);
    let (written, _) = writer.finish().unwrap();
    assert!(written == file, "the same bytes");
}

/// Nothing is wrong with it; and what cannot be checked is for want of components, which
/// do not exist, or of the release that the vectors name.
#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_of_others_is_verified_as_far_as_it_goes() {
    let report = verify::run(bundle(), Options::default()).await.unwrap();
    let (day, signer) = (report.day.as_deref(), report.signer.as_deref());
    assert_eq!(day, Some("2026-08-22"));
    assert_eq!(
        signer,
        Some("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY")
    );
    assert_eq!(
        (report.leaves, report.external, report.recorded_answers),
        (10, 2, 1)
    );
    assert!(!report.findings.is_empty());
    for finding in &report.findings {
        let expected = [Some(Why::NotIncluded), Some(Why::Engine)];
        assert!(expected.contains(&finding.why), "{finding}");
    }
    assert_eq!(report.verdict, Verdict::NotCheckable);
    assert_eq!(report.receipts["vector"].verified, 2);
    // Judges too: whose fault a failure is, is known by computing it again.
    let calls = ["evaluate", "compare", "judge", "get_weights", "solve"];
    assert!(
        calls
            .iter()
            .all(|kind| report.receipts[kind].not_checkable > 0)
    );
}

/// What it has of the day before is shown to be there, by the last head of that day.
#[test]
fn receipts_of_another_day_are_leaves_there() {
    let (bundle, heads) = (bundle(), vectors("heads.json"));
    let proofs = bundle.proofs();
    assert_eq!(proofs.heads.len(), 1);
    assert_eq!(
        text(&heads[0]["sha256"]),
        digest(proofs.heads[0].head.text().unwrap())
    );
    assert!(signs_head(&proofs.heads[0]));
    let linked = bundle.linked().iter();
    let external = linked.filter(|linked| linked.receipt.kind != Kind::Solve);
    let mut places = Vec::new();
    for linked in external {
        let (leaf, head) = proofs.of(&linked.id).unwrap();
        assert!(leaf.holds(head).unwrap());
        let other = LeafProof {
            leaf: 1 - leaf.leaf,
            ..leaf.clone()
        };
        assert!(!other.holds(head).unwrap());
        places.push(leaf.leaf);
    }
    places.sort_unstable();
    assert_eq!(places, [0, 1]);
}

/// Each line of JSON in the specification is one of the vectors', of each form there is
/// one, and no digest is made up.
#[test]
fn the_specification_quotes_the_vectors() {
    let specification = include_str!("../../docs/receipts.md");
    let mut known = BTreeSet::new();
    let mut digests = String::new();
    let mut wanted = BTreeSet::from(["head", "evaluate", "solve", "judge"].map(str::to_owned));
    for name in ["documents.json", "receipts.json", "heads.json"] {
        for case in list(&vectors(name)) {
            known.insert(text(&case["text"]).to_owned());
            wanted.extend(case["version"].as_str().map(str::to_owned));
        }
    }
    let transcript = vectors("transcript.json");
    known.insert(text(&transcript["text"]).to_owned());
    let bundle = bundle();
    known.insert(canonical::to_string(bundle.manifest()).unwrap());
    known.insert(canonical::to_string(bundle.head().unwrap()).unwrap());
    digests.push_str(&canonical::to_string(bundle.proofs()).unwrap());
    known.insert(canonical::to_string(bundle.proofs()).unwrap());
    wanted.insert(bundle.proofs().version.clone());
    for receipt in bundle.receipts().iter().chain(bundle.linked()) {
        known.insert(canonical::to_string(receipt).unwrap());
    }
    for name in [
        "canonical",
        "documents",
        "receipts",
        "heads",
        "transcript",
        "trees",
    ] {
        digests.push_str(&std::fs::read_to_string(path(&format!("{name}.json"))).unwrap());
    }
    let mut is_json = false;
    for line in specification.lines() {
        if line.starts_with("```") {
            is_json = line == "```json";
        } else if is_json {
            assert!(known.contains(line), "not one of the vectors: {line}");
            let value: Value = serde_json::from_str(line).unwrap();
            let of = match value["version"].as_str().unwrap_or_default() {
                "proctor-receipt-1" => text(&value["kind"]),
                "proctor-head-1" => "head",
                version => version,
            };
            wanted.remove(of);
        }
    }
    assert!(wanted.is_empty(), "not quoted: {wanted:?}");
    let words = specification.split(|c: char| !c.is_ascii_alphanumeric());
    let is_digest = |word: &&str| canonical::is_digest(word);
    for digest in words.filter(is_digest) {
        assert!(digests.contains(digest), "not of the vectors: {digest}");
    }
}

/// What is said to be shown by a test is.
#[test]
fn the_specification_names_tests_that_there_are() {
    let specification = include_str!("../../docs/receipts.md");
    let sources = ["tests", "../tests/hostile", "../tests/e2e"].map(|directory| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(directory);
        sources(&path)
    });
    let sources = sources.concat();
    let (_, after) = specification
        .split_once("| source | closed by | test |")
        .unwrap();
    let rows = after
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let mut named = 0;
    for row in rows {
        let name = row.split('`').rev().nth(1).unwrap();
        assert!(sources.contains(&format!("fn {name}(")), "no test: {name}");
        named += 1;
    }
    assert!(named > 10);
}

/// All Rust in a directory.
fn sources(path: &Path) -> String {
    let entries = std::fs::read_dir(path).unwrap();
    let texts = entries.map(|entry| {
        let path = entry.unwrap().path();
        match path.extension() {
            _ if path.is_dir() => sources(&path),
            Some(extension) if extension == "rs" => std::fs::read_to_string(path).unwrap(),
            _ => String::new(),
        }
    });
    texts.collect()
}
