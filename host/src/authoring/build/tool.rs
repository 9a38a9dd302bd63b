//! Finding and running the tools of a language.

use super::BuildError;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Finds a program: in the directory `beside`, if there is one to look in first, then along
/// `path`.
pub(super) fn find_tool(name: &str, beside: Option<&Path>, path: &OsStr) -> Option<PathBuf> {
    let directories = beside.map(Path::to_owned).into_iter();
    directories
        .chain(std::env::split_paths(path))
        .map(|directory| directory.join(name))
        .find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Runs a tool to its end, without input.
///
/// # Errors
///
/// [`BuildError::Failed`] with all that it printed, if it does not start or ends with an
/// error.
pub(super) fn run_tool(command: Command) -> Result<(), BuildError> {
    output_of(command).map(drop)
}

/// As [`run_tool`]; returns what it printed.
pub(super) fn output_of(mut command: Command) -> Result<Output, BuildError> {
    // Never a question: nobody would see it.
    command.stdin(Stdio::null());
    let ended = command.output();
    let failed = |status: String, output: String| BuildError::Failed {
        command: command_line(&command),
        status,
        output,
    };
    let output = match ended {
        Ok(output) => output,
        Err(error) => return Err(failed(error.to_string(), String::new())),
    };
    if output.status.success() {
        return Ok(output);
    }
    let printed = [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy);
    Err(failed(output.status.to_string(), printed.concat()))
}

/// A command as one would type it.
pub(super) fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(quoted).collect::<Vec<_>>().join(" ")
}

/// A word as one would type it to a shell.
pub(crate) fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_./=:@+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
