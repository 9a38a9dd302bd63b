//! The order of the sessions, and what a page sees of each.

use proctor_sdk::Context;
use proctor_sdk::rand::RngExt;
use proctor_sdk::rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::Settings;
use crate::formula::{HUMAN, Session};

/// What a submission gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Number of the session, from 0.
    pub session: u32,
    /// What the page saw, in no order that means anything.
    pub signals: Vec<String>,
}

/// What every browser shows.
const COMMON: [&str; 4] = ["webgl.angle", "languages.two", "audio.44100", "fonts.many"];
/// What a browser without a window may show.
const HEADLESS: [&str; 3] = ["gpu.software", "screen.800x600", "window.flat"];

/// The stream of the seed that shuffles. The others belong to one session each.
const SHUFFLE: u64 = u64::MAX;

/// The order of an evaluation: a function of seed and settings.
pub(crate) fn order(settings: &Settings, context: &Context<'_>) -> Vec<Session> {
    let session = |visitor: &str, headless| Session {
        visitor: visitor.to_owned(),
        headless,
    };
    let mut order = Vec::new();
    for framework in &settings.frameworks {
        let headed = (0..settings.headed).map(|_| false);
        let modes = headed.chain((0..settings.headless).map(|_| true));
        order.extend(modes.map(|headless| session(&framework.name, Some(headless))));
    }
    order.extend((0..settings.humans).map(|_| session(HUMAN, None)));
    if settings.shuffle {
        order.shuffle(&mut context.rng(SHUFFLE));
    }
    order
}

/// What the submission may know of a session.
pub(crate) fn task(
    settings: &Settings,
    context: &Context<'_>,
    index: u32,
    session: &Session,
) -> Task {
    let mut rng = context.rng(index.into());
    let framework = settings.frameworks.iter();
    let framework = framework.filter(|framework| framework.name == session.visitor);
    let traces = framework.flat_map(|framework| framework.traces.iter().map(String::as_str));
    let headless = HEADLESS
        .into_iter()
        .filter(|_| session.headless == Some(true));
    let mut signals: Vec<String> = traces
        .chain(headless)
        .filter(|_| rng.random_bool(settings.visible))
        .chain(COMMON)
        .map(str::to_owned)
        .collect();
    signals.shuffle(&mut rng);
    Task {
        session: index,
        signals,
    }
}
