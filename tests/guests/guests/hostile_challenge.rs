//! A challenge that does what its settings say: `in` names the export, `do` what
//! happens there ([`Act`], or one of the acts below), and other fields what is
//! answered.
#![allow(
    clippy::indexing_slicing,
    reason = "a field that is not there reads as null"
)]

use hostile_guests::Act;
use proctor_sdk::{
    Challenge, ChallengeError, Comparer, ComparisonLog, Context, Controller, DatabaseError,
    Evaluated, Evaluation, HotkeyWeight, ScoringLog, SettingsProblem, SolveError, Standing,
    Submission, Verdict, Weights,
};
use serde_json::{Value, json};

struct Hostile(Value);

impl Challenge for Hostile {
    type Settings = Value;
    const NAME: &'static str = "hostile";
    const VERSION: &'static str = "0.1.0";

    fn new(settings: Value) -> Self {
        Hostile(settings)
    }

    fn check_settings(settings: &Value) -> Vec<SettingsProblem> {
        perform(settings, "validate-settings", None);
        Vec::new()
    }
}

/// Does what the settings want done in `export`.
fn perform(settings: &Value, export: &str, context: Option<&Context<'_>>) -> Value {
    if settings["in"] != export {
        return Value::Null;
    }
    let list = |field: &str| settings[field].as_array().cloned().unwrap_or_default();
    match (settings["do"].as_str(), context) {
        (None, _) => Value::Null,
        (Some("sql"), Some(context)) => list("steps").iter().map(|s| sql(context, s)).collect(),
        (Some("flood-copies"), Some(context)) => flood_copies(context),
        (Some("solve"), Some(context)) => list("tasks").iter().map(|t| solve(context, t)).collect(),
        _ => match serde_json::from_value::<Act>(settings.clone()) {
            Ok(act) => act.perform(),
            Err(error) => json!({"settings": error.to_string()}),
        },
    }
}

/// Runs a statement: a query if it starts as one.
fn sql(context: &Context<'_>, step: &Value) -> Value {
    let sql = step.as_str().unwrap_or_default();
    let word = sql
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase();
    let result = match word.as_str() {
        "SELECT" | "WITH" | "PRAGMA" => context
            .database()
            .query(sql, &[])
            .map(|found| json!({"rows": found.rows.iter().map(|row| format!("{row:?}")).collect::<Vec<_>>()})),
        _ => context.database().execute(sql, &[]).map(|changed| json!({"changed": changed})),
    };
    let error = |code: &str, message: &str| json!({"error": code, "message": message});
    result.unwrap_or_else(|e| match e {
        DatabaseError::Denied(why) => error("denied", &why),
        DatabaseError::Invalid(why) => error("invalid", &why),
        DatabaseError::Constraint(why) => error("constraint", &why),
        DatabaseError::Full => error("full", ""),
        DatabaseError::Timeout => error("timeout", ""),
        DatabaseError::TooLarge => error("too-large", ""),
        DatabaseError::Unavailable(why) => error("unavailable", &why),
    })
}

/// Hands the host a large text again and again, which it copies and refuses.
fn flood_copies(context: &Context<'_>) -> Value {
    let sql = "x".repeat(8 << 20);
    while std::hint::black_box(true) {
        let _ = context.database().execute(&sql, &[]);
    }
    Value::Null
}

fn solve(context: &Context<'_>, task: &Value) -> Value {
    match context.solve(&task.to_string()) {
        Ok(solution) => json!({"solution": solution}),
        Err(SolveError::Failed(failure)) => {
            json!({"failed": format!("{:?}", failure.code), "message": failure.message})
        }
        Err(SolveError::Unavailable(why)) => json!({"unavailable": why}),
    }
}

/// A number that JSON may have no way to write, such as `"NaN"`.
fn number(value: &Value, default: f64) -> f64 {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

fn text(value: &Value, default: &str) -> String {
    value.as_str().unwrap_or(default).to_owned()
}

impl Controller for Hostile {
    type Task = Value;
    type Solution = Value;

    fn task_count(&self) -> u32 {
        1
    }

    fn make_task(&self, _: &Context<'_>, _: u32) -> Result<Value, ChallengeError> {
        Ok(Value::Null)
    }

    fn score(&self, _: &Value, _: &Value) -> Result<f64, String> {
        Ok(1.0)
    }

    fn evaluate(
        &self,
        context: &Context<'_>,
        _: &Submission,
        _: Vec<String>,
    ) -> Result<Vec<ScoringLog>, ChallengeError> {
        let Hostile(settings) = self;
        let seen = perform(settings, "evaluate", Some(context));
        match settings["fail"].as_str() {
            Some("invalid-submission") => {
                return Err(ChallengeError::InvalidSubmission("bad".into()));
            }
            Some("unavailable") => return Err(ChallengeError::Unavailable("later".into())),
            Some("internal") => return Err(ChallengeError::Internal("broken".into())),
            _ => {}
        }
        let log = ScoringLog {
            task: text(&settings["task"], &seen.to_string()),
            solution: settings["solution"].as_str().map(str::to_owned),
            score: number(&settings["score"], 1.0),
            baseline_score: None,
            error: None,
        };
        Ok(vec![log; settings["logs"].as_u64().unwrap_or(1) as usize])
    }

    fn judge(&self, context: &Context<'_>, _: &Evaluated) -> Result<Verdict, ChallengeError> {
        let seen = perform(&self.0, "judge", Some(context));
        Ok(Verdict {
            score: number(&self.0["score"], 1.0),
            penalty: number(&self.0["penalty"], 0.0),
            accepted: true,
            reason: Some(seen.to_string()),
        })
    }
}

impl Comparer for Hostile {
    fn similarity(
        &self,
        context: &Context<'_>,
        _: &Evaluation,
        reference: &Evaluation,
    ) -> Result<ComparisonLog, ChallengeError> {
        let seen = perform(&self.0, "compare", Some(context));
        Ok(ComparisonLog {
            reference: text(&self.0["reference"], &reference.submission.digest),
            similarity: number(&self.0["similarity"], 0.0),
            reason: Some(seen.to_string()),
        })
    }
}

impl Weights for Hostile {
    fn get_weights(
        &self,
        context: &Context<'_>,
        standings: Vec<Standing>,
    ) -> Result<Vec<HotkeyWeight>, ChallengeError> {
        perform(&self.0, "get-weights", Some(context));
        let weight = number(&self.0["weight"], 1.0);
        let mut weights: Vec<HotkeyWeight> = standings
            .into_iter()
            .map(|standing| HotkeyWeight {
                hotkey: standing.commit.miner.hotkey,
                weight,
            })
            .collect();
        if let Some(hotkey) = self.0["hotkey"].as_str() {
            weights.push(HotkeyWeight {
                hotkey: hotkey.to_owned(),
                weight,
            });
        }
        Ok(weights)
    }
}

proctor_sdk::export!(Hostile: controller, comparer, weights);
