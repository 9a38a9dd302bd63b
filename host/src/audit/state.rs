//! What an audit knows of a host, in a file.

use super::difference::{Difference, Found};
use super::rules::KEPT_DAYS;
use crate::clock;
use crate::receipts::SignedHead;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Which form the file has.
const VERSION: &str = "proctor-audit-1";
/// Differences that are kept, the first ones.
const MAX_FOUND: usize = 1_000;
/// A state is smaller by far: forty heads and a thousand differences.
const MAX_BYTES: u64 = 64 << 20;

/// What is known of a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KnownDay {
    /// Its last head that contradicts nothing.
    pub(super) head: SignedHead,
    /// Leaves that were audited: from the first on.
    pub(super) audited: u64,
    /// How many receipts of it were computed again.
    pub(super) executed: u64,
}

/// A head that is not believed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Disputed {
    pub(super) head: SignedHead,
    /// What was known when it was told first.
    pub(super) after: Option<Earlier>,
}

/// A tree of an earlier day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Earlier {
    pub(super) day: String,
    pub(super) size: u64,
}

/// What is known of a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    version: String,
    /// The address of the host.
    from: String,
    /// Who signs its heads.
    pub(super) signer: Option<String>,
    /// The last days, by day.
    pub(super) days: BTreeMap<String, KnownDay>,
    /// Of each day the last head that is not believed: with that in `days`, evidence.
    pub(super) disputed: BTreeMap<String, Disputed>,
    /// What differs, each once, in the order in which it was found.
    pub(super) found: Vec<Found>,
    /// When a round last went through, in seconds since the Unix epoch.
    pub(super) last_success: Option<f64>,
}

/// Why there is no state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be read or written.
    #[error("the state of the audit, {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is not one.
    #[error(
        "the state of the audit, {path}, cannot be read: {why}. It was left as it is. Without it \
         a host can change what it told before: restore it, or move it away to begin anew"
    )]
    Torn {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file is of another host.
    #[error(
        "the state of the audit, {path}, is of {found}, and not of {asked}: name another file \
         with --state, or, if the host has moved, change `from` in this one"
    )]
    OtherHost {
        /// The file.
        path: PathBuf,
        /// The address in it.
        found: String,
        /// The address that was asked for.
        asked: String,
    },
    /// Another audit has it.
    #[error("the state of the audit, {0}, is in use by another process")]
    InUse(PathBuf),
}

/// The file of a state. No other process has it.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    _lock: File,
}

impl StateFile {
    /// Opens the file of a host's state; a new state if there is none.
    pub(super) fn open(path: &Path, from: &str) -> Result<(StateFile, State), StateError> {
        let failed = |source| StateError::Io {
            path: path.to_owned(),
            source,
        };
        let directory = directory(path);
        fs::create_dir_all(directory).map_err(failed)?;
        let lock = File::create(path.with_added_extension("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let file = StateFile {
            path: path.to_owned(),
            _lock: lock,
        };
        let text = match File::open(path) {
            Ok(file) => {
                let mut text = Vec::new();
                file.take(MAX_BYTES)
                    .read_to_end(&mut text)
                    .map_err(failed)?;
                text
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let state = State::new(from);
                // What cannot be kept is better known now.
                file.save(&state)?;
                return Ok((file, state));
            }
            Err(error) => return Err(failed(error)),
        };
        let state = State::parse(&text).map_err(|why| StateError::Torn {
            path: path.to_owned(),
            why,
        })?;
        if state.from != from {
            return Err(StateError::OtherHost {
                path: path.to_owned(),
                found: state.from,
                asked: from.to_owned(),
            });
        }
        Ok((file, state))
    }

    /// Replaces the file, whole or not at all.
    pub(super) fn save(&self, state: &State) -> Result<(), StateError> {
        self.replace(state).map_err(|source| StateError::Io {
            path: self.path.clone(),
            source,
        })
    }

    fn replace(&self, state: &State) -> io::Result<()> {
        let directory = directory(&self.path);
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        serde_json::to_writer_pretty(&mut file, state)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        File::open(directory)?.sync_all()
    }
}

fn directory(path: &Path) -> &Path {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

impl State {
    /// Nothing is known of the host at this address.
    pub(super) fn new(from: &str) -> Self {
        State {
            version: VERSION.to_owned(),
            from: from.to_owned(),
            signer: None,
            days: BTreeMap::new(),
            disputed: BTreeMap::new(),
            found: Vec::new(),
            last_success: None,
        }
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let state: State = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if state.version != VERSION {
            return Err(format!(
                "version {:?}: this one knows {VERSION}",
                state.version
            ));
        }
        let is_whole = |(day, known): (&String, &KnownDay)| {
            *day == known.head.head.day && known.audited <= known.head.head.size
        };
        match state.days.iter().all(is_whole) {
            true => Ok(state),
            false => Err("a day is not as its head says".to_owned()),
        }
    }

    /// Believes these heads, and forgets the earliest days if there are too many.
    pub(super) fn take(&mut self, heads: Vec<SignedHead>) {
        if let Some(head) = heads.last() {
            self.signer = Some(head.signer.clone());
        }
        for signed in heads {
            let (day, head) = (signed.head.day.clone(), signed.clone());
            let known = self.days.entry(day).or_insert(KnownDay {
                head,
                audited: 0,
                executed: 0,
            });
            known.head = signed;
        }
        while self.days.len() > KEPT_DAYS {
            if let Some((day, known)) = self.days.pop_first()
                && known.audited < known.head.head.size
            {
                tracing::warn!(day, "so many days are new that this one is not audited");
            }
        }
        if let Some(first) = self.days.keys().next() {
            self.disputed.retain(|day, _| day >= first);
        }
    }

    /// Does not believe these heads.
    pub(super) fn dispute(&mut self, heads: Vec<Disputed>) {
        for disputed in heads {
            self.disputed
                .insert(disputed.head.head.day.clone(), disputed);
        }
    }

    /// Keeps what differs, if it is not known yet. `now` is in seconds since the Unix
    /// epoch. Returns whether it is new.
    pub(super) fn keep(&mut self, difference: &Difference, now: f64) -> bool {
        if self
            .found
            .iter()
            .any(|found| found.difference == *difference)
        {
            return false;
        }
        if self.found.len() < MAX_FOUND {
            self.found.push(Found {
                at: clock::rfc3339(now),
                difference: difference.clone(),
            });
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::digest;
    use crate::chain::Hotkey;
    use crate::receipts::{Head, Signer};

    const FROM: &str = "http://127.0.0.1:1";

    fn head(day: &str) -> SignedHead {
        let signer = Signer::from(Hotkey::from_uri("//Alice").unwrap());
        signer
            .sign_head(Head::of(day, &[digest(day)], None).unwrap())
            .unwrap()
    }

    #[test]
    fn a_state_comes_back_and_is_of_one_host_and_one_process() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new").join("state.json");
        let (file, mut state) = StateFile::open(&path, FROM).unwrap();
        state.take(vec![head("2026-08-22")]);
        let difference = Difference::of_day("vanished", "2026-08-21", "gone".into());
        assert!(state.keep(&difference, 0.0));
        assert!(!state.keep(&difference, 9.0));
        file.save(&state).unwrap();
        let error = StateFile::open(&path, FROM).unwrap_err();
        assert!(matches!(error, StateError::InUse(_)));
        drop(file);
        let error = StateFile::open(&path, "http://other").unwrap_err();
        assert!(matches!(error, StateError::OtherHost { .. }));
        assert_eq!(StateFile::open(&path, FROM).unwrap().1, state);
    }

    #[test]
    fn a_torn_state_is_told_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        let (file, mut state) = StateFile::open(&path, FROM).unwrap();
        state.take(vec![head("2026-08-22")]);
        file.save(&state).unwrap();
        drop(file);
        let whole = fs::read_to_string(&path).unwrap();
        let newer = whole.replace(VERSION, "proctor-audit-2");
        let ahead = whole.replace("\"audited\": 0", "\"audited\": 2");
        for torn in ["", &whole[..whole.len() / 2], &newer, &ahead] {
            fs::write(&path, torn).unwrap();
            let error = StateFile::open(&path, FROM).unwrap_err();
            assert!(matches!(error, StateError::Torn { .. }), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), torn);
        }
    }

    #[test]
    fn the_last_days_are_kept() {
        let mut state = State::new(FROM);
        let days = (1..=KEPT_DAYS + 2).map(|n| clock::day(n as f64 * 86_400.0));
        let days: Vec<String> = days.collect();
        state.take(days.iter().map(|day| head(day)).collect());
        assert!(state.days.keys().eq(&days[2..]));
    }
}
