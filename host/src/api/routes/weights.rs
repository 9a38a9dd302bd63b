//! `GET /internal/v1/get_weights`: a challenge's weights, for masters of the platform
//! that Proctor replaces, to whom this host is one of its challenges.

use super::Routes;
use crate::api::problem::{Problem, ProblemDetails};
use crate::clock;
use crate::compat::WeightsAnswer;
use crate::sandbox::Outcome;
use crate::sandbox::types::HotkeyWeight;
use crate::store::FinalizationRow;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

/// The header that names the challenge.
const SLUG: &str = "x-base-challenge-slug";

/// Days of the ledger that are looked through for weights.
const MOST_DAYS: usize = 30;

/// A challenge's weights, for masters of the replaced platform
///
/// Answers who has a token of the challenge that the header `X-Base-Challenge-Slug`
/// names, with the weights of its last finalization that made any. Until the next one
/// the answer is the same, its time included.
#[utoipa::path(
    get,
    path = "/internal/v1/get_weights",
    operation_id = "get_weights",
    tag = "compatibility",
    params(("X-Base-Challenge-Slug" = String, Header, description = "The token's challenge")),
    security(("challenge_token" = [])),
    responses(
        (status = 200, body = Object, description = "`challenge_slug`; `weights`: by hotkey, in a \
            unit of the challenge's own; and, once there are any, `epoch`: when they were due, in \
            seconds since the Unix epoch, and `computed_at`: when they were made, ISO 8601"),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json",
            description = "`wrong_challenge`: the token is another challenge's"),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unauthorized`: it is no token of a challenge"),
        (status = 503, body = ProblemDetails, content_type = "application/problem+json",
            description = "`unavailable`, `overloaded`, `timeout`: try again"),
    ),
)]
pub(super) async fn get_weights(
    State(routes): State<Routes>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let token = bearer(&headers).ok_or_else(unauthorized)?;
    let slug = headers.get(SLUG).and_then(|slug| slug.to_str().ok());
    let now = clock::unix_now();
    let named = match slug {
        Some(slug) => routes.registry().is_token(slug, token, now).await?,
        None => false,
    };
    let Some(slug) = slug.filter(|_| named) else {
        for record in routes.registry().records().await? {
            if routes.registry().is_token(&record.slug, token, now).await? {
                let detail = format!("the header {SLUG} does not name the token's challenge");
                return Err(Problem::bad_request("wrong_challenge", detail));
            }
        }
        return Err(unauthorized());
    };
    Ok(Json(answer(&routes, slug).await?.render()))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else {
        return None;
    };
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn unauthorized() -> Problem {
    let detail = "this route wants a token of the challenge: Authorization: Bearer";
    let bearer = HeaderValue::from_static("Bearer");
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
        .with_header(header::WWW_AUTHENTICATE, bearer)
}

async fn answer(routes: &Routes, slug: &str) -> Result<WeightsAnswer, Problem> {
    let mut after = None;
    for _ in 0..MOST_DAYS {
        let of_challenge = Some(slug.to_owned());
        let found = routes.store.finalizations(of_challenge, after, 1).await?;
        let Some(row) = found.into_iter().next() else {
            break;
        };
        if row.finalization.outcome == Outcome::Ok.code() {
            return Ok(of_day(slug, &row)?);
        }
        after = Some((row.finalization.day, slug.to_owned()));
    }
    Ok(WeightsAnswer {
        challenge_slug: slug.to_owned(),
        epoch: None,
        weights: Default::default(),
        metadata: Map::new(),
        computed_at: None,
    })
}

fn of_day(slug: &str, row: &FinalizationRow) -> Result<WeightsAnswer, serde_json::Error> {
    let weights: Vec<HotkeyWeight> = serde_json::from_str(&row.finalization.weights)?;
    Ok(WeightsAnswer {
        challenge_slug: slug.to_owned(),
        epoch: Some(row.finalization.scheduled_at as i64),
        weights: weights.into_iter().map(|w| (w.hotkey, w.weight)).collect(),
        metadata: Map::new(),
        computed_at: Some(iso(row.finalized_at).into()),
    })
}

/// A time as in `2026-08-22T14:00:00Z`.
fn iso(time: f64) -> String {
    let day = clock::day(time);
    let seconds = (time - clock::start_of_day(&day).unwrap_or_default()).max(0.0) as u32;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{day}T{hours:02}:{minutes:02}:{seconds:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_the_peers_write_it() {
        assert_eq!(iso(1_787_410_800.0), "2026-08-22T15:00:00Z");
        assert_eq!(iso(1_787_410_861.9), "2026-08-22T15:01:01Z");
        assert_eq!(iso(0.0), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn a_token_is_the_only_one_of_its_scheme() {
        let token = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(token(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(token(&["bearer  abc "]).as_deref(), Some("abc"));
        for bad in [
            &[][..],
            &["abc"],
            &["Basic abc"],
            &["Bearer "],
            &["Bearer a", "Bearer b"],
        ] {
            assert_eq!(token(bad), None, "{bad:?}");
        }
    }
}
