//! `proctor plugin pull`.

use super::super::author::{read, size};
use super::super::terminal::{GOOD, Step, styled};
use super::super::{print_json, runtime};
use super::oci::{RegistryArgs, explained};
use crate::registry::oci::{OciClient, Pulled};
use crate::registry::reference::OciReference;
use crate::registry::signature::{Evidence, TrustedKey};
use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(in crate::cli) struct Pull {
    /// What to get, as in `ghcr.io/org/name:1.0.0` or `ghcr.io/org/name@sha256:…`.
    reference: OciReference,
    /// The file to write. Default: the last part of the repository, with `.wasm`.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write over a file that holds something else.
    #[arg(long)]
    overwrite: bool,
    /// Only take it if it is signed with this key: a file with a public key, or the SS58
    /// address of a hotkey. Of several any one will do. The signature is written beside
    /// the component, with `.sig` after its name.
    #[arg(long, value_name = "KEY")]
    signed_by: Vec<String>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Pull {
    pub(in crate::cli) fn run(self) -> anyhow::Result<ExitCode> {
        let (_, client) = self.registry.open(Vec::new())?;
        let keys = self.keys()?;
        let output = self.output();
        let (pulled, signature) = runtime()?.block_on(self.pull(&client, &keys))?;
        write(&output, &pulled.bytes, self.overwrite)?;
        let mut signature_file = None;
        if let Some((_, evidence)) = &signature {
            let mut path = output.clone().into_os_string();
            path.push(".sig");
            let path = PathBuf::from(path);
            write(&path, evidence.text().as_bytes(), true)?;
            signature_file = Some(path);
        }
        let pinned = OciReference {
            tag: None,
            ..self.reference.pinned(&pulled.manifest_digest)
        };
        if self.json {
            print_json(&json!({
                "file": output,
                "reference": pinned.to_string(),
                "manifest_digest": pulled.manifest_digest,
                "component_digest": pulled.layer_digest,
                "bytes": pulled.bytes.len(),
                "signed_by": signature.map(|(key, _)| key.text()),
                "signature": signature_file,
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        anstream::eprintln!(
            "{} {} ({}, {})",
            styled(GOOD, "wrote"),
            output.display(),
            size(pulled.bytes.len() as u64),
            pulled.layer_digest,
        );
        if let (Some((key, _)), Some(path)) = (signature, signature_file) {
            anstream::eprintln!(
                "{} by {key}, see {}",
                styled(GOOD, "signed"),
                path.display()
            );
        }
        println!("{pinned}");
        Ok(ExitCode::SUCCESS)
    }

    fn output(&self) -> PathBuf {
        self.output.clone().unwrap_or_else(|| {
            let repository = &self.reference.repository;
            let name = repository.rsplit('/').next().unwrap_or(repository);
            PathBuf::from(format!("{name}.wasm"))
        })
    }

    fn keys(&self) -> anyhow::Result<Vec<TrustedKey>> {
        let keys = self.signed_by.iter().map(|key| {
            let path = Path::new(key);
            let text = match path.exists() {
                true => std::fs::read_to_string(path).with_context(|| key.clone())?,
                false => key.clone(),
            };
            let parsed: Result<TrustedKey, _> = text.parse();
            parsed.with_context(|| key.clone())
        });
        keys.collect()
    }

    async fn pull(
        &self,
        client: &OciClient,
        keys: &[TrustedKey],
    ) -> anyhow::Result<(Pulled, Option<(TrustedKey, Evidence)>)> {
        let _step = Step::begin(format!("getting {}", self.reference));
        let pulled = client.pull(&self.reference).await.map_err(explained)?;
        if keys.is_empty() {
            return Ok((pulled, None));
        }
        let found = client.signatures(&self.reference, &pulled.manifest_digest);
        let found = found.await.map_err(explained)?;
        let digest = pulled.layer_digest.trim_start_matches("sha256:");
        for evidence in &found {
            if let Some(key) = keys.iter().find(|key| evidence.shows(key, digest)) {
                return Ok((pulled, Some((key.clone(), evidence.clone()))));
            }
        }
        let keys: Vec<String> = keys.iter().map(TrustedKey::to_string).collect();
        let keys = keys.join(" or ");
        match found.is_empty() {
            true => bail!("nothing was written: {} is not signed", self.reference),
            false => bail!(
                "nothing was written: {} is signed, but not by {keys}",
                self.reference
            ),
        }
    }
}

/// Writes a file as a whole.
fn write(path: &Path, bytes: &[u8], overwrite: bool) -> anyhow::Result<()> {
    if !overwrite && path.exists() && read(path)? != bytes {
        let path = path.display();
        bail!("{path} holds something else: take another --output, or --overwrite");
    }
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let write = || {
        let mut file = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(directory)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        std::io::Result::Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
