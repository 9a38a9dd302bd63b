//! What a component needs of a host, in words. Nothing is compiled.

use super::contract::{CHALLENGE, Found, SOLVER};
use serde::Serialize;

/// What a component is to be loaded as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentKind {
    /// A challenge.
    Challenge,
    /// A submission.
    Solver,
}

/// What a component says that it needs and offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interfaces {
    /// What it is: by its stamp, or else by what it exports.
    pub kind: ComponentKind,
    /// What it needs.
    pub needs: Vec<Need>,
    /// Names of what it exports.
    pub exports: Vec<String>,
}

/// What an import is for, and whether this host has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// The import, as the component names it.
    pub import: String,
    /// What it is for, or what a component gets of it here; none if it is refused.
    pub purpose: Option<&'static str>,
    /// Why this host refuses it, and what to do about it; none if it does not.
    pub refused: Option<String>,
}

impl Interfaces {
    /// Reads what a component says. Nothing of what is none.
    pub fn of(bytes: &[u8]) -> Self {
        let found = Found::in_component(bytes);
        let kind = kind(&found);
        let needs = found.imports.into_iter();
        Interfaces {
            kind,
            needs: needs.map(|import| need(import, kind)).collect(),
            exports: found.exports,
        }
    }
}

fn kind(found: &Found) -> ComponentKind {
    let stamped = found.stamps.as_ref().ok().and_then(|stamps| stamps.first());
    let contract = stamped.and_then(|stamp| stamp.contract.split_once('@'));
    let is_solver = match contract {
        Some((package, _)) => package == SOLVER.package(),
        // A submission exports one function.
        None => found.exports.iter().any(|name| name == "solve"),
    };
    match is_solver {
        true => ComponentKind::Solver,
        false => ComponentKind::Challenge,
    }
}

/// Whom an interface is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    All,
    Challenges,
}

use For::{All, Challenges};

const NO_TERMINAL: &str = "in name only: there is no terminal";
const PRINTS: &str = "what it prints goes to the log";

/// What this host offers, whom, and what a component gets of it: an interface, or with
/// `/` at its end all those of a package.
const OFFERED: [(&str, For, &str); 24] = [
    (
        "proctor:challenge/types",
        Challenges,
        "the records of the contract",
    ),
    (
        "proctor:challenge/context",
        Challenges,
        "settings, seed and time of the call",
    ),
    (
        "proctor:challenge/runner",
        Challenges,
        "runs the submission, task by task",
    ),
    (
        "proctor:challenge/database",
        Challenges,
        "a SQLite database, if the operator grants one",
    ),
    (
        "proctor:challenge/standings",
        Challenges,
        "who is how good, for its routes",
    ),
    (
        "proctor:challenge/submissions",
        Challenges,
        "commits what a miner uploads to its routes; denied in scored calls",
    ),
    (
        "wasi:http/types",
        Challenges,
        "requests and answers of its routes",
    ),
    (
        "wasi:http/outgoing-handler",
        Challenges,
        "requests that its routes send, where the operator allows; refused in scored calls",
    ),
    (
        "wasi:cli/environment",
        All,
        "the variables that the operator gives a challenge; no arguments",
    ),
    ("wasi:cli/exit", All, "ends the call, as a trap"),
    ("wasi:cli/stdin", All, "standard input, which is empty"),
    ("wasi:cli/stdout", All, PRINTS),
    ("wasi:cli/stderr", All, PRINTS),
    ("wasi:cli/terminal-input", All, NO_TERMINAL),
    ("wasi:cli/terminal-output", All, NO_TERMINAL),
    ("wasi:cli/terminal-stdin", All, NO_TERMINAL),
    ("wasi:cli/terminal-stdout", All, NO_TERMINAL),
    ("wasi:cli/terminal-stderr", All, NO_TERMINAL),
    (
        "wasi:clocks/wall-clock",
        All,
        "the time; that of the call where it is scored",
    ),
    (
        "wasi:clocks/monotonic-clock",
        All,
        "time that passes; logical where it is scored",
    ),
    (
        "wasi:filesystem/",
        All,
        "files: a challenge's /data, if the operator grants it, and nothing else",
    ),
    ("wasi:io/", All, "streams, and waiting for them"),
    (
        "wasi:random/",
        All,
        "random numbers; made from the call's seed where it is scored",
    ),
    (
        "wasi:sockets/",
        All,
        "in name only, because standard libraries want it: every function refuses",
    ),
];

/// What to do about imports that are refused, by the first beginning that fits; with whom it
/// is about, if not about all.
const INSTEAD: [(&str, Option<ComponentKind>, &str); 8] = [
    (
        "wasi:http/",
        Some(ComponentKind::Solver),
        "a submission has no network: solve the task with what is in the component",
    ),
    (
        "proctor:challenge/",
        Some(ComponentKind::Solver),
        "only a challenge gets it: a submission exports `solve` and imports WASI alone",
    ),
    (
        "proctor:",
        None,
        "the contract has no such interface: look at the version of the SDK",
    ),
    ("wasi:logging/", None, "print instead: it goes to the log"),
    (
        "wasi:config/",
        None,
        "a challenge gets its settings from proctor:challenge/context",
    ),
    (
        "wasi:keyvalue/",
        None,
        "a challenge can keep data with proctor:challenge/database",
    ),
    (
        "wasi:nn/",
        None,
        "put the model into the component, with a library that runs it on the processor",
    ),
    (
        "wasi:",
        None,
        "of WASI 0.2 this host has cli, clocks, filesystem, http, io, random and sockets: leave \
         out what needs more",
    ),
];

fn need(import: String, kind: ComponentKind) -> Need {
    let (name, version) = import.split_once('@').unwrap_or((&import, ""));
    let is_new_wasi =
        name.starts_with("wasi:") && !version.is_empty() && !version.starts_with("0.2.");
    let offered = OFFERED.iter().find(|(of, whom, _)| {
        let fits = match of.ends_with('/') {
            true => name.starts_with(of),
            false => name == *of,
        };
        fits && !is_new_wasi && (*whom == All || kind == ComponentKind::Challenge)
    });
    let package = name.split_once('/').map(|(package, _)| package);
    let ours = [CHALLENGE, SOLVER].into_iter();
    let mut ours = ours.filter(|contract| Some(contract.package()) == package);
    let refused = match (offered, ours.next()) {
        (Some(_), Some(contract)) => contract.check_version(version).err(),
        (Some(_), None) => None,
        (None, _) if is_new_wasi => Some(format!(
            "this host offers WASI 0.2, and not {version}: build it with a toolchain for \
             wasm32-wasip2"
        )),
        (None, _) => {
            let is_about = |of: &Option<ComponentKind>| of.is_none_or(|of| of == kind);
            let mut advice = INSTEAD.iter().filter(|(_, of, _)| is_about(of));
            let advice = advice.find(|(of, ..)| name.starts_with(of));
            let advice = advice.map_or(
                "this host does not know it: compose the component with one that has it, or leave \
                 out what needs it",
                |(.., advice)| *advice,
            );
            Some(advice.to_owned())
        }
    };
    let purpose = offered.filter(|_| refused.is_none());
    Need {
        purpose: purpose.map(|(_, _, purpose)| *purpose),
        refused,
        import,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{PluginComponent, Sandbox, SandboxConfig, SolverComponent};
    use proctor_testing::guest_bytes;

    fn challenge(import: &str) -> Need {
        need(import.to_owned(), ComponentKind::Challenge)
    }

    fn solver(import: &str) -> Need {
        need(import.to_owned(), ComponentKind::Solver)
    }

    fn advice(need: Need) -> String {
        assert_eq!(need.purpose, None);
        need.refused.unwrap()
    }

    #[test]
    fn what_is_offered_has_a_purpose() {
        for import in [
            "proctor:challenge/context@0.1.0",
            "proctor:challenge/runner@0.1.1",
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:io/poll@0.2.12",
            "wasi:sockets/tcp@0.2.0",
        ] {
            let need = challenge(import);
            assert_eq!(need.refused, None, "{import}");
            assert!(need.purpose.is_some(), "{import}");
        }
        assert_eq!(solver("wasi:cli/stderr@0.2.3").refused, None);
    }

    #[test]
    fn what_is_refused_comes_with_what_to_do() {
        assert!(advice(solver("wasi:http/types@0.2.0")).contains("no network"));
        assert!(advice(solver("proctor:challenge/runner@0.1.1")).contains("only a challenge"));
        assert!(advice(challenge("proctor:challenge/gpu@0.1.1")).contains("no such interface"));
        assert!(advice(challenge("wasi:io/poll@0.3.0")).contains("WASI 0.2, and not 0.3.0"));
        assert!(advice(challenge("wasi:nn/graph@0.2.0")).contains("model"));
        assert!(advice(challenge("wasi:threads/x@0.2.0")).contains("of WASI 0.2 this host has"));
        assert!(advice(challenge("evil:corp/backdoor")).contains("compose"));
        let newer = advice(challenge("proctor:challenge/context@0.3.0"));
        assert!(
            newer.starts_with("built for proctor:challenge 0.3,"),
            "{newer}"
        );
    }

    #[test]
    fn a_submission_is_told_by_its_stamp_or_by_what_it_exports() {
        let kind = |guest| Interfaces::of(&guest_bytes(guest)).kind;
        assert_eq!(kind("digits"), ComponentKind::Challenge);
        assert_eq!(kind("knn"), ComponentKind::Solver);
        // Made of text, without a stamp.
        assert_eq!(kind("not_utf8"), ComponentKind::Solver);
        assert_eq!(kind("another_world"), ComponentKind::Challenge);
    }

    /// The words are true: what links has nothing that is called refused, and what does
    /// not link for its imports has.
    #[test]
    fn what_is_told_is_what_linking_does() {
        let cache = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::new(&SandboxConfig::new(cache.path().join("c"))).unwrap();
        let refused = |bytes: &[u8], kind| {
            let needs = Found::in_component(bytes).imports.into_iter();
            let mut needs = needs.map(|import| need(import, kind));
            needs.any(|need| need.refused.is_some())
        };
        for guest in [
            "digits",
            "socket_challenge",
            "routes_challenge",
            "imports_made_up",
        ] {
            let bytes = guest_bytes(guest);
            let links = PluginComponent::load(&sandbox, &bytes).is_ok();
            assert_eq!(links, !refused(&bytes, ComponentKind::Challenge), "{guest}");
        }
        for guest in ["knn", "socket_solver", "imports_http", "imports_made_up"] {
            let bytes = guest_bytes(guest);
            let links = SolverComponent::load(&sandbox, &bytes).is_ok();
            assert_eq!(links, !refused(&bytes, ComponentKind::Solver), "{guest}");
        }
    }
}
