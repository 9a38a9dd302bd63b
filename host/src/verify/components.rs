//! Components and artifacts, each compiled once and held while it is needed.

use super::day::Day;
use super::report::Trouble;
use crate::sandbox::{PluginComponent, PluginError, Sandbox, SolverComponent};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// A component, or why there is none.
type Loaded<T> = Arc<Result<T, Trouble>>;

/// Something that is loaded once for each digest, and dropped when the last step that
/// needs it is done.
struct Pool<T>(Mutex<BTreeMap<String, Slot<T>>>);

struct Slot<T> {
    cell: Arc<OnceCell<Loaded<T>>>,
    /// Steps that still need it.
    needed: usize,
}

impl<T: Send + Sync + 'static> Pool<T> {
    fn new<'a>(digests: impl Iterator<Item = &'a str>) -> Self {
        let mut slots = BTreeMap::new();
        for digest in digests {
            let slot = slots.entry(digest.to_owned()).or_insert_with(|| Slot {
                cell: Arc::default(),
                needed: 0,
            });
            slot.needed += 1;
        }
        Pool(Mutex::new(slots))
    }

    /// What a digest is loaded to. Each step asks once.
    async fn get(
        &self,
        digest: &str,
        load: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
    ) -> Loaded<T> {
        let cell = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match slots.get_mut(digest) {
                Some(slot) if slot.needed > 1 => {
                    slot.needed -= 1;
                    Arc::clone(&slot.cell)
                }
                _ => slots
                    .remove(digest)
                    .map(|slot| slot.cell)
                    .unwrap_or_default(),
            }
        };
        let loaded = cell.get_or_init(async || {
            let loaded = tokio::task::spawn_blocking(load).await;
            let failed = |e: tokio::task::JoinError| Err(Trouble::differs(e.to_string()));
            Arc::new(loaded.unwrap_or_else(failed))
        });
        Arc::clone(loaded.await)
    }
}

/// What the steps run.
pub(super) struct Components {
    sandbox: Sandbox,
    day: Arc<Day>,
    plugins: Pool<PluginComponent>,
    solvers: Pool<Result<SolverComponent, PluginError>>,
}

impl Components {
    /// Those that are needed by these calls of challenges, and by these runs of
    /// submissions: a digest as often as it is needed.
    pub(super) fn new<'a>(
        sandbox: &Sandbox,
        day: &Arc<Day>,
        plugins: impl Iterator<Item = &'a str>,
        solvers: impl Iterator<Item = &'a str>,
    ) -> Self {
        Components {
            sandbox: sandbox.clone(),
            day: Arc::clone(day),
            plugins: Pool::new(plugins),
            solvers: Pool::new(solvers),
        }
    }

    pub(super) async fn plugin(&self, digest: &str) -> Loaded<PluginComponent> {
        let (sandbox, day, name) = (
            self.sandbox.clone(),
            Arc::clone(&self.day),
            digest.to_owned(),
        );
        let load = move || {
            let bytes = day.documents.bytes("component", &name)?;
            let loaded = PluginComponent::load(&sandbox, &bytes);
            let cannot = |e| Trouble::differs(format!("the component cannot be loaded: {e}"));
            loaded.map(|(plugin, _)| plugin).map_err(cannot)
        };
        self.plugins.get(digest, load).await
    }

    pub(super) async fn solver(
        &self,
        digest: &str,
    ) -> Loaded<Result<SolverComponent, PluginError>> {
        let (sandbox, day, name) = (
            self.sandbox.clone(),
            Arc::clone(&self.day),
            digest.to_owned(),
        );
        let load = move || {
            let bytes = day.documents.bytes("artifact", &name)?;
            Ok(SolverComponent::load(&sandbox, &bytes).map(|(solver, _)| solver))
        };
        self.solvers.get(digest, load).await
    }
}
