use super::*;
use crate::authoring::evaluate::Subject;
use crate::config::Config;
use crate::sandbox::{Outcome, Sandbox, SandboxConfig};
use digits::Digits;
use digits_solvers::Knn;
use proctor_sdk::testing::Cases;
use proctor_testing::{guest, guest_bytes};
use serde_json::Value;
use std::fs;
use tempfile::TempDir;

/// A project of the digits challenge, as if it had been built.
struct World {
    directory: TempDir,
    project: Project,
    sandbox: Sandbox,
}

impl World {
    fn new(cases: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let text = "name = \"digits\"\nlanguage = \"rust\"\n[challenge]\nsource = \"digits\"\n\
                    [solvers.knn]\nsource = \"digits-solvers\"\n";
        fs::write(root.join("project.toml"), text).unwrap();
        for folder in ["cases", "dist"] {
            fs::create_dir(root.join(folder)).unwrap();
        }
        for (from, to) in [("knn", "dist/knn.wasm"), ("memory_hog", "hog.wasm")] {
            fs::copy(guest(from), root.join(to)).unwrap();
        }
        let mut config = SandboxConfig::new(root.join("compiled"));
        config.pooling = false;
        let world = World {
            project: Project::find(root).unwrap(),
            sandbox: Sandbox::new(&config).unwrap(),
            directory,
        };
        for (name, text) in cases {
            world.write(&format!("{name}.toml"), text);
        }
        world
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.project.cases().join(name), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.project.cases().join(name)).unwrap()
    }

    async fn subject(&self) -> Subject {
        let bytes = guest_bytes("digits");
        let config = Config::default();
        Subject::load(&self.sandbox, &bytes, &config).await.unwrap()
    }

    async fn run(&self, subject: Option<&Subject>, update: bool) -> Vec<CaseRun> {
        let on_step = Box::new(|_: &str| {});
        let mut bed = Bed::new(&self.sandbox, &self.project, subject, update, on_step);
        let mut runs = Vec::new();
        for case in read(&self.project, &[]).unwrap() {
            runs.push(bed.run(&case.unwrap()).await);
        }
        runs
    }
}

fn differences(run: &CaseRun) -> Vec<String> {
    run.differences.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn cases_are_run_and_compared_with_what_they_expect() {
    let world = World::new(&[
        (
            "a-good",
            "solver = \"knn\"\nseed = 3\nsettings = {tasks = 2}\n\
             [expect]\nscore = [0.9, 1.0]\naccepted = true",
        ),
        (
            "b-other",
            "solver = \"knn\"\nsettings = {tasks = 2}\n[expect]\nscore = [0, 0.5]\naccepted = false",
        ),
        (
            "c-hog",
            "component = \"hog.wasm\"\nsettings = {tasks = 2}\n\
             [expect]\nscore = 0\nmessage = \"out_of_memory\"",
        ),
        (
            "d-recorded",
            "settings = {tasks = 2}\nsolutions = [\"1\", {failure = \"timeout\", message = \"late\"}]\n\
             [expect]\nscore = 0\nmessage = \"timeout: late\"",
        ),
        ("e-few", "settings = {tasks = 2}\nsolutions = [\"1\"]"),
        ("f-settings", "settings = {task = 2}\nsolver = \"knn\""),
        ("g-unknown", "solver = \"other\""),
        ("h-missing", "component = \"nowhere.wasm\""),
        (
            "i-away",
            "settings = {tasks = 1}\nsolutions = [{failure = \"unavailable\", message = \"busy\"}]\n\
             [expect]\noutcome = \"unavailable\"\nmessage = \"busy\"",
        ),
    ]);
    let subject = world.subject().await;
    let runs = world.run(Some(&subject), false).await;
    let passed: Vec<&str> = runs
        .iter()
        .filter(|run| run.passed())
        .map(|run| run.name.as_str())
        .collect();
    assert_eq!(
        passed,
        ["a-good", "c-hog", "d-recorded", "i-away"],
        "{runs:#?}"
    );
    let good = runs[0].came.as_ref().unwrap();
    assert!(good.fuel > 0 && good.solver_fuel > 0);
    assert_eq!(good.logs.len(), 2);
    let other = differences(&runs[1]);
    assert!(
        other[0].starts_with("score: expected 0 to 0.5, found 0.9"),
        "{other:?}"
    );
    assert_eq!(other[1], "accepted: expected false, found true");
    let few = differences(&runs[4]);
    assert_eq!(
        few[0],
        "solutions: expected 2, one for each task, found 1 in the case"
    );
    for (run, wanted) in [
        (&runs[5], "task"),
        (&runs[6], "the solvers are: knn"),
        (&runs[7], "nowhere.wasm"),
    ] {
        let problem = run.problem.as_ref().unwrap();
        assert!(problem.contains(wanted), "{}: {problem}", run.name);
    }
    assert!(runs.iter().all(|run| run.written.is_empty()));
}

#[tokio::test]
async fn what_cases_come_to_is_kept_and_compared() {
    let text = "# why\nsolver = \"knn\"\nsettings = {tasks = 2}\n";
    let world = World::new(&[("kept", text)]);
    let subject = world.subject().await;
    let subject = Some(&subject);

    let plain = world.run(subject, false).await;
    assert!(plain[0].passed() && plain[0].written.is_empty());

    let updated = world.run(subject, true).await;
    assert!(updated[0].passed(), "{updated:#?}");
    assert_eq!(updated[0].written.len(), 2);
    let filled = world.text("kept.toml");
    assert!(filled.starts_with(text), "{filled}");
    assert!(
        filled.contains("[expect]\noutcome = \"ok\"\nscore = 0.9"),
        "{filled}"
    );
    let kept = world.text("kept.snap.json");
    let snapshot: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(snapshot["outcome"], "ok");
    assert_eq!(snapshot["tasks"].as_array().unwrap().len(), 2);
    assert!(
        snapshot["tasks"][0]["task"].is_object(),
        "a value, for people"
    );
    assert_eq!(snapshot["verdict"]["accepted"], true);

    let again = world.run(subject, true).await;
    assert!(again[0].passed() && again[0].written.is_empty());

    let mut changed = snapshot.clone();
    changed["tasks"][1]["score"] = 0.25.into();
    world.write("kept.snap.json", &changed.to_string());
    let differs = world.run(subject, false).await;
    let found = differences(&differs[0]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("snapshot, tasks[1].score: expected 0.25, found "),
        "{found:?}"
    );

    let refreshed = world.run(subject, true).await;
    assert!(refreshed[0].passed());
    assert_eq!(world.text("kept.snap.json"), kept);

    world.write("kept.snap.json", "{");
    let broken = world.run(subject, false).await;
    let problem = broken[0].problem.as_ref().unwrap();
    assert!(problem.contains("kept.snap.json"), "{problem}");
}

#[tokio::test]
async fn a_case_that_expects_something_else_is_not_made_to_pass() {
    let text = "solver = \"knn\"\nsettings = {tasks = 2}\n[expect]\nscore = 0.0\n";
    let world = World::new(&[("wrong", text)]);
    let subject = world.subject().await;
    let updated = world.run(Some(&subject), true).await;
    assert!(!updated[0].passed());
    assert_eq!(world.text("wrong.toml"), text);
}

#[tokio::test]
async fn what_may_pass_is_not_kept() {
    let text = "settings = {tasks = 1}\nsolutions = [{failure = \"unavailable\"}]\n";
    let world = World::new(&[("away", text)]);
    let subject = world.subject().await;
    let updated = world.run(Some(&subject), true).await;
    assert!(!updated[0].passed());
    assert!(updated[0].written.is_empty());
    assert_eq!(world.text("away.toml"), text);
}

#[tokio::test]
async fn a_solver_is_tested_by_itself() {
    let world = World::new(&[("first", "solver = \"knn\"\nsettings = {tasks = 1}")]);
    let subject = world.subject().await;
    let first = world.run(Some(&subject), false).await;
    let log = &first[0].came.as_ref().unwrap().logs[0];
    let solution = log.solution.as_ref().unwrap();
    let case = |task: &str, rest: &str| format!("task = '{task}'\n{rest}");
    fs::remove_file(world.project.cases().join("first.toml")).unwrap();
    let right = format!("[expect]\nsolution = '{solution}'");
    world.write("a.toml", &case(&log.task, &right));
    world.write("b.toml", &case(&log.task, "[expect]\nsolution = \"null\""));
    let error = "[expect]\noutcome = \"guest_error\"\nmessage = \"cannot read the task\"";
    world.write("c.toml", &case("1", error));
    world.write("d.toml", "solver = \"knn\"");
    let runs = world.run(None, false).await;
    let passed: Vec<bool> = runs.iter().map(CaseRun::passed).collect();
    assert_eq!(passed, [true, false, true, false], "{runs:#?}");
    let came = runs[0].came.as_ref().unwrap();
    assert!(came.is_task && came.solver_fuel > 0 && came.outcome() == Outcome::Ok);
    assert!(
        runs[3]
            .problem
            .as_ref()
            .unwrap()
            .contains("a case of a challenge")
    );
}

#[tokio::test]
async fn native_and_sandboxed_runs_agree() {
    let cases: Vec<(String, String)> = (1..=3)
        .map(|seed| {
            let text = format!("solver = \"knn\"\nseed = {seed}\n[settings]\ntasks = {seed}\n");
            (format!("seed-{seed}"), text)
        })
        .chain([(
            "recorded".to_owned(),
            "settings = {tasks = 3}\nsolutions = [\"1\", \"{\", {error = \"no\"}]".to_owned(),
        )])
        .collect();
    let cases: Vec<(&str, &str)> = cases.iter().map(|(n, t)| (&**n, &**t)).collect();
    let world = World::new(&cases);
    let subject = world.subject().await;
    let runs = world.run(Some(&subject), true).await;
    assert!(runs.iter().all(CaseRun::passed), "{runs:#?}");
    // What the sandbox came to is what is expected now, to the last digit.
    let directory = world.directory.path().join("cases");
    let native = || Cases::<Digits>::read(&directory).submission::<Knn>("knn");
    let report = native().report();
    assert_eq!(report.failures, []);
    assert_eq!(report.passed.len(), cases.len(), "{report}");
    let filled = world.text("seed-1.toml");
    world.write(
        "seed-1.toml",
        &filled.replace("accepted = true", "accepted = false"),
    );
    assert_eq!(native().report().failures.len(), 1);
}

#[test]
fn cases_are_chosen_by_name_or_file() {
    let world = World::new(&[("a", "solver = \"knn\""), ("b", "sed = 1")]);
    let names = |only: &[&str]| {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        let cases = read(&world.project, &only).map_err(|error| error.to_string())?;
        Ok::<_, String>(
            cases
                .iter()
                .map(|case| name(case).to_owned())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(names(&[]).unwrap(), ["a", "b"]);
    assert_eq!(names(&["cases/b.toml"]).unwrap(), ["b"]);
    assert!(names(&["c"]).unwrap_err().contains("the cases are: a, b"));
}

#[test]
fn without_cases_one_is_told_how_to_write_one() {
    let world = World::new(&[]);
    let error = read(&world.project, &[]).unwrap_err().to_string();
    let example = error.split("\n\n").nth(1).unwrap();
    let case = Case::parse("first", &world.project.cases().join("first.toml"), example);
    assert!(case.is_ok(), "{error}");
    fs::remove_dir(world.project.cases()).unwrap();
    let error = read(&world.project, &[]).unwrap_err().to_string();
    assert!(error.contains("first.toml"), "{error}");
}

#[test]
fn the_outcomes_of_a_case_are_those_of_a_host() {
    let codes = Outcome::ALL.map(Outcome::code);
    assert_eq!(codes, format::OUTCOMES);
}
