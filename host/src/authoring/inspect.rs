//! What a component is made of: its WIT, its size by section, and what made it.

use crate::sandbox::contract::MAX_DEPTH;
use serde::Serialize;
use std::collections::BTreeMap;
use wasmparser::{Encoding, KnownCustom, Parser, Payload};
use wit_component::{DecodedWasm, OutputToString, WitPrinter};

/// What a component is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Anatomy {
    /// Bytes by kind of section, with those of the modules in it. They add up to the size
    /// of the file.
    pub sections: Sections,
    /// The modules in it, the largest first.
    pub modules: Vec<Module>,
    /// What made it, as its `producers` sections tell: `language`, `processed-by`, `sdk`,
    /// each with names and versions.
    pub producers: BTreeMap<String, BTreeMap<String, String>>,
    /// Its world as WIT: what it imports and exports.
    pub world: String,
    /// The same with every interface that it names.
    pub wit: String,
}

/// Bytes by kind of section.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sections {
    /// Instructions.
    pub code: u64,
    /// What memory begins with.
    pub data: u64,
    /// Names of functions, for traces.
    pub names: u64,
    /// What debuggers want.
    pub debug: u64,
    /// Other custom sections.
    pub custom: u64,
    /// Types, imports, exports, and how the modules are put together.
    pub rest: u64,
}

impl Sections {
    /// Each with its name, as in JSON.
    pub fn by_name(&self) -> [(&'static str, u64); 6] {
        [
            ("code", self.code),
            ("data", self.data),
            ("names", self.names),
            ("debug", self.debug),
            ("custom", self.custom),
            ("rest", self.rest),
        ]
    }
}

/// A module in a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Module {
    /// Its name, if it tells it.
    pub name: Option<String>,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Why a file is no component.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAComponent {
    /// Nothing is in it.
    #[error("the file is empty")]
    Empty,
    /// It is text.
    #[error(
        "a text file, not a WebAssembly component: build it first (`proctor plugin build` in its \
         project)"
    )]
    Text,
    /// It is something else.
    #[error("not WebAssembly: the first bytes are not `\\0asm`")]
    Other,
    /// It is WebAssembly without the component model.
    #[error(
        "a core WebAssembly module, not a component: build it with `proctor plugin build`, or in \
         Rust with `--target wasm32-wasip2`"
    )]
    CoreModule,
    /// It describes interfaces.
    #[error("a WIT package, not a component: it only describes interfaces")]
    WitPackage,
    /// It is not whole.
    #[error("the file ends in the middle: it is cut off, or still being written ({0})")]
    Truncated(String),
    /// It is damaged.
    #[error("damaged: {0}")]
    Damaged(String),
}

impl Anatomy {
    /// Takes a component apart. Runs and compiles nothing.
    ///
    /// # Errors
    ///
    /// See [`NotAComponent`].
    pub fn of(bytes: &[u8]) -> Result<Self, NotAComponent> {
        check_header(bytes)?;
        let mut parts = Parts::default();
        for payload in Parser::new(0).parse_all(bytes) {
            parts.take(payload.map_err(malformed)?);
            if parts.open.len() > MAX_DEPTH {
                let text = format!("components nest more than {MAX_DEPTH} levels deep");
                return Err(NotAComponent::Damaged(text));
            }
        }
        let (world, wit) = wit(bytes)?;
        let total = bytes.len() as u64;
        let mut sections = parts.sections;
        let told: u64 = sections.by_name().iter().map(|(_, bytes)| bytes).sum();
        sections.rest = total.saturating_sub(told);
        let mut modules = parts.modules;
        modules.sort_by_key(|module| std::cmp::Reverse(module.bytes));
        Ok(Anatomy {
            sections,
            modules,
            producers: parts.producers,
            world,
            wit,
        })
    }
}

fn check_header(bytes: &[u8]) -> Result<(), NotAComponent> {
    match bytes.get(..8) {
        _ if bytes.is_empty() => Err(NotAComponent::Empty),
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => Err(NotAComponent::CoreModule),
        Some([0, b'a', b's', b'm', ..]) => Ok(()),
        _ if b"\0asm".starts_with(bytes.get(..4).unwrap_or(bytes)) => {
            Err(NotAComponent::Truncated(format!("{} bytes", bytes.len())))
        }
        _ if std::str::from_utf8(bytes).is_ok() => Err(NotAComponent::Text),
        _ => Err(NotAComponent::Other),
    }
}

fn malformed(error: wasmparser::BinaryReaderError) -> NotAComponent {
    let text = error.to_string();
    match text.contains("unexpected end") {
        true => NotAComponent::Truncated(text),
        false => NotAComponent::Damaged(text),
    }
}

#[derive(Default)]
struct Parts {
    sections: Sections,
    modules: Vec<Module>,
    producers: BTreeMap<String, BTreeMap<String, String>>,
    /// Indices of the modules that are being read, the innermost last; none for a
    /// component.
    open: Vec<Option<usize>>,
}

impl Parts {
    fn take(&mut self, payload: Payload<'_>) {
        match &payload {
            Payload::Version { encoding, .. } => {
                // The component itself, or what a section with a module began.
                let module = self.modules.len().checked_sub(1);
                self.open
                    .push(module.filter(|_| *encoding == Encoding::Module));
                return;
            }
            Payload::ModuleSection {
                unchecked_range, ..
            } => {
                self.modules.push(Module {
                    name: None,
                    bytes: unchecked_range.len() as u64,
                });
                return;
            }
            // What is in it follows by itself.
            Payload::ComponentSection { .. } => return,
            Payload::End(_) => {
                self.open.pop();
                return;
            }
            _ => {}
        }
        let Some((_, range)) = payload.as_section() else {
            return;
        };
        let bytes = range.len() as u64;
        let sections = &mut self.sections;
        match payload {
            Payload::CodeSectionStart { .. } => sections.code += bytes,
            Payload::DataSection(_) => sections.data += bytes,
            Payload::CustomSection(section) => {
                match section.name() {
                    "name" | "component-name" => sections.names += bytes,
                    name if name.starts_with(".debug") => sections.debug += bytes,
                    _ => sections.custom += bytes,
                }
                match section.as_known() {
                    KnownCustom::Producers(producers) => self.produced_by(producers),
                    KnownCustom::Name(names) => self.name(names),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn produced_by(&mut self, producers: wasmparser::ProducersSectionReader<'_>) {
        for field in producers.into_iter().map_while(Result::ok) {
            let named = self.producers.entry(field.name.to_owned()).or_default();
            for value in field.values.into_iter().map_while(Result::ok) {
                named.insert(value.name.to_owned(), value.version.to_owned());
            }
        }
    }

    /// Names the module that is being read.
    fn name(&mut self, names: wasmparser::NameSectionReader<'_>) {
        let Some(Some(open)) = self.open.last() else {
            return;
        };
        for name in names.into_iter().map_while(Result::ok) {
            if let (wasmparser::Name::Module { name, .. }, Some(module)) =
                (name, self.modules.get_mut(*open))
            {
                module.name = Some(name.to_owned());
            }
        }
    }
}

/// The world, and all of the WIT.
fn wit(bytes: &[u8]) -> Result<(String, String), NotAComponent> {
    let damaged = |error: &dyn std::fmt::Display| NotAComponent::Damaged(error.to_string());
    let decoded = wit_component::decode(bytes).map_err(|error| damaged(&format!("{error:#}")))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err(NotAComponent::WitPackage);
    };
    let Some(package) = resolve.worlds.get(world).and_then(|world| world.package) else {
        return Err(damaged(&"its world is of no package"));
    };
    let print = |nested: &[wit_parser::PackageId]| {
        let mut printer = WitPrinter::new(OutputToString::default());
        let printed = printer.emit_docs(false).print(&resolve, package, nested);
        let printed = printed.map_err(|error| damaged(&format!("{error:#}")));
        printed.map(|()| String::from(printer.output))
    };
    let others: Vec<_> = resolve.packages.iter().map(|(id, _)| id).collect();
    let others: Vec<_> = others.into_iter().filter(|id| *id != package).collect();
    Ok((print(&[])?, print(&others)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proctor_testing::guest_bytes;

    #[test]
    fn the_sections_add_up_to_the_file() {
        for guest in ["digits", "knn", "organic_challenge"] {
            let bytes = guest_bytes(guest);
            let anatomy = Anatomy::of(&bytes).unwrap();
            let sections = anatomy.sections;
            let sum: u64 = sections.by_name().iter().map(|(_, bytes)| bytes).sum();
            assert_eq!(sum, bytes.len() as u64);
            assert!(sections.code > sections.rest, "{guest}: {sections:?}");
            assert!(sections.names > 0, "{guest}: {sections:?}");
            let modules: u64 = anatomy.modules.iter().map(|module| module.bytes).sum();
            assert!(modules < sum && modules > sections.code);
        }
    }

    #[test]
    fn what_made_it_is_told() {
        let anatomy = Anatomy::of(&guest_bytes("digits")).unwrap();
        assert!(anatomy.producers["language"].contains_key("Rust"));
        assert!(anatomy.producers["processed-by"].contains_key("rustc"));
        let largest = anatomy.modules.first().unwrap();
        assert!(largest.name.is_some(), "{largest:?}");
    }

    #[test]
    fn the_wit_is_that_of_the_component() {
        let anatomy = Anatomy::of(&guest_bytes("digits")).unwrap();
        let world = &anatomy.world;
        assert!(
            world.contains("export proctor:challenge/controller@0.1.1;"),
            "{world}"
        );
        assert!(!world.contains("scoring-log"), "{world}");
        assert!(anatomy.wit.starts_with(world.trim_end()), "{}", anatomy.wit);
        assert!(
            anatomy.wit.contains("record scoring-log {"),
            "{}",
            anatomy.wit
        );
        let solver = Anatomy::of(&guest_bytes("knn")).unwrap();
        let solve = "export solve: func(task: string) -> result<string, string>;";
        assert!(solver.world.contains(solve), "{}", solver.world);
    }

    #[test]
    fn a_file_that_is_none_is_told_what_it_is() {
        let component = guest_bytes("knn");
        let half = &component[..component.len() / 2];
        for (bytes, what) in [
            (&b""[..], "the file is empty"),
            (b"fn main() {}\n", "a text file"),
            (b"\0as", "ends in the middle"),
            (b"\xff\xfe\0\0\0\0\0\0\0", "not WebAssembly"),
            (&guest_bytes("core_module"), "a core WebAssembly module"),
            (half, "ends in the middle"),
        ] {
            let error = Anatomy::of(bytes).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
        let mut damaged = component.clone();
        damaged.truncate(8);
        damaged.extend([99, 0]);
        assert!(matches!(
            Anatomy::of(&damaged),
            Err(NotAComponent::Damaged(_))
        ));
    }
}
