//! What gets into a bundle, and what does not.

use super::*;
use crate::artifacts::DEFAULT_MAX_BYTES;
use crate::canonical::Bits;
use crate::chain::Hotkey;
use crate::receipts::bundle::Bundle;
use crate::receipts::documents::{Commit, Document, Environment, JudgeInput, Miner};
use crate::receipts::transcript::{Held, Transcript, TranscriptCall};
use crate::receipts::tree::Tree;
use crate::receipts::{Head, Kind, PreviousHead, Receipt, Signer, signs_head};
use crate::store::{HeadMaker, Kept, Leaves as NewLeaves, NewBlob, NewReceipt, NewVector};
use std::io::Cursor;
use tempfile::TempDir;

const DAY: &str = "2026-08-22";
const NEXT: &str = "2026-08-23";
const ALL: Options = Options {
    artifacts: true,
    components: true,
};
const COMPONENT: &[u8] = b"a component";
const ARTIFACT: &[u8] = b"an artifact";
const TASK: &str = "a task";
const RESULT: &str = "what an evaluation came to";
const ROWS: &str = "rows of a database";
const SECRET: &str = "a setting that nobody may know";

fn signer() -> Signer {
    Signer::from(Hotkey::from_uri("//Alice").unwrap())
}

/// What is to be stored.
#[derive(Default)]
struct Made(Kept);

impl Made {
    fn blob(&mut self, content: &str) -> String {
        self.blob_of(content, false)
    }

    fn blob_of(&mut self, content: &str, private: bool) -> String {
        let digest = digest(content);
        self.0.blobs.push(NewBlob {
            digest: digest.clone(),
            size: content.len() as u64,
            zstd: compress(content.as_bytes()).unwrap(),
            private,
        });
        digest
    }

    fn receipt(&mut self, receipt: &Receipt) -> String {
        let body = receipt.text().unwrap();
        let id = Receipt::id_of(&body);
        let is_signed = receipt.kind != Kind::Solve;
        self.0.receipts.push(NewReceipt {
            kind: receipt.kind.name().into(),
            challenge: receipt.challenge.clone(),
            body,
            signer: is_signed.then(|| signer().address().to_owned()),
            signature: is_signed.then(|| signer().sign_receipt(&id)),
            id: id.clone(),
        });
        id
    }

    /// An evaluation and its one run of a submission: ids of both.
    fn evaluation(&mut self, seed: &str, result: &str) -> (String, String) {
        let solution = self.blob(&format!("the solution of {seed}"));
        let mut solve = Receipt::of_rule(Kind::Solve, None, self.blob(TASK), solution);
        solve.component = Some(digest(ARTIFACT));
        solve.limits = Some(self.blob("limits of a run"));
        solve.seed = seed.into();
        let solve = self.receipt(&solve);
        let transcript = Transcript {
            calls: vec![TranscriptCall {
                name: "database.query".into(),
                request: Held::Text("short".into()),
                response: Held::Sha256(self.blob(ROWS)),
                solve: None,
            }],
            version: Transcript::VERSION.into(),
        };
        let input = self.blob("what an evaluation was called with");
        let output = self.blob(result);
        let mut evaluate = Receipt::of_rule(Kind::Evaluate, Some("c".into()), input, output);
        evaluate.component = Some(digest(COMPONENT));
        evaluate.settings = Some(self.blob_of(SECRET, true));
        evaluate.limits = Some(self.blob("limits"));
        evaluate.environment = Some(environment("KEY"));
        evaluate.transcript = Some(self.blob(&transcript.text().unwrap()));
        evaluate.seed = seed.into();
        let evaluate = evaluate.depending_on([solve.clone()]);
        (self.receipt(&evaluate), solve)
    }

    fn judgement(&mut self, evaluation: &str) -> String {
        let input = JudgeInput {
            commit: Commit {
                committed_at: Bits(1.0),
                miner: Miner {
                    axon_ip: None,
                    coldkey: None,
                    hotkey: "miner".into(),
                    uid: 1,
                },
                submission: digest(ARTIFACT),
            },
            comparisons: Vec::new(),
            result: digest(RESULT),
            version: JudgeInput::VERSION.into(),
        };
        let input = self.blob(&input.text().unwrap());
        let output = self.blob("a verdict");
        let mut judge = Receipt::of_rule(Kind::Judge, Some("c".into()), input, output);
        judge.environment = Some(digest(Environment::new([]).text().unwrap()));
        self.receipt(&judge.depending_on([evaluation.to_owned()]))
    }

    fn vector(&mut self, name: &str, of: &[&str]) -> String {
        let (input, output) = (self.blob(&format!("{name} from")), self.blob(name));
        let vector = Receipt::of_rule(Kind::Vector, None, input, output);
        self.receipt(&vector.depending_on(of.iter().map(|&id| id.to_owned())))
    }
}

fn environment(name: &str) -> String {
    let variable = (name.to_owned(), "value".to_owned());
    digest(Environment::new([variable]).text().unwrap())
}

fn head_of(day: &str, ids: &[String], previous: Option<HeadRow>) -> HeadRow {
    let previous = previous.map(|head| PreviousHead {
        day: head.day,
        root: head.root,
        size: head.size,
    });
    let head = Head::of(day, ids, previous).unwrap();
    let signed = signer().sign_head(head).unwrap();
    HeadRow {
        day: day.into(),
        size: signed.head.size,
        root: signed.head.root.clone(),
        document: signed.head.text().unwrap(),
        signer: signed.signer,
        signature: signed.signature,
    }
}

struct Fixture {
    directory: TempDir,
    sources: Sources,
}

impl Fixture {
    fn new() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let files = |name: &str| {
            ArtifactStore::open(directory.path().join(name), DEFAULT_MAX_BYTES).unwrap()
        };
        let sources = Sources {
            store: Store::open(&directory.path().join("db")).unwrap(),
            artifacts: files("artifacts"),
            components: files("components"),
        };
        sources.artifacts.add(ARTIFACT).unwrap();
        sources.components.add(COMPONENT).unwrap();
        Fixture { directory, sources }
    }

    /// Stores what was made, and makes some of it leaves of a day.
    async fn store(&self, made: Made, day: &str, leaves: &[&str]) {
        let vector = NewVector {
            // No two are the same.
            digest: digest(format!("{day} {leaves:?}")),
            day: day.into(),
            document: "{}".into(),
            made_at: 1.0,
            receipt: None,
        };
        let leaves = NewLeaves {
            day: day.into(),
            receipts: leaves.iter().map(|&id| id.to_owned()).collect(),
            head: HeadMaker::new(head_of),
        };
        let stored = self
            .sources
            .store
            .publish_vector(vector, made.0, Some(leaves));
        stored.await.unwrap();
    }

    async fn day(&self, day: &str, options: Options) -> InMemory {
        read(self.bytes(day, None, options).await.unwrap().1)
    }

    async fn bytes(
        &self,
        day: &str,
        size: Option<u64>,
        options: Options,
    ) -> Result<(Collected, Vec<u8>), CollectError> {
        let mut bytes = Vec::new();
        let collected = collect_day(&self.sources, day, size, options, &mut bytes).await?;
        Ok((collected, bytes))
    }

    async fn one(&self, id: &str) -> Result<InMemory, CollectError> {
        let mut bytes = Vec::new();
        collect_receipt(&self.sources, id, ALL, &mut bytes).await?;
        Ok(read(bytes))
    }
}

type InMemory = Bundle<Cursor<Vec<u8>>>;

fn read(bytes: Vec<u8>) -> InMemory {
    Bundle::from_reader(Cursor::new(bytes)).unwrap()
}

fn ids(bundle: &InMemory) -> Vec<&str> {
    let receipts = bundle.receipts().iter().map(|receipt| receipt.id.as_str());
    receipts.collect()
}

fn linked(bundle: &InMemory) -> Vec<&str> {
    let linked = bundle.linked().iter().map(|receipt| receipt.id.as_str());
    linked.collect()
}

/// Whether all that its receipts name is in it or said to be withheld, and what is in it is
/// what it is called.
fn is_complete(bundle: &InMemory) {
    let empty = digest(Environment::new([]).text().unwrap());
    for signed in bundle.receipts().iter().chain(bundle.linked()) {
        let receipt = &signed.receipt;
        let named = [&receipt.component, &receipt.environment, &receipt.limits];
        let named = named
            .into_iter()
            .chain([&receipt.settings, &receipt.transcript]);
        let named = named.flatten().chain([&receipt.input, &receipt.output]);
        for digest in named.filter(|digest| **digest != empty) {
            assert!(
                bundle.has(digest) != bundle.why(digest).is_some(),
                "{receipt:?}"
            );
        }
    }
    assert!(bundle.digests().all(|digest| bundle.blob(digest).is_ok()));
    assert_eq!(bundle.why(&empty), None);
    for signed in bundle.linked() {
        let shown = bundle.proofs().of(&signed.id);
        let shown = shown.map(|(leaf, head)| signs_head(head) && leaf.holds(head).unwrap());
        let expected = (signed.receipt.kind != Kind::Solve).then_some(true);
        assert_eq!(shown, expected, "{:?}", signed.receipt);
    }
}

/// A day with an evaluation, its run, and a judgement: their ids.
async fn a_day(fixture: &Fixture) -> [String; 3] {
    let mut made = Made::default();
    let (evaluate, solve) = made.evaluation("1", RESULT);
    let judge = made.judgement(&evaluate);
    fixture.store(made, DAY, &[&evaluate, &judge]).await;
    [evaluate, solve, judge]
}

#[tokio::test]
async fn a_day_has_its_leaves_in_order_and_all_that_they_name() {
    let fixture = Fixture::new();
    let [evaluate, solve, judge] = a_day(&fixture).await;
    let (collected, bytes) = fixture.bytes(DAY, None, ALL).await.unwrap();
    assert_eq!(collected.bytes, bytes.len() as u64);
    let bundle = read(bytes);
    assert_eq!(ids(&bundle), [&evaluate, &judge]);
    assert_eq!(linked(&bundle), [&solve]);
    is_complete(&bundle);
    for content in [
        TASK,
        RESULT,
        ROWS,
        "a verdict",
        "limits",
        "the solution of 1",
    ] {
        assert_eq!(bundle.blob(&digest(content)).unwrap(), content.as_bytes());
    }
    assert_eq!(bundle.blob(&digest(COMPONENT)).unwrap(), COMPONENT);
    assert_eq!(bundle.blob(&digest(ARTIFACT)).unwrap(), ARTIFACT);
    let head = &bundle.head().unwrap().head;
    assert_eq!(Tree::of(ids(&bundle)).unwrap().root(), head.root);
    let counts = (collected.receipts, collected.linked, collected.blobs);
    assert_eq!(counts, (2, 1, bundle.digests().count() as u64));
    let withheld = BTreeMap::from([("environment", 1), ("private", 1)]);
    assert_eq!(collected.withheld, withheld);
}

#[tokio::test]
async fn the_same_store_makes_the_same_bytes() {
    let fixture = Fixture::new();
    a_day(&fixture).await;
    let first = fixture.bytes(DAY, None, ALL).await.unwrap();
    assert_eq!(fixture.bytes(DAY, None, ALL).await.unwrap(), first);
}

#[tokio::test]
async fn what_is_withheld_says_why() {
    let fixture = Fixture::new();
    a_day(&fixture).await;
    let none = Options {
        artifacts: false,
        components: false,
    };
    let bundle = fixture.day(DAY, none).await;
    is_complete(&bundle);
    for (digest, why) in [
        (digest(SECRET), Why::Private),
        (environment("KEY"), Why::Environment),
        (digest(COMPONENT), Why::NotIncluded),
        (digest(ARTIFACT), Why::NotIncluded),
    ] {
        assert_eq!(bundle.why(&digest), Some(why));
        assert!(!bundle.has(&digest));
    }
    // What is not kept any more is missing.
    fixture
        .sources
        .store
        .prune_blobs(f64::MAX, 1_000)
        .await
        .unwrap();
    let bundle = fixture.day(DAY, ALL).await;
    is_complete(&bundle);
    assert_eq!(bundle.why(&digest(TASK)), Some(Why::Missing));
    assert_eq!(bundle.why(&digest(SECRET)), Some(Why::Private));
    assert!(bundle.has(&digest(ARTIFACT)));
}

#[tokio::test]
async fn a_private_component_and_a_private_transcript_stay_here() {
    let fixture = Fixture::new();
    let mut made = Made::default();
    let (evaluate, _) = made.evaluation("1", RESULT);
    made.0.private.push(digest(COMPONENT));
    let transcript: Receipt = Receipt::parse(&made.0.receipts[1].body).unwrap();
    let transcript = transcript.transcript.unwrap();
    made.0.private.push(transcript.clone());
    fixture.store(made, DAY, &[&evaluate]).await;
    let bundle = fixture.day(DAY, ALL).await;
    is_complete(&bundle);
    assert_eq!(bundle.why(&digest(COMPONENT)), Some(Why::Private));
    assert_eq!(bundle.why(&transcript), Some(Why::Private));
    // What only it names is not even told of.
    assert!(!bundle.has(&digest(ROWS)) && bundle.why(&digest(ROWS)).is_none());
}

#[tokio::test]
async fn what_is_no_leaf_does_not_get_out() {
    let fixture = Fixture::new();
    let mut made = Made::default();
    let (sealed, its_solve) = made.evaluation("2", "nobody may know this yet");
    let vector = made.vector("a vector", &[&sealed]);
    fixture.store(made, DAY, &[&vector]).await;
    let bundle = fixture.day(DAY, ALL).await;
    assert_eq!(ids(&bundle), [&vector]);
    assert_eq!(linked(&bundle), [""; 0]);
    assert!(!bundle.has(&digest("nobody may know this yet")));
    assert!(!bundle.has(&digest("the solution of 2")));
    for id in [&sealed, &its_solve, &digest("none")] {
        let refused = fixture.one(id).await.map(|_| ());
        assert!(matches!(refused, Err(CollectError::NoReceipt(of)) if of == *id));
    }
    let bundle = fixture.one(&vector).await.unwrap();
    assert_eq!((linked(&bundle).len(), bundle.digests().count()), (0, 2));
}

#[tokio::test]
async fn of_another_days_receipts_only_what_went_in_and_came_out_is_there() {
    let fixture = Fixture::new();
    let [evaluate, solve, _] = a_day(&fixture).await;
    let mut made = Made::default();
    let vector = made.vector("a vector", &[&evaluate]);
    fixture.store(made, NEXT, &[&vector]).await;
    let bundle = fixture.day(NEXT, ALL).await;
    is_complete(&bundle);
    assert_eq!(
        (ids(&bundle), linked(&bundle)),
        (vec![&*vector], vec![&*evaluate])
    );
    let called_with = "what an evaluation was called with";
    let mut expected = ["a vector", "a vector from", RESULT, called_with].map(digest);
    expected.sort();
    assert_eq!(bundle.digests().collect::<Vec<_>>(), expected);
    assert_eq!(bundle.why(&digest(COMPONENT)), Some(Why::NotIncluded));
    assert_eq!(bundle.why(&digest(SECRET)), Some(Why::Private));
    assert!(!linked(&bundle).contains(&&*solve), "one level");
    assert_eq!(
        bundle.head().unwrap().head.previous.as_ref().unwrap().day,
        DAY
    );
}

#[tokio::test]
async fn of_other_days_it_is_shown_that_they_are_leaves_there() {
    let fixture = Fixture::new();
    let [evaluate, _, judge] = a_day(&fixture).await;
    let mut made = Made::default();
    let other = made.vector("of a day between", &[]);
    let vector = made.vector("a vector", &[&evaluate, &judge, &other]);
    fixture.store(made, NEXT, &[&other]).await;
    fixture
        .store(Made::default(), "2026-08-24", &[&vector])
        .await;
    let bundle = fixture.day("2026-08-24", ALL).await;
    is_complete(&bundle);
    let place = |bundle: &InMemory, id: &str| {
        let proofs = bundle.proofs();
        let (leaf, head) = proofs.of(id).unwrap();
        (leaf.day.clone(), leaf.leaf, head.head.size)
    };
    assert_eq!(place(&bundle, &evaluate), (DAY.into(), 0, 2));
    assert_eq!(place(&bundle, &judge), (DAY.into(), 1, 2));
    assert_eq!(place(&bundle, &other), (NEXT.into(), 0, 1));
    assert_eq!(bundle.proofs().heads.len(), 2);
    // By the last head, whatever the tree was when it was depended on.
    let mut made = Made::default();
    let late = made.vector("late", &[]);
    fixture.store(made, DAY, &[&late]).await;
    let bundle = fixture.day("2026-08-24", ALL).await;
    is_complete(&bundle);
    assert_eq!(place(&bundle, &judge), (DAY.into(), 1, 3));
    // Of one receipt too, whatever day they are of.
    let bundle = fixture.one(&judge).await.unwrap();
    is_complete(&bundle);
    assert_eq!(place(&bundle, &evaluate), (DAY.into(), 0, 3));
}

#[tokio::test]
async fn a_leaf_that_depends_on_a_later_one_of_its_day_is_no_bundle() {
    let fixture = Fixture::new();
    let mut made = Made::default();
    let later = made.vector("later", &[]);
    let vector = made.vector("a vector", &[&later]);
    fixture.store(made, DAY, &[&vector]).await;
    assert!(fixture.bytes(DAY, None, ALL).await.is_ok());
    fixture.store(Made::default(), DAY, &[&later]).await;
    let refused = fixture.bytes(DAY, Some(1), ALL).await;
    assert!(matches!(refused, Err(CollectError::Corrupt(what)) if what.contains("later")));
    assert!(fixture.bytes(DAY, None, ALL).await.is_ok());
}

#[tokio::test]
async fn one_receipt_comes_with_its_runs_and_without_a_tree() {
    let fixture = Fixture::new();
    let [evaluate, solve, _] = a_day(&fixture).await;
    let bundle = fixture.one(&evaluate).await.unwrap();
    is_complete(&bundle);
    assert_eq!(
        (ids(&bundle), linked(&bundle)),
        (vec![&*evaluate], vec![&*solve])
    );
    assert_eq!((bundle.head(), &bundle.manifest().day), (None, &None));
    assert!(bundle.has(&digest(TASK)) && bundle.has(&digest(ARTIFACT)));
    let bundle = fixture.one(&solve).await.unwrap();
    assert_eq!((ids(&bundle), linked(&bundle).len()), (vec![&*solve], 0));
}

#[tokio::test]
async fn a_tree_that_grew_is_given_as_it_was() {
    let fixture = Fixture::new();
    let [evaluate, _, judge] = a_day(&fixture).await;
    let before = fixture.bytes(DAY, None, ALL).await.unwrap();
    let mut made = Made::default();
    let vector = made.vector("a vector", &[&judge]);
    fixture.store(made, DAY, &[&vector]).await;
    assert_eq!(fixture.bytes(DAY, Some(2), ALL).await.unwrap(), before);
    let now = fixture.day(DAY, ALL).await;
    assert_eq!(ids(&now), [&evaluate, &judge, &vector]);
    for (day, size) in [(DAY, Some(1)), (NEXT, None)] {
        let refused = fixture.bytes(day, size, ALL).await;
        assert!(matches!(refused, Err(CollectError::NoDay(_))));
    }
}

#[tokio::test]
async fn a_day_of_many_pages_is_whole() {
    let fixture = Fixture::new();
    let mut made = Made::default();
    let count = PAGE as usize * 2 + 1;
    let (mut leaves, mut solves) = (Vec::new(), Vec::new());
    for number in 0..count {
        let (evaluate, solve) = made.evaluation(&number.to_string(), RESULT);
        leaves.push(evaluate);
        solves.push(solve);
    }
    solves.sort();
    let of: Vec<&str> = leaves.iter().map(String::as_str).collect();
    fixture.store(made, DAY, &of).await;
    let bundle = fixture.day(DAY, ALL).await;
    assert_eq!(ids(&bundle), of);
    assert_eq!(linked(&bundle), solves);
}

#[tokio::test]
async fn what_is_damaged_here_is_not_given_out() {
    let fixture = Fixture::new();
    let mut made = Made::default();
    let vector = made.vector("a vector", &[]);
    made.0.blobs[0].zstd = compress(b"another ve").unwrap();
    fixture.store(made, DAY, &[&vector]).await;
    let refused = fixture.bytes(DAY, None, ALL).await;
    assert!(
        matches!(refused, Err(CollectError::Blob { .. })),
        "{refused:?}"
    );

    let fixture = Fixture::new();
    a_day(&fixture).await;
    let path = fixture
        .directory
        .path()
        .join("artifacts")
        .join(digest(ARTIFACT));
    std::fs::write(path, "another").unwrap();
    let refused = fixture.bytes(DAY, None, ALL).await;
    assert!(
        matches!(refused, Err(CollectError::Artifact(_))),
        "{refused:?}"
    );
}
