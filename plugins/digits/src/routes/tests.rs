use super::*;
use crate::Settings;
use proctor_sdk::routes::SubmitError;
use proctor_sdk::testing::Harness;
use proctor_sdk::{Commit, Controller, Miner, Submission};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

type Answer = http::Response<Vec<u8>>;

fn ask(harness: &Harness<Digits>, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    harness.request(request.body(Vec::new()).unwrap())
}

fn get(harness: &Harness<Digits>, path: &str) -> Answer {
    ask(harness, "GET", path, &[])
}

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(answer.body()).unwrap()
}

fn value(answer: &Answer) -> Value {
    serde_json::from_slice(answer.body()).unwrap()
}

fn standing(uid: u16, hotkey: &str, score: f64) -> Standing {
    Standing {
        commit: Commit {
            miner: Miner {
                uid,
                hotkey: hotkey.to_owned(),
                coldkey: Some("5Coldkey".to_owned()),
                axon_ip: Some("203.0.113.7".to_owned()),
            },
            committed_at: 1_767_225_600.5,
            submission: Submission {
                digest: "ab".repeat(32),
            },
        },
        score,
        scored_at: 1_767_312_000.0,
    }
}

fn two_miners() -> Harness<Digits> {
    let best = standing(4, "5<script>alert('1')</script>", 0.982);
    Harness::new().standings(vec![best, standing(5, "5Second", 0.962)])
}

#[test]
fn the_page_has_the_best_first() {
    let page = get(&two_miners(), "/");
    assert_eq!(page.status(), 200);
    assert_eq!(
        page.headers()[header::CONTENT_TYPE],
        "text/html; charset=utf-8"
    );
    let html = text(&page);
    let (first, second) = (html.find("0.9820").unwrap(), html.find("0.9620").unwrap());
    assert!(first < second, "{html}");
    assert!(html.contains("2026-01-01 00:00"), "{html}");
    assert!(html.contains(r#"href="/challenges/digits/tasks/sample""#));
}

#[test]
fn the_page_runs_nothing_that_a_miner_wrote() {
    let slug = [("x-proctor-challenge", r#""><script>"#)];
    let page = ask(&two_miners(), "GET", "/", &slug);
    assert!(!text(&page).contains("<script"), "{}", text(&page));
    assert!(text(&page).contains("5&lt;script&gt;"));
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'nonce-"));
    assert!(!policy.contains("script-src") && !policy.contains("unsafe"));
    assert_eq!(page.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
}

#[test]
fn the_style_of_the_page_has_the_nonce_of_its_policy() {
    let nonce = |seed| {
        let page = get(&two_miners().seed(seed), "/");
        let html = text(&page);
        let (_, rest) = html.split_once("<style nonce=\"").unwrap();
        let nonce = rest.split_once('"').unwrap().0.to_owned();
        let policy = page.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(policy.contains(&format!("'nonce-{nonce}'")), "{policy}");
        nonce
    };
    assert_ne!(nonce(1), nonce(2));
}

#[test]
fn the_page_says_when_there_are_no_standings() {
    let page = get(&Harness::new(), "/");
    assert!(text(&page).contains("No standings yet"));
    assert!(!text(&page).contains("<table>"));
}

#[test]
fn the_leaderboard_tells_no_addresses() {
    let answer = get(&two_miners(), "/leaderboard");
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(
        value(&answer)["standings"][1],
        json!({
            "rank": 2,
            "uid": 5,
            "hotkey": "5Second",
            "score": 0.962,
            "digest": "ab".repeat(32),
            "committed_at": 1_767_225_600.5,
            "scored_at": 1_767_312_000.0,
        })
    );
    for private in ["203.0.113.7", "5Coldkey"] {
        assert!(!text(&answer).contains(private));
        assert!(!text(&get(&two_miners(), "/")).contains(private));
    }
    assert_eq!(
        value(&get(&Harness::new(), "/leaderboard")),
        json!({"standings": []})
    );
}

#[test]
fn events_are_the_leaderboard_once_and_then_heartbeats() {
    let harness = two_miners().patience(Duration::from_secs(50));
    let answer = get(&harness, "/leaderboard/events");
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
    let events: Vec<&str> = text(&answer).split("\n\n").collect();
    let (first, heartbeats) = events.split_first().unwrap();
    let data = first.strip_prefix("event: leaderboard\ndata: ").unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(data).unwrap(),
        value(&get(&harness, "/leaderboard"))
    );
    // After 15, 30 and 45 of 50 seconds.
    assert_eq!(
        heartbeats,
        [": still here", ": still here", ": still here", ""]
    );
}

#[test]
fn a_sample_is_solved_and_never_shows_what_is_scored() {
    let sample = |seed| value(&get(&Harness::new().seed(seed), "/tasks/sample"));
    assert_ne!(sample(1), sample(2));
    let scored: BTreeSet<&[u8]> = digits_data::held_out().map(|(i, _)| i.as_slice()).collect();
    let learned: BTreeSet<&[u8]> = train().map(|(i, _)| i.as_slice()).collect();
    let only_learned = learned.difference(&scored).count();
    assert_eq!(only_learned, learned.len(), "no image is in both");
    for seed in 0..50 {
        let Value::Object(mut sample) = sample(seed) else {
            panic!("not an object");
        };
        // As the host would hand it to a submission, and take the answer.
        let task: Task = serde_json::from_value(sample["task"].take()).unwrap();
        let solution: Solution = serde_json::from_value(sample["solution"].take()).unwrap();
        assert_eq!((task.images.len(), solution.labels.len()), (SAMPLE, SAMPLE));
        for (image, label) in task.images.iter().zip(&solution.labels) {
            assert!(!scored.contains(image.as_slice()));
            assert!(train().any(|(known, right)| known == image.as_slice() && right == *label));
        }
        let digits = Digits::new(Settings::default());
        assert_eq!(
            digits.score(&task, &solution),
            Ok(0.0),
            "no label of it scores"
        );
    }
}

const SIGNED: [(&str, &str); 2] = [
    ("x-proctor-verified-hotkey", "5Miner"),
    ("x-proctor-verified-uid", "4"),
];
const REFERENCE: &str = "sha256:00ff";

fn uploaded(size: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut headers = SIGNED.to_vec();
    headers.push(("x-proctor-artifact", REFERENCE));
    headers.push(("x-proctor-artifact-size", size));
    headers
}

/// Submits with these headers, and returns the answer and how often the host was
/// asked to take the artifact.
fn submit_with(
    headers: &[(&str, &str)],
    result: Result<Submitted, SubmitError>,
) -> (Answer, usize) {
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    let harness = Harness::new().submissions(move |artifact| {
        assert_eq!(artifact, REFERENCE);
        count.set(count.get() + 1);
        result.clone()
    });
    let answer = ask(&harness, "POST", "/submissions", headers);
    (answer, asked.get())
}

fn taken() -> Result<Submitted, SubmitError> {
    Ok(Submitted {
        id: 12,
        day: "2026-01-31".to_owned(),
        known: false,
    })
}

#[test]
fn an_upload_of_a_signer_is_submitted() {
    let (answer, asked) = submit_with(&uploaded("4096"), taken());
    assert_eq!((answer.status().as_u16(), asked), (202, 1));
    assert_eq!(
        value(&answer),
        json!({"id": 12, "day": "2026-01-31", "known": false, "artifact": REFERENCE})
    );
}

#[test]
fn what_is_not_submitted_gets_a_problem() {
    let code = |headers: &[(&str, &str)], result| {
        let (answer, asked) = submit_with(headers, result);
        let problem = value(&answer);
        assert_eq!(problem["status"], answer.status().as_u16());
        let code = problem["code"].as_str().unwrap().to_owned();
        (answer.status().as_u16(), code, asked)
    };
    let refused = |status, code: &str| (status, code.to_owned(), 0);
    assert_eq!(code(&[], taken()), refused(401, "not_signed"));
    assert_eq!(code(&SIGNED, taken()), refused(400, "no_upload"));
    for size in ["0", "7", "8388609"] {
        assert_eq!(
            code(&uploaded(size), taken()),
            refused(400, "artifact_size")
        );
    }
    let host = |error| code(&uploaded("8"), Err(error));
    let not_there = SubmitError::UnknownArtifact;
    let full = SubmitError::Unavailable("disk is full".to_owned());
    assert_eq!(host(SubmitError::NotSigned), (401, "not_signed".into(), 1));
    assert_eq!(host(not_there), (409, "unknown_artifact".into(), 1));
    assert_eq!(host(full), (503, "unavailable".into(), 1));
}

#[test]
fn other_routes_and_methods_are_refused() {
    let harness = Harness::new();
    for path in ["/leaderboard/", "/tasks", "/tasks/sample/1", "/SUBMISSIONS"] {
        assert_eq!(get(&harness, path).status(), 404, "{path}");
    }
    let allowed = |method: &str, path: &str| {
        let answer = ask(&harness, method, path, &[]);
        assert_eq!(answer.status(), 405, "{method} {path}");
        answer.headers()[header::ALLOW].to_str().unwrap().to_owned()
    };
    for path in ["/", "/leaderboard", "/leaderboard/events", "/tasks/sample"] {
        assert_eq!(allowed("POST", path), "GET, HEAD");
        assert_eq!(allowed("OPTIONS", path), "GET, HEAD");
        assert_eq!(ask(&harness, "HEAD", path, &[]).status(), 200, "{path}");
    }
    assert_eq!(allowed("GET", "/submissions"), "POST");
}

#[test]
fn a_query_does_not_change_the_route() {
    assert_eq!(get(&Harness::new(), "/leaderboard?page=2").status(), 200);
}
