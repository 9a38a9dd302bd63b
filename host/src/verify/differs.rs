//! Where two texts differ.

use super::report::Trouble;
use crate::sandbox::first_difference;

/// What is wrong with a recorded text, where another one came of it. None if they are the
/// same.
pub(super) fn difference(what: &str, recorded: &str, found: &str) -> Option<Trouble> {
    let byte = first_difference(recorded.as_bytes(), found.as_bytes())?;
    let field = field(recorded, byte);
    let place = match &field {
        Some(field) => format!("byte {byte}, in {field}"),
        None => format!("byte {byte}"),
    };
    let (recorded, found) = (excerpt(recorded, byte), excerpt(found, byte));
    let what = format!("{what} differs at {place}: recorded {recorded}, computed {found}");
    Some(Trouble {
        byte: u64::try_from(byte).ok(),
        field,
        ..Trouble::differs(what)
    })
}

/// Bytes that are shown before the one that differs, and after it.
const AROUND: usize = 24;

fn excerpt(text: &str, byte: usize) -> String {
    let from = text.floor_char_boundary(byte.saturating_sub(AROUND));
    let to = text.ceil_char_boundary((byte + AROUND).min(text.len()));
    format!("{:?}", text.get(from..to).unwrap_or_default())
}

/// Where we are in a JSON text.
enum Inside {
    Object { key: String, is_key: bool },
    Array { index: usize },
}

/// The field that a byte of a JSON text is in, such as `logs[3].score`; none if it is in
/// none, or the text is no JSON.
fn field(text: &str, byte: usize) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut path, mut at) = (Vec::new(), 0);
    while at < byte.min(bytes.len()) {
        match bytes.get(at)? {
            b'{' => path.push(Inside::Object {
                key: String::new(),
                is_key: true,
            }),
            b'[' => path.push(Inside::Array { index: 0 }),
            b'}' | b']' => {
                path.pop()?;
            }
            b':' => {
                if let Some(Inside::Object { is_key, .. }) = path.last_mut() {
                    *is_key = false;
                }
            }
            b',' => match path.last_mut()? {
                Inside::Object { is_key, .. } => *is_key = true,
                Inside::Array { index } => *index += 1,
            },
            b'"' => {
                let end = string_end(bytes, at)?;
                if let Some(Inside::Object { key, is_key: true }) = path.last_mut() {
                    *key = text.get(at + 1..end)?.to_owned();
                }
                if end >= byte {
                    break;
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    let mut name = String::new();
    for inside in &path {
        match inside {
            Inside::Object { key, .. } if !key.is_empty() => {
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(key);
            }
            Inside::Object { .. } => {}
            Inside::Array { index } => name.push_str(&format!("[{index}]")),
        }
    }
    (!name.is_empty()).then_some(name)
}

/// Where the string ends that begins at `start`: its closing quotation mark.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_and_its_field_are_named() {
        let text = r#"{"logs":[{"a":"x,]\"","score":"3f"},{"score":"40"}],"outcome":"ok"}"#;
        for (from, to, field) in [
            ("3f", "30", Some("logs[0].score")),
            ("40", "50", Some("logs[1].score")),
            (",]", ",}", Some("logs[0].a")),
            ("ok", "no", Some("outcome")),
            ("{\"logs", "[\"logs", None),
        ] {
            let trouble = difference("it", text, &text.replacen(from, to, 1)).unwrap();
            assert_eq!(trouble.field.as_deref(), field, "{from}");
            let byte = usize::try_from(trouble.byte.unwrap()).unwrap();
            assert_ne!(
                text.as_bytes()[byte],
                text.replacen(from, to, 1).as_bytes()[byte]
            );
        }
        assert_eq!(difference("it", text, text), None);
        let longer = format!("{text} ");
        let trouble = difference("it", text, &longer).unwrap();
        assert_eq!(trouble.byte, Some(text.len() as u64));
    }

    #[test]
    fn texts_of_any_kind_are_told_apart() {
        assert_eq!(difference("it", "é", "è").unwrap().byte, Some(1));
        assert_eq!(difference("it", "", "{").unwrap().byte, Some(0));
        assert_eq!(difference("it", "]}\"", "]}\\").unwrap().byte, Some(2));
        assert_eq!(difference("it", "{\"a\\", "{\"b\\").unwrap().field, None);
    }
}
