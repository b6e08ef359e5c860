//! How evaluation sees the ledger: facts about lots, parties, lists and waivers, as they stood at one
//! position, each with the assurance of whoever stated it.
//!
//! ```text
//! LotFacts --productions--> StepFacts --inputs--> InputFacts --lot--> LotFacts ...
//!                              |                      '-- sellers, owners --> PartyFacts
//!                              '-- operator, principal, licensors ---------> PartyFacts --owners--> ...
//! ```
//!
//! A [`Stated`] that is `None` was *not stated* (or is sealed and unopened), which is never the same as
//! *stated as none*. Quantities are exact rationals in base units (KGM, LTR, KWH, pieces). Deliberately
//! absent: anything concluded by a rule. The view reports steps as they were, transparent ones such as
//! `split` included; looking through them is the evaluator's work.

use std::{collections::BTreeMap, fmt, sync::Arc};

use num_rational::BigRational;
use serde::{Deserialize, Serialize};
use time::Date;

use crate::time::{EventTime, RecordedAt};

/// Exact quantities, never floats.
pub type Exact = BigRational;

/// How much stands behind a fact; follows the signer, never a field. Ordered, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// Said by somebody else about the claimed party's doings, without its delegation.
    Reported,
    /// The maker's own statement.
    Asserted,
    /// A statement with a certification clause whose scope covers the fact.
    SupplierCertified,
    /// Evidence signed by an enrolled, accredited auditor or laboratory.
    ThirdPartyAudited,
    /// Under the authority's key.
    AuthorityConfirmed,
}

impl Assurance {
    /// Its name on the wire of packs and verdicts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Asserted => "asserted",
            Self::SupplierCertified => "supplier_certified",
            Self::ThirdPartyAudited => "third_party_audited",
            Self::AuthorityConfirmed => "authority_confirmed",
        }
    }
}

/// A value that somebody stated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact<T> {
    /// What was stated.
    pub value: T,
    /// How much stands behind it.
    pub assurance: Assurance,
}

impl<T> Fact<T> {
    /// `value`, backed by `assurance`.
    pub const fn new(value: T, assurance: Assurance) -> Self {
        Self { value, assurance }
    }
}

/// A signed event, as its view numbers it. Numbers of different views have nothing to do with each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventNumber(pub u32);

/// Without the number: views of the same facts that came in another order show the same.
impl fmt::Debug for EventNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventNumber")
    }
}

/// Which signed event it is, who signed it, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedEvent {
    /// Its entry in the log.
    pub leaf_index: u64,
    /// Whose feed it is in: whoever signed it.
    pub signer: String,
    /// Its id, unique for the signer.
    pub event_id: String,
    /// When the signer says that it happened.
    pub event_time: EventTime,
    /// When the ledger recorded it.
    pub recorded_at: RecordedAt,
}

/// A fact, or `None`: not stated, or sealed without an opening.
pub type Stated<T> = Option<Fact<T>>;

/// What the ledger is for: fixture lists count only where it is not production.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Real goods.
    Production,
    /// A demonstration.
    Demo,
    /// A test.
    Test,
    /// A place to try things.
    Sandbox,
}

/// Amounts of one item, in base units, each stated or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Kilograms.
    pub mass: Stated<Exact>,
    /// Pieces.
    pub count: Stated<Exact>,
    /// Kilowatt-hours.
    pub energy: Stated<Exact>,
    /// Litres.
    pub volume: Stated<Exact>,
    /// Costs where the item was consumed; empty if not stated. Several if stated on several bases.
    pub costs: Vec<Fact<Cost>>,
}

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// How much, in units of the currency.
    pub value: Exact,
    /// ISO 4217 code.
    pub currency: String,
    /// `price`, `direct_material`, `direct_labour` ...; empty if not said.
    pub basis: String,
}

/// What is known of a lot, or of a serial (a lot of one).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LotFacts {
    /// Lot kind (`compliance.md` 8.1): `ore` ... `cell`, `module`, `pack`.
    pub kind: Stated<String>,
    /// How much of the lot there ever was, out of all its productions. For a serial: one piece.
    pub produced: Amounts,
    /// Steps that it came out of; several if made in several runs. Empty: commissioned from nothing, an
    /// opening balance, or unknown. In order of (issuer, event id).
    pub productions: Vec<StepFacts>,
    /// Other stated attributes by path, for example `product.model`, `title.binding_contract_date`.
    pub attributes: BTreeMap<String, Fact<Attribute>>,
    /// Evidence about the lot.
    pub evidence: Vec<Evidence>,
    /// What does not fit in how it was made, each kind once.
    pub contradictions: Vec<Contradiction>,
    /// Events that say what product it is of, and what that product is.
    pub declared_by: Vec<EventNumber>,
    /// Events that say how much of it there ever was: its makings, or openings where it has none.
    pub counted_by: Vec<EventNumber>,
    /// Events behind each of the attributes, by path.
    pub attributed_by: BTreeMap<String, Vec<EventNumber>>,
}

/// Signed facts about a lot that do not fit each other (`docs/anomalies.md`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contradiction {
    /// The code of the anomaly.
    pub code: String,
    /// Several versions of a statement stand beside each other, and nobody can say which holds.
    pub contested: bool,
    /// The maker gave out more of the lot than there was: whatever was made of it, by anybody, may be of something
    /// else.
    pub opens_takers: bool,
}

impl Contradiction {
    /// What an anomaly of this code opens at the lot where it is; what each kind does is told in `docs/anomalies.md`.
    pub fn of(code: &str) -> Self {
        Self {
            code: code.to_owned(),
            contested: matches!(code, "voided_after_use" | "conflicting_report"),
            opens_takers: code == "consumed_more_than_made",
        }
    }
}

/// The value of a plain attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// Words or a code.
    Text(String),
    /// An exact number.
    Number(Exact),
    /// A calendar date.
    Date(Date),
    /// Yes or no.
    Flag(bool),
}

/// One step that a lot came out of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepFacts {
    /// Step id (`compliance.md` 8.2), for example `fill`, `assemble_pack`, `split`.
    pub step: Stated<String>,
    /// Party that ran the step.
    pub operator: Stated<String>,
    /// Party on whose behalf it ran: `Some(None)` is *for its own account* (the event names nobody and
    /// seals nothing there), `None` is not stated.
    pub principal: Stated<Option<String>>,
    /// Facility identifier.
    pub facility: Stated<String>,
    /// ISO 3166-1 alpha-2 country of the facility.
    pub country: Stated<String>,
    /// ISO 3166-2 subdivision of the facility.
    pub subdivision: Stated<String>,
    /// When it happened (UTC date of the event time).
    pub date: Option<Date>,
    /// What went in. Serials of one class lot may be folded into one input of that class lot, with a count.
    pub inputs: Vec<InputFacts>,
    /// Signed claim that `inputs` is exhaustive. A split or merge names its inputs exhaustively by nature:
    /// `true` at the event's assurance.
    pub inputs_complete: Stated<bool>,
    /// How much of *this lot* came out of this step.
    pub produced: Amounts,
    /// Part of the step's inputs that belongs to this lot: one if it is the only output, else the stated
    /// allocation, else its part of the outputs' mass (losses stay with the outputs).
    pub share: Stated<Exact>,
    /// `identity_preserved`, `segregated`, `mass_balance`, `book_and_claim`; not stated means that the
    /// statement itself says that these inputs went into these outputs.
    pub custody_model: Stated<String>,
    /// Licences used.
    pub licences: Vec<Fact<Licence>>,
    /// Signed claim that `licences` is exhaustive.
    pub licences_complete: Stated<bool>,
    /// Events that tell the step: those of its run, and those by which something was taken out again.
    pub told_by: Vec<EventNumber>,
    /// Events that declare its licences.
    pub licensed_by: Vec<EventNumber>,
}

/// One thing that went into a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFacts {
    /// Lot, or serial.
    pub lot: String,
    /// Assurance of the statement that this lot went in.
    pub assurance: Assurance,
    /// How much of it was consumed, by all outputs of the step together.
    pub consumed: Amounts,
    /// Who sold it into the step (the transfers of title up to here, the consumer excluded by the evaluator).
    pub sellers: Vec<Fact<String>>,
    /// Who owned it at the transfer into the step.
    pub owners: Vec<Fact<String>>,
    /// Signed claim that the titles are exhaustive; if `true`, no other seller or owner exists.
    pub titles_complete: Stated<bool>,
    /// Events that tell of the titles.
    pub titled_by: Vec<EventNumber>,
}

/// A licence under which a step ran or that a party holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Licence {
    /// Licence identifier.
    pub licence: String,
    /// Who granted it; `None`: not stated, or the licence was never declared.
    pub licensor: Option<String>,
    /// Whether it grants effective control; `None`: not stated.
    pub effective_control: Option<bool>,
}

/// What is known of a party at a date.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartyFacts {
    /// Legal name and aliases, as enrolled by the authority.
    pub names: Vec<String>,
    /// ISO 3166-1 alpha-2 country of organisation.
    pub organized_in: Stated<String>,
    /// ISO 3166-1 alpha-2 country of the principal place of business.
    pub principal_place: Stated<String>,
    /// Citizenships of a natural person.
    pub citizenships: Stated<Vec<String>>,
    /// Countries of which a natural person is a lawful permanent resident.
    pub permanent_residences: Stated<Vec<String>>,
    /// Parties that it succeeds, effective at the date asked for.
    pub predecessors: Vec<Fact<String>>,
    /// Who holds what part of it.
    pub owners: Vec<Fact<Stake>>,
    /// Signed claim that `owners` is exhaustive for equity, votes and debt; undeclared ownership is otherwise
    /// [0, 1 - declared].
    pub ownership_complete: Stated<bool>,
    /// The same for seats of the board.
    pub board_complete: Stated<bool>,
    /// Licences held.
    pub licences: Vec<Fact<Licence>>,
    /// Signed claim that `licences` is exhaustive.
    pub licences_complete: Stated<bool>,
    /// Evidence about the party.
    pub evidence: Vec<Evidence>,
    /// Events that declare holders and seats of the board.
    pub owned_by: Vec<EventNumber>,
    /// Events that declare whom it succeeds.
    pub succeeds_by: Vec<EventNumber>,
    /// Events that declare licences held.
    pub licensed_by: Vec<EventNumber>,
}

/// One holder's parts of a party, each from 0 to 1, `None` where not stated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stake {
    /// The holder.
    pub owner: String,
    /// Part of the equity.
    pub equity: Option<Exact>,
    /// Part of the votes.
    pub votes: Option<Exact>,
    /// Part of the board that it appoints.
    pub board: Option<Exact>,
    /// Part of the debt that it holds.
    pub debt: Option<Exact>,
}

/// A document, by its hash, about a lot or a party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Kind of document, for example `cbp-uflpa-exception`.
    pub kind: String,
    /// SHA-256 of the document, lower-case hex.
    pub document: String,
    /// Claim paths that it supports.
    pub claims: Vec<String>,
    /// By whom it is signed.
    pub assurance: Assurance,
    /// First day on which it holds; none: always.
    pub valid_from: Option<Date>,
    /// Last day on which it holds; none: open-ended.
    pub valid_to: Option<Date>,
    /// The event that names it.
    pub told_by: EventNumber,
}

/// One edition of an entity list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEdition {
    /// List id, for example `us-ndaa-154`.
    pub list: String,
    /// Edition name.
    pub edition: String,
    /// First day on which it counts.
    pub effective_from: Date,
    /// Whether it names everybody who is on the list. An incomplete list clears nobody.
    pub complete: bool,
    /// Fictional: adds its entries to the edition in force, and only where the ledger's purpose allows it.
    pub fixture: bool,
    /// Stands at this position, but was withdrawn at a later one.
    pub later_withdrawn: bool,
    /// Who is on it.
    pub entries: Vec<ListEntry>,
}

/// One name on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEntry {
    /// As listed.
    pub name: String,
    /// Other spellings.
    pub aliases: Vec<String>,
    /// Sublist, if the list has several.
    pub sublist: Option<String>,
    /// Match decisions of the authority: these enrolled parties are meant.
    pub parties: Vec<String>,
    /// Match decisions of the authority: these enrolled parties bear a like name and are not meant.
    pub others: Vec<String>,
}

/// A waiver that the authority recorded, not revoked at this position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaiverFacts {
    /// Waiver id.
    pub waiver: String,
    /// Kind, as packs name it, for example `us-s154-waiver`.
    pub kind: String,
    /// Who granted it.
    pub grantor: String,
    /// Findings that it makes.
    pub findings: Vec<String>,
    /// First day.
    pub valid_from: Date,
    /// Last day; none: open-ended, unless the pack bounds it.
    pub valid_to: Option<Date>,
}

/// The ledger at one position. Same position, same answers, in the same order.
pub trait View {
    /// Entries taken into account: the size of the log behind this view.
    fn position(&self) -> u64;

    /// What the ledger is for.
    fn purpose(&self) -> Purpose;

    /// What is known of a lot, as composed at `clock` (none: by everything known). `None`: never heard of.
    fn lot(&self, lot: &str, clock: Option<Date>) -> Option<Arc<LotFacts>>;

    /// What is known of a party at a date. `None`: not enrolled.
    fn party(&self, party: &str, at: Date) -> Option<PartyFacts>;

    /// Every edition of a list that stands at this position, in any order.
    fn editions(&self, list: &str) -> Vec<ListEdition>;

    /// Waivers that name the lot and stand at this position.
    fn waivers(&self, lot: &str) -> Vec<WaiverFacts>;

    /// The event behind a number that facts of this view name.
    fn event(&self, number: EventNumber) -> SignedEvent;

    /// How much stands behind what an event says at a claim path, for example `step.operator`.
    fn backing(&self, number: EventNumber, claim: &str) -> Assurance;
}
