//! Filling in what a case came to.

use super::bed::Came;
use super::format::Case;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
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
    let Some(filled) = filled(&text, came).map_err(io::Error::other)? else {
        return Ok(false);
    };
    replace(&case.path, filled.as_bytes())?;
    Ok(true)
}

/// Writes a file as a whole: whoever reads it meanwhile sees the old or the new one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let old = fs::metadata(path).map(|metadata| metadata.permissions());
    let permissions = old.unwrap_or_else(|_| Permissions::from_mode(0o644));
    let mut draft = tempfile::Builder::new()
        .permissions(permissions)
        .tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
    draft.write_all(bytes)?;
    draft.persist(path)?;
    Ok(())
}

/// None if it expects something by now.
fn filled(text: &str, came: &Came) -> Result<Option<String>, toml_edit::TomlError> {
    let mut document: DocumentMut = text.parse()?;
    if document.contains_key("expect") {
        return Ok(None);
    }
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
    Ok(Some(document.to_string()))
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
        let filled = filled(text, &came).unwrap().unwrap();
        assert_eq!(filled, format!("{text}{expected}"));
    }

    #[test]
    fn a_case_with_a_task_expects_its_solution() {
        let came = Came {
            is_task: true,
            solution: Some("\"3\"".to_owned()),
            ..Came::default()
        };
        let expected = "task = \"1\"\n\n[expect]\noutcome = \"ok\"\nsolution = '\"3\"'\n";
        let filled = filled("task = \"1\"\n", &came).unwrap().unwrap();
        assert_eq!(filled, expected);
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
        let text = filled("solver = \"a\"\n", &came).unwrap().unwrap();
        assert!(text.contains("score = 1.0\naccepted = false\n"), "{text}");
    }

    #[test]
    fn what_is_expected_since_the_case_was_read_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.toml");
        let case = Case::parse("a", &path, "task = \"1\"\n").unwrap();
        let text = "task = \"1\"\n[expect]\noutcome = \"trap\"\n";
        fs::write(&path, text).unwrap();
        assert!(!fill(&case, &Came::default()).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn a_file_is_replaced_and_its_mode_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        replace(&path, b"1").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        replace(&path, b"2").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
