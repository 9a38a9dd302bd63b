//! The copies of `wit/` in the SDKs, which are published without this repository.

use super::{Package, packages};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::progress;

/// Where they are, in the workspace.
pub(super) const COPIES: [&str; 2] = ["plugin-sdk/js/wit", "plugin-sdk/python/proctor_sdk/wit"];

/// Files by folder and name, as in `challenge/types.wit`.
fn files(packages: &[Package]) -> BTreeMap<String, &str> {
    let mut files = BTreeMap::new();
    for package in packages {
        for (name, text) in &package.files {
            files.insert(format!("{}/{name}", package.folder), text.as_str());
        }
    }
    files
}

/// Fails, with what differs, unless each of `copies` has the files of `packages` and no
/// others.
pub(super) fn check(originals: &[Package], copies: &[impl AsRef<Path>]) -> Result<()> {
    let originals = files(originals);
    let mut differences = Vec::new();
    for copy in copies {
        let copy = copy.as_ref();
        let there = match copy.is_dir() {
            true => packages(copy)?,
            false => Vec::new(),
        };
        let there = files(&there);
        let path = |name: &str| copy.join(name).display().to_string();
        for (name, text) in &originals {
            match there.get(name) {
                None => differences.push(format!("{} is missing", path(name))),
                Some(found) if found != text => {
                    differences.push(format!("{} differs from wit/{name}", path(name)));
                }
                Some(_) => {}
            }
        }
        let extra = there.keys().filter(|name| !originals.contains_key(*name));
        differences.extend(extra.map(|name| format!("{} is not in wit/", path(name))));
    }
    if differences.is_empty() {
        return Ok(());
    }
    bail!(
        "the SDKs' copies of wit/ are not what wit/ is:\n  {}\nrun `cargo xtask wit --copy`",
        differences.join("\n  ")
    )
}

/// Makes each of `copies` have the files of `packages` and no other `.wit`.
pub(super) fn write(originals: &[Package], copies: &[impl AsRef<Path>]) -> Result<()> {
    let originals = files(originals);
    for copy in copies {
        let copy = copy.as_ref();
        fs::create_dir_all(copy).with_context(|| format!("cannot make {}", copy.display()))?;
        let there = packages(copy)?;
        for name in files(&there).keys() {
            if !originals.contains_key(name) {
                let path = copy.join(name);
                fs::remove_file(&path)
                    .with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        for (name, text) in &originals {
            let path = copy.join(name);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)
                    .with_context(|| format!("cannot make {}", folder.display()))?;
            }
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        progress(&format!("copied wit/ to {}", copy.display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::{TempDir, tempdir};

    fn put(folder: &TempDir, name: &str, text: &str) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// `wit/` with one package, and a folder for a copy.
    fn folders() -> (Vec<Package>, TempDir) {
        let wit = tempdir().unwrap();
        put(&wit, "challenge/types.wit", "types");
        put(&wit, "challenge/info.wit", "info");
        (packages(wit.path()).unwrap(), tempdir().unwrap())
    }

    fn difference(packages: &[Package], copy: &TempDir) -> String {
        format!("{:#}", check(packages, &[copy.path()]).unwrap_err())
    }

    #[test]
    fn what_was_copied_is_the_same() {
        let (packages, copy) = folders();
        write(&packages, &[copy.path()]).unwrap();
        check(&packages, &[copy.path()]).unwrap();
    }

    #[test]
    fn each_difference_is_told_with_what_to_do() {
        let (packages, copy) = folders();
        put(&copy, "challenge/types.wit", "other");
        put(&copy, "solver/solver.wit", "more");
        let error = difference(&packages, &copy);
        for part in [
            "challenge/types.wit differs",
            "challenge/info.wit is missing",
            "solver/solver.wit is not in wit/",
            "cargo xtask wit --copy",
        ] {
            assert!(error.contains(part), "no {part:?} in {error}");
        }
        write(&packages, &[copy.path()]).unwrap();
        check(&packages, &[copy.path()]).unwrap();
    }

    #[test]
    fn a_copy_that_is_not_there_is_missing() {
        let (packages, copy) = folders();
        let nowhere = copy.path().join("nowhere");
        let error = format!("{:#}", check(&packages, &[&nowhere]).unwrap_err());
        assert!(error.contains("is missing"), "{error}");
        write(&packages, &[&nowhere]).unwrap();
        check(&packages, &[&nowhere]).unwrap();
    }

    #[test]
    fn what_is_no_wit_stays() {
        let (packages, copy) = folders();
        put(&copy, "challenge/README.md", "about");
        write(&packages, &[copy.path()]).unwrap();
        check(&packages, &[copy.path()]).unwrap();
        assert!(copy.path().join("challenge/README.md").exists());
    }
}
