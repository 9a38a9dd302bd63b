//! What the routes show of a store that has receipts in it.

use super::*;
use crate::api::etag;
use crate::artifacts::ArtifactStore;
use crate::canonical::digest;
use crate::chain::Hotkey;
use crate::receipts::tree::{is_consistent, is_included};
use crate::receipts::{Head, Kind, PreviousHead, Signer, signs_head, signs_receipt};
use crate::store::{
    Finalization, HeadMaker, Kept, Leaves, NewEvent, NewReceipt, Settled, WeightVectorRow,
};
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::middleware::from_fn;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

pub(super) const DAY: &str = "2026-08-22";
const NEXT: &str = "2026-08-23";

/// A store with nothing in it, and the routes over it.
pub(super) struct World {
    _directory: TempDir,
    pub(super) store: Store,
    signer: Signer,
    receipts: Receipts,
    router: Router,
}

impl World {
    pub(super) async fn new() -> Self {
        World::with(true).await
    }

    async fn with(share_artifacts: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let store = Store::open(&at("db")).unwrap();
        store.check().await.unwrap();
        let artifacts = |name| ArtifactStore::open(at(name), 1 << 20).unwrap();
        let receipts = Receipts(Arc::new(Shared {
            store: store.clone(),
            sources: Sources {
                store: store.clone(),
                artifacts: artifacts("artifacts"),
                components: artifacts("components"),
            },
            metrics: Arc::new(Metrics::default()),
            directory: directory.path().to_owned(),
            share_artifacts,
            trees: Trees::default(),
            places: Arc::new(Semaphore::new(BUNDLES)),
            stop: CancellationToken::new(),
        }));
        let (pages, _) = pages::<Receipts>()
            .layer(from_fn(etag::tag))
            .split_for_parts();
        let router = pages
            .merge(bundle_routes(&receipts.metrics))
            .with_state(receipts.clone());
        World {
            _directory: directory,
            store,
            signer: Hotkey::from_uri("//Alice").unwrap().into(),
            receipts,
            router,
        }
    }

    /// A receipt to be stored, which differs by its name.
    fn receipt(
        &self,
        kind: Kind,
        challenge: &str,
        name: &str,
        depends_on: &[&NewReceipt],
    ) -> NewReceipt {
        let challenge = (kind != Kind::Solve).then(|| challenge.to_owned());
        let receipt = Receipt::of_rule(kind, challenge.clone(), digest(name), digest("out"));
        let depends_on = depends_on.iter().map(|of| of.id.clone());
        let body = receipt.depending_on(depends_on).text().unwrap();
        let id = Receipt::id_of(&body);
        let signed = challenge.is_some();
        NewReceipt {
            kind: kind.name().to_owned(),
            challenge,
            signer: signed.then(|| self.signer.address().to_owned()),
            signature: signed.then(|| self.signer.sign_receipt(&id)),
            body,
            id,
        }
    }

    /// Settles a challenge on a day: these are stored, and of them the leaves made that
    /// are signed.
    async fn settle(&self, challenge: &str, day: &str, receipts: &[NewReceipt]) {
        let signed = receipts.iter().filter(|receipt| receipt.signer.is_some());
        let settled = Settled {
            finalization: Finalization {
                day: day.into(),
                challenge: challenge.into(),
                plugin_digest: "p".into(),
                settings_digest: "s".into(),
                engine: "e".into(),
                outcome: "ok".into(),
                message: None,
                standings: "[]".into(),
                weights: "[]".into(),
                results: "[]".into(),
                scheduled_at: 1.0,
            },
            judged: Vec::new(),
            failed: Vec::new(),
            superseded: Vec::new(),
            event: NewEvent {
                at: 2.0,
                kind: "finalized",
                challenge: challenge.into(),
                data: json!({}),
            },
            notices: Vec::new(),
            receipt: None,
            leaves: Some(Leaves {
                day: day.into(),
                receipts: signed.map(|receipt| receipt.id.clone()).collect(),
                head: self.heads(),
            }),
            kept: kept(receipts.to_vec()),
        };
        assert!(self.store.settle(settled).await.unwrap());
    }

    /// A day's tree with so many leaves of a challenge.
    pub(super) async fn leaves(&self, day: &str, count: usize) -> Vec<NewReceipt> {
        let names = (0..count).map(|number| format!("{day} {number}"));
        let receipts: Vec<_> = names
            .map(|name| self.receipt(Kind::Judge, "c", &name, &[]))
            .collect();
        self.settle("c", day, &receipts).await;
        receipts
    }

    /// Stores receipts that are not leaves.
    async fn keep(&self, receipts: Vec<NewReceipt>) {
        let vector = WeightVectorRow {
            day: "2026-01-01".into(),
            uids: "[]".into(),
            values: "[]".into(),
            derivation: "{}".into(),
            receipt: None,
        };
        let stored = self
            .store
            .put_vector(vector, Vec::new(), 1.0, kept(receipts), None);
        assert!(stored.await.unwrap());
    }

    fn heads(&self) -> HeadMaker {
        let signer = self.signer.clone();
        HeadMaker::new(move |day, leaves, previous| {
            let previous = previous.map(|head| PreviousHead {
                day: head.day,
                root: head.root,
                size: head.size,
            });
            let signed = signer.sign_head(Head::of(day, leaves, previous).unwrap());
            let signed = signed.unwrap();
            HeadRow {
                day: day.to_owned(),
                size: signed.head.size,
                root: signed.head.root.clone(),
                document: signed.head.text().unwrap(),
                signer: signed.signer,
                signature: signed.signature,
            }
        })
    }

    async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Body) {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        (parts.status, parts.headers, body)
    }

    async fn get(&self, path: &str) -> Value {
        let (status, _, body) = self.ask(path, &[]).await;
        let body = to_bytes(body, usize::MAX).await.unwrap();
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    /// Status, code and detail of a refusal.
    async fn refused(&self, path: &str) -> (u16, String, String) {
        let (status, _, body) = self.ask(path, &[]).await;
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        (status.as_u16(), text("code"), text("detail"))
    }

    async fn code(&self, path: &str) -> (u16, String) {
        let (status, code, _) = self.refused(path).await;
        (status, code)
    }
}

fn kept(receipts: Vec<NewReceipt>) -> Kept {
    Kept {
        receipts,
        at: 1.0,
        ..Kept::default()
    }
}

fn texts(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).unwrap()
}

fn head(value: &Value) -> SignedHead {
    let head = serde_json::from_value(value.clone()).unwrap();
    assert!(signs_head(&head));
    head
}

fn told(code: &str) -> (u16, String) {
    let status = match code {
        "unknown_receipt" | "unknown_day" => 404,
        "invalid_id" | "invalid_range" => 422,
        "artifacts_not_shared" => 403,
        "busy" => 503,
        _ => 400,
    };
    (status, code.to_owned())
}

#[tokio::test]
async fn a_receipt_is_shown_once_it_is_a_leaf_and_its_solves_with_it() {
    let world = World::new().await;
    let solve = world.receipt(Kind::Solve, "c", "solve", &[]);
    let evaluation = world.receipt(Kind::Evaluate, "c", "evaluate", &[&solve]);
    let all = [solve.clone(), evaluation.clone()];
    world.keep(all.to_vec()).await;
    let never = world
        .refused(&format!("/v1/receipts/{}", digest("x")))
        .await;
    assert_eq!((never.0, never.1.as_str()), (404, "unknown_receipt"));
    for receipt in &all {
        for path in ["", "/bundle"] {
            let path = format!("/v1/receipts/{}{path}", receipt.id);
            assert_eq!(world.refused(&path).await, never, "{path}");
        }
    }
    world.settle("c", DAY, &all).await;

    let shown = world.get(&format!("/v1/receipts/{}", evaluation.id)).await;
    assert_eq!(shown["id"], evaluation.id);
    let body: Value = serde_json::from_str(&evaluation.body).unwrap();
    assert_eq!(shown["receipt"], body);
    let text = |key: &str| shown[key].as_str().unwrap().to_owned();
    assert!(signs_receipt(
        &evaluation.id,
        &text("signer"),
        &text("signature")
    ));
    assert_eq!(
        (shown["day"].as_str(), &shown["leaf"]),
        (Some(DAY), &json!(0))
    );
    assert_eq!(shown["parents"], json!([]));

    let shown = world.get(&format!("/v1/receipts/{}", solve.id)).await;
    assert_eq!(shown["parents"], json!([evaluation.id]));
    for none in ["signer", "signature", "day", "leaf", "head", "inclusion"] {
        assert_eq!(shown[none], Value::Null, "{none}");
    }
}

#[tokio::test]
async fn each_leaf_is_shown_to_be_in_the_last_tree() {
    let world = World::new().await;
    let mut leaves = world.leaves(DAY, 5).await;
    let more: Vec<_> = ["a", "b"]
        .iter()
        .map(|name| world.receipt(Kind::Compare, "other", name, &[]))
        .collect();
    world.settle("other", DAY, &more).await;
    leaves.extend(more);
    for (number, leaf) in leaves.iter().enumerate() {
        let shown = world.get(&format!("/v1/receipts/{}", leaf.id)).await;
        let head = head(&shown["head"]).head;
        assert_eq!((head.day.as_str(), head.size), (DAY, 7));
        let proof = texts(&shown["inclusion"]);
        let number = number as u64;
        assert_eq!(shown["leaf"], number);
        let root = (head.root.as_str(), head.size);
        assert!(is_included(&leaf.id, number, root, &proof).unwrap());
    }
}

#[tokio::test]
async fn the_tree_at_each_finalization_is_the_beginning_of_the_last_one() {
    let world = World::new().await;
    world.leaves(DAY, 3).await;
    let other = world.receipt(Kind::GetWeights, "other", "x", &[]);
    world.settle("other", DAY, &[other]).await;
    let day = world.get(&format!("/v1/days/{DAY}")).await;
    let last = head(&day["head"]).head;
    let finalizations = day["finalizations"].as_array().unwrap();
    let sizes: Vec<_> = finalizations
        .iter()
        .map(|row| {
            (
                row["challenge"].as_str().unwrap(),
                row["size"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(sizes, [("c", 3), ("other", 4)]);
    let root = |value: &Value| value["root"].as_str().unwrap().to_owned();
    let proof = world
        .get(&format!("/v1/days/{DAY}/consistency?from=3"))
        .await;
    let old = root(&finalizations[0]);
    assert_eq!(proof["from"], json!({"size": 3, "root": old}));
    assert_eq!(proof["to"], json!({"size": 4, "root": last.root}));
    let hashes = texts(&proof["proof"]);
    assert!(is_consistent((&old, 3), (&last.root, 4), &hashes).unwrap());
    assert!(!is_consistent((&digest("x"), 3), (&last.root, 4), &hashes).unwrap());

    let third = world.receipt(Kind::GetWeights, "third", "y", &[]);
    world.settle("third", DAY, &[third]).await;
    let within = world
        .get(&format!("/v1/days/{DAY}/consistency?from=3&to=4"))
        .await;
    assert_eq!(within, proof);
}

#[tokio::test]
async fn the_tree_of_a_proof_is_made_of_sizes_that_a_head_says() {
    let world = World::new().await;
    world.leaves(DAY, 3).await;
    for number in 0..2 {
        let challenge = format!("other {number}");
        let more = [0, 1].map(|leaf| {
            let name = format!("{number} {leaf}");
            world.receipt(Kind::GetWeights, &challenge, &name, &[])
        });
        world.settle(&challenge, DAY, &more).await;
    }
    let most = u64::MAX;
    for (from, to) in [
        (1, 7),
        (4, 7),
        (3, 6),
        (3, 8),
        (3, most),
        (0, 7),
        (most, most),
    ] {
        let path = format!("/v1/days/{DAY}/consistency?from={from}&to={to}");
        assert_eq!(world.code(&path).await, told("invalid_range"), "{path}");
    }
    for (from, to) in [(3, 3), (3, 5), (3, 7), (5, 7), (7, 7)] {
        let path = format!("/v1/days/{DAY}/consistency?from={from}&to={to}");
        let told = world.get(&path).await;
        let root = |value: &Value| value["root"].as_str().unwrap().to_owned();
        let (older, newer) = (root(&told["from"]), root(&told["to"]));
        let hashes = texts(&told["proof"]);
        let holds = is_consistent((&older, from), (&newer, to), &hashes);
        assert!(holds.unwrap(), "{path}");
    }
    // Of the older sizes of proofs there are none but those of newer ones.
    assert_eq!(world.receipts.trees.sizes().await, [7, 5, 3]);
    world
        .get(&format!("/v1/days/{DAY}/consistency?from=3&to=7"))
        .await;
    assert_eq!(world.receipts.trees.sizes().await, [7, 5, 3]);
}

#[tokio::test]
async fn days_are_listed_newest_first_and_chained() {
    let world = World::new().await;
    assert_eq!(
        world.get("/v1/days").await,
        json!({"days": [], "next": null})
    );
    world.leaves(DAY, 2).await;
    world.leaves(NEXT, 1).await;
    let page = world.get("/v1/days?limit=1").await;
    let newest = head(&page["days"][0]).head;
    assert_eq!((newest.day.as_str(), newest.size), (NEXT, 1));
    assert_eq!(page["next"], NEXT);
    let page = world.get(&format!("/v1/days?limit=1&before={NEXT}")).await;
    let oldest = head(&page["days"][0]).head;
    assert_eq!((oldest.day.as_str(), oldest.size), (DAY, 2));
    assert_eq!(page["next"], Value::Null);
    assert_eq!(newest.previous.unwrap().root, oldest.root);
    assert_eq!(oldest.previous, None);
}

#[tokio::test]
async fn leaves_are_paged_in_order_and_filtered() {
    let world = World::new().await;
    let mut leaves = world.leaves(DAY, 4).await;
    let more = [
        world.receipt(Kind::Evaluate, "other", "a", &[]),
        world.receipt(Kind::Judge, "other", "b", &[]),
    ];
    world.settle("other", DAY, &more).await;
    leaves.extend(more);
    let page = async |query: &str| {
        let page = world.get(&format!("/v1/days/{DAY}/receipts{query}")).await;
        let receipts = page["receipts"].as_array().unwrap().iter();
        let found: Vec<u64> = receipts
            .map(|leaf| leaf["leaf"].as_u64().unwrap())
            .collect();
        (found, page["next"].as_u64())
    };
    assert_eq!(page("").await, (vec![0, 1, 2, 3, 4, 5], None));
    assert_eq!(page("?limit=2").await, (vec![0, 1], Some(1)));
    assert_eq!(page("?limit=2&after=1").await, (vec![2, 3], Some(3)));
    assert_eq!(page("?limit=2&after=3").await, (vec![4, 5], None));
    assert_eq!(page("?after=5").await, (vec![], None));
    assert_eq!(page("?challenge=other").await, (vec![4, 5], None));
    assert_eq!(
        page("?kind=judge&limit=4").await,
        (vec![0, 1, 2, 3], Some(3))
    );
    assert_eq!(page("?kind=judge&after=3").await, (vec![5], None));
    assert_eq!(page("?kind=judge&challenge=none").await, (vec![], None));
    let shown = world
        .get(&format!("/v1/days/{DAY}/receipts?after=3&limit=1"))
        .await;
    assert_eq!(shown["receipts"][0]["id"], leaves[4].id);
    let body: Value = serde_json::from_str(&leaves[4].body).unwrap();
    assert_eq!(shown["receipts"][0]["receipt"], body);
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_refused() {
    let world = World::with(false).await;
    let leaves = world.leaves(DAY, 3).await;
    let id = &leaves[0].id;
    let day = format!("/v1/days/{DAY}");
    for (path, code) in [
        ("/v1/receipts/x".to_owned(), "invalid_id"),
        (format!("/v1/receipts/{}", id.to_uppercase()), "invalid_id"),
        ("/v1/receipts/x/bundle".to_owned(), "invalid_id"),
        (
            format!("/v1/receipts/{id}/bundle?artifacts=true"),
            "artifacts_not_shared",
        ),
        (
            format!("{day}/bundle?artifacts=true"),
            "artifacts_not_shared",
        ),
        (format!("{day}/bundle?artifacts=perhaps"), "invalid_query"),
        ("/v1/days/2026-08-21".to_owned(), "unknown_day"),
        ("/v1/days/today".to_owned(), "unknown_day"),
        ("/v1/days/2026-08-21/receipts".to_owned(), "unknown_day"),
        ("/v1/days/2026-08-21/bundle".to_owned(), "unknown_day"),
        (
            "/v1/days/2026-08-21/consistency?from=1".to_owned(),
            "unknown_day",
        ),
        ("/v1/days?before=today".to_owned(), "invalid_day"),
        ("/v1/days?limit=0".to_owned(), "invalid_limit"),
        (format!("{day}/receipts?limit=1001"), "invalid_limit"),
        (format!("{day}/receipts?after=-1"), "invalid_query"),
        (
            format!("{day}/receipts?after=18446744073709551615"),
            "invalid_query",
        ),
        (format!("{day}/receipts?kind=solves"), "invalid_kind"),
        (format!("{day}/consistency"), "invalid_query"),
        (format!("{day}/consistency?from=0"), "invalid_range"),
        (format!("{day}/consistency?from=3&to=2"), "invalid_range"),
        (format!("{day}/consistency?from=1&to=4"), "invalid_range"),
        (format!("{day}/consistency?from=4"), "invalid_range"),
    ] {
        assert_eq!(world.code(&path).await, told(code), "{path}");
    }
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let world = World::new().await;
    let leaves = world.leaves(DAY, 2).await;
    for path in [
        format!("/v1/receipts/{}", leaves[0].id),
        format!("/v1/receipts/{}/bundle", leaves[0].id),
        "/v1/days".to_owned(),
        format!("/v1/days/{DAY}"),
        format!("/v1/days/{DAY}/receipts"),
        format!("/v1/days/{DAY}/consistency?from=2"),
        format!("/v1/days/{DAY}/bundle"),
    ] {
        let (status, headers, _) = world.ask(&path, &[]).await;
        assert_eq!(status, 200, "{path}");
        let tag = headers["etag"].to_str().unwrap();
        let (status, headers, _) = world.ask(&path, &[("if-none-match", tag)]).await;
        assert_eq!(status, 304, "{path}");
        assert_eq!(headers["etag"], tag);
    }
}

#[tokio::test]
async fn two_bundles_are_under_way_at_a_time() {
    let world = World::new().await;
    let leaves = world.leaves(DAY, 2).await;
    let (day, receipt) = (
        format!("/v1/days/{DAY}/bundle"),
        format!("/v1/receipts/{}/bundle", leaves[0].id),
    );
    let (status, headers, first) = world.ask(&day, &[]).await;
    assert_eq!(status, 200);
    assert_eq!(headers["content-type"], "application/x-tar");
    let name = format!("attachment; filename=\"proctor-{DAY}-2.tar\"");
    assert_eq!(headers["content-disposition"], name.as_str());
    let (status, _, second) = world.ask(&receipt, &[]).await;
    assert_eq!(status, 200);
    let (status, refused, _) = world.ask(&day, &[]).await;
    assert_eq!(
        (status.as_u16(), &refused["retry-after"]),
        (503, &"10".parse().unwrap())
    );
    assert_eq!(world.code(&receipt).await, told("busy"));
    // One reads all of it, the other leaves.
    let length: usize = headers["content-length"].to_str().unwrap().parse().unwrap();
    assert_eq!(to_bytes(first, usize::MAX).await.unwrap().len(), length);
    drop(second);
    assert_eq!(world.receipts.places.available_permits(), BUNDLES);
    let (status, _, _third) = world.ask(&day, &[]).await;
    assert_eq!(status, 200);
    let metrics = world.receipts.metrics.encode();
    for line in [
        "proctor_bundles_total{result=\"ok\"} 3",
        "proctor_bundles_total{result=\"busy\"} 2",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[tokio::test]
async fn the_options_and_the_size_are_in_a_bundles_tag() {
    let world = World::new().await;
    world.leaves(DAY, 2).await;
    let tag = async |query: &str| {
        let (status, headers, _) = world
            .ask(&format!("/v1/days/{DAY}/bundle{query}"), &[])
            .await;
        assert_eq!(status, 200, "{query}");
        headers["etag"].clone()
    };
    let plain = tag("").await;
    assert_eq!(plain, tag("?artifacts=false&components=true").await);
    let others = [tag("?artifacts=true").await, tag("?components=false").await];
    assert!(!others.contains(&plain) && others[0] != others[1]);
    let more = world.receipt(Kind::Judge, "other", "x", &[]);
    world.settle("other", DAY, &[more]).await;
    assert_ne!(tag("").await, plain);
}
