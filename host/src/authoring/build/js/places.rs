//! Where in the author's files each line of the bundle is from, in a form that costs a
//! component next to nothing.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A source map, as far as it is read.
#[derive(Debug, Deserialize)]
pub(super) struct SourceMap {
    /// Paths, relative to the map's own directory.
    pub(super) sources: Vec<String>,
    mappings: String,
}

/// What the SDK looks positions up in.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct Places {
    /// The bundle.
    file: &'static str,
    /// The author's files.
    sources: Vec<String>,
    /// By line of the bundle, counted from 1, parts by column: four numbers each, the column,
    /// the file, and its line and column. All but the file counted from 1.
    lines: BTreeMap<usize, Vec<i64>>,
}

impl Places {
    /// Reads a map of `file`. `name` gives the name of each source, and none for those that
    /// are left out. `before` lines are put before the bundle.
    pub(super) fn read(
        map: &SourceMap,
        file: &'static str,
        before: usize,
        name: impl Fn(&str) -> Option<String>,
    ) -> Places {
        let mut places = Places {
            file,
            sources: Vec::new(),
            lines: BTreeMap::new(),
        };
        // The place in `sources` of each source that has a name.
        let named: Vec<Option<i64>> = map
            .sources
            .iter()
            .map(|source| {
                let index = i64::try_from(places.sources.len()).ok()?;
                places.sources.push(name(source)?);
                Some(index)
            })
            .collect();
        let (mut source, mut line, mut column) = (0_i64, 0_i64, 0_i64);
        for (row, segments) in map.mappings.split(';').enumerate() {
            let mut generated = 0_i64;
            let mut parts = Vec::new();
            for segment in segments.split(',') {
                let numbers = decode(segment);
                generated += numbers.first().copied().unwrap_or_default();
                let [_, source_step, line_step, column_step, ..] = numbers.as_slice() else {
                    continue;
                };
                source += source_step;
                line += line_step;
                column += column_step;
                let index = usize::try_from(source).ok().and_then(|at| named.get(at));
                if let Some(Some(index)) = index {
                    parts.extend([generated + 1, *index, line + 1, column + 1]);
                }
            }
            if !parts.is_empty() {
                places.lines.insert(row + 1 + before, parts);
            }
        }
        places
    }
}

/// The numbers of one segment: base 64, variable length, the sign in the lowest bit.
fn decode(segment: &str) -> Vec<i64> {
    let mut numbers = Vec::new();
    let (mut value, mut shift) = (0_i64, 0_u32);
    for digit in segment.bytes() {
        let bits = i64::from(match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            _ => 63,
        });
        value |= (bits & 31).checked_shl(shift).unwrap_or_default();
        shift += 5;
        if bits < 32 {
            let size = value >> 1;
            numbers.push(if value & 1 == 1 { -size } else { size });
            (value, shift) = (0, 0);
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_files_that_have_names() {
        let map = SourceMap {
            sources: vec!["sdk.js".to_owned(), "a.js".to_owned()],
            // Line 2: two parts of sdk.js, then one of a.js, 32 lines further down. Line 4:
            // back by one line, at the same column.
            mappings: ";AAAA,IAAI,QCgCR;;AADA".to_owned(),
        };
        let name = |source: &str| (source == "a.js").then(|| "challenge.js".to_owned());
        let places = Places::read(&map, "component.js", 1, name);
        assert_eq!(places.sources, ["challenge.js"]);
        let wanted = [(3, vec![13, 0, 33, -3]), (5, vec![1, 0, 32, -3])];
        assert_eq!(places.lines, BTreeMap::from(wanted));
    }
}
