//! `proctor audit`.

use super::{runtime, verify};
use crate::api::listen_for_metrics;
use crate::audit::{AuditMetrics, AuditOptions, Auditor, Every, KEPT_DAYS, Round, pause};
use crate::clock;
use crate::verify::SampleSize;
use anyhow::{Context, ensure};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Check a host's receipts, for as long as it runs.
///
/// Each round asks for the signed heads of the host's days, checks that each only grew
/// since the round before, gets the bundles of days that grew, checks signatures, trees
/// and links, and computes a random sample again. What differs is logged and kept in the
/// state. Goes on until SIGINT or SIGTERM; exits with 0 then, or with 1 if anything ever
/// differed.
#[derive(Debug, Args)]
pub(super) struct Audit {
    /// Address of the host.
    #[arg(long, value_name = "URL")]
    from: String,
    /// How many of a day's receipts are computed again when it grew: a number, or a part
    /// of them as in `5%`.
    #[arg(long, default_value = "5%", value_name = "N|N%")]
    sample: SampleSize,
    /// Time from one round to the next: `epoch` (360 blocks of 12 s: 4320 s), or seconds,
    /// or as in 15m and 1h.
    #[arg(long, default_value = "epoch", value_name = "TIME")]
    every: Every,
    /// Who must have signed the heads that are new, SS58; may be given more than once.
    /// Default: whoever signed before.
    #[arg(long = "signer", value_name = "SS58", value_parser = verify::address)]
    signers: Vec<String>,
    /// What is known of the host. Made if it is not there.
    #[arg(long, default_value = "proctor-audit.json", value_name = "FILE")]
    state: PathBuf,
    /// Tell metrics at this address, at /metrics. Default: nowhere.
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
    /// A directory with components and artifacts that the host does not give.
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
    /// Calls at a time. Default: as many as there are cores.
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    jobs: Option<usize>,
    /// One round; exits with 0 if all is as the host says, 1 if anything differs, 3 if
    /// nothing differs and something cannot be checked, and 2 if something failed.
    #[arg(long)]
    once: bool,
    /// Print a line of JSON for each round.
    #[arg(long)]
    json: bool,
    /// Where compiled components are kept, and bundles for as long as they are looked at.
    /// Default: nowhere.
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// The most bytes of a bundle that are downloaded.
    #[arg(long, default_value_t = 8 << 30, value_name = "BYTES")]
    max_bytes: u64,
    /// The most seconds that the verification of a day gets; what takes longer fails, and is
    /// tried again in the next round.
    #[arg(long, default_value_t = 4 * 3_600, value_name = "N")]
    max_day_seconds: u64,
    /// How many of the host's last days are looked at when nothing is known of it, at
    /// most 40.
    #[arg(long, default_value_t = 31, value_name = "N")]
    days: usize,
}

impl Audit {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let runtime = runtime()?;
        let status = runtime.block_on(self.audit());
        // What is being computed is of no use any more.
        runtime.shutdown_background();
        // 1 says that something differs.
        Ok(ExitCode::from(status.unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            2
        })))
    }

    async fn audit(self) -> anyhow::Result<u8> {
        ensure!(
            (1..=KEPT_DAYS).contains(&self.days),
            "--days is not 1 to {KEPT_DAYS}"
        );
        let metrics = Arc::new(AuditMetrics::default());
        let mut auditor = Auditor::open(self.options(), Arc::clone(&metrics))?;
        let stop = CancellationToken::new();
        if let Some(address) = self.metrics_listen {
            let listener = TcpListener::bind(address).await;
            let listener = listener.with_context(|| format!("--metrics-listen {address}"))?;
            let address = listener.local_addr()?;
            tracing::info!(%address, "metrics");
            eprintln!("metrics http://{address}/metrics");
            let encode = move || metrics.encode();
            tokio::spawn(listen_for_metrics(listener, encode, stop.clone()));
        }
        let (mut interrupt, mut terminate) = (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        );
        let status = tokio::select! {
            _ = interrupt.recv() => None,
            _ = terminate.recv() => None,
            status = self.rounds(&mut auditor) => Some(status?),
        };
        stop.cancel();
        Ok(status.unwrap_or_else(|| u8::from(auditor.has_differed())))
    }

    /// Audits until the end of the process, or once.
    async fn rounds(&self, auditor: &mut Auditor) -> anyhow::Result<u8> {
        let mut failures = 0_u32;
        loop {
            let start = Instant::now();
            let round = auditor.round(clock::unix_now()).await;
            self.print(&round)?;
            if self.once {
                return Ok(round.result.status());
            }
            failures = match round.went_through() {
                true => 0,
                false => failures.saturating_add(1),
            };
            tokio::time::sleep(pause(self.every.0, start.elapsed(), failures)).await;
        }
    }

    fn options(&self) -> AuditOptions {
        let cores = || std::thread::available_parallelism().map_or(2, usize::from);
        AuditOptions {
            from: self.from.clone(),
            sample: self.sample,
            signers: self.signers.clone(),
            state: self.state.clone(),
            plugins: self.plugins.clone(),
            jobs: self.jobs.unwrap_or_else(cores),
            cache: self.cache.clone(),
            max_bytes: self.max_bytes,
            max_day: Duration::from_secs(self.max_day_seconds),
            days: self.days,
        }
    }

    fn print(&self, round: &Round) -> anyhow::Result<()> {
        if self.json {
            println!("{}", serde_json::to_string(round)?);
        } else {
            println!("{round}");
        }
        Ok(())
    }
}
