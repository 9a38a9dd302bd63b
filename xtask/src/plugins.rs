//! Building the example challenges and their solvers into `plugins/`.

use std::fs;
use std::path::Path;
use std::process;

use anyhow::{Context, Result};

use crate::cargo::Workspace;
use crate::progress;

pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    progress("building the example challenges and their solvers");
    let plugins = workspace.root.join("plugins");
    for component in
        workspace.build_components(&["ab-sniffer", "completion", "digits", "digits-solvers"])?
    {
        let name = component
            .path
            .file_name()
            .context("a component without a name")?;
        let folder = if component.example {
            plugins.join("digits-solvers")
        } else {
            plugins.clone()
        };
        let to = folder.join(name);
        if replace(&component.path, &to)? {
            progress(&format!("wrote {}", to.display()));
        }
    }
    Ok(())
}

/// Makes `to` a copy of `from`, and says whether it was not one before.
///
/// A host may be watching `to`: it must never see half of a file, nor a change
/// where there is none.
fn replace(from: &Path, to: &Path) -> Result<bool> {
    let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    let draft = to.with_extension(format!("wasm.{}.tmp", process::id()));
    let written = fs::write(&draft, bytes).and_then(|()| fs::rename(&draft, to));
    if written.is_err() {
        // It may not even exist. What matters is the first error.
        let _ = fs::remove_file(&draft);
    }
    written.with_context(|| format!("cannot write {}", to.display()))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_component_is_copied_once_and_leaves_nothing_beside_it() {
        let (build, plugins) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (from, to) = (
            build.path().join("digits.wasm"),
            plugins.path().join("digits.wasm"),
        );

        fs::write(&from, "one").unwrap();
        assert!(replace(&from, &to).unwrap());
        assert!(
            !replace(&from, &to).unwrap(),
            "identical bytes are left alone"
        );

        fs::write(&from, "two").unwrap();
        assert!(replace(&from, &to).unwrap());
        assert_eq!(fs::read(&to).unwrap(), b"two");
        assert_eq!(names(plugins.path()), ["digits.wasm"]);
    }

    #[test]
    fn a_failed_copy_leaves_nothing_behind() {
        let (build, plugins) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (from, to) = (
            build.path().join("digits.wasm"),
            plugins.path().join("digits.wasm"),
        );
        fs::write(&from, "one").unwrap();
        // A folder cannot be replaced with a file.
        fs::create_dir(&to).unwrap();

        assert!(replace(&from, &to).is_err());
        assert_eq!(names(plugins.path()), ["digits.wasm"]);
    }
}
