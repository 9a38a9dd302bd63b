//! Which version of the contract a component is built for.
//!
//! An SDK stamps it into the component: the custom section [`SECTION`], JSON such as
//! `{"contract":"proctor:challenge@0.1.1","sdk":"proctor-sdk-rust 0.1.0"}`. Without a
//! stamp the versions in the names of imports and exports decide. It is looked at before
//! anything is compiled, so that the answer is one that an author can do something about,
//! and not the name of a function that is not there.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::RangeInclusive;
use wasmparser::{Encoding, Parser, Payload};

/// Name of the custom section with the stamp.
pub const SECTION: &str = "proctor:sdk";
/// The most bytes of a stamp.
const MAX_BYTES: usize = 4096;
/// The most stamps of a component: one for each part that was linked.
const MAX_STAMPS: usize = 64;
/// The most imports, and exports, that are looked at.
const MAX_NAMES: usize = 1000;
/// How deep components and modules may nest. To read them takes time that grows with the
/// square.
pub(crate) const MAX_DEPTH: usize = 100;

/// What an SDK says of the component that it made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The contract, as in `proctor:challenge@0.1.1`.
    pub contract: String,
    /// The SDK, as in `proctor-sdk-rust 0.1.0`.
    pub sdk: String,
}

/// A contract, and the versions of it that this host takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contract {
    package: &'static str,
    /// What a component of it is, in the words of messages.
    is: &'static str,
    takes: RangeInclusive<Version>,
}

/// What challenges are built for.
pub(super) const CHALLENGE: Contract = Contract {
    package: "proctor:challenge",
    is: "a challenge",
    takes: Version(0, 1, 0)..=Version(0, 1, 1),
};

/// What submissions are built for.
pub(super) const SOLVER: Contract = Contract {
    package: "proctor:solver",
    is: "a submission",
    takes: Version(0, 1, 0)..=Version(0, 1, 0),
};

/// Versions of the same line (0.1, or 2) only add to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u64, u64, u64);

impl Version {
    /// Without what follows the three numbers: a draft counts as what it is a draft of.
    fn parse(text: &str) -> Option<Version> {
        let numbers = text.split(['-', '+']).next()?;
        let mut numbers = numbers.splitn(3, '.').map(|number| number.parse().ok());
        Some(Version(
            numbers.next()??,
            numbers.next()??,
            numbers.next()??,
        ))
    }

    fn line(self) -> Line {
        match self {
            Version(0, minor, _) => Line(0, minor),
            Version(major, ..) => Line(major, 0),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Line(u64, u64);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line(0, minor) => write!(f, "0.{minor}"),
            Line(major, _) => write!(f, "{major}"),
        }
    }
}

/// The stamp of a component: its own, or else that of the first module in it. None if
/// there is none, or none that can be read.
pub fn stamp(bytes: &[u8]) -> Option<Stamp> {
    let found = Found::in_component(bytes);
    found.stamps.ok()?.into_iter().next()
}

/// Puts a stamp at the end of a component, which is otherwise left as it is. Nothing
/// happens if it has this stamp already.
pub fn append(component: &mut Vec<u8>, to_append: &Stamp) {
    if stamp(component).as_ref() == Some(to_append) {
        return;
    }
    // Two strings: neither can fail.
    let Ok(json) = serde_json::to_vec(to_append) else {
        return;
    };
    let mut section = Vec::new();
    leb128(&mut section, SECTION.len());
    section.extend_from_slice(SECTION.as_bytes());
    section.extend_from_slice(&json);
    component.push(0);
    leb128(component, section.len());
    component.extend_from_slice(&section);
}

fn leb128(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

impl Contract {
    /// Name of its WIT package, as in `proctor:challenge`.
    pub(super) fn package(&self) -> &'static str {
        self.package
    }

    /// Versions that this host takes, as messages have them.
    pub(super) fn takes(&self) -> String {
        let (oldest, newest) = (self.takes.start(), self.takes.end());
        match oldest == newest {
            true => newest.to_string(),
            false => format!("{oldest} to {newest}"),
        }
    }

    /// Whether this host takes a component, by what it says of itself. What is no
    /// component, or says nothing, passes: compiling tells.
    ///
    /// # Errors
    ///
    /// Why not, and what to do.
    pub(super) fn check(&self, bytes: &[u8]) -> Result<(), String> {
        let found = Found::in_component(bytes);
        if !found.is_whole {
            return Ok(());
        }
        let stamps = found.stamps?;
        let contracts = stamps.iter().map(|stamp| stamp.contract.as_str());
        let stamped: Vec<(&str, &str)> = contracts.filter_map(|c| c.split_once('@')).collect();
        if !stamped.is_empty() && !stamped.iter().any(|(package, _)| *package == self.package) {
            return Err(self.not_this(stamped.first()));
        }
        let names = found.imports.iter().chain(&found.exports);
        let named = names.filter_map(|name| named(name));
        stamped
            .into_iter()
            .chain(named)
            .filter(|(package, _)| *package == self.package)
            .try_for_each(|(_, version)| self.check_version(version))
    }

    /// Whether this host takes components of a version.
    ///
    /// # Errors
    ///
    /// Why not, and what to do.
    pub(super) fn check_version(&self, version: &str) -> Result<(), String> {
        let package = self.package;
        let Some(built_for) = Version::parse(version) else {
            return Err(format!(
                "built for {package} {version:?}, which is no version: build it again"
            ));
        };
        let (oldest, newest) = (*self.takes.start(), *self.takes.end());
        let (line, taken) = (built_for.line(), newest.line());
        if line > taken {
            return Err(format!(
                "built for {package} {line}, this host takes {taken}: update the host, or build \
                 it with proctor-sdk {taken}"
            ));
        }
        if line < oldest.line() {
            return Err(format!(
                "built for {package} {line}, this host takes {taken}: build it again with \
                 proctor-sdk {taken}"
            ));
        }
        if built_for > newest {
            return Err(format!(
                "built for {package} {built_for}, this host takes {}: update the host, or build \
                 it with an SDK for {package} {newest}",
                self.takes()
            ));
        }
        Ok(())
    }

    fn not_this(&self, stamped: Option<&(&str, &str)>) -> String {
        let (package, version) = stamped.copied().unwrap_or_default();
        let contracts = [&CHALLENGE, &SOLVER];
        let of_ours = contracts.iter().find(|c| c.package == package);
        let is = of_ours.map_or("something else", |contract| contract.is);
        format!(
            "not a {} component: it is {is}, built for another world, {package} {version}",
            self.package
        )
    }
}

/// Package and version of an interface's name.
fn named(interface: &str) -> Option<(&str, &str)> {
    let (path, version) = interface.split_once('@')?;
    Some((path.split_once('/')?.0, version))
}

/// What a component says of itself.
pub(super) struct Found {
    /// Its own first, then those of the modules in it; or what is wrong with one.
    pub(super) stamps: Result<Vec<Stamp>, String>,
    /// Names of what it imports.
    pub(super) imports: Vec<String>,
    /// Names of what it exports.
    pub(super) exports: Vec<String>,
    /// Whether it could be read to its end, which says nothing of what is in its modules.
    is_whole: bool,
}

impl Found {
    pub(super) fn in_component(bytes: &[u8]) -> Found {
        let mut stamps: Result<Vec<(usize, Stamp)>, String> = Ok(Vec::new());
        let (mut imports, mut exports) = (Vec::new(), Vec::new());
        let mut depth = 0_usize;
        let mut is_whole = true;
        for payload in Parser::new(0).parse_all(bytes) {
            // What is malformed, compiling says.
            let Ok(payload) = payload else {
                is_whole = false;
                break;
            };
            match payload {
                // A module by itself is no component.
                Payload::Version {
                    encoding: Encoding::Module,
                    ..
                } if depth == 0 => break,
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                    depth += 1;
                    if depth > MAX_DEPTH {
                        stamps = Err(format!("components nest more than {MAX_DEPTH} levels deep"));
                    }
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CustomSection(section) if section.name() == SECTION => {
                    stamps = stamps.and_then(|mut stamps| {
                        stamps.extend(read(section.data())?.into_iter().map(|s| (depth, s)));
                        match stamps.len() {
                            0..=MAX_STAMPS => Ok(stamps),
                            _ => Err(format!("it has more than {MAX_STAMPS} stamps `{SECTION}`")),
                        }
                    });
                }
                Payload::ComponentImportSection(section) if depth == 0 => {
                    let found = section.into_iter().map_while(Result::ok);
                    let found = found.take(MAX_NAMES.saturating_sub(imports.len()));
                    imports.extend(found.map(|import| import.name.name.to_owned()));
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    let found = section.into_iter().map_while(Result::ok);
                    let found = found.take(MAX_NAMES.saturating_sub(exports.len()));
                    exports.extend(found.map(|export| export.name.name.to_owned()));
                }
                _ => {}
            }
            // Whoever made it may have made it so that reading it takes long.
            if stamps.is_err() {
                break;
            }
        }
        Found {
            stamps: stamps.map(|mut stamps| {
                stamps.sort_by_key(|(depth, _)| *depth);
                stamps.into_iter().map(|(_, stamp)| stamp).collect()
            }),
            imports,
            exports,
            is_whole,
        }
    }
}

/// The stamps of a section: linking puts those of several parts of a program behind each
/// other.
fn read(data: &[u8]) -> Result<Vec<Stamp>, String> {
    let damaged = |why: String| {
        format!(
            "its section `{SECTION}` is damaged ({why}): build it again, or take the section out"
        )
    };
    if data.len() > MAX_BYTES {
        return Err(damaged(format!("more than {MAX_BYTES} bytes")));
    }
    let stamps = serde_json::Deserializer::from_slice(data).into_iter();
    let stamps: Result<Vec<Stamp>, _> = stamps.collect();
    let stamps = stamps.map_err(|error| damaged(error.to_string()))?;
    match stamps.iter().find(|stamp| !stamp.contract.contains('@')) {
        Some(stamp) => Err(damaged(format!("no version in {:?}", stamp.contract))),
        None if stamps.is_empty() => Err(damaged("empty".into())),
        None => Ok(stamps),
    }
}

#[cfg(test)]
mod tests;
