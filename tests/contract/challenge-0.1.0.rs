//! Everything that `proctor:challenge@0.1.0` has, used once.

use proctor_sdk::{
    Challenge, ChallengeError, Comparer, ComparisonLog, Context, Controller, Evaluation,
    HotkeyWeight, JsonSchema, Standing, Value, Weights,
};

#[derive(proctor_sdk::serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, crate = "proctor_sdk::serde")]
#[schemars(crate = "proctor_sdk::schemars")]
struct Settings {
    /// Additions of each submission.
    tasks: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { tasks: 3 }
    }
}

struct Sum(Settings);

impl Challenge for Sum {
    type Settings = Settings;
    const NAME: &'static str = "contract";
    const VERSION: &'static str = "0.1.0";
    const SUMMARY: &'static str = "Adds.";

    fn new(settings: Settings) -> Self {
        Sum(settings)
    }
}

impl Controller for Sum {
    type Task = [u64; 2];
    type Solution = u64;

    fn task_count(&self) -> u32 {
        self.0.tasks
    }

    fn make_task(&self, context: &Context<'_>, index: u32) -> Result<[u64; 2], ChallengeError> {
        Ok([context.seed(), u64::from(index)])
    }

    fn score(&self, task: &[u64; 2], solution: &u64) -> Result<f64, String> {
        let sum: u64 = task.iter().sum();
        Ok(if sum == *solution { 1.0 } else { 0.0 })
    }
}

impl Comparer for Sum {
    fn similarity(
        &self,
        _: &Context<'_>,
        candidate: &Evaluation,
        reference: &Evaluation,
    ) -> Result<ComparisonLog, ChallengeError> {
        let of = |evaluation: &Evaluation| -> Vec<Option<String>> {
            let logs = evaluation.scoring_logs.iter();
            logs.map(|log| log.solution.clone()).collect()
        };
        Ok(ComparisonLog {
            reference: reference.submission.digest.clone(),
            similarity: if of(candidate) == of(reference) {
                1.0
            } else {
                0.0
            },
            reason: None,
        })
    }
}

impl Weights for Sum {
    /// Each hotkey gets the number of calls that the database remembers, and of the time.
    fn get_weights(
        &self,
        context: &Context<'_>,
        standings: Vec<Standing>,
    ) -> Result<Vec<HotkeyWeight>, ChallengeError> {
        let failed = |error| ChallengeError::Internal(format!("{error:?}"));
        let database = context.database();
        database
            .execute("CREATE TABLE IF NOT EXISTS calls (at REAL)", &[])
            .map_err(failed)?;
        database
            .execute(
                "INSERT INTO calls VALUES (?1)",
                &[Value::Real(context.now())],
            )
            .map_err(failed)?;
        let rows = database
            .query("SELECT count(*), max(at) FROM calls", &[])
            .map_err(failed)?;
        let weight = match rows.rows.first().map(Vec::as_slice) {
            Some([Value::Integer(calls), Value::Real(at)]) => *calls as f64 + at,
            other => return Err(ChallengeError::Internal(format!("{other:?}"))),
        };
        let hotkeys = standings.into_iter().map(|one| one.commit.miner.hotkey);
        Ok(hotkeys
            .map(|hotkey| HotkeyWeight { hotkey, weight })
            .collect())
    }
}

proctor_sdk::export!(Sum: controller, comparer, weights);
