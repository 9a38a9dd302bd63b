//! Proctor.

pub mod chain;
pub mod commits;
pub mod sandbox;
pub mod weights;
