//! The `proctor` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    proctor_host::cli::run()
}
