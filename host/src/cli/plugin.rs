//! `proctor plugin`.

mod bench;
mod build;
mod inspect;
mod new;
mod oci;
mod pull;
mod push;
mod replay;
mod run;
mod sign;
mod target;
mod test;
mod watch;

use clap::Subcommand;
use std::process::ExitCode;

/// Write challenges, and look at them.
#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// Write a new project: a challenge, a solver, cases, a README.
    New(new::New),
    /// Build the project's challenge and its solvers.
    Build(build::Build),
    /// Run the project's cases.
    Test(test::Test),
    /// Build and test again whenever a file of the project changes.
    Watch(watch::Watch),
    /// Measure what a challenge costs: time, fuel and memory against its limits, and
    /// what compiling and instantiating take.
    Bench(bench::Bench),
    /// Tell what a component is, and whether this host would load it.
    Inspect(inspect::Inspect),
    /// Evaluate and judge one submission, as `serve` would: with the limits,
    /// settings and grants that the configuration gives the challenge. Its volume
    /// is a fresh one.
    Run(run::Run),
    /// Show what a changed component would have scored in recorded evaluations. It gets
    /// what was recorded: settings, seed, time, limits, and the host's answers; for other
    /// tasks the submission is run.
    Replay(replay::Replay),
    /// Sign a component, for hosts that want it signed (`signed_by`).
    Sign(sign::Sign),
    /// Put a component into an OCI registry, as a Wasm artifact, and print its reference
    /// by digest: what a challenge's record names, or a commit if it is a solver. With
    /// --key or --wallet.name it is signed as well.
    Push(push::Push),
    /// Get a component from an OCI registry.
    Pull(pull::Pull),
}

impl Plugin {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Plugin::New(command) => command.run(),
            Plugin::Build(command) => command.run(),
            Plugin::Test(command) => command.run(),
            Plugin::Watch(command) => command.run(),
            Plugin::Bench(command) => command.run(),
            Plugin::Inspect(command) => command.run(),
            Plugin::Run(command) => command.run(),
            Plugin::Replay(command) => command.run(),
            Plugin::Sign(command) => command.run(),
            Plugin::Push(command) => command.run(),
            Plugin::Pull(command) => command.run(),
        }
    }
}
