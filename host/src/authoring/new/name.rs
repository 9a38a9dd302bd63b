//! What a new project may be called, and what its name becomes in a language.

use super::{Kind, NewError};
use crate::authoring::project::Language;
use crate::config::is_challenge_name;

/// Names that cargo takes for no package, or that a package which the project depends on
/// has.
const RUST: [&str; 67] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "http",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "proc_macro",
    "proctor-sdk",
    "proctor_sdk",
    "pub",
    "rand",
    "ref",
    "return",
    "schemars",
    "self",
    "serde",
    "serde-json",
    "serde_json",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "wasip2",
    "where",
    "while",
    "wit-bindgen",
    "yield",
];

/// Types that the templates use.
const TYPES: [&str; 24] = [
    "Adder",
    "Challenge",
    "ChallengeError",
    "Comparer",
    "Comparison",
    "ComparisonLog",
    "Context",
    "Controller",
    "Err",
    "Error",
    "Evaluation",
    "JsonSchema",
    "Object",
    "Ok",
    "Option",
    "Result",
    "Rng",
    "Self",
    "Settings",
    "Solution",
    "Solver",
    "String",
    "Task",
    "Weights",
];

/// Whether a project may be called that: a name of a challenge that begins with a letter,
/// and no word of its language.
///
/// # Errors
///
/// [`NewError::Name`].
pub(super) fn check_name(kind: Kind, language: Language, name: &str) -> Result<(), NewError> {
    let refused = |reason: String| {
        Err(NewError::Name {
            name: name.to_owned(),
            reason,
        })
    };
    // The solver of a challenge is called after it, with `-solver`.
    let longest = match kind {
        Kind::Plugin => 57,
        Kind::Solver => 64,
    };
    // It names a type as well.
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !is_challenge_name(name) || !begins || name.len() > longest {
        return refused(format!(
            "it must be 1 to {longest} of a-z, 0-9, - and _, first a letter"
        ));
    }
    if language == Language::Rust && RUST.contains(&name) {
        return refused("it means something else in Rust".to_owned());
    }
    Ok(())
}

/// `my-sum` as `my_sum`.
pub(super) fn ident(name: &str) -> String {
    name.replace('-', "_")
}

/// `my-sum` as `MySum`.
pub(super) fn type_name(name: &str) -> String {
    let mut result = String::new();
    for word in name.split(['-', '_']) {
        let mut letters = word.chars();
        result.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        result.push_str(letters.as_str());
    }
    if TYPES.contains(&result.as_str()) {
        result.push_str("Game");
    }
    result
}
