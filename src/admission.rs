//! Stage three, *decide*: what a verified statement becomes, as a pure function of the prefix, the bytes and
//! the recorded time.
//!
//! | sequence against the feed's last | and | is |
//! |---|---|---|
//! | `<= last` | same hash | [`NoPlace::Duplicate`] |
//! | `<= last` | other hash | [`NoPlace::Equivocation`] |
//! | beyond what the key may publish | | [`NoPlace::FeedClosed`] |
//! | `> last + 1` | | [`NoPlace::Gap`] |
//! | `last + 1` | previous differs | [`NoPlace::ChainBroken`] |
//! | `last + 1` | previous = last hash | an entry: admitted, or refused with a code |
//!
//! A statement that has its place always takes it, admitted or refused whole; the next one chains on its
//! hash either way, so nothing is ever signed twice. [`LedgerState`] is a fold over the entries: the writer,
//! its recovery and every auditor run the same [`LedgerState::decide`] and the same [`LedgerState::take`].
//! Spec: `proto/README.md`, "Admission".
//!
//! ```text
//!  bytes --prepare--> Prepared --decide--> Decided --take--> LedgerState
//!                 \-> NoPlace          \-> NoPlace
//! ```

mod decide;
mod feed;
pub mod kept;
mod parts;
mod prepare;
pub(crate) mod resume;
pub(crate) mod snapshot;
mod state;

pub use self::{
    decide::Decided,
    feed::{CHUNK_ROWS, Feed, FeedRow, OlderRows, RowChunk},
    prepare::{BadEvent, NoPlace, Prepared},
    state::{FoldError, LedgerState, Taken, genesis_entry},
};

#[cfg(test)]
mod tests;
