//! The task that owns submitting, and how it is asked.

use super::consider::Remembered;
use super::planning::plan_without_hotkey;
use super::work::{Order, Watched, Work};
use super::{Parts, Plan, SubmissionError, offline_plan};
use crate::chain::client::H256;
use crate::chain::client::{AtBlock, Chain, Progress};
use crate::chain::error::ChainError;
use crate::store::{AskedBy, SubmissionKey, SubmissionRow};
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use std::future::pending;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// How long it waits before it asks an endpoint again that answered with an error. Of
/// those that do not answer the chain itself waits.
const PAUSE: Duration = Duration::from_secs(5);

/// Asks the task that submits. Clones ask the same one.
#[derive(Debug, Clone)]
pub struct Submitter {
    asks: mpsc::Sender<Ask>,
    looked_at: watch::Receiver<u64>,
}

/// The other end of a [`Submitter`]; to be given to [`run`].
#[derive(Debug)]
pub struct Asks {
    asks: mpsc::Receiver<Ask>,
    looked_at: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ask {
    dry_run: bool,
    answer: oneshot::Sender<Result<Answer, SubmissionError>>,
}

/// What was asked for.
#[derive(Debug)]
pub struct Answer {
    /// What is sent, or would be.
    pub plan: Plan,
    /// The submission; none of a dry run.
    pub submission: Option<SubmissionRow>,
}

/// Both ends of how the task is asked.
#[must_use]
pub fn channel() -> (Submitter, Asks) {
    let (sender, receiver) = mpsc::channel(8);
    let looked_at = watch::Sender::new(0);
    let submitter = Submitter {
        asks: sender,
        looked_at: looked_at.subscribe(),
    };
    let asks = Asks {
        asks: receiver,
        looked_at,
    };
    (submitter, asks)
}

impl Submitter {
    /// What would be submitted now, and what the chain would say. Changes nothing, here
    /// or on the chain. Asks the chain some thirty questions.
    ///
    /// # Errors
    ///
    /// See [`SubmissionError`].
    pub async fn plan(&self) -> Result<Plan, SubmissionError> {
        Ok(self.ask(true).await?.plan)
    }

    /// Submits the current vector now, whatever the schedule says and whether or not
    /// `weights.submit` is set. Returns when a node has it, or may have it: what becomes
    /// of it is told by the row.
    ///
    /// # Errors
    ///
    /// See [`SubmissionError`]; nothing was sent then, but for
    /// [`SubmissionError::Rejected`].
    pub async fn submit(&self) -> Result<Answer, SubmissionError> {
        self.ask(false).await
    }

    /// The number of the last finalized block that was looked at; 0 before the first.
    #[must_use]
    pub fn looked_at(&self) -> watch::Receiver<u64> {
        self.looked_at.clone()
    }

    async fn ask(&self, dry_run: bool) -> Result<Answer, SubmissionError> {
        let (answer, answered) = oneshot::channel();
        let asked = self.asks.send(Ask { dry_run, answer }).await;
        asked.map_err(|_| SubmissionError::Stopped)?;
        answered.await.map_err(|_| SubmissionError::Stopped)?
    }
}

type Blocks = BoxStream<'static, Result<(u64, H256), ChainError>>;

struct Task {
    parts: Parts,
    /// None until the chain was reached, or without a chain or a hotkey.
    work: Option<Work>,
    /// What a node says of the open submission.
    watched: Option<(i64, Watched)>,
    remembered: Remembered,
}

/// Submits until `stop` is cancelled, and answers what is asked. Wherever it is cut off,
/// the next one goes on from there.
pub async fn run(parts: Parts, mut asks: Asks, stop: CancellationToken) {
    let chain = parts.chain.clone().filter(|_| parts.hotkey.is_some());
    if parts.config.weights.submit && chain.is_none() {
        let why = match parts.chain {
            None => SubmissionError::Offline,
            Some(_) => SubmissionError::NoHotkey,
        };
        tracing::warn!("weights.submit is set, and nothing can be submitted: {why}");
    }
    let mut task = Task {
        parts,
        work: None,
        watched: None,
        remembered: Remembered::default(),
    };
    let mut blocks: Option<Blocks> = None;
    loop {
        let turn = async {
            tokio::select! {
                ask = asks.asks.recv() => match ask {
                    Some(ask) => task.answer(ask).await,
                    // Nobody can ask any more.
                    None => pending().await,
                },
                (number, hash) = next_block(chain.as_ref(), &mut blocks) => {
                    task.block(hash).await;
                    asks.looked_at.send_replace(number);
                }
                progress = next_progress(&mut task.watched) => task.progress(progress).await,
            }
        };
        if stop.run_until_cancelled(turn).await.is_none() {
            return;
        }
    }
}

/// The newest finalized block that was not seen yet; never, without a chain.
async fn next_block(chain: Option<&Chain>, blocks: &mut Option<Blocks>) -> (u64, H256) {
    let Some(chain) = chain else {
        return pending().await;
    };
    loop {
        let stream = match blocks {
            Some(stream) => stream,
            None => match chain.finalized_blocks().await {
                Ok(stream) => blocks.insert(stream),
                Err(error) => {
                    tracing::warn!(%error, "finalized blocks cannot be followed");
                    if !error.is_connection() {
                        tokio::time::sleep(PAUSE).await;
                    }
                    continue;
                }
            },
        };
        let mut newest = match stream.next().await {
            Some(Ok(block)) => block,
            Some(Err(error)) => {
                tracing::warn!(%error, "finalized blocks cannot be followed");
                continue;
            }
            None => {
                *blocks = None;
                continue;
            }
        };
        while let Some(Some(Ok(block))) = stream.next().now_or_never() {
            newest = block;
        }
        return newest;
    }
}

async fn next_progress(
    watched: &mut Option<(i64, Watched)>,
) -> Option<(i64, Result<Progress, ChainError>)> {
    match watched {
        Some((id, stream)) => {
            let id = *id;
            stream.next().await.map(|progress| (id, progress))
        }
        None => pending().await,
    }
}

impl Task {
    /// The work, as soon as the chain was reached.
    async fn work(&mut self, chain: &Chain) -> Result<&Work, SubmissionError> {
        if self.work.is_none() {
            let hotkey = self.parts.hotkey.clone();
            let hotkey = hotkey.ok_or(SubmissionError::NoHotkey)?;
            let key = SubmissionKey {
                genesis: hex::encode(chain.genesis_hash().await?),
                netuid: self.parts.subnet.metagraph().netuid(),
                mechanism: self.parts.config.chain.mechanism,
                hotkey: hotkey.address().to_owned(),
            };
            self.work = Some(Work {
                parts: self.parts.clone(),
                chain: chain.clone(),
                account: hotkey.public_key(),
                hotkey,
                key,
            });
        }
        self.work.as_ref().ok_or(SubmissionError::NoHotkey)
    }

    async fn block(&mut self, hash: H256) {
        if let Err(error) = self.look(hash).await {
            let code = error.code();
            tracing::warn!(%error, code, "weights: looking again at the next block");
        }
    }

    /// What is to be done at each finalized block.
    async fn look(&mut self, hash: H256) -> Result<(), SubmissionError> {
        let Some(chain) = self.parts.chain.clone() else {
            return Ok(());
        };
        let submits = self.parts.config.weights.submit;
        let key = self.work(&chain).await?.key.clone();
        let store = self.parts.store.clone();
        let open = store.open_submission(key.clone()).await?;
        let is_idle = open.is_none() && store.unseen_submissions(key.clone()).await?.is_empty();
        if is_idle && !submits {
            return Ok(());
        }
        let work = self.work(&chain).await?;
        let tip = work.at(hash).await?;
        if let Some(open) = open {
            self.resolve(&chain, &open, &tip).await?;
        }
        let work = self.work(&chain).await?;
        match work.confirm(&tip).await {
            Ok(Some(watched)) => self.watched = Some(watched),
            Ok(None) => {}
            // The next submission does not wait for the last one to be seen.
            Err(error) => {
                tracing::warn!(%error, code = error.code(), "weights: not confirmed yet");
            }
        }
        let is_open = store.open_submission(key.clone()).await?.is_some();
        if !is_open && submits {
            let work = self.work.as_ref().ok_or(SubmissionError::NoHotkey)?;
            let watched = work.consider(&mut self.remembered, &tip).await?;
            self.watched = watched.or(self.watched.take());
        }
        let is_open = store.open_submission(key).await?.is_some();
        self.parts.metrics.set_submission_open(is_open);
        Ok(())
    }

    /// Finds out what became of the open submission, and sends it once more if no node
    /// seems to have it.
    async fn resolve(
        &mut self,
        chain: &Chain,
        open: &SubmissionRow,
        tip: &AtBlock,
    ) -> Result<(), SubmissionError> {
        let may_send = self.may_send(open);
        let work = self.work(chain).await?;
        if work.resolve(open, tip).await? {
            self.watched = None;
            return Ok(());
        }
        // What is watched may have been lost as well, without a word.
        if may_send && let Some(watched) = work.send_again(open).await? {
            self.watched = Some((open.id, watched));
        }
        Ok(())
    }

    /// Whether an open submission may be given away: what never was is not wanted any
    /// more once the operator says so, or while the metagraph is stale.
    fn may_send(&self, open: &SubmissionRow) -> bool {
        let wanted = self.parts.config.weights.submit || open.new.asked_by == AskedBy::Operator;
        let is_fresh = self.parts.check_fresh(self.parts.now()).is_ok();
        open.sends > 0 || (wanted && is_fresh)
    }

    async fn progress(&mut self, progress: Option<(i64, Result<Progress, ChainError>)>) {
        let (id, progress) = match progress {
            Some((id, Ok(progress))) => (id, progress),
            Some((submission, Err(error))) => {
                tracing::info!(submission, %error, "a submission is not followed any more");
                self.watched = None;
                return;
            }
            None => {
                self.watched = None;
                return;
            }
        };
        if progress.is_last() {
            self.watched = None;
        }
        if let Some(work) = &self.work
            && let Err(error) = work.note(id, progress).await
        {
            tracing::error!(submission = id, %error, "what a node says was not noted");
        }
    }

    async fn answer(&mut self, ask: Ask) {
        // Who is not there any more does not expect that anything is sent.
        if ask.answer.is_closed() {
            return;
        }
        let answer = match ask.dry_run {
            true => self.plan().await.map(|plan| Answer {
                plan,
                submission: None,
            }),
            false => self.submit().await,
        };
        // Whoever asked may have gone.
        let _ = ask.answer.send(answer);
    }

    async fn plan(&mut self) -> Result<Plan, SubmissionError> {
        let vector = self.parts.vector()?;
        let Some(chain) = self.parts.chain.clone() else {
            return offline_plan(&self.parts, &vector, self.parts.now());
        };
        if self.parts.hotkey.is_none() {
            return plan_without_hotkey(&self.parts, &chain, &vector).await;
        }
        let work = self.work(&chain).await?;
        let tip = work.chain.at_finalized().await?;
        Ok(work.plan(&vector, &tip).await?.plan)
    }

    async fn submit(&mut self) -> Result<Answer, SubmissionError> {
        let chain = self.parts.chain.clone().ok_or(SubmissionError::Offline)?;
        let vector = self.parts.vector()?;
        self.parts.check_fresh(self.parts.now())?;
        let store = self.parts.store.clone();
        let work = self.work(&chain).await?;
        let key = work.key.clone();
        let tip = work.chain.at_finalized().await?;
        if let Some(open) = store.open_submission(key.clone()).await? {
            self.resolve(&chain, &open, &tip).await?;
        }
        if let Some(open) = store.open_submission(key).await? {
            return Err(SubmissionError::Open(open.id));
        }
        let work = self.work(&chain).await?;
        let planned = work.plan(&vector, &tip).await?;
        if planned.plan.refused.is_some() {
            return Err(SubmissionError::WouldRefuse(Box::new(planned.plan)));
        }
        let order = Order {
            draft: planned.draft,
            asked_by: AskedBy::Operator,
            vector: &vector.digest,
            commit: None,
            uid: planned.plan.signer.uid.unwrap_or_default(),
        };
        let (id, watched) = work.submit(order, &tip, &planned.best).await?;
        self.watched = watched.map(|watched| (id, watched));
        self.parts.metrics.set_submission_open(true);
        Ok(Answer {
            plan: planned.plan,
            submission: store.submission(id).await?,
        })
    }
}
