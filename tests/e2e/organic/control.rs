//! `proctor organic`, and what it asks.

use super::{ORGANIC, Subnet, status, until_status};
use crate::support::Server;
use proctor_dev_miners::Behaviour;
use serde_json::{Value, json};

impl Subnet {
    /// Runs `proctor organic` against a host; what it prints as JSON.
    fn organic(&self, server: &Server, arguments: &[&str]) -> Value {
        let url = format!("http://{}", server.admin);
        let mut all = vec!["organic"];
        all.extend(arguments);
        all.extend(["--json", "--url", &url]);
        let printed = self.world.done(&all);
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
    }
}

#[test]
fn in_steps_mode_an_iteration_takes_its_steps_and_the_loop_goes_on() {
    let subnet = Subnet::new(
        &[Behaviour::Good],
        "trigger = 'steps'\nfrequency = 3\nfrequency_min = 1",
    );
    let mut server = subnet.serve();
    assert_eq!(status(&server)["steps"], 0);
    subnet.organic(&server, &["step", ORGANIC, "--by", "2"]);
    assert_eq!(status(&server)["iterations"], 0);
    for round in 1..=3 {
        // 2 + 3 - 3 steps are left each time.
        subnet.organic(&server, &["step", ORGANIC, "--by", "3"]);
        server.wait_for("organic iteration");
        let after = until_status(&server, "it has ended", |status| status["in_flight"] == 0);
        assert_eq!(
            (&after["steps"], &after["iterations"]),
            (&json!(2), &json!(round))
        );
    }
    subnet.organic(&server, &["step", ORGANIC, "--set", "3"]);
    server.wait_for("organic iteration");
    assert_eq!(status(&server)["steps"], 0);
    // What was counted outlives the process.
    subnet.organic(&server, &["step", ORGANIC, "--set", "1"]);
    server.kill();
    let server = subnet.serve();
    assert_eq!(status(&server)["steps"], 1);
    server.stop();
}

#[test]
fn stop_takes_effect_at_once_lasts_and_start_ends_it() {
    let subnet = Subnet::new(
        &[Behaviour::Good],
        "trigger = 'steps'\nfrequency = 1\nfrequency_min = 1",
    );
    let mut server = subnet.serve();
    let stopped = subnet.organic(&server, &["stop", ORGANIC]);
    assert_eq!(stopped["state"], "stopped");
    subnet.organic(&server, &["step", ORGANIC]);
    assert_eq!(status(&server)["steps"], 1, "nothing takes it");
    server.kill();
    server = subnet.serve();
    assert_eq!(
        status(&server)["state"],
        "stopped",
        "after a restart as well"
    );
    assert_eq!(status(&server)["steps"], 1);
    let started = subnet.organic(&server, &["start", ORGANIC]);
    assert_eq!(started["state"], "running");
    server.wait_for("organic iteration");
    until_status(&server, "the step is taken", |status| status["steps"] == 0);
    server.stop();
}

#[test]
fn a_stop_lets_what_runs_end() {
    let subnet = Subnet::new(
        &[Behaviour::Hang],
        "frequency = 0.05\nfrequency_min = 0.05\nconcurrency = 1\nminer_timeout_ms = 1500",
    );
    let mut server = subnet.serve();
    until_status(&server, "one runs", |status| status["in_flight"] == 1);
    subnet.organic(&server, &["stop", ORGANIC]);
    let ended = server.wait_for("organic iteration");
    assert_eq!(ended.field("is_organic_sample"), false);
    let after = until_status(&server, "it is stopped", |status| {
        status["state"] == "stopped"
    });
    assert_eq!(after["in_flight"], 0);
    server.stop();
}

#[test]
fn a_reset_has_the_next_iteration_begin_with_no_state() {
    let subnet = Subnet::new(
        &[Behaviour::Good],
        "trigger = 'steps'\nfrequency = 1\nfrequency_min = 1",
    );
    let mut server = subnet.serve();
    let begins_with_state = |server: &mut Server| {
        subnet.organic(server, &["step", ORGANIC]);
        server.wait_for("organic iteration");
        let after = until_status(server, "it has ended", |status| status["in_flight"] == 0);
        let path = format!(
            "/v1/admin/organic/{ORGANIC}/iterations/{}",
            after["last_iteration"]
        );
        let iteration = server.admin_get(&path).json();
        assert_eq!(iteration["state"], "done", "{iteration}");
        !iteration["record"]["state_before"].is_null()
    };
    assert!(!begins_with_state(&mut server), "the first one");
    assert!(begins_with_state(&mut server));
    subnet.organic(&server, &["reset", ORGANIC]);
    assert!(!begins_with_state(&mut server), "it was reset");
    server.stop();
}

#[test]
fn what_is_asked_of_no_loop_is_refused() {
    let subnet = Subnet::new(&[Behaviour::Good], "");
    let server = subnet.serve();
    let url = format!("http://{}", server.admin);
    let ran = subnet
        .world
        .run(&["organic", "stop", "nobody", "--url", &url]);
    assert_ne!(ran.status.code(), Some(0));
    assert!(ran.stderr.contains("nobody"), "{}", ran.stderr);
    server.stop();
}

#[test]
fn a_trigger_that_is_none_is_refused_when_the_configuration_is_read() {
    let subnet = Subnet::new(&[Behaviour::Good], "trigger = 'minutes'");
    let ran = subnet.world.run(&["serve"]);
    ran.assert_refused(&["challenges.organic.organic.trigger", "seconds", "steps"]);
}
