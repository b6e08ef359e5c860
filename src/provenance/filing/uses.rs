//! Which fields of which kinds of event the fold reads, and as what.

use super::fact::Role;

/// What a field of an event's kind is to the fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::provenance) enum Use {
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
    /// The id of its shipment, run or recall.
    Reference,
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

/// `Event.commissioned`
pub(in crate::provenance) const COMMISSIONED: u32 = 64;
/// `Event.transformed`
pub(in crate::provenance) const TRANSFORMED: u32 = 65;
/// `Event.split`
pub(in crate::provenance) const SPLIT: u32 = 70;
/// `Event.merged`
pub(in crate::provenance) const MERGED: u32 = 71;
/// `Event.certified`
pub(in crate::provenance) const CERTIFIED: u32 = 73;
/// `Event.shipped`
pub(in crate::provenance) const SHIPPED: u32 = 96;
/// `Event.delivery_refused`
pub(in crate::provenance) const DELIVERY_REFUSED: u32 = 98;
/// `Event.shipment_withdrawn`
pub(in crate::provenance) const SHIPMENT_WITHDRAWN: u32 = 99;
/// `Event.shipment_lapsed`
pub(in crate::provenance) const SHIPMENT_LAPSED: u32 = 100;
/// `Event.title_transferred`
pub(in crate::provenance) const TITLE_TRANSFERRED: u32 = 102;

/// The fields of a kind that the fold reads, by their numbers in `event.proto`. None of the kinds that are
/// about parties, facilities, keys, lists and other events: `directory` and `amend` read these.
pub(in crate::provenance) const fn uses(kind: u32) -> &'static [(u32, Use)] {
    use Use::{
        Carrier, Destructive, Facility, From, InputsComplete, Items, Lot, LotProduct, LotQuantity, Operator,
        Principal, Reference, Serials, Step, To, Units,
    };
    match kind {
        // opening_balance_declared, stock_counted
        55 => &[(1, Facility), (2, Items(Role::Opening))],
        56 => &[(1, Facility), (2, Items(Role::Seen))],
        // commissioned
        64 => &[
            (1, Facility),
            (2, Operator),
            (3, Items(Role::Made)),
            (4, Serials(Role::Made)),
            (5, Lot(Role::Class)),
        ],
        TRANSFORMED => &[
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
            (15, Reference),
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
        SHIPPED => &[
            (1, Items(Role::Sent)),
            (2, Serials(Role::Sent)),
            (3, Facility),
            (5, To),
            (6, Carrier),
            (7, Units(Role::Sent)),
            (8, Reference),
        ],
        // received
        97 => &[
            (1, Items(Role::Taken)),
            (2, Serials(Role::Taken)),
            (3, Facility),
            (4, From),
            (5, Units(Role::Taken)),
            (6, Reference),
        ],
        DELIVERY_REFUSED => &[
            (1, Items(Role::Returned)),
            (2, Facility),
            (3, Reference),
            (5, Serials(Role::Returned)),
        ],
        SHIPMENT_WITHDRAWN => &[
            (1, Reference),
            (2, Items(Role::Returned)),
            (3, Serials(Role::Returned)),
            (4, Units(Role::Returned)),
            (5, Facility),
        ],
        SHIPMENT_LAPSED => &[(1, Reference)],
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
        112 => &[
            (1, Reference),
            (2, Items(Role::Recalled)),
            (3, Serials(Role::Recalled)),
        ],
        114 | 115 => &[(1, Reference), (2, Items(Role::RecallEnded))],
        // observed
        122 => &[(1, Facility), (3, Items(Role::Seen)), (4, Serials(Role::Seen))],
        _ => &[],
    }
}

/// Whether an event with a reference is looked for by it: the events of one run, shipments, and those that
/// speak of a whole shipment or recall and name no lot.
pub(in crate::provenance) const fn found_by_reference(kind: u32, names_lots: bool) -> bool {
    matches!(kind, TRANSFORMED | SHIPPED) || !names_lots
}

/// What the field with this number is, if it is read.
pub(in crate::provenance) fn use_of(uses: &[(u32, Use)], number: u32) -> Option<Use> {
    uses.iter()
        .find(|(candidate, _)| *candidate == number)
        .map(|(_, used)| *used)
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
                    Use::Reference => &["shipment", "run", "recall"],
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
                // A product's composition names products.
                if ["Item", "SerialRun"].contains(&inner.name) && field.name != "composition" {
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
