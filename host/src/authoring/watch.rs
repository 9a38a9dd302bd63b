//! Watches the files of a project.

use super::project::Project;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a project must be quiet: an editor writes a file in pieces, git many files.
const QUIET: Duration = Duration::from_millis(200);

/// Directories that tools write to while they build, and what editors keep beside files.
const IGNORED: [&str; 8] = [
    ".git",
    ".proctor",
    ".venv",
    "__pycache__",
    "dist",
    "node_modules",
    "target",
    ".idea",
];

/// Tells that files of a project changed. What is built is none of them.
#[derive(Debug)]
pub struct ProjectChanges {
    changes: mpsc::UnboundedReceiver<PathBuf>,
    watcher: Debouncer<RecommendedWatcher, RecommendedCache>,
    root: PathBuf,
    watched: BTreeSet<PathBuf>,
}

impl ProjectChanges {
    /// Begins to watch: the project, and its SDK, wherever it is.
    ///
    /// # Errors
    ///
    /// The project cannot be watched.
    pub fn of(project: &Project) -> notify::Result<Self> {
        // Events have the real path.
        let root = fs::canonicalize(&project.root)?;
        let mut roots = vec![root.clone()];
        roots.extend(fs::canonicalize(&project.sdk).ok());
        let (changed, changes) = mpsc::unbounded_channel();
        let watcher = new_debouncer(QUIET, None, move |seen: DebounceEventResult| {
            for path in changed_paths(&roots, seen) {
                // Nobody waits any more.
                let _ = changed.send(path);
            }
        })?;
        let mut changes = ProjectChanges {
            changes,
            watcher,
            root,
            watched: BTreeSet::new(),
        };
        changes
            .watcher
            .watch(&changes.root, RecursiveMode::NonRecursive)?;
        if let Ok(sdk) = fs::canonicalize(&project.sdk)
            && !sdk.starts_with(&changes.root)
        {
            changes.watcher.watch(&sdk, RecursiveMode::Recursive)?;
        }
        changes.watch_directories();
        Ok(changes)
    }

    /// Waits for a change, and returns the files that changed, relative to the project,
    /// sorted; none if there will be no change any more.
    pub async fn next(&mut self) -> Vec<PathBuf> {
        let mut paths: BTreeSet<PathBuf> = self.changes.recv().await.into_iter().collect();
        while let Ok(path) = self.changes.try_recv() {
            paths.insert(path);
        }
        self.watch_directories();
        let relative = |path: PathBuf| match path.strip_prefix(&self.root) {
            Ok(relative) => relative.to_owned(),
            Err(_) => path,
        };
        paths.into_iter().map(relative).collect()
    }

    /// Watches each directory of the project by itself, as those that tools write to have
    /// more directories than a process may watch.
    fn watch_directories(&mut self) {
        let entries = fs::read_dir(&self.root).into_iter().flatten();
        let directories = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let directories: BTreeSet<PathBuf> = directories
            .filter(|path| {
                path.is_dir() && !is_ignored(Path::new(path.file_name().unwrap_or_default()))
            })
            .collect();
        for path in directories.difference(&self.watched) {
            // It may be gone again.
            let _ = self.watcher.watch(path, RecursiveMode::Recursive);
        }
        self.watched = directories;
    }
}

/// The files that changed and count. What cannot be told may be a change of anything.
fn changed_paths(roots: &[PathBuf], seen: DebounceEventResult) -> Vec<PathBuf> {
    let Ok(events) = seen else {
        return roots.first().cloned().into_iter().collect();
    };
    let events = events.into_iter().filter(|event| is_change(event.kind));
    let paths = events.flat_map(|event| event.event.paths);
    paths
        .filter(|path| {
            let below = roots.iter().find_map(|root| path.strip_prefix(root).ok());
            !is_ignored(below.unwrap_or(path))
        })
        .collect()
}

/// Opening and reading is no change: that is what building does.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

/// Whether a path, relative to the project, is what a tool or an editor keeps for itself.
fn is_ignored(path: &Path) -> bool {
    let names = path.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    names.into_iter().any(|name| {
        IGNORED.contains(&name)
            || name.ends_with('~')
            || name.ends_with(".swp")
            || name.ends_with(".tmp")
            || name.ends_with(".snap.json")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> (tempfile::TempDir, Project) {
        let directory = tempfile::tempdir().unwrap();
        let file = "name = \"a\"\nlanguage = \"js\"\n[solvers.b]\nsource = \"b.js\"\n";
        fs::write(directory.path().join("project.toml"), file).unwrap();
        for name in ["src", "dist", "vendor/proctor-sdk"] {
            fs::create_dir_all(directory.path().join(name)).unwrap();
        }
        let project = Project::find(directory.path()).unwrap();
        (directory, project)
    }

    #[tokio::test]
    async fn a_changed_file_is_told_and_a_built_one_is_not() {
        let (directory, project) = project();
        let mut changes = ProjectChanges::of(&project).unwrap();
        // What is told comes in order, so the last would come after the first.
        fs::write(directory.path().join("dist/a.wasm"), "built").unwrap();
        fs::write(directory.path().join("src/a.js"), "written").unwrap();
        let changed = changes.next().await;
        assert!(changed.contains(&PathBuf::from("src/a.js")), "{changed:?}");
        assert!(
            !changed.iter().any(|path| path.starts_with("dist")),
            "{changed:?}"
        );
    }

    #[tokio::test]
    async fn a_new_directory_is_watched() {
        let (directory, project) = project();
        let mut changes = ProjectChanges::of(&project).unwrap();
        fs::create_dir(directory.path().join("cases")).unwrap();
        assert_eq!(changes.next().await, [PathBuf::from("cases")]);
        fs::write(directory.path().join("cases/one.toml"), "").unwrap();
        let changed = changes.next().await;
        assert_eq!(changed, [PathBuf::from("cases/one.toml")]);
    }

    #[test]
    fn what_tools_and_editors_write_is_ignored() {
        for path in [
            "target/debug/x",
            "challenge/target/x",
            ".proctor/sum/x",
            "node_modules",
            "a/__pycache__/b.pyc",
            "challenge.py~",
            ".challenge.py.swp",
            "cases/adds.snap.json",
        ] {
            assert!(is_ignored(Path::new(path)), "{path}");
        }
        for path in ["challenge.py", "cases/adds.toml", "vendor/x", "targets/x"] {
            assert!(!is_ignored(Path::new(path)), "{path}");
        }
    }
}
