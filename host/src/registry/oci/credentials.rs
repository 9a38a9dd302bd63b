//! Logins from Docker's configuration file.

use super::OciError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fmt, fs, io};

/// Where the file is; it may be missing.
#[derive(Debug, Clone, Default)]
pub(super) struct DockerConfig(Option<PathBuf>);

/// A login.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
struct Entry {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    identitytoken: String,
}

impl DockerConfig {
    /// `config.json` in `DOCKER_CONFIG`, or else in `~/.docker`.
    pub(super) fn of_environment() -> Self {
        let named = env::var_os("DOCKER_CONFIG").map(PathBuf::from);
        let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".docker"));
        let directory = named
            .filter(|path| !path.as_os_str().is_empty())
            .or_else(home);
        DockerConfig(directory.map(|directory| directory.join("config.json")))
    }

    pub(super) fn at(path: PathBuf) -> Self {
        DockerConfig(Some(path))
    }

    /// The login for a registry, if there is one.
    ///
    /// # Errors
    ///
    /// [`OciError::Credentials`]: the file cannot be read, or the login is somewhere
    /// that is not asked.
    pub(super) fn login(&self, registry: &str) -> Result<Option<Login>, OciError> {
        let Some(path) = &self.0 else {
            return Ok(None);
        };
        let problem = |reason: String| OciError::Credentials {
            path: path.clone(),
            reason,
        };
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(problem(error.to_string())),
        };
        // What is wrong with it is told without what is in it.
        let file: File = serde_json::from_slice(&text)
            .map_err(|error| problem(format!("not understood at line {}", error.line())))?;
        file.login(registry).map_err(problem)
    }
}

impl File {
    fn login(self, registry: &str) -> Result<Option<Login>, String> {
        let wanted = host(registry);
        let helper = self
            .cred_helpers
            .iter()
            .find(|(key, _)| host(key) == wanted);
        let entry = self.auths.into_iter().find(|(key, _)| host(key) == wanted);
        let (_, entry) = match (entry, helper) {
            (_, Some((_, helper))) => return Err(asks_helper(registry, helper)),
            (None, None) => return Ok(None),
            (Some(entry), None) => entry,
        };
        if !entry.username.is_empty() {
            return Ok(Some(Login {
                user: entry.username,
                password: entry.password,
            }));
        }
        if !entry.auth.is_empty() {
            let login = STANDARD.decode(entry.auth.trim()).ok();
            let login = login.and_then(|login| String::from_utf8(login).ok());
            let login = login.as_deref().and_then(|login| login.split_once(':'));
            let Some((user, password)) = login else {
                return Err(format!(
                    "auths of {registry}: auth is not user:password in base64"
                ));
            };
            return Ok(Some(Login {
                user: user.to_owned(),
                password: password.trim_end_matches('\0').to_owned(),
            }));
        }
        if !entry.identitytoken.is_empty() {
            return Err(format!(
                "auths of {registry}: an identity token is not supported, put in user:password"
            ));
        }
        // That is how a login looks that was given to a store.
        match self.creds_store {
            Some(store) => Err(asks_helper(registry, &store)),
            None => Ok(None),
        }
    }
}

fn asks_helper(registry: &str, helper: &str) -> String {
    format!(
        "the login of {registry} is with the helper {helper:?}, which is not asked: put it into \
         auths as user:password in base64"
    )
}

/// The host of a key, in lower case. Docker Hub has several names.
fn host(key: &str) -> String {
    let key = key
        .trim_start_matches("https://")
        .trim_start_matches("http://");
    let host = key
        .split('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    match host.as_str() {
        "index.docker.io" | "registry-1.docker.io" => "docker.io".into(),
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn login(file: &Value, registry: &str) -> Result<Option<Login>, OciError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        fs::write(&path, file.to_string()).unwrap();
        DockerConfig::at(path).login(registry)
    }

    fn user(file: &Value, registry: &str) -> Option<String> {
        let login = login(file, registry).unwrap()?;
        Some(format!("{}:{}", login.user, login.password))
    }

    #[test]
    fn a_login_is_found_under_each_name_of_its_registry() {
        let auth = json!({"auth": STANDARD.encode("ann:pass:word")});
        let file = json!({"auths": {
            "https://index.docker.io/v1/": auth,
            "ghcr.io": {"username": "bob", "password": "p"},
            "localhost:5000": {},
        }});
        assert_eq!(user(&file, "docker.io").unwrap(), "ann:pass:word");
        assert_eq!(user(&file, "GHCR.io").unwrap(), "bob:p");
        for nobody in ["quay.io", "localhost:5000", "localhost"] {
            assert_eq!(user(&file, nobody), None);
        }
        assert_eq!(user(&json!({}), "ghcr.io"), None);
    }

    #[test]
    fn a_login_that_cannot_be_had_is_no_login_as_nobody() {
        let helper = json!({"credHelpers": {"ghcr.io": "gcloud"}});
        let store = json!({"credsStore": "desktop", "auths": {"ghcr.io": {}}});
        let token = json!({"auths": {"ghcr.io": {"identitytoken": "secret"}}});
        let bad = json!({"auths": {"ghcr.io": {"auth": "c2VjcmV0"}}});
        let odd = json!({"auths": ["secret"]});
        for file in [helper, store, token, bad, odd] {
            let error = login(&file, "ghcr.io").unwrap_err();
            assert_eq!(error.code(), "registry_credentials");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let elsewhere = json!({"credsStore": "desktop", "auths": {"quay.io": {}}});
        assert_eq!(user(&elsewhere, "ghcr.io"), None);
    }

    #[test]
    fn without_a_file_there_is_no_login() {
        let path = PathBuf::from("/nonexistent/config.json");
        assert_eq!(DockerConfig::at(path).login("ghcr.io").unwrap(), None);
        let login = Login {
            user: "ann".into(),
            password: "word".into(),
        };
        assert!(!format!("{login:?}").contains("word"));
    }
}
