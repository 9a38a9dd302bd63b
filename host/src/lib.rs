//! Proctor: a host for competitions on Bittensor subnets, in which challenges and
//! submissions are WebAssembly components.
//!
//! This library is what the `proctor` command is made of; ARCHITECTURE.md in the
//! repository tells the modules apart. Its interface changes as the command does.

pub mod api;
pub mod archive;
pub mod artifacts;
pub mod audit;
pub mod authoring;
pub mod backup;
pub mod bundles;
pub mod canonical;
pub mod chain;
pub mod cli;
pub mod clock;
pub mod commits;
pub mod compat;
pub mod config;
pub mod host;
pub mod metrics;
pub mod miners;
pub mod organic;
pub mod outbox;
pub mod plugins;
pub mod receipts;
pub mod registry;
pub mod retention;
pub mod runner;
pub mod sandbox;
pub mod scoring;
pub mod serve;
pub mod storage;
pub mod store;
pub mod submission;
pub mod telemetry;
pub mod validators;
pub mod verify;
pub mod weights;
