//! `GET /v1/challenges/dashboard.svg`: how the challenges do, as a picture to put into
//! pages.

use super::problem::{Problem, ProblemDetails};
use super::registry::is_public;
use super::routes::Routes;
use crate::plugins::RunState;
use crate::registry::{Record, Status};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::fmt::Write;

/// Challenges that are shown; of more, their number is.
const MOST: usize = 50;

/// Characters of a name or version that are shown.
const LONGEST: usize = 28;

const ROW: usize = 28;

/// Each column: its heading, and where it begins.
const COLUMNS: [(&str, usize); 6] = [
    ("Challenge", 16),
    ("Version", 250),
    ("State", 370),
    ("Emission", 480),
    ("Miners", 580),
    ("Last finalized", 660),
];

const WIDTH: usize = 790;

/// A challenge in the table.
struct Line {
    name: String,
    version: String,
    state: &'static str,
    emission_percent: f64,
    /// Miners in the standings of its last finalization.
    miners: usize,
    last_day: Option<String>,
}

/// How the challenges do, as a picture to put into pages
///
/// The first 50 by slug, and how many more there are.
#[utoipa::path(
    get,
    path = "/v1/challenges/dashboard.svg",
    operation_id = "get_dashboard",
    tag = "challenges",
    responses(
        (status = 200, body = String, content_type = "image/svg+xml", description = "A table"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn svg(State(routes): State<Routes>) -> Result<Response, Problem> {
    let mut records = routes.registry().records().await?;
    records.retain(is_public);
    let more = records.len().saturating_sub(MOST);
    let mut lines = Vec::new();
    for record in records.into_iter().take(MOST) {
        lines.push(line(&routes, record).await?);
    }
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        ),
    ];
    Ok((headers, draw(&lines, more)).into_response())
}

async fn line(routes: &Routes, record: Record) -> Result<Line, Problem> {
    let slug = &record.slug;
    let standings = routes.standings().current(routes, slug).await;
    let standings = standings.map_err(|error| {
        tracing::error!(challenge = slug, %error, "the standings cannot be read");
        let detail = "the database cannot be used now";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    })?;
    let running = routes.plugins.running(slug).map(|running| running.state);
    Ok(Line {
        state: match record.status {
            Status::Active => running.unwrap_or(RunState::Loading).name(),
            other => other.name(),
        },
        emission_percent: record.spec.given.emission_percent,
        miners: standings.len(),
        last_day: routes.results().last_day(slug),
        version: record.version,
        name: record.spec.identity.name,
    })
}

fn draw(lines: &[Line], more: usize) -> String {
    let rows = lines.len() + 1 + usize::from(more > 0 || lines.is_empty());
    let height = rows * ROW + 16;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Challenges\">\
         <style>text{{font:14px system-ui,sans-serif;fill:#1f2328}}.h{{font-weight:600}}\
         .q{{fill:#59636e}}line{{stroke:#d1d9e0}}</style>\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let mut row = 0;
    let mut put = |cells: &[(usize, String)], class: &str| {
        let baseline = row * ROW + 27;
        for (x, text) in cells {
            // Nothing can go wrong when a String is written to.
            let _ = write!(
                svg,
                "<text x=\"{x}\" y=\"{baseline}\"{class}>{}</text>",
                escape(text)
            );
        }
        let line = baseline + 9;
        let _ = writeln!(
            svg,
            "<line x1=\"8\" x2=\"{}\" y1=\"{line}\" y2=\"{line}\"/>",
            WIDTH - 8
        );
        row += 1;
    };
    put(
        &COLUMNS.map(|(heading, x)| (x, heading.to_owned())),
        " class=\"h\"",
    );
    for line in lines {
        let texts = [
            shorten(&line.name),
            shorten(&line.version),
            line.state.to_owned(),
            format!("{} %", (line.emission_percent * 100.0).round() / 100.0),
            line.miners.to_string(),
            line.last_day.clone().unwrap_or_else(|| "never".to_owned()),
        ];
        let places = COLUMNS.map(|(_, x)| x);
        let cells: Vec<_> = places.into_iter().zip(texts).collect();
        put(&cells, "");
    }
    if more > 0 {
        put(&[(16, format!("and {more} more"))], " class=\"q\"");
    } else if lines.is_empty() {
        put(&[(16, "no challenges".to_owned())], " class=\"q\"");
    }
    svg.push_str("</svg>\n");
    svg
}

/// At most so many characters, an ellipsis among them.
fn shorten(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// A text as XML has it; what XML cannot have is left out.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => {}
            character if character.is_control() => {}
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str) -> Line {
        Line {
            name: name.into(),
            version: "1.2.3".into(),
            state: "running",
            emission_percent: 33.333_333,
            miners: 7,
            last_day: Some("2026-08-22".into()),
        }
    }

    #[test]
    fn the_table_has_what_is_so() {
        let svg = draw(&[line("Digits")], 0);
        let texts = [
            "Digits",
            "1.2.3",
            "running",
            "33.33 %",
            "7",
            "2026-08-22",
            "Challenge",
        ];
        for text in texts {
            assert!(svg.contains(&format!(">{text}</text>")), "{text}: {svg}");
        }
        assert!(draw(&[], 0).contains("no challenges"));
        assert!(draw(&[line("x")], 3).contains("and 3 more"));
    }

    #[test]
    fn a_name_is_text_and_not_markup() {
        let svg = draw(&[line("</text><script>x('&\"')</script>\u{1b}")], 0);
        assert!(!svg.contains("<script") && !svg.contains('\u{1b}'), "{svg}");
        let text = "&lt;/text&gt;&lt;script&gt;x(&#39;&amp;&quot;&#39;)&lt;/scr…";
        assert!(svg.contains(text), "{svg}");
    }
}
