//! The receipts of what is scored: made as each result is, kept with it, and public with
//! the day.

use super::pipeline::{Pipeline, PipelineError};
use crate::canonical::{Bits, digest};
use crate::plugins::ActivePlugin;
use crate::receipts::documents::{Document, Environment, LimitsDocument};
use crate::receipts::transcript::Transcript;
use crate::receipts::{Head, Kind, PreviousHead, Private, Receipt, Signer, compress};
use crate::sandbox::{CallContext, CallReport, HostCall, Outcome, SolveRecord, Tape};
use crate::store::{HeadMaker, HeadRow, Kept, Leaves, NewBlob, NewReceipt};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem::take;
use std::time::Instant;

/// A receipt, and what is stored with it.
#[derive(Debug, Clone, Default)]
pub(super) struct Made {
    /// Its id; none if receipts are not made.
    pub(super) id: Option<String>,
    /// The receipts of what its input was taken from.
    pub(super) taken_from: Vec<String>,
    /// What is stored.
    pub(super) kept: Kept,
}

/// A call of a challenge that has ended, as its receipt tells it.
pub(super) struct Ended<'a> {
    /// What was called.
    pub(super) kind: Kind,
    /// What the call was about.
    pub(super) context: &'a CallContext,
    /// The artifact that `runner.solve` ran; none if there was none.
    pub(super) artifact: Option<&'a str>,
    /// The document that went in.
    pub(super) input: String,
    /// The document that came out.
    pub(super) output: String,
    /// How it ended.
    pub(super) outcome: Outcome,
    /// What it took.
    pub(super) report: &'a CallReport,
    /// What the host answered.
    pub(super) tape: Option<Tape>,
    /// Receipts of what the input was taken from.
    pub(super) depends_on: Vec<String>,
}

/// What is named by digest, and whether it is private.
type Blobs = BTreeMap<String, (Vec<u8>, bool)>;

impl Pipeline {
    /// Where the answers of the host to a call are recorded; none if receipts are not
    /// made.
    pub(super) fn tape(&self) -> Option<Tape> {
        let rules = &self.config.receipts;
        let signs = self.signer.is_some();
        signs.then(|| Tape::record(rules.max_transcript_bytes))
    }

    /// Makes the receipt of a call, at `now` in seconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// See [`PipelineError`].
    pub(super) async fn receipt(
        &self,
        plugin: &ActivePlugin,
        mut ended: Ended<'_>,
        now: f64,
    ) -> Result<Made, PipelineError> {
        let Some(signer) = &self.signer else {
            return Ok(Made::default());
        };
        let start = Instant::now();
        let private = Private::of(&plugin.description.settings_schema, &plugin.settings);
        let mut kept = Kept {
            at: now,
            ..Kept::default()
        };
        if private.component {
            kept.private.push(plugin.component.digest().to_owned());
        }
        let mut blobs = Blobs::new();
        let mut put = |text: String, is_private: bool| {
            let digest = digest(&text);
            blobs.insert(digest.clone(), (text.into_bytes(), is_private));
            digest
        };
        // Those that the call had, which may be less than the record gives.
        let solver_limits = self.sandbox.clamp(&plugin.solver_limits);
        let solver_limits = ended.artifact.map(|_| solver_limits);
        let limits = self.sandbox.clamp(&plugin.limits);
        let limits = LimitsDocument::new(limits, solver_limits).text()?;
        let hides_settings = private.hides_settings(&plugin.settings);
        let settings = put(plugin.settings.to_string(), hides_settings);
        let tells_tasks = private.tasks && ended.kind == Kind::Evaluate;
        let receipt = Receipt {
            challenge: Some(plugin.name().to_owned()),
            component: Some(plugin.component.digest().to_owned()),
            engine: self.sandbox.identity().to_owned(),
            environment: Some(environment(&plugin.grants.environment, signer)?),
            fuel: ended.report.fuel,
            limits: Some(put(limits, false)),
            logical_time: Bits(ended.context.now),
            outcome: ended.outcome.code().to_owned(),
            seed: ended.context.seed.to_string(),
            settings: Some(settings),
            ..Receipt::of_rule(
                ended.kind,
                None,
                put(take(&mut ended.input), tells_tasks),
                put(take(&mut ended.output), tells_tasks),
            )
        };
        let mut solves = BTreeMap::new();
        let transcript = match ended.tape.as_ref().and_then(Tape::take_recorded) {
            Some(calls) => {
                let signs = (signer, private.tasks);
                solves = self.solves(plugin, &ended, &calls, signs, &mut blobs)?;
                let is_private = private.hides_transcript(calls.len());
                let text = transcript(&calls, &solves, is_private, &mut blobs)?;
                let digest = digest(&text);
                blobs.insert(digest.clone(), (text.into_bytes(), is_private));
                Some(digest)
            }
            // Nobody recorded what is not there to be answered again.
            None if ended.tape.is_none() => None,
            None => {
                self.metrics.transcript_cut(plugin.name());
                let (challenge, kind) = (plugin.name(), ended.kind.name());
                tracing::warn!(
                    challenge,
                    kind,
                    "a transcript is longer than receipts.max_transcript_bytes: nobody can check \
                     this call"
                );
                None
            }
        };
        let ids = solves.values().map(|(id, _)| id.clone());
        let receipt = Receipt {
            transcript,
            ..receipt
        };
        let taken_from = ended.depends_on;
        let receipt = receipt.depending_on(taken_from.iter().cloned().chain(ids));
        kept.receipts = solves.into_values().map(|(_, solve)| solve).collect();
        let made = self.keep(signer, receipt, taken_from, kept, blobs).await?;
        let bytes = made.kept.blobs.iter().map(|b| b.zstd.len() as u64).sum();
        let (kind, outcome) = (ended.kind.name(), ended.outcome.code());
        self.metrics
            .receipt_made(plugin.name(), kind, outcome, bytes, start.elapsed());
        Ok(made)
    }

    /// Makes the receipt of what a rule of the host made of `input`.
    ///
    /// # Errors
    ///
    /// See [`PipelineError`].
    pub(super) async fn receipt_of_rule(
        &self,
        kind: Kind,
        challenge: Option<&str>,
        (input, output): (String, String),
        depends_on: Vec<String>,
        now: f64,
    ) -> Result<Made, PipelineError> {
        let Some(signer) = &self.signer else {
            return Ok(Made::default());
        };
        let start = Instant::now();
        let (input_digest, output_digest) = (digest(&input), digest(&output));
        let blobs = [(&input_digest, input), (&output_digest, output)];
        let blobs = blobs.map(|(digest, text)| (digest.clone(), (text.into_bytes(), false)));
        let named = challenge.map(str::to_owned);
        let receipt = Receipt::of_rule(kind, named, input_digest, output_digest);
        let kept = Kept {
            at: now,
            ..Kept::default()
        };
        let receipt = receipt.depending_on(depends_on.iter().cloned());
        let made = self
            .keep(signer, receipt, depends_on, kept, blobs.into())
            .await?;
        let bytes = made.kept.blobs.iter().map(|b| b.zstd.len() as u64).sum();
        let (challenge, outcome) = (challenge.unwrap_or_default(), Outcome::Ok.code());
        self.metrics
            .receipt_made(challenge, kind.name(), outcome, bytes, start.elapsed());
        Ok(made)
    }

    /// Signs a receipt, and compresses what it names and what is not stored yet.
    async fn keep(
        &self,
        signer: &Signer,
        receipt: Receipt,
        taken_from: Vec<String>,
        mut kept: Kept,
        blobs: Blobs,
    ) -> Result<Made, PipelineError> {
        let known = blobs.keys().cloned().collect();
        // What is older may be pruned before this is stored.
        let days = f64::from(self.config.receipts.keep_days.saturating_sub(1));
        let since = (kept.at - days * 86_400.0).max(0.0);
        let known = self.store.known_blobs(known, since).await?;
        let (old, new): (Blobs, Blobs) = blobs
            .into_iter()
            .partition(|(digest, _)| known.contains(digest));
        for (digest, (_, private)) in old {
            if private {
                kept.private.push(digest.clone());
            }
            kept.used.push(digest);
        }
        kept.blobs = tokio::task::spawn_blocking(move || compressed(new)).await??;
        // Who checks this one looks at what those came to, however old they are.
        for row in self.store.receipts(taken_from.clone()).await? {
            let earlier: Receipt = serde_json::from_str(&row.body)?;
            kept.used.extend([earlier.input, earlier.output]);
        }
        let body = receipt.text()?;
        let id = Receipt::id_of(&body);
        kept.receipts.push(NewReceipt {
            id: id.clone(),
            kind: receipt.kind.name().to_owned(),
            challenge: receipt.challenge,
            body,
            signer: Some(signer.address().to_owned()),
            signature: Some(signer.sign_receipt(&id)),
        });
        Ok(Made {
            id: Some(id),
            taken_from,
            kept,
        })
    }

    /// The receipts of a submission's runs in a call, by the number of the host call:
    /// of each its id and the row.
    fn solves(
        &self,
        plugin: &ActivePlugin,
        ended: &Ended<'_>,
        calls: &[HostCall],
        (signer, is_private): (&Signer, bool),
        blobs: &mut Blobs,
    ) -> Result<BTreeMap<usize, (String, NewReceipt)>, PipelineError> {
        let limits = self.sandbox.clamp(&plugin.solver_limits);
        let limits = LimitsDocument::new(limits, None).text()?;
        let limits_digest = digest(&limits);
        let no_environment = environment(&[], signer)?;
        let mut solves = BTreeMap::new();
        for (index, call) in calls.iter().enumerate() {
            let (Some(artifact), Some(SolveRecord { outcome, fuel })) =
                (ended.artifact, call.solve)
            else {
                continue;
            };
            // What time decided cannot be done again.
            if outcome.is_transient() {
                continue;
            }
            let (input, output) = (digest(&call.request), digest(&call.response));
            for (digest, content) in [(&input, &call.request), (&output, &call.response)] {
                blobs.insert(digest.clone(), (content.clone(), is_private));
            }
            let receipt = Receipt {
                component: Some(artifact.to_owned()),
                engine: self.sandbox.identity().to_owned(),
                environment: Some(no_environment.clone()),
                fuel,
                limits: Some(limits_digest.clone()),
                logical_time: Bits(ended.context.now),
                outcome: outcome.code().to_owned(),
                seed: ended.context.seed.to_string(),
                ..Receipt::of_rule(Kind::Solve, None, input, output)
            };
            let body = receipt.text()?;
            let id = Receipt::id_of(&body);
            let row = NewReceipt {
                id: id.clone(),
                kind: Kind::Solve.name().to_owned(),
                challenge: None,
                body,
                signer: None,
                signature: None,
            };
            solves.insert(index, (id, row));
        }
        if !solves.is_empty() {
            blobs.insert(limits_digest, (limits.into_bytes(), false));
        }
        Ok(solves)
    }

    /// What makes receipts leaves of a day's tree; none if they are not made.
    pub(super) fn leaves(&self, day: &str, receipts: Vec<String>) -> Option<Leaves> {
        let signer = self.signer.clone()?;
        let mut seen = BTreeSet::new();
        let receipts = receipts.into_iter().filter(|id| seen.insert(id.clone()));
        let head =
            HeadMaker::new(move |day, leaves, previous| head(&signer, day, leaves, previous));
        Some(Leaves {
            day: day.to_owned(),
            receipts: receipts.collect(),
            head,
        })
    }
}

impl Made {
    /// What becomes a leaf with it: what its input was taken from, and itself.
    pub(super) fn leaves(&self) -> impl Iterator<Item = String> {
        self.taken_from.iter().chain(&self.id).cloned()
    }
}

/// Adds what is stored with one result to what is stored with another.
pub(super) fn add(kept: &mut Kept, other: Kept) {
    kept.receipts.extend(other.receipts);
    kept.blobs.extend(other.blobs);
    kept.used.extend(other.used);
    kept.private.extend(other.private);
    kept.at = kept.at.max(other.at);
}

fn compressed(blobs: Blobs) -> io::Result<Vec<NewBlob>> {
    let blobs = blobs.into_iter().map(|(digest, (content, private))| {
        Ok(NewBlob {
            digest,
            size: content.len() as u64,
            zstd: compress(&content)?,
            private,
        })
    });
    blobs.collect()
}

/// The digest of an environment: one that tells nothing, unless it is empty.
fn environment(
    variables: &[(String, String)],
    signer: &Signer,
) -> Result<String, serde_json::Error> {
    let text = Environment::new(variables.iter().cloned()).text()?;
    Ok(match variables {
        [] => digest(text),
        _ => signer.secret_digest(&text),
    })
}

fn transcript(
    calls: &[HostCall],
    solves: &BTreeMap<usize, (String, NewReceipt)>,
    is_private: bool,
    blobs: &mut Blobs,
) -> Result<String, serde_json::Error> {
    let mut long = BTreeMap::new();
    let mut index = 0..;
    let solve = |_: &HostCall| {
        let (id, _) = solves.get(&index.next()?)?;
        Some(id.clone())
    };
    let transcript = Transcript::new(calls, solve, &mut long);
    for (digest, content) in long {
        let (_, private) = blobs.entry(digest).or_insert((content, is_private));
        *private |= is_private;
    }
    transcript.text()
}

/// The head of a day's tree.
fn head(signer: &Signer, day: &str, leaves: &[String], previous: Option<HeadRow>) -> HeadRow {
    signed_head(signer, day, leaves, previous).unwrap_or_else(|error| {
        tracing::error!(day, error, "there is no head of the day's receipts");
        // No leaf is appended with a head that is none.
        HeadRow {
            day: day.to_owned(),
            size: 0,
            root: String::new(),
            document: String::new(),
            signer: String::new(),
            signature: String::new(),
        }
    })
}

fn signed_head(
    signer: &Signer,
    day: &str,
    leaves: &[String],
    previous: Option<HeadRow>,
) -> Result<HeadRow, String> {
    let previous = previous.map(|head| PreviousHead {
        day: head.day,
        root: head.root,
        size: head.size,
    });
    let head = Head::of(day, leaves, previous).map_err(|e| e.to_string())?;
    let document = head.text().map_err(|e| e.to_string())?;
    let signed = signer.sign_head(head).map_err(|e| e.to_string())?;
    Ok(HeadRow {
        day: signed.head.day,
        size: signed.head.size,
        root: signed.head.root,
        document,
        signer: signed.signer,
        signature: signed.signature,
    })
}
