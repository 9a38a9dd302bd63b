//! A copy of what the chain last told, for a start without one.

use crate::chain::Metagraph;
use crate::config::Config;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// `metagraph.cache.json`, and which chain it is of: netuids are no names.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Copy {
    network: String,
    read_at: f64,
    metagraph: Metagraph,
}

fn path(config: &Config) -> PathBuf {
    config.data_dir.join("metagraph.cache.json")
}

fn network(config: &Config) -> String {
    let chain = &config.chain;
    let first = chain.network.as_ref().or(chain.endpoints.first());
    first.cloned().unwrap_or_default()
}

/// Keeps a metagraph that was read at `read_at`. What fails is logged: the host needs
/// the copy only when it starts.
pub(super) fn store(config: &Config, metagraph: &Metagraph, read_at: f64) {
    let copy = Copy {
        network: network(config),
        read_at,
        metagraph: metagraph.clone(),
    };
    let path = path(config);
    if let Err(error) = replace(&path, &copy) {
        tracing::warn!(path = %path.display(), error = %error, "cannot keep a copy of the metagraph");
    }
}

fn replace(path: &Path, copy: &Copy) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    serde_json::to_writer(&mut file, copy)?;
    file.flush()?;
    file.persist(path)?;
    Ok(())
}

/// The copy, and when it was read; none if there is none of this subnet of this network.
pub(super) fn load(config: &Config, netuid: u16) -> Option<(Metagraph, f64)> {
    let path = path(config);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(path = %path.display(), error = %error, "cannot read the copy of the metagraph");
            return None;
        }
    };
    let copy: Copy = match serde_json::from_slice(&bytes) {
        Ok(copy) => copy,
        Err(error) => {
            tracing::warn!(path = %path.display(), error = %error, "the copy of the metagraph is not usable");
            return None;
        }
    };
    let is_ours = copy.network == network(config) && copy.metagraph.netuid() == netuid;
    is_ours.then_some((copy.metagraph, copy.read_at))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::Chain;

    fn config(directory: &Path, network: &str) -> Config {
        Config {
            data_dir: directory.to_owned(),
            chain: Chain {
                network: Some(network.to_owned()),
                ..Chain::default()
            },
            ..Config::default()
        }
    }

    #[test]
    fn the_copy_counts_for_its_own_subnet_and_network_only() {
        let directory = tempfile::tempdir().unwrap();
        let test = config(directory.path(), "test");
        let metagraph = Metagraph::new(61, 5, None, vec![]).unwrap();
        assert!(load(&test, 61).is_none());
        store(&test, &metagraph, 12.5);
        assert_eq!(load(&test, 61), Some((metagraph, 12.5)));
        assert!(load(&test, 62).is_none());
        assert!(load(&config(directory.path(), "finney"), 61).is_none());
    }

    #[test]
    fn a_damaged_copy_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path(), "test");
        store(&config, &Metagraph::new(61, 5, None, vec![]).unwrap(), 1.0);
        let whole = std::fs::read(path(&config)).unwrap();
        for damaged in [&whole[..whole.len() / 2], b"", b"{}", b"null", &[0xff]] {
            std::fs::write(path(&config), damaged).unwrap();
            assert!(load(&config, 61).is_none());
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_no_panic() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(&directory.path().join("missing"), "test");
        store(&config, &Metagraph::new(61, 5, None, vec![]).unwrap(), 1.0);
        assert!(load(&config, 61).is_none());
    }
}
