//! What may be asked. HTTP fills these from path and query parameters, NATS from one JSON object.

use std::collections::BTreeMap;

use lotproof::provenance;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::live::Cost;

/// Most steps from the root of a walk that may be asked for.
pub const DEPTH_MAX: u32 = 256;
/// Most nodes of a walk that may be asked for.
pub const NODES_MAX: usize = 10_000;
/// Most facts, changes of hands, anomalies or openings in one page.
pub const LIMIT_MAX: usize = 1_000;

/// One question.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// One lot at a glance.
    Lot(LotRequest),
    /// Where it came from or went.
    Provenance(ProvenanceRequest),
    /// Whether it meets rule packs.
    Verdicts(VerdictsRequest),
    /// What does not fit.
    Anomalies(AnomaliesRequest),
    /// What the log adds up to.
    Digests(NoParameters),
    /// Rule packs here, and the context that each wants.
    Packs(NoParameters),
    /// Which openings opened something.
    Openings(OpeningsRequest),
}

impl Request {
    /// What its answer costs.
    pub(crate) const fn cost(&self) -> Cost {
        match self {
            Self::Anomalies(AnomaliesRequest { lot: None, .. }) | Self::Digests(_) => Cost::WholeLog,
            Self::Lot(_)
            | Self::Provenance(_)
            | Self::Verdicts(_)
            | Self::Anomalies(_)
            | Self::Packs(_)
            | Self::Openings(_) => Cost::Limited,
        }
    }

    /// The endpoint's name, on the bus and in metrics.
    pub const fn endpoint(&self) -> &'static str {
        match self {
            Self::Lot(_) => "lot",
            Self::Provenance(_) => "provenance",
            Self::Verdicts(_) => "verdicts",
            Self::Anomalies(_) => "anomalies",
            Self::Digests(_) => "digests",
            Self::Packs(_) => "packs",
            Self::Openings(_) => "openings",
        }
    }
}

/// Nothing to be said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// One lot, and a page of what is known about it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LotRequest {
    /// The lot, serial or class, in any spelling that can be normalised.
    pub lot: String,
    /// Only facts after this one: `facts_next` of the page before.
    pub after: Option<String>,
    /// How many changes of hands to leave out first.
    pub custody_offset: usize,
    /// Most facts, changes of hands and anomalies, of each, at most [`LIMIT_MAX`].
    pub limit: usize,
}

impl Default for LotRequest {
    fn default() -> Self {
        Self {
            lot: String::new(),
            after: None,
            custody_offset: 0,
            limit: 100,
        }
    }
}

/// Which way to walk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To what it was made from.
    #[default]
    Up,
    /// To what it went into.
    Down,
}

impl From<Direction> for provenance::Direction {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Up => Self::Up,
            Direction::Down => Self::Down,
        }
    }
}

/// A walk from one lot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProvenanceRequest {
    /// Where to start.
    pub lot: String,
    /// Which way.
    pub direction: Direction,
    /// Most steps from the root, at most [`DEPTH_MAX`].
    pub depth: u32,
    /// Most nodes, at most [`NODES_MAX`].
    pub nodes: usize,
    /// Composition as it was at this time (RFC 3339); without it, all there ever was.
    pub at: Option<String>,
}

impl Default for ProvenanceRequest {
    fn default() -> Self {
        Self {
            lot: String::new(),
            direction: Direction::default(),
            depth: 64,
            nodes: 1_000,
            at: None,
        }
    }
}

/// Verdicts on one lot.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VerdictsRequest {
    /// Which lot.
    pub lot: String,
    /// `id@version`, or `id` for its newest version here; without it, every pack here.
    pub pack: Option<String>,
    /// The procurement: a field left out is not stated, `null` states that there is none.
    pub context: Map<String, Value>,
    /// Readings chosen where a pack leaves several; its defaults otherwise.
    pub params: BTreeMap<String, String>,
    /// As of when it is asked, `YYYY-MM-DD`; today (UTC) otherwise.
    pub evaluation: Option<String>,
}

/// A page of the openings that fit nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpeningsRequest {
    /// How many to leave out first.
    pub offset: usize,
    /// Most in the page, at most [`LIMIT_MAX`].
    pub limit: usize,
}

impl Default for OpeningsRequest {
    fn default() -> Self {
        Self {
            offset: 0,
            limit: 100,
        }
    }
}

/// A page of anomalies.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnomaliesRequest {
    /// Those found at this lot and anywhere behind it, nearest first.
    pub lot: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Resting on this party's word.
    pub signer: Option<String>,
    /// How many to leave out first.
    pub offset: usize,
    /// Most in the page, at most [`LIMIT_MAX`].
    pub limit: usize,
}

impl Default for AnomaliesRequest {
    fn default() -> Self {
        Self {
            lot: None,
            kind: None,
            signer: None,
            offset: 0,
            limit: 100,
        }
    }
}
