//! The page that has the contracts, `docs/reference/contract.md`.

use super::{assert_current, repository};
use std::fmt::Write;
use wit_parser::{
    Docs, Function, Interface, InterfaceId, PackageId, Resolve, Stability, Type, TypeDefKind,
    TypeId, World, WorldItem, WorldKey,
};

const INTRODUCTION: &str = "\
# The contracts

<!-- Written by `PROCTOR_TEST_UPDATE=1 cargo test --workspace --test docs`. -->

A challenge is a component of the package `proctor:challenge`, a submission one of
`proctor:solver`. This is all that these say, in the versions that this host takes; the
SDKs put it into the words of their language. A published version never changes, and an
addition is marked with the version that it came with.

What a call may take, and what comes of one that takes more, is in
[limits](../limits.md); what it costs in [costs](../costs.md).
";

#[test]
fn the_book_has_the_contracts_as_they_are() {
    let mut resolve = Resolve::default();
    let mut page = INTRODUCTION.to_owned();
    for directory in ["challenge", "solver"] {
        let (package, _) = resolve.push_dir(repository("wit").join(directory)).unwrap();
        write_package(&mut page, &resolve, package);
    }
    assert_current("reference/contract.md", &page);
}

fn write_package(page: &mut String, resolve: &Resolve, id: PackageId) {
    let package = &resolve.packages[id];
    writeln!(page, "\n## {}", package.name).unwrap();
    for world in package.worlds.values() {
        write_world(page, resolve, &resolve.worlds[*world]);
    }
    for (name, id) in &package.interfaces {
        write_interface(page, resolve, name, *id);
    }
}

fn write_world(page: &mut String, resolve: &Resolve, world: &World) {
    write!(page, "\n### world {}\n\n", world.name).unwrap();
    paragraph(page, &world.docs, &world.stability);
    let mut functions = Vec::new();
    page.push_str("\n```wit\n");
    for (word, items) in [("import", &world.imports), ("export", &world.exports)] {
        for (key, item) in items {
            match (key, item) {
                (WorldKey::Interface(id), _) => {
                    // What is imported for its types alone is no function to call.
                    let interface = &resolve.interfaces[*id];
                    if !interface.functions.is_empty() {
                        let name = interface.name.as_deref().unwrap();
                        writeln!(page, "{word} {name};").unwrap();
                    }
                }
                (WorldKey::Name(_), WorldItem::Function(function)) => {
                    writeln!(page, "{word} {};", signature(resolve, function)).unwrap();
                    functions.push(function);
                }
                (WorldKey::Name(name), _) => writeln!(page, "{word} {name};").unwrap(),
            }
        }
    }
    page.push_str("```\n");
    for function in functions {
        page.push('\n');
        paragraph(page, &function.docs, &function.stability);
    }
}

fn write_interface(page: &mut String, resolve: &Resolve, name: &str, id: InterfaceId) {
    let interface: &Interface = &resolve.interfaces[id];
    write!(page, "\n### interface {name}\n\n").unwrap();
    paragraph(page, &interface.docs, &interface.stability);
    for (name, id) in &interface.types {
        write_type(page, resolve, name, *id);
    }
    for function in interface.functions.values() {
        write!(page, "\n#### {}\n\n", function.name).unwrap();
        write!(page, "```wit\n{};\n```\n\n", signature(resolve, function)).unwrap();
        paragraph(page, &function.docs, &function.stability);
    }
}

fn write_type(page: &mut String, resolve: &Resolve, name: &str, id: TypeId) {
    let definition = &resolve.types[id];
    let mut rows: Vec<(String, String, &Docs)> = Vec::new();
    let optional = |ty: &Option<Type>| ty.map(|ty| type_name(resolve, &ty)).unwrap_or_default();
    match &definition.kind {
        // `use` of another interface.
        TypeDefKind::Type(Type::Id(_)) => return,
        TypeDefKind::Record(record) => rows.extend(record.fields.iter().map(|field| {
            (
                field.name.clone(),
                type_name(resolve, &field.ty),
                &field.docs,
            )
        })),
        TypeDefKind::Variant(variant) => rows.extend(
            variant
                .cases
                .iter()
                .map(|case| (case.name.clone(), optional(&case.ty), &case.docs)),
        ),
        TypeDefKind::Enum(cases) => rows.extend(
            cases
                .cases
                .iter()
                .map(|case| (case.name.clone(), String::new(), &case.docs)),
        ),
        TypeDefKind::Flags(flags) => rows.extend(
            flags
                .flags
                .iter()
                .map(|flag| (flag.name.clone(), String::new(), &flag.docs)),
        ),
        _ => {}
    }
    let kind = definition.kind.as_str();
    write!(page, "\n#### {kind} {name}\n\n").unwrap();
    if rows.is_empty() {
        let is = kind_name(resolve, &definition.kind);
        write!(page, "```wit\ntype {name} = {is};\n```\n\n").unwrap();
    }
    paragraph(page, &definition.docs, &definition.stability);
    if rows.is_empty() {
        return;
    }
    page.push_str("\n| | type | |\n|---|---|---|\n");
    for (name, ty, docs) in rows {
        let ty = match &ty[..] {
            "" => String::new(),
            ty => format!("`{ty}`"),
        };
        let docs = docs.contents.as_deref().unwrap_or_default();
        let docs = escape(docs).replace('\n', " ").replace('|', "\\|");
        writeln!(page, "| `{name}` | {ty} | {} |", docs.trim()).unwrap();
    }
}

fn paragraph(page: &mut String, docs: &Docs, stability: &Stability) {
    if let Some(text) = &docs.contents {
        writeln!(page, "{}", escape(text.trim())).unwrap();
    }
    if let Stability::Stable { since, .. } = stability {
        writeln!(page, "\nSince {since}.").unwrap();
    }
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let params = function.params.iter();
    let params = params.map(|param| format!("{}: {}", param.name, type_name(resolve, &param.ty)));
    let params: Vec<String> = params.collect();
    let result = function.result.as_ref();
    let result = result.map(|ty| format!(" -> {}", type_name(resolve, ty)));
    let result = result.unwrap_or_default();
    format!("{}: func({}){result}", function.name, params.join(", "))
}

fn type_name(resolve: &Resolve, ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".into(),
        Type::U8 => "u8".into(),
        Type::U16 => "u16".into(),
        Type::U32 => "u32".into(),
        Type::U64 => "u64".into(),
        Type::S8 => "s8".into(),
        Type::S16 => "s16".into(),
        Type::S32 => "s32".into(),
        Type::S64 => "s64".into(),
        Type::F32 => "f32".into(),
        Type::F64 => "f64".into(),
        Type::Char => "char".into(),
        Type::String => "string".into(),
        Type::ErrorContext => "error-context".into(),
        Type::Id(id) => {
            let definition = &resolve.types[*id];
            let name = definition.name.clone();
            name.unwrap_or_else(|| kind_name(resolve, &definition.kind))
        }
    }
}

/// A type without a name.
fn kind_name(resolve: &Resolve, kind: &TypeDefKind) -> String {
    let name = |ty: &Type| type_name(resolve, ty);
    match kind {
        TypeDefKind::Type(ty) => name(ty),
        TypeDefKind::List(ty) => format!("list<{}>", name(ty)),
        TypeDefKind::Option(ty) => format!("option<{}>", name(ty)),
        TypeDefKind::Tuple(tuple) => {
            let types: Vec<String> = tuple.types.iter().map(name).collect();
            format!("tuple<{}>", types.join(", "))
        }
        TypeDefKind::Result(result) => match (&result.ok, &result.err) {
            (None, None) => "result".into(),
            (Some(ok), None) => format!("result<{}>", name(ok)),
            (ok, Some(err)) => {
                let ok = ok.as_ref().map_or("_".to_owned(), name);
                format!("result<{ok}, {}>", name(err))
            }
        },
        other => panic!("this page has no words for a {}", other.as_str()),
    }
}

/// What looks like a tag is none.
fn escape(text: &str) -> String {
    let mut in_code = false;
    let mut escaped = String::new();
    for c in text.chars() {
        in_code ^= c == '`';
        match c {
            '<' if !in_code => escaped.push_str("&lt;"),
            c => escaped.push(c),
        }
    }
    escaped
}
