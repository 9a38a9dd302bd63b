//! JavaScript: esbuild makes one module of the author's and the SDK, componentize-js a
//! component of it.

mod places;

use super::kept::{Kept, digests};
use super::tool::{output_of, quoted};
use super::{BuildError, Job, Kind, find_tool, run_tool};
use crate::sandbox::{Capability, sha256_hex};
use places::{Places, SourceMap};
use serde::Serialize;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

/// What the SDK is imported by, and the module of each such name.
const MODULES: [(&str, &str); 4] = [
    ("@proctor/sdk", "src/index.js"),
    ("@proctor/sdk/guest", "src/guest.js"),
    ("@proctor/sdk/ranking", "src/ranking/index.js"),
    ("@proctor/sdk/testing", "src/testing.js"),
];
/// The generated module that imports the author's.
const ENTRY: &str = "entry.js";
/// What esbuild makes of it, and of all that it imports. Stack traces name it.
const BUNDLE: &str = "component.js";

pub(super) fn build(job: &Job<'_>) -> Result<(), BuildError> {
    let esbuild = tool(job, "esbuild")?;
    let componentize = tool(job, "componentize-js")?;
    let source = job.project.root.join(job.source);
    if !source.is_file() {
        return Err(BuildError::Invalid(format!(
            "{} is not there: it is the `source` of `{}` in {}",
            source.display(),
            job.name,
            job.project.file().display()
        )));
    }
    let sdk = &job.project.sdk;
    let (wit, world) = job.write_wit(&sdk.join("wit"))?;
    let entry = entry(job, &source, &wit)?;
    write(&job.work.join(ENTRY), &entry)?;
    bundle(job, esbuild)?;
    let module = with_source_map(job)?;
    write(&job.work.join(BUNDLE), &module)?;
    let mut made_of = digests(&wit)?;
    made_of.extend([sha256_hex(module.as_bytes()), version_of(&componentize)]);
    let kept = Kept::of(job, &made_of);
    if kept.component_to(&job.out)? {
        return Ok(());
    }
    let mut command = Command::new(componentize);
    command
        // It splits its own arguments at spaces, so that only names without a directory are
        // safe.
        .current_dir(&job.work)
        .arg(BUNDLE)
        .arg("--wit")
        .arg(&wit)
        .args(["--world-name", world])
        // Standard output stays: it goes to the challenge's log. So do clocks and random
        // numbers, which the host makes logical and seeded.
        .args(["--disable", "http", "--disable", "fetch-event"])
        .arg("--out")
        .arg(&job.out)
        // It passes its environment on to the module, whose memory is kept: nothing of the
        // author's may be in it.
        .env_clear()
        .env("PATH", &job.path);
    for name in ["HOME", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    run_tool(command).map_err(|error| initialization(error, job.source))?;
    kept.keep(&job.out)
}

fn tool(job: &Job<'_>, name: &str) -> Result<PathBuf, BuildError> {
    let beside = job.project.root.join("node_modules/.bin");
    find_tool(name, Some(&beside), &job.path).ok_or_else(|| {
        let npm = find_tool("npm", None, &job.path);
        if npm.is_none() {
            return BuildError::Missing {
                tool: "npm".to_owned(),
                needed_for: format!("it gets {name}, which builds projects in JavaScript"),
                install: "sudo apt install nodejs npm   # or from https://nodejs.org, version 20 or later"
                    .to_owned(),
            };
        }
        BuildError::Missing {
            tool: name.to_owned(),
            needed_for: "it builds projects in JavaScript".to_owned(),
            install: format!("npm install --prefix {}", quoted(job.project.root.as_os_str())),
        }
    })
}

/// The module that has the exports of the contract, made of the author's by the SDK.
fn entry(job: &Job<'_>, source: &Path, wit: &Path) -> Result<String, BuildError> {
    let source = literal(&source.to_string_lossy())?;
    let Kind::Challenge(capabilities) = job.kind else {
        return Ok(format!(
            "import {{ loaded, solver }} from '@proctor/sdk/guest';\n\
             export const solve = loaded(() => solver(require({source})));\n"
        ));
    };
    let world = wit.join("world.wit");
    let text = fs::read_to_string(&world).map_err(BuildError::io(&world))?;
    let version = text
        .split_once("info-plugin@")
        .and_then(|(_, rest)| rest.split(';').next())
        .ok_or_else(|| BuildError::Invalid(format!("{} names no version", world.display())))?;
    let mut names = Vec::new();
    let mut exports = vec!["info"];
    for capability in capabilities {
        names.push(capability.name());
        exports.push(match capability {
            Capability::Scoring => "controller",
            Capability::Comparison => "comparer",
            Capability::GetWeights => "weights",
            Capability::Organic | Capability::ProxyRoutes => {
                return Err(BuildError::Invalid(format!(
                    "the capability `{}` is for challenges in Rust: take it out of \
                     `capabilities` in {}",
                    capability.name(),
                    job.project.file().display()
                )));
            }
        });
    }
    let mut interfaces = vec!["context", "database"];
    if exports.contains(&"controller") || exports.contains(&"comparer") {
        interfaces.push("runner");
    }
    let mut module = String::new();
    for name in &interfaces {
        module.push_str(&format!(
            "import * as {name} from 'proctor:challenge/{name}@{version}';\n"
        ));
    }
    let (names, interfaces, exports) =
        (literal(&names)?, interfaces.join(", "), exports.join(", "));
    // Not imported, but required: what it throws can be caught.
    module.push_str(&format!(
        "import {{ challenge, loaded }} from '@proctor/sdk/guest';\n\
         export const {{ {exports} }} = loaded(() =>\n  \
         challenge(require({source}), {names}, {{ {interfaces} }}),\n);\n"
    ));
    Ok(module)
}

/// A value as it is written in JavaScript.
fn literal(value: &(impl Serialize + ?Sized)) -> Result<String, BuildError> {
    serde_json::to_string(value).map_err(|error| BuildError::Invalid(error.to_string()))
}

fn bundle(job: &Job<'_>, esbuild: PathBuf) -> Result<(), BuildError> {
    let mut command = Command::new(esbuild);
    command
        .current_dir(&job.project.root)
        .env("PATH", &job.path)
        .arg(job.work.join(ENTRY))
        .args([
            "--bundle",
            "--format=esm",
            "--target=es2023",
            "--charset=utf8",
        ])
        .args(["--platform=neutral", "--main-fields=module,main"])
        .args([
            "--external:proctor:*",
            "--loader:.txt=text",
            "--loader:.csv=text",
        ])
        .args(["--sourcemap=external", "--sources-content=false"])
        .args(["--log-level=warning", "--color=false"])
        .arg(format!("--outfile={}", job.work.join(BUNDLE).display()));
    for (name, module) in MODULES {
        let module = job.project.sdk.join(module);
        command.arg(format!("--alias:{name}={}", module.display()));
    }
    match output_of(command) {
        Ok(_) => Ok(()),
        // Its messages name file and line and quote the source. The command line, with
        // every path in it, would only hide them.
        Err(BuildError::Failed { output, .. }) if !output.trim().is_empty() => {
            Err(BuildError::Invalid(bundling(&output)))
        }
        Err(error) => Err(error),
    }
}

/// What esbuild says, with advice that is of use here.
fn bundling(output: &str) -> String {
    let lines = output.trim_end().lines().map(|line| {
        if line.contains("but is built into node") {
            "  A component runs in a sandbox: it has no modules of Node, no files and no network."
        } else if line.contains("as external to exclude it") {
            "  A package must be installed first, with npm."
        } else {
            line
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The bundle, which knows of each of its lines where it is from.
fn with_source_map(job: &Job<'_>) -> Result<String, BuildError> {
    let path = job.work.join(BUNDLE);
    let map_path = job.work.join(format!("{BUNDLE}.map"));
    let bundle = fs::read_to_string(&path).map_err(BuildError::io(&path))?;
    let map = fs::read_to_string(&map_path).map_err(BuildError::io(&map_path))?;
    let map: SourceMap = serde_json::from_str(&map)
        .map_err(|error| BuildError::Invalid(format!("{}: {error}", map_path.display())))?;
    let [sdk, root, work] =
        [&job.project.sdk, &job.project.root, &job.work].map(|path| normal(path));
    let places = Places::read(&map, BUNDLE, 1, |source| {
        let file = normal(&job.work.join(source));
        // Authors look for their own mistakes, so only their files have names.
        let theirs = !file.starts_with(&sdk) && !file.starts_with(&work);
        theirs.then(|| {
            file.strip_prefix(&root)
                .unwrap_or(&file)
                .display()
                .to_string()
        })
    });
    // One line before the bundle, so that it is there when that is run.
    Ok(format!(
        "globalThis.__proctorPlaces = {};\n{bundle}",
        literal(&places)?
    ))
}

/// Without `..`. The file system is not asked, so links stay what they are.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

/// What the author's module threw when it was run for the first time, without the traces of
/// the tools.
fn initialization(error: BuildError, source: &str) -> BuildError {
    let BuildError::Failed { output, .. } = &error else {
        return error;
    };
    // The first time each of its lines begins with a place in the bundle, the second not.
    let thrown = output
        .rsplit_once("<proctor>\n")
        .and_then(|(_, rest)| rest.split_once("\n</proctor>"));
    if let Some((thrown, _)) = thrown {
        return BuildError::Invalid(format!("{source}: {thrown}"));
    }
    // Whatever it imports, that the tool does not offer.
    let asked = output
        .split_once("attempted to call an unknown imported function: '")
        .and_then(|(_, rest)| rest.split('\'').next());
    let what = match asked {
        Some(name) if name.starts_with("wasi:random") => "random numbers",
        Some(name) if name.starts_with("wasi:clocks") => "the time",
        Some(name) if name.starts_with("proctor:") => "the host",
        Some(_) => "the system",
        None => return error,
    };
    BuildError::Invalid(format!(
        "{source}: it asks for {what} while it is loaded, which happens once, when it is built: do \
         so in a method"
    ))
}

/// Tells one version of an installed tool from another, without running it.
fn version_of(tool: &Path) -> String {
    let resolved = fs::canonicalize(tool).unwrap_or_else(|_| tool.to_owned());
    let manifest = resolved
        .ancestors()
        .map(|directory| directory.join("package.json"))
        .find_map(|file| fs::read(file).ok());
    match manifest {
        Some(manifest) => sha256_hex(&manifest),
        None => sha256_hex(&fs::read(resolved).unwrap_or_default()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), BuildError> {
    fs::write(path, text).map_err(BuildError::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loading(output: &str) -> String {
        let failed = BuildError::Failed {
            command: "componentize-js component.js".to_owned(),
            status: "exit status: 1".to_owned(),
            output: output.to_owned(),
        };
        initialization(failed, "challenge.js").to_string()
    }

    #[test]
    fn what_a_module_throws_is_told_without_the_traces_of_the_tools() {
        let output = "componentize.js:365\n    throw new Error(err);\n\
            component.js:9:1 <proctor>\ncomponent.js:9:1 TypeError: no\n\
            component.js:9:1 </proctor>\nPromise rejected but never handled: \n<proctor>\n\
            TypeError: no\n  at f (challenge.js:4:2)\n</proctor>\n\nStack:\n  loaded@component.js:9:1\n\
            \x20   at componentize (file:///componentize.js:365:11)\n\nNode.js v20.20.2\n";
        let wanted = "challenge.js: TypeError: no\n  at f (challenge.js:4:2)";
        assert_eq!(loading(output), wanted);
    }

    #[test]
    fn chance_at_build_time_is_refused_and_not_kept_for_ever() {
        let output = "1: Error: attempted to call an unknown imported function: \
            'wasi:random/random@0.2.10' 'get-random-u64'";
        let told = loading(output);
        assert!(
            told.contains("it asks for random numbers while it is loaded"),
            "{told}"
        );
    }

    #[test]
    fn what_is_not_understood_is_told_as_it_is() {
        let told = loading("something else\n");
        assert!(
            told.contains("something else") && told.contains("exit status: 1"),
            "{told}"
        );
    }

    #[test]
    fn advice_of_the_bundler_that_does_not_help_is_replaced() {
        let told = bundling(
            "\u{2718} [ERROR] Could not resolve \"node:fs\"\n\n    challenge.js:2:15:\n\n\
             \x20 The package \"node:fs\" wasn't found on the file system but is built into node. \
             You can use \"--platform=node\" to do that.\n",
        );
        assert!(told.contains("challenge.js:2:15"), "{told}");
        assert!(
            told.ends_with("no files and no network.") && !told.contains("platform"),
            "{told}"
        );
    }

    #[test]
    fn a_path_is_made_normal_without_the_file_system() {
        assert_eq!(
            normal(Path::new("/a/b/../../c/./d.js")),
            Path::new("/c/d.js")
        );
    }
}
