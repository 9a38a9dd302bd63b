//! `proctor plugin push`.

use super::super::author::{read_component, size};
use super::super::terminal::{GOOD, Step, styled};
use super::super::{print_json, runtime};
use super::oci::{RegistryArgs, SignerArgs, explained};
use crate::registry::oci::{OciClient, PushStep, Pushed};
use crate::registry::reference::OciReference;
use crate::registry::signature::SigningKey;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(in crate::cli) struct Push {
    /// The component, of a challenge or of a solver.
    file: PathBuf,
    /// Where to, as in `ghcr.io/org/name:1.0.0`. Without a tag it is `latest`.
    reference: OciReference,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    signer: SignerArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Push {
    pub(in crate::cli) fn run(self) -> anyhow::Result<ExitCode> {
        let (config, client) = self.registry.open(self.signer.settings())?;
        let component = read_component(&self.file)?;
        let bytes = component.len();
        let key = match self.signer.is_given() {
            true => Some(self.signer.open(&config)?),
            false => None,
        };
        let signer = key.as_ref().map(SigningKey::trusted).transpose()?;
        let pushed = runtime()?.block_on(self.push(&client, component, key.as_ref()))?;
        if self.json {
            print_json(&json!({
                "reference": pushed.reference().to_string(),
                "kind": if pushed.is_challenge { "challenge" } else { "solver" },
                "tag": pushed.tag,
                "manifest_digest": pushed.manifest_digest,
                "component_digest": pushed.layer_digest,
                "bytes": bytes,
                "sent": pushed.sent,
                "signed_by": signer.map(|signer| signer.text()),
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let there = if pushed.sent {
            ""
        } else {
            ", which the registry had"
        };
        anstream::eprintln!(
            "{} {} ({}{there}) to {}, tag {}",
            styled(GOOD, "pushed"),
            self.file.display(),
            size(bytes as u64),
            self.reference.registry,
            pushed.tag,
        );
        if let Some(signer) = signer {
            anstream::eprintln!("{} by {signer}", styled(GOOD, "signed"));
        }
        let use_it = match pushed.is_challenge {
            true => "The artifact of a challenge's record:",
            false => "What a commit names, after the challenge's name and `---`:",
        };
        anstream::eprintln!("{use_it}");
        // Alone on standard output, to be pasted or piped.
        println!("{}", pushed.reference());
        Ok(ExitCode::SUCCESS)
    }

    async fn push(
        &self,
        client: &OciClient,
        component: Vec<u8>,
        key: Option<&SigningKey>,
    ) -> anyhow::Result<Pushed> {
        let what = format!("{} ({})", self.file.display(), size(component.len() as u64));
        let mut current = None;
        let mut begin = |step: PushStep| {
            // The last one ends before the next one begins.
            current = None;
            current = Some(Step::begin(match step {
                PushStep::Component => format!("sending {what} to {}", self.reference.registry),
                PushStep::Manifest => "sending its manifest".to_owned(),
            }));
        };
        let pushed = client
            .push(&self.reference, component.into(), &mut begin)
            .await;
        drop(current);
        let pushed = pushed.map_err(explained)?;
        if let Some(key) = key {
            let _step = Step::begin("signing");
            client
                .sign(&self.reference, &pushed.manifest_digest, key)
                .await
                .map_err(explained)?;
        }
        Ok(pushed)
    }
}
