//! Building in Python, by componentize-py.

use super::kept::{Kept, digests};
use super::{BuildError, Job, Kind, find_tool, output_of};
use crate::sandbox::{Capability, sha256_hex};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TOOL: &str = "componentize-py";
/// The version that the SDK is tested with.
pub(in crate::authoring) const VERSION: &str = "0.25.1";
/// The module that componentize-py is given. It imports the author's.
const ENTRY: &str = "proctor_entry";
/// Where the entry writes what is wrong with the author's module.
const REPORT: &str = "error.txt";

/// Builds one component.
///
/// What a component was built of before is not built again: see [`Kept`].
///
/// # Errors
///
/// See [`BuildError`]. What the author's code raises while it is imported is
/// [`BuildError::Invalid`] with the author's own traceback.
pub(super) fn build(job: &Job<'_>) -> Result<(), BuildError> {
    let root = &job.project.root;
    let venv = root.join(".venv");
    let tool = find_tool(TOOL, Some(&venv.join("bin")), &job.path).ok_or_else(missing)?;
    let sdk = &job.project.sdk;
    if !sdk.join("__init__.py").is_file() {
        return Err(BuildError::Invalid(format!(
            "there is no Python SDK in {}: `proctor plugin new` puts it there, and `sdk` in \
             project.toml can name another directory",
            sdk.display()
        )));
    }
    let capabilities = capabilities(job)?;
    let (directory, module) = module(job)?;
    let (wit, world) = job.write_wit(&sdk.join("wit"))?;
    let entry = job.work.join(format!("{ENTRY}.py"));
    let text = entry_text(job.source, &module, capabilities.as_deref(), job.kind);
    fs::write(&entry, &text).map_err(BuildError::io(&entry))?;

    let mut paths = vec![job.work.clone(), directory];
    for path in [Some(root.as_path()), sdk.parent()].into_iter().flatten() {
        if !paths.iter().any(|known| known == path) {
            paths.push(path.to_owned());
        }
    }
    let mut made_of = [format!("{paths:?}"), text, installed(&tool)].to_vec();
    for directory in [root, sdk, &wit] {
        made_of.extend(digests(directory)?);
    }
    let kept = Kept::of(job, &made_of);
    if kept.component_to(&job.out)? {
        return Ok(());
    }
    let mut command = Command::new(tool);
    command.arg("--wit-path").arg(&wit).args(["--world", world]);
    command.args(["componentize", ENTRY]);
    for path in &paths {
        command.arg("--python-path").arg(path);
    }
    command.arg("--output").arg(&job.out);
    if venv.is_dir() {
        // Where componentize-py finds the project's pure Python packages.
        command.env("VIRTUAL_ENV", &venv);
    }
    match output_of(command) {
        Ok(_) => kept.keep(&job.out),
        Err(BuildError::Failed {
            command,
            status,
            output,
        }) => {
            let report = fs::read_to_string(job.work.join(REPORT)).unwrap_or_default();
            if report.is_empty() {
                let output = without_backtrace(&output).to_owned();
                return Err(BuildError::Failed {
                    command,
                    status,
                    output,
                });
            }
            let report = with_own_paths(&report, root, &paths);
            let hint = hint(&report);
            Err(BuildError::Invalid(format!("{}{hint}", report.trim_end())))
        }
        Err(error) => Err(error),
    }
}

/// What is installed beside the tool: packages by the names of their directories, which have
/// their versions. Where there is no environment, the tool itself.
fn installed(tool: &Path) -> String {
    let library = tool
        .parent()
        .and_then(Path::parent)
        .map(|venv| venv.join("lib"));
    let mut names = Vec::new();
    for python in library.iter().flat_map(fs::read_dir).flatten().flatten() {
        let packages = fs::read_dir(python.path().join("site-packages"));
        let packages = packages.into_iter().flatten().flatten();
        names.extend(packages.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    }
    names.sort();
    if names.is_empty() {
        names.push(sha256_hex(&fs::read(tool).unwrap_or_default()));
    }
    names.join(" ")
}

fn missing() -> BuildError {
    BuildError::Missing {
        tool: TOOL.to_owned(),
        needed_for: "it makes components of Python".to_owned(),
        install: format!(
            "python3 -m venv .venv && .venv/bin/pip install {TOOL}=={VERSION}\n\n\
             in the project's directory (with pipx: pipx install {TOOL}=={VERSION})"
        ),
    }
}

/// The names of the capabilities; none for a solver.
fn capabilities(job: &Job<'_>) -> Result<Option<Vec<&'static str>>, BuildError> {
    let Kind::Challenge(capabilities) = job.kind else {
        return Ok(None);
    };
    if let Some(other) = capabilities
        .iter()
        .find(|c| matches!(c, Capability::Organic | Capability::ProxyRoutes))
    {
        return Err(BuildError::Invalid(format!(
            "the capability `{}` is for challenges in Rust: take it out of `capabilities` in \
             project.toml",
            other.name()
        )));
    }
    Ok(Some(capabilities.iter().map(|c| c.name()).collect()))
}

/// The directory that the author's file is in, and its name as a module.
fn module(job: &Job<'_>) -> Result<(PathBuf, String), BuildError> {
    let file = job.project.root.join(job.source);
    let source = job.source;
    if !file.is_file() {
        return Err(BuildError::Invalid(format!(
            "project.toml names {source}, and there is no such file"
        )));
    }
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    let is_python = file.extension().is_some_and(|extension| extension == "py");
    let name = stem.filter(|stem| is_python && is_identifier(stem));
    let name = name.ok_or_else(|| {
        BuildError::Invalid(format!(
            "{source} is no name of a Python module: letters, digits and `_`, then `.py`"
        ))
    })?;
    // Modules that the component has itself.
    if ["proctor_sdk", "proctor_entry", "wit_world"].contains(&name)
        || name.starts_with("componentize_py")
    {
        return Err(BuildError::Invalid(format!(
            "{source} has the name of a module that every component has: give it another"
        )));
    }
    let directory = file.parent().unwrap_or(&job.project.root);
    Ok((directory.to_owned(), name.to_owned()))
}

fn is_identifier(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(first) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The module that componentize-py looks for classes in: one for each interface that the
/// world exports.
fn entry_text(source: &str, module: &str, capabilities: Option<&[&str]>, kind: Kind<'_>) -> String {
    let list = match capabilities {
        Some(names) => format!("{names:?}"),
        None => "None".to_owned(),
    };
    let mut text = format!(
        "# Written by the build. componentize-py makes a component of the classes below.\n\
         import sys\n\
         \n\
         # No files beside the author's.\n\
         sys.dont_write_bytecode = True\n\
         from proctor_sdk import _guest\n\
         \n\
         report = __file__.rsplit(\"/\", 1)[0] + \"/{REPORT}\"\n\
         classes = _guest.load({source:?}, {module:?}, {list}, report)\n"
    );
    let names: &[&str] = match kind {
        Kind::Solver => &["WitWorld"],
        Kind::Challenge(_) => &["Info", "Controller", "Comparer", "Weights"],
    };
    for name in names {
        text.push_str(&format!(
            "if \"{name}\" in classes:\n    {name} = classes[\"{name}\"]\n"
        ));
    }
    text
}

/// The report with the files as the author calls them: componentize-py shows the guest its
/// directories as `/0`, `/1`, and so on.
fn with_own_paths(report: &str, root: &Path, paths: &[PathBuf]) -> String {
    let mut text = report.to_owned();
    for (index, path) in paths.iter().enumerate() {
        let relative = path.strip_prefix(root).unwrap_or(path);
        let mut own = relative.display().to_string();
        if !own.is_empty() {
            own.push('/');
        }
        text = text.replace(&format!("File \"/{index}/"), &format!("File \"{own}"));
    }
    text
}

/// What helps where the error of Python alone does not.
fn hint(report: &str) -> &'static str {
    let last = report.trim_end().lines().last().unwrap_or_default();
    if last.starts_with("ModuleNotFoundError") || last.starts_with("ImportError") {
        "\n\nA component has the standard library without sockets, threads and processes, and \
         the pure Python packages of the project's .venv. Packages with native code, such as \
         NumPy, are not for WebAssembly."
    } else {
        ""
    }
}

/// What componentize-py says without the frames of its own code.
fn without_backtrace(output: &str) -> &str {
    let end = output.find("\nStack backtrace:").unwrap_or(output.len());
    output.get(..end).unwrap_or(output).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_author_reads_of_the_files_that_they_wrote() {
        let root = Path::new("/home/me/sum");
        let paths = ["/home/me/sum/.proctor/sum", "/home/me/sum", "/opt/sdk"];
        let paths = paths.map(PathBuf::from);
        let report = "File \"/1/challenge.py\", line 3\nFile \"/2/proctor_sdk/a.py\", line 1";
        assert_eq!(
            with_own_paths(report, root, &paths),
            "File \"challenge.py\", line 3\nFile \"/opt/sdk/proctor_sdk/a.py\", line 1"
        );
    }

    #[test]
    fn a_tools_own_frames_are_left_out() {
        let output = "AssertionError: no world\n\nStack backtrace:\n   0: anyhow\n";
        assert_eq!(without_backtrace(output), "AssertionError: no world");
        assert_eq!(without_backtrace("other"), "other");
    }

    #[test]
    fn a_module_is_named_as_python_wants() {
        for (name, good) in [
            ("challenge", true),
            ("_a1", true),
            ("1a", false),
            ("a-b", false),
        ] {
            assert_eq!(is_identifier(name), good, "{name}");
        }
    }

    #[test]
    fn a_missing_package_is_explained() {
        let report =
            "  File \"challenge.py\", line 1\nModuleNotFoundError: No module named 'numpy'";
        assert!(hint(report).contains("NumPy"));
        assert_eq!(hint("SyntaxError: invalid syntax"), "");
    }
}
