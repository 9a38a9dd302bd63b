//! `proctor plugin inspect`.

use super::super::author::{load, load_solver, read, size};
use super::super::terminal::{BAD, FAINT, GOOD, WARNING, styled};
use super::super::{ConfigArgs, author, print_json, runtime};
use crate::authoring::inspect::Anatomy;
use crate::config::Config;
use crate::sandbox::contract::{Stamp, stamp};
use crate::sandbox::{
    Capability, ComponentKind, Description, Interfaces, Outcome, PluginComponent, PluginError,
    Sandbox, sha256_hex,
};
use anstream::{print, println};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(in crate::cli) struct Inspect {
    /// The component: a challenge, or a submission.
    file: PathBuf,
    /// Print the whole WIT of the component and nothing else; with --json, beside the
    /// rest.
    #[arg(long)]
    wit: bool,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Inspect {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let bytes = read(&self.file)?;
        if self.wit && !self.json {
            print!("{}", Anatomy::of(&bytes)?.wit);
            return Ok(ExitCode::SUCCESS);
        }
        let config = self.config.load()?;
        let sandbox = author::sandbox()?;
        let found = runtime()?.block_on(inspect(&sandbox, &config, &bytes));
        if self.json {
            print_json(&found.as_json(self.wit))?;
        } else {
            found.print();
        }
        Ok(match found.rejected {
            None => ExitCode::SUCCESS,
            Some(_) => ExitCode::FAILURE,
        })
    }
}

/// What there is to tell of a file.
struct Found {
    digest: String,
    size: u64,
    /// None if it is no component.
    component: Option<Component>,
    /// What the challenge tells of itself, if this host would load it.
    challenge: Option<(Vec<Capability>, Description)>,
    /// Why this host would not load it.
    rejected: Option<PluginError>,
}

struct Component {
    anatomy: Anatomy,
    interfaces: Interfaces,
    stamp: Option<Stamp>,
}

async fn inspect(sandbox: &Sandbox, config: &Config, bytes: &[u8]) -> Found {
    let mut found = Found {
        digest: sha256_hex(bytes),
        size: bytes.len() as u64,
        component: None,
        challenge: None,
        rejected: None,
    };
    let anatomy = match Anatomy::of(bytes) {
        Ok(anatomy) => anatomy,
        Err(error) => {
            found.rejected = Some(PluginError::new(Outcome::LinkError, error.to_string()));
            return found;
        }
    };
    let interfaces = Interfaces::of(bytes);
    let kind = interfaces.kind;
    found.component = Some(Component {
        anatomy,
        interfaces,
        stamp: stamp(bytes),
    });
    let (name, most) = match kind {
        ComponentKind::Challenge => ("plugins.max_bytes", config.plugins.max_bytes),
        ComponentKind::Solver => ("artifacts.max_bytes", config.artifacts.max_bytes),
    };
    if found.size > most {
        let problem = format!("more than {name} ({most})");
        found.rejected = Some(PluginError::new(Outcome::LinkError, problem));
        return found;
    }
    let loaded = match kind {
        ComponentKind::Challenge => load(sandbox, bytes).await.map(Some),
        ComponentKind::Solver => load_solver(sandbox, bytes).await.map(|()| None),
    };
    match loaded {
        Ok(challenge) => {
            let told = |(component, description): (PluginComponent, Description)| {
                (component.capabilities(), description)
            };
            found.challenge = challenge.map(told);
        }
        Err(error) => found.rejected = Some(error),
    }
    found
}

impl Found {
    fn as_json(&self, whole_wit: bool) -> Value {
        let description = self.challenge.as_ref().map(|(_, description)| description);
        let component = self.component.as_ref();
        let needs = component.map(|component| &component.interfaces.needs);
        let imports = needs.into_iter().flatten().map(|need| &need.import);
        let schema = description.map(|d| serde_json::from_str::<Value>(&d.settings_schema));
        let anatomy = component.map(|component| &component.anatomy);
        json!({
            "digest": self.digest,
            "size": self.size,
            "kind": component.map(|component| component.interfaces.kind),
            "name": description.map(|d| &d.name),
            "version": description.map(|d| &d.version),
            "summary": description.map(|d| &d.summary),
            "capabilities": self.capabilities(),
            "stamp": component.and_then(|component| component.stamp.as_ref()),
            "exports": component.map_or(&[][..], |component| &component.interfaces.exports),
            "imports": imports.collect::<Vec<_>>(),
            "needs": needs.map_or(&[][..], |needs| needs),
            "sections": anatomy.map(|anatomy| anatomy.sections),
            "modules": anatomy.map_or(&[][..], |anatomy| &anatomy.modules),
            "producers": anatomy.map(|anatomy| &anatomy.producers),
            "world": anatomy.map(|anatomy| &anatomy.world),
            "wit": anatomy.filter(|_| whole_wit).map(|anatomy| &anatomy.wit),
            "settings_schema": schema.transpose().unwrap_or_default(),
            "loads": self.rejected.is_none(),
            "rejected": self.rejected.as_ref().map(|error| {
                json!({"code": error.outcome.code(), "reason": error.message})
            }),
        })
    }

    fn capabilities(&self) -> Vec<&'static str> {
        let capabilities = self
            .challenge
            .iter()
            .flat_map(|(capabilities, _)| capabilities);
        capabilities.map(|capability| capability.name()).collect()
    }

    fn print(&self) {
        if let Some((_, told)) = &self.challenge {
            println!("{} {}: {}", told.name, told.version, told.summary);
        }
        if let Some(component) = &self.component {
            let what = match component.interfaces.kind {
                ComponentKind::Challenge => "a challenge",
                ComponentKind::Solver => "a submission",
            };
            line("what", what);
        }
        if self.challenge.is_some() {
            line("capabilities", self.capabilities().join(", "));
        }
        if let Some(component) = &self.component {
            line("built for", component.built_for());
        }
        line("digest", format!("sha256:{}", self.digest));
        line("size", size(self.size));
        if let Some(component) = &self.component {
            component.print();
        }
        match &self.rejected {
            None => println!("{}", styled(GOOD, "This host would load it.")),
            Some(error) => println!(
                "{} {}: {}",
                styled(BAD, "This host would not load it:"),
                error.outcome,
                error.message
            ),
        }
    }
}

fn line(name: &str, what: impl std::fmt::Display) {
    println!("{name:<14}{what}");
}

impl Component {
    fn built_for(&self) -> String {
        match &self.stamp {
            Some(Stamp { contract, sdk }) => format!("{contract}, by {sdk}"),
            None => "it has no stamp of an SDK: the names of its imports and exports decide".into(),
        }
    }

    fn print(&self) {
        let Component {
            anatomy,
            interfaces,
            ..
        } = self;
        for (name, bytes) in anatomy.sections.by_name() {
            if bytes > 0 {
                println!("  {name:<12}{}", size(bytes));
            }
        }
        let modules = anatomy.modules.iter().take(5).map(|module| {
            let name = module.name.as_deref().unwrap_or("(without a name)");
            format!("{name} {}", size(module.bytes))
        });
        let modules: Vec<String> = modules.collect();
        let more = match anatomy.modules.len() - modules.len() {
            0 => String::new(),
            more => format!(", and {more} smaller"),
        };
        line("modules", modules.join(", ") + &more);
        for (field, made) in &anatomy.producers {
            let made = made
                .iter()
                .map(|(name, version)| format!("{name} {version}"));
            let made: Vec<String> = made.map(|one| one.trim_end().to_owned()).collect();
            line(field, made.join(", "));
        }
        println!("imports");
        let width = interfaces.needs.iter().map(|need| need.import.len()).max();
        let width = width.unwrap_or_default();
        for need in &interfaces.needs {
            let import = format!("{:<width$}", need.import);
            match &need.refused {
                None => {
                    let purpose = need.purpose.unwrap_or_default();
                    println!("  {import}  {}", styled(FAINT, purpose));
                }
                Some(why) => println!("  {import}  {} {why}", styled(WARNING, "refused:")),
            }
        }
        println!("exports");
        for export in exports(&anatomy.world) {
            println!("  {export}");
        }
        println!(
            "{}",
            styled(FAINT, "Types and functions of all of these: --wit")
        );
    }
}

/// What a world exports, in WIT: functions with their types.
fn exports(world: &str) -> impl Iterator<Item = &str> {
    let lines = world.lines().map(str::trim);
    lines.filter_map(|line| line.strip_prefix("export ")?.strip_suffix(';'))
}
