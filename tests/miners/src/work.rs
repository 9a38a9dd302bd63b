//! What a miner makes of a request.

use crate::complete::complete;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;

/// Makes an answer of the body of a request. Clones are the same.
#[derive(Clone)]
pub struct Work(Arc<Function>);

type Function = dyn Fn(&Value) -> Value + Send + Sync;

impl Work {
    /// Any function of the body.
    pub fn new(work: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Self {
        Work(Arc::new(work))
    }

    /// `{"echo": …}` of what the body has under `n`, or else under `x`; or else of all
    /// of it.
    #[must_use]
    pub fn echo() -> Self {
        Work::new(|body| {
            let value = body.get("n").or_else(|| body.get("x"));
            json!({"echo": value.unwrap_or(body)})
        })
    }

    /// `{"completion": …}` of the text under `prompt`: the rest of a proverb or of a
    /// sequence of the example plugin `completion`, or else the prompt again; at most
    /// `max_chars` of it, if the body says. `quality` is the part of its letters that
    /// are as they should be, 0 to 1; the others are the same for the same prompt.
    #[must_use]
    pub fn complete(quality: f64) -> Self {
        Work::new(move |body| {
            let prompt = body.get("prompt").and_then(Value::as_str);
            let text = complete(prompt.unwrap_or_default(), quality);
            let most = body.get("max_chars").and_then(Value::as_u64);
            let most = most.and_then(|most| usize::try_from(most).ok());
            let text: String = text.chars().take(most.unwrap_or(usize::MAX)).collect();
            json!({"completion": text})
        })
    }

    pub(crate) fn answer(&self, body: &Value) -> Value {
        (self.0)(body)
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Work")
    }
}
