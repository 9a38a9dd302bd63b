//! `proctor organic entries` and `retry`.

use super::show;
use super::{ask, slug};
use crate::cli::admin::{Api, Connection};
use crate::store::EntryState;
use clap::Args;
use clap::builder::PossibleValuesParser;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(in crate::cli) struct Entries {
    /// The challenge.
    #[arg(value_parser = slug)]
    challenge: String,
    /// Only those in this state. Failed ones are kept for inspection.
    #[arg(
        long,
        value_name = "STATE",
        value_parser = PossibleValuesParser::new(EntryState::ALL.map(EntryState::name))
    )]
    state: Option<String>,
    /// How many, 1 to 100.
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u32,
    /// Where to go on, as the last list told it.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Retry {
    /// The challenge.
    #[arg(value_parser = slug)]
    challenge: String,
    /// The entry, as `proctor organic entries` lists it.
    id: String,
    #[command(flatten)]
    connection: Connection,
}

impl Entries {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let limit = self.limit.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(self.state.as_deref().map(|state| ("state", state)));
        query.extend(self.cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let parts = ["organic", self.challenge.as_str(), "entries"];
        let question = async |api: &Api| Ok(api.get(&parts, &query).await?.body);
        ask(&self.connection, question, show::entries)
    }
}

impl Retry {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let parts = ["organic", &self.challenge, "entries", &self.id, "retry"];
        let question = async |api: &Api| Ok(api.post(&parts, &[], None).await?.body);
        ask(&self.connection, question, show::entry)
    }
}
