//! What receipts name by digest, and what of it is given out.

use super::receipts::Public;
use super::{CollectError, Options, Sources, content, withheld};
use crate::receipts::bundle::{Why, Withheld};
use crate::receipts::documents::{CompareInput, Document, Environment, JudgeInput};
use crate::receipts::transcript::Transcript;
use crate::receipts::{Kind, Receipt};
use crate::store::Store;
use std::collections::{BTreeMap, BTreeSet};

/// Digests that are asked for together.
const BATCH: usize = 2_000;

/// Where the content of a digest is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Blob,
    Component,
    Artifact,
}

/// What is done with a digest: the first that holds, if receipts name it in more ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// Never given out.
    Environment,
    /// What is verified by it is in the bundle.
    Document,
    Component,
    Artifact,
    /// Only a receipt that is not verified names it.
    Elsewhere,
}

/// All digests that receipts of a bundle name.
#[derive(Debug, Default)]
pub(super) struct Digests {
    roles: BTreeMap<String, Role>,
    /// Receipts that are in the bundle or are to be linked.
    ids: BTreeSet<String>,
    depends_on: BTreeSet<String>,
}

impl Digests {
    /// Notes what a leaf names, and what documents of it name in turn.
    pub(super) async fn leaf(&mut self, store: &Store, leaf: &Public) -> Result<(), CollectError> {
        let receipt = &leaf.receipt;
        self.ids.insert(leaf.id.clone());
        self.depends_on.extend(receipt.depends_on.iter().cloned());
        self.whole(receipt);
        if let Some(transcript) = &receipt.transcript
            && let Some(transcript) = document::<Transcript>(store, transcript).await?
        {
            for digest in transcript.digests() {
                self.note(digest, Role::Document);
            }
        }
        match receipt.kind {
            Kind::Compare => {
                let input = document::<CompareInput>(store, &receipt.input).await?;
                let evaluated = input
                    .iter()
                    .flat_map(|input| std::iter::once(&input.candidate).chain(&input.references));
                for evaluated in evaluated {
                    self.note(&evaluated.result, Role::Document);
                }
            }
            Kind::Judge => {
                let input = document::<JudgeInput>(store, &receipt.input).await?;
                if let Some(input) = input {
                    self.note(&input.result, Role::Document);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The receipts that leaves depend on and that are none themselves.
    pub(super) fn take_linked(&mut self) -> BTreeSet<String> {
        let depends_on = std::mem::take(&mut self.depends_on);
        depends_on.difference(&self.ids).cloned().collect()
    }

    /// Notes what a receipt names that leaves depend on: all of a submission's run, which is
    /// done again; of another day's only what went in and came out, which is compared with.
    pub(super) fn linked(&mut self, linked: &Public) {
        let receipt = &linked.receipt;
        match receipt.kind {
            Kind::Solve => self.whole(receipt),
            _ => {
                for digest in [&receipt.input, &receipt.output] {
                    self.note(digest, Role::Document);
                }
                for digest in documents(receipt).chain(&receipt.component) {
                    self.note(digest, Role::Elsewhere);
                }
                self.environment(receipt);
            }
        }
    }

    fn whole(&mut self, receipt: &Receipt) {
        for digest in documents(receipt) {
            self.note(digest, Role::Document);
        }
        let role = match receipt.kind {
            Kind::Solve => Role::Artifact,
            _ => Role::Component,
        };
        if let Some(component) = &receipt.component {
            self.note(component, role);
        }
        self.environment(receipt);
    }

    fn environment(&mut self, receipt: &Receipt) {
        if let Some(environment) = &receipt.environment {
            self.note(environment, Role::Environment);
        }
    }

    fn note(&mut self, digest: &str, role: Role) {
        match self.roles.get_mut(digest) {
            Some(noted) => *noted = role.min(*noted),
            None => {
                self.roles.insert(digest.to_owned(), role);
            }
        }
    }

    /// What is given out, and what is not, each by digest.
    pub(super) async fn sort(
        mut self,
        sources: &Sources,
        options: Options,
    ) -> Result<(Vec<(String, Source)>, Vec<Withheld>), CollectError> {
        // Everybody knows what is in it.
        let nothing = Environment::new([]).text();
        let nothing = nothing.map_err(|e| CollectError::Corrupt(e.to_string()))?;
        self.roles.remove(&crate::canonical::digest(nothing));
        let digests: Vec<String> = self.roles.keys().cloned().collect();
        let (mut given, mut kept_back) = (Vec::new(), Vec::new());
        for batch in digests.chunks(BATCH) {
            let private = sources.store.is_private(batch.to_vec()).await?;
            let kept = sources.store.known_blobs(batch.to_vec(), 0.0).await?;
            for digest in batch {
                let Some(role) = self.roles.get(digest) else {
                    continue;
                };
                let is_there = |source: Source| match source {
                    Source::Blob => kept.contains(digest),
                    Source::Component => sources.components.contains(digest),
                    Source::Artifact => sources.artifacts.contains(digest),
                };
                let found = match (role, private.contains(digest)) {
                    (Role::Environment, _) => Err(Why::Environment),
                    (_, true) => Err(Why::Private),
                    (Role::Elsewhere, _) => Err(Why::NotIncluded),
                    (Role::Component, _) if !options.components => Err(Why::NotIncluded),
                    (Role::Artifact, _) if !options.artifacts => Err(Why::NotIncluded),
                    (Role::Component, _) => Ok(Source::Component),
                    (Role::Artifact, _) => Ok(Source::Artifact),
                    (Role::Document, _) => Ok(Source::Blob),
                };
                match found {
                    Ok(source) if is_there(source) => given.push((digest.clone(), source)),
                    Ok(_) => kept_back.push(withheld(digest.clone(), Why::Missing)),
                    Err(why) => kept_back.push(withheld(digest.clone(), why)),
                }
            }
        }
        Ok((given, kept_back))
    }
}

/// The documents that a receipt names, without its environment.
fn documents(receipt: &Receipt) -> impl Iterator<Item = &String> {
    let named = [&receipt.limits, &receipt.settings, &receipt.transcript];
    named
        .into_iter()
        .flatten()
        .chain([&receipt.input, &receipt.output])
}

/// A document, if it is kept and not private. What a private one names is as private as it.
async fn document<T: Document>(store: &Store, digest: &str) -> Result<Option<T>, CollectError> {
    let row = store.blob(digest.to_owned()).await?;
    let Some(row) = row.filter(|row| !row.private) else {
        return Ok(None);
    };
    let bytes = content(digest, &row.zstd, row.size)?;
    let wrong = |what: String| CollectError::Corrupt(format!("{digest}: {what}"));
    let text = String::from_utf8(bytes).map_err(|e| wrong(e.to_string()))?;
    T::parse(&text).map(Some).map_err(wrong)
}
