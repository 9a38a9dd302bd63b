//! `proctor completions`.

use super::Cli;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// Print what makes a shell complete `proctor`, for the shell to read.
///
/// bash: `proctor completions bash > ~/.local/share/bash-completion/completions/proctor`.
/// zsh: `proctor completions zsh > DIR/_proctor`, DIR being in `$fpath`. fish:
/// `proctor completions fish > ~/.config/fish/completions/proctor.fish`. elvish and
/// PowerShell: append it to `~/.config/elvish/rc.elv`, or to the file that `$PROFILE` names.
/// It counts from the next shell on.
#[derive(Debug, Args)]
pub(in crate::cli) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(in crate::cli) fn run(self) -> anyhow::Result<ExitCode> {
        print(&script(self.shell))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "proctor", &mut script);
    script
}

/// Prints what another program reads, which may have read enough.
pub(super) fn print(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_shell_is_told_of_commands_within_commands() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script(*shell)).unwrap();
            for word in ["inspect", "rotate-token", "--log-format"] {
                let word = match shell {
                    // fish is told long options without their dashes.
                    Shell::Fish => word.trim_start_matches("--"),
                    _ => word,
                };
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
