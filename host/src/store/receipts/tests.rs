//! Receipts are stored with what they are receipts of, and are leaves of one day.

mod backup;
mod blobs;
mod leaves;
mod results;
mod retention;

use super::*;
use crate::store::{
    EvaluationResult, Finalization, Job, JobKey, NewEvent, NewVector, Settled, Store, StoreError,
    VectorRow,
};
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const DAY: &str = "2026-08-22";
const NEXT: &str = "2026-08-23";

fn store() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("db")).unwrap();
    (directory, store)
}

/// A receipt that depends on others.
fn receipt(id: &str, kind: &str, depends_on: &[&str]) -> NewReceipt {
    let signed = kind != "solve";
    NewReceipt {
        id: id.into(),
        kind: kind.into(),
        challenge: signed.then(|| "c".into()),
        body: json!({"depends_on": depends_on, "kind": kind}).to_string(),
        signer: signed.then(|| "5host".into()),
        signature: signed.then(|| format!("of {id}")),
    }
}

fn kept(ids: &[&str]) -> Kept {
    Kept {
        receipts: ids.iter().map(|id| receipt(id, "evaluate", &[])).collect(),
        ..Kept::default()
    }
}

fn blob(digest: &str, private: bool) -> NewBlob {
    NewBlob {
        digest: digest.into(),
        size: 9,
        zstd: format!("content of {digest}").into_bytes(),
        private,
    }
}

/// A head that tells all that it was made from.
fn tell(day: &str, leaves: &[String], previous: Option<HeadRow>) -> HeadRow {
    let previous = previous.map(|head| (head.day, head.size, head.root));
    HeadRow {
        day: day.into(),
        size: leaves.len() as u64,
        root: leaves.join("+"),
        document: format!("{day} after {previous:?}"),
        signer: "5host".into(),
        signature: "of a head".into(),
    }
}

fn leaves(day: &str, ids: &[&str]) -> Option<Leaves> {
    Some(Leaves {
        day: day.into(),
        receipts: ids.iter().map(|&id| id.into()).collect(),
        head: HeadMaker::new(tell),
    })
}

/// Publishes a vector that no other is like.
async fn publish(
    store: &Store,
    digest: &str,
    kept: Kept,
    leaves: Option<Leaves>,
) -> Result<VectorRow, StoreError> {
    let vector = NewVector {
        digest: digest.into(),
        day: DAY.into(),
        document: "{}".into(),
        made_at: 5.0,
        receipt: kept.receipts.first().map(|receipt| receipt.id.clone()),
    };
    store.publish_vector(vector, kept, leaves).await
}

fn settled(day: &str, kept: Kept, leaves: Option<Leaves>) -> Settled {
    Settled {
        finalization: Finalization {
            day: day.into(),
            challenge: "c".into(),
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
            challenge: "c".into(),
            data: json!({}),
        },
        notices: Vec::new(),
        receipt: kept.receipts.last().map(|receipt| receipt.id.clone()),
        kept,
        leaves,
    }
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

fn key(artifact: &str) -> JobKey {
    JobKey {
        challenge: "c".into(),
        plugin_digest: digest("p"),
        settings_digest: digest("s"),
        artifact_digest: digest(artifact),
        engine: "e".into(),
    }
}

fn result(kept: Kept) -> EvaluationResult {
    EvaluationResult {
        outcome: "ok",
        done: true,
        message: None,
        solves: "{}".into(),
        logs: "[]".into(),
        fuel: 0,
        finished_at: 3.0,
        receipt: kept.receipts.first().map(|receipt| receipt.id.clone()),
        kept,
    }
}

/// A job that is leased to `me`.
async fn job(store: &Store, artifact: &str) -> Job {
    store.enqueue(key(artifact), 1, 0.0, 0.0).await.unwrap();
    store.lease("me".into(), 0.0).await.unwrap().unwrap()
}

async fn is_known(store: &Store, id: &str) -> bool {
    store.receipt(id.into()).await.unwrap().is_some()
}
