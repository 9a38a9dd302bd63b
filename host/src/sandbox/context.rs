//! The import `context`: what a call is about.

use super::bindings::context::Host;
use super::state::State;

impl Host for State {
    async fn settings(&mut self) -> wasmtime::Result<String> {
        Ok(self.context.settings.to_string())
    }

    async fn seed(&mut self) -> wasmtime::Result<u64> {
        Ok(self.context.seed)
    }

    async fn now(&mut self) -> wasmtime::Result<f64> {
        Ok(self.context.now)
    }
}
