use super::*;
use crate::testing::Harness;
use crate::{ChallengeError, DatabaseError, SolveError};
use http::{Method, StatusCode, header};
use serde_json::Value;
use std::io::Write;
use std::time::Duration;

#[derive(Default, serde::Deserialize, schemars::JsonSchema)]
struct Settings {}

struct Sample;

impl Challenge for Sample {
    type Settings = Settings;
    const NAME: &'static str = "sample";
    const VERSION: &'static str = "1.0.0";

    fn new(_: Settings) -> Self {
        Sample
    }
}

impl Routes for Sample {
    fn handle(&self, context: &Context<'_>, request: Request) -> Result<Response, Problem> {
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        match path.as_str() {
            "/text" => Ok(Response::new("text".into())),
            "/custom" => Ok(http::Response::builder()
                .header(CONTENT_TYPE, "text/html")
                .body("<p>".into())?),
            "/empty" => Ok(Response::new(Body::empty())),
            "/who" => Ok(Response::new(
                format!("{:?} {:?}", verified(&request), upload(&request)).into(),
            )),
            "/sum" => {
                let numbers: Vec<u32> = request.into_body().json(16)?;
                Ok(Response::new(Body::json(&numbers.iter().sum::<u32>())?))
            }
            "/submit" => {
                let submitted = context.submit("sha256:00")?;
                Ok(Response::new(submitted.day.into()))
            }
            "/unavailable" => Err(ChallengeError::Unavailable("disk of 10.0.0.1".into()).into()),
            "/internal" => Err(ChallengeError::Internal("key k-123".into()).into()),
            "/database" => {
                context.database().execute("DELETE FROM seen", &[])?;
                Ok(Response::new(Body::empty()))
            }
            "/solve" => match context.solve("1") {
                Err(SolveError::Unavailable(why)) => Ok(Response::new(why.into())),
                other => Ok(Response::new(format!("{other:?}").into())),
            },
            "/get" if method != Method::GET => {
                Err(Problem::method_not_allowed(&[Method::GET, Method::HEAD]))
            }
            "/price" => {
                let request = http::Request::get("https://prices.test/tao").body(Vec::new())?;
                Ok(Response::new(fetch(request)?.into_body().text(100)?.into()))
            }
            "/ticks" => Ok(Response::new(Body::events(|out| {
                loop {
                    out.event("tick", &out.context().now().to_string())?;
                    out.sleep(Duration::from_secs(10))?;
                }
            }))),
            "/lines" => Ok(Response::new(Body::events(|out| {
                out.event("", "one\ntwo\r\nthree\rdata: four")?;
                out.comment("five\nevent: six")?;
                out.write_all(b"seven")?;
                out.event("a\nb", "never")
            }))),
            _ => Err(Problem::not_found()),
        }
    }
}

fn get(path: &str) -> http::Response<Vec<u8>> {
    Harness::<Sample>::new().request(http::Request::get(path).body(Vec::new()).unwrap())
}

fn text(response: &http::Response<Vec<u8>>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

/// Status, code and detail of a problem.
fn problem(response: &http::Response<Vec<u8>>) -> (u16, String, String) {
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    let details: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(details["status"], response.status().as_u16());
    let text = |field: &str| details[field].as_str().unwrap().to_owned();
    assert_eq!(text("type"), "about:blank");
    (response.status().as_u16(), text("code"), text("detail"))
}

#[test]
fn a_body_brings_its_type_where_the_response_has_none() {
    let content_type = |path| {
        let response = get(path);
        let value = response.headers().get(CONTENT_TYPE).cloned();
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(
        content_type("/text").as_deref(),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(content_type("/custom").as_deref(), Some("text/html"));
    assert_eq!(content_type("/empty"), None);
    assert_eq!(content_type("/ticks").as_deref(), Some("text/event-stream"));
}

#[test]
fn an_error_is_a_problem_that_does_not_tell_its_cause() {
    let response = get("/unavailable");
    let (status, code, detail) = problem(&response);
    assert_eq!((status, code.as_str()), (503, "unavailable"));
    assert!(!detail.contains("10.0.0.1"), "{detail}");
    assert_eq!(response.headers()[header::RETRY_AFTER], "1");

    let (status, code, detail) = problem(&get("/internal"));
    assert_eq!((status, code.as_str()), (500, "internal"));
    assert!(!detail.contains("k-123"), "{detail}");
}

#[test]
fn errors_of_the_database_keep_whether_to_try_again() {
    let status = |error: DatabaseError| {
        let harness = Harness::<Sample>::new().database(
            move |_, _| Err(error.clone()),
            |_, _| Err(DatabaseError::Timeout),
        );
        let request = http::Request::get("/database").body(Vec::new()).unwrap();
        harness.request(request).status().as_u16()
    };
    assert_eq!(status(DatabaseError::Unavailable("locked".into())), 503);
    assert_eq!(status(DatabaseError::Timeout), 503);
    assert_eq!(status(DatabaseError::Full), 500);
    assert_eq!(status(DatabaseError::Invalid("no such table".into())), 500);
}

#[test]
fn invalid_settings_are_the_challenges_fault() {
    let harness = Harness::<Sample>::new().settings("[]");
    let request = http::Request::get("/text").body(Vec::new()).unwrap();
    assert_eq!(problem(&harness.request(request)).0, 500);
}

#[test]
fn a_wrong_method_names_the_right_ones() {
    let request = http::Request::put("/get").body(Vec::new()).unwrap();
    let response = Harness::<Sample>::new().request(request);
    assert_eq!(problem(&response).1, "method_not_allowed");
    assert_eq!(response.headers()[header::ALLOW], "GET, HEAD");
}

#[test]
fn a_body_is_read_up_to_its_limit() {
    let sum = |body: &str| {
        let request = http::Request::post("/sum").body(body.into()).unwrap();
        Harness::<Sample>::new().request(request)
    };
    assert_eq!(text(&sum("[1,2,3]")), "6");
    // 16 bytes and 17.
    assert_eq!(text(&sum("[1,1,1,1,1,1, 1]")), "7");
    assert_eq!(problem(&sum("[1,1,1,1,1,1,  1]")).0, 413);
    assert_eq!(problem(&sum("[1,")).1, "malformed_body");
}

#[test]
fn the_caller_is_whom_the_host_names_once() {
    let who = |headers: &[(&str, &str)]| {
        let mut request = http::Request::get("/who");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = Harness::<Sample>::new().request(request.body(Vec::new()).unwrap());
        text(&response).to_owned()
    };
    let (hotkey, uid) = ("x-proctor-verified-hotkey", "x-proctor-verified-uid");
    let (artifact, size) = ("x-proctor-artifact", "x-proctor-artifact-size");
    assert_eq!(who(&[]), "None None");
    assert_eq!(
        who(&[
            (hotkey, "5F"),
            (uid, "7"),
            (artifact, "sha256:00"),
            (size, "12")
        ]),
        r#"Some(Signer { hotkey: "5F", uid: 7 }) Some(Artifact { reference: "sha256:00", size: 12 })"#
    );
    assert_eq!(
        who(&[(hotkey, "5F"), (hotkey, "5G"), (uid, "7")]),
        "None None"
    );
    assert_eq!(who(&[(hotkey, "5F"), (uid, "70000")]), "None None");
    assert_eq!(who(&[(artifact, "sha256:00")]), "None None");
}

#[test]
fn what_is_not_submitted_says_why() {
    let submit = |result: Result<Submitted, SubmitError>| {
        let harness = Harness::<Sample>::new().submissions(move |_| result.clone());
        harness.request(http::Request::post("/submit").body(Vec::new()).unwrap())
    };
    let submitted = Submitted {
        id: 1,
        day: "2026-01-31".into(),
        known: false,
    };
    assert_eq!(text(&submit(Ok(submitted))), "2026-01-31");
    let response = submit(Err(SubmitError::NotSigned));
    assert_eq!(problem(&response).0, 401);
    assert!(response.headers().contains_key(header::WWW_AUTHENTICATE));
    let response = submit(Err(SubmitError::UnknownArtifact));
    assert_eq!(problem(&response).1, "unknown_artifact");
    assert_eq!(response.status(), StatusCode::CONFLICT);
    let response = submit(Err(SubmitError::Unavailable("full".into())));
    assert_eq!(problem(&response).0, 503);
}

#[test]
fn a_route_has_no_submission_to_run() {
    let harness = Harness::<Sample>::new().solver(|_| Ok("solved".into()));
    let request = http::Request::get("/solve").body(Vec::new()).unwrap();
    assert_eq!(
        text(&harness.request(request)),
        "a route has no submission to run"
    );
}

#[test]
fn a_stream_goes_on_until_the_client_leaves() {
    let harness = Harness::<Sample>::new()
        .now(5.0)
        .patience(Duration::from_secs(20));
    let response = harness.request(http::Request::get("/ticks").body(Vec::new()).unwrap());
    // At 0, 10 and 20 seconds.
    assert_eq!(text(&response), "event: tick\ndata: 5\n\n".repeat(3));
}

#[test]
fn an_event_cannot_be_broken_out_of() {
    let response = get("/lines");
    assert_eq!(
        text(&response),
        "data: one\ndata: two\ndata: three\ndata: data: four\n\n: five\n: event: six\n\nseven"
    );
}

#[test]
fn a_request_of_its_own_is_answered_by_the_test() {
    assert_eq!(problem(&get("/price")).0, 500);
    let price = |status: u16| {
        let harness = Harness::<Sample>::new().outbound(move |request| match status {
            200 => Ok(http::Response::new(request.uri().host().unwrap().into())),
            _ => Err(FetchError::Timeout),
        });
        harness.request(http::Request::get("/price").body(Vec::new()).unwrap())
    };
    assert_eq!(text(&price(200)), "prices.test");
    assert_eq!(problem(&price(504)).0, 503);
}
