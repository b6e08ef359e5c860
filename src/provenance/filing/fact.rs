//! Facts: what the projection keeps of an event.
//!
//! An event becomes one [`Fact`]: who says it, when, and a list of [`Leg`]s, each an identifier (or a run of
//! them) in a role with a quantity. Everything that is asked seldom (costs, licences, texts) stays in the
//! encoded event beside it, without the long serial lists, and is decoded when asked for.

use prost::Message as _;

use crate::{
    register::EventPlace,
    wire::v1::{self, event::Kind},
};

use rust_decimal::Decimal;

use super::{reading, span::Span, symbol::Symbol};

/// What an identifier is to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::provenance) enum Role {
    /// Came into being without stated inputs: commissioned.
    Made,
    /// Was there when its holder began to report: opening balance.
    Opening,
    /// The class lot that the event's serials are members of.
    Class,
    /// Went into a step (transformed, recycled, split, merged).
    Input,
    /// Came out of a step.
    Output,
    /// Was built into a parent.
    Child,
    /// Was built from children.
    Parent,
    /// Was taken out of a parent.
    Removed,
    /// Had children taken out.
    Dismantled,
    /// Was put on or into a container.
    Packed,
    /// Contains.
    Container,
    /// Was taken off a container.
    Unpacked,
    /// The container that something was taken off.
    Emptied,
    /// Used up: scrapped, destroyed by an inspection.
    Consumed,
    /// Left on a shipment.
    Sent,
    /// Arrived.
    Taken,
    /// Refused at the door, withdrawn or lapsed: did not change hands after all.
    Returned,
    /// Changed custodian.
    Handed,
    /// Changed owner.
    Sold,
    /// Crossed a border.
    Crossed,
    /// Was seen, counted, inspected.
    Seen,
    /// Put on hold.
    Held,
    /// Taken off hold.
    Released,
    /// Recalled.
    Recalled,
    /// A recall of it was completed or lifted.
    RecallEnded,
    /// Evidence was given about it.
    About,
}

impl Role {
    /// Roles by which a lot comes into being.
    pub(in crate::provenance) const fn makes(self) -> bool {
        matches!(self, Self::Made | Self::Output | Self::Parent)
    }

    /// Roles by which a lot goes into something else.
    pub(in crate::provenance) const fn uses(self) -> bool {
        matches!(self, Self::Input | Self::Child)
    }

    /// Roles by which who holds a container, and with it the contents, may change.
    pub(in crate::provenance) const fn moves(self) -> bool {
        matches!(self, Self::Sent | Self::Taken | Self::Returned | Self::Handed)
    }
}

/// A quantity as an event gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::provenance) enum Stated {
    /// Left out.
    Not,
    /// Sealed and not opened.
    Sealed,
    /// Given.
    As {
        /// The number.
        value: Decimal,
        /// Its unit, none for pieces.
        unit: Symbol,
    },
}

/// One identifier, or run of serials, in a fact.
#[derive(Clone, Copy, Debug)]
pub(in crate::provenance) struct Leg {
    pub(in crate::provenance) role: Role,
    pub(in crate::provenance) span: Span,
    /// Of a run: one piece each.
    pub(in crate::provenance) quantity: Stated,
    pub(in crate::provenance) mass: Stated,
    pub(in crate::provenance) product: Symbol,
    /// Whether it comes from a serial list.
    pub(in crate::provenance) serial: bool,
    /// Zero-based position in its list of items, for what is only in the encoded event.
    pub(in crate::provenance) item: u16,
}

impl Leg {
    /// An identifier of which nothing else is stated.
    pub(in crate::provenance) const fn new(role: Role, span: Span) -> Self {
        Self {
            role,
            span,
            quantity: Stated::Not,
            mass: Stated::Not,
            product: Symbol::NONE,
            serial: false,
            item: u16::MAX,
        }
    }
}

/// Another party in an event: not stated, sealed, or named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::provenance) enum Other {
    #[default]
    Not,
    Sealed,
    Named(Symbol),
}

impl Other {
    /// The party, if the event names it.
    pub(in crate::provenance) fn named(self) -> Option<Symbol> {
        match self {
            Self::Named(party) => Some(party),
            Self::Not | Self::Sealed => None,
        }
    }
}

/// One event, as the projection keeps it.
#[derive(Debug)]
pub(in crate::provenance) struct Fact {
    pub(in crate::provenance) place: EventPlace,
    pub(in crate::provenance) recorded_at: i64,
    /// The earliest of all reports of it.
    pub(in crate::provenance) issued_at: i64,
    pub(in crate::provenance) event_time: i64,
    pub(in crate::provenance) issuer: Symbol,
    /// Number of the feed in the projection's list.
    pub(in crate::provenance) feed: u32,
    /// SHA-256 over issuer and event, positions replaced; see `digest`.
    pub(in crate::provenance) digest: [u8; 32],
    /// Field number of `Event.kind`.
    pub(in crate::provenance) kind: u32,
    pub(in crate::provenance) by_authority: bool,
    /// Imported from a document of this party (none: the document does not say).
    pub(in crate::provenance) reported: Option<Symbol>,
    /// Whether it carries a certification clause.
    pub(in crate::provenance) certified: bool,
    /// Something corrects, voids or contradicts it.
    pub(in crate::provenance) contested: bool,
    /// How often the same content was reported again.
    pub(in crate::provenance) repeats: u32,
    /// The event that it refers to, if that is known.
    pub(in crate::provenance) target: Option<u32>,
    pub(in crate::provenance) reading: Reading,
    /// The event as signed, without serial lists.
    pub(in crate::provenance) encoded: Box<[u8]>,
}

impl Fact {
    /// The event's id, which its encoding begins with.
    pub(in crate::provenance) fn id(&self) -> &str {
        reading::id(&self.encoded)
    }
}

/// What is read of an event, openings applied.
#[derive(Debug, Default)]
pub(in crate::provenance) struct Reading {
    pub(in crate::provenance) step: Symbol,
    pub(in crate::provenance) facility: Symbol,
    pub(in crate::provenance) operator: Symbol,
    pub(in crate::provenance) principal: Other,
    pub(in crate::provenance) from: Other,
    pub(in crate::provenance) to: Other,
    pub(in crate::provenance) carrier: Other,
    /// The id that ties the event to others: of its shipment, its run or its recall.
    pub(in crate::provenance) reference: Symbol,
    pub(in crate::provenance) inputs_complete: Option<bool>,
    pub(in crate::provenance) legs: Box<[Leg]>,
}

/// The event that an event refers to, if its kind does, and the encoding of the event without that reference.
pub(in crate::provenance) fn without_reference(event: &v1::Event) -> Option<(EventPlace, Vec<u8>)> {
    if !matches!(
        event.kind,
        Some(Kind::Certified(_) | Kind::Corrected(_) | Kind::Voided(_) | Kind::ActApproved(_))
    ) {
        return None;
    }
    let mut event = event.clone();
    let reference = match event.kind.as_mut()? {
        Kind::Certified(certified) => certified.event.take(),
        Kind::Corrected(corrected) => corrected.event.take(),
        Kind::Voided(voided) => voided.event.take(),
        Kind::ActApproved(approved) => approved.act.take(),
        _ => None,
    }?;
    Some((EventPlace::from_wire(&reference), event.encode_to_vec()))
}

/// The encoding of a reported event without the document that it was found in and its place there, so that the
/// same event reported from another document is the same. Nothing if it is not reported, or cannot be decoded.
pub(in crate::provenance) fn without_document(event: &[u8]) -> Option<Vec<u8>> {
    let mut event = v1::Event::decode(event).ok()?;
    let reported = event.reported.as_mut()?;
    reported.document = Vec::new();
    reported.position = 0;
    Some(event.encode_to_vec())
}
