//! What a caller is told of an entry that is not taken.

use crate::api::problem::Problem;
use crate::organic::SubmitError;
use crate::sandbox::Outcome;
use axum::http::{HeaderValue, StatusCode, header};

/// Seconds after which a caller with too many entries may try again.
const RETRY: HeaderValue = HeaderValue::from_static("5");

pub(in crate::api) fn no_organic(challenge: &str) -> Problem {
    let detail = format!("the challenge {challenge:?} takes no organic entries");
    Problem::missing("no_organic", detail)
}

/// What a refusal is over HTTP. What a challenge that failed says is for the operator.
pub(super) fn problem(challenge: &str, error: SubmitError) -> Problem {
    let (code, detail) = (error.code(), error.to_string());
    let refused = |status| Problem::new(status, code, detail.clone());
    match error {
        SubmitError::UnknownChallenge => Problem::unknown_challenge(challenge),
        SubmitError::NotOrganic => no_organic(challenge),
        SubmitError::NotRegistered | SubmitError::NotValidator | SubmitError::Blacklisted(_) => {
            refused(StatusCode::FORBIDDEN)
        }
        SubmitError::Unverified(_) => refused(StatusCode::UNAUTHORIZED),
        SubmitError::Invalid(_) => refused(StatusCode::UNPROCESSABLE_ENTITY),
        SubmitError::TooMany { .. } => {
            refused(StatusCode::TOO_MANY_REQUESTS).with_header(header::RETRY_AFTER, RETRY)
        }
        SubmitError::Unavailable(_) => failed(Outcome::Unavailable),
        SubmitError::Plugin(error) => failed(error.outcome),
        SubmitError::Store(error) => error.into(),
    }
}

/// As of a challenge's routes.
fn failed(outcome: Outcome) -> Problem {
    let (status, detail) = match outcome {
        Outcome::Unavailable => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the challenge cannot look at it now",
        ),
        Outcome::Timeout => (
            StatusCode::GATEWAY_TIMEOUT,
            "the challenge did not look at it in time",
        ),
        _ => (
            StatusCode::BAD_GATEWAY,
            "the challenge failed on this entry",
        ),
    };
    Problem::new(status, outcome.code(), detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::PluginError;
    use crate::store::StoreError;

    fn told(error: SubmitError) -> (u16, &'static str) {
        let problem = problem("c", error);
        (problem.status.as_u16(), problem.code)
    }

    #[test]
    fn each_refusal_has_its_status_and_code() {
        let why = || "why".to_owned();
        for (error, expected) in [
            (SubmitError::UnknownChallenge, (404, "unknown_challenge")),
            (SubmitError::NotOrganic, (404, "no_organic")),
            (SubmitError::NotRegistered, (403, "not_registered")),
            (SubmitError::NotValidator, (403, "not_validator")),
            (SubmitError::Blacklisted(why()), (403, "blacklisted")),
            (SubmitError::Unverified(why()), (401, "unverified")),
            (SubmitError::Invalid(why()), (422, "invalid")),
            (
                SubmitError::TooMany { queued: 1 },
                (429, "too_many_entries"),
            ),
            (SubmitError::Unavailable(why()), (503, "unavailable")),
            (
                SubmitError::Store(StoreError::Corrupt(why())),
                (503, "unavailable"),
            ),
        ] {
            assert_eq!(told(error), expected);
        }
    }

    #[test]
    fn a_challenge_that_fails_is_told_by_its_code_and_not_in_its_words() {
        for outcome in Outcome::ALL {
            let error = PluginError::new(outcome, "the guest's secret");
            let problem = problem("c", SubmitError::Plugin(error));
            let expected = match outcome {
                Outcome::Unavailable => (503, "unavailable"),
                Outcome::Timeout => (504, "timeout"),
                outcome => (502, outcome.code()),
            };
            assert_eq!((problem.status.as_u16(), problem.code), expected);
            assert!(!problem.detail.contains("secret"));
        }
        let error = SubmitError::Unavailable("the guest's secret".into());
        assert!(!problem("c", error).detail.contains("secret"));
    }

    #[test]
    fn a_refusal_of_the_challenge_is_told_in_its_words() {
        let told = |error| problem("c", error).detail;
        let why = || "no prompt".to_owned();
        assert_eq!(told(SubmitError::Invalid(why())), "no prompt");
        assert_eq!(told(SubmitError::Unverified(why())), "no prompt");
        assert_eq!(told(SubmitError::Blacklisted(why())), "no prompt");
    }
}
