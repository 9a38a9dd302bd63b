//! `project.toml`: what a project is made of.

use crate::sandbox::Capability;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Name of the file that makes a directory a project.
const FILE: &str = "project.toml";
/// Where components are put, below the project's directory.
const BUILT: &str = "dist";
/// Where cases are, below the project's directory.
const CASES: &str = "cases";

/// What a project is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Rust, built by cargo for `wasm32-wasip2`.
    Rust,
    /// Python, built by componentize-py.
    Python,
    /// JavaScript, built by componentize-js.
    Js,
}

impl Language {
    /// Every language.
    pub const ALL: [Language; 3] = [Language::Rust, Language::Python, Language::Js];

    /// Where a new project has its SDK, relative to the project.
    pub(super) fn vendored_sdk(self) -> &'static str {
        match self {
            Language::Rust | Language::Js => "vendor/proctor-sdk",
            // The name of a package in Python.
            Language::Python => "vendor/proctor_sdk",
        }
    }

    /// The name in `project.toml` and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Python => "python",
            Language::Js => "js",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A project that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The directory that `project.toml` is in.
    pub root: PathBuf,
    /// Its name. The challenge's component has it.
    pub name: String,
    /// What it is written in.
    pub language: Language,
    /// Its challenge; none in a miner's project.
    pub challenge: Option<ChallengeTarget>,
    /// Its submissions, by name.
    pub solvers: BTreeMap<String, SolverTarget>,
    /// The directory of the SDK that it is built with.
    pub sdk: PathBuf,
}

/// The challenge of a project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChallengeTarget {
    /// In Rust the name of the package, else the file that exports the challenge,
    /// relative to the project.
    pub source: String,
    /// What it can do. In Rust the macro `export!` says it, and this is left out.
    #[serde(default, deserialize_with = "capabilities")]
    pub capabilities: BTreeSet<Capability>,
}

/// A submission of a project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolverTarget {
    /// In Rust the name of the package, else the file that exports the solver, relative
    /// to the project.
    pub source: String,
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    language: Language,
    challenge: Option<ChallengeTarget>,
    #[serde(default)]
    solvers: BTreeMap<String, SolverTarget>,
    /// Where the SDK is, relative to the project. Default: `vendor/…`, where
    /// `proctor plugin new` puts it.
    sdk: Option<PathBuf>,
}

fn capabilities<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeSet<Capability>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let find = |name: String| {
        let mut all = Capability::ALL.into_iter();
        all.find(|capability| capability.name() == name)
            .ok_or_else(|| {
                let all = Capability::ALL.map(Capability::name).join(", ");
                serde::de::Error::custom(format!(
                    "no capability `{name}`: the capabilities are: {all}"
                ))
            })
    };
    names.into_iter().map(find).collect()
}

/// Why there is no project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// There is no `project.toml` in the directory or above it.
    #[error(
        "{0} is in no project: there is no {FILE} there or above; `proctor plugin new NAME --lang rust|python|js` makes one of a challenge, `proctor solver new NAME --lang rust|python|js` one of a submission"
    )]
    NotFound(PathBuf),
    /// The file cannot be read.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{path}: {reason}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The project has no challenge, which was asked for.
    #[error("{0} has no [challenge]: it is a project of submissions")]
    NoChallenge(PathBuf),
    /// The project has no such submission.
    #[error("no solver `{name}` in {path}: the solvers are: {known}")]
    NoSolver {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
}

impl Project {
    /// The project that `from` is in: of the directory itself, or of the nearest one
    /// above that has a `project.toml`.
    ///
    /// # Errors
    ///
    /// See [`ProjectError`].
    pub fn find(from: &Path) -> Result<Self, ProjectError> {
        let from = std::path::absolute(from).map_err(|error| ProjectError::Unreadable {
            path: from.to_owned(),
            error,
        })?;
        let root = from.ancestors().find(|dir| dir.join(FILE).is_file());
        match root {
            Some(root) => Project::open(root),
            None => Err(ProjectError::NotFound(from)),
        }
    }

    /// The project of a directory.
    fn open(root: &Path) -> Result<Self, ProjectError> {
        let path = root.join(FILE);
        let text = fs::read_to_string(&path).map_err(|error| ProjectError::Unreadable {
            path: path.clone(),
            error,
        })?;
        let invalid = |reason: String| ProjectError::Invalid {
            path: path.clone(),
            reason,
        };
        let raw: Raw = toml::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        let sources = raw.challenge.iter().map(|challenge| &challenge.source);
        let sources = sources.chain(raw.solvers.values().map(|solver| &solver.source));
        for source in sources {
            if source.is_empty() {
                return Err(invalid("a source is empty".to_owned()));
            }
        }
        let names = raw.solvers.keys().chain([&raw.name]);
        for name in names {
            // They are names of files, and the challenge's is part of URLs.
            if !crate::config::is_challenge_name(name) {
                let rule = crate::config::CHALLENGE_NAME;
                return Err(invalid(format!("the name {name:?} is not {rule}")));
            }
        }
        match &raw.challenge {
            Some(_) if raw.solvers.contains_key(&raw.name) => {
                return Err(invalid(format!(
                    "`{}` is the challenge and a solver: both would be built as one file",
                    raw.name
                )));
            }
            Some(challenge)
                if raw.language != Language::Rust && challenge.capabilities.is_empty() =>
            {
                return Err(invalid(
                    "[challenge] names no capabilities, as in [\"scoring\", \"get_weights\"]"
                        .to_owned(),
                ));
            }
            None if raw.solvers.is_empty() => {
                return Err(invalid(
                    "there is no [challenge] and no [solvers]".to_owned(),
                ));
            }
            _ => {}
        }
        let sdk = match &raw.sdk {
            Some(sdk) if !root.join(sdk).is_dir() => {
                let sdk = sdk.display();
                return Err(invalid(format!("sdk: there is no directory {sdk}")));
            }
            Some(sdk) => root.join(sdk),
            None => root.join(raw.language.vendored_sdk()),
        };
        Ok(Project {
            sdk,
            root: root.to_owned(),
            name: raw.name,
            language: raw.language,
            challenge: raw.challenge,
            solvers: raw.solvers,
        })
    }

    /// `project.toml`.
    pub fn file(&self) -> PathBuf {
        self.root.join(FILE)
    }

    /// The challenge of the project.
    ///
    /// # Errors
    ///
    /// [`ProjectError::NoChallenge`].
    pub fn challenge(&self) -> Result<&ChallengeTarget, ProjectError> {
        let none = || ProjectError::NoChallenge(self.file());
        self.challenge.as_ref().ok_or_else(none)
    }

    /// A submission of the project.
    ///
    /// # Errors
    ///
    /// [`ProjectError::NoSolver`].
    pub fn solver(&self, name: &str) -> Result<&SolverTarget, ProjectError> {
        self.solvers.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.solvers.keys().map(String::as_str).collect();
            ProjectError::NoSolver {
                path: self.file(),
                name: name.to_owned(),
                known: if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                },
            }
        })
    }

    /// Where the component of the challenge, or of a solver, of this name is put.
    pub fn built(&self, name: &str) -> PathBuf {
        self.root.join(BUILT).join(format!("{name}.wasm"))
    }

    /// Where the cases are.
    pub fn cases(&self) -> PathBuf {
        self.root.join(CASES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str) -> Result<Project, String> {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(FILE), text).unwrap();
        let below = directory.path().join("a/b");
        fs::create_dir_all(&below).unwrap();
        Project::find(&below).map_err(|error| error.to_string())
    }

    #[test]
    fn a_project_is_found_from_below() {
        let project = open(
            "name = \"sum\"\nlanguage = \"python\"\n[challenge]\nsource = \"challenge.py\"\n\
             capabilities = [\"scoring\", \"get_weights\"]\n[solvers.adder]\nsource = \"solver.py\"\n",
        )
        .unwrap();
        assert_eq!(project.language, Language::Python);
        let challenge = project.challenge().unwrap();
        let wanted = [Capability::Scoring, Capability::GetWeights];
        assert_eq!(challenge.capabilities, wanted.into());
        assert!(project.built("adder").ends_with("dist/adder.wasm"));
        assert!(project.sdk.ends_with("vendor/proctor_sdk"));
        let error = project.solver("other").unwrap_err().to_string();
        assert!(error.contains("the solvers are: adder"), "{error}");
    }

    #[test]
    fn what_is_wrong_with_a_project_is_said() {
        for (text, wanted) in [
            ("", "name"),
            ("name = \"a\"\nlanguage = \"perl\"", "perl"),
            ("name = \"a\"\nlanguage = \"rust\"", "no [challenge]"),
            (
                "name = \"../a\"\nlanguage = \"rust\"\n[challenge]\nsource = \"a\"",
                "../a",
            ),
            (
                "name = \"a\"\nlanguage = \"js\"\n[challenge]\nsource = \"a.js\"",
                "capabilities",
            ),
            (
                "name = \"a\"\nlanguage = \"js\"\n[challenge]\nsource = \"a.js\"\ncapabilities = [\"flying\"]",
                "no capability `flying`",
            ),
            (
                "name = \"a\"\nlanguage = \"rust\"\n[challenge]\nsource = \"a\"\n[solvers.a]\nsource = \"b\"",
                "one file",
            ),
            (
                "name = \"a\"\nlanguage = \"rust\"\nother = 1\n[challenge]\nsource = \"a\"",
                "other",
            ),
            (
                "name = \"a\"\nlanguage = \"rust\"\nsdk = \"sdk/none\"\n[challenge]\nsource = \"a\"",
                "no directory sdk/none",
            ),
        ] {
            let error = open(text).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }

    #[test]
    fn without_a_file_there_is_no_project() {
        let directory = tempfile::tempdir().unwrap();
        let error = Project::find(directory.path()).unwrap_err();
        assert!(matches!(error, ProjectError::NotFound(_)), "{error}");
        assert!(error.to_string().contains("proctor plugin new"));
    }
}
