//! A host that serves: its listeners, and everything that runs beside them.

use crate::api::Tasks;
use crate::archive::{Archive, ArchiveError};
use crate::chain::subnet;
use crate::config::ConfigError;
use crate::host::Host;
use crate::miners::MinersError;
use crate::organic::Organic;
use crate::outbox::Outbox;
use crate::registry;
use crate::scoring::{Pipeline, Resources};
use crate::storage::{Client, PollState, Poller, StorageError};
use crate::{api, backup, clock, retention, submission, validators};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Why serving ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({key}): {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The configuration's key.
        key: &'static str,
        /// Why not.
        error: io::Error,
    },
    /// The plugins folder cannot be watched.
    #[error("cannot watch the plugins folder")]
    Watch(#[from] notify::Error),
    /// A listener failed.
    #[error("a listener failed")]
    Listener(#[from] io::Error),
    /// A part of the host has ended.
    #[error("a part of the host ended early: see the log")]
    Ended,
    /// Miners cannot be asked.
    #[error("miners")]
    Miners(#[from] MinersError),
    /// The storage service cannot be asked.
    #[error("storage.url")]
    Storage(#[from] StorageError),
    /// The archive cannot be written to.
    #[error("archive.url")]
    Archive(#[from] ArchiveError),
    /// The private listener cannot be protected.
    #[error(transparent)]
    Protection(#[from] api::ProtectionError),
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Time that open requests have to end once the host is stopping.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves until `stop` is cancelled: loads plugins, scores, answers requests.
/// Then open requests may end; evaluations are cut short, and taken up again at
/// the next start.
///
/// # Errors
///
/// See [`ServeError`].
pub async fn serve(
    host: Host,
    stop: CancellationToken,
    listening: impl FnOnce(SocketAddr, SocketAddr),
) -> Result<(), ServeError> {
    let uid = host.uid().map_or(-1, i32::from);
    let Host {
        pipeline,
        registry,
        hotkey,
        chain,
        lock: _lock,
    } = host;
    let config = pipeline.config.clone();
    let signs_with = hotkey.clone();
    let client = match hotkey.filter(|_| config.storage.url.is_some()) {
        Some(hotkey) => Some(Client::new(&config.storage, hotkey, uid)?),
        None => None,
    };
    let archive = match config.archive.target()? {
        Some(target) => Some(Arc::new(Archive::open(&target)?)),
        None => None,
    };
    let organic = Organic::new(
        pipeline.resources().clone(),
        signs_with.clone(),
        pipeline.deployment_seed(),
        pipeline.schedule(),
    )?;
    let protection = api::Protection::open(&config, Arc::clone(&pipeline.metrics))?;
    let public = listen(config.public.listen, "public.listen").await?;
    let admin = listen(config.admin.listen, "admin.listen").await?;
    let (public_address, admin_address) = (public.local_addr()?, admin.local_addr()?);
    tracing::info!(public = %public_address, admin = %admin_address, "listening");
    listening(public_address, admin_address);

    // Whatever ends first ends the others.
    let stop = stop.child_token();
    let _ends_with_this = stop.clone().drop_guard();
    let watcher = tokio::spawn({
        let (registry, stop) = (registry.clone(), stop.clone());
        async move { registry::watch(registry, stop).await }
    });
    let mut loops = JoinSet::new();
    loops.spawn(score(pipeline.clone(), stop.clone()));
    loops.spawn(publish(pipeline.clone(), stop.clone()));
    loops.spawn({
        let (pipeline, stop) = (pipeline.clone(), stop.clone());
        async move { pipeline.work(stop).await }
    });
    let mut polls = PollState::default();
    if let Some(client) = &client {
        let poller = Poller::new(client.clone(), pipeline.resources().clone());
        polls = poller.state();
        loops.spawn(poller.run(stop.clone()));
    }
    let (resources, results) = (pipeline.resources().clone(), pipeline.results().clone());
    loops.spawn(Outbox::new(resources, results, client, archive).run(stop.clone()));
    loops.spawn(registry::follow_tags(registry.clone(), stop.clone()));
    loops.spawn(validators::run(pipeline.clone(), stop.clone()));
    loops.spawn(retention::run(pipeline.clone(), stop.clone()));
    loops.spawn(organic.clone().run(stop.clone()));
    let Resources {
        config,
        store,
        subnet: known,
        metrics,
        ..
    } = pipeline.resources().clone();
    if let Some(chain) = chain.clone() {
        let (known, config) = (known.clone(), Arc::clone(&config));
        let metrics = Arc::clone(&metrics);
        loops.spawn(subnet::refresh(chain, known, config, metrics, stop.clone()));
    }
    let (submitter, asks) = submission::channel();
    let parts = submission::Parts {
        config,
        store,
        subnet: known,
        metrics,
        vectors: pipeline.latest_vector().changes(),
        chain,
        hotkey: signs_with,
        clock: clock::unix_now,
    };
    loops.spawn(submission::run(parts, asks, stop.clone()));
    // It ends after all that changes anything, so that its last backup has it.
    let last = CancellationToken::new();
    let _last_ends_with_this = last.clone().drop_guard();
    let keeper = tokio::spawn(backup::run(pipeline.clone(), last.clone()));
    let tasks = Tasks {
        polls,
        submitter,
        organic,
    };
    let listeners = api::listen(
        public, admin, &pipeline, &registry, &tasks, protection, &stop,
    );
    // None ends before the stop but by a panic, which was logged.
    let ended_early = async {
        while loops.join_next().await.is_some() {
            if !stop.is_cancelled() {
                return;
            }
        }
        std::future::pending().await
    };
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        ended = listeners => { ended?; }
        () = drained => tracing::warn!("requests were still open after {DRAIN:?}"),
        () = ended_early => return Err(ServeError::Ended),
        // The watcher ends by itself only if it cannot watch.
        Ok(Err(error)) = watcher => return Err(error.into()),
    }
    stop.cancel();
    // A panic in there was logged by the runtime; there is nothing to be saved.
    while loops.join_next().await.is_some() {}
    last.cancel();
    let _ = keeper.await;
    tracing::info!("stopped");
    Ok(())
}

async fn listen(address: SocketAddr, key: &'static str) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| ServeError::Listen {
            address,
            key,
            error,
        })
}

/// Moves commits on, and finalizes: at every change of the plugins, whenever an
/// evaluation has ended, and every `scoring.interval_ms`.
async fn score(pipeline: Pipeline, stop: CancellationToken) {
    let mut changes = pipeline.plugins.changes();
    let mut ticks = interval(Duration::from_millis(pipeline.config.scoring.interval_ms));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
            _ = changes.changed() => {}
            () = pipeline.evaluation_ended() => {}
        }
        if !pipeline.plugins.is_scanned() {
            continue;
        }
        let tick = async {
            let now = clock::unix_now();
            pipeline.step(now).await?;
            pipeline.finalize(now).await
        };
        match stop.run_until_cancelled(tick).await {
            Some(Err(error)) => tracing::error!(%error, "scoring failed: trying again"),
            Some(Ok(_)) => {}
            None => return,
        }
    }
}

/// Keeps the weight vector what it should be, whatever scoring is busy with.
async fn publish(pipeline: Pipeline, stop: CancellationToken) {
    let mut plugins = pipeline.plugins.changes();
    let mut subnet = pipeline.subnet.changes();
    let mut ticks = interval(Duration::from_millis(pipeline.config.scoring.interval_ms));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
            _ = plugins.changed() => {}
            _ = subnet.changed() => {}
        }
        if !pipeline.plugins.is_scanned() {
            continue;
        }
        let published = pipeline.publish(clock::unix_now());
        if let Some(Err(error)) = stop.run_until_cancelled(published).await {
            tracing::error!(%error, "no weight vector could be made: trying again");
        }
    }
}
