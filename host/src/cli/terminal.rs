//! What people see: colours, and what is going on.
//!
//! Colours are for a terminal alone (`anstream` takes them out elsewhere, and where
//! `NO_COLOR` is set). What is going on goes to standard error, so that standard output is
//! the result and nothing else.

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt;
use std::io::{self, IsTerminal};
use std::time::Duration;

/// Something good.
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Something bad.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something to look at.
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default();
/// Something less important.
pub(super) const FAINT: Style = Style::new().dimmed();

/// A text in a style. To be printed with `anstream`.
pub(super) fn styled(style: Style, text: impl fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// One step that takes long: a line with a wheel and the time on a terminal, one plain
/// line elsewhere. Gone when it is dropped.
#[derive(Debug)]
pub(super) struct Step(ProgressBar);

impl Step {
    /// Tells what is being done now, as in `loading sum.wasm (18 MB)`.
    pub(super) fn begin(what: impl fmt::Display) -> Self {
        let what = what.to_string();
        if !io::stderr().is_terminal() {
            eprintln!("{what}");
            return Step(ProgressBar::hidden());
        }
        let bar = ProgressBar::new_spinner().with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Step(bar)
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
