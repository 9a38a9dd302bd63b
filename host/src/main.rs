//! The `proctor` command.

use std::panic;
use std::process::{self, ExitCode};

/// What a shell tells of a process that SIGPIPE ended.
const SIGPIPE: i32 = 128 + 13;

fn main() -> ExitCode {
    let default = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if info.payload_as_str().is_some_and(is_broken_pipe) {
            process::exit(SIGPIPE);
        }
        default(info);
    }));
    proctor_host::cli::run()
}

/// Whether `println!` panics because nobody reads any more, as in `proctor … | head`.
fn is_broken_pipe(message: &str) -> bool {
    message.starts_with("failed printing to stdout: Broken pipe")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn only_a_reader_that_is_gone_ends_quietly() {
        let told = |error: io::Error| format!("failed printing to stdout: {error}");
        // EPIPE, ENOSPC.
        assert!(is_broken_pipe(&told(io::Error::from_raw_os_error(32))));
        assert!(!is_broken_pipe(&told(io::Error::from_raw_os_error(28))));
        assert!(!is_broken_pipe("something else"));
    }
}
