//! Openings of sealed fields, from the files that `lotproof publish --openings` writes.
//!
//! ```json
//! { "event id": [ { "path": "65.5.0.3", "salt": "64 hex digits", "value": "hex" } ] }
//! ```
//!
//! An opening belongs where its digest stands in the log, whatever event the file names it under. One whose
//! digest stands nowhere (a wrong value, salt or path, or an event that has not come yet) reveals nothing,
//! and is reported as unmatched. Values never leave this process except inside answers about lots.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result};
use lotproof::{event::sealed::Opening, provenance::Projection};
use serde::Serialize;

/// Openings, and which of them have opened something.
#[derive(Debug, Default)]
pub(crate) struct Openings {
    rows: Vec<Row>,
    matched: usize,
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
        Ok(Self { rows, matched: 0 })
    }

    /// Opens what those that have not opened anything yet can open.
    pub(crate) fn apply(&mut self, projection: &mut Projection) {
        if self.matched == self.rows.len() {
            return;
        }
        for row in self.rows.iter_mut().filter(|row| row.facts == 0) {
            row.facts = projection.open(row.opening.clone());
            self.matched += usize::from(row.facts > 0);
        }
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
