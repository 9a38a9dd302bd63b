//! The archive, written to real directories and over real sockets.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helper functions of a test"
)]

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use proctor_host::archive::{
    Archive, ArchiveAccess, ArchiveError, ArchiveFile, MAX_COMMIT_FILES, REQUEST_TIMEOUT,
};
use proctor_host::config::ArchiveTarget;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TOKEN: &str = "hf_the_token_of_a_test";
const SECRET: &str = "the-secret-key-of-a-test";

fn file(path: &str, content: &str) -> ArchiveFile {
    ArchiveFile {
        path: path.to_owned(),
        content: Bytes::from(content.to_owned()),
    }
}

fn access(endpoint: &str) -> ArchiveAccess {
    let aws = [
        ("AWS_ACCESS_KEY_ID", "key-of-a-test"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ENDPOINT_URL", endpoint),
    ];
    ArchiveAccess {
        aws: aws.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        hf_token: Some(TOKEN.to_owned()),
        hf_endpoint: Some(endpoint.to_owned()),
    }
}

fn bucket() -> ArchiveTarget {
    ArchiveTarget::S3 {
        bucket: "views".to_owned(),
        prefix: "proctor/mainnet".to_owned(),
    }
}

fn dataset() -> ArchiveTarget {
    ArchiveTarget::HuggingFace("owner/views".to_owned())
}

fn open(target: &ArchiveTarget, endpoint: &str) -> Archive {
    Archive::open_with(target, &access(endpoint), REQUEST_TIMEOUT).unwrap()
}

/// All files under a directory with what is in them, in the order of their paths.
fn tree(directory: &Path) -> Vec<(String, String)> {
    fn walk(root: &Path, directory: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                found.push((name.to_owned(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(directory, directory, &mut found);
    found.sort();
    found
}

fn pair(path: &str, content: &str) -> (String, String) {
    (path.to_owned(), content.to_owned())
}

/// What the fake service was asked.
#[derive(Debug, Clone)]
struct Asked {
    method: String,
    path: String,
    authorization: String,
    content_type: String,
    body: String,
}

/// A service on loopback that answers as it is told, and then with success.
#[derive(Clone, Default)]
struct Fake {
    asked: Arc<Mutex<Vec<Asked>>>,
    answers: Arc<Mutex<VecDeque<(StatusCode, String)>>>,
}

impl Fake {
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    fn answer_next(&self, status: u16, body: impl Into<String>) {
        let status = StatusCode::from_u16(status).unwrap();
        self.answers
            .lock()
            .unwrap()
            .push_back((status, body.into()));
    }

    /// In the order of the paths.
    fn asked(&self) -> Vec<Asked> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort_by(|a, b| a.path.cmp(&b.path));
        asked
    }
}

async fn answer(State(fake): State<Fake>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let header = |name| {
        let value = parts.headers.get(name);
        value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
    };
    fake.asked.lock().unwrap().push(Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        authorization: header(header::AUTHORIZATION),
        content_type: header(header::CONTENT_TYPE),
        body: String::from_utf8(body.into()).unwrap(),
    });
    if let Some(answer) = fake.answers.lock().unwrap().pop_front() {
        return answer.into_response();
    }
    let commit = json!({"success": true, "commitOid": "0123abcd"}).to_string();
    ([(header::ETAG, "\"e\"")], commit).into_response()
}

/// The files of a commit, and what is said of it.
fn commit(body: &str) -> (Value, Vec<(String, String)>) {
    let mut lines = body.lines().map(|line| serde_json::from_str(line).unwrap());
    let header: Value = lines.next().unwrap();
    assert_eq!(header["key"], "header");
    let files = lines.map(|line: Value| {
        assert_eq!(line["key"], "file");
        assert_eq!(line["value"]["encoding"], "base64");
        let content = line["value"]["content"].as_str().unwrap();
        let content = String::from_utf8(BASE64_STANDARD.decode(content).unwrap()).unwrap();
        pair(line["value"]["path"].as_str().unwrap(), &content)
    });
    (header["value"].clone(), files.collect())
}

/// A service that reads a request, writes `start`, and then either nothing more or
/// without end, until nobody listens.
fn raw(start: &'static str, endless: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut buffer = [0; 64 * 1024];
            let _ = connection.read(&mut buffer);
            let _ = connection.write_all(start.as_bytes());
            while endless && connection.write_all(&[b'x'; 4096]).is_ok() {}
            // Until the other side has gone.
            while connection.read(&mut buffer).is_ok_and(|read| read > 0) {}
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_directory_is_made_and_its_files_are_replaced_without_a_trace() {
    let room = tempfile::tempdir().unwrap();
    let root = room.path().join("not/there yet");
    let archive = open(&ArchiveTarget::Directory(root.clone()), "");
    let first = vec![file("digits/2025-01-31/a.json", "one"), file("b.json", "b")];
    archive.put(first.clone()).await.unwrap();
    archive.put(first).await.unwrap();
    let a = pair("digits/2025-01-31/a.json", "one");
    assert_eq!(tree(&root), [pair("b.json", "b"), a]);

    // Who reads the old file goes on reading it: the new one is another file.
    let mut old = fs::File::open(root.join("digits/2025-01-31/a.json")).unwrap();
    archive
        .put(vec![file("digits/2025-01-31/a.json", "two")])
        .await
        .unwrap();
    let mut read = String::new();
    old.read_to_string(&mut read).unwrap();
    assert_eq!(read, "one");
    let a = pair("digits/2025-01-31/a.json", "two");
    assert_eq!(tree(&root), [pair("b.json", "b"), a]);
}

#[tokio::test]
async fn many_files_of_one_call_are_all_written_and_the_last_of_a_path_counts() {
    let room = tempfile::tempdir().unwrap();
    let archive = open(&ArchiveTarget::Directory(room.path().to_owned()), "");
    let path = |n| format!("digits/day-{}/{n:03}.json", n % 7);
    let files = (0..200).map(|n| file(&path(n), &n.to_string()));
    let again = file(&path(0), "again");
    archive.put(files.chain([again]).collect()).await.unwrap();
    let mut expected: Vec<_> = (0..200).map(|n| pair(&path(n), &n.to_string())).collect();
    expected[0].1 = "again".to_owned();
    expected.sort();
    assert_eq!(tree(room.path()), expected);
}

#[tokio::test]
async fn a_bad_path_is_refused_before_anything_is_written() {
    let room = tempfile::tempdir().unwrap();
    let root = room.path().join("archive");
    let archive = open(&ArchiveTarget::Directory(root), "");
    for bad in ["../out.json", "/tmp/out.json", "a//b.json", "a/é.json", ""] {
        let files = vec![file("good.json", "good"), file(bad, "bad")];
        let error = archive.put(files).await.unwrap_err();
        assert!(matches!(error, ArchiveError::Path { .. }), "{error:?}");
        assert!(error.is_final());
    }
    assert_eq!(tree(room.path()), []);
}

#[cfg(unix)]
#[tokio::test]
async fn a_directory_that_cannot_be_written_to_is_named_and_tried_again() {
    use std::os::unix::fs::PermissionsExt;

    let room = tempfile::tempdir().unwrap();
    let root = room.path().join("archive");
    let archive = open(&ArchiveTarget::Directory(root.clone()), "");
    let put = async || archive.put(vec![file("digits/a.json", "a")]).await;

    // A file where a directory is to be: nobody may write there, root neither.
    fs::write(root.join("digits"), "in the way").unwrap();
    let error = put().await.unwrap_err();
    assert!(matches!(error, ArchiveError::Write(_)), "{error:?}");
    assert!(error.to_string().contains("digits/a.json"), "{error}");
    assert!(!error.is_final());
    fs::remove_file(root.join("digits")).unwrap();

    fs::set_permissions(&root, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(root.join("probe"), "").is_err() {
        let error = put().await.unwrap_err();
        assert!(error.to_string().contains("ermission denied"), "{error}");
        assert!(!error.is_final());
    }
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    put().await.unwrap();
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let room = tempfile::tempdir().unwrap();
    fs::write(room.path().join("file"), "").unwrap();
    let target = ArchiveTarget::Directory(room.path().join("file/archive"));
    let error = Archive::open_with(&target, &ArchiveAccess::default(), REQUEST_TIMEOUT);
    let error = error.unwrap_err();
    assert!(matches!(error, ArchiveError::Write(_)), "{error:?}");
    assert!(error.to_string().contains("file/archive"), "{error}");
}

#[tokio::test]
async fn a_bucket_gets_each_file_under_the_prefix() {
    let fake = Fake::default();
    let archive = open(&bucket(), &fake.start().await);
    let paths: Vec<_> = (0..20).map(|n| format!("digits/day/{n:02}.json")).collect();
    let files = paths.iter().map(|path| file(path, path)).collect();
    archive.put(files).await.unwrap();

    let asked = fake.asked();
    assert_eq!(asked.len(), paths.len());
    for (asked, path) in asked.iter().zip(&paths) {
        assert_eq!(asked.method, "PUT");
        assert_eq!(asked.path, format!("/views/proctor/mainnet/{path}"));
        assert_eq!(asked.body, *path);
        assert_eq!(asked.content_type, "application/json");
        let signed = "AWS4-HMAC-SHA256 Credential=key-of-a-test/";
        assert!(asked.authorization.starts_with(signed), "{asked:?}");
    }
}

#[tokio::test]
async fn a_bucket_without_a_prefix_has_the_files_at_its_root() {
    let fake = Fake::default();
    let target = ArchiveTarget::S3 {
        bucket: "views".to_owned(),
        prefix: String::new(),
    };
    let archive = open(&target, &fake.start().await);
    archive.put(vec![file("a/b.json", "b")]).await.unwrap();
    assert_eq!(fake.asked()[0].path, "/views/a/b.json");
}

#[tokio::test]
async fn a_bucket_that_is_busy_is_tried_again_and_one_that_forbids_is_not() {
    let fake = Fake::default();
    let archive = open(&bucket(), &fake.start().await);
    let put = async || archive.put(vec![file("a.json", "a")]).await;
    fake.answer_next(503, "<Error><Code>SlowDown</Code></Error>");
    let error = put().await.unwrap_err();
    assert!(!error.is_final());
    // One request: the caller tries again.
    assert_eq!(fake.asked().len(), 1);
    put().await.unwrap();

    let echo = format!(
        "<Error><Code>AccessDenied</Code><Message>No {SECRET}</Message>\
         <StringToSign>something</StringToSign></Error>"
    );
    fake.answer_next(403, echo);
    let error = put().await.unwrap_err();
    assert!(error.is_final());
    let ArchiveError::Refused { status, answer, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!((*status, answer.as_str()), (403, "AccessDenied: No …"));
    assert!(error.to_string().contains("a.json"), "{error}");
    assert!(!format!("{error:?} {archive:?}").contains(SECRET));
}

#[tokio::test]
async fn a_dataset_gets_all_files_of_a_call_in_one_commit() {
    let fake = Fake::default();
    let archive = open(&dataset(), &format!("{}/", fake.start().await));
    let files = vec![
        file("digits/2025-01-31/a.json", "{\"a\":1}"),
        file("digits/2025-01-31/b.json", "é\n"),
        file("digits/2025-01-31/finalization.json", ""),
    ];
    archive.put(files.clone()).await.unwrap();

    let asked = fake.asked();
    let [asked] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    assert_eq!(asked.method, "POST");
    assert_eq!(asked.path, "/api/datasets/owner/views/commit/main");
    assert_eq!(asked.content_type, "application/x-ndjson");
    assert_eq!(asked.authorization, format!("Bearer {TOKEN}"));
    let (header, found) = commit(&asked.body);
    assert_eq!(header, json!({"summary": "Archive 3 files"}));
    let text = |f: ArchiveFile| (f.path, String::from_utf8(f.content.into()).unwrap());
    assert_eq!(found, files.into_iter().map(text).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_dataset_gets_many_files_in_a_few_commits_and_none_for_nothing() {
    let fake = Fake::default();
    let archive = open(&dataset(), &fake.start().await);
    archive.put(Vec::new()).await.unwrap();
    assert!(fake.asked().is_empty());
    let files = (0..=MAX_COMMIT_FILES).map(|n| file(&format!("{n:04}.json"), "{}"));
    archive.put(files.collect()).await.unwrap();
    let counts = fake.asked().into_iter().map(|a| commit(&a.body).1.len());
    assert_eq!(counts.collect::<Vec<_>>(), [MAX_COMMIT_FILES, 1]);
}

#[tokio::test]
async fn a_token_that_is_refused_is_final_and_never_shown() {
    let fake = Fake::default();
    let archive = open(&dataset(), &fake.start().await);
    fake.answer_next(
        401,
        format!("invalid token {TOKEN}\n{}", "x".repeat(10_000)),
    );
    let error = archive.put(vec![file("a.json", "a")]).await.unwrap_err();
    assert!(error.is_final());
    let ArchiveError::Refused { status, answer, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*status, 401);
    assert!(answer.starts_with("invalid token … xxx"), "{answer}");
    assert!(answer.len() < 1_000, "{}", answer.len());
    assert!(!format!("{error} {error:?} {archive:?}").contains(TOKEN));
}

#[tokio::test]
async fn a_dataset_that_is_busy_takes_the_same_files_at_the_next_call() {
    let fake = Fake::default();
    let archive = open(&dataset(), &fake.start().await);
    let put = async || archive.put(vec![file("a.json", "a")]).await;
    // 412: another commit came in between.
    for status in [503, 429, 412] {
        fake.answer_next(status, "later");
        let error = put().await.unwrap_err();
        assert!(!error.is_final(), "{error}");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
    }
    put().await.unwrap();
    assert_eq!(fake.asked().len(), 4);
}

#[tokio::test]
async fn success_that_is_not_a_commit_is_not_believed() {
    let fake = Fake::default();
    let archive = open(&dataset(), &fake.start().await);
    for rubbish in ["<html>log in</html>", "", "{}", "[1]", "{\"commitOid\":1}"] {
        fake.answer_next(200, rubbish);
        let error = archive.put(vec![file("a.json", "a")]).await.unwrap_err();
        let known = matches!(error, ArchiveError::NotUnderstood { .. });
        assert!(known && !error.is_final(), "{error:?}");
    }
}

#[tokio::test]
async fn the_token_does_not_follow_a_redirect() {
    let fake = Fake::default();
    let elsewhere = fake.start().await;
    let start = format!("HTTP/1.1 302 Found\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n");
    let archive = open(&dataset(), &raw(start.leak(), false));
    let error = archive.put(vec![file("a.json", "a")]).await.unwrap_err();
    assert!(error.to_string().contains("302"), "{error}");
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn a_service_that_hangs_ends_in_the_timeout() {
    let answers = [
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\netag: \"e\"\r\n\r\n{",
    ];
    for (target, start) in [
        (bucket(), answers[0]),
        (dataset(), answers[0]),
        (dataset(), answers[1]),
    ] {
        let endpoint = raw(start, false);
        let timeout = Duration::from_millis(100);
        let archive = Archive::open_with(&target, &access(&endpoint), timeout).unwrap();
        let put = archive.put(vec![file("a.json", "a")]);
        let ended = tokio::time::timeout(REQUEST_TIMEOUT, put).await;
        let error = ended.expect("the request has a timeout").unwrap_err();
        assert!(!error.is_final(), "{error:?}");
        if start.is_empty() {
            let known = matches!(error, ArchiveError::Unreachable { .. });
            assert!(known && error.to_string().contains("timed out"), "{error}");
        }
    }
}

#[tokio::test]
async fn an_answer_without_end_is_read_only_as_far_as_it_is_shown() {
    for target in [bucket(), dataset()] {
        let archive = open(&target, &raw("HTTP/1.1 500 Oh\r\n\r\n", true));
        let put = archive.put(vec![file("a.json", "a")]);
        let ended = tokio::time::timeout(REQUEST_TIMEOUT / 2, put).await;
        let error = ended
            .expect("reading stops before the timeout")
            .unwrap_err();
        let known = matches!(error, ArchiveError::Refused { status: 500, .. });
        assert!(known && error.to_string().len() < 1_000, "{error:?}");
    }
}

#[tokio::test]
async fn nobody_listening_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for target in [bucket(), dataset()] {
        let archive = open(&target, &endpoint);
        let error = archive.put(vec![file("a.json", "a")]).await.unwrap_err();
        let known = matches!(error, ArchiveError::Unreachable { .. });
        assert!(known && !error.is_final(), "{error:?}");
        assert!(error.to_string().contains("onnection refused"), "{error}");
    }
}

#[test]
fn what_is_missing_to_reach_an_archive_is_told_when_it_is_opened() {
    let open = |target, access: ArchiveAccess| {
        let error = Archive::open_with(&target, &access, REQUEST_TIMEOUT).unwrap_err();
        assert!(error.is_final());
        error.to_string()
    };
    let without_token = ArchiveAccess {
        hf_token: None,
        ..access("http://127.0.0.1:1")
    };
    assert!(open(dataset(), without_token).contains("HF_TOKEN is not set"));
    for endpoint in ["ftp://hub", "hub", "https://user:password@hub"] {
        let error = open(dataset(), access(endpoint));
        assert!(error.contains("HF_ENDPOINT"), "{error}");
        assert!(!error.contains("password@"), "{error}");
    }
    let mut half = access("http://127.0.0.1:1");
    half.aws.retain(|(name, _)| name != "AWS_SECRET_ACCESS_KEY");
    let error = open(bucket(), half);
    assert!(error.to_lowercase().contains("secret"), "{error}");
}
