//! The challenges at a glance, for a browser that can send the token.

use crate::api::App;
use crate::api::dashboard::escape;
use crate::api::problem::Problem;
use crate::plugins::RunState;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use std::fmt::Write;

/// Nothing in it runs, and nobody may frame it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// Every challenge, its status and how it does, as a page
#[utoipa::path(
    get,
    path = "/v1/admin",
    operation_id = "show_challenges",
    tag = "challenges",
    responses((status = 200, body = String, content_type = "text/html", description = "A table")),
)]
pub(super) async fn page(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Proctor</title>\
         <style>body{font:14px system-ui;margin:2em}td,th{text-align:left;padding:.3em 1em}</style>\
         <h1>Challenges</h1><table><tr><th>Challenge<th>Name<th>Status<th>State<th>Why\
         <th>Version<th>Emission</tr>\n",
    );
    for record in app.registry().records().await? {
        let running = app.registry().plugins().running(&record.slug);
        let state = running.as_ref().map_or(RunState::Stopped, |r| r.state);
        let reason = running.and_then(|running| running.reason);
        let reason = reason.map_or_else(String::new, |r| format!("{}: {}", r.code, r.reason));
        // Nothing can go wrong when a String is written to.
        let _ = writeln!(
            page,
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{} %</tr>",
            escape(&record.slug),
            escape(&record.spec.identity.name),
            record.status.name(),
            state.name(),
            escape(&reason),
            escape(&record.version),
            record.spec.given.emission_percent,
        );
    }
    page.push_str("</table></html>\n");
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    Ok((headers, page))
}
