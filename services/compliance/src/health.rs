//! Whether the projector may be asked, and what is wrong with the log that it follows.

use serde::{Deserialize, Serialize};

/// Something wrong with the log; the projector stays on what it verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// What kind.
    pub kind: AlarmKind,
    /// In words.
    pub why: String,
}

/// Kinds of alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    /// The log's key signed two heads that exclude each other. Stays until its operator ends it.
    Forked,
    /// The log's key signed entries that no log can have. Stays until its operator ends it.
    Unfoldable,
    /// The ledger shows an older head than it signed before. Clears when it shows a newer one.
    RolledBack,
    /// The entries served are not those signed, or do not continue those before. Clears when they are.
    EntriesMismatch,
    /// Entry 0 is not the genesis that the trust file names. Clears when it is.
    OtherLog,
}

impl AlarmKind {
    /// Its name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forked => "forked",
            Self::Unfoldable => "unfoldable",
            Self::RolledBack => "rolled_back",
            Self::EntriesMismatch => "entries_mismatch",
            Self::OtherLog => "other_log",
        }
    }

    /// Whether it ends by nothing that the ledger does.
    pub(crate) const fn is_final(self) -> bool {
        matches!(self, Self::Forked | Self::Unfoldable)
    }
}

/// For `/readyz` and for whoever waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Whether the newest head known at some moment since the start was reached. It stays so: answers are given from
    /// then on, each with its position.
    pub caught_up: bool,
    /// What is wrong with the log.
    pub alarm: Option<Alarm>,
    /// Where the bus should be that is waited for.
    pub waits_for_bus: Option<String>,
}

impl Health {
    /// Why it is not ready, if it is not.
    pub fn why_not_ready(&self) -> Option<String> {
        match (&self.alarm, &self.waits_for_bus) {
            (Some(alarm), _) => Some(format!("{}: {}", alarm.kind.as_str(), alarm.why)),
            (None, Some(address)) => Some(format!("waiting for the bus at {address}")),
            (None, None) if self.caught_up => None,
            (None, None) => Some("catching up with the log".to_owned()),
        }
    }
}
