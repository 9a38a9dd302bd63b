//! A submission to `ab-sniffer`: one trace gives each framework away.
//!
//! It knows nothing of traces that several frameworks leave, so what hides its one trace
//! is taken for a person.

use proctor_sdk::Solver;
use serde::{Deserialize, Serialize};

/// What a page saw.
#[derive(Debug, Deserialize)]
pub struct Task {
    signals: Vec<String>,
}

/// Who is taken for the visitor.
#[derive(Debug, Serialize)]
pub struct Solution {
    detected: Vec<&'static str>,
    headless: bool,
}

const TELLING: [(&str, &str); 8] = [
    ("document.cdc", "seleniumbase"),
    ("window.ret_nodes", "seleniumdriverless"),
    ("keys.even", "pydoll"),
    ("world.isolated", "patchright"),
    ("flags.lang", "zendriver"),
    ("flags.infobars", "nodriver"),
    ("referrer.google", "botasaurus"),
    ("stack.pptr", "puppeteerextra"),
];
const HEADLESS: [&str; 3] = ["gpu.software", "screen.800x600", "window.flat"];

/// The submission.
#[derive(Debug)]
pub struct OneTrace;

impl Solver for OneTrace {
    type Task = Task;
    type Solution = Solution;

    fn solve(task: Task) -> Result<Solution, String> {
        let saw = |signal: &str| task.signals.iter().any(|seen| seen == signal);
        let telling = TELLING.into_iter().filter(|(trace, _)| saw(trace));
        Ok(Solution {
            detected: telling.map(|(_, framework)| framework).collect(),
            headless: HEADLESS.into_iter().any(saw),
        })
    }
}

proctor_sdk::export_solver!(OneTrace);
