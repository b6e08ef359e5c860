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

use rust_decimal::Decimal;

use crate::{quantity::parse_decimal, wire::v1};

use super::{
    fact::{Leg, Other, Reading, Role, Stated},
    span::{self, Span},
    symbol::{Symbol, Symbols},
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
pub(super) fn id(encoded: &[u8]) -> &str {
    fields(encoded)
        .next()
        .filter(|field| field.number == 1)
        .map_or("", Field::text)
}

/// The top level of an encoded event.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outline<'a> {
    pub(super) id: &'a str,
    pub(super) event_time: i64,
    /// The claimed party of an imported event, empty if its document does not say.
    pub(super) reported: Option<&'a str>,
    /// Whether it carries a certification clause.
    pub(super) certified: bool,
    /// Whether some field is sealed.
    pub(super) sealed: bool,
    /// Field number of `Event.kind`.
    pub(super) kind: u32,
    /// That field's message.
    pub(super) content: &'a [u8],
}

impl<'a> Outline<'a> {
    pub(super) fn of(encoded: &'a [u8]) -> Self {
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
    pub(super) fn says_more(&self) -> bool {
        self.sealed || self.kind == CERTIFIED || uses(self.kind).is_empty()
    }
}

/// The encoded event without its serial lists.
pub(super) fn without_serials(encoded: &[u8], outline: &Outline<'_>) -> Box<[u8]> {
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

/// What a field of an event's kind is to the fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// The step's id.
    Step,
    /// Where.
    Facility,
    /// Who worked.
    Operator,
    /// For whom.
    Principal,
    /// Who gave.
    From,
    /// Who took.
    To,
    /// Who carried.
    Carrier,
    /// The shipment's id.
    Shipment,
    /// The claim that the inputs are all.
    InputsComplete,
    /// Whether what was seen is used up.
    Destructive,
    /// One identifier.
    Lot(Role),
    /// How much of that one.
    LotQuantity,
    /// Its product.
    LotProduct,
    /// Identifiers with quantities.
    Items(Role),
    /// Runs of serials.
    Serials(Role),
    /// Containers.
    Units(Role),
}

/// `Event.split`
const SPLIT: u32 = 70;
/// `Event.merged`
const MERGED: u32 = 71;
/// `Event.certified`
const CERTIFIED: u32 = 73;

/// The fields of a kind that the fold reads, by their numbers in `event.proto`. None of the kinds that are
/// about parties, facilities, keys, lists and other events: `directory` and `amend` read these.
const fn uses(kind: u32) -> &'static [(u32, Use)] {
    use Use::{
        Carrier, Destructive, Facility, From, InputsComplete, Items, Lot, LotProduct, LotQuantity, Operator,
        Principal, Serials, Shipment, Step, To, Units,
    };
    match kind {
        // opening_balance_declared, stock_counted
        55 => &[(1, Facility), (2, Items(Role::Made))],
        56 => &[(1, Facility), (2, Items(Role::Seen))],
        // commissioned
        64 => &[
            (1, Facility),
            (2, Operator),
            (3, Items(Role::Made)),
            (4, Serials(Role::Made)),
            (5, Lot(Role::Class)),
        ],
        // transformed
        65 => &[
            (1, Step),
            (2, Facility),
            (3, Operator),
            (4, Principal),
            (5, Items(Role::Input)),
            (6, Serials(Role::Input)),
            (7, Items(Role::Output)),
            (8, Serials(Role::Output)),
            (9, Lot(Role::Class)),
            (11, InputsComplete),
        ],
        // aggregated, disaggregated
        66 => &[
            (1, Lot(Role::Container)),
            (2, Items(Role::Packed)),
            (3, Serials(Role::Packed)),
            (4, Facility),
        ],
        67 => &[
            (1, Lot(Role::Emptied)),
            (2, Items(Role::Unpacked)),
            (3, Serials(Role::Unpacked)),
            (4, Facility),
        ],
        // assembled, disassembled
        68 => &[
            (1, Step),
            (2, Lot(Role::Parent)),
            (3, Items(Role::Child)),
            (4, Serials(Role::Child)),
            (5, Facility),
            (6, Operator),
            (7, Principal),
            (8, InputsComplete),
            (9, LotProduct),
        ],
        69 => &[
            (1, Lot(Role::Dismantled)),
            (2, Items(Role::Removed)),
            (3, Serials(Role::Removed)),
            (4, Facility),
            (5, Operator),
        ],
        SPLIT => &[
            (1, Lot(Role::Input)),
            (2, LotQuantity),
            (3, Items(Role::Output)),
            (4, Facility),
        ],
        MERGED => &[
            (1, Items(Role::Input)),
            (2, Lot(Role::Output)),
            (3, LotQuantity),
            (4, Facility),
        ],
        // inspected
        72 => &[
            (1, Facility),
            (2, Items(Role::Seen)),
            (3, Serials(Role::Seen)),
            (6, Destructive),
        ],
        CERTIFIED => &[(2, Lot(Role::About))],
        // held, released, scrapped
        74 => &[(1, Items(Role::Held)), (2, Serials(Role::Held)), (4, Facility)],
        75 => &[
            (1, Items(Role::Released)),
            (2, Serials(Role::Released)),
            (3, Facility),
        ],
        76 => &[
            (1, Items(Role::Consumed)),
            (2, Serials(Role::Consumed)),
            (3, Facility),
        ],
        // recycled
        77 => &[
            (1, Step),
            (2, Facility),
            (3, Operator),
            (4, Items(Role::Input)),
            (5, Serials(Role::Input)),
            (6, Items(Role::Output)),
            (7, InputsComplete),
            (8, Principal),
        ],
        // shipped, received
        96 => &[
            (1, Items(Role::Sent)),
            (2, Serials(Role::Sent)),
            (3, Facility),
            (5, To),
            (6, Carrier),
            (7, Units(Role::Sent)),
            (8, Shipment),
        ],
        97 => &[
            (1, Items(Role::Taken)),
            (2, Serials(Role::Taken)),
            (3, Facility),
            (4, From),
            (5, Units(Role::Taken)),
            (6, Shipment),
        ],
        // delivery_refused, shipment_withdrawn, shipment_lapsed
        98 => &[
            (1, Items(Role::Returned)),
            (2, Facility),
            (3, Shipment),
            (5, Serials(Role::Returned)),
        ],
        99 => &[
            (1, Shipment),
            (2, Items(Role::Returned)),
            (3, Serials(Role::Returned)),
            (4, Units(Role::Returned)),
            (5, Facility),
        ],
        100 => &[(1, Shipment)],
        // custody_transferred, title_transferred
        101 => &[
            (1, Items(Role::Handed)),
            (2, Serials(Role::Handed)),
            (3, From),
            (4, To),
            (5, Facility),
            (6, Units(Role::Handed)),
        ],
        102 => &[
            (1, Items(Role::Sold)),
            (2, Serials(Role::Sold)),
            (3, From),
            (4, To),
        ],
        // imported, exported
        103 | 104 => &[(1, Items(Role::Crossed)), (2, Serials(Role::Crossed))],
        // recalled, recall_completed, recall_lifted
        112 => &[(2, Items(Role::Recalled)), (3, Serials(Role::Recalled))],
        114 | 115 => &[(2, Items(Role::RecallEnded))],
        // observed
        122 => &[(1, Facility), (3, Items(Role::Seen)), (4, Serials(Role::Seen))],
        _ => &[],
    }
}

fn use_of(uses: &[(u32, Use)], number: u32) -> Option<Use> {
    uses.iter()
        .find(|(candidate, _)| *candidate == number)
        .map(|(_, used)| *used)
}

/// Room for what is being read, kept from event to event.
#[derive(Debug, Default)]
pub(super) struct Room {
    legs: Vec<Leg>,
    spans: Vec<Span>,
}

/// Reads an event's legs and parties.
pub(super) struct Reader<'a> {
    symbols: &'a mut Symbols,
    /// Seals that were not opened.
    sealed: &'a [v1::Sealed],
    kind: u32,
    legs: &'a mut Vec<Leg>,
    spans: &'a mut Vec<Span>,
}

impl<'a> Reader<'a> {
    /// A reader of events of `kind` whose unopened seals are `sealed`.
    pub(super) fn new(
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
    pub(super) fn read(mut self, content: &[u8]) -> Reading {
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
                None => {}
                Some(Use::Step) => reading.step = self.symbols.intern(field.text()),
                Some(Use::Facility) => reading.facility = self.symbols.intern(field.text()),
                Some(Use::Operator) => reading.operator = self.symbols.intern(field.text()),
                Some(Use::Shipment) => reading.shipment = self.symbols.intern(field.text()),
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
                Some(Use::Destructive) => {}
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
                Some(Use::Serials(_)) => {}
                Some(Use::Units(role)) => self.leg(role, field.text()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::shape::{self, Kind, Shape};

    fn shape_of(kind: u32) -> Option<&'static Shape> {
        match shape::EVENT.field(kind)?.kind {
            Kind::Message(shape) if kind >= 16 => Some(shape),
            _ => None,
        }
    }

    #[test]
    fn what_is_read_of_a_field_is_what_the_field_is_called() {
        let mut read = 0;
        for kind in shape::EVENT.fields {
            for (number, used) in uses(kind.number) {
                let field = shape_of(kind.number)
                    .and_then(|shape| shape.field(*number))
                    .expect("a field of the kind");
                let names: &[&str] = match used {
                    Use::Step => &["step"],
                    Use::Facility => &["facility", "from_facility"],
                    Use::Operator => &["operator"],
                    Use::Principal => &["on_behalf_of"],
                    Use::From => &["consignor", "from_party", "seller"],
                    Use::To => &["consignee", "to_party", "buyer"],
                    Use::Carrier => &["carrier"],
                    Use::Shipment => &["shipment"],
                    Use::InputsComplete => &["inputs_complete"],
                    Use::Destructive => &["destructive"],
                    Use::Lot(_) => &["lot", "parent", "class_lot", "about"],
                    Use::LotQuantity => &["quantity"],
                    Use::LotProduct => &["product"],
                    Use::Items(_) => &["items", "inputs", "outputs", "into", "from"],
                    Use::Serials(_) => &["serials", "input_serials", "output_serials"],
                    Use::Units(_) => &["units"],
                };
                assert!(
                    names.contains(&field.name),
                    "{}.{} as {used:?}",
                    kind.name,
                    field.name
                );
                assert_eq!(
                    field.sliced,
                    matches!(used, Use::Serials(_)),
                    "{}.{}",
                    kind.name,
                    field.name
                );
                read += 1;
            }
        }
        assert!(read > 100, "{read}");
    }

    #[test]
    fn no_list_of_lots_goes_unread() {
        for kind in shape::EVENT.fields {
            for field in shape_of(kind.number).into_iter().flat_map(|shape| shape.fields) {
                let Kind::Message(inner) = field.kind else {
                    continue;
                };
                if ["Item", "SerialRun"].contains(&inner.name) {
                    assert!(
                        use_of(uses(kind.number), field.number).is_some(),
                        "{}.{}",
                        kind.name,
                        field.name
                    );
                }
            }
        }
    }
}
