//! The commands, and what they say when they cannot.

use crate::commits::{Commit, all_revealed, document};
use crate::support::{World, metagraph, proctor, run};
use fernet::Fernet;
use proctor_testing::{guest, guest_bytes};
use serde_json::{Value, json};
use std::net::TcpListener;

fn text(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

mod ingest {
    use super::*;

    #[test]
    fn commits_are_new_once_and_updated_by_what_is_learned() {
        let world = World::new();
        let commit = Commit::new(3, &"0".repeat(64), 1.0);
        let sealed = document([(commit.hotkey.as_str(), commit.sealed())]);
        let report =
            |new, updated| json!({"new": new, "updated": updated, "faults": [], "not_heard": null});
        assert_eq!(world.ingest(0, &sealed), report(1, 0));
        assert_eq!(world.ingest(0, &sealed), report(0, 0));
        assert_eq!(world.ingest(1, &all_revealed([&commit])), report(0, 1));
        let file = world.write("again.json", sealed.to_string());
        let printed = world.done(&["ingest", "--validator", "1", &file]);
        assert_eq!(printed, "validator 1: 0 new commits, 0 updated, 0 faults\n");
    }

    #[test]
    fn a_document_that_is_none_is_refused_as_a_whole() {
        let world = World::new();
        let good = Commit::new(3, &"0".repeat(64), 1.0);
        world.ingest(0, &all_revealed([&good]));
        let cases = [
            ("{", "not a JSON object"),
            ("[]", "not a JSON object"),
            ("{}", "miner_commits"),
        ];
        for (content, why) in cases {
            let file = world.write("bad.json", content);
            let ran = world.run(&["ingest", "--validator", "0", &file]);
            ran.assert_refused(&["bad.json", why]);
        }
        let report = world.ingest(0, &all_revealed([&good]));
        assert_eq!(report["new"], 0, "what was there is kept");
        let ran = world.run(&["ingest", "--validator", "0", "nowhere.json"]);
        ran.assert_refused(&["nowhere.json"]);
    }

    #[test]
    fn a_bad_entry_is_a_fault_and_harms_no_other() {
        let world = World::new();
        let good = Commit::new(3, &"0".repeat(64), 1.0);
        let document = document([("miner-3", good.sealed()), ("miner-4", json!({"key": "k"}))]);
        let report = world.ingest(0, &document);
        assert_eq!(report["new"], 1);
        let fault =
            json!({"hotkey": "miner-4", "challenge": "digits", "code": "missing_encrypted_commit"});
        assert_eq!(report["faults"], json!([fault]));
    }

    #[test]
    fn a_validator_must_be_in_the_metagraph() {
        let world = World::new();
        let file = world.write("empty.json", r#"{"miner_commits": {}}"#);
        let ran = world.run(&["ingest", "--validator", "99", &file]);
        ran.assert_refused(&["99", "metagraph"]);
        let metagraph = world.data().join("metagraph.json");
        std::fs::remove_file(&metagraph).unwrap();
        let ran = world.run(&["ingest", "--validator", "0", &file]);
        ran.assert_refused(&[text(&metagraph)]);
    }

    #[test]
    fn a_poor_validator_is_kept_but_not_heard() {
        let world = World::new();
        let commit = Commit::new(3, &"0".repeat(64), 1.0);
        let report = world.ingest(2, &all_revealed([&commit]));
        assert_eq!(report["new"], 0);
        let reason = report["not_heard"].as_str().unwrap();
        assert!(reason.contains("stake 50 is below"), "{reason}");
        // Once it is rich enough, what it says counts.
        let file = world.write("validator-2.json", all_revealed([&commit]).to_string());
        let rich = ["--set", "commits.min_validator_stake=50", "--json"];
        let ran = world.run(&[&["ingest", "--validator", "2", &file], &rich[..]].concat());
        assert_eq!(ran.json()["new"], 1, "{}", ran.stderr);
    }

    #[test]
    fn what_a_poor_validator_said_counts_once_it_is_rich() {
        let world = World::new().with_digits();
        let commit = Commit::new(3, &world.add_artifact("knn"), 30.0);
        world.ingest(2, &all_revealed([&commit]));
        let mut server = world.serve(&[]);
        server.wait_for("plugin active");
        let data = server.scoring_result(&[&commit.encrypted]);
        assert_eq!(data["commits"][&commit.encrypted], Value::Null);
        server.stop();
        let mut metagraph = metagraph();
        metagraph["neurons"][2]["stake"] = json!(10_000.0);
        world.set_metagraph(&metagraph);
        let mut server = world.serve(&[]);
        assert_eq!(server.wait_for("judged").text("hotkey"), commit.hotkey);
        server.stop();
    }

    #[test]
    fn what_a_poor_validator_said_counts_once_less_is_asked_for() {
        let world = World::new().with_digits();
        let commit = Commit::new(3, &world.add_artifact("knn"), 30.0);
        world.ingest(2, &all_revealed([&commit]));
        let mut server = world.serve(&["commits.min_validator_stake=50"]);
        assert_eq!(server.wait_for("judged").text("hotkey"), commit.hotkey);
        server.stop();
    }

    #[test]
    fn a_false_key_is_a_fault_and_the_right_one_of_another_opens_the_commit() {
        let world = World::new().with_digits();
        let commit = Commit::new(3, &world.add_artifact("knn"), 30.0);
        let mut lie = commit.revealed();
        lie["key"] = json!(Fernet::generate_key());
        let report = world.ingest(0, &document([(commit.hotkey.as_str(), lie)]));
        let fault = json!({"hotkey": "miner-3", "challenge": "digits", "code": "does_not_decrypt"});
        assert_eq!(report["faults"], json!([fault]));
        let mut server = world.serve(&[]);
        server.wait_for("plugin active");
        let data = server.scoring_result(&[&commit.encrypted]);
        let shown = &data["commits"][&commit.encrypted];
        assert_eq!(shown["miner_hotkey"], "miner-3", "it is known");
        assert_eq!(shown["key"], Value::Null);
        // A host that serves sees what is taken in beside it.
        let report = world.ingest(1, &all_revealed([&commit]));
        assert_eq!(
            (&report["updated"], &report["faults"]),
            (&json!(1), &json!([]))
        );
        server.wait_for("judged");
        let metrics = crate::metrics::Metrics::of(&server.admin_get("/metrics"));
        let fault = [("validator_uid", "0"), ("code", "does_not_decrypt")];
        assert_eq!(metrics.sum("proctor_commit_faults", &fault), 1.0);
        server.stop();
    }
}

mod artifact {
    use super::*;

    #[test]
    fn the_same_file_is_stored_once() {
        let world = World::new();
        let digest = world.add_artifact("knn");
        assert_eq!(world.add_artifact("knn"), digest);
        let list = world.run(&["artifact", "list", "--json"]).json();
        let size = guest_bytes("knn").len();
        assert_eq!(
            list,
            json!([{"digest": format!("sha256:{digest}"), "size": size}])
        );
        let table = world.done(&["artifact", "list"]);
        assert!(table.contains(&format!("sha256:{digest}")), "{table}");
    }

    #[test]
    fn a_file_that_is_missing_or_too_large_is_refused() {
        let world = World::new();
        let ran = world.run(&["artifact", "add", "nowhere.wasm"]);
        ran.assert_refused(&["nowhere.wasm"]);
        let knn = guest("knn");
        let ran = world.run(&[
            "artifact",
            "add",
            text(&knn),
            "--set",
            "artifacts.max_bytes=10",
        ]);
        ran.assert_refused(&["(10)"]);
        assert_eq!(world.run(&["artifact", "list", "--json"]).json(), json!([]));
    }
}

mod plugin {
    use super::*;

    fn inspect(file: &str) -> Value {
        run(&mut proctor(&["plugin", "inspect", file, "--json"])).json()
    }

    #[test]
    fn inspect_tells_what_a_component_is() {
        let digits = guest("digits");
        let told = inspect(text(&digits));
        assert_eq!(told["name"], "digits");
        assert_eq!(told["version"], "0.1.0");
        assert_eq!(told["size"], guest_bytes("digits").len());
        assert_eq!(told["loads"], true);
        assert_eq!(told["rejected"], Value::Null);
        let capabilities = json!(["scoring", "comparison", "get_weights", "proxy_routes"]);
        assert_eq!(told["capabilities"], capabilities);
        let names = |list: &str| told[list].as_array().unwrap().clone();
        assert!(names("exports").contains(&json!("proctor:challenge/controller@0.1.1")));
        assert!(names("imports").contains(&json!("proctor:challenge/runner@0.1.1")));
        let runner = json!({
            "import": "proctor:challenge/runner@0.1.1",
            "purpose": "runs the submission, task by task",
            "refused": null,
        });
        assert!(names("needs").contains(&runner), "{}", told["needs"]);
        assert_eq!(told["kind"], "challenge");
        assert_eq!(told["stamp"]["contract"], "proctor:challenge@0.1.1");
        let sections = told["sections"].as_object().unwrap().values();
        let sum: u64 = sections.map(|bytes| bytes.as_u64().unwrap()).sum();
        assert_eq!(told["size"], sum);
        let world = told["world"].as_str().unwrap();
        assert!(
            world.contains("export proctor:challenge/info@0.1.1;"),
            "{world}"
        );
        assert!(told["settings_schema"]["properties"]["tasks"].is_object());
        let ran = run(&mut proctor(&["plugin", "inspect", text(&digits)]));
        assert_eq!(ran.status.code(), Some(0), "{}", ran.stderr);
        assert!(
            ran.stdout.contains("This host would load it."),
            "{}",
            ran.stdout
        );
    }

    #[test]
    fn inspect_tells_why_a_file_is_no_plugin() {
        let world = World::new();
        let bytes = guest_bytes("digits");
        let truncated = world.write("truncated.wasm", &bytes[..bytes.len() / 2]);
        let empty = world.write("empty.wasm", "");
        let [module, other] =
            ["core_module", "another_world"].map(|name| text(&guest(name)).to_owned());
        for file in [&truncated, &empty, &module, &other] {
            let told = inspect(file);
            assert_eq!(told["loads"], false, "{file}: {told}");
            assert_eq!(told["rejected"]["code"], "link_error", "{file}: {told}");
            let reason = told["rejected"]["reason"].as_str().unwrap();
            assert!(!reason.is_empty(), "{file}");
            let ran = run(&mut proctor(&["plugin", "inspect", file]));
            assert_eq!(ran.status.code(), Some(1), "{file}: {}", ran.stderr);
            assert!(ran.stdout.contains(reason), "{file}: {}", ran.stdout);
        }
        let ran = run(&mut proctor(&["plugin", "inspect", "nowhere.wasm"]));
        ran.assert_refused(&["nowhere.wasm"]);
    }

    #[test]
    fn inspect_takes_submissions_and_tells_which_import_is_refused() {
        let told = inspect(text(&guest("knn")));
        assert_eq!(told["kind"], "solver");
        assert_eq!(told["loads"], true, "{told}");
        assert_eq!(told["stamp"]["contract"], "proctor:solver@0.1.0");
        let refused = guest("imports_made_up");
        let ran = run(&mut proctor(&["plugin", "inspect", text(&refused)]));
        assert_eq!(ran.status.code(), Some(1), "{}", ran.stderr);
        let line = ran.stdout.lines().find(|line| line.contains("refused:"));
        let line = line.unwrap();
        assert!(line.contains("evil:corp/backdoor@1.0.0"), "{line}");
        assert!(line.contains("this host does not know it"), "{line}");
        assert!(
            !ran.stdout.contains('\u{1b}'),
            "no colours outside of a terminal"
        );
    }

    #[test]
    fn inspect_prints_the_wit() {
        let ran = run(&mut proctor(&[
            "plugin",
            "inspect",
            text(&guest("knn")),
            "--wit",
        ]));
        assert_eq!(ran.status.code(), Some(0), "{}", ran.stderr);
        let solve = "export solve: func(task: string) -> result<string, string>;";
        assert!(ran.stdout.contains(solve), "{}", ran.stdout);
        let digits = guest("digits");
        let told = run(&mut proctor(&[
            "plugin",
            "inspect",
            text(&digits),
            "--wit",
            "--json",
        ]));
        let wit = told.json()["wit"].as_str().unwrap().to_owned();
        assert!(wit.contains("record scoring-log {"), "{wit}");
    }

    fn evaluate(solver: &str, more: &[&str]) -> crate::support::Ran {
        let (digits, solver) = (guest("digits"), guest(solver));
        let arguments = ["plugin", "run", text(&digits), "--artifact", text(&solver)];
        run(proctor(&arguments).args(more))
    }

    #[test]
    fn run_evaluates_and_judges_a_submission() {
        let ran = evaluate("knn", &["--json", "--seed", "3"]);
        assert_eq!(ran.status.code(), Some(0), "{}", ran.stderr);
        let told = ran.json();
        assert_eq!(told["outcome"], "ok");
        assert!(
            told["verdict"]["score"].as_f64().unwrap() > 0.9,
            "{}",
            told["verdict"]
        );
        assert_eq!(told["verdict"]["accepted"], true);
        assert_eq!(told["scoring_logs"].as_array().unwrap().len(), 10);
        assert!(
            told["solves"]
                .as_array()
                .unwrap()
                .iter()
                .all(|s| s["outcome"] == "ok")
        );
        assert!(told["fuel"].as_u64().unwrap() > 0);
        let again = evaluate("knn", &["--json", "--seed", "3"]);
        assert_eq!(again.json(), told, "the same seed gives the same result");
        let ran = evaluate("knn", &[]);
        assert!(ran.stdout.contains("accepted: yes"), "{}", ran.stdout);
    }

    #[test]
    fn run_tells_how_a_hostile_submission_fails() {
        let few = ["--json", "--settings", r#"{"tasks": 2}"#];
        for (solver, outcome) in [
            ("endless_loop", "out_of_fuel"),
            ("memory_hog", "out_of_memory"),
            ("malformed_json", "invalid_output"),
            ("core_module", "link_error"),
        ] {
            let ran = evaluate(solver, &few);
            assert_eq!(ran.status.code(), Some(0), "{solver}: {}", ran.stderr);
            let told = ran.json();
            assert_eq!(told["verdict"]["score"], 0.0, "{solver}: {told}");
            assert_eq!(told["verdict"]["accepted"], false, "{solver}: {told}");
            let solves = told["solves"].as_array().unwrap();
            assert_eq!(solves.len(), 2, "{solver}: {told}");
            for solve in solves {
                assert_eq!(solve["outcome"], outcome, "{solver}: {told}");
            }
        }
    }

    #[test]
    fn run_names_the_setting_that_is_wrong() {
        let ran = evaluate("knn", &["--settings", r#"{"min_score": 2}"#]);
        ran.assert_refused(&["--settings", "min_score"]);
        let ran = evaluate("knn", &["--settings", r#"{"task": 2}"#]);
        ran.assert_refused(&["--settings", "task"]);
        let ran = evaluate("knn", &["--settings", "{"]);
        ran.assert_refused(&["--settings"]);
    }
}

mod config {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_wherever_it_comes_from() {
        let world = World::new();
        let file = world.write("unknown.toml", "[scoring]\nhours = 1\n");
        let serve = |arguments: &[&str]| proctor(&[&["serve"], arguments].concat());
        run(&mut serve(&["--config", &file])).assert_refused(&["scoring", "hours"]);
        let mut command = serve(&[]);
        command.env("PROCTOR_SCORING__HOURS", "1");
        run(&mut command).assert_refused(&["scoring", "hours"]);
        run(&mut serve(&["--set", "scoring.hours=1"])).assert_refused(&["scoring", "hours"]);
    }

    #[test]
    fn a_bad_value_is_refused_by_name() {
        let world = World::new();
        for (setting, key) in [
            ("scoring.hour=24", "scoring.hour"),
            ("scoring.hour=noon", "scoring.hour"),
            ("public.listen=everywhere", "public.listen"),
            ("admin.listen=0.0.0.0:0", "admin.listen"),
            (
                "challenges.digits.emission_percent=-1",
                "challenges.digits.emission_percent",
            ),
            (
                "challenges.digits.solver.fuel=0",
                "challenges.digits.solver.fuel",
            ),
            ("nonsense", "nonsense"),
        ] {
            world
                .run(&["serve", "--set", setting])
                .assert_refused(&[key]);
        }
        let file = world.write("bad.toml", "[scoring");
        run(&mut proctor(&["serve", "--config", &file])).assert_refused(&["bad.toml"]);
        let ran = run(&mut proctor(&["serve", "--config", "nowhere.toml"]));
        ran.assert_refused(&["nowhere.toml"]);
    }

    #[test]
    fn flags_are_checked() {
        for arguments in [&["serve", "--log", "a=b=c"][..], &["server"], &["ingest"]] {
            let ran = run(&mut proctor(arguments));
            assert_eq!(ran.status.code(), Some(2), "{arguments:?}: {}", ran.stderr);
            assert!(!ran.stderr.is_empty());
        }
    }
}

mod serve {
    use super::*;

    #[test]
    fn a_data_directory_has_one_host() {
        let world = World::new();
        let server = world.serve(&[]);
        let data = world.data();
        world
            .run(&["serve"])
            .assert_refused(&[text(&data), "in use by another process"]);
        assert_eq!(
            server.get("/livez").status,
            200,
            "the first one is unharmed"
        );
        server.stop();
        world.serve(&[]).stop();
    }

    #[test]
    fn a_port_that_is_in_use_is_named_with_its_key() {
        let world = World::new();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        for key in ["public.listen", "admin.listen"] {
            let setting = format!("{key}={address}");
            let ran = world.run(&["serve", "--set", &setting]);
            ran.assert_refused(&[key, &address]);
        }
    }
}
