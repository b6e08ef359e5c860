//! Facts: what the projection keeps of an event.
//!
//! An event becomes one [`Fact`]: who says it, when, and a list of [`Leg`]s, each an identifier (or a run of
//! them) in a role with a quantity. Everything that is asked seldom (costs, licences, texts) stays in the
//! encoded event beside it, without the long serial lists, and is decoded when asked for.

use prost::Message as _;

use crate::{
    quantity::parse_decimal,
    register::EventPlace,
    wire::{
        shape::{self, Kind as ShapeKind},
        v1::{self, event::Kind},
    },
};

use rust_decimal::Decimal;

use super::{
    span::{self, Span},
    symbol::{Symbol, Symbols},
};

/// What an identifier is to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Role {
    /// Came into being without stated inputs: commissioned, opening balance.
    Made,
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
    pub(super) const fn makes(self) -> bool {
        matches!(self, Self::Made | Self::Output | Self::Parent)
    }

    /// Roles by which a lot goes into something else.
    pub(super) const fn uses(self) -> bool {
        matches!(self, Self::Input | Self::Child)
    }

    /// Roles by which who holds a container, and with it the contents, may change.
    pub(super) const fn moves(self) -> bool {
        matches!(self, Self::Sent | Self::Taken | Self::Returned | Self::Handed)
    }
}

/// A quantity as an event gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stated {
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
pub(super) struct Leg {
    pub(super) role: Role,
    pub(super) span: Span,
    /// Of a run: one piece each.
    pub(super) quantity: Stated,
    pub(super) mass: Stated,
    pub(super) product: Symbol,
    /// Whether it comes from a serial list.
    pub(super) serial: bool,
    /// Zero-based position in its list of items, for what is only in the encoded event.
    pub(super) item: u16,
}

/// Another party in an event: not stated, sealed, or named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Other {
    #[default]
    Not,
    Sealed,
    Named(Symbol),
}

impl Other {
    /// The party, if the event names it.
    pub(super) fn named(self) -> Option<Symbol> {
        match self {
            Self::Named(party) => Some(party),
            Self::Not | Self::Sealed => None,
        }
    }
}

/// One event, as the projection keeps it.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) place: EventPlace,
    pub(super) recorded_at: i64,
    /// The earliest of all reports of it.
    pub(super) issued_at: i64,
    pub(super) event_time: i64,
    pub(super) issuer: Symbol,
    /// Number of the feed in the projection's list.
    pub(super) feed: u32,
    pub(super) id: Symbol,
    /// SHA-256 over issuer and event, positions replaced; see `digest`.
    pub(super) digest: [u8; 32],
    /// Field number of `Event.kind`.
    pub(super) kind: u32,
    pub(super) by_authority: bool,
    /// Imported from a document of this party (none: the document does not say).
    pub(super) reported: Option<Symbol>,
    /// Whether it carries a certification clause.
    pub(super) certified: bool,
    /// Something corrects, voids or contradicts it.
    pub(super) contested: bool,
    /// How often the same content was reported again.
    pub(super) repeats: u32,
    /// The event that it refers to, if that is known.
    pub(super) target: Option<u32>,
    pub(super) reading: Reading,
    /// The event as signed, without serial lists.
    pub(super) encoded: Box<[u8]>,
}

/// What is read of an event, openings applied.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) step: Symbol,
    pub(super) facility: Symbol,
    pub(super) operator: Symbol,
    pub(super) principal: Other,
    pub(super) from: Other,
    pub(super) to: Other,
    pub(super) carrier: Other,
    pub(super) shipment: Symbol,
    pub(super) inputs_complete: Option<bool>,
    pub(super) legs: Box<[Leg]>,
}

impl Default for Symbol {
    fn default() -> Self {
        Self::NONE
    }
}

/// The fields of one message in canonical encoding: number, whole encoding, value.
pub(super) fn fields(mut bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8], &[u8])> {
    std::iter::from_fn(move || {
        let start = bytes;
        let tag = varint(&mut bytes)?;
        let value = if tag & 7 == 2 {
            let len = usize::try_from(varint(&mut bytes)?).ok()?;
            let (value, rest) = bytes.split_at_checked(len)?;
            bytes = rest;
            value
        } else {
            let before = bytes;
            varint(&mut bytes)?;
            before.get(..before.len() - bytes.len())?
        };
        let encoded = start.get(..start.len() - bytes.len())?;
        Some((u32::try_from(tag >> 3).ok()?, encoded, value))
    })
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The kind's field number and content in an encoded event.
pub(super) fn kind_of(encoded: &[u8]) -> (u32, &[u8]) {
    fields(encoded)
        .find(|(number, ..)| *number >= 16)
        .map_or((0, &[]), |(number, _, value)| (number, value))
}

/// The encoded event without its serial lists.
pub(super) fn without_serials(encoded: &[u8]) -> Box<[u8]> {
    let (kind, content) = kind_of(encoded);
    let Some(ShapeKind::Message(shape)) = shape::EVENT.field(kind).map(|field| &field.kind) else {
        return encoded.into();
    };
    let sliced = |number: u32| shape.field(number).is_some_and(|field| field.sliced);
    if !fields(content).any(|(number, ..)| sliced(number)) {
        return encoded.into();
    }
    let mut kept = Vec::new();
    for (number, field, _) in fields(content) {
        if !sliced(number) {
            kept.extend_from_slice(field);
        }
    }
    let mut out = Vec::with_capacity(64 + kept.len());
    for (number, field, _) in fields(encoded) {
        if number == kind {
            prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, &mut out);
            prost::encoding::encode_varint(kept.len() as u64, &mut out);
            out.extend_from_slice(&kept);
        } else {
            out.extend_from_slice(field);
        }
    }
    out.into_boxed_slice()
}

/// The event that an event refers to, if its kind does.
pub(super) fn reference(event: &v1::Event) -> Option<EventPlace> {
    match event.kind.as_ref()? {
        Kind::Certified(certified) => certified.event.as_ref(),
        Kind::Corrected(corrected) => corrected.event.as_ref(),
        Kind::Voided(voided) => voided.event.as_ref(),
        Kind::ActApproved(approved) => approved.act.as_ref(),
        _ => None,
    }
    .map(EventPlace::from_wire)
}

/// The event with its reference to a position taken out, encoded.
pub(super) fn without_reference(event: &v1::Event) -> Vec<u8> {
    let mut event = event.clone();
    match event.kind.as_mut() {
        Some(Kind::Certified(certified)) => certified.event = None,
        Some(Kind::Corrected(corrected)) => corrected.event = None,
        Some(Kind::Voided(voided)) => voided.event = None,
        Some(Kind::ActApproved(approved)) => approved.act = None,
        _ => {}
    }
    event.encode_to_vec()
}

/// Reads an event's legs and parties.
pub(super) struct Reader<'a> {
    symbols: &'a mut Symbols,
    sealed: &'a [v1::Sealed],
    kind: u32,
    legs: Vec<Leg>,
    spans: Vec<Span>,
}

impl<'a> Reader<'a> {
    /// A reader of events of `kind` whose unopened seals are `sealed`.
    pub(super) fn new(symbols: &'a mut Symbols, kind: u32, sealed: &'a [v1::Sealed]) -> Self {
        Self {
            symbols,
            sealed,
            kind,
            legs: Vec::new(),
            spans: Vec::new(),
        }
    }

    fn is_sealed(&self, path: std::fmt::Arguments<'_>) -> bool {
        if self.sealed.is_empty() {
            return false;
        }
        let path = path.to_string();
        self.sealed.iter().any(|seal| seal.path == path)
    }

    fn other(&mut self, number: u32, party: &str) -> Other {
        if !party.is_empty() {
            Other::Named(self.symbols.intern(party))
        } else if self.is_sealed(format_args!("{}.{number}", self.kind)) {
            Other::Sealed
        } else {
            Other::Not
        }
    }

    fn stated(&mut self, quantity: Option<&v1::Quantity>, sealed: bool) -> Stated {
        match quantity {
            Some(quantity) => match parse_decimal(&quantity.value) {
                Some(value) => Stated::As {
                    value,
                    unit: self.symbols.intern(&quantity.unit),
                },
                None => Stated::Not,
            },
            None if sealed => Stated::Sealed,
            None => Stated::Not,
        }
    }

    fn leg(&mut self, role: Role, id: &str, quantity: Stated) {
        if id.is_empty() {
            return;
        }
        let span = span::intern(self.symbols, id).into();
        self.legs.push(Leg {
            role,
            span,
            quantity,
            mass: Stated::Not,
            product: Symbol::NONE,
            serial: false,
            item: u16::MAX,
        });
    }

    fn items(&mut self, role: Role, number: u32, items: &[v1::Item]) {
        for (at, item) in items.iter().enumerate() {
            let (any, kind) = (!self.sealed.is_empty(), self.kind);
            let hidden = |reader: &Self, field: u32| {
                any && reader.is_sealed(format_args!("{kind}.{number}.{at}.{field}"))
            };
            let (no_quantity, no_mass) = (hidden(self, 2), hidden(self, 4));
            let quantity = self.stated(item.quantity.as_ref(), no_quantity);
            let mass = self.stated(item.mass.as_ref(), no_mass);
            let span = span::intern(self.symbols, &item.lot).into();
            self.legs.push(Leg {
                role,
                span,
                quantity,
                mass,
                product: self.symbols.intern(&item.product),
                serial: false,
                item: u16::try_from(at).unwrap_or(u16::MAX),
            });
        }
    }

    fn serials(&mut self, role: Role, runs: &[v1::SerialRun]) {
        if runs.is_empty() {
            return;
        }
        let ids = runs.iter().flat_map(|run| {
            run.suffixes
                .iter()
                .map(|suffix| (run.prefix.as_str(), suffix.as_str()))
        });
        let mut spans = std::mem::take(&mut self.spans);
        span::of_run(self.symbols, ids, &mut spans);
        self.legs.extend(spans.drain(..).map(|span| Leg {
            role,
            span,
            quantity: Stated::As {
                value: Decimal::ONE,
                unit: Symbol::NONE,
            },
            mass: Stated::Not,
            product: Symbol::NONE,
            serial: true,
            item: u16::MAX,
        }));
        self.spans = spans;
    }

    fn units(&mut self, role: Role, units: &[String]) {
        for unit in units {
            self.leg(role, unit, Stated::Not);
        }
    }

    /// The reading of one event.
    pub(super) fn read(mut self, kind: &Kind) -> Reading {
        let mut reading = Reading::default();
        match kind {
            Kind::OpeningBalanceDeclared(event) => {
                reading.facility = self.symbols.intern(&event.facility);
                self.items(Role::Made, 2, &event.items);
            }
            Kind::StockCounted(event) => {
                reading.facility = self.symbols.intern(&event.facility);
                self.items(Role::Seen, 2, &event.items);
            }
            Kind::Commissioned(event) => {
                reading.facility = self.symbols.intern(&event.facility);
                reading.operator = self.symbols.intern(&event.operator);
                self.items(Role::Made, 3, &event.items);
                self.serials(Role::Made, &event.serials);
                self.leg(Role::Class, &event.class_lot, Stated::Not);
            }
            Kind::Transformed(event) => {
                reading.step = self.symbols.intern(&event.step);
                reading.facility = self.symbols.intern(&event.facility);
                reading.operator = self.symbols.intern(&event.operator);
                reading.principal = self.other(4, &event.on_behalf_of);
                reading.inputs_complete = event.inputs_complete;
                self.items(Role::Input, 5, &event.inputs);
                self.serials(Role::Input, &event.input_serials);
                self.items(Role::Output, 7, &event.outputs);
                self.serials(Role::Output, &event.output_serials);
                self.leg(Role::Class, &event.class_lot, Stated::Not);
            }
            Kind::Recycled(event) => {
                reading.step = self.symbols.intern(&event.step);
                reading.facility = self.symbols.intern(&event.facility);
                reading.operator = self.symbols.intern(&event.operator);
                reading.principal = self.other(8, &event.on_behalf_of);
                reading.inputs_complete = event.inputs_complete;
                self.items(Role::Input, 4, &event.inputs);
                self.serials(Role::Input, &event.input_serials);
                self.items(Role::Output, 6, &event.outputs);
            }
            Kind::Split(event) => {
                reading.step = self.symbols.intern("split");
                reading.facility = self.symbols.intern(&event.facility);
                // A split has one parent by its form, so the list of inputs is never open.
                reading.inputs_complete = Some(true);
                let hidden = self.is_sealed(format_args!("{}.2", self.kind));
                let quantity = self.stated(event.quantity.as_ref(), hidden);
                self.leg(Role::Input, &event.lot, quantity);
                self.items(Role::Output, 3, &event.into);
            }
            Kind::Merged(event) => {
                reading.step = self.symbols.intern("merge");
                reading.facility = self.symbols.intern(&event.facility);
                reading.inputs_complete = Some(true);
                self.items(Role::Input, 1, &event.from);
                let hidden = self.is_sealed(format_args!("{}.3", self.kind));
                let quantity = self.stated(event.quantity.as_ref(), hidden);
                self.leg(Role::Output, &event.lot, quantity);
            }
            Kind::Aggregated(event) => {
                reading.facility = self.symbols.intern(&event.facility);
                self.leg(Role::Container, &event.parent, Stated::Not);
                self.items(Role::Packed, 2, &event.items);
                self.serials(Role::Packed, &event.serials);
            }
            Kind::Disaggregated(event) => {
                reading.facility = self.symbols.intern(&event.facility);
                self.leg(Role::Emptied, &event.parent, Stated::Not);
                self.items(Role::Unpacked, 2, &event.items);
                self.serials(Role::Unpacked, &event.serials);
            }
            Kind::Assembled(event) => {
                reading.step = self.symbols.intern(&event.step);
                reading.facility = self.symbols.intern(&event.facility);
                reading.operator = self.symbols.intern(&event.operator);
                reading.principal = self.other(7, &event.on_behalf_of);
                reading.inputs_complete = event.inputs_complete;
                self.leg(
                    Role::Parent,
                    &event.parent,
                    Stated::As {
                        value: Decimal::ONE,
                        unit: Symbol::NONE,
                    },
                );
                if let Some(parent) = self.legs.last_mut() {
                    parent.product = self.symbols.intern(&event.product);
                }
                self.items(Role::Child, 3, &event.items);
                self.serials(Role::Child, &event.serials);
            }
            Kind::Disassembled(event) => {
                reading.facility = self.symbols.intern(&event.facility);
                reading.operator = self.symbols.intern(&event.operator);
                self.leg(Role::Dismantled, &event.parent, Stated::Not);
                self.items(Role::Removed, 2, &event.items);
                self.serials(Role::Removed, &event.serials);
            }
            Kind::Inspected(event) => {
                reading.facility = self.symbols.intern(&event.facility);
                let role = if event.destructive == Some(true) {
                    Role::Consumed
                } else {
                    Role::Seen
                };
                self.items(role, 2, &event.items);
                self.serials(role, &event.serials);
            }
            Kind::Certified(event) => self.leg(Role::About, &event.about, Stated::Not),
            Kind::Held(event) => {
                reading.facility = self.symbols.intern(&event.facility);
                self.items(Role::Held, 1, &event.items);
                self.serials(Role::Held, &event.serials);
            }
            Kind::Released(event) => {
                reading.facility = self.symbols.intern(&event.facility);
                self.items(Role::Released, 1, &event.items);
                self.serials(Role::Released, &event.serials);
            }
            Kind::Scrapped(event) => {
                reading.facility = self.symbols.intern(&event.facility);
                self.items(Role::Consumed, 1, &event.items);
                self.serials(Role::Consumed, &event.serials);
            }
            Kind::Shipped(event) => {
                reading.facility = self.symbols.intern(&event.from_facility);
                reading.to = self.other(5, &event.consignee);
                reading.carrier = self.other(6, &event.carrier);
                reading.shipment = self.symbols.intern(&event.shipment);
                self.items(Role::Sent, 1, &event.items);
                self.serials(Role::Sent, &event.serials);
                self.units(Role::Sent, &event.units);
            }
            Kind::Received(event) => {
                reading.facility = self.symbols.intern(&event.facility);
                reading.from = self.other(4, &event.consignor);
                reading.shipment = self.symbols.intern(&event.shipment);
                self.items(Role::Taken, 1, &event.items);
                self.serials(Role::Taken, &event.serials);
                self.units(Role::Taken, &event.units);
            }
            Kind::DeliveryRefused(event) => {
                reading.facility = self.symbols.intern(&event.facility);
                reading.shipment = self.symbols.intern(&event.shipment);
                self.items(Role::Returned, 1, &event.items);
                self.serials(Role::Returned, &event.serials);
            }
            Kind::ShipmentWithdrawn(event) => {
                reading.facility = self.symbols.intern(&event.facility);
                reading.shipment = self.symbols.intern(&event.shipment);
                self.items(Role::Returned, 2, &event.items);
                self.serials(Role::Returned, &event.serials);
                self.units(Role::Returned, &event.units);
            }
            Kind::ShipmentLapsed(event) => reading.shipment = self.symbols.intern(&event.shipment),
            Kind::CustodyTransferred(event) => {
                reading.facility = self.symbols.intern(&event.facility);
                reading.from = self.other(3, &event.from_party);
                reading.to = self.other(4, &event.to_party);
                self.items(Role::Handed, 1, &event.items);
                self.serials(Role::Handed, &event.serials);
                self.units(Role::Handed, &event.units);
            }
            Kind::TitleTransferred(event) => {
                reading.from = self.other(3, &event.seller);
                reading.to = self.other(4, &event.buyer);
                self.items(Role::Sold, 1, &event.items);
                self.serials(Role::Sold, &event.serials);
            }
            Kind::Imported(event) => {
                self.items(Role::Crossed, 1, &event.items);
                self.serials(Role::Crossed, &event.serials);
            }
            Kind::Exported(event) => {
                self.items(Role::Crossed, 1, &event.items);
                self.serials(Role::Crossed, &event.serials);
            }
            Kind::Recalled(event) => {
                self.items(Role::Recalled, 2, &event.items);
                self.serials(Role::Recalled, &event.serials);
            }
            Kind::RecallCompleted(event) => self.items(Role::RecallEnded, 2, &event.items),
            Kind::RecallLifted(event) => self.items(Role::RecallEnded, 2, &event.items),
            Kind::Observed(event) => {
                reading.facility = self.symbols.intern(&event.facility);
                self.items(Role::Seen, 3, &event.items);
                self.serials(Role::Seen, &event.serials);
            }
            // About parties, facilities, keys, lists and other events: `directory` and `amend` read these.
            Kind::PartyEnrolled(_)
            | Kind::FacilityRegistered(_)
            | Kind::KeyAuthorised(_)
            | Kind::KeyRotated(_)
            | Kind::KeyRetired(_)
            | Kind::KeyCompromised(_)
            | Kind::FeedClosed(_)
            | Kind::RulePackAdopted(_)
            | Kind::ListPublished(_)
            | Kind::ListWithdrawn(_)
            | Kind::WaiverGranted(_)
            | Kind::WaiverRevoked(_)
            | Kind::ApprovalGranted(_)
            | Kind::ApprovalRevoked(_)
            | Kind::ParametersChanged(_)
            | Kind::LogKeyAdded(_)
            | Kind::LogKeyRetired(_)
            | Kind::AuthorityChanged(_)
            | Kind::ActApproved(_)
            | Kind::OwnershipDeclared(_)
            | Kind::BoardDeclared(_)
            | Kind::LicencesDeclared(_)
            | Kind::SuccessionDeclared(_)
            | Kind::ProductDeclared(_)
            | Kind::DelegationGranted(_)
            | Kind::DelegationRevoked(_)
            | Kind::RecallAcknowledged(_)
            | Kind::Corrected(_)
            | Kind::Voided(_) => {}
        }
        reading.legs = self.legs.into_boxed_slice();
        reading
    }
}
