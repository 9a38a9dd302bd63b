//! The file, on its way back.

use super::write::{CHECKSUM, VERSION};
use super::{BackupError, results};
use crate::store::{Store, StoreError};
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Longest first line, in bytes.
const MAX_HEADER: u64 = 64 << 10;

/// What the first line of a backup says.
#[derive(Debug, Clone, Deserialize)]
pub struct Header {
    /// Version of the file.
    version: u64,
    /// When it was written, in seconds since the Unix epoch.
    pub written_at: f64,
    /// What tells its database from others.
    pub(super) database: Option<String>,
    /// The deployment's seed, a decimal number.
    seed: String,
    /// What the database was at.
    pub(super) mark: String,
}

impl Header {
    /// The deployment's seed; none if it is none.
    pub fn seed(&self) -> Option<u64> {
        self.seed.parse().ok()
    }
}

/// A whole backup, to be restored.
#[derive(Debug)]
pub struct Backup {
    path: PathBuf,
    /// What its first line says.
    pub header: Header,
}

impl Backup {
    /// Opens a backup, and checks that all of it is there as it was written.
    ///
    /// # Errors
    ///
    /// See [`BackupError`]; [`BackupError::Foreign`] for a file of the API that Proctor
    /// replaces.
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        let io_error = |error| BackupError::Io {
            path: path.to_owned(),
            error,
        };
        let mut file = File::open(path).map_err(io_error)?;
        if is_list(&mut BufReader::new(&file)).map_err(io_error)? {
            file.rewind().map_err(io_error)?;
            return Err(foreign(path, BufReader::new(file)));
        }
        let checked = checksum_fits(&mut file).map_err(io_error)?;
        let header = header(path).map_err(io_error)?;
        match header {
            Some(header) if header.version != VERSION => Err(BackupError::Version {
                path: path.to_owned(),
                found: header.version,
            }),
            Some(header) if checked => Ok(Backup {
                path: path.to_owned(),
                header,
            }),
            Some(_) => Err(malformed(
                path,
                "it is cut off or was changed: its checksum does not fit",
            )),
            None => Err(malformed(path, "it does not begin as one")),
        }
    }

    /// Fills the database, which must be empty, in one piece. Returns how many rows
    /// there are of each part.
    ///
    /// # Errors
    ///
    /// See [`BackupError`]; nothing has changed then.
    pub async fn restore(self, store: &Store) -> Result<BTreeMap<String, u64>, BackupError> {
        store
            .load(move |insert| {
                let file = File::open(&self.path).map_err(|error| BackupError::Io {
                    path: self.path.clone(),
                    error,
                })?;
                let mut file = serde_json::Deserializer::from_reader(BufReader::new(file));
                let mut loading = Loading {
                    insert,
                    header: Map::new(),
                    rows: BTreeMap::new(),
                    failed: None,
                };
                let read = file.deserialize_map(&mut loading).and_then(|()| file.end());
                match (read, loading.failed) {
                    (_, Some(error)) => Err(error.into()),
                    (Err(error), None) => Err(malformed(&self.path, error.to_string())),
                    (Ok(()), None) => Ok(loading.rows),
                }
            })
            .await
    }
}

/// What the first line of a file says, if it is the first line of a backup.
///
/// # Errors
///
/// Those of the file system.
pub(super) fn header(path: &Path) -> io::Result<Option<Header>> {
    let mut line = String::new();
    let mut file = BufReader::new(File::open(path)?).take(MAX_HEADER);
    if file.read_line(&mut line).is_err() {
        return Ok(None);
    }
    let line = line.trim_end().trim_end_matches(',');
    Ok(serde_json::from_str(&format!("{line}}}")).ok())
}

fn malformed(path: &Path, reason: impl Into<String>) -> BackupError {
    BackupError::Malformed {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

fn is_list(file: &mut impl BufRead) -> io::Result<bool> {
    for byte in file.bytes() {
        let byte = byte?;
        if !byte.is_ascii_whitespace() {
            return Ok(byte == b'[');
        }
    }
    Ok(false)
}

/// An item of the file of the API that Proctor replaces.
#[derive(Deserialize)]
struct ForeignItem {
    #[serde(rename = "challenge_name")]
    _challenge_name: String,
    #[serde(rename = "docker_hub_id")]
    _docker_hub_id: String,
    #[serde(rename = "scoring_logs")]
    _scoring_logs: Vec<IgnoredAny>,
}

fn foreign(path: &Path, file: impl Read) -> BackupError {
    match serde_json::from_reader::<_, Vec<ForeignItem>>(file) {
        Ok(items) => BackupError::Foreign {
            path: path.to_owned(),
            results: items.len(),
        },
        Err(error) => malformed(path, error.to_string()),
    }
}

/// Whether the file ends with the checksum of what comes before it.
fn checksum_fits(file: &mut File) -> io::Result<bool> {
    let tail = CHECKSUM.len() + 64 + 3;
    let size = file.metadata()?.len();
    let Some(body) = size.checked_sub(tail as u64) else {
        return Ok(false);
    };
    file.seek(SeekFrom::Start(body))?;
    let mut end = String::new();
    if file.read_to_string(&mut end).is_err() {
        return Ok(false);
    }
    file.rewind()?;
    let mut hash = Sha256::new();
    let mut rest = BufReader::with_capacity(1 << 20, file.take(body));
    loop {
        let bytes = rest.fill_buf()?;
        let read = bytes.len();
        if read == 0 {
            break;
        }
        hash.update(bytes);
        rest.consume(read);
    }
    let checksum = hex::encode(hash.finalize());
    Ok(end == format!("{}{checksum}\"}}\n", String::from_utf8_lossy(CHECKSUM)))
}

/// Takes a row of a part into the database.
type Insert<'a> = dyn FnMut(&str, Map<String, Value>) -> Result<(), StoreError> + 'a;

/// Gives the rows to the database as they are read.
struct Loading<'a> {
    insert: &'a mut Insert<'a>,
    /// What was read of the first line; none of it once it was given.
    header: Map<String, Value>,
    rows: BTreeMap<String, u64>,
    /// Why the database did not take a row.
    failed: Option<StoreError>,
}

impl Loading<'_> {
    fn give<E: Error>(&mut self, part: &str, row: Map<String, Value>) -> Result<(), E> {
        (self.insert)(part, row).map_err(|error| {
            self.failed = Some(error);
            E::custom("the database did not take a row")
        })
    }
}

impl<'de> Visitor<'de> for &mut Loading<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a backup")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "version" | "written_at" | "schema" | "database" | "seed" | "mark"
                | "last_event" => {
                    self.header.insert(name, map.next_value()?);
                }
                "sha256" => drop(map.next_value::<IgnoredAny>()?),
                _ => {
                    let header = std::mem::take(&mut self.header);
                    if !header.is_empty() {
                        self.give("header", header)?;
                    }
                    self.rows.insert(name.clone(), 0);
                    map.next_value_seed(Rows {
                        loading: self,
                        part: name,
                    })?;
                }
            }
        }
        Ok(())
    }
}

/// The rows of a part.
struct Rows<'a, 'b> {
    loading: &'a mut Loading<'b>,
    part: String,
}

impl<'de> DeserializeSeed<'de> for Rows<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a list of rows of {}", self.part)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(row) = seq.next_element::<Map<String, Value>>()? {
            let row = match self.part.as_str() {
                "results" => results::row(row)
                    .ok_or_else(|| A::Error::custom("a result without provenance"))?,
                _ => row,
            };
            self.loading.give(&self.part, row)?;
            *self.loading.rows.entry(self.part.clone()).or_default() += 1;
        }
        Ok(())
    }
}
