//! The registry of challenges, through the admin API.

mod access;
mod deletion;
mod gpu_servers;
mod lifecycle;
mod records;
mod running;
mod signed;
mod versions;

use crate::http::Response;
use crate::support::{Server, World, send, until, variant};
use proctor_testing::guest_bytes;
use serde_json::{Value, json};
use std::fs;

/// A world in whose configuration nothing is said of any challenge.
pub(crate) fn world(more: &str) -> World {
    let world = World::new();
    configure(&world, more);
    world
}

pub(crate) fn configure(world: &World, more: &str) {
    let text = format!(
        "data_dir = '{data}'
plugins.dir = '{plugins}'
public.listen = '127.0.0.1:0'
admin.listen = '127.0.0.1:0'
sandbox.max_concurrent_calls = 2
{more}
[scoring]
seed = 7
interval_ms = 20
",
        data = world.data().display(),
        plugins = world.plugins().display(),
    );
    fs::write(world.config(), text).unwrap();
}

/// Settings of the digits challenge: few and small tasks.
pub(crate) fn settings() -> Value {
    json!({"tasks": 2, "batch_size": 10, "min_score": 0.2})
}

/// Starts a host, and waits until it has looked what there is.
pub(crate) fn serve(world: &World) -> Server {
    let server = world.serve(&[]);
    until("the folder was read", || {
        server.get("/readyz").status == 200
    });
    server
}

/// Puts a component into the host's own store, and returns its reference.
pub(crate) fn component(server: &Server, bytes: &[u8]) -> String {
    let authorization = format!("Bearer {}", server.token());
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/wasm"),
    ];
    let added = send(
        &server.admin,
        "POST",
        "/v1/admin/components",
        &headers,
        bytes,
    );
    assert_eq!(added.status, 201, "{added:?}");
    let added = added.json();
    assert_eq!(added["size"], bytes.len());
    added["artifact"].as_str().unwrap().to_owned()
}

/// The digits challenge, with other bytes for each mark.
pub(crate) fn digits(server: &Server, mark: u8) -> String {
    component(server, &variant("digits", mark))
}

/// Makes a record of the digits challenge, and returns the answer.
pub(crate) fn create_digits(server: &Server, more: &Value) -> Value {
    let artifact = component(server, &guest_bytes("digits"));
    let mut body = json!({"slug": "digits", "artifact": artifact, "settings": settings()});
    for (field, value) in more.as_object().unwrap() {
        body[field] = value.clone();
    }
    let created = post(server, "challenges", &body);
    assert_eq!(created.status, 201, "{created:?}");
    created.json()
}

pub(crate) fn path(rest: &str) -> String {
    format!("/v1/admin/{rest}")
}

pub(crate) fn get(server: &Server, rest: &str) -> Value {
    let found = server.admin("GET", &path(rest), None, &[]);
    assert_eq!(found.status, 200, "{found:?}");
    found.json()
}

pub(crate) fn post(server: &Server, rest: &str, body: &Value) -> Response {
    server.admin("POST", &path(rest), Some(body), &[])
}

pub(crate) fn patch(server: &Server, rest: &str, body: &Value) -> Response {
    server.admin("PATCH", &path(rest), Some(body), &[])
}

pub(crate) fn delete(server: &Server, rest: &str) -> Response {
    server.admin("DELETE", &path(rest), None, &[])
}

/// Does an operation without a body, which must succeed.
#[track_caller]
pub(crate) fn operate(server: &Server, slug: &str, operation: &str) -> Value {
    let done = server.admin(
        "POST",
        &path(&format!("challenges/{slug}/{operation}")),
        None,
        &[],
    );
    assert_eq!(done.status, 200, "{operation}: {done:?}");
    let done = done.json();
    assert_eq!(done["slug"], slug);
    assert_eq!(done["operation"], operation.split('?').next().unwrap());
    done
}

/// An operation that is refused.
#[track_caller]
pub(crate) fn refused(server: &Server, slug: &str, operation: &str, status: u16, code: &str) {
    let done = server.admin(
        "POST",
        &path(&format!("challenges/{slug}/{operation}")),
        None,
        &[],
    );
    done.assert_problem(status, code);
}

/// What runs of a challenge.
pub(crate) fn runtime(server: &Server, slug: &str) -> Value {
    get(server, &format!("challenges/{slug}/status"))["runtime"].clone()
}

/// The fields that a refusal names.
pub(crate) fn fields(refusal: &Response) -> Vec<String> {
    refusal.assert_problem(422, "invalid_fields");
    let refusal = refusal.json();
    let errors = refusal["errors"].as_array().unwrap().iter();
    errors
        .map(|error| {
            assert!(!error["message"].as_str().unwrap().is_empty(), "{error}");
            error["field"].as_str().unwrap().to_owned()
        })
        .collect()
}
