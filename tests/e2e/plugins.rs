//! The plugins folder, changed while the host serves.

use crate::metrics::Metrics;
use crate::support::{Event, Server, World, until, variant};
use proctor_testing::guest_bytes;
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write;
use std::time::Duration;

/// Puts a file into the folder as a careful operator does: by rename.
fn drop_in(world: &World, name: &str, bytes: &[u8]) {
    let draft = world.write("draft", bytes);
    fs::rename(draft, world.plugins().join(name)).unwrap();
}

/// The digits challenge in other bytes.
fn digits_variant(mark: u8) -> Vec<u8> {
    variant("digits", mark)
}

fn truncated() -> Vec<u8> {
    let bytes = guest_bytes("digits");
    bytes[..bytes.len() / 2].to_vec()
}

/// What `/v1/plugins` tells of a file.
fn plugin(server: &Server, file: &str) -> Option<Value> {
    let mut list = server.get("/v1/plugins").json();
    let plugins = list["plugins"].as_array_mut().unwrap();
    let found = plugins.iter().position(|plugin| plugin["file"] == file);
    found.map(|place| plugins.swap_remove(place))
}

fn about<'a>(message: &'a str, file: &'a str) -> impl Fn(&Event) -> bool {
    move |event| event.is(message) && event.text("file").ends_with(&format!("/{file}"))
}

#[test]
fn a_dropped_file_becomes_active_and_is_retired_with_its_file() {
    let world = World::new();
    let mut server = world.serve(&[]);
    until("the empty folder was read", || {
        server.get("/readyz").status == 200
    });
    drop_in(&world, "digits.wasm", &guest_bytes("digits"));
    let active = server.wait_for("plugin active");
    assert_eq!(active.text("challenge"), "digits");
    assert_eq!(plugin(&server, "digits.wasm").unwrap()["state"], "active");
    fs::remove_file(world.plugins().join("digits.wasm")).unwrap();
    server.wait_for("plugin retired");
    assert_eq!(plugin(&server, "digits.wasm"), None);
    until("no state is left in the metrics", || {
        let metrics = Metrics::of(&server.admin_get("/metrics"));
        metrics.sum("proctor_plugin_state", &[]) == 0.0
    });
    server.stop();
}

#[test]
fn a_broken_replacement_keeps_the_last_good_version() {
    let world = World::new().with_digits();
    let mut server = world.serve(&[]);
    let first = server.wait_for("plugin active").text("digest").to_owned();
    drop_in(&world, "digits.wasm", &truncated());
    let rejected = server.wait_for("plugin rejected");
    assert_eq!(rejected.text("code"), "link_error");
    assert!(rejected.text("kept").contains(&first), "{rejected:?}");
    let shown = plugin(&server, "digits.wasm").unwrap();
    assert_eq!(shown["state"], "active");
    assert_eq!(shown["digest"], first);
    assert_eq!(shown["rejected"]["code"], "link_error");

    drop_in(&world, "digits.wasm", &digits_variant(2));
    let second = server.wait_for("plugin active").text("digest").to_owned();
    assert_ne!(first, second);
    let shown = plugin(&server, "digits.wasm").unwrap();
    assert_eq!(shown["digest"], second);
    assert_eq!(shown["rejected"], Value::Null);

    // Another world's component is as broken as half a file.
    drop_in(&world, "digits.wasm", &guest_bytes("another_world"));
    server.wait_for("plugin rejected");
    // The bytes that are active already are no news, but good again.
    drop_in(&world, "digits.wasm", &digits_variant(2));
    until("the rejection is gone", || {
        plugin(&server, "digits.wasm").unwrap()["rejected"].is_null()
    });
    server.stop();
}

#[test]
fn of_two_files_with_one_name_the_second_waits_for_the_first() {
    let world = World::new().with_digits();
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    drop_in(&world, "also-digits.wasm", &digits_variant(2));
    let rejected = server.wait(about("plugin rejected", "also-digits.wasm"));
    assert_eq!(rejected.text("code"), "duplicate_name");
    let shown = plugin(&server, "also-digits.wasm").unwrap();
    assert_eq!(shown["state"], "rejected");
    assert_eq!(shown["rejected"]["code"], "duplicate_name");
    fs::remove_file(world.plugins().join("digits.wasm")).unwrap();
    server.wait(about("plugin active", "also-digits.wasm"));
    assert_eq!(plugin(&server, "digits.wasm"), None);
    server.stop();
}

#[test]
fn reading_the_folder_is_no_change_of_it() {
    let world = World::new().with_digits();
    drop_in(&world, "waits.wasm", &digits_variant(2));
    let mut server = world.serve(&[]);
    // It is looked at again at each change, because the name may be free.
    server.wait(about("plugin rejected", "waits.wasm"));
    let again = about("plugin rejected", "waits.wasm");
    let log = server.watch_for(Duration::from_secs(2));
    assert!(
        log.iter().filter(|event| again(event)).count() <= 2,
        "{log:#?}"
    );
    server.stop();
}

#[test]
fn a_name_is_free_once_its_file_has_another() {
    let world = World::new().with_digits();
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    // It is looked at before the file that has the name.
    drop_in(&world, "a.wasm", &digits_variant(2));
    server.wait(about("plugin rejected", "a.wasm"));
    drop_in(&world, "digits.wasm", &guest_bytes("hostile_challenge"));
    server.wait(about("plugin active", "a.wasm"));
    assert_eq!(plugin(&server, "digits.wasm").unwrap()["name"], "hostile");
    server.stop();
}

#[test]
fn a_file_that_comes_in_pieces_ends_up_active() {
    let world = World::new();
    let mut server = world.serve(&[]);
    until("the empty folder was read", || {
        server.get("/readyz").status == 200
    });
    let bytes = guest_bytes("digits");
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let mut file = File::create(world.plugins().join("digits.wasm")).unwrap();
    file.write_all(first).unwrap();
    file.sync_all().unwrap();
    server.wait_for("plugin rejected");
    file.write_all(second).unwrap();
    drop(file);
    server.wait_for("plugin active");
    assert_eq!(
        plugin(&server, "digits.wasm").unwrap()["rejected"],
        Value::Null
    );
    server.stop();
}

#[test]
fn hidden_and_other_files_are_left_alone() {
    let world = World::new();
    drop_in(&world, ".digits.wasm", &guest_bytes("digits"));
    drop_in(&world, "digits.wasm.tmp", &guest_bytes("digits"));
    let server = world.serve(&[]);
    until("the folder was read", || {
        server.get("/readyz").status == 200
    });
    assert_eq!(
        server.get("/v1/plugins").json()["plugins"],
        Value::Array(vec![])
    );
    server.stop();
}

#[test]
fn identical_bytes_are_compiled_once() {
    let world = World::cold().with_digits();
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    let compiled = |server: &Server| {
        let metrics = Metrics::of(&server.admin_get("/metrics"));
        ["miss", "hit"]
            .map(|outcome| metrics.sum("proctor_compile_cache_total", &[("outcome", outcome)]))
    };
    assert_eq!(compiled(&server), [1.0, 0.0]);
    fs::remove_file(world.plugins().join("digits.wasm")).unwrap();
    server.wait_for("plugin retired");
    drop_in(&world, "other.wasm", &guest_bytes("digits"));
    server.wait_for("plugin active");
    assert_eq!(compiled(&server), [1.0, 1.0]);
    server.stop();
    let mut server = world.serve(&[]);
    server.wait_for("plugin active");
    assert_eq!(compiled(&server), [0.0, 1.0], "a restart compiles nothing");
    server.stop();
}

#[test]
fn settings_that_the_challenge_refuses_are_named() {
    let world = World::new().with_digits();
    let mut server = world.serve(&["challenges.digits.settings.min_score=2"]);
    let rejected = server.wait_for("plugin rejected");
    assert_eq!(rejected.text("code"), "invalid_settings");
    let reason = rejected.text("reason");
    assert!(
        reason.contains("challenges.digits.settings.min_score"),
        "{reason}"
    );
    server.stop();
}
