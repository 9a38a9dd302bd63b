//! One miner: who it is, how it answers, and what it was asked.

use crate::behaviour::Behaviour;
use crate::http::Request;
use crate::server::StartError;
use crate::work::Work;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use subxt_signer::SecretUri;
use subxt_signer::sr25519::Keypair;
use tokio::sync::watch;

/// Requests whose bodies are kept.
const KEPT: usize = 64;

/// The hotkey of the miner with this index, in SS58: that of the development key
/// `//Miner/<index>`.
///
/// # Errors
///
/// [`StartError::Key`]; never so far.
pub fn hotkey(index: usize) -> Result<String, StartError> {
    let uri = SecretUri::from_str(&format!("//Miner/{index}"));
    let pair = uri.ok().and_then(|uri| Keypair::from_uri(&uri).ok());
    let pair = pair.ok_or(StartError::Key(index))?;
    Ok(pair.public_key().to_account_id().to_string())
}

/// How often a miner was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections so far.
    pub connections: u64,
    /// Those that have not ended.
    pub open: u64,
    /// Requests so far, by path, each with its first `/`.
    pub requests: BTreeMap<String, u64>,
    /// Those that were refused for their signature.
    pub refused: u64,
}

impl Counts {
    /// Requests so far, of every path.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.requests.values().sum()
    }
}

/// A request, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// With its first `/`.
    pub path: String,
    /// By name, in lower case.
    pub headers: BTreeMap<String, String>,
    /// As text; what is no UTF-8 is replaced.
    pub body: String,
}

/// A miner that listens.
#[derive(Debug)]
pub struct DevMiner {
    /// From 0 on.
    pub index: usize,
    /// Its slot on the subnet: one more than the index, as 0 is the host's.
    pub uid: u16,
    /// See [`hotkey`].
    pub hotkey: String,
    /// Where it listens.
    pub address: SocketAddr,
    pub(crate) signatures: bool,
    inner: Mutex<Inner>,
    counts: watch::Sender<Counts>,
}

#[derive(Debug)]
struct Inner {
    behaviour: Behaviour,
    work: Work,
    last: VecDeque<Received>,
    /// Hotkeys with nonces. A test does not live long enough to forget any.
    nonces: BTreeSet<String>,
}

impl DevMiner {
    pub(crate) fn new(
        index: usize,
        address: SocketAddr,
        signatures: bool,
        behaviour: Behaviour,
        work: Work,
    ) -> Result<Self, StartError> {
        let uid = u16::try_from(index + 1).map_err(|_| StartError::Key(index))?;
        Ok(DevMiner {
            index,
            uid,
            hotkey: hotkey(index)?,
            address,
            signatures,
            inner: Mutex::new(Inner {
                behaviour,
                work,
                last: VecDeque::new(),
                nonces: BTreeSet::new(),
            }),
            counts: watch::Sender::default(),
        })
    }

    /// How it answers now.
    pub fn behaviour(&self) -> Behaviour {
        self.lock().behaviour.clone()
    }

    /// Has it answer in this way from the next request on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.lock().behaviour = behaviour;
    }

    /// Has it do other work from the next request on.
    pub fn set_work(&self, work: Work) {
        self.lock().work = work;
    }

    /// How often it was asked until now.
    pub fn counts(&self) -> Counts {
        self.counts.borrow().clone()
    }

    /// Waits until it was asked so often, and tells how often it was.
    pub async fn until(&self, is_so: impl FnMut(&Counts) -> bool) -> Counts {
        let mut counts = self.counts.subscribe();
        // The sender is here, so it is not gone.
        let found = counts.wait_for(is_so).await;
        found.map_or_else(|_| Counts::default(), |counts| counts.clone())
    }

    /// The last requests, at most 64, oldest first.
    pub fn received(&self) -> Vec<Received> {
        self.lock().last.iter().cloned().collect()
    }

    pub(crate) fn work(&self) -> Work {
        self.lock().work.clone()
    }

    /// Whether nobody has used a nonce before.
    pub(crate) fn is_new(&self, nonce: &str) -> bool {
        self.lock().nonces.insert(nonce.to_owned())
    }

    pub(crate) fn connected(&self) -> Open<'_> {
        self.counts.send_modify(|counts| {
            counts.connections += 1;
            counts.open += 1;
        });
        Open(self)
    }

    pub(crate) fn refused(&self) {
        self.counts.send_modify(|counts| counts.refused += 1);
    }

    /// Keeps and counts a request, and tells how to answer it.
    pub(crate) fn note(&self, request: &Request) -> Behaviour {
        let mut inner = self.lock();
        if inner.last.len() == KEPT {
            inner.last.pop_front();
        }
        inner.last.push_back(Received {
            path: request.path.clone(),
            headers: request.headers.clone(),
            body: String::from_utf8_lossy(&request.body).into_owned(),
        });
        let behaviour = inner.behaviour.clone();
        drop(inner);
        self.counts.send_modify(|counts| {
            let path = request.path.clone();
            *counts.requests.entry(path).or_default() += 1;
        });
        tracing::info!(uid = self.uid, path = request.path, %behaviour, "request");
        behaviour
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct Open<'a>(&'a DevMiner);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.counts.send_modify(|counts| counts.open -= 1);
    }
}
