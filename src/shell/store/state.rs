//! The state file: how the last run ended, which decides whether the index may be trusted.
//!
//! ```text
//! lotproof store 1
//! boot 0d2f6c0e-8f3b-4a51-9a5f-3a4f0f6a9d11
//! index open
//! size 0
//! unclean 1
//! ```
//!
//! It is replaced durably before the index is opened and after it is closed, so a file that says `clean`
//! was never followed by a write to the index. Whatever cannot be read here means: rebuild.

use std::{fs, path::Path};

use super::files;
use crate::port::StoreError;

const FIRST_LINE: &str = "lotproof store 1";

/// What the index was when the file was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IndexState {
    /// Being opened or rebuilt; if this stays, opening it killed the process.
    Opening,
    /// In use.
    Open,
    /// Closed, with everything of it synced.
    Clean,
    /// Something in it did not hold.
    Suspect,
}

impl IndexState {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Opening, "opening"),
        (Self::Open, "open"),
        (Self::Clean, "clean"),
        (Self::Suspect, "suspect"),
    ];

    fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(state, _)| *state == self)
            .map_or("suspect", |(_, word)| word)
    }
}

/// The content of the state file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Run of the machine that wrote it.
    pub(super) boot: String,
    /// How far the index had come.
    pub(super) index: IndexState,
    /// Entries promised when it was written; a shorter value log has lost some.
    pub(super) size: u64,
    /// How many runs in a row, this one included, did not end cleanly.
    pub(super) unclean: u32,
}

impl State {
    /// What the file says, or nothing if it is missing or not exactly as written here.
    pub(super) fn load(path: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(path).ok()?)
    }

    /// Replaces the file durably.
    pub(super) fn save(&self, path: &Path) -> Result<(), StoreError> {
        files::replace(path, self.render().as_bytes())
    }

    fn render(&self) -> String {
        let Self {
            boot,
            index,
            size,
            unclean,
        } = self;
        format!(
            "{FIRST_LINE}\nboot {boot}\nindex {}\nsize {size}\nunclean {unclean}\n",
            index.word()
        )
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let mut field = |name: &str| lines.next()?.strip_prefix(name);
        field(FIRST_LINE)?;
        let boot = field("boot ")?.to_owned();
        let word = field("index ")?;
        let (index, _) = *IndexState::ALL.iter().find(|(_, spelled)| *spelled == word)?;
        let size = field("size ")?.parse().ok()?;
        let unclean = field("unclean ")?.parse().ok()?;
        lines.next().is_none().then_some(Self {
            boot,
            index,
            size,
            unclean,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_survives_its_file_and_a_torn_file_is_nothing() {
        for (index, _) in IndexState::ALL {
            let state = State {
                boot: "some-boot".into(),
                index,
                size: 77,
                unclean: 2,
            };
            let text = state.render();
            assert_eq!(State::parse(&text), Some(state));
            for len in 0..text.len() {
                assert_eq!(State::parse(&text[..len]), None, "cut at {len}");
            }
        }
    }
}
