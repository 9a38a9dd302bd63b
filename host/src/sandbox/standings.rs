//! The import `standings`: where the miners of the challenge stand.

use super::bindings::standings::Host;
use super::bindings::types::Standing;
use super::state::{Denied, State};

impl Host for State {
    async fn get_standings(&mut self) -> wasmtime::Result<Vec<Standing>> {
        match &self.route {
            Some(route) => Ok(route.standings.to_vec()),
            // Not even `get-weights`, which is told those that it is about.
            None => Err(Denied("only a route may ask for standings".into()).into()),
        }
    }
}
