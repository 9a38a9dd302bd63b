//! The file, as it is written: a line for each row.

use super::draft::Draft;
use super::{BackupError, results};
use crate::store::Store;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

/// What this program writes and reads.
pub(super) const VERSION: u64 = 1;

/// What the checksum of all that comes before it is announced with.
pub(super) const CHECKSUM: &[u8] = b",\"sha256\":\"";

/// A backup that was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Its size.
    pub bytes: u64,
    /// Rows, by part.
    pub rows: BTreeMap<&'static str, u64>,
    /// What the database was at; see [`Store::mark`].
    pub(super) mark: String,
}

/// Writes everything to `path`, in place of what is there. `seed` is the deployment's
/// seed, `now` is in seconds since the Unix epoch. Takes little memory, and holds
/// nobody up.
///
/// # Errors
///
/// See [`BackupError`]; what was there before is then still there.
pub async fn write(
    store: &Store,
    seed: u64,
    path: &Path,
    now: f64,
) -> Result<Written, BackupError> {
    store
        .database_id(format!("{:032x}", rand::random::<u128>()))
        .await?;
    let failed = |error| BackupError::Io {
        path: path.to_owned(),
        error,
    };
    let path = path.to_owned();
    let target = path.clone();
    let pen = blocking(move || Pen::new(&target)).await.map_err(failed)?;
    let dumped = store.dump(pen, move |pen, part, row| match row {
        Some(mut header) if part == "header" => {
            header.insert("seed".into(), seed.to_string().into());
            pen.begin(header, now)
        }
        Some(row) if part == "results" => pen.row(part, &results::item(row)?),
        Some(row) => pen.row(part, &Value::Object(row)),
        None => pen.part(part),
    });
    let failed = |error| BackupError::Io { path, error };
    match dumped.await? {
        Ok(pen) => blocking(move || pen.finish()).await.map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

/// Writes, and sums up what it wrote.
struct Pen {
    draft: Draft,
    hash: Sha256,
    rows: BTreeMap<&'static str, u64>,
    mark: String,
}

impl Write for Pen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.draft.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.draft.flush()
    }
}

impl Pen {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Pen {
            draft: Draft::new(path)?,
            hash: Sha256::new(),
            rows: BTreeMap::new(),
            mark: String::new(),
        })
    }

    /// The first line can be read alone: see [`super::read::header`].
    fn begin(&mut self, header: Map<String, Value>, now: f64) -> io::Result<()> {
        let mark = header.get("mark").and_then(Value::as_str);
        self.mark = mark.unwrap_or_default().to_owned();
        let mut first = Map::new();
        first.insert("version".into(), VERSION.into());
        first.insert("written_at".into(), now.into());
        first.extend(header);
        let line = Value::Object(first).to_string();
        self.write_all(line.trim_end_matches('}').as_bytes())
    }

    fn part(&mut self, part: &'static str) -> io::Result<()> {
        let ends = if self.rows.is_empty() { "" } else { "\n]" };
        self.rows.insert(part, 0);
        write!(self, "{ends},\n\"{part}\":[")
    }

    fn row(&mut self, part: &'static str, row: &Value) -> io::Result<()> {
        let rows = self.rows.entry(part).or_default();
        let parts = if *rows == 0 { "\n" } else { ",\n" };
        *rows += 1;
        self.write_all(parts.as_bytes())?;
        serde_json::to_writer(&mut *self, row)?;
        Ok(())
    }

    fn finish(mut self) -> io::Result<Written> {
        self.write_all(b"\n]\n")?;
        let checksum = hex::encode(self.hash.finalize());
        self.draft.write_all(CHECKSUM)?;
        self.draft.write_all(checksum.as_bytes())?;
        self.draft.write_all(b"\"}\n")?;
        Ok(Written {
            bytes: self.draft.publish()?,
            rows: self.rows,
            mark: self.mark,
        })
    }
}
