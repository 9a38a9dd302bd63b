//! One component to build.

use super::BuildError;
use crate::authoring::project::Project;
use crate::sandbox::Capability;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// What a component is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind<'a> {
    /// A challenge with these capabilities; none are named in Rust.
    Challenge(&'a BTreeSet<Capability>),
    /// A submission.
    Solver,
}

/// One component to build.
#[derive(Debug)]
pub(super) struct Job<'a> {
    pub(super) project: &'a Project,
    /// What the component is called.
    pub(super) name: &'a str,
    /// The package in Rust, else the file, relative to the project.
    pub(super) source: &'a str,
    pub(super) kind: Kind<'a>,
    /// An empty directory.
    pub(super) work: PathBuf,
    /// The file to write, in `work`.
    pub(super) out: PathBuf,
    /// Where tools are looked for: `PATH`.
    pub(super) path: OsString,
}

impl Job<'_> {
    /// Makes the one WIT world that the component has: for a challenge out of the worlds of
    /// its capabilities, for a solver that of the contract. `sdk_wit` has the directories
    /// `challenge` and `solver`. Returns the WIT directory and the name of the world.
    pub(super) fn write_wit(&self, sdk_wit: &Path) -> Result<(PathBuf, &'static str), BuildError> {
        let Kind::Challenge(capabilities) = self.kind else {
            return Ok((sdk_wit.join("solver"), "solver"));
        };
        let contract = sdk_wit.join("challenge");
        let version = version(&contract.join("worlds.wit"), "proctor:challenge")?;
        let mut world = String::from("package proctor:project;\n\nworld plugin {\n");
        let worlds = capabilities.iter().map(|capability| world_of(*capability));
        for name in std::iter::once(Ok("info-plugin")).chain(worlds) {
            let name = name?;
            world.push_str(&format!("  include proctor:challenge/{name}@{version};\n"));
        }
        world.push_str("}\n");
        let wit = self.work.join("wit");
        let dependency = wit.join("deps/challenge");
        fs::create_dir_all(&dependency).map_err(BuildError::io(&dependency))?;
        for entry in fs::read_dir(&contract).map_err(BuildError::io(&contract))? {
            let from = entry.map_err(BuildError::io(&contract))?.path();
            if let Some(name) = from.file_name().filter(|_| from.is_file()) {
                fs::copy(&from, dependency.join(name)).map_err(BuildError::io(&from))?;
            }
        }
        let file = wit.join("world.wit");
        fs::write(&file, world).map_err(BuildError::io(&file))?;
        Ok((wit, "plugin"))
    }
}

fn world_of(capability: Capability) -> Result<&'static str, BuildError> {
    match capability {
        Capability::Scoring => Ok("controller-plugin"),
        Capability::Comparison => Ok("comparer-plugin"),
        Capability::GetWeights => Ok("weights-plugin"),
        Capability::Organic => Ok("organic-plugin"),
        Capability::ProxyRoutes => Err(BuildError::Invalid(
            "the capability `proxy_routes` is for challenges in Rust: take it out of \
             `capabilities` in project.toml"
                .to_owned(),
        )),
    }
}

/// The version in a line such as `package proctor:challenge@0.1.1;` of a WIT file.
pub(super) fn version(file: &Path, package: &str) -> Result<String, BuildError> {
    let text = fs::read_to_string(file).map_err(BuildError::io(file))?;
    let line = text.lines().find_map(|line| {
        let version = line
            .trim()
            .strip_prefix("package ")?
            .strip_prefix(package)?;
        version.strip_prefix('@')?.strip_suffix(';')
    });
    line.map(str::to_owned).ok_or_else(|| {
        let file = file.display();
        BuildError::Invalid(format!("{file} names no version of {package}"))
    })
}
