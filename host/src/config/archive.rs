//! Where public views of finalized commits go.

use super::ConfigError;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use utoipa::ToSchema;

/// Section `archive`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Archive {
    /// `file:///a/directory`, `s3://bucket/prefix` (credentials, region and
    /// endpoint from the usual `AWS_*` variables) or `hf://datasets/owner/name`
    /// (a Hugging Face dataset repository; token from `HF_TOKEN`). Default: none.
    pub url: Option<String>,
}

/// Where the archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveTarget {
    /// A directory.
    Directory(PathBuf),
    /// An S3-compatible bucket.
    S3 {
        /// The bucket.
        bucket: String,
        /// What every path begins with; without slashes at its ends, may be empty.
        prefix: String,
    },
    /// A Hugging Face dataset repository, `owner/name`.
    HuggingFace(String),
}

impl Archive {
    /// Where the archive is, if there is one.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the address is none of the known forms.
    pub fn target(&self) -> Result<Option<ArchiveTarget>, ConfigError> {
        let Some(url) = &self.url else {
            return Ok(None);
        };
        let target = if let Some(path) = url.strip_prefix("file://") {
            path.starts_with('/')
                .then(|| ArchiveTarget::Directory(path.into()))
        } else if let Some(rest) = url.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            (!bucket.is_empty()).then(|| ArchiveTarget::S3 {
                bucket: bucket.to_owned(),
                prefix: prefix.trim_matches('/').to_owned(),
            })
        } else if let Some(repository) = url.strip_prefix("hf://datasets/") {
            let mut parts = repository.split('/');
            let valid = |part: Option<&str>| {
                part.is_some_and(|part| {
                    !part.is_empty()
                        && !part.starts_with('.')
                        && part
                            .bytes()
                            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
                })
            };
            (valid(parts.next()) && valid(parts.next()) && parts.next().is_none())
                .then(|| ArchiveTarget::HuggingFace(repository.to_owned()))
        } else {
            None
        };
        let problem = "is none of file:///…, s3://bucket/…, hf://datasets/owner/name";
        target
            .map(Some)
            .ok_or_else(|| ConfigError::key("archive.url", format!("{url:?} {problem}")))
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.target().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<Option<ArchiveTarget>, ConfigError> {
        let url = Some(url.to_owned());
        Archive { url }.target()
    }

    #[test]
    fn an_archive_is_a_directory_a_bucket_or_a_dataset() {
        let s3 = |bucket: &str, prefix: &str| ArchiveTarget::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        };
        let known = [
            (
                "file:///srv/a b",
                ArchiveTarget::Directory("/srv/a b".into()),
            ),
            ("s3://views", s3("views", "")),
            ("s3://views/", s3("views", "")),
            ("s3://views/a/b/", s3("views", "a/b")),
            (
                "hf://datasets/owner/na.me-1_x",
                ArchiveTarget::HuggingFace("owner/na.me-1_x".to_owned()),
            ),
        ];
        for (url, expected) in known {
            assert_eq!(target(url).unwrap(), Some(expected), "{url}");
        }
        assert_eq!(Archive::default().target().unwrap(), None);
    }

    #[test]
    fn an_address_of_no_known_form_is_refused_by_its_key() {
        let unknown = [
            "",
            "/srv/archive",
            "file://srv/archive",
            "s3://",
            "s3:///prefix",
            "https://views.example",
            "hf://owner/name",
            "hf://datasets/owner",
            "hf://datasets/owner/",
            "hf://datasets/owner/name/more",
            "hf://datasets/owner/na me",
            "hf://datasets/owner/name?x",
        ];
        for url in unknown {
            let error = target(url).unwrap_err().to_string();
            assert!(error.contains("archive.url"), "{url}: {error}");
        }
    }
}
