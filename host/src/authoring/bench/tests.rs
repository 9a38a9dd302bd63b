use super::*;

#[test]
fn the_median_is_in_the_middle() {
    let times =
        |millis: &[u64]| spread(millis.iter().copied().map(Duration::from_millis).collect());
    let of = |min, median, max| {
        let [min, median, max] = [min, median, max].map(Duration::from_millis);
        Times { min, median, max }
    };
    assert_eq!(times(&[3, 1, 2]), of(1, 2, 3));
    assert_eq!(times(&[4, 1]), of(1, 4, 4));
    assert_eq!(times(&[5]), of(5, 5, 5));
    assert_eq!(times(&[]), Times::default());
}

fn sandbox(directory: &Path) -> Sandbox {
    let mut config = crate::sandbox::SandboxConfig::new(directory.join("compiled"));
    config.pooling = false;
    Sandbox::new(&config).unwrap()
}

async fn of_digits(artifact: Option<&[u8]>) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let plan = Plan {
        runs: 2,
        seed: 1,
        settings: Some("{\"tasks\": 3}".to_owned()),
        artifact,
    };
    let (config, digits) = (Config::default(), proctor_testing::guest_bytes("digits"));
    let sandbox = sandbox(directory.path());
    let on_step = Box::new(|_: &str| {});
    let volumes = directory.path();
    let bench = bench(&sandbox, &digits, &config, &plan, volumes, on_step);
    bench.await.unwrap()
}

fn names(bench: &Bench) -> Vec<&str> {
    bench
        .measured
        .iter()
        .map(|measured| measured.name)
        .collect()
}

#[tokio::test]
async fn every_export_is_measured() {
    let bench = of_digits(Some(&proctor_testing::guest_bytes("knn"))).await;
    let expected = [
        "instantiate",
        "describe",
        "evaluate",
        "judge",
        "compare",
        "solve (each task)",
        "get-weights",
    ];
    assert_eq!(names(&bench), expected);
    assert_eq!(bench.left_out, [""; 0]);
    for measured in &bench.measured {
        assert_eq!(measured.error, None, "{}", measured.name);
        assert!(measured.memory_bytes > 0, "{}", measured.name);
        assert!(measured.time.min <= measured.time.median);
        assert!(measured.time.median <= measured.time.max);
        let runs = if measured.name.starts_with("solve") {
            3
        } else {
            2
        };
        assert_eq!(measured.runs, runs, "{}", measured.name);
        assert!(
            measured.fuel > 0 || measured.name == "instantiate",
            "{}",
            measured.name
        );
    }
    assert!(bench.solver.is_some());
    assert!(bench.component.cached < bench.component.compile);
}

#[tokio::test]
async fn without_a_submission_the_rest_is_measured() {
    let bench = of_digits(None).await;
    assert_eq!(names(&bench), ["instantiate", "describe", "get-weights"]);
    assert!(bench.left_out[0].contains("--artifact"));
    assert_eq!(bench.solver, None);
}

#[tokio::test]
async fn a_submission_that_cannot_be_loaded_is_told() {
    let bench = of_digits(Some(&proctor_testing::guest_bytes("core_module"))).await;
    assert_eq!(names(&bench), ["instantiate", "describe", "get-weights"]);
    assert!(
        bench.left_out[0].contains("wasm32-wasip2"),
        "{:?}",
        bench.left_out
    );
}

#[test]
fn what_takes_more_than_half_of_a_limit_is_close() {
    let limits = Limits {
        fuel: 100,
        wall_ms: 100,
        memory_bytes: 100,
        ..Limits::default()
    };
    let report = CallReport {
        fuel: 51,
        elapsed: Duration::from_millis(50),
        memory_bytes: 10,
        ..CallReport::default()
    };
    let measured = measured("evaluate", &limits, &[report], None);
    assert_eq!(measured.close(), [("fuel", 51.0)]);
}
