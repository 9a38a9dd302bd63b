//! Miners that answer on loopback, well and badly. For tests, and for people who try
//! things out (`proctor dev miners`).
//!
//! Each [`DevMiner`] listens on a port of its own, takes `POST` requests with a JSON
//! body, and answers by its [`Work`], unless its [`Behaviour`] is another.

mod behaviour;
mod complete;
mod connection;
mod http;
mod metagraph;
mod miner;
mod server;
mod signature;
mod work;

pub use behaviour::{Behaviour, Unknown};
pub use metagraph::metagraph;
pub use miner::{Counts, DevMiner, Received, hotkey};
pub use server::{Miners, Options, StartError};
pub use work::Work;
