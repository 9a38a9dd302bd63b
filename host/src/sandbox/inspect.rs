//! What a component says of itself, whether or not it can be loaded.

use super::engine::Sandbox;
use super::link;
use super::outcome::PluginError;

/// The interfaces of a component, as it names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interfaces {
    /// What it needs.
    pub imports: Vec<String>,
    /// What it offers.
    pub exports: Vec<String>,
}

impl Interfaces {
    /// Reads the interfaces of a component. Blocks while it compiles.
    ///
    /// # Errors
    ///
    /// [`LinkError`](super::Outcome::LinkError): it is no valid component.
    pub fn of(sandbox: &Sandbox, bytes: &[u8]) -> Result<Self, PluginError> {
        let (component, _) = sandbox.compile(bytes)?;
        Ok(Interfaces {
            imports: link::imports(&component),
            exports: link::exports(&component),
        })
    }
}
