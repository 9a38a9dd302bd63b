//! Tokens and secrets of challenges.

use super::error::RegistryError;
use super::record::Record;
use super::service::{Edit, Registry};
use super::{FieldProblem, tokens};
use crate::config::{MAX_VARIABLE, is_variable_name};
use crate::plugins::Rejection;
use crate::store::{StoreError, TokenRow};
use std::collections::BTreeMap;

impl Registry {
    /// Makes a token, and ends those before after `overlap_s` seconds. The clear
    /// token is told this once; none of a dry run.
    ///
    /// # Errors
    ///
    /// See [`RegistryError`].
    pub async fn rotate_token(
        &self,
        slug: &str,
        overlap_s: f64,
        edit: Edit,
    ) -> Result<Option<String>, RegistryError> {
        let record = self.current(slug, &edit).await?;
        if edit.dry_run {
            return Ok(None);
        }
        let token = tokens::generate()?;
        let hash = tokens::hash(&self.0.seal, &record.slug, &token);
        let hint = tokens::hint(&token);
        let changes = serde_json::json!({"token": [null, hint], "overlap_s": [null, overlap_s]});
        let change = edit.change("rotate_token", changes);
        let old_end = edit.now + overlap_s;
        let store = &self.0.store;
        let rotated = store.rotate_token(record.slug, hash, hint, old_end, change);
        if !rotated.await? {
            return Err(RegistryError::NotFound(slug.to_owned()));
        }
        Ok(Some(token))
    }

    /// The tokens of a challenge that have not ended, the oldest first.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn tokens(&self, slug: &str, now: f64) -> Result<Vec<TokenRow>, StoreError> {
        self.0.store.tokens(slug.to_owned(), now).await
    }

    /// Ends a token at once.
    ///
    /// # Errors
    ///
    /// See [`RegistryError`].
    pub async fn revoke_token(&self, slug: &str, id: i64, edit: Edit) -> Result<(), RegistryError> {
        self.current(slug, &edit).await?;
        if edit.dry_run {
            let known = self.0.store.tokens(slug.to_owned(), edit.now).await?;
            return match known.iter().any(|token| token.id == id) {
                true => Ok(()),
                false => Err(unknown_token(id)),
            };
        }
        let change = edit.change("revoke_token", serde_json::json!({"token": [id, null]}));
        if self
            .0
            .store
            .revoke_token(slug.to_owned(), id, change)
            .await?
        {
            return Ok(());
        }
        Err(unknown_token(id))
    }

    /// Whether a token is one of a challenge's.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn is_token(&self, slug: &str, token: &str, now: f64) -> Result<bool, StoreError> {
        let known = self.0.store.tokens(slug.to_owned(), now).await?;
        let hashes = known.iter().map(|token| token.hash.as_slice());
        Ok(tokens::is_one_of(&self.0.seal, slug, token, hashes))
    }

    /// Sets the value of a secret that the record names, or removes it with none.
    ///
    /// # Errors
    ///
    /// See [`RegistryError`].
    pub async fn put_secret(
        &self,
        slug: &str,
        name: &str,
        value: Option<&str>,
        edit: Edit,
    ) -> Result<(), RegistryError> {
        let record = self.current(slug, &edit).await?;
        let unknown = || RegistryError::Unknown {
            what: "secret",
            name: name.to_owned(),
        };
        let is_named = record.spec.given.secrets.contains(name);
        if !is_variable_name(name) || !is_named && value.is_some() {
            return Err(unknown());
        }
        let sealed = match value {
            Some(value) if value.contains('\0') || value.len() > MAX_VARIABLE => {
                let message = format!("must be at most {MAX_VARIABLE} bytes, without NUL");
                return Err(RegistryError::Invalid(vec![FieldProblem::new(
                    "value", message,
                )]));
            }
            Some(value) => Some(
                self.0
                    .seal
                    .seal(&secret_place(slug, name), value.as_bytes())?,
            ),
            None => None,
        };
        if edit.dry_run {
            return Ok(());
        }
        let action = if sealed.is_some() {
            "set_secret"
        } else {
            "remove_secret"
        };
        let change = edit.change(action, serde_json::json!({ "secret": [null, name] }));
        let changed = self
            .0
            .store
            .put_secret(slug.to_owned(), name.to_owned(), sealed, change)
            .await?;
        changed.ok_or_else(unknown)?;
        self.reconcile(slug, false).await;
        self.report().await?;
        Ok(())
    }

    /// The secrets of a challenge that have a value, and since when.
    ///
    /// # Errors
    ///
    /// See [`StoreError`].
    pub async fn secrets_set(&self, slug: &str) -> Result<BTreeMap<String, f64>, StoreError> {
        let secrets = self.0.store.secrets(slug.to_owned()).await?;
        Ok(secrets
            .into_iter()
            .map(|(name, _, at)| (name, at))
            .collect())
    }

    /// The secrets of a challenge in clear, those that its record names.
    pub(super) async fn clear_secrets(
        &self,
        record: &Record,
    ) -> Result<Vec<(String, String)>, Rejection> {
        let missing = |name: &str, why: &str| {
            Rejection::new("missing_secret", format!("the secret {name} {why}"))
        };
        let stored = self.0.store.secrets(record.slug.clone()).await;
        let stored = stored.map_err(|e| Rejection::new("unavailable", e.to_string()))?;
        let stored: BTreeMap<String, Vec<u8>> = stored
            .into_iter()
            .map(|(name, sealed, _)| (name, sealed))
            .collect();
        let mut clear = Vec::new();
        for name in &record.spec.given.secrets {
            let sealed = stored
                .get(name)
                .ok_or_else(|| missing(name, "has no value"))?;
            let place = secret_place(&record.slug, name);
            let value = self.0.seal.unseal(&place, sealed);
            let value = value.and_then(|value| String::from_utf8(value).ok());
            let value = value.ok_or_else(|| missing(name, "was sealed with another key"))?;
            clear.push((name.clone(), value));
        }
        Ok(clear)
    }
}

fn secret_place(slug: &str, name: &str) -> String {
    format!("secret/{slug}/{name}")
}

fn unknown_token(id: i64) -> RegistryError {
    RegistryError::Unknown {
        what: "token",
        name: id.to_string(),
    }
}
