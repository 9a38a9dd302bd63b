//! With what an archive is reached.

use std::env;
use std::fmt;

/// With what an archive is reached. Shows no value when printed.
#[derive(Clone, Default)]
pub struct ArchiveAccess {
    /// The variables of S3, by name: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
    /// `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL` and what else
    /// [`AmazonS3Builder`](object_store::aws::AmazonS3Builder::from_env) knows.
    /// Without keys the role of the machine is asked for. Timeouts are not taken
    /// from there.
    pub aws: Vec<(String, String)>,
    /// The token of Hugging Face, `HF_TOKEN`. It must be allowed to write.
    pub hf_token: Option<String>,
    /// Where the hub is, `HF_ENDPOINT`. Default: `https://huggingface.co`.
    pub hf_endpoint: Option<String>,
}

impl ArchiveAccess {
    /// What the environment gives. A variable that is empty or not UTF-8 is not there.
    pub fn from_env() -> Self {
        let given = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let aws = env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, value)| name.starts_with("AWS_") && !value.is_empty());
        Self {
            aws: aws.collect(),
            hf_token: given("HF_TOKEN"),
            hf_endpoint: given("HF_ENDPOINT"),
        }
    }

    pub(super) fn secrets(&self) -> Secrets {
        let secret = |name: &str| ["SECRET", "TOKEN", "KEY"].iter().any(|w| name.contains(w));
        let aws = self.aws.iter().filter(|(name, _)| secret(name));
        let values = aws.map(|(_, value)| value).chain(&self.hf_token);
        // What is shorter than a secret is would be found everywhere.
        let values = values.map(|value| value.trim()).filter(|v| v.len() >= 8);
        let mut values: Vec<String> = values.map(str::to_owned).collect();
        // One may be a part of another, of which nothing may be left.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Secrets(values)
    }
}

impl fmt::Debug for ArchiveAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.aws.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("ArchiveAccess")
            .field("aws", &names)
            .field("hf_token", &self.hf_token.as_ref().map(|_| "…"))
            .finish_non_exhaustive()
    }
}

/// What must not be shown, wherever it comes from: services repeat in their answers
/// what they were sent.
#[derive(Clone)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// How `text` begins, without secrets and on one line.
    pub(super) fn excerpt(&self, text: &str) -> String {
        const CHARACTERS: usize = 300;
        let mut text = text.to_owned();
        for secret in &self.0 {
            text = text.replace(secret, "…");
        }
        let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        line.take(CHARACTERS).collect()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_printed() {
        let access = ArchiveAccess {
            aws: vec![("AWS_SECRET_ACCESS_KEY".into(), "wJalrXUtnFEMI".into())],
            hf_token: Some("hf_abcdefgh".into()),
            hf_endpoint: Some("https://user:password@hub".into()),
        };
        let shown = format!("{access:?} {:?}", access.secrets());
        for secret in ["wJalr", "hf_abc", "password"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn an_excerpt_is_one_short_line_without_secrets() {
        let access = ArchiveAccess {
            aws: vec![
                ("AWS_ACCESS_KEY_ID".into(), "session-".into()),
                ("AWS_SESSION_TOKEN".into(), "session-token".into()),
                ("AWS_REGION".into(), "eu-central-1".into()),
            ],
            hf_token: Some("hf_abcdefgh\n".into()),
            hf_endpoint: None,
        };
        let secrets = access.secrets();
        assert_eq!(
            secrets.excerpt("bad hf_abcdefgh\nsession-token in eu-central-1"),
            "bad … … in eu-central-1"
        );
        assert_eq!(secrets.excerpt(&"é".repeat(1_000)).chars().count(), 300);
    }
}
