//! `proctor plugin sign`.

use super::super::author::read_component;
use super::super::terminal::{GOOD, styled};
use super::super::{ConfigArgs, print_json};
use super::oci::SignerArgs;
use crate::registry::signature::TrustedKey;
use crate::sandbox::sha256_hex;
use anyhow::Context;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(in crate::cli) struct Sign {
    /// The component.
    file: PathBuf,
    /// The file to write. Default: the component's, with `.sig` after its name, which is
    /// where a host looks for it.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    signer: SignerArgs,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Sign {
    pub(in crate::cli) fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config.load_with(self.signer.settings())?;
        let key = self.signer.open(&config)?;
        let component = read_component(&self.file)?;
        let evidence = key.sign_component(&component)?;
        let signer = key.trusted()?;
        let output = self.output.unwrap_or_else(|| {
            let mut name = self.file.into_os_string();
            name.push(".sig");
            name.into()
        });
        std::fs::write(&output, evidence.text())
            .with_context(|| format!("cannot write {}", output.display()))?;
        let digest = format!("sha256:{}", sha256_hex(&component));
        if self.json {
            print_json(&json!({
                "signature": output,
                "component_digest": digest,
                "signed_by": signer.text(),
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        anstream::println!(
            "{} {}: {digest} is signed by {signer}",
            styled(GOOD, "wrote"),
            output.display(),
        );
        if let TrustedKey::Ecdsa(_) = signer {
            println!(
                "A host that trusts this key has it in `signed_by`:\n{}",
                signer.text()
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}
