//! What happens, as it happens: server-sent events that can be resumed.

use super::App;
use super::params::Params;
use super::problem::{Problem, ProblemDetails};
use crate::metrics::Metrics;
use crate::store;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::unfold;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// Events that are read at a time, and that a slow reader holds in memory.
const PAGE: u32 = 100;

/// What nobody tells of is seen within this time.
const LOOK: Duration = Duration::from_secs(1);

const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Query of `GET /v1/events`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// The number of the last event that was seen; `Last-Event-ID` wins. Default:
    /// begin with what comes next.
    #[param(value_type = Option<u64>)]
    after: Option<String>,
}

/// Follow what happens, as server-sent events
///
/// Each event has a number as its `id`, one more than the one before, and JSON as
/// its `data`, with `at` (seconds since the Unix epoch) and `challenge`:
///
/// - `scored`: a submission was evaluated. `encrypted_commit`, `miner_uid`,
///   `miner_hotkey`, `artifact`, `outcome`, `tasks`.
/// - `compared`: it was compared with earlier ones. `encrypted_commit`, `miner_uid`,
///   `miner_hotkey`, `references`, `max_similarity`.
/// - `finalized`: a day of a challenge is final, scores and weights are there.
///   `day`, `commits`, `accepted`.
/// - `contradicted`: no validator came to an evaluation's result. `assignment`,
///   `artifact_digest`, `attempts`.
/// - `weights_submitted`: a finalized block has this host's weights. `submission`,
///   `kind`, `state`, `netuid`, `mechanism`, `hotkey`, `vector`, `block`. In this and
///   the next two `challenge` is empty.
/// - `weights_rejected`: they were refused, failed, expired or are not on chain; with
///   `outcome`, the chain's name of the error.
/// - `weights_late`: an epoch ended, or is about to, without them. `netuid`,
///   `mechanism`, `hotkey`, `block`, `next_epoch_block`.
/// - `gap`: some that were asked for are not kept any more, or never happened
///   here. `first` is the number of the event that comes next: read the results
///   anew.
///
/// Who begins without a number gets one first, in an `id` without data. Comments
/// come every 15 seconds.
#[utoipa::path(
    get,
    path = "/v1/events",
    operation_id = "follow_events",
    tag = "events",
    params(
        EventsQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "The number of the last event \
            that was seen; browsers send it by themselves"),
    ),
    responses(
        (status = 200, body = String, content_type = "text/event-stream",
            description = "Events, until somebody ends it"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_event_id`, `invalid_query`"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`overloaded`: there are as many streams as there may be; `unavailable`"),
    ),
)]
pub(super) async fn follow(
    State(app): State<App>,
    headers: HeaderMap,
    Params(query): Params<EventsQuery>,
) -> Result<impl IntoResponse, Problem> {
    // A browser that comes again has the old query and the new header.
    let seen = match headers.get("last-event-id") {
        Some(header) => Some(header.to_str().unwrap_or("?")),
        None => query.after.as_deref(),
    };
    let seen = seen.map(number).transpose()?;
    let place = Arc::clone(&app.0.streams).try_acquire_owned();
    let place = place.map_err(|_| {
        let detail = "there are as many streams of events as there may be";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail)
    })?;
    let (first, last) = app.store.event_bounds().await?;
    let (after, gap) = begin(seen, first, last);
    let told = match (seen, gap) {
        (_, true) => Some(gap_before(after)),
        (None, false) => Some(Event::default().id(after.to_string())),
        (Some(_), false) => None,
    };
    let stream = Following {
        told,
        after,
        page: VecDeque::new(),
        changes: app.results().changes(),
        _open: Open::new(Arc::clone(&app.metrics), place),
        app,
    };
    let stream = unfold(stream, |stream| stream.next());
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    // Some proxies would keep events back to send them together.
    let unbuffered = [("x-accel-buffering", "no")];
    Ok((unbuffered, Sse::new(stream).keep_alive(keep_alive)))
}

fn number(text: &str) -> Result<i64, Problem> {
    let number = text.parse().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| {
        let detail = "what was last seen is not the number of an event";
        Problem::bad_request("invalid_event_id", detail)
    })
}

/// After which event a stream begins, and whether the reader missed some. `first`
/// is the first that is kept, `last` the last that happened.
fn begin(seen: Option<i64>, first: i64, last: i64) -> (i64, bool) {
    match seen {
        None => (last, false),
        // Of a database that there is no more: what happened since is not known.
        Some(seen) if seen > last => (last, true),
        Some(seen) if seen < first - 1 => (first - 1, true),
        Some(seen) => (seen, false),
    }
}

fn gap_before(after: i64) -> Event {
    let first = json!({ "first": after.saturating_add(1) });
    Event::default()
        .event("gap")
        .id(after.to_string())
        .data(first.to_string())
}

fn event(event: store::Event) -> Event {
    let mut data = Map::new();
    data.insert("at".into(), event.at.into());
    data.insert("challenge".into(), event.challenge.into());
    if let Ok(Value::Object(details)) = serde_json::from_str(&event.data) {
        data.extend(details);
    }
    Event::default()
        .event(event.kind)
        .id(event.id.to_string())
        .data(Value::Object(data).to_string())
}

/// One stream. It reads on only when its reader has taken what was read.
struct Following {
    app: App,
    /// What is told first.
    told: Option<Event>,
    /// The last event that was told.
    after: i64,
    page: VecDeque<store::Event>,
    changes: watch::Receiver<u64>,
    _open: Open,
}

impl Following {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        if let Some(told) = self.told.take() {
            return Some((Ok(told), self));
        }
        loop {
            if self.app.0.stop.is_cancelled() {
                return None;
            }
            if let Some(next) = self.page.front() {
                // A slow reader may have been overtaken by what is forgotten.
                if next.id != self.after + 1 {
                    self.after = next.id - 1;
                    return Some((Ok(gap_before(self.after)), self));
                }
                self.after = next.id;
                let next = self.page.pop_front()?;
                return Some((Ok(event(next)), self));
            }
            self.changes.mark_unchanged();
            match self.app.store.events_after(self.after, PAGE).await {
                Ok(page) if !page.is_empty() => self.page = page.into(),
                Ok(_) => self.wait().await,
                Err(error) => {
                    tracing::warn!(%error, "a stream of events ends");
                    return None;
                }
            }
        }
    }

    async fn wait(&mut self) {
        tokio::select! {
            () = self.app.0.stop.cancelled() => {}
            Ok(()) = self.changes.changed() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// The place of a stream, counted while it is taken.
struct Open {
    metrics: Arc<Metrics>,
    _place: OwnedSemaphorePermit,
}

impl Open {
    fn new(metrics: Arc<Metrics>, place: OwnedSemaphorePermit) -> Self {
        metrics.event_streams(1);
        Open {
            metrics,
            _place: place,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.metrics.event_streams(-1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_begins_after_what_was_seen() {
        assert_eq!(begin(Some(7), 5, 9), (7, false));
        assert_eq!(begin(Some(9), 5, 9), (9, false));
        assert_eq!(begin(None, 5, 9), (9, false), "with what comes next");
        assert_eq!(begin(Some(4), 5, 9), (4, false), "the next is kept");
    }

    #[test]
    fn who_missed_events_is_told() {
        assert_eq!(begin(Some(3), 5, 9), (4, true));
        assert_eq!(begin(Some(0), 5, 9), (4, true));
        assert_eq!(begin(Some(10), 5, 9), (9, true), "a restored database");
    }

    #[test]
    fn nothing_is_missing_where_nothing_happened_or_all_is_forgotten() {
        assert_eq!(begin(None, 1, 0), (0, false));
        assert_eq!(begin(Some(0), 1, 0), (0, false));
        assert_eq!(begin(Some(5), 6, 5), (5, false));
        assert_eq!(begin(Some(4), 6, 5), (5, true));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "x", "-1", "1.5", "9223372036854775808"] {
            assert_eq!(number(text).unwrap_err().code, "invalid_event_id");
        }
        assert_eq!(number("0"), Ok(0));
    }
}
