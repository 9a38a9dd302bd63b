//! `proctor demo`: a subnet in miniature, from commits to weights.

use super::serve::{print_addresses, serve};
use super::table::table;
use super::{print_json, runtime, verify, weights};
use crate::bundles;
use crate::chain::{Hotkey, Hyperparameters, Metagraph, Neuron};
use crate::clock;
use crate::commits::{Delivery, ingest};
use crate::config::Config;
use crate::host::Host;
use crate::receipts::bundle::Bundle;
use crate::sandbox::Outcome;
use crate::scoring::{Finalized, StoredComparison};
use crate::store::{CommitRow, CommitState};
use crate::submission::{self, Plan};
use crate::verify::{Options, Report, Verdict};
use anyhow::{Context, bail};
use clap::Args;
use fernet::Fernet;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Score made-up miners of the digits challenge, from commits to weights, and verify the day.
///
/// The demo is always of 22 August 2026, whatever day it is; `--serve` serves it as of then.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// Go on serving what was scored.
    #[arg(long)]
    serve: bool,
    /// What the tasks are drawn by. The same seed gives the same result.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where `digits.wasm` and the solvers in `digits-solvers/` are.
    #[arg(long, default_value = "plugins", value_name = "DIR")]
    plugins: PathBuf,
    /// Where to keep the data; must not be in use yet. Default: a temporary
    /// directory.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where `--serve` listens.
    #[arg(long, default_value = "127.0.0.1:47920", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where `--serve` listens for the operator.
    #[arg(long, default_value = "127.0.0.1:47921", value_name = "ADDRESS")]
    admin_listen: SocketAddr,
}

const CHALLENGE: &str = "digits";
/// 2026-08-22 15:00 UTC: the demo's clock stands still.
const NOW: f64 = 1_787_410_800.0;
const DAY: f64 = 86_400.0;

/// The miners: name, solver, and how many hours before yesterday it was committed.
const MINERS: [(&str, &str, f64); 8] = [
    ("centroid", "nearest_centroid", 8.0),
    ("neighbours", "knn", 7.0),
    ("linear", "linear", 6.0),
    ("prototype", "first_example", 5.0),
    ("copycat", "knn_renamed", 4.0),
    ("sleeper", "endless_loop", 3.0),
    ("hoarder", "memory_hog", 2.0),
    ("babbler", "malformed_json", 1.0),
];

/// The hotkey of the validator that would submit: the first of the public test keys.
const VALIDATOR: &str = "//Alice";

/// A line of the leaderboard.
#[derive(Debug, Serialize)]
struct Line {
    uid: u16,
    hotkey: String,
    score: f64,
    similarity: Option<f64>,
    similar_to: Option<String>,
    penalty: f64,
    accepted: bool,
    outcome: String,
    weight: u16,
}

impl Demo {
    pub(super) fn run(mut self) -> anyhow::Result<ExitCode> {
        let temporary = tempfile::tempdir()?;
        let data_dir = self
            .data_dir
            .take()
            .unwrap_or_else(|| temporary.path().join("data"));
        if data_dir.join("proctor.sqlite").exists() {
            bail!(
                "{} is in use already: the demo wants a fresh data directory",
                data_dir.display()
            );
        }
        self.check_components()?;
        runtime()?.block_on(async {
            let host = self.prepare(&data_dir).await?;
            let (finalized, lines) = self.score(&host).await?;
            let bundle = data_dir.join(format!("{}.bundle", finalized.day));
            let report = self.verify(&host, &finalized.day, &bundle).await?;
            self.print(&finalized, &lines, &plan(&host)?, &report)?;
            if !self.json {
                println!("{}:", bundle.display());
                verify::print(&report);
            }
            if report.verdict != Verdict::Verified {
                bail!("the day is not verified: {}", report.verdict.name());
            }
            if self.serve {
                // It is served on the day on which it was scored.
                clock::begin_at(NOW);
                self.serve(host).await?;
            }
            Ok(ExitCode::SUCCESS)
        })
    }

    fn solver(&self, name: &str) -> PathBuf {
        self.plugins
            .join("digits-solvers")
            .join(format!("{name}.wasm"))
    }

    fn check_components(&self) -> anyhow::Result<()> {
        let challenge = self.plugins.join("digits.wasm");
        let solvers = MINERS.iter().map(|(_, solver, _)| self.solver(solver));
        for path in std::iter::once(challenge).chain(solvers) {
            if !path.is_file() {
                bail!(
                    "{} is missing: `cargo xtask plugins` builds it",
                    path.display()
                );
            }
        }
        Ok(())
    }

    async fn prepare(&self, data_dir: &Path) -> anyhow::Result<Host> {
        std::fs::create_dir_all(data_dir)
            .with_context(|| format!("cannot make {}", data_dir.display()))?;
        let mut config = Config {
            data_dir: data_dir.to_owned(),
            ..Config::default()
        };
        config.plugins.dir.clone_from(&self.plugins);
        config.scoring.seed = Some(self.seed);
        config.public.listen = self.listen;
        config.admin.listen = self.admin_listen;
        std::fs::write(
            config.metagraph_path(),
            serde_json::to_vec_pretty(&metagraph()?)?,
        )?;
        self.step("loading the challenge");
        let host = Host::open(config).await?;
        host.registry.pass().await?;
        if host.pipeline.plugins.get(CHALLENGE).is_none() {
            let rejected: Vec<String> = host
                .pipeline
                .plugins
                .status()
                .into_iter()
                .filter_map(|p| p.rejected.map(|r| format!("{}: {}", p.file, r.reason)))
                .collect();
            bail!(
                "the digits challenge is not active: {}",
                rejected.join("; ")
            );
        }
        Ok(host)
    }

    async fn score(&self, host: &Host) -> anyhow::Result<(Finalized, Vec<Line>)> {
        let pipeline = &host.pipeline;
        let mut artifacts = Vec::new();
        for (_, solver, _) in MINERS {
            artifacts.push(pipeline.artifacts.add_file(&self.solver(solver))?.digest);
        }
        self.step("taking in what 3 validators saw of 8 miners");
        for (uid, document) in (0_u16..).zip(views(&artifacts)) {
            let delivery = Delivery {
                validator_uid: uid,
                document: serde_json::to_vec(&document)?,
                source: "file",
                received_at: NOW,
                request_ns: None,
                last_confirmed_at: None,
            };
            let rules = &pipeline.config.commits;
            let report = ingest(&pipeline.store, &pipeline.metagraph(), rules, delivery).await?;
            if let Some(reason) = report.not_heard {
                self.step(&format!("  validator {uid} is not heard: {reason}"));
            }
        }
        self.step("scoring, comparing, judging");
        pipeline.run(NOW).await?;
        let finalized = pipeline
            .finalize(NOW)
            .await?
            .context("the day was finalized before")?;
        pipeline.publish(NOW).await?;
        let commits = pipeline.store.commits_of(CHALLENGE).await?;
        let mut lines = Vec::new();
        for commit in commits.iter().filter(|c| c.state == CommitState::Judged) {
            let evaluation = match commit.evaluation_id {
                Some(id) => pipeline.store.evaluation_by_id(id).await?,
                None => None,
            };
            let solves = evaluation.map(|row| row.solves).unwrap_or_default();
            lines.push(line(commit, &solves, &finalized)?);
        }
        lines.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.uid.cmp(&b.uid)));
        Ok((finalized, lines))
    }

    /// Gives the day out as one file, and does what anyone does who got it.
    async fn verify(&self, host: &Host, day: &str, path: &Path) -> anyhow::Result<Report> {
        self.step("giving the day out, and computing it again");
        let resources = host.pipeline.resources();
        let sources = bundles::Sources {
            store: resources.store.clone(),
            artifacts: resources.artifacts.clone(),
            components: resources.components.clone(),
        };
        let options = bundles::Options {
            artifacts: true,
            components: true,
        };
        let file = BufWriter::new(File::create(path)?);
        bundles::collect_day(&sources, day, None, options, file).await?;
        let options = Options {
            cache_dir: Some(resources.config.data_dir.join("compiled")),
            ..Options::default()
        };
        Ok(crate::verify::run(Bundle::open(path)?, options).await?)
    }

    fn print(
        &self,
        finalized: &Finalized,
        lines: &[Line],
        plan: &Plan,
        verified: &Report,
    ) -> anyhow::Result<()> {
        let vector = &finalized.vector;
        if self.json {
            return print_json(&json!({
                "day": finalized.day,
                "seed": self.seed,
                "challenge": CHALLENGE,
                "leaderboard": lines,
                "weights": { "uids": vector.uids, "values": vector.values },
                "derivation": finalized.derivation,
                "submission": plan,
                "verified": {
                    "verdict": verified.verdict,
                    "receipts": verified.receipts,
                },
            }));
        }
        let rows: Vec<Vec<String>> = lines
            .iter()
            .map(|line| {
                vec![
                    line.uid.to_string(),
                    line.hotkey.clone(),
                    format!("{:.4}", line.score),
                    line.similarity
                        .map_or_else(String::new, |s| format!("{s:.2}")),
                    line.similar_to.clone().unwrap_or_default(),
                    format!("{:.2}", line.penalty),
                    if line.accepted { "yes" } else { "no" }.to_owned(),
                    line.weight.to_string(),
                    line.outcome.clone(),
                ]
            })
            .collect();
        let header = [
            "uid", "hotkey", "score", "similar", "to", "penalty", "accepted", "weight", "outcome",
        ];
        let right = [true, false, true, true, false, true, false, true, false];
        print!("{}", table(&header, &right, &rows));
        println!(
            "weights of {}: uids {:?}, values {:?}",
            finalized.day, vector.uids, vector.values
        );
        println!("what a validator would send, and what the chain checks:");
        print!("{}", weights::plan(&serde_json::to_value(plan)?));
        Ok(())
    }

    async fn serve(&self, host: Host) -> anyhow::Result<()> {
        let commits = host.pipeline.store.commits_of(CHALLENGE).await?;
        let judged = commits
            .into_iter()
            .filter(|c| c.state == CommitState::Judged);
        let encrypted: Vec<String> = judged.map(|c| c.encrypted_commit).take(1).collect();
        let body = json!({ "challenge_name": CHALLENGE, "encrypted_commits": encrypted });
        serve(host, |public, admin| {
            print_addresses(public, admin);
            let json = "-H 'content-type: application/json'";
            println!("try: curl -s http://{public}/get_scoring_result {json} -d '{body}'");
        })
        .await
    }

    fn step(&self, what: &str) {
        eprintln!("{what}");
    }
}

/// What validator 1 would submit of what was scored. There is no chain to ask.
fn plan(host: &Host) -> anyhow::Result<Plan> {
    let resources = host.pipeline.resources();
    let vectors = host.pipeline.latest_vector();
    let vector = vectors.get().context("there is no weight vector")?;
    let parts = submission::Parts {
        config: resources.config.clone(),
        store: resources.store.clone(),
        subnet: resources.subnet.clone(),
        metrics: resources.metrics.clone(),
        vectors: vectors.changes(),
        chain: None,
        hotkey: Some(Hotkey::from_uri(VALIDATOR)?),
        clock: clock::unix_now,
    };
    Ok(submission::offline_plan(&parts, &vector, NOW)?)
}

/// Validator 0 owns the subnet; validator 2 is too poor to be heard. The
/// hyperparameters are the runtime's defaults, but that it has no commit-reveal.
fn metagraph() -> anyhow::Result<Metagraph> {
    let validator = Hotkey::from_uri(VALIDATOR)?;
    let stakes = [
        ("owner", 90_000.0),
        (validator.address(), 40_000.0),
        ("pauper", 50.0),
    ];
    let validators = stakes.into_iter().map(|(name, stake)| (name, stake, true));
    let miners = MINERS.into_iter().map(|(name, ..)| (name, 1.0, false));
    let neurons = (0_u16..)
        .zip(validators.chain(miners))
        .map(|(uid, (name, stake, validator_permit))| {
            Ok(Neuron {
                uid,
                hotkey: name.to_owned(),
                coldkey: format!("{name}-cold"),
                axon_ip: Some(format!("198.51.100.{uid}").parse()?),
                stake,
                validator_permit,
                ..Neuron::default()
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let hyperparameters = Hyperparameters {
        tempo: 360,
        weights_rate_limit: 100,
        weights_version: 0,
        min_allowed_weights: 1,
        max_weight_limit: u16::MAX,
        commit_reveal_enabled: false,
        commit_reveal_period: 1,
        commit_reveal_version: Some(4),
        mechanism_count: 1,
        stake_threshold: 0,
    };
    let metagraph = Metagraph::new(61, 1, Some("owner".to_owned()), neurons)?;
    Ok(metagraph.with_hyperparameters(hyperparameters))
}

/// What the three validators publish. They disagree.
fn views(artifacts: &[String]) -> [Value; 3] {
    let mut owner = Map::new();
    let mut other = Map::new();
    let mut pauper = Map::new();
    for ((name, _, hours), digest) in MINERS.into_iter().zip(artifacts) {
        let at = NOW - DAY - hours * 3_600.0;
        let commit = Sealed::new(digest);
        let seen = match name {
            // Only the owner has the new commit; the other validator knows the
            // one before it, which was never revealed.
            "linear" => json!({ "encrypted_commit": "an older one", "commit_timestamp": at - DAY }),
            // The other validator saw it an hour earlier: the earliest counts.
            "centroid" => commit.published(at - 3_600.0, &commit.key),
            // A key that does not fit does not hide the one that does.
            "prototype" => commit.published(at, &Fernet::generate_key()),
            _ => commit.published(at, &commit.key),
        };
        if name == "copycat" {
            // The pauper would have the copy be older than the original.
            let backdated = commit.published(at - 10.0 * DAY, &commit.key);
            pauper.insert(name.to_owned(), json!({ CHALLENGE: backdated }));
        }
        let commit = commit.published(at, &commit.key);
        owner.insert(name.to_owned(), json!({ CHALLENGE: commit }));
        other.insert(name.to_owned(), json!({ CHALLENGE: seen }));
    }
    [owner, other, pauper].map(|commits| json!({ "miner_commits": commits }))
}

/// A commit as a miner makes it.
struct Sealed {
    token: String,
    key: String,
}

impl Sealed {
    fn new(artifact_digest: &str) -> Self {
        let key = Fernet::generate_key();
        let text = format!("{CHALLENGE}---sha256:{artifact_digest}");
        let token = Fernet::new(&key).map(|fernet| fernet.encrypt(text.as_bytes()));
        Sealed {
            token: token.unwrap_or_default(),
            key,
        }
    }

    /// The commit as a validator publishes it.
    fn published(&self, committed_at: f64, key: &str) -> Value {
        json!({ "encrypted_commit": self.token, "commit_timestamp": committed_at, "key": key })
    }
}

fn line(commit: &CommitRow, solves: &str, finalized: &Finalized) -> anyhow::Result<Line> {
    let comparisons: Vec<StoredComparison> =
        serde_json::from_str(commit.comparisons.as_deref().unwrap_or("[]"))?;
    let nearest = comparisons
        .into_iter()
        .flat_map(|c| {
            c.logs
                .into_iter()
                .map(move |log| (log.similarity, c.hotkey.clone()))
        })
        .filter(|(similarity, _)| *similarity > 0.0)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let (similarity, similar_to) = nearest.unzip();
    let vector = &finalized.vector;
    let mut weights = vector.uids.iter().zip(&vector.values);
    Ok(Line {
        uid: commit.miner_uid,
        hotkey: commit.miner_hotkey.clone(),
        score: commit.score.unwrap_or_default(),
        similarity,
        similar_to,
        penalty: commit.penalty.unwrap_or_default(),
        accepted: commit.accepted.unwrap_or_default(),
        outcome: outcome(solves)?,
        weight: weights
            .find(|(uid, _)| **uid == commit.miner_uid)
            .map_or(0, |(_, w)| *w),
    })
}

/// `ok` if the submission solved anything, else how it failed most often.
fn outcome(solves: &str) -> anyhow::Result<String> {
    let counts: BTreeMap<String, u64> = serde_json::from_str(solves)?;
    if counts.contains_key(Outcome::Ok.code()) {
        return Ok(Outcome::Ok.code().to_owned());
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    Ok(most.map(|(code, _)| code).unwrap_or_default())
}
