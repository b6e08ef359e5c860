//! Reads what the fold needs of an event straight from its canonical encoding, without decoding the rest.
//!
//! ```text
//! Event    id, event_time, reported?, certification?, sealed*, kind --+
//!                                                                     |  what each field of a kind is
//! kind     facility, operator, items*, serials*, parties ... ---------+  to the fold: `uses`
//!                                |
//! Item     lot, quantity, mass, product                               -> one leg
//! ```
//!
//! The bytes were checked when the event was admitted: fields ascend, repeated ones stand together, text is
//! UTF-8. What is not so reads as not stated.

use prost::Message as _;
use rust_decimal::Decimal;

use crate::{quantity::parse_decimal, wire::v1};

use super::{
    fact::{Leg, Other, Reading, Role, Stated},
    span::{self, Span},
    symbol::{Symbol, Symbols},
    uses::{CERTIFIED, MERGED, SPLIT, Use, use_of, uses},
};

/// One field of a message.
#[derive(Clone, Copy, Debug)]
struct Field<'a> {
    number: u32,
    /// Tag and value.
    encoded: &'a [u8],
    /// The varint's bytes, or the content without its length.
    value: &'a [u8],
}

impl<'a> Field<'a> {
    /// The value of a text field.
    fn text(self) -> &'a str {
        std::str::from_utf8(self.value).unwrap_or_default()
    }

    /// The value of a number field, as it stands on the wire.
    fn varint(self) -> u64 {
        varint(&mut { self.value }).unwrap_or_default()
    }
}

/// The fields of one message in canonical encoding.
fn fields(mut bytes: &[u8]) -> impl Iterator<Item = Field<'_>> {
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
        Some(Field {
            number: u32::try_from(tag >> 3).ok()?,
            encoded: start.get(..start.len() - bytes.len())?,
            value,
        })
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

/// The id of an encoded event: its first field.
pub(in crate::provenance) fn id(encoded: &[u8]) -> &str {
    fields(encoded)
        .next()
        .filter(|field| field.number == 1)
        .map_or("", Field::text)
}

/// The certification clause of an encoded event.
pub(in crate::provenance) fn certification(encoded: &[u8]) -> Option<v1::Certification> {
    let field = fields(encoded).find(|field| field.number == 6)?;
    v1::Certification::decode(field.value).ok()
}

/// Whether an encoded event is of a kind and says something in a field of its content, or may do so under a
/// seal. Most do not, and need not be decoded to see that.
pub(in crate::provenance) fn may_state(encoded: &[u8], kind: u32, field: u32) -> bool {
    let outline = Outline::of(encoded);
    let stated = || fields(outline.content).any(|stated| stated.number == field);
    outline.kind == kind && (outline.sealed || stated())
}

/// The top level of an encoded event.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::provenance) struct Outline<'a> {
    pub(in crate::provenance) id: &'a str,
    pub(in crate::provenance) event_time: i64,
    /// The claimed party of an imported event, empty if its document does not say.
    pub(in crate::provenance) reported: Option<&'a str>,
    /// Whether it carries a certification clause.
    pub(in crate::provenance) certified: bool,
    /// Whether some field is sealed.
    pub(in crate::provenance) sealed: bool,
    /// Field number of `Event.kind`.
    pub(in crate::provenance) kind: u32,
    /// That field's message.
    pub(in crate::provenance) content: &'a [u8],
}

impl<'a> Outline<'a> {
    pub(in crate::provenance) fn of(encoded: &'a [u8]) -> Self {
        let mut outline = Self::default();
        for field in fields(encoded) {
            match field.number {
                1 => outline.id = field.text(),
                2 => outline.event_time = field.varint().cast_signed(),
                4 => {
                    let claimed = fields(field.value).find(|field| field.number == 1);
                    outline.reported = Some(claimed.map_or("", Field::text));
                }
                6 => outline.certified = true,
                8 => outline.sealed = true,
                kind if kind >= 16 => (outline.kind, outline.content) = (kind, field.value),
                _ => {}
            }
        }
        outline
    }

    /// Whether there is more to an event than its legs and parties, so that it has to be decoded: it is about
    /// parties, facilities, lists or other events, or has seals.
    pub(in crate::provenance) fn says_more(&self) -> bool {
        self.sealed || self.kind == CERTIFIED || uses(self.kind).is_empty()
    }
}

/// The encoded event without its serial lists.
pub(in crate::provenance) fn without_serials(encoded: &[u8], outline: &Outline<'_>) -> Box<[u8]> {
    let uses = uses(outline.kind);
    let is_serials = |field: &Field<'_>| matches!(use_of(uses, field.number), Some(Use::Serials(_)));
    if !fields(outline.content).any(|field| is_serials(&field)) {
        return encoded.into();
    }
    let mut kept = Vec::with_capacity(outline.content.len());
    for field in fields(outline.content).filter(|field| !is_serials(field)) {
        kept.extend_from_slice(field.encoded);
    }
    let mut out = Vec::with_capacity(encoded.len() - outline.content.len() + kept.len());
    for field in fields(encoded) {
        if field.number == outline.kind {
            prost::encoding::encode_key(field.number, prost::encoding::WireType::LengthDelimited, &mut out);
            prost::encoding::encode_varint(kept.len() as u64, &mut out);
            out.extend_from_slice(&kept);
        } else {
            out.extend_from_slice(field.encoded);
        }
    }
    out.into_boxed_slice()
}

/// Room for what is being read, kept from event to event.
#[derive(Debug, Default)]
pub(in crate::provenance) struct Room {
    legs: Vec<Leg>,
    spans: Vec<Span>,
}

/// Reads an event's legs and parties.
pub(in crate::provenance) struct Reader<'a> {
    symbols: &'a mut Symbols,
    /// Seals that were not opened.
    sealed: &'a [v1::Sealed],
    kind: u32,
    legs: &'a mut Vec<Leg>,
    spans: &'a mut Vec<Span>,
}

impl<'a> Reader<'a> {
    /// A reader of events of `kind` whose unopened seals are `sealed`.
    pub(in crate::provenance) fn new(
        symbols: &'a mut Symbols,
        room: &'a mut Room,
        kind: u32,
        sealed: &'a [v1::Sealed],
    ) -> Self {
        let Room { legs, spans } = room;
        legs.clear();
        Self {
            symbols,
            sealed,
            kind,
            legs,
            spans,
        }
    }

    /// The reading of one event by the content of its kind.
    pub(in crate::provenance) fn read(mut self, content: &[u8]) -> Reading {
        let mut reading = Reading::default();
        // Both have one lot on one side by their form, so the list of inputs is never open.
        match self.kind {
            SPLIT => (reading.step, reading.inputs_complete) = (self.symbols.intern("split"), Some(true)),
            MERGED => (reading.step, reading.inputs_complete) = (self.symbols.intern("merge"), Some(true)),
            _ => {}
        }
        let uses = uses(self.kind);
        let (mut last, mut position) = (0, 0_u16);
        // The leg of the one identifier that has a field of its own.
        let mut lot: Option<usize> = None;
        for field in fields(content) {
            position = if field.number == last {
                position.saturating_add(1)
            } else {
                0
            };
            last = field.number;
            match use_of(uses, field.number) {
                Some(Use::Step) => reading.step = self.symbols.intern(field.text()),
                Some(Use::Facility) => reading.facility = self.symbols.intern(field.text()),
                Some(Use::Operator) => reading.operator = self.symbols.intern(field.text()),
                Some(Use::Reference) => reading.reference = self.symbols.intern(field.text()),
                Some(Use::Principal) => reading.principal = self.named(field),
                Some(Use::From) => reading.from = self.named(field),
                Some(Use::To) => reading.to = self.named(field),
                Some(Use::Carrier) => reading.carrier = self.named(field),
                Some(Use::InputsComplete) => reading.inputs_complete = Some(field.varint() != 0),
                Some(Use::Destructive) if field.varint() != 0 => {
                    for leg in self.legs.iter_mut() {
                        leg.role = Role::Consumed;
                    }
                }
                Some(Use::Lot(role)) => {
                    lot = Some(self.legs.len());
                    self.leg(role, field.text());
                }
                Some(Use::LotQuantity) => {
                    let quantity = self.stated(field);
                    if let Some(leg) = lot.and_then(|at| self.legs.get_mut(at)) {
                        leg.quantity = quantity;
                    }
                }
                Some(Use::LotProduct) => {
                    let product = self.symbols.intern(field.text());
                    if let Some(leg) = lot.and_then(|at| self.legs.get_mut(at)) {
                        leg.product = product;
                    }
                }
                Some(Use::Items(role)) => self.item(role, field, position),
                Some(Use::Serials(role)) if position == 0 => {
                    self.serials(role, serials(content, field.number));
                }
                Some(Use::Units(role)) => self.leg(role, field.text()),
                None | Some(Use::Destructive | Use::Serials(_)) => {}
            }
        }
        if !self.sealed.is_empty() {
            self.note_sealed(&mut reading, lot);
        }
        reading.legs = self.legs.as_slice().into();
        reading
    }

    /// What the event does not state because it is sealed, but for what belongs to an item.
    fn note_sealed(&mut self, reading: &mut Reading, lot: Option<usize>) {
        for (number, used) in uses(self.kind) {
            let party = match used {
                Use::Principal => &mut reading.principal,
                Use::From => &mut reading.from,
                Use::To => &mut reading.to,
                Use::Carrier => &mut reading.carrier,
                Use::LotQuantity if self.is_sealed(format_args!("{}.{number}", self.kind)) => {
                    let leg = lot.and_then(|at| self.legs.get_mut(at));
                    if let Some(leg) = leg.filter(|leg| leg.quantity == Stated::Not) {
                        leg.quantity = Stated::Sealed;
                    }
                    continue;
                }
                _ => continue,
            };
            if *party == Other::Not && self.is_sealed(format_args!("{}.{number}", self.kind)) {
                *party = Other::Sealed;
            }
        }
    }

    fn is_sealed(&self, path: std::fmt::Arguments<'_>) -> bool {
        if self.sealed.is_empty() {
            return false;
        }
        let path = path.to_string();
        self.sealed.iter().any(|seal| seal.path == path)
    }

    fn named(&mut self, party: Field<'_>) -> Other {
        Other::Named(self.symbols.intern(party.text()))
    }

    fn stated(&mut self, quantity: Field<'_>) -> Stated {
        let (mut value, mut unit) = ("", "");
        for field in fields(quantity.value) {
            match field.number {
                1 => value = field.text(),
                2 => unit = field.text(),
                _ => {}
            }
        }
        match parse_decimal(value) {
            Some(value) => Stated::As {
                value,
                unit: self.symbols.intern(unit),
            },
            None => Stated::Not,
        }
    }

    fn leg(&mut self, role: Role, id: &str) {
        if id.is_empty() {
            return;
        }
        self.legs.push(Leg {
            quantity: if role == Role::Parent {
                ONE_PIECE
            } else {
                Stated::Not
            },
            ..Leg::new(role, span::intern(self.symbols, id).into())
        });
    }

    fn item(&mut self, role: Role, item: Field<'_>, at: u16) {
        let mut lot = "";
        let (mut quantity, mut mass) = (None, None);
        let mut product = Symbol::NONE;
        for field in fields(item.value) {
            match field.number {
                1 => lot = field.text(),
                2 => quantity = Some(self.stated(field)),
                4 => mass = Some(self.stated(field)),
                6 => product = self.symbols.intern(field.text()),
                _ => {}
            }
        }
        let absent = |field: u32| {
            if self.is_sealed(format_args!("{}.{}.{at}.{field}", self.kind, item.number)) {
                Stated::Sealed
            } else {
                Stated::Not
            }
        };
        let (quantity, mass) = (
            quantity.unwrap_or_else(|| absent(2)),
            mass.unwrap_or_else(|| absent(4)),
        );
        self.legs.push(Leg {
            quantity,
            mass,
            product,
            item: at,
            ..Leg::new(role, span::intern(self.symbols, lot).into())
        });
    }

    fn serials<'b>(&mut self, role: Role, ids: impl Iterator<Item = (&'b str, &'b str)>) {
        span::of_run(self.symbols, ids, self.spans);
        self.legs.extend(self.spans.drain(..).map(|span| Leg {
            quantity: ONE_PIECE,
            serial: true,
            ..Leg::new(role, span)
        }));
    }
}

const ONE_PIECE: Stated = Stated::As {
    value: Decimal::ONE,
    unit: Symbol::NONE,
};

/// Prefix and suffix of every serial in the runs of one field.
fn serials(content: &[u8], number: u32) -> impl Iterator<Item = (&str, &str)> {
    fields(content)
        .filter(move |field| field.number == number)
        .flat_map(|run| {
            let mut prefix = "";
            fields(run.value).filter_map(move |field| match field.number {
                1 => {
                    prefix = field.text();
                    None
                }
                2 => Some((prefix, field.text())),
                _ => None,
            })
        })
}
