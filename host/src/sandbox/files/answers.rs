//! How what `wasi:filesystem` answers is written on a tape.

use serde_json::{Value, json};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode, MetadataHashValue,
    NewTimestamp, OpenFlags, PathFlags,
};

/// An answer: `{"ok":…}`, or `{"error":…}` with the name of the code. Numbers of 64
/// bits are decimal strings.
pub(super) trait Answer: Sized {
    fn to_json(&self) -> Value;

    fn from_json(value: &Value) -> Option<Self>;

    fn write(result: Result<&Self, ErrorCode>) -> serde_json::Result<Vec<u8>> {
        let value = match result {
            Ok(answer) => json!({"ok": answer.to_json()}),
            Err(code) => json!({"error": code.name()}),
        };
        Ok(crate::canonical::to_string(&value)?.into_bytes())
    }

    /// The answer that is [written](Self::write) so; none if there is none.
    fn read(text: &[u8]) -> Option<Result<Self, ErrorCode>> {
        let value: Value = serde_json::from_slice(text).ok()?;
        let result = match (value.get("ok"), value.get("error")) {
            (Some(answer), None) => Ok(Self::from_json(answer)?),
            (None, Some(code)) => Err(error_code(code.as_str()?)?),
            _ => return None,
        };
        // There is one text for each answer.
        let written = Self::write(result.as_ref().map_err(|code| *code)).ok()?;
        (written == text).then_some(result)
    }
}

/// What a read answers: `=` and the bytes, or `.` and the bytes if the file ends with
/// them. Much of a transcript may be files, and as JSON they would be longer.
impl Answer for (Vec<u8>, bool) {
    fn to_json(&self) -> Value {
        Value::Null
    }

    fn from_json(_: &Value) -> Option<Self> {
        None
    }

    fn write(result: Result<&Self, ErrorCode>) -> serde_json::Result<Vec<u8>> {
        match result {
            Ok((bytes, is_end)) => {
                let first: &[u8] = if *is_end { b"." } else { b"=" };
                Ok([first, bytes].concat())
            }
            Err(code) => <()>::write(Err(code)),
        }
    }

    fn read(text: &[u8]) -> Option<Result<Self, ErrorCode>> {
        match text.split_first()? {
            (b'=', bytes) => Some(Ok((bytes.to_vec(), false))),
            (b'.', bytes) => Some(Ok((bytes.to_vec(), true))),
            _ => Some(Err(<()>::read(text)?.err()?)),
        }
    }
}

impl Answer for () {
    fn to_json(&self) -> Value {
        Value::Null
    }

    fn from_json(value: &Value) -> Option<Self> {
        value.as_null()
    }
}

impl Answer for bool {
    fn to_json(&self) -> Value {
        (*self).into()
    }

    fn from_json(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

impl Answer for u64 {
    fn to_json(&self) -> Value {
        self.to_string().into()
    }

    fn from_json(value: &Value) -> Option<Self> {
        value.as_str()?.parse().ok()
    }
}

impl Answer for String {
    fn to_json(&self) -> Value {
        self.as_str().into()
    }

    fn from_json(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl Answer for Vec<String> {
    fn to_json(&self) -> Value {
        self.as_slice().into()
    }

    fn from_json(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(String::from_json).collect()
    }
}

impl<T: Answer> Answer for Option<T> {
    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_json)
    }

    fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_json(value).map(Some),
        }
    }
}

impl Answer for DescriptorType {
    fn to_json(&self) -> Value {
        let name = TYPES.iter().find(|(kind, _)| kind == self);
        name.map_or("unknown", |(_, name)| name).into()
    }

    fn from_json(value: &Value) -> Option<Self> {
        named(&TYPES, value.as_str()?)
    }
}

impl Answer for DescriptorFlags {
    fn to_json(&self) -> Value {
        let set = FLAGS.iter().filter(|(flag, _)| self.contains(*flag));
        set.map(|(_, name)| *name).collect()
    }

    fn from_json(value: &Value) -> Option<Self> {
        let mut flags = DescriptorFlags::empty();
        for name in value.as_array()? {
            flags |= named(&FLAGS, name.as_str()?)?;
        }
        Some(flags)
    }
}

impl Answer for Datetime {
    fn to_json(&self) -> Value {
        json!({"nanoseconds": self.nanoseconds, "seconds": self.seconds.to_json()})
    }

    fn from_json(value: &Value) -> Option<Self> {
        Some(Datetime {
            seconds: u64::from_json(value.get("seconds")?)?,
            nanoseconds: value.get("nanoseconds")?.as_u64()?.try_into().ok()?,
        })
    }
}

impl Answer for DescriptorStat {
    fn to_json(&self) -> Value {
        json!({
            "accessed": self.data_access_timestamp.to_json(),
            "changed": self.status_change_timestamp.to_json(),
            "links": self.link_count.to_json(),
            "modified": self.data_modification_timestamp.to_json(),
            "size": self.size.to_json(),
            "type": self.type_.to_json(),
        })
    }

    fn from_json(value: &Value) -> Option<Self> {
        Some(DescriptorStat {
            type_: Answer::from_json(value.get("type")?)?,
            link_count: Answer::from_json(value.get("links")?)?,
            size: Answer::from_json(value.get("size")?)?,
            data_access_timestamp: Answer::from_json(value.get("accessed")?)?,
            data_modification_timestamp: Answer::from_json(value.get("modified")?)?,
            status_change_timestamp: Answer::from_json(value.get("changed")?)?,
        })
    }
}

impl Answer for DirectoryEntry {
    fn to_json(&self) -> Value {
        json!({"name": self.name, "type": self.type_.to_json()})
    }

    fn from_json(value: &Value) -> Option<Self> {
        Some(DirectoryEntry {
            type_: Answer::from_json(value.get("type")?)?,
            name: Answer::from_json(value.get("name")?)?,
        })
    }
}

impl Answer for MetadataHashValue {
    fn to_json(&self) -> Value {
        json!({"lower": self.lower.to_json(), "upper": self.upper.to_json()})
    }

    fn from_json(value: &Value) -> Option<Self> {
        Some(MetadataHashValue {
            lower: Answer::from_json(value.get("lower")?)?,
            upper: Answer::from_json(value.get("upper")?)?,
        })
    }
}

fn named<T: Copy>(names: &[(T, &str)], name: &str) -> Option<T> {
    let found = names.iter().find(|(_, known)| *known == name);
    found.map(|(value, _)| *value)
}

pub(super) fn path_flags(flags: PathFlags) -> Value {
    let follow = flags.contains(PathFlags::SYMLINK_FOLLOW);
    follow.then_some("symlink-follow").into_iter().collect()
}

pub(super) fn open_flags(flags: OpenFlags) -> Value {
    let names = [
        (OpenFlags::CREATE, "create"),
        (OpenFlags::DIRECTORY, "directory"),
        (OpenFlags::EXCLUSIVE, "exclusive"),
        (OpenFlags::TRUNCATE, "truncate"),
    ];
    let set = names.iter().filter(|(flag, _)| flags.contains(*flag));
    set.map(|(_, name)| *name).collect()
}

pub(super) fn new_time(time: NewTimestamp) -> Value {
    match time {
        NewTimestamp::NoChange => Value::Null,
        NewTimestamp::Now => "now".into(),
        NewTimestamp::Timestamp(time) => time.to_json(),
    }
}

pub(super) fn error_code(name: &str) -> Option<ErrorCode> {
    CODES.into_iter().find(|code| code.name() == name)
}

const TYPES: [(DescriptorType, &str); 8] = [
    (DescriptorType::Unknown, "unknown"),
    (DescriptorType::BlockDevice, "block-device"),
    (DescriptorType::CharacterDevice, "character-device"),
    (DescriptorType::Directory, "directory"),
    (DescriptorType::Fifo, "fifo"),
    (DescriptorType::SymbolicLink, "symbolic-link"),
    (DescriptorType::RegularFile, "regular-file"),
    (DescriptorType::Socket, "socket"),
];

const FLAGS: [(DescriptorFlags, &str); 6] = [
    (DescriptorFlags::READ, "read"),
    (DescriptorFlags::WRITE, "write"),
    (DescriptorFlags::FILE_INTEGRITY_SYNC, "file-integrity-sync"),
    (DescriptorFlags::DATA_INTEGRITY_SYNC, "data-integrity-sync"),
    (
        DescriptorFlags::REQUESTED_WRITE_SYNC,
        "requested-write-sync",
    ),
    (DescriptorFlags::MUTATE_DIRECTORY, "mutate-directory"),
];

const CODES: [ErrorCode; 37] = [
    ErrorCode::Access,
    ErrorCode::WouldBlock,
    ErrorCode::Already,
    ErrorCode::BadDescriptor,
    ErrorCode::Busy,
    ErrorCode::Deadlock,
    ErrorCode::Quota,
    ErrorCode::Exist,
    ErrorCode::FileTooLarge,
    ErrorCode::IllegalByteSequence,
    ErrorCode::InProgress,
    ErrorCode::Interrupted,
    ErrorCode::Invalid,
    ErrorCode::Io,
    ErrorCode::IsDirectory,
    ErrorCode::Loop,
    ErrorCode::TooManyLinks,
    ErrorCode::MessageSize,
    ErrorCode::NameTooLong,
    ErrorCode::NoDevice,
    ErrorCode::NoEntry,
    ErrorCode::NoLock,
    ErrorCode::InsufficientMemory,
    ErrorCode::InsufficientSpace,
    ErrorCode::NotDirectory,
    ErrorCode::NotEmpty,
    ErrorCode::NotRecoverable,
    ErrorCode::Unsupported,
    ErrorCode::NoTty,
    ErrorCode::NoSuchDevice,
    ErrorCode::Overflow,
    ErrorCode::NotPermitted,
    ErrorCode::Pipe,
    ErrorCode::ReadOnly,
    ErrorCode::InvalidSeek,
    ErrorCode::TextFileBusy,
    ErrorCode::CrossDevice,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn comes_back<T: Answer>(answer: T, text: &str) {
        assert_eq!(
            String::from_utf8(T::write(Ok(&answer)).unwrap()).unwrap(),
            text
        );
        let read = T::read(text.as_bytes()).unwrap().unwrap();
        assert_eq!(T::write(Ok(&read)).unwrap(), text.as_bytes());
    }

    #[test]
    fn every_code_and_every_type_has_its_name() {
        // In the order of the interface, none left out.
        for (index, code) in CODES.into_iter().enumerate() {
            assert_eq!(code as usize, index);
            let text = <()>::write(Err(code)).unwrap();
            assert_eq!(<()>::read(&text).unwrap(), Err(code));
        }
        for (index, (kind, name)) in TYPES.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
            comes_back(kind, &format!(r#"{{"ok":"{name}"}}"#));
        }
        assert_eq!(CODES.map(|code| code.name()).last(), Some(&"cross-device"));
    }

    #[test]
    fn answers_have_the_form_of_the_specification() {
        comes_back((), r#"{"ok":null}"#);
        comes_back(true, r#"{"ok":true}"#);
        comes_back(u64::MAX, r#"{"ok":"18446744073709551615"}"#);
        comes_back(vec!["/data".to_owned()], r#"{"ok":["/data"]}"#);
        comes_back(None::<DirectoryEntry>, r#"{"ok":null}"#);
        let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
        comes_back(flags, r#"{"ok":["read","mutate-directory"]}"#);
        let hash = MetadataHashValue { lower: 1, upper: 2 };
        comes_back(hash, r#"{"ok":{"lower":"1","upper":"2"}}"#);
        let stat = DescriptorStat {
            type_: DescriptorType::RegularFile,
            link_count: 1,
            size: 9,
            data_access_timestamp: None,
            data_modification_timestamp: Some(Datetime {
                seconds: 5,
                nanoseconds: 6,
            }),
            status_change_timestamp: None,
        };
        let text = r#"{"ok":{"accessed":null,"changed":null,"links":"1","modified":{"nanoseconds":6,"seconds":"5"},"size":"9","type":"regular-file"}}"#;
        comes_back(stat, text);
    }

    #[test]
    fn what_is_read_is_kept_as_bytes() {
        type Read = (Vec<u8>, bool);
        for (read, text) in [
            ((b"\xff\n".to_vec(), false), &b"=\xff\n"[..]),
            ((Vec::new(), true), b"."),
        ] {
            assert_eq!(Read::write(Ok(&read)).unwrap(), text);
            assert_eq!(Read::read(text), Some(Ok(read)));
        }
        let error = br#"{"error":"io"}"#;
        assert_eq!(Read::read(error), Some(Err(ErrorCode::Io)));
        assert_eq!(Read::write(Err(ErrorCode::Io)).unwrap(), error);
        assert_eq!(Read::read(br#"{"ok":null}"#), None);
        assert_eq!(Read::read(b""), None);
    }

    #[test]
    fn another_text_for_an_answer_is_none() {
        for text in [
            r#"{"ok":"01"}"#,
            r#"{"ok": "1"}"#,
            r#"{"ok":"1","x":0}"#,
            "",
            "[]",
        ] {
            assert!(u64::read(text.as_bytes()).is_none(), "{text}");
        }
        for text in [
            r#"{"error":"odd"}"#,
            r#"{"error":"io","ok":null}"#,
            r#"{"ok":0}"#,
        ] {
            assert!(<()>::read(text.as_bytes()).is_none(), "{text}");
        }
        let twice = r#"{"ok":["read","read"]}"#;
        assert!(DescriptorFlags::read(twice.as_bytes()).is_none());
    }
}
