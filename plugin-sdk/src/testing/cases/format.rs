//! A case as a file, read and checked.

use super::expect::{Expect, OUTCOMES, Score};
use crate::{Failure, SolveError, SolveFailure};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name: that of the file, without the ending.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// What it shows, for people.
    pub about: Option<String>,
    /// What everything random is made from.
    pub seed: u64,
    /// The logical time, in seconds.
    pub now: f64,
    /// What is asked of whom.
    pub asked: Asked,
    /// What must come of it. None: the file has no `[expect]`, and only a failure is
    /// unexpected.
    pub expect: Option<Expect>,
}

/// What a case asks.
#[derive(Debug, Clone)]
pub enum Asked {
    /// A challenge evaluates and judges.
    Evaluation {
        /// The challenge's settings, JSON.
        settings: String,
        /// What the tasks are solved by.
        answers: Answers,
    },
    /// A solver solves one task.
    Task {
        /// The task, JSON.
        task: String,
        /// Name of the solver. None: the only one.
        solver: Option<String>,
    },
}

/// What the tasks of an evaluation are solved by.
#[derive(Debug, Clone)]
pub enum Answers {
    /// A solver of the project.
    Solver(String),
    /// A component, its path relative to the project.
    Component(PathBuf),
    /// One answer for each task, in order: a solution, JSON, or how it failed. A solution
    /// that is not JSON is a failure `invalid_output`, as it is in the sandbox.
    Recorded(Vec<Result<String, SolveError>>),
}

/// A file that is no case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseError {
    /// The name of the case.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, and on which line.
    pub reason: String,
}

impl fmt::Display for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for CaseError {}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    about: Option<String>,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    now: f64,
    solver: Option<Spanned<String>>,
    component: Option<Spanned<PathBuf>>,
    solutions: Option<Spanned<Vec<Recorded>>>,
    settings: Option<Spanned<Map<String, Value>>>,
    task: Option<Spanned<String>>,
    expect: Option<RawExpect>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpect {
    outcome: Option<Spanned<String>>,
    score: Option<Spanned<Score>>,
    accepted: Option<Spanned<bool>>,
    message: Option<String>,
    solution: Option<Spanned<String>>,
}

/// An answer as it is written: a JSON text, or a table that says how it failed.
struct Recorded(Result<String, SolveError>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFailure {
    error: Option<String>,
    failure: Option<String>,
    message: Option<String>,
}

/// The codes of a failure that a challenge is told of.
const FAILURES: [(&str, Failure); 9] = [
    ("guest_error", Failure::GuestError),
    ("trap", Failure::Trap),
    ("out_of_fuel", Failure::OutOfFuel),
    ("timeout", Failure::Timeout),
    ("out_of_memory", Failure::OutOfMemory),
    ("stack_overflow", Failure::StackOverflow),
    ("denied", Failure::Denied),
    ("invalid_output", Failure::InvalidOutput),
    ("link_error", Failure::LinkError),
];

impl RawFailure {
    fn read(self) -> Result<SolveError, String> {
        let failed = |code, message| SolveError::Failed(SolveFailure { code, message });
        match (self.error, self.failure) {
            (Some(error), None) if self.message.is_none() => Ok(failed(Failure::GuestError, error)),
            (None, Some(name)) => {
                let message = self.message.unwrap_or_default();
                if name == "unavailable" {
                    return Ok(SolveError::Unavailable(message));
                }
                let known = FAILURES.iter().find(|(known, _)| *known == name);
                let Some((_, code)) = known else {
                    let names: Vec<&str> = FAILURES.iter().map(|(name, _)| *name).collect();
                    let names = names.join(", ");
                    return Err(format!(
                        "no failure `{name}`: there are {names}, unavailable"
                    ));
                };
                Ok(failed(*code, message))
            }
            _ => Err(
                "an answer is a JSON text, {error = \"…\"}, or {failure = \"out_of_fuel\", \
                 message = \"…\"}"
                    .to_owned(),
            ),
        }
    }
}

impl<'de> Deserialize<'de> for Recorded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadRecorded)
    }
}

struct ReadRecorded;

impl<'de> Visitor<'de> for ReadRecorded {
    type Value = Recorded;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON text, as in \"3\", or a table that says how it failed")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Recorded, E> {
        Ok(Recorded(Ok(text.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Recorded, A::Error> {
        let raw = RawFailure::deserialize(MapAccessDeserializer::new(map))?;
        let error = raw.read().map_err(de::Error::custom)?;
        Ok(Recorded(Err(error)))
    }
}

/// Reads the cases of a directory: its files `*.toml`, by name. A file that is no case is
/// an error in its place, and does not stop the others.
///
/// # Errors
///
/// The directory cannot be read.
pub fn read(directory: &Path) -> io::Result<Vec<Result<Case, CaseError>>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths.into_iter().map(Case::open).collect())
}

impl Case {
    fn open(path: PathBuf) -> Result<Case, CaseError> {
        let text = fs::read_to_string(&path).map_err(|error| error.to_string());
        let name = path.file_stem().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let case = text.and_then(|text| Case::parse(&name, &path, &text));
        case.map_err(|reason| CaseError { name, path, reason })
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and on which line.
    pub fn parse(name: &str, path: &Path, text: &str) -> Result<Case, String> {
        let raw: Raw = toml::from_str(text).map_err(|error| error.to_string())?;
        let at = At(text);
        if !raw.now.is_finite() || raw.now < 0.0 {
            return Err(format!("`now` is {}: it is a time in seconds", raw.now));
        }
        let is_task = raw.task.is_some();
        let expect = raw.expect.map(|expect| expect.read(&at, is_task));
        let asked = match raw.task {
            Some(task) => {
                let only = [
                    ("component", raw.component.map(|value| value.span())),
                    ("solutions", raw.solutions.map(|value| value.span())),
                    ("settings", raw.settings.map(|value| value.span())),
                ];
                if let Some((key, span)) = only.into_iter().find_map(|(key, at)| Some((key, at?))) {
                    let why = "a case with a `task` asks a solver, and no challenge";
                    return Err(at.line(&span, format_args!("`{key}` beside `task`: {why}")));
                }
                Asked::Task {
                    task: at.json("task", task)?,
                    solver: raw.solver.map(Spanned::into_inner),
                }
            }
            None => Asked::Evaluation {
                settings: match raw.settings {
                    Some(settings) => Value::Object(settings.into_inner()).to_string(),
                    None => "{}".to_owned(),
                },
                answers: at.answers(raw.solver, raw.component, raw.solutions)?,
            },
        };
        Ok(Case {
            name: name.to_owned(),
            path: path.to_owned(),
            about: raw.about,
            seed: raw.seed,
            now: raw.now,
            asked,
            expect: expect.transpose()?,
        })
    }
}

impl RawExpect {
    fn read(self, at: &At<'_>, is_task: bool) -> Result<Expect, String> {
        let outcome = match self.outcome {
            Some(outcome) if OUTCOMES.contains(&outcome.get_ref().as_str()) => outcome.into_inner(),
            Some(outcome) => {
                let known = OUTCOMES.join(", ");
                let why = format!("no outcome `{}`: there are {known}", outcome.get_ref());
                return Err(at.line(&outcome.span(), why));
            }
            None => "ok".to_owned(),
        };
        let score = self.score.as_ref().map(|value| ("score", value.span()));
        let accepted = self
            .accepted
            .as_ref()
            .map(|value| ("accepted", value.span()));
        let of_verdict = score.or(accepted);
        let of_task = self.solution.as_ref().map(|value| value.span());
        if let (Some(span), false) = (&of_task, is_task) {
            let why = "`solution` is expected of a case with a `task` alone";
            return Err(at.line(span, why));
        }
        if let (Some((key, span)), true) = (&of_verdict, is_task) {
            let why = format!("`{key}` is of a verdict, and a case with a `task` has none");
            return Err(at.line(span, why));
        }
        let of_ok = of_verdict.or(of_task.map(|span| ("solution", span)));
        if let (Some((key, span)), true) = (of_ok, outcome != "ok") {
            let why = format!("`{key}` beside the outcome `{outcome}`, which has none");
            return Err(at.line(&span, why));
        }
        let solution = match self.solution {
            Some(solution) => {
                let text = at.json("solution", solution)?;
                Some(serde_json::from_str(&text).map_err(|error| error.to_string())?)
            }
            None => None,
        };
        Ok(Expect {
            outcome,
            score: self.score.map(Spanned::into_inner),
            accepted: self.accepted.map(Spanned::into_inner),
            message: self.message,
            solution,
        })
    }
}

/// Tells lines of a text.
struct At<'a>(&'a str);

impl At<'_> {
    fn line(&self, span: &Range<usize>, why: impl fmt::Display) -> String {
        let before = self.0.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        format!("line {line}: {why}")
    }

    /// A value that must be a JSON text.
    fn json(&self, key: &str, value: Spanned<String>) -> Result<String, String> {
        match serde_json::from_str::<Value>(value.get_ref()) {
            Ok(_) => Ok(value.into_inner()),
            Err(error) => {
                let why = format!(
                    "`{key}` is no JSON text ({error}): a text in JSON is '\"text\"', with both \
                     kinds of quotes"
                );
                Err(self.line(&value.span(), why))
            }
        }
    }

    /// The one of three that is there.
    fn answers(
        &self,
        solver: Option<Spanned<String>>,
        component: Option<Spanned<PathBuf>>,
        solutions: Option<Spanned<Vec<Recorded>>>,
    ) -> Result<Answers, String> {
        let spans = [
            ("solver", solver.as_ref().map(Spanned::span)),
            ("component", component.as_ref().map(Spanned::span)),
            ("solutions", solutions.as_ref().map(Spanned::span)),
        ];
        let mut there = spans
            .into_iter()
            .filter_map(|(key, span)| Some((key, span?)));
        if let (Some((first, _)), Some((second, span))) = (there.next(), there.next()) {
            let why = "a case is solved by one of `solver`, `component` and `solutions`";
            return Err(self.line(&span, format_args!("`{second}` beside `{first}`: {why}")));
        }
        if let Some(name) = solver {
            return Ok(Answers::Solver(name.into_inner()));
        }
        if let Some(path) = component {
            return Ok(Answers::Component(path.into_inner()));
        }
        if let Some(solutions) = solutions {
            let solutions = solutions.into_inner().into_iter();
            return Ok(Answers::Recorded(
                solutions.map(|answer| answer.0).collect(),
            ));
        }
        Err(
            "nothing solves its tasks: name a `solver` of the project or a `component`, record \
             `solutions`, or, to test a solver by itself, give a `task`"
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Case, String> {
        Case::parse("sample", Path::new("cases/sample.toml"), text)
    }

    #[test]
    fn a_case_of_a_challenge_has_defaults() {
        let case = parse("solver = \"adder\"").unwrap();
        assert_eq!((case.seed, case.now), (0, 0.0));
        assert_eq!(case.expect, None);
        let Asked::Evaluation { settings, answers } = case.asked else {
            panic!("{:?}", case.asked);
        };
        assert_eq!(settings, "{}");
        assert!(matches!(answers, Answers::Solver(name) if name == "adder"));
    }

    #[test]
    fn settings_and_recorded_answers_are_read() {
        let case = parse(
            "seed = 18446744073709551615\nnow = 1\n\
             solutions = [\"3\", {error = \"no idea\"}, \"{\", {failure = \"out_of_fuel\"}]\n\
             [settings]\ntasks = 4\nnested = {a = [1.5, \"b\"]}\n\
             [expect]\nscore = [0, 1]\n",
        )
        .unwrap();
        assert_eq!((case.seed, case.now), (u64::MAX, 1.0));
        let score = case.expect.unwrap().score;
        assert_eq!(score, Some(Score::Between(0.0, 1.0)));
        let Asked::Evaluation { settings, answers } = case.asked else {
            panic!("{:?}", case.asked);
        };
        let expected = serde_json::json!({"tasks": 4, "nested": {"a": [1.5, "b"]}});
        assert_eq!(serde_json::from_str::<Value>(&settings).unwrap(), expected);
        let Answers::Recorded(answers) = answers else {
            panic!("{answers:?}");
        };
        let failed = |code, message: &str| {
            let message = message.to_owned();
            Err(SolveError::Failed(SolveFailure { code, message }))
        };
        let expected = [
            Ok("3".to_owned()),
            failed(Failure::GuestError, "no idea"),
            Ok("{".to_owned()),
            failed(Failure::OutOfFuel, ""),
        ];
        assert_eq!(format!("{answers:?}"), format!("{expected:?}"));
    }

    #[test]
    fn a_case_with_a_task_is_a_solvers() {
        let case = parse("task = \"[1, 2]\"\n[expect]\nsolution = \"3\"").unwrap();
        assert!(matches!(case.asked, Asked::Task { solver: None, .. }));
        assert_eq!(case.expect.unwrap().solution, Some(3.into()));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, line, wanted) in [
            ("solver = \"a\"\nsed = 7", "line 2", "sed"),
            ("solver = \"a\"\n[expect]\n\nscores = 1", "line 4", "scores"),
            ("solver = \"a\"\nseed = -1", "line 2", "seed"),
            ("solver =", "line 1", ""),
            (
                "solver = \"a\"\ncomponent = \"b\"",
                "line 2",
                "`component` beside `solver`",
            ),
            (
                "task = \"1\"\n[settings]\na = 1",
                "line 2",
                "`settings` beside `task`",
            ),
            ("seed = 1\ntask = \"one\"", "line 2", "no JSON"),
            (
                "solver = \"a\"\n[expect]\noutcome = \"fine\"",
                "line 3",
                "out_of_fuel",
            ),
            (
                "solver = \"a\"\n[expect]\nscore = [1, 0]",
                "line 3",
                "greater number first",
            ),
            (
                "solver = \"a\"\n[expect]\nscore = [1]",
                "line 3",
                "[least, most]",
            ),
            (
                "solver = \"a\"\n[expect]\nscore = \"1\"",
                "line 3",
                "[least, most]",
            ),
            (
                "solver = \"a\"\n[expect]\nscore = nan",
                "line 3",
                "NaN is no score",
            ),
            (
                "solver = \"a\"\n[expect]\nsolution = \"1\"",
                "line 3",
                "`task` alone",
            ),
            (
                "task = \"1\"\n[expect]\naccepted = true",
                "line 3",
                "has none",
            ),
            (
                "solver = \"a\"\n[expect]\noutcome = \"trap\"\nscore = 1",
                "line 4",
                "beside the outcome `trap`",
            ),
            (
                "solutions = [{failure = \"tired\"}]",
                "line 1",
                "no failure `tired`",
            ),
            ("solutions = [{error = \"a\", why = 1}]", "line 1", "why"),
            ("solutions = [{}]", "line 1", "an answer is"),
            ("solutions = [3]", "line 1", "a JSON text, as in \"3\""),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(line), "{text}: {error}");
            assert!(error.contains(wanted), "{text}: {error}");
        }
        assert!(parse("").unwrap_err().contains("nothing solves its tasks"));
        assert!(
            parse("solver = \"a\"\nnow = inf")
                .unwrap_err()
                .contains("`now`")
        );
    }

    #[test]
    fn a_bad_file_does_not_stop_the_others() {
        let directory = std::env::temp_dir().join(format!("proctor-cases-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        for (name, text) in [
            ("b.toml", "solver = \"a\""),
            ("a.toml", "sed = 1"),
            ("a.snap.json", "{}"),
        ] {
            fs::write(directory.join(name), text).unwrap();
        }
        let cases = read(&directory);
        fs::remove_dir_all(&directory).unwrap();
        let names: Vec<_> = cases
            .unwrap()
            .into_iter()
            .map(|case| case.map(|case| case.name).map_err(|error| error.name))
            .collect();
        assert_eq!(names, [Err("a".to_owned()), Ok("b".to_owned())]);
    }
}
