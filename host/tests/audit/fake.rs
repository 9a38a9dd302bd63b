//! A host that tells of days, honestly or not.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use futures_util::StreamExt;
use futures_util::stream;
use proctor_host::canonical::digest;
use proctor_host::chain::Hotkey;
use proctor_host::receipts::bundle::{
    BundleWriter, LeafProof, Manifest, Proofs, Why, Withheld, compress, receipt_line,
};
use proctor_host::receipts::documents::Document;
use proctor_host::receipts::tree::Tree;
use proctor_host::receipts::{
    Head, Kind, PreviousHead, Receipt, SignedHead, SignedReceipt, Signer, VectorInput, compute,
};
use proctor_host::weights::{Limits, Miner, NoMiner, Policy, SameMiner, Unassigned};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

/// A day of the host.
#[derive(Clone)]
struct Day {
    head: SignedHead,
    receipts: Vec<SignedReceipt>,
    blobs: BTreeMap<String, Vec<u8>>,
}

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    Busy,
    CutOff,
    Nonsense,
    Redirects,
}

/// What the host tells.
pub(crate) struct World {
    signer: Signer,
    days: BTreeMap<String, Day>,
    /// Makes receipts of another history.
    pub(crate) history: u16,
    /// The next requests whose path ends so fail so.
    pub(crate) faults: Vec<(&'static str, Fault)>,
    /// Whether proofs are of nothing.
    pub(crate) proves_nothing: bool,
    /// Heads of days that have grown since, and are told still.
    unseen: BTreeMap<String, SignedHead>,
    /// Another history of a day, which the bundles of other days tell.
    tells_instead: Option<(String, Day)>,
    /// Whether nobody gets submissions.
    pub(crate) keeps_artifacts: bool,
    /// What was asked for, as in `/v1/days?limit=31`.
    pub(crate) asked: Vec<String>,
}

/// A host that listens on loopback. It ends with the runtime of the test.
#[derive(Clone)]
pub(crate) struct Fake {
    world: Arc<Mutex<World>>,
    pub(crate) address: SocketAddr,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let world = World {
            signer: signer("//Alice"),
            days: BTreeMap::new(),
            history: 0,
            faults: Vec::new(),
            proves_nothing: false,
            unseen: BTreeMap::new(),
            tells_instead: None,
            keeps_artifacts: false,
            asked: Vec::new(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Fake {
            world: Arc::new(Mutex::new(world)),
            address: listener.local_addr().unwrap(),
        };
        let router = Router::new()
            .route("/v1/days", get(days))
            .route("/v1/days/{day}/consistency", get(consistency))
            .route("/v1/days/{day}/bundle", get(bundle))
            .with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Notes what is asked for, and what is to go wrong with it.
    fn ask(&self, path: &str, query: &BTreeMap<String, String>) -> Option<Response> {
        let mut world = self.world();
        let query: Vec<String> = query
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        world.asked.push(format!("{path}?{}", query.join("&")));
        let at = world
            .faults
            .iter()
            .position(|(end, _)| path.ends_with(end))?;
        Some(match world.faults.remove(at).1 {
            Fault::Busy => problem(StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Fault::Nonsense => "nonsense".into_response(),
            Fault::Redirects => {
                world.faults.push(("", Fault::Redirects));
                Redirect::temporary(path).into_response()
            }
            Fault::CutOff => {
                let piece = stream::once(async { Ok(Bytes::from_static(b"{")) });
                let end = stream::once(async {
                    // Until the piece is sent.
                    tokio::task::yield_now().await;
                    Err(std::io::Error::other("cut off"))
                });
                Body::from_stream(piece.chain(end)).into_response()
            }
        })
    }
}

pub(crate) fn signer(uri: &str) -> Signer {
    Signer::from(Hotkey::from_uri(uri).unwrap())
}

/// A receipt of a vector, and its documents.
fn vector(day: &str, number: u16, lie: bool) -> (Receipt, [String; 2]) {
    let miner = |uid| Miner {
        uid,
        axon_ip: None,
        coldkey: String::new(),
    };
    let miners = [
        ("a".to_owned(), miner(0)),
        ("b".to_owned(), miner(number + 1)),
    ];
    let policy = Policy {
        unassigned: Unassigned::Redistribute,
        same_miner: SameMiner::Off,
        no_miner: NoMiner::Uniform,
        limits: Limits::default(),
    };
    let none = BTreeMap::new();
    let input = VectorInput::new(day, &none, |_| (None, 0.0), &miners.into(), policy, None);
    let mut output = compute(&input).unwrap();
    if lie {
        output.values[1] -= 1;
    }
    let texts = [input.text().unwrap(), output.text().unwrap()];
    let receipt = Receipt::of_rule(Kind::Vector, None, digest(&texts[0]), digest(&texts[1]));
    (receipt, texts)
}

impl World {
    /// Signs with another key from now on.
    pub(crate) fn sign_with(&mut self, uri: &str) {
        self.signer = signer(uri);
    }

    /// Appends receipts to a day.
    pub(crate) fn grow(&mut self, day: &str, count: u16) {
        for _ in 0..count {
            self.append(day, false);
        }
    }

    /// Appends a receipt of something that nobody else computes. Returns its id.
    pub(crate) fn lie(&mut self, day: &str) -> String {
        self.append(day, true)
    }

    /// Appends a receipt to a day that depends on others. Returns its id.
    pub(crate) fn depend(&mut self, day: &str, depends_on: Vec<String>) -> String {
        let number = self.next(day);
        self.append_receipt(day, vector(day, number, false), depends_on)
    }

    /// Appends receipts to a day, and tells the head from before in the list of days.
    pub(crate) fn grow_unseen(&mut self, day: &str, count: u16) {
        self.unseen
            .insert(day.to_owned(), self.days[day].head.clone());
        self.grow(day, count);
    }

    /// Tells another history of a day in the bundles of other days, of so many receipts.
    /// Returns the id of the first, which the day itself does not have.
    pub(crate) fn tell_instead(&mut self, day: &str, count: u16) -> String {
        let real = self.days.remove(day).unwrap();
        self.history += 50;
        self.grow(day, count);
        self.history -= 50;
        let told = self.days.insert(day.to_owned(), real).unwrap();
        let id = told.receipts[0].id.clone();
        self.tells_instead = Some((day.to_owned(), told));
        id
    }

    /// A day as the bundles of other days tell of it.
    fn told(&self, day: &str) -> &Day {
        match &self.tells_instead {
            Some((of, told)) if of == day => told,
            _ => &self.days[day],
        }
    }

    /// What tells the next receipt of a day from others.
    fn next(&self, day: &str) -> u16 {
        let size = self.days.get(day).map_or(0, |day| day.receipts.len());
        self.history + u16::try_from(size).unwrap() + 100 * day_number(day)
    }

    fn append(&mut self, day: &str, lie: bool) -> String {
        let number = self.next(day);
        self.append_receipt(day, vector(day, number, lie), Vec::new())
    }

    fn append_receipt(
        &mut self,
        day: &str,
        (receipt, texts): (Receipt, [String; 2]),
        depends_on: Vec<String>,
    ) -> String {
        let receipt = receipt.depending_on(depends_on);
        let id = Receipt::id_of(&receipt.text().unwrap());
        let signed = SignedReceipt {
            signature: Some(self.signer.sign_receipt(&id)),
            signer: Some(self.signer.address().to_owned()),
            id: id.clone(),
            receipt,
        };
        let (mut receipts, mut blobs) = match self.days.get(day) {
            Some(day) => (day.receipts.clone(), day.blobs.clone()),
            None => Default::default(),
        };
        receipts.push(signed);
        blobs.extend(texts.map(|text| (digest(&text), text.into_bytes())));
        let head = self.head(day, &receipts, true);
        self.days.insert(
            day.to_owned(),
            Day {
                head,
                receipts,
                blobs,
            },
        );
        id
    }

    fn head(&self, day: &str, receipts: &[SignedReceipt], names_previous: bool) -> SignedHead {
        let before = self.days.range(..day.to_owned()).next_back();
        let previous = before
            .filter(|_| names_previous)
            .map(|(day, before)| PreviousHead {
                day: day.clone(),
                root: before.head.head.root.clone(),
                size: before.head.head.size,
            });
        let ids: Vec<String> = receipts.iter().map(|receipt| receipt.id.clone()).collect();
        let head = Head::of(day, &ids, previous).unwrap();
        self.signer.sign_head(head).unwrap()
    }

    /// Forgets a day, or what it had.
    pub(crate) fn forget(&mut self, day: &str) {
        self.days.remove(day);
    }

    /// Signs the head of a day anew, without the day before.
    pub(crate) fn break_chain(&mut self, day: &str) {
        let receipts = self.days[day].receipts.clone();
        let head = self.head(day, &receipts, false);
        self.days.get_mut(day).unwrap().head = head;
    }

    /// Changes a byte of the signature of a day's head.
    pub(crate) fn break_signature(&mut self, day: &str) {
        let head = &mut self.days.get_mut(day).unwrap().head;
        let flipped = if head.signature.starts_with('0') {
            "1"
        } else {
            "0"
        };
        head.signature.replace_range(..1, flipped);
    }

    /// Has the inputs of a day's receipts no more.
    pub(crate) fn prune(&mut self, day: &str) {
        let day = self.days.get_mut(day).unwrap();
        for signed in &day.receipts {
            day.blobs.remove(&signed.receipt.input);
        }
    }

    pub(crate) fn ids(&self, day: &str) -> Vec<String> {
        self.days[day]
            .receipts
            .iter()
            .map(|receipt| receipt.id.clone())
            .collect()
    }
}

fn day_number(day: &str) -> u16 {
    day.rsplit('-').next().unwrap().parse().unwrap()
}

fn problem(status: StatusCode, code: &str) -> Response {
    (
        status,
        json!({"code": code, "detail": "of the fake"}).to_string(),
    )
        .into_response()
}

type Asked = Query<BTreeMap<String, String>>;

async fn days(State(fake): State<Fake>, Query(query): Asked) -> Response {
    if let Some(fault) = fake.ask("/v1/days", &query) {
        return fault;
    }
    let world = fake.world();
    let limit: usize = query["limit"].parse().unwrap();
    let is_before = |day: &str| {
        query
            .get("before")
            .is_none_or(|before| day < before.as_str())
    };
    let days = world.days.iter().rev().filter(|(day, _)| is_before(day));
    let told = days.map(|(name, day)| world.unseen.get(name).unwrap_or(&day.head));
    let heads: Vec<&SignedHead> = told.collect();
    let page = &heads[..limit.min(heads.len())];
    let next = page
        .last()
        .filter(|_| page.len() < heads.len())
        .map(|head| &head.head.day);
    json!({"days": page, "next": next})
        .to_string()
        .into_response()
}

async fn consistency(
    State(fake): State<Fake>,
    Path(day): Path<String>,
    Query(query): Asked,
) -> Response {
    if let Some(fault) = fake.ask(&format!("/v1/days/{day}/consistency"), &query) {
        return fault;
    }
    let world = fake.world();
    let ids = world.ids(&day);
    let point = |key: &str| {
        let size: usize = query[key].parse().unwrap();
        let tree = Tree::of(&ids[..size.min(ids.len())]).unwrap();
        (json!({"size": tree.size(), "root": tree.root()}), tree)
    };
    let ((from, older), (to, newer)) = (point("from"), point("to"));
    let mut proof: Value = json!(newer.consistency(older.size()).unwrap());
    if world.proves_nothing {
        proof = json!([digest("nothing")]);
    }
    json!({"from": from, "to": to, "proof": proof})
        .to_string()
        .into_response()
}

async fn bundle(
    State(fake): State<Fake>,
    Path(day): Path<String>,
    Query(query): Asked,
) -> Response {
    if let Some(fault) = fake.ask(&format!("/v1/days/{day}/bundle"), &query) {
        return fault;
    }
    let world = fake.world();
    if world.keeps_artifacts && query["artifacts"] == "true" {
        return problem(StatusCode::FORBIDDEN, "artifacts_not_shared");
    }
    let day = &world.days[&day];
    let content_type = [(header::CONTENT_TYPE, "application/x-tar")];
    (content_type, written(&world, day)).into_response()
}

/// The receipts of other days that a day's depend on, where they are, and their documents.
fn linked(world: &World, day: &Day) -> (Vec<SignedReceipt>, Proofs, BTreeMap<String, Vec<u8>>) {
    let receipts = day.receipts.iter();
    let depended: BTreeSet<&String> = receipts.flat_map(|leaf| &leaf.receipt.depends_on).collect();
    let (mut linked, mut heads, mut leaves) = (Vec::new(), Vec::new(), Vec::new());
    let mut blobs = day.blobs.clone();
    let others = world.days.keys().filter(|of| **of != day.head.head.day);
    for of in others {
        let told = world.told(of);
        let tree = Tree::of(told.receipts.iter().map(|receipt| &receipt.id)).unwrap();
        let places = (0..).zip(&told.receipts);
        let named = places.filter(|(_, receipt)| depended.contains(&receipt.id));
        let before = leaves.len();
        for (leaf, receipt) in named {
            leaves.push(LeafProof {
                day: of.clone(),
                id: receipt.id.clone(),
                leaf,
                proof: tree.inclusion(leaf).unwrap(),
            });
            for digest in [&receipt.receipt.input, &receipt.receipt.output] {
                blobs.insert(digest.clone(), told.blobs[digest].clone());
            }
            linked.push(receipt.clone());
        }
        if leaves.len() > before {
            heads.push(told.head.clone());
        }
    }
    linked.sort_by(|a, b| a.id.cmp(&b.id));
    (linked, Proofs::new(heads, leaves), blobs)
}

fn written(world: &World, day: &Day) -> Vec<u8> {
    let (linked, proofs, blobs) = linked(world, day);
    let inputs = day
        .receipts
        .iter()
        .map(|receipt| receipt.receipt.input.clone());
    let withheld = inputs.filter(|input| !day.blobs.contains_key(input));
    let withheld = withheld.map(|digest| Withheld {
        digest,
        why: Why::Missing,
    });
    let manifest = Manifest::new(Some(day.head.head.day.clone()), withheld.collect());
    let mut writer = BundleWriter::new(Vec::new(), &manifest).unwrap();
    writer.head(&day.head).unwrap();
    let lines = |receipts: &[SignedReceipt]| -> Vec<String> {
        receipts.iter().map(|r| receipt_line(r).unwrap()).collect()
    };
    let size = |lines: &[String]| lines.iter().map(|line| line.len() as u64).sum();
    let (lines, linked) = (lines(&day.receipts), lines(&linked));
    writer.receipts(size(&lines)).unwrap();
    for line in &lines {
        writer.line(line).unwrap();
    }
    writer.linked(size(&linked)).unwrap();
    for line in &linked {
        writer.line(line).unwrap();
    }
    writer.proofs(&proofs).unwrap();
    for (digest, bytes) in &blobs {
        writer.blob(digest, &compress(bytes).unwrap()).unwrap();
    }
    writer.finish().unwrap().0
}
