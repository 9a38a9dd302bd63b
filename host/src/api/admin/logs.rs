//! What a challenge, and the host, said of its calls.

use super::challenges::problem;
use crate::api::App;
use crate::api::params::{Params, Segments};
use crate::api::problem::{Problem, ProblemDetails};
use crate::sandbox::{Journal, JournalEntry, JournalStream};
use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use utoipa::ToSchema;

const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Entries that are read at a time.
const PAGE: usize = 200;

/// Query of a log.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LogQuery {
    /// Only what came after the entry of this number. Default: the last entries.
    #[param(value_type = Option<u64>)]
    after: Option<String>,
    /// At most so many entries, 1 to 2000. Default: 200.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
    /// Whether to go on as it is written, as server-sent events. Default: false.
    #[param(value_type = Option<bool>)]
    follow: Option<String>,
}

/// What was said.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LogView {
    /// In order. Only the last ones are kept.
    entries: Vec<EntryView>,
}

/// A line.
#[derive(Debug, Serialize, ToSchema)]
struct EntryView {
    /// One more than the one before.
    id: u64,
    /// When, in seconds since the Unix epoch.
    at: f64,
    /// `stdout` and `stderr` of the component, or `host`: what the host says.
    stream: &'static str,
    /// Number of the call; 0 if it is of none.
    call: u64,
    /// The line.
    text: String,
}

impl From<JournalEntry> for EntryView {
    fn from(entry: JournalEntry) -> Self {
        EntryView {
            id: entry.id,
            at: entry.at,
            stream: match entry.stream {
                JournalStream::Stdout => "stdout",
                JournalStream::Stderr => "stderr",
                JournalStream::Host => "host",
            },
            call: entry.call,
            text: entry.text,
        }
    }
}

/// What a challenge wrote, and what the host says of its calls
///
/// With `follow=true` as server-sent events, each with the entry's number as `id` and
/// the entry as JSON in `data`.
#[utoipa::path(
    get,
    path = "/v1/admin/challenges/{slug}/logs",
    operation_id = "read_challenge_logs",
    tag = "operations",
    params(("slug" = String, Path, description = "The challenge"), LogQuery),
    responses(
        (status = 200, description = "In order", content(
            (LogView = "application/json"),
            (String = "text/event-stream"),
        )),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`invalid_query`"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unknown_challenge`"),
    ),
)]
pub(super) async fn logs(
    State(app): State<App>,
    Segments(slug): Segments<String>,
    Params(query): Params<LogQuery>,
) -> Result<Response, Problem> {
    app.registry().get(&slug).await.map_err(problem)?;
    let invalid = |detail: &str| Problem::bad_request("invalid_query", detail);
    let after = query.after.as_deref().map(str::parse::<u64>).transpose();
    let after = after.map_err(|_| invalid("after is the number of an entry"))?;
    let limit = query.limit.as_deref().map_or(Ok(PAGE), str::parse);
    let limit = limit.ok().filter(|limit| (1..=2000).contains(limit));
    let limit = limit.ok_or_else(|| invalid("limit is 1 to 2000"))?;
    let follow = match query.follow.as_deref() {
        None | Some("false") => false,
        Some("true" | "") => true,
        Some(_) => return Err(invalid("follow is true or false")),
    };
    let journal = app.registry().plugins().journal(&slug);
    let entries = match after {
        Some(after) => journal.entries(after, limit),
        None => journal.latest(limit),
    };
    if !follow {
        let entries = entries.into_iter().map(EntryView::from);
        let view = LogView {
            entries: entries.collect(),
        };
        return Ok(Json(view).into_response());
    }
    let last = entries.last().map(|entry| entry.id);
    let stream = Following {
        app,
        changes: journal.changes(),
        after: last.or(after).unwrap_or_default(),
        page: entries.into(),
        journal,
    };
    let stream = unfold(stream, |stream| stream.next());
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(stream).keep_alive(keep_alive).into_response())
}

/// A log that is followed.
struct Following {
    app: App,
    journal: Arc<Journal>,
    changes: watch::Receiver<u64>,
    after: u64,
    page: VecDeque<JournalEntry>,
}

impl Following {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(entry) = self.page.pop_front() {
                self.after = entry.id;
                let event = Event::default().id(entry.id.to_string());
                let event = event.json_data(EntryView::from(entry)).ok()?;
                return Some((Ok(event), self));
            }
            self.changes.mark_unchanged();
            self.page = self.journal.entries(self.after, PAGE).into();
            if self.page.is_empty() {
                tokio::select! {
                    () = self.app.0.stop.cancelled() => return None,
                    changed = self.changes.changed() => changed.ok()?,
                }
            }
        }
    }
}
