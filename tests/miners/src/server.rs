//! Starting and stopping.

use crate::behaviour::Behaviour;
use crate::connection;
use crate::metagraph::metagraph;
use crate::miner::DevMiner;
use crate::work::Work;
use serde_json::Value;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// How some miners are.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many, at most 65 535. Default 1.
    pub count: usize,
    /// Where they listen. Default `127.0.0.1`.
    pub ip: IpAddr,
    /// The port of the first; the others have the next ones. Default 0: the system
    /// chooses a port for each.
    pub port: u16,
    /// Whether they check signatures: `btauth/1`, and those of a dendrite except for
    /// the hash of the body. Default false.
    pub signatures: bool,
    /// What all of them do. Default [`Work::echo`].
    pub work: Work,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            count: 1,
            ip: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            signatures: false,
            work: Work::echo(),
        }
    }
}

/// Why miners do not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be had.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// There are not so many ports, or uids.
    #[error("there is no port or uid for miner {0}")]
    TooMany(usize),
    /// There is no development key for a miner.
    #[error("there is no key for miner {0}")]
    Key(usize),
    /// There is no thread or runtime to be had.
    #[error("cannot start a runtime: {0}")]
    Runtime(io::Error),
}

/// Miners that listen, on one thread. They stop when this is dropped: connections are
/// closed, also those that hang, and the ports are free again.
#[derive(Debug)]
pub struct Miners {
    miners: Vec<Arc<DevMiner>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Miners {
    /// Starts them, all good. They listen when this returns, so it may be called from
    /// synchronous and asynchronous code alike.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub fn start(options: Options) -> Result<Self, StartError> {
        let mut miners = Vec::new();
        let mut listeners = Vec::new();
        for index in 0..options.count {
            let (address, listener) = listen(&options, index)?;
            let work = options.work.clone();
            let miner = DevMiner::new(index, address, options.signatures, Behaviour::Good, work)?;
            miners.push(Arc::new(miner));
            listeners.push(listener);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Runtime)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let served: Vec<_> = miners.iter().cloned().zip(listeners).collect();
        let thread = thread::Builder::new()
            .name("dev-miners".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    for (miner, listener) in served {
                        tokio::spawn(async move {
                            if let Err(error) = accept(&miner, listener).await {
                                tracing::error!(%error, uid = miner.uid, "a miner has ended");
                            }
                        });
                    }
                    let _ = stopped.await;
                });
            })
            .map_err(StartError::Runtime)?;
        Ok(Miners {
            miners,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// All of them, by index.
    pub fn all(&self) -> &[Arc<DevMiner>] {
        &self.miners
    }

    /// The miner with an index, from 0 on.
    pub fn get(&self, index: usize) -> Option<&Arc<DevMiner>> {
        self.miners.get(index)
    }

    /// See [`metagraph`](crate::metagraph).
    pub fn metagraph(&self, netuid: u16, host: Option<&str>) -> Value {
        metagraph(netuid, host, self.all())
    }
}

impl Drop for Miners {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to say if it panicked: that is on stderr.
            let _ = thread.join();
        }
    }
}

fn listen(options: &Options, index: usize) -> Result<(SocketAddr, TcpListener), StartError> {
    let too_many = || StartError::TooMany(index);
    let port = match options.port {
        0 => 0,
        first => {
            let offset = u16::try_from(index).map_err(|_| too_many())?;
            first.checked_add(offset).ok_or_else(too_many)?
        }
    };
    let address = SocketAddr::new(options.ip, port);
    let failed = |error| StartError::Listen { address, error };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((address, listener))
}

async fn accept(miner: &Arc<DevMiner>, listener: TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let miner = Arc::clone(miner);
        tokio::spawn(async move {
            let open = miner.connected();
            // The client's leaving is not the miner's concern.
            let served = connection::serve(&miner, stream).await;
            if let Err(error) = served {
                tracing::debug!(%error, uid = miner.uid, "a connection has ended");
            }
            drop(open);
        });
    }
}
