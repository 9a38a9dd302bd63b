//! What the operator can set.

use proctor_sdk::ranking::{Acceptance, Screening};
use proctor_sdk::{JsonSchema, SettingsProblem, schemars};
use serde::Deserialize;
use std::collections::BTreeSet;

use crate::formula::HUMAN;

/// The most sessions of an order: each is a run of the submission.
const MAX_SESSIONS: u32 = 1_000;

/// Settings of the challenge. The defaults are the container's.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Settings {
    /// What drives the browsers.
    pub frameworks: Vec<Framework>,
    /// Sessions of each framework in a browser with a window.
    pub headed: u32,
    /// Sessions of each framework in a browser without one.
    pub headless: u32,
    /// Sessions of people.
    pub humans: u32,
    /// Whether the seed shuffles the sessions. If not, they are in the order of the
    /// frameworks, and whoever knows that need not look.
    pub shuffle: bool,
    /// Chance, 0 to 1, that a trace of a framework shows in a session.
    pub visible: f64,
    /// What is accepted.
    pub acceptance: Acceptance,
    /// What is held against a commit.
    pub screening: Screening,
}

/// A framework that drives browsers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "schemars")]
pub struct Framework {
    /// What submissions call it.
    pub name: String,
    /// How much recognizing it counts, beside the others. Above 0; default 1.
    #[serde(default = "one")]
    pub weight: f64,
    /// What a page can see of it. Some are left by several frameworks.
    #[serde(default)]
    pub traces: Vec<String>,
}

fn one() -> f64 {
    1.0
}

/// The container's frameworks and weights. The traces are invented: what real browsers
/// show has to be recorded.
const FRAMEWORKS: [(&str, f64, [&str; 3]); 8] = [
    (
        "seleniumbase",
        1.0,
        ["document.cdc", "navigator.webdriver", "stack.chromedriver"],
    ),
    (
        "seleniumdriverless",
        1.5,
        ["window.ret_nodes", "cdp.runtime", "mouse.exact"],
    ),
    ("pydoll", 2.0, ["keys.even", "cdp.fetch", "mouse.curve"]),
    (
        "patchright",
        2.0,
        ["world.isolated", "console.silent", "stack.evaluate"],
    ),
    (
        "zendriver",
        3.0,
        ["flags.lang", "cdp.target", "mouse.exact"],
    ),
    (
        "nodriver",
        2.0,
        ["flags.infobars", "cdp.target", "mouse.none"],
    ),
    (
        "botasaurus",
        3.0,
        ["referrer.google", "cdp.fetch", "stack.chromedriver"],
    ),
    (
        "puppeteerextra",
        1.5,
        ["stack.pptr", "plugins.mocked", "console.silent"],
    ),
];

impl Default for Settings {
    fn default() -> Self {
        let frameworks = FRAMEWORKS.map(|(name, weight, traces)| Framework {
            name: name.to_owned(),
            weight,
            traces: traces.map(str::to_owned).to_vec(),
        });
        Settings {
            frameworks: frameworks.to_vec(),
            headed: 1,
            headless: 1,
            humans: 3,
            shuffle: true,
            visible: 0.8,
            acceptance: Acceptance::default(),
            screening: Screening::default(),
        }
    }
}

impl Settings {
    /// How many sessions an order has.
    pub(crate) fn sessions(&self) -> u32 {
        let frameworks = u32::try_from(self.frameworks.len()).unwrap_or(u32::MAX);
        frameworks
            .saturating_mul(self.headed.saturating_add(self.headless))
            .saturating_add(self.humans)
    }

    pub(crate) fn weights(&self) -> Vec<(String, f64)> {
        let weigh = |framework: &Framework| (framework.name.clone(), framework.weight);
        self.frameworks.iter().map(weigh).collect()
    }

    pub(crate) fn problems(&self) -> Vec<SettingsProblem> {
        let mut problems = Vec::new();
        let mut problem = |path: &str, message: String| {
            problems.push(SettingsProblem {
                path: path.to_owned(),
                message,
            });
        };
        if self.frameworks.is_empty() {
            problem("frameworks", "there must be at least one".to_owned());
        }
        let mut names = BTreeSet::new();
        for (index, framework) in self.frameworks.iter().enumerate() {
            let path = |field: &str| format!("frameworks[{index}].{field}");
            let name = framework.name.as_str();
            if name.is_empty() || name == HUMAN {
                let message = format!("{name:?} cannot be the name of a framework");
                problem(&path("name"), message);
            } else if !names.insert(name) {
                problem(&path("name"), format!("{name:?} is there twice"));
            }
            if !(framework.weight > 0.0 && framework.weight <= 1e9) {
                let message = format!("{:?} is not above 0 and at most 1e9", framework.weight);
                problem(&path("weight"), message);
            }
        }
        if self.headed.saturating_add(self.headless) == 0 {
            problem(
                "headed",
                "headed and headless are both 0: no framework would run".to_owned(),
            );
        } else if self.sessions() > MAX_SESSIONS {
            let message = format!(
                "an order has {} sessions, and may have {MAX_SESSIONS}",
                self.sessions()
            );
            problem("headed", message);
        }
        if !(0.0..=1.0).contains(&self.visible) {
            problem("visible", format!("{} is not in 0..=1", self.visible));
        }
        problems
    }
}
