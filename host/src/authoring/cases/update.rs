//! Filling in what a case came to.

use super::bed::Came;
use super::format::Case;
use std::fs;
use std::io;
use toml_edit::{DocumentMut, Item, Table, value};

/// Writes `[expect]` into the file of a case that has none, and leaves the rest of it as
/// it is, comments included. Says whether it did.
///
/// # Errors
///
/// The file cannot be read or written, or is no TOML any more.
pub(super) fn fill(case: &Case, came: &Came) -> io::Result<bool> {
    if case.expect.is_some() {
        return Ok(false);
    }
    let text = fs::read_to_string(&case.path)?;
    fs::write(&case.path, filled(&text, came).map_err(io::Error::other)?)?;
    Ok(true)
}

fn filled(text: &str, came: &Came) -> Result<String, toml_edit::TomlError> {
    let mut document: DocumentMut = text.parse()?;
    let mut expect = Table::new();
    expect.insert("outcome", value(came.outcome().code()));
    if let Some(verdict) = &came.verdict {
        expect.insert("score", value(verdict.score));
        expect.insert("accepted", value(verdict.accepted));
    }
    if let Some(solution) = &came.solution {
        expect.insert("solution", value(solution.as_str()));
    }
    if !document.is_empty() {
        expect.decor_mut().set_prefix("\n");
    }
    document.insert("expect", Item::Table(expect));
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::types::Verdict;

    #[test]
    fn the_rest_of_the_file_stays_as_it_is() {
        let came = Came {
            verdict: Some(Verdict {
                score: 0.1 + 0.2,
                penalty: 0.0,
                accepted: true,
                reason: None,
            }),
            ..Came::default()
        };
        let text = "# why\nsolver = \"a\"  # that one\n\n[settings]\ntasks = 3 # few\n";
        let expected =
            "\n[expect]\noutcome = \"ok\"\nscore = 0.30000000000000004\naccepted = true\n";
        assert_eq!(filled(text, &came).unwrap(), format!("{text}{expected}"));
    }

    #[test]
    fn a_case_with_a_task_expects_its_solution() {
        let came = Came {
            is_task: true,
            solution: Some("\"3\"".to_owned()),
            ..Came::default()
        };
        let expected = "task = \"1\"\n\n[expect]\noutcome = \"ok\"\nsolution = '\"3\"'\n";
        assert_eq!(filled("task = \"1\"\n", &came).unwrap(), expected);
    }

    #[test]
    fn a_whole_score_stays_a_float() {
        let came = Came {
            verdict: Some(Verdict {
                score: 1.0,
                penalty: 0.0,
                accepted: false,
                reason: None,
            }),
            ..Came::default()
        };
        let text = filled("solver = \"a\"\n", &came).unwrap();
        assert!(text.contains("score = 1.0\naccepted = false\n"), "{text}");
    }
}
