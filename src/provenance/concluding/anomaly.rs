//! Anomalies: facts that contradict each other, and on whom they weigh.
//!
//! Each kind, with an example and what cures it: `docs/anomalies.md`.

use serde::Serialize;

use super::super::{FactKey, amount::Amount};

/// What does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnomalyKind {
    /// The maker of a lot used and let go of more of it than he made and got back; the facts are those beyond
    /// the last that is covered.
    ConsumedMoreThanMade,
    /// Another holder used and let go of more of a lot than came to him.
    UsedMoreThanHeld,
    /// Used by somebody who had never held any of it.
    ConsumedWithoutCustody,
    /// Shipped or handed over by somebody who had never held any of it.
    ShippedWithoutCustody,
    /// Received, of a lot that its maker says he made, by somebody to whom nobody who held any shipped it.
    ReceivedNeverShipped,
    /// More received than was shipped to the receiver.
    ReceivedMoreThanShipped,
    /// Packed, taken apart, held, recalled or given back by somebody who had no part in it.
    ActedWithoutStanding,
    /// A serial made twice, or a lot made by two parties.
    CommissionedTwice,
    /// Made by somebody who does not own the identifier and was not asked to by its owner.
    CommissionedOutsideNamespace,
    /// A party used a lot more than 26 hours before another says that he made it.
    MadeBeforeInputs,
    /// Lots that went into each other in a circle that nothing ever entered from outside.
    OwnAncestor,
    /// Reported by somebody other than who worked, without being asked to.
    IssuerNotOperator,
    /// Corrected or voided after others had relied on it; the fact still stands, contested.
    VoidedAfterUse,
    /// Two reports of one event that differ.
    ConflictingReport,
    /// A step with a complete list of inputs put out more mass than went in.
    YieldExceeded,
}

impl AnomalyKind {
    /// Its code, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConsumedMoreThanMade => "consumed_more_than_made",
            Self::UsedMoreThanHeld => "used_more_than_held",
            Self::ConsumedWithoutCustody => "consumed_without_custody",
            Self::ShippedWithoutCustody => "shipped_without_custody",
            Self::ReceivedNeverShipped => "received_never_shipped",
            Self::ReceivedMoreThanShipped => "received_more_than_shipped",
            Self::ActedWithoutStanding => "acted_without_standing",
            Self::CommissionedTwice => "commissioned_twice",
            Self::CommissionedOutsideNamespace => "commissioned_outside_namespace",
            Self::MadeBeforeInputs => "made_before_inputs",
            Self::OwnAncestor => "own_ancestor",
            Self::IssuerNotOperator => "issuer_not_operator",
            Self::VoidedAfterUse => "voided_after_use",
            Self::ConflictingReport => "conflicting_report",
            Self::YieldExceeded => "yield_exceeded",
        }
    }
}

/// On whom an anomaly weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// On the lot, wherever it is: its maker's own account, or its making, does not hold.
    Lot,
    /// On the signer, and on what he made or passed on of the lot: the lot in others' hands is not touched.
    Signer,
}

/// Facts that do not fit each other, at one lot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Anomaly {
    /// The lot or serial; the first one of a run.
    pub lot: String,
    /// The last one of a run of serials that share it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// What does not fit.
    pub kind: AnomalyKind,
    /// On whom it weighs.
    pub weighs_on: Weight,
    /// The party whose word it rests on.
    pub signer: String,
    /// The facts, in order of event time and then (issuer, event id).
    pub facts: Vec<FactKey>,
    /// Lots that came out of it: it weighs on them too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// What was used or received, and what it exceeds, where amounts are what does not fit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub amounts: Vec<Amount>,
    /// In words, with the numbers.
    pub detail: String,
    /// Whether its signer has no part in the lot: then it is no fact about the lot, and stands in no answer about it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_stranger: bool,
}
