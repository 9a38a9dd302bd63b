//! Keeps published WIT as it was published, and its copies in the SDKs the same.
//!
//! Components out there are built against a version. `wit/published.toml` has the
//! digest of each one, and this check is what makes "never changes" true.

mod copies;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::progress;

/// `namespace:name@version` to the SHA-256 over the package's files.
type Published = BTreeMap<String, String>;

/// A WIT package: the `.wit` files of one folder.
#[derive(Debug, Default)]
struct Package {
    folder: String,
    /// By name relative to the folder, with `/`.
    files: BTreeMap<String, String>,
}

/// What to do beside checking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wit {
    /// Nothing.
    Check,
    /// Record new versions.
    Publish,
    /// Write the copies in the SDKs.
    Copy,
}

impl Wit {
    /// What the arguments of `cargo xtask wit` say, and those that are left over.
    pub(crate) fn of(args: &[String]) -> (Wit, &[String]) {
        match args.split_first() {
            Some((arg, rest)) if arg == "--publish" => (Wit::Publish, rest),
            Some((arg, rest)) if arg == "--copy" => (Wit::Copy, rest),
            _ => (Wit::Check, args),
        }
    }
}

/// Checks what is published, and the copies in the SDKs of the workspace in `root`.
pub(crate) fn run(root: &Path, what: Wit) -> Result<()> {
    let wit = root.join("wit");
    check(&wit, what == Wit::Publish)?;
    let packages = packages(&wit)?;
    let copies = copies::COPIES.map(|copy| root.join(copy));
    if what == Wit::Copy {
        return copies::write(&packages, &copies);
    }
    copies::check(&packages, &copies)?;
    progress("the SDKs have the same WIT");
    Ok(())
}

/// Checks all packages in `wit`, and with `publish` records new versions.
fn check(wit: &Path, publish: bool) -> Result<()> {
    let path = wit.join("published.toml");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let published: Published = toml::from_str(&text)
        .with_context(|| format!("{} is not a table of digests", path.display()))?;
    let new = unpublished(&packages(wit)?, &published)?;
    if new.is_empty() {
        progress("the WIT of every published version is unchanged");
    } else if publish {
        write(&path, &with(text, &new))?;
        for id in new.keys() {
            progress(&format!(
                "published {id}: from now on its files must not change"
            ));
        }
    } else {
        for id in new.keys() {
            progress(&format!(
                "{id} is not published yet (cargo xtask wit --publish)"
            ));
        }
    }
    Ok(())
}

/// The packages that are not recorded, with their digests. Fails if a recorded
/// one has changed.
fn unpublished(packages: &[Package], published: &Published) -> Result<Published> {
    let mut new = Published::new();
    let mut changed = Vec::new();
    for package in packages {
        let (id, digest) = (package.id()?, package.digest());
        match published.get(&id) {
            Some(recorded) if *recorded == digest => {}
            Some(recorded) => changed.push(complaint(package, &id, recorded, &digest)),
            None if new.contains_key(&id) => bail!("two folders hold {id}"),
            None => drop(new.insert(id, digest)),
        }
    }
    if !changed.is_empty() {
        bail!("{}", changed.join("\n\n"));
    }
    Ok(new)
}

fn complaint(package: &Package, id: &str, recorded: &str, digest: &str) -> String {
    let (name, version) = id.split_once('@').unwrap_or((id, ""));
    format!(
        "version {version} of {name} is published, and its files in wit/{} are not what was published\n  \
         published: sha256 {recorded}\n  \
         now:       sha256 {digest}\n\
         Undo the change, or give the package a new version: the next minor one for an addition, with \
         `@since(version = …)` on what is new; the next major one for anything else, with a shim in the host \
         for components built against {version}.",
        package.folder
    )
}

/// The text of `published.toml` with more entries. The old lines stay as they are.
fn with(mut text: String, new: &Published) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for (id, digest) in new {
        text.push_str(&format!("\"{id}\" = \"{digest}\"\n"));
    }
    text
}

fn write(path: &Path, text: &str) -> Result<()> {
    let draft = path.with_extension(format!("toml.{}.tmp", process::id()));
    fs::write(&draft, text)
        .and_then(|()| fs::rename(&draft, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

impl Package {
    /// `namespace:name@version`, from the package line.
    fn id(&self) -> Result<String> {
        let mut id = None;
        for (file, text) in &self.files {
            for line in text.lines() {
                let Some(found) = package_line(line) else {
                    continue;
                };
                if id.is_some_and(|id| id != found) {
                    bail!(
                        "wit/{}/{file} says package {found}, another file says otherwise",
                        self.folder
                    );
                }
                id = Some(found);
            }
        }
        match id {
            Some(id) if id.contains('@') => Ok(id.to_owned()),
            Some(id) => bail!("wit/{}: package {id} has no version", self.folder),
            None => bail!("wit/{}: no file has a `package` line", self.folder),
        }
    }

    /// SHA-256 over names and contents, each after its length so that no two
    /// packages give the same bytes.
    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for part in self.files.iter().flat_map(|(name, text)| [name, text]) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hex::encode(hash.finalize())
    }
}

/// `proctor:challenge@0.1.0` of the line `package proctor:challenge@0.1.0;`.
fn package_line(line: &str) -> Option<&str> {
    let line = line.split("//").next()?.trim();
    line.strip_prefix("package ")?
        .strip_suffix(';')
        .map(str::trim)
}

fn packages(wit: &Path) -> Result<Vec<Package>> {
    let mut packages = Vec::new();
    for (path, name) in entries(wit)? {
        if path.is_dir() {
            let mut package = Package {
                folder: name,
                ..Package::default()
            };
            read_files(&path, "", &mut package.files)?;
            packages.push(package);
        }
    }
    Ok(packages)
}

fn read_files(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) -> Result<()> {
    for (path, name) in entries(folder)? {
        if path.is_dir() {
            read_files(&path, &format!("{prefix}{name}/"), files)?;
        } else if name.ends_with(".wit") {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            files.insert(format!("{prefix}{name}"), text);
        }
    }
    Ok(())
}

/// What is in a folder, by name. Hidden files are somebody's editor's.
fn entries(folder: &Path) -> Result<Vec<(std::path::PathBuf, String)>> {
    let context = || format!("cannot read {}", folder.display());
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        let entry = entry.with_context(context)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            entries.push((entry.path(), name));
        }
    }
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests;
