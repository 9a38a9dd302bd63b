//! What is in the binary for new projects: templates, SDKs and WIT, by their paths in the
//! repository.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// One file.
pub(super) fn file(path: &str) -> Option<&'static str> {
    let (_, bytes) = FILES.iter().find(|(name, _)| *name == path)?;
    std::str::from_utf8(bytes).ok()
}

/// All files below a directory, by their paths below it.
pub(super) fn below(directory: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    let directory = format!("{directory}/");
    FILES
        .iter()
        .filter_map(move |(name, bytes)| Some((name.strip_prefix(&directory)?, *bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_projects_need_is_there() {
        for path in [
            "Cargo.lock",
            "Cargo.toml",
            "LICENSE-APACHE",
            "LICENSE-MIT",
            "plugin-sdk/Cargo.toml",
            "plugin-sdk/README.md",
            "plugin-sdk/src/lib.rs",
            "plugin-sdk/python/proctor_sdk/__init__.py",
            "plugin-sdk/js/package.json",
            "wit/challenge/worlds.wit",
            "wit/solver/solver.wit",
        ] {
            assert!(file(path).is_some(), "{path}");
        }
        for language in ["rust", "python", "js"] {
            for kind in ["plugin", "solver"] {
                let template = format!("host/templates/{language}/{kind}");
                let names: Vec<_> = below(&template).map(|(name, _)| name).collect();
                assert!(names.contains(&"project.toml.in"), "{template}: {names:?}");
                assert!(names.contains(&"README.md.in"), "{template}: {names:?}");
            }
        }
    }

    #[test]
    fn what_tools_leave_behind_is_not_there() {
        let left = ["__pycache__", "node_modules", "/target/", ".pyc", ".wasm"];
        for (name, _) in FILES {
            assert!(!left.iter().any(|part| name.contains(part)), "{name}");
        }
    }
}
