//! How statements and their results are written on a tape: canonical JSON, of which
//! serde writes the keys in the order in which they stand here.

use super::{DatabaseError, Rows, Value};
use crate::canonical;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A value other than NULL. An integer of 64 bits is none of JSON's.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Cell<'a> {
    Integer(String),
    Real(String),
    Text(Cow<'a, str>),
    Blob(String),
}

#[derive(Serialize)]
struct Request<'a> {
    parameters: Vec<Option<Cell<'a>>>,
    sql: &'a str,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Response<'a, T> {
    Ok(T),
    Error(Failure<'a>),
}

#[derive(Serialize, Deserialize)]
struct Failure<'a> {
    name: Cow<'a, str>,
    text: Option<Cow<'a, str>>,
}

/// What a statement comes to.
pub(super) trait Answer: Sized {
    /// As it is written.
    type Form<'a>: Serialize + Deserialize<'a>;

    fn form(&self) -> Self::Form<'_>;

    fn of(form: Self::Form<'_>) -> Option<Self>;
}

impl Answer for u64 {
    type Form<'a> = String;

    fn form(&self) -> String {
        self.to_string()
    }

    fn of(form: String) -> Option<Self> {
        form.parse().ok()
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct Table<'a> {
    columns: Cow<'a, [String]>,
    rows: Vec<Vec<Option<Cell<'a>>>>,
}

impl Answer for Rows {
    type Form<'a> = Table<'a>;

    fn form(&self) -> Table<'_> {
        Table {
            columns: Cow::Borrowed(&self.columns),
            rows: self.rows.iter().map(|row| cells(row)).collect(),
        }
    }

    fn of(form: Table<'_>) -> Option<Self> {
        let row = |row: Vec<_>| row.into_iter().map(value).collect();
        Some(Rows {
            columns: form.columns.into_owned(),
            rows: form.rows.into_iter().map(row).collect::<Option<_>>()?,
        })
    }
}

fn cells(values: &[Value]) -> Vec<Option<Cell<'_>>> {
    values.iter().map(cell).collect()
}

fn cell(value: &Value) -> Option<Cell<'_>> {
    match value {
        Value::Null => None,
        Value::Integer(integer) => Some(Cell::Integer(integer.to_string())),
        Value::Real(real) => Some(Cell::Real(canonical::bits(*real))),
        Value::Text(text) => Some(Cell::Text(text.into())),
        Value::Blob(bytes) => Some(Cell::Blob(hex::encode(bytes))),
    }
}

fn value(cell: Option<Cell<'_>>) -> Option<Value> {
    Some(match cell {
        None => Value::Null,
        Some(Cell::Integer(integer)) => Value::Integer(integer.parse().ok()?),
        Some(Cell::Real(bits)) => Value::Real(canonical::from_bits(&bits)?),
        Some(Cell::Text(text)) => Value::Text(text.into_owned()),
        Some(Cell::Blob(bytes)) => Value::Blob(hex::decode(bytes).ok()?),
    })
}

fn failure(error: &DatabaseError) -> Failure<'_> {
    let (name, text) = match error {
        DatabaseError::Denied(text) => ("denied", Some(text)),
        DatabaseError::Invalid(text) => ("invalid", Some(text)),
        DatabaseError::Constraint(text) => ("constraint", Some(text)),
        DatabaseError::Full => ("full", None),
        DatabaseError::Timeout => ("timeout", None),
        DatabaseError::TooLarge => ("too-large", None),
        DatabaseError::Unavailable(text) => ("unavailable", Some(text)),
    };
    Failure {
        name: name.into(),
        text: text.map(|text| text.as_str().into()),
    }
}

fn error(failure: Failure<'_>) -> Option<DatabaseError> {
    Some(match (&*failure.name, failure.text.map(Cow::into_owned)) {
        ("denied", Some(text)) => DatabaseError::Denied(text),
        ("invalid", Some(text)) => DatabaseError::Invalid(text),
        ("constraint", Some(text)) => DatabaseError::Constraint(text),
        ("full", None) => DatabaseError::Full,
        ("timeout", None) => DatabaseError::Timeout,
        ("too-large", None) => DatabaseError::TooLarge,
        ("unavailable", Some(text)) => DatabaseError::Unavailable(text),
        _ => return None,
    })
}

pub(super) fn request(sql: &str, parameters: &[Value]) -> serde_json::Result<Vec<u8>> {
    let parameters = cells(parameters);
    serde_json::to_vec(&Request { parameters, sql })
}

pub(super) fn write<T: Answer>(result: &Result<T, DatabaseError>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&match result {
        Ok(answer) => Response::Ok(answer.form()),
        Err(error) => Response::Error(failure(error)),
    })
}

/// The result that is [written](write) so; none if there is none.
pub(super) fn read<T: Answer>(text: &[u8]) -> Option<Result<T, DatabaseError>> {
    let result = match serde_json::from_slice::<Response<'_, T::Form<'_>>>(text).ok()? {
        Response::Ok(form) => Ok(T::of(form)?),
        Response::Error(failure) => Err(error(failure)?),
    };
    // There is one text for each result.
    (write(&result).ok()? == text).then_some(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Integer),
            Just(Value::Integer(i64::MIN)),
            any::<f64>()
                .prop_filter("NULL to SQLite", |real| !real.is_nan())
                .prop_map(Value::Real),
            Just(Value::Real(-0.0)),
            any::<String>().prop_map(Value::Text),
            vec(any::<u8>(), 0..20).prop_map(Value::Blob),
        ]
    }

    fn errors() -> impl Strategy<Value = DatabaseError> {
        (0..7, any::<String>()).prop_map(|(error, text)| match error {
            0 => DatabaseError::Denied(text),
            1 => DatabaseError::Invalid(text),
            2 => DatabaseError::Constraint(text),
            3 => DatabaseError::Full,
            4 => DatabaseError::Timeout,
            5 => DatabaseError::TooLarge,
            _ => DatabaseError::Unavailable(text),
        })
    }

    /// Bits and all: `-0.0` equals `0.0`.
    fn told<T: std::fmt::Debug>(result: &T) -> String {
        format!("{result:?}")
    }

    fn is_canonical(text: &[u8]) -> bool {
        let value: serde_json::Value = serde_json::from_slice(text).unwrap();
        canonical::to_string(&value).unwrap().as_bytes() == text
    }

    proptest! {
        #[test]
        fn every_table_comes_back(
            columns in vec(any::<String>(), 0..4),
            rows in vec(vec(values(), 0..4), 0..4),
        ) {
            let result = Ok(Rows { columns, rows });
            let text = write(&result).unwrap();
            prop_assert!(is_canonical(&text));
            prop_assert_eq!(told(&read::<Rows>(&text).unwrap()), told(&result));
        }

        #[test]
        fn every_count_and_every_error_comes_back(count in any::<u64>(), error in errors()) {
            for result in [Ok(count), Err(error)] {
                let text = write(&result).unwrap();
                prop_assert!(is_canonical(&text));
                prop_assert_eq!(told(&read::<u64>(&text).unwrap()), told(&result));
            }
        }

        #[test]
        fn a_request_is_canonical(sql in any::<String>(), parameters in vec(values(), 0..4)) {
            prop_assert!(is_canonical(&request(&sql, &parameters).unwrap()));
        }

        #[test]
        fn a_text_with_another_byte_is_another_result_or_none(
            rows in vec(vec(values(), 0..3), 0..3),
            at in any::<prop::sample::Index>(),
            bit in 0_u8..8,
        ) {
            let result = Ok(Rows { columns: vec!["a".into()], rows });
            let mut text = write(&result).unwrap();
            let at = at.index(text.len());
            text[at] ^= 1_u8 << bit;
            let other = read::<Rows>(&text);
            prop_assert_ne!(told(&other), told(&Some(result)));
        }
    }

    #[test]
    fn the_form_is_that_of_the_specification() {
        let parameters = [
            Value::Null,
            Value::Integer(-5),
            Value::Real(0.5),
            Value::Text("é\n".into()),
            Value::Blob(vec![0, 255]),
        ];
        let text = request("SELECT 1", &parameters).unwrap();
        let expected = r#"{"parameters":[null,{"integer":"-5"},{"real":"3fe0000000000000"},{"text":"é\n"},{"blob":"00ff"}],"sql":"SELECT 1"}"#;
        assert_eq!(String::from_utf8(text).unwrap(), expected);
        let text = |result| String::from_utf8(write::<u64>(&result).unwrap()).unwrap();
        assert_eq!(text(Ok(3)), r#"{"ok":"3"}"#);
        let full = r#"{"error":{"name":"full","text":null}}"#;
        assert_eq!(text(Err(DatabaseError::Full)), full);
        for text in [
            r#"{"ok":"03"}"#,
            r#"{"ok":3}"#,
            r#"{"ok":"3"} "#,
            r#"{"error":{"name":"full"}}"#,
            r#"{"error":{"name":"full","text":""}}"#,
            r#"{"error":{"name":"other","text":null}}"#,
            "",
        ] {
            assert!(read::<u64>(text.as_bytes()).is_none(), "{text}");
        }
    }
}
