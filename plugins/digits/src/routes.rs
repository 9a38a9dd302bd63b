//! The routes, below `/challenges/{slug}`.

mod page;

use crate::{Digits, Solution, Task};
use digits_data::train;
use proctor_sdk::http::{self, HeaderValue, Method, StatusCode, header};
use proctor_sdk::rand::RngExt;
use proctor_sdk::rand::seq::IndexedRandom;
use proctor_sdk::routes::{Body, Problem, Request, Response, Routes, Submitted, upload, verified};
use proctor_sdk::{Challenge, Context, Standing};
use serde::Serialize;
use std::time::Duration;

/// Images in a sample.
const SAMPLE: usize = 10;

/// Bytes of a submission: a component starts with eight, and one that has learned
/// from 1,198 images of 64 bytes need not be large.
const ARTIFACT_BYTES: std::ops::RangeInclusive<u64> = 8..=8 << 20;

/// How often an event stream shows that it is there. Proxies close connections on
/// which nothing happens, many after 30 or 60 seconds.
const HEARTBEAT: Duration = Duration::from_secs(15);

impl Routes for Digits {
    fn handle(&self, context: &Context<'_>, request: Request) -> Result<Response, Problem> {
        let (route, methods): (Route, &[Method]) = match request.uri().path() {
            "/" => (page, &READ),
            "/leaderboard" => (leaderboard, &READ),
            "/leaderboard/events" => (leaderboard_events, &READ),
            "/tasks/sample" => (sample, &READ),
            "/submissions" => (submit, &[Method::POST]),
            _ => return Err(Problem::not_found()),
        };
        if !methods.contains(request.method()) {
            return Err(Problem::method_not_allowed(methods));
        }
        route(context, &request)
    }
}

type Route = fn(&Context<'_>, &Request) -> Result<Response, Problem>;

/// The host does not send the body of an answer to HEAD.
const READ: [Method; 2] = [Method::GET, Method::HEAD];

/// The leaderboard for people.
fn page(context: &Context<'_>, request: &Request) -> Result<Response, Problem> {
    let slug = request.headers().get("x-proctor-challenge");
    let slug = slug.and_then(|slug| slug.to_str().ok());
    let nonce = format!("{:032x}", context.rng(0).random::<u128>());
    let rows = rows(context.standings());
    let html = page::html(slug.unwrap_or(Digits::NAME), &nonce, &rows);
    Ok(http::Response::builder()
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::CONTENT_SECURITY_POLICY, page::policy(&nonce))
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::REFERRER_POLICY, "no-referrer")
        .body(html.into())?)
}

/// One miner on the leaderboard. Addresses and coldkeys are nobody's business.
#[derive(Debug, Serialize)]
struct Row {
    rank: usize,
    uid: u16,
    hotkey: String,
    score: f64,
    digest: String,
    committed_at: f64,
    scored_at: f64,
}

fn rows(standings: Vec<Standing>) -> Vec<Row> {
    let row = |(rank, standing): (usize, Standing)| Row {
        rank,
        uid: standing.commit.miner.uid,
        hotkey: standing.commit.miner.hotkey,
        score: standing.score,
        digest: standing.commit.submission.digest,
        committed_at: standing.commit.committed_at,
        scored_at: standing.scored_at,
    };
    (1..).zip(standings).map(row).collect()
}

/// The leaderboard for programs.
#[derive(Debug, Serialize)]
struct Leaderboard {
    standings: Vec<Row>,
}

impl Leaderboard {
    fn of(context: &Context<'_>) -> Self {
        Leaderboard {
            standings: rows(context.standings()),
        }
    }
}

fn leaderboard(context: &Context<'_>, _: &Request) -> Result<Response, Problem> {
    json(StatusCode::OK, &Leaderboard::of(context))
}

/// Sends the leaderboard, which does not change during a call, and then shows every
/// few seconds that it is there, until the host ends the call or the client leaves.
/// A client that connects again, as `EventSource` does by itself, gets the next one.
fn leaderboard_events(context: &Context<'_>, _: &Request) -> Result<Response, Problem> {
    let leaderboard = serde_json::to_string(&Leaderboard::of(context))
        .map_err(|e| Problem::internal(e.to_string()))?;
    let events = Body::events(move |out| {
        out.event("leaderboard", &leaderboard)?;
        loop {
            out.sleep(HEARTBEAT)?;
            out.comment("still here")?;
        }
    });
    Ok(http::Response::builder()
        .header(header::CACHE_CONTROL, "no-store")
        .body(events)?)
}

/// A task with what would be its solution.
#[derive(Debug, Serialize)]
struct Sample {
    task: Task,
    solution: Solution,
}

/// Draws from the images that miners train on, never from those that score, by the
/// seed of this request.
fn sample(context: &Context<'_>, _: &Request) -> Result<Response, Problem> {
    let images: Vec<_> = train().collect();
    let (images, labels) = images
        .sample(&mut context.rng(0), SAMPLE)
        .map(|(image, label)| (image.to_vec(), *label))
        .unzip();
    let sample = Sample {
        task: Task { images },
        solution: Solution { labels },
    };
    json(StatusCode::OK, &sample)
}

/// What became of a submission.
#[derive(Debug, Serialize)]
struct Receipt {
    id: u64,
    day: String,
    known: bool,
    artifact: String,
}

fn submit(context: &Context<'_>, request: &Request) -> Result<Response, Problem> {
    verified(request).ok_or_else(Problem::not_signed)?;
    let bad = |code, detail: String| Problem::new(StatusCode::BAD_REQUEST, code, detail);
    let artifact = upload(request).ok_or_else(|| {
        let detail = "send a component (application/wasm) as the body";
        bad("no_upload", detail.to_owned())
    })?;
    if !ARTIFACT_BYTES.contains(&artifact.size) {
        let (least, most) = (ARTIFACT_BYTES.start(), ARTIFACT_BYTES.end());
        let detail = format!(
            "a component has {least} to {most} bytes, not {}",
            artifact.size
        );
        return Err(bad("artifact_size", detail));
    }
    let Submitted { id, day, known } = context.submit(&artifact.reference)?;
    let receipt = Receipt {
        id,
        day,
        known,
        artifact: artifact.reference,
    };
    json(StatusCode::ACCEPTED, &receipt)
}

fn json<T: Serialize>(status: StatusCode, value: &T) -> Result<Response, Problem> {
    let mut response = Response::new(Body::json(value)?);
    *response.status_mut() = status;
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    Ok(response)
}

#[cfg(test)]
mod tests;
