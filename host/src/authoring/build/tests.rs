use super::*;
use std::os::unix::fs::PermissionsExt;

/// A project in Rust with a challenge and a solver, and a directory for tools.
struct Fixture {
    directory: tempfile::TempDir,
    project: Project,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("project");
        for name in ["project/challenge", "project/vendor", "tools"] {
            fs::create_dir_all(directory.path().join(name)).unwrap();
        }
        let file = "name = \"sum\"\nlanguage = \"rust\"\n[challenge]\nsource = \"sum\"\n\
                    [solvers.adder]\nsource = \"adder\"\n";
        fs::write(root.join("project.toml"), file).unwrap();
        let project = Project::find(&root).unwrap();
        Fixture { directory, project }
    }

    /// A tool that is this shell script.
    fn tool(&self, name: &str, script: &str) {
        let path = self.directory.path().join("tools").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A cargo that says what cargo says, of components with these bytes.
    fn cargo(&self, bytes: &str) {
        self.tool(
            "cargo",
            &format!(
                r#"
for package; do :; done
mkdir -p "out/$package"
echo "[package]
name = \"$package\"" > "out/$package/Cargo.toml"
echo "[package]
name = \"other\"" > out/Cargo.toml
printf '%s' '{bytes}' > "out/$package/a.wasm"
echo noise
echo '{{"reason":"build-script-executed","package_id":"x"}}'
echo '{{"reason":"compiler-artifact","manifest_path":"'$PWD/out/Cargo.toml'","filenames":["/other.wasm"]}}'
echo '{{"reason":"compiler-artifact","manifest_path":"'$PWD/out/$package/Cargo.toml'","filenames":["/a.rlib","'$PWD/out/$package/a.wasm'"]}}'
echo '{{"reason":"compiler-artifact","manifest_path":"'$PWD/out/Cargo.toml'","filenames":["/other.wasm"]}}'
echo '{{"reason":"build-finished","success":true}}'
"#
            ),
        );
    }

    fn build(&self, which: &[&str]) -> Result<Vec<Built>, BuildError> {
        // Of the system only what the scripts need.
        let tools = self.directory.path().join("tools");
        let path = std::env::join_paths([tools.as_path(), Path::new("/bin")]).unwrap();
        build_with(&self.project, which, path, &mut |_| {})
    }
}

#[test]
fn the_challenge_and_every_solver_are_built() {
    let fixture = Fixture::new();
    fixture.cargo("one");
    let mut steps = Vec::new();
    let path = std::env::join_paths([
        fixture.directory.path().join("tools").as_path(),
        Path::new("/bin"),
    ]);
    let built = build_with(&fixture.project, &[], path.unwrap(), &mut |step| {
        steps.push(step.to_owned());
    });
    let built = built.unwrap();
    let names: Vec<_> = built
        .iter()
        .map(|b| (b.name.as_str(), b.challenge))
        .collect();
    assert_eq!(names, [("sum", true), ("adder", false)]);
    assert_eq!(steps, ["building sum", "building adder"]);
    for built in &built {
        assert_eq!(fs::read(&built.path).unwrap(), b"one");
        assert_eq!((built.bytes, built.unchanged), (3, false));
        assert_eq!(built.digest, sha256_hex(b"one"));
    }
    let beside = fs::read_dir(fixture.project.root.join("dist")).unwrap();
    assert_eq!(beside.count(), 2, "drafts are left");
}

#[test]
fn the_same_bytes_are_not_written_again() {
    let fixture = Fixture::new();
    fixture.cargo("one");
    let path = fixture.build(&["sum"]).unwrap()[0].path.clone();
    let written = |path: &Path| path.metadata().unwrap().modified().unwrap();
    let before = written(&path);
    let again = fixture.build(&["sum"]).unwrap();
    assert!(again[0].unchanged);
    assert_eq!(written(&path), before);
    fixture.cargo("two");
    let changed = fixture.build(&["sum"]).unwrap();
    assert!(!changed[0].unchanged);
    assert_eq!(fs::read(&path).unwrap(), b"two");
}

#[test]
fn what_the_compiler_says_is_shown_and_what_it_says_to_programs_is_not() {
    let fixture = Fixture::new();
    fixture.tool(
        "cargo",
        "echo '{\"reason\":\"compiler-message\"}'; echo 'error: expected `;`' >&2; exit 101",
    );
    let error = fixture.build(&[]).unwrap_err().to_string();
    assert!(error.contains("error: expected `;`"), "{error}");
    assert!(
        error.contains("`cargo build --quiet --release --target wasm32-wasip2"),
        "{error}"
    );
    assert!(error.contains("exit status: 101"), "{error}");
    assert!(!error.contains("reason"), "{error}");
    assert!(!fixture.project.built("sum").exists());
}

#[test]
fn a_missing_tool_is_told_with_the_command_that_installs_it() {
    let fixture = Fixture::new();
    let error = fixture.build(&[]).unwrap_err();
    assert!(matches!(error, BuildError::Missing { .. }), "{error}");
    assert!(
        error.to_string().contains("https://sh.rustup.rs"),
        "{error}"
    );

    fixture.cargo("one");
    fixture.tool("rustc", "echo /no/such/directory");
    let error = fixture.build(&[]).unwrap_err().to_string();
    assert!(
        error.contains("    rustup target add wasm32-wasip2\n"),
        "{error}"
    );
    fixture.tool("rustc", "pwd");
    fixture.build(&[]).unwrap();
}

#[test]
fn a_package_that_is_no_component_is_told() {
    let fixture = Fixture::new();
    fixture.tool(
        "cargo",
        "echo '{\"reason\":\"build-finished\",\"success\":true}'",
    );
    let error = fixture.build(&["adder"]).unwrap_err();
    assert!(matches!(error, BuildError::NoOutput { .. }), "{error}");
    let error = error.to_string();
    assert!(
        error.contains("`adder`") && error.contains("cdylib"),
        "{error}"
    );
}

#[test]
fn what_is_not_in_the_project_is_not_built() {
    let fixture = Fixture::new();
    fixture.cargo("one");
    let error = fixture.build(&["sum", "divider"]).unwrap_err();
    assert!(matches!(error, BuildError::Project(_)), "{error}");
    assert!(!fixture.project.built("sum").exists());
}

#[test]
fn one_build_waits_for_another() {
    let fixture = Fixture::new();
    fixture.cargo("one");
    let scratch = fixture.project.root.join(SCRATCH);
    fs::create_dir_all(&scratch).unwrap();
    let first = lock(&scratch, &mut |_| panic!("nobody builds")).unwrap();
    let mut first = Some(first);
    let path = fixture.directory.path().join("tools");
    let path = std::env::join_paths([path.as_path(), Path::new("/bin")]).unwrap();
    let mut steps = Vec::new();
    let built = build_with(&fixture.project, &["sum"], path, &mut |step| {
        steps.push(step.to_owned());
        // The other one ends.
        drop(first.take());
    });
    assert_eq!(built.unwrap().len(), 1);
    assert_eq!(
        steps,
        ["waiting for another build of this project", "building sum"]
    );
}

#[test]
fn a_world_is_made_of_the_capabilities() {
    use crate::sandbox::Capability;
    let fixture = Fixture::new();
    let wit = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit"));
    let job = |kind| Job {
        project: &fixture.project,
        name: "sum",
        source: "sum",
        kind,
        work: fixture.directory.path().join("work"),
        out: PathBuf::new(),
        path: OsString::new(),
    };
    let capabilities = [Capability::Scoring, Capability::GetWeights].into();
    let (directory, world) = job(Kind::Challenge(&capabilities)).write_wit(wit).unwrap();
    assert_eq!(world, "plugin");
    let text = fs::read_to_string(directory.join("world.wit")).unwrap();
    for part in ["info-plugin@", "controller-plugin@", "weights-plugin@"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("comparer"), "{text}");
    // What the tools of every language do with it.
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(&directory).unwrap();
    resolve.select_world(&[package], Some("plugin")).unwrap();

    let (directory, world) = job(Kind::Solver).write_wit(wit).unwrap();
    let (package, _) = resolve.push_dir(&directory).unwrap();
    resolve.select_world(&[package], Some(world)).unwrap();

    let routes = [Capability::ProxyRoutes].into();
    let error = job(Kind::Challenge(&routes)).write_wit(wit).unwrap_err();
    assert!(error.to_string().contains("proxy_routes"), "{error}");
}

/// componentize-py never makes the same bytes twice.
#[test]
fn what_python_components_are_made_of_decides_whether_they_are_built_again() {
    let fixture = Fixture::new();
    let root = &fixture.project.root;
    let sdk = root.join("vendor/proctor_sdk");
    for directory in ["wit/challenge", "wit/solver"] {
        fs::create_dir_all(sdk.join(directory)).unwrap();
    }
    fs::write(sdk.join("__init__.py"), "").unwrap();
    let version = "__version__ = \"0.1.0\"\n";
    fs::write(sdk.join("_version.py"), version).unwrap();
    fs::write(
        sdk.join("wit/solver/solver.wit"),
        "package proctor:solver@0.1.0;\n",
    )
    .unwrap();
    fs::write(root.join("solver.py"), "one").unwrap();
    let file = "name = \"sum\"\nlanguage = \"python\"\n[solvers.adder]\nsource = \"solver.py\"\n";
    fs::write(root.join("project.toml"), file).unwrap();
    let fixture = Fixture {
        project: Project::find(root).unwrap(),
        directory: fixture.directory,
    };
    let count = fixture.directory.path().join("count");
    // A component with a section that counts.
    let script = r#"
while [ "$1" != --output ]; do shift; done
echo again >> COUNT
printf '\0asm\15\0\1\0\0\2\1' > "$2"
printf '%s' $(wc -l < COUNT) >> "$2"
"#;
    let script = script.replace("COUNT", &count.display().to_string());
    fixture.tool("componentize-py", &script);
    let digest = || fixture.build(&[]).unwrap()[0].digest.clone();
    let first = digest();
    fs::create_dir_all(fixture.project.cases()).unwrap();
    fs::write(fixture.project.cases().join("a.toml"), "task = \"1\"").unwrap();
    assert_eq!(digest(), first, "nothing that it is made of has changed");
    fs::write(fixture.project.root.join("solver.py"), "two").unwrap();
    let second = digest();
    assert_ne!(second, first);
    fs::remove_dir_all(fixture.project.root.join("dist")).unwrap();
    assert_eq!(digest(), second);
    let built = fs::read_to_string(count).unwrap().lines().count();
    assert_eq!(built, 2);
}
