//! Starting and stopping, and what a test in the same process may do meanwhile.

use crate::book::{Book, StateError, Upload};
use crate::clock::Clock;
use crate::faults::{Fault, FaultError};
use crate::peer::{Access, ROUTES};
use crate::refusal::Refusal;
use crate::{control, gate};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::routing::{MethodFilter, on};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// How many requests had which answer: by route, then by status, or by the name of
/// the fault that left no status to speak of. Requests to anything else than the
/// service's routes are under `unknown`.
pub type Requests = BTreeMap<String, BTreeMap<String, u64>>;

/// How a fake storage service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where it listens. Default `127.0.0.1:0`: a port that the system chooses.
    pub listen: SocketAddr,
    /// Whether signatures are checked. Default true.
    pub signatures: bool,
    /// What they must be fresh by. Default the system's.
    pub clock: Clock,
    /// The file that uploads and miner commits outlive the process in, which is made
    /// if it is not there. Faults and counts are not in it. Default none: they do not
    /// outlive it.
    pub state: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            signatures: true,
            clock: Clock::System,
            state: None,
        }
    }
}

/// Why a fake storage service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be had.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// There is no thread or runtime to be had.
    #[error("cannot start a runtime: {0}")]
    Runtime(io::Error),
    /// The state file cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
}

/// A fake storage service.
#[derive(Debug, Clone, Copy)]
pub struct FakeStorage;

impl FakeStorage {
    /// Starts it on a thread of its own. It listens when this returns, so it may be
    /// called from synchronous and asynchronous code alike.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub fn start(options: Options) -> Result<RunningStorage, StartError> {
        let book = match &options.state {
            Some(path) => Book::open(path)?,
            None => Book::default(),
        };
        let failed = |error| StartError::Listen {
            address: options.listen,
            error,
        };
        let listener = TcpListener::bind(options.listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared {
            signatures: options.signatures,
            clock: options.clock,
            inner: Mutex::new(Inner {
                book,
                faults: Vec::new(),
                requests: Requests::new(),
            }),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Runtime)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let router = router().with_state(Arc::clone(&shared));
        let thread = thread::Builder::new()
            .name("dev-storage".to_owned())
            .spawn(move || {
                let served = runtime.block_on(async {
                    let listener = tokio::net::TcpListener::from_std(listener)?;
                    tokio::select! {
                        served = async { axum::serve(listener, router).await } => served,
                        _ = stopped => Ok(()),
                    }
                });
                if let Err(error) = served {
                    tracing::error!(%error, "the fake storage service has ended");
                }
            })
            .map_err(StartError::Runtime)?;
        Ok(RunningStorage {
            address,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

/// A fake storage service that listens. It stops when this is dropped: connections
/// are closed, also those that hang, and its address and state file are free again.
#[derive(Debug)]
pub struct RunningStorage {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl RunningStorage {
    /// Its base URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets what `/fetch-latest-miner-commits` answers for a validator, beside what
    /// that validator uploads: `{hotkey: {challenge: commit | [commit]}}`, or anything
    /// else that a client should be shown.
    ///
    /// # Errors
    ///
    /// The state file cannot be written.
    pub fn set_miner_commits(&self, uid: i64, miner_commits: Value) -> Result<(), StateError> {
        let mut inner = self.shared.lock();
        inner.book.set_miner_commits(uid, miner_commits)
    }

    /// Replaces the list of faults.
    ///
    /// # Errors
    ///
    /// A fault that would never come to pass, or is none; the list is as it was then.
    pub fn set_faults(&self, faults: Vec<Fault>) -> Result<(), FaultError> {
        self.shared.set_faults(faults)
    }

    /// The list of faults, with the times that they have left.
    pub fn faults(&self) -> Vec<Fault> {
        self.shared.lock().faults.clone()
    }

    /// Ends all faults. Requests that hang go on hanging.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// What was uploaded after the upload number `since`, oldest first; 0 for all.
    pub fn uploads(&self, since: u64) -> Vec<Upload> {
        self.shared.uploads(since)
    }

    /// What was answered since it was started.
    pub fn requests(&self) -> Requests {
        self.shared.lock().requests.clone()
    }

    /// All that it knows, as `/dev/state` tells it: `now`, `signatures`,
    /// `miner_commits` by validator, `centralized_scores`, `validator_states`,
    /// `uploads` (how many), `faults` and `requests`.
    pub fn state(&self) -> Value {
        control::state(&self.shared)
    }
}

impl Drop for RunningStorage {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to say if it panicked: that is on stderr.
            let _ = thread.join();
        }
    }
}

/// What requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) signatures: bool,
    pub(crate) clock: Clock,
    inner: Mutex<Inner>,
}

/// What they change.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) book: Book,
    pub(crate) faults: Vec<Fault>,
    pub(crate) requests: Requests,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts and logs a request, by its status or fault.
    pub(crate) fn note(&self, route: &str, answer: &str, validator_uid: Option<i64>) {
        tracing::info!(route, answer, validator_uid, "request");
        let mut inner = self.lock();
        let by_answer = inner.requests.entry(route.to_owned()).or_default();
        *by_answer.entry(answer.to_owned()).or_default() += 1;
    }

    pub(crate) fn set_faults(&self, list: Vec<Fault>) -> Result<(), FaultError> {
        list.iter().try_for_each(Fault::check)?;
        self.lock().faults = list;
        Ok(())
    }

    pub(crate) fn uploads(&self, since: u64) -> Vec<Upload> {
        let inner = self.lock();
        let uploads = inner.book.uploads.iter();
        uploads
            .filter(|upload| upload.seq > since)
            .cloned()
            .collect()
    }
}

fn router() -> Router<Arc<Shared>> {
    let mut router = control::router();
    for route in ROUTES {
        let method = match route.access {
            Access::Open => MethodFilter::GET,
            Access::Signed | Access::ApiKey => MethodFilter::POST,
        };
        let answer = move |State(shared): State<Arc<Shared>>, request: Request| async move {
            gate::answer(&shared, route, request).await
        };
        router = router.route(route.path, on(method, answer));
    }
    router.fallback(|State(shared): State<Arc<Shared>>| async move {
        shared.note("unknown", "404", None);
        Refusal::new(StatusCode::NOT_FOUND, "Not Found")
    })
}
