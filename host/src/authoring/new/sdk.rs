//! The SDK, as a project has it in `vendor/`.

use super::{NewError, NewFile};
use crate::authoring::embedded;
use crate::authoring::project::Language;
use std::borrow::Cow;
use std::collections::BTreeSet;
use toml_edit::{DocumentMut, Item, TableLike, Value};

/// The SDK of a language, and for Rust a lock file, so that the first build has the
/// versions that this one was tested with.
pub(super) fn files(language: Language) -> Result<Vec<NewFile>, NewError> {
    let to = language.vendored_sdk();
    let mut files = Vec::new();
    let mut take = |from: &str, to: &str| {
        let all = embedded::below(from);
        files.extend(all.map(|(path, bytes)| (format!("{to}/{path}"), Cow::Borrowed(bytes))));
    };
    match language {
        Language::Rust => {
            take("plugin-sdk/src", &format!("{to}/src"));
            take("wit", "vendor/wit");
        }
        Language::Python => take("plugin-sdk/python/proctor_sdk", to),
        Language::Js => take("plugin-sdk/js", to),
    }
    if files.is_empty() {
        return Err(NewError::Broken(format!("it has no SDK for {language}")));
    }
    let mut add = |path: String, text: String| files.push((path, Cow::Owned(text.into_bytes())));
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        add(format!("{to}/{licence}"), embedded(licence)?.to_owned());
    }
    if language == Language::Rust {
        let workspace = embedded("Cargo.toml")?;
        let manifest = standalone(embedded("plugin-sdk/Cargo.toml")?, workspace);
        let broken = || NewError::Broken("the SDK's Cargo.toml".to_owned());
        add(format!("{to}/Cargo.toml"), manifest.ok_or_else(broken)?);
        let readme = embedded("plugin-sdk/README.md")?;
        add(format!("{to}/README.md"), readme.to_owned());
        let locked = locked(embedded("Cargo.lock")?, "proctor-sdk");
        let broken = || NewError::Broken("Cargo.lock".to_owned());
        add("Cargo.lock".to_owned(), locked.ok_or_else(broken)?);
    }
    Ok(files)
}

fn embedded(path: &str) -> Result<&'static str, NewError> {
    embedded::file(path).ok_or_else(|| NewError::Broken(format!("it has no {path}")))
}

/// A manifest of the workspace as one that needs no workspace. `None`: it is not what it
/// should be.
fn standalone(manifest: &str, workspace: &str) -> Option<String> {
    let mut manifest: DocumentMut = manifest.parse().ok()?;
    let workspace: DocumentMut = workspace.parse().ok()?;
    let workspace = workspace.get("workspace")?;
    let manifest_table = manifest.as_table_mut();
    // They are the workspace's, and for its tests.
    manifest_table.remove("lints");
    manifest_table.remove("dev-dependencies");
    let package = manifest_table.get_mut("package")?.as_table_like_mut()?;
    inherit(package, workspace.get("package")?)?;
    package.insert("publish", toml_edit::value(false));
    let known = workspace.get("dependencies")?;
    inherit(
        manifest_table
            .get_mut("dependencies")?
            .as_table_like_mut()?,
        known,
    )?;
    if let Some(targets) = manifest_table.get_mut("target") {
        for (_, target) in targets.as_table_like_mut()?.iter_mut() {
            if let Some(dependencies) = target.get_mut("dependencies") {
                inherit(dependencies.as_table_like_mut()?, known)?;
            }
        }
    }
    Some(manifest.to_string())
}

/// Replaces each `key.workspace = true` with what the workspace says of the key.
fn inherit(table: &mut dyn TableLike, workspace: &Item) -> Option<()> {
    let inherits = |item: &Item| item.get("workspace").and_then(Item::as_bool) == Some(true);
    let keys = table.iter().filter(|(_, item)| inherits(item));
    let keys: Vec<String> = keys.map(|(key, _)| key.to_owned()).collect();
    for key in keys {
        let mut value = workspace.get(&key)?.as_value()?.clone();
        let own = table.get(&key)?.as_table_like()?;
        let further = own.get("features").and_then(Item::as_array);
        if let Some(further) = further {
            value = with_features(value, further)?;
        }
        if own.get("default-features").is_some() || own.get("optional").is_some() {
            return None;
        }
        value.decor_mut().clear();
        table.insert(&key, Item::Value(value));
    }
    Some(())
}

fn with_features(value: Value, further: &toml_edit::Array) -> Option<Value> {
    let mut table = match value {
        Value::InlineTable(table) => table,
        version @ Value::String(_) => {
            let mut table = toml_edit::InlineTable::new();
            table.insert("version", version);
            table
        }
        _ => return None,
    };
    let features = table.get_or_insert("features", toml_edit::Array::new());
    features.as_array_mut()?.extend(further.iter().cloned());
    Some(Value::InlineTable(table))
}

/// The part of a lock file that a package of the workspace depends on. Cargo adds the
/// packages of the project by itself.
fn locked(lock: &str, package: &str) -> Option<String> {
    let lock: toml::Table = lock.parse().ok()?;
    let packages = lock.get("package")?.as_array()?;
    let text = |package: &toml::Value, key: &str| Some(package.get(key)?.as_str()?.to_owned());
    let mut wanted = vec![package.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(dependency) = wanted.pop() {
        // `name`, or `name version` where there are several.
        let mut words = dependency.split(' ');
        let (name, version) = (words.next()?, words.next());
        let found = packages.iter().position(|package| {
            text(package, "name").is_some_and(|known| known == name)
                && version.is_none_or(|version| {
                    text(package, "version").is_some_and(|known| known == version)
                })
        })?;
        if seen.insert(found) {
            let dependencies = packages.get(found)?.get("dependencies");
            let dependencies = dependencies.and_then(toml::Value::as_array);
            let names = dependencies.into_iter().flatten();
            wanted.extend(names.filter_map(|name| name.as_str().map(str::to_owned)));
        }
    }
    let mut result = String::from("version = 4\n");
    for index in seen {
        let package = packages.get(index)?;
        // Without a source it is a package of the workspace.
        if package.get("source").is_some() {
            let package = toml::to_string(package).ok()?;
            result.push_str(&format!("\n[[package]]\n{package}"));
        }
    }
    Some(result)
}
