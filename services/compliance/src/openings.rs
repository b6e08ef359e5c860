//! Openings of sealed fields, from the files that `lotproof publish --openings` writes.
//!
//! ```json
//! { "event id": [ { "path": "65.5.0.3", "salt": "64 hex digits", "value": "hex" } ] }
//! ```
//!
//! An opening belongs where its digest stands in the log, whatever event the file names it under. One whose
//! digest stands nowhere (a wrong value, salt or path, or an event that has not come yet) reveals nothing,
//! and is reported as unmatched. Values never leave this process except inside answers about lots.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

use anyhow::{Context as _, Result};
use lotproof::{event::sealed::Opening, provenance::Projection};
use serde::Serialize;

/// Openings, and which of them have opened something.
///
/// The projection is given all of them before the first event. Later only those are looked at whose digest came
/// with an entry, however many wait: a turn of the fold has to be short.
#[derive(Debug, Default)]
pub(crate) struct Openings {
    rows: Vec<Row>,
    matched: usize,
    /// Rows that have opened nothing yet, by digest.
    waiting: HashMap<[u8; 32], Vec<usize>>,
    /// Digests of those that stand in some entry. Its event counts later than the entry comes if it is a part of a
    /// long one, or an act that waits for approval.
    seen: BTreeSet<[u8; 32]>,
}

#[derive(Debug)]
struct Row {
    event: String,
    opening: Opening,
    /// In how many facts it opens a field.
    facts: usize,
}

/// An opening that fits no seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unmatched {
    /// The event that its file names it under.
    pub event: String,
    /// Where the field would belong in its event.
    pub path: String,
}

impl Openings {
    /// Reads files of openings.
    pub(crate) fn read<P: AsRef<Path>>(paths: &[P]) -> Result<Self> {
        let mut rows = Vec::new();
        for path in paths {
            let path = path.as_ref();
            let json = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            let file: BTreeMap<String, Vec<Opening>> = serde_json::from_slice(&json)
                .with_context(|| format!("{} is no file of openings", path.display()))?;
            for (event, openings) in file {
                rows.extend(openings.into_iter().map(|opening| Row {
                    event: event.clone(),
                    opening,
                    facts: 0,
                }));
            }
        }
        Ok(Self::of(rows))
    }

    fn of(rows: Vec<Row>) -> Self {
        let mut waiting: HashMap<[u8; 32], Vec<usize>> = HashMap::new();
        for (number, row) in rows.iter().enumerate() {
            // No event has a longer path, and there is no digest of one.
            if u16::try_from(row.opening.path.len()).is_ok() {
                let digest = *row.opening.digest().as_bytes();
                waiting.entry(digest).or_default().push(number);
            }
        }
        Self {
            rows,
            matched: 0,
            waiting,
            seen: BTreeSet::new(),
        }
    }

    /// Hands all of them to a projection that has no event yet.
    pub(crate) fn give(&self, projection: &mut Projection) {
        for row in &self.rows {
            projection.open(row.opening.clone());
        }
    }

    /// Notes which of them an entry has the digest of. A digest stands there as it is, behind its length.
    pub(crate) fn look(&mut self, entry: &[u8]) {
        if self.waiting.is_empty() {
            return;
        }
        for window in entry.windows(33) {
            if let Some((32, digest)) = window.split_first()
                && let Ok(digest) = <[u8; 32]>::try_from(digest)
                && self.waiting.contains_key(&digest)
            {
                self.seen.insert(digest);
            }
        }
    }

    /// Counts those that have opened something with the entries looked at so far.
    pub(crate) fn apply(&mut self, projection: &mut Projection) {
        let (rows, waiting, matched) = (&mut self.rows, &mut self.waiting, &mut self.matched);
        self.seen.retain(|digest| {
            let mut is_open = false;
            for number in waiting.get(digest).into_iter().flatten() {
                if let Some(row) = rows.get_mut(*number) {
                    row.facts = projection.open(row.opening.clone());
                    *matched += usize::from(row.facts > 0);
                    is_open |= row.facts > 0;
                }
            }
            if is_open {
                waiting.remove(digest);
            }
            !is_open
        });
    }

    /// How many have opened something.
    pub(crate) const fn matched(&self) -> usize {
        self.matched
    }

    /// How many have not.
    pub(crate) const fn unmatched(&self) -> usize {
        self.rows.len() - self.matched
    }

    /// Those that have not, in order of their files.
    pub(crate) fn each_unmatched(&self) -> impl Iterator<Item = Unmatched> {
        let unmatched = self.rows.iter().filter(|row| row.facts == 0);
        unmatched.map(|row| Unmatched {
            event: row.event.clone(),
            path: row.opening.path.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use lotproof::id::Hash;

    use super::*;

    #[test]
    fn only_openings_whose_digest_came_are_looked_at() {
        let opening = |path: &str| Opening {
            path: path.into(),
            salt: Hash::of(&[path.as_bytes()]),
            value: vec![1],
        };
        let row = |path: &str| Row {
            event: "e".into(),
            opening: opening(path),
            facts: 0,
        };
        // One is in two files.
        let mut openings = Openings::of(vec![row("65.2"), row("65.3"), row("65.3")]);
        let digest = *opening("65.3").digest().as_bytes();
        let entry = [b"before \x12\x20", digest.as_slice(), b" behind"].concat();
        for cut in [&entry[..entry.len() - 8], &entry[9..], b"", &[32; 40]] {
            openings.look(cut);
            assert!(openings.seen.is_empty(), "{cut:?}");
        }
        openings.look(&entry);
        assert_eq!(openings.seen, BTreeSet::from([digest]));
        assert_eq!(openings.waiting[&digest], [1, 2]);
        // No event has it yet: it is looked for again.
        openings.apply(&mut Projection::new());
        assert_eq!(
            (openings.seen.len(), openings.matched(), openings.unmatched()),
            (1, 0, 3)
        );
    }
}
