//! What a whole order of sessions is worth: the formula of the container.
//!
//! Source: `PayloadManager.calculate_score`, ab-sniffer-challenge 5e1a456. It gives the
//! same numbers (`tests/golden/abs.json`), in every corner that it has:
//!
//! | corner | what it is worth |
//! |---|---|
//! | a person is taken for a framework, or their browser for a headless one | 0 for the whole order |
//! | a session without an answer | no point; no miss of the mode, and nothing worse if a person's |
//! | more than one name, the right one among them | a tenth of a point, also if it is the same name twice |
//! | the wrong mode, or no name at all, in a framework's session | a third of the tenth for modes, three times at most |
//! | a framework that was in no session | its weight still counts in the sum of all |
//! | no framework recognized | 0, whatever the modes |

/// What a session without a framework is called. No framework may have the name.
pub const HUMAN: &str = "human";

/// Share of the score that recognizing frameworks is worth.
const FRAMEWORKS: f64 = 0.9;
/// Share of the score that recognizing modes is worth.
const MODES: f64 = 0.1;
/// Misses after which nothing is left of [`MODES`].
const MISSES: f64 = 3.0;
/// Points for the right name among others.
const COLLISION: f64 = 0.1;

/// What really happened in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The framework's name, or [`HUMAN`].
    pub visitor: String,
    /// Whether the browser had no window. None for a person.
    pub headless: Option<bool>,
}

/// What a submission said of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The frameworks that it saw; none for a person.
    pub detected: Vec<String>,
    /// Whether it saw a browser without a window. None if it did not say.
    pub headless: Option<bool>,
}

/// What an answer lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A person was taken for a framework, or for a browser without a window.
    Person,
    /// The framework is not among the names.
    Missed,
    /// The framework is one of several names.
    Collision,
    /// The framework is right, the mode is not.
    Mode,
}

impl Fault {
    /// The same for people.
    pub fn text(self) -> &'static str {
        match self {
            Fault::Person => "a person was taken for a bot: the whole order is worth 0",
            Fault::Missed => "the framework was not recognized",
            Fault::Collision => "the framework was one of several names: a tenth of a point",
            Fault::Mode => "the framework was recognized, its mode was not",
        }
    }
}

impl Session {
    fn is_human(&self) -> bool {
        self.visitor == HUMAN
    }

    fn names(&self, answer: &Answer) -> bool {
        answer.detected.contains(&self.visitor)
    }

    fn takes_a_person_for_a_bot(&self, answer: &Answer) -> bool {
        self.is_human() && (!answer.detected.is_empty() || answer.headless == Some(true))
    }

    fn misses_the_mode(&self, answer: &Answer) -> bool {
        !self.is_human() && (answer.headless != self.headless || answer.detected.is_empty())
    }

    /// The worst of what an answer lacks, if it lacks anything.
    pub fn fault(&self, answer: &Answer) -> Option<Fault> {
        if self.is_human() {
            return self
                .takes_a_person_for_a_bot(answer)
                .then_some(Fault::Person);
        }
        if !self.names(answer) {
            Some(Fault::Missed)
        } else if answer.detected.len() > 1 {
            Some(Fault::Collision)
        } else {
            self.misses_the_mode(answer).then_some(Fault::Mode)
        }
    }
}

/// What an order of sessions is worth: 0 to 1 if all weights are positive and finite.
/// NaN is possible if they are not. Each name has one weight.
///
/// Sums run in the order of the input. Nothing is rounded.
pub fn score(weights: &[(String, f64)], order: &[(Session, Option<Answer>)]) -> f64 {
    let answered = || {
        let pairs = order.iter();
        pairs.filter_map(|(session, answer)| Some((session, answer.as_ref()?)))
    };
    if answered().any(|(session, answer)| session.takes_a_person_for_a_bot(answer)) {
        return 0.0;
    }
    let frameworks = framework_score(weights, order);
    if frameworks == 0.0 {
        return 0.0;
    }
    let misses = answered().filter(|(session, answer)| session.misses_the_mode(answer));
    let modes = MODES - misses.count() as f64 * (MODES / MISSES);
    frameworks + modes.max(0.0)
}

fn framework_score(weights: &[(String, f64)], order: &[(Session, Option<Answer>)]) -> f64 {
    let total = weights.iter().fold(0.0, |sum, (_, weight)| sum + weight);
    if total == 0.0 {
        return 0.0;
    }
    let mut accuracy = 0.0;
    for (name, weight) in weights {
        let sessions = || order.iter().filter(|(session, _)| session.visitor == *name);
        let expected = sessions().count();
        if expected == 0 {
            continue;
        }
        let earned = sessions().fold(0.0, |sum, (session, answer)| {
            sum + answer
                .as_ref()
                .map_or(0.0, |answer| points(session, answer))
        });
        accuracy += earned / expected as f64 * weight;
    }
    FRAMEWORKS * (accuracy / total)
}

fn points(session: &Session, answer: &Answer) -> f64 {
    if session.is_human() {
        // Only where a framework is called like a person: then that person was
        // recognized, or `score` had ended.
        return 1.0;
    }
    match (session.names(answer), answer.detected.len()) {
        (false, _) => 0.0,
        (true, 1) => 1.0,
        (true, _) => COLLISION,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(visitor: &str, headless: bool) -> Session {
        Session {
            visitor: visitor.to_owned(),
            headless: (visitor != HUMAN).then_some(headless),
        }
    }

    fn answer(detected: &[&str], headless: bool) -> Answer {
        Answer {
            detected: detected.iter().map(|&name| name.to_owned()).collect(),
            headless: Some(headless),
        }
    }

    /// Two sessions of `a`, one with a window and one without, two of `b`, a person.
    fn order(answers: [Option<Answer>; 5]) -> f64 {
        let weights = [("a".to_owned(), 2.0), ("b".to_owned(), 1.0)];
        let sessions = [
            session("a", false),
            session("a", true),
            session("b", false),
            session("b", true),
            session(HUMAN, false),
        ];
        let order: Vec<_> = sessions.into_iter().zip(answers).collect();
        score(&weights, &order)
    }

    fn right() -> [Option<Answer>; 5] {
        [
            Some(answer(&["a"], false)),
            Some(answer(&["a"], true)),
            Some(answer(&["b"], false)),
            Some(answer(&["b"], true)),
            Some(answer(&[], false)),
        ]
    }

    fn with(change: impl FnOnce(&mut [Option<Answer>; 5])) -> f64 {
        let mut answers = right();
        change(&mut answers);
        order(answers)
    }

    fn near(value: f64, wanted: f64) {
        assert!((value - wanted).abs() < 1e-12, "{value} is not {wanted}");
    }

    #[test]
    fn all_right_is_exactly_one() {
        assert_eq!(order(right()), 1.0);
    }

    #[test]
    fn a_person_in_a_browser_without_a_window_is_no_person() {
        assert_eq!(with(|a| a[4] = Some(answer(&[], true))), 0.0);
        assert_eq!(with(|a| a[4] = Some(answer(&["other"], false))), 0.0);
        // Not to say is not to accuse.
        let silent = Answer {
            detected: Vec::new(),
            headless: None,
        };
        assert_eq!(with(|a| a[4] = Some(silent)), 1.0);
    }

    #[test]
    fn a_session_without_an_answer_costs_its_point_alone() {
        near(with(|a| a[0] = None), 0.9 * (0.5 * 2.0 + 1.0) / 3.0 + 0.1);
        assert_eq!(with(|a| a[4] = None), 1.0);
        assert_eq!(order([const { None }; 5]), 0.0);
    }

    #[test]
    fn an_answer_without_a_name_costs_the_mode_too() {
        let expected = 0.9 * (0.5 * 2.0 + 1.0) / 3.0 + 0.1 - 0.1 / 3.0;
        near(with(|a| a[0] = Some(answer(&[], false))), expected);
        // A wrong name does not, if the mode is right.
        near(
            with(|a| a[0] = Some(answer(&["b"], false))),
            expected + 0.1 / 3.0,
        );
    }

    #[test]
    fn one_name_twice_is_a_collision() {
        let expected = 0.9 * (1.1 / 2.0 * 2.0 + 1.0) / 3.0 + 0.1;
        near(with(|a| a[0] = Some(answer(&["a", "a"], false))), expected);
        near(with(|a| a[0] = Some(answer(&["x", "a"], false))), expected);
        // Without the right one it is worth nothing.
        near(
            with(|a| a[0] = Some(answer(&["x", "b"], false))),
            expected - 0.9 * 0.1 / 3.0,
        );
    }

    #[test]
    fn more_than_three_wrong_modes_cost_no_more_than_three() {
        let wrong = |n: usize| {
            with(|answers| {
                for answer in answers.iter_mut().take(n).flatten() {
                    answer.headless = answer.headless.map(|headless| !headless);
                }
            })
        };
        near(wrong(1), 0.9 + 0.1 - 0.1 / 3.0);
        near(wrong(3), 0.9);
        assert_eq!(wrong(3), wrong(4));
    }

    #[test]
    fn modes_are_worth_nothing_without_a_framework() {
        let blind = with(|answers| {
            for answer in answers.iter_mut().take(4).flatten() {
                answer.detected = vec!["x".to_owned()];
            }
        });
        assert_eq!(blind, 0.0);
        assert_eq!(score(&[], &[]), 0.0);
        let order = [(session("a", false), Some(answer(&["a"], false)))];
        assert_eq!(score(&[("a".to_owned(), 0.0)], &order), 0.0);
    }

    #[test]
    fn a_framework_in_no_session_still_has_its_weight() {
        let order = [(session("a", false), Some(answer(&["a"], false)))];
        let weights = [("a".to_owned(), 1.0), ("b".to_owned(), 3.0)];
        near(score(&weights, &order), 0.9 / 4.0 + 0.1);
    }

    #[test]
    fn a_session_of_an_unknown_framework_counts_for_its_mode_alone() {
        let weights = [("a".to_owned(), 1.0)];
        let order = [
            (session("a", false), Some(answer(&["a"], false))),
            (session("x", true), Some(answer(&["x"], false))),
        ];
        near(score(&weights, &order), 1.0 - 0.1 / 3.0);
    }
}
