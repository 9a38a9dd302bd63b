//! Proctor.

pub mod api;
pub mod artifacts;
pub mod chain;
pub mod cli;
pub mod clock;
pub mod commits;
pub mod config;
pub mod host;
pub mod metrics;
pub mod plugins;
pub mod sandbox;
pub mod scoring;
pub mod store;
pub mod telemetry;
pub mod weights;
