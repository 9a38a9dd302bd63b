//! What has left the database: a compressed file for each day, a line for each row.

use crate::backup::Draft;
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// The file of a day, written anew: what is added now, and what is in it already.
pub(super) struct DayFile {
    path: PathBuf,
    out: GzEncoder<Draft>,
    added: HashSet<(String, String)>,
}

/// What a line is about.
#[derive(Deserialize)]
struct Line {
    table: String,
    key: String,
}

impl DayFile {
    /// The file of `day` in `directory`, which is made if it is not there.
    pub(super) fn new(directory: &Path, day: &str) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let path = directory.join(format!("{day}.jsonl.gz"));
        Ok(DayFile {
            out: GzEncoder::new(Draft::new(&path)?, Compression::default()),
            path,
            added: HashSet::new(),
        })
    }

    /// Adds a row, once.
    pub(super) fn add(
        &mut self,
        table: &str,
        key: String,
        row: Map<String, Value>,
    ) -> io::Result<()> {
        let line = json!({"table": table, "key": key, "row": row});
        if self.added.insert((table.to_owned(), key)) {
            serde_json::to_writer(&mut self.out, &line)?;
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Adds what the file that is there has and this one has not, and takes its place.
    /// A file that cannot be read stays as it is, and this fails.
    pub(super) fn publish(mut self) -> io::Result<()> {
        if self.path.exists() {
            let old = MultiGzDecoder::new(BufReader::new(File::open(&self.path)?));
            for text in BufReader::new(old).lines() {
                let text = text?;
                let line: Line = serde_json::from_str(&text)?;
                if !self.added.contains(&(line.table, line.key)) {
                    writeln!(self.out, "{text}")?;
                }
            }
        }
        self.out.finish()?.publish()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn write(directory: &Path, keys: &[(&str, u64)]) -> io::Result<()> {
        let mut file = DayFile::new(directory, "2026-08-22").unwrap();
        for (key, value) in keys {
            let row = json!({"v": value}).as_object().cloned().unwrap();
            file.add("commits", (*key).to_owned(), row).unwrap();
        }
        file.publish()
    }

    fn read(directory: &Path) -> Vec<String> {
        let file = File::open(directory.join("2026-08-22.jsonl.gz")).unwrap();
        let mut text = String::new();
        let mut file = MultiGzDecoder::new(BufReader::new(file));
        file.read_to_string(&mut text).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    #[test]
    fn what_was_written_before_stays_and_nothing_is_there_twice() {
        let directory = tempfile::tempdir().unwrap();
        let archive = directory.path().join("archive");
        write(&archive, &[("1", 1), ("2", 2), ("1", 1)]).unwrap();
        // Killed before the rows were deleted: they are written once more.
        write(&archive, &[("1", 1), ("2", 2)]).unwrap();
        write(&archive, &[("2", 7), ("3", 3)]).unwrap();
        let line =
            |key, value| json!({"table": "commits", "key": key, "row": {"v": value}}).to_string();
        assert_eq!(read(&archive), [line("1", 1), line("2", 7), line("3", 3)]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("2026-08-22.jsonl.gz");
        std::fs::write(&path, "damaged").unwrap();
        write(directory.path(), &[("1", 1)]).unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), b"damaged");
    }
}
