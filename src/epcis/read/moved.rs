//! Events about what moves and changes hands: things, parties, papers and places.
//!
//! CBV 2.0 has two places: `readPoint`, where the event happened, and `bizLocation`, where the things are
//! afterwards.
//!
//! ```text
//! shipped                          left the readPoint, and goes to the bizLocation if that is another site
//! scrapped, sampled, refused       happened at the readPoint: afterwards the things are elsewhere, or nowhere
//! received, withdrawn, all others  are at the bizLocation afterwards, the site of which a readPoint is one door
//! ```
//!
//! Where an event has only one of the two, that is the place; save that a shipment does not leave its destination.

use super::Reader;
use crate::{
    epcis::{
        finding::Code,
        members::{held, is_logistic_unit, items, text, things},
        serials,
    },
    wire::v1::{self, event::Kind},
};

/// Steps on the way from one party to another: an owner named there is one before or after it, and the step
/// passes no title.
const ON_THE_WAY: &[&str] = &[
    "arriving",
    "consigning",
    "departing",
    "entering_exiting",
    "loading",
    "packing",
    "picking",
    "staging_outbound",
    "transporting",
    "unloading",
    "unpacking",
];

/// Steps that are an event of ours by themselves, and cannot be one beside a change of containment or a making.
const TAKEN_ALONE: &[&str] = &[
    "accepting",
    "cycle_counting",
    "decommissioning",
    "destroying",
    "holding",
    "inspecting",
    "receiving",
    "sampling",
    "shipping",
    "stock_taking",
    "void_shipping",
];

/// What an event moves.
struct Moved {
    items: Vec<v1::Item>,
    units: Vec<String>,
    serials: Vec<v1::SerialRun>,
}

impl Reader<'_> {
    /// The event of a step by which things leave, arrive or change hands; nothing for other steps.
    pub(super) fn moved(&mut self, step: &str) -> Option<Kind> {
        match step {
            "shipping" => Some(self.shipped()),
            "void_shipping" => Some(self.withdrawn()),
            "receiving" => Some(self.received()),
            "accepting" => self.accepted(),
            _ => None,
        }
    }

    fn shipped(&mut self) -> Kind {
        let Moved {
            items,
            units,
            serials,
        } = self.things_moved();
        let mut from_facility = self.party_or_place(true, "location");
        if from_facility.is_empty() {
            from_facility.clone_from(&self.view.read_point);
        }
        let mut to_facility = self.party_or_place(false, "location");
        let afterwards = &self.view.biz_location;
        let is_elsewhere = ![&from_facility, &self.view.read_point]
            .iter()
            .any(|place| site(place) == site(afterwards));
        if to_facility.is_empty() && is_elsewhere {
            to_facility.clone_from(afterwards);
        }
        Kind::Shipped(v1::Shipped {
            items,
            serials,
            from_facility,
            to_facility,
            consignee: self.party_or_place(false, "possessing_party"),
            carrier: String::new(),
            units,
            shipment: self.shipment(),
        })
    }

    fn withdrawn(&mut self) -> Kind {
        let Moved {
            items,
            units,
            serials,
        } = self.things_moved();
        let shipment = self.shipment();
        if shipment.is_empty() {
            let detail =
                "expected the despatch advice (desadv) of the shipment that is taken back".to_owned();
            self.note(Code::ShipmentNotNamed, "/bizTransactionList", detail);
        }
        Kind::ShipmentWithdrawn(v1::ShipmentWithdrawn {
            shipment,
            items,
            serials,
            units,
            facility: self.facility(),
        })
    }

    fn received(&mut self) -> Kind {
        let Moved {
            items,
            units,
            serials,
        } = self.things_moved();
        let condition = match self.view.disposition.as_str() {
            stated @ ("damaged" | "mismatch_class" | "mismatch_instance" | "mismatch_quantity") => stated,
            _ => "",
        }
        .to_owned();
        Kind::Received(v1::Received {
            items,
            serials,
            facility: self.facility(),
            consignor: self.party_or_place(true, "possessing_party"),
            units,
            shipment: self.shipment(),
            condition,
        })
    }

    /// Custody if it changes hands, else title if that does.
    fn accepted(&mut self) -> Option<Kind> {
        let (from_party, to_party) = self.parties("possessing_party");
        let (seller, buyer) = self.parties("owning_party");
        if from_party != to_party {
            if seller != buyer {
                self.note_title(&seller, &buyer);
            }
            let Moved {
                items,
                units,
                serials,
            } = self.things_moved();
            return Some(Kind::CustodyTransferred(v1::CustodyTransferred {
                items,
                serials,
                from_party,
                to_party,
                facility: self.facility(),
                units,
            }));
        }
        (seller != buyer).then(|| self.title(seller, buyer))
    }

    /// The title that an event passes whose step is no other event of ours: another owner afterwards, and the
    /// same holder.
    pub(super) fn sold(&mut self, action: &str, step: &str) -> Option<Kind> {
        let can_pass = match self.view.r#type.as_str() {
            "ObjectEvent" => true,
            "TransactionEvent" => action != "DELETE",
            _ => false,
        };
        if !can_pass || ON_THE_WAY.contains(&step) || TAKEN_ALONE.contains(&step) {
            return None;
        }
        let (seller, buyer) = self.change_of("owning_party")?;
        if self.change_of("possessing_party").is_some() {
            return None;
        }
        Some(self.title(seller, buyer))
    }

    fn title(&self, seller: String, buyer: String) -> Kind {
        let Moved {
            items,
            units,
            serials,
        } = self.things_moved();
        let mut things = units;
        things.extend(serials::expand(&serials));
        Kind::TitleTransferred(v1::TitleTransferred {
            items,
            serials: serials::compress(things),
            seller,
            buyer,
            contract_date: None,
            titles_complete: None,
        })
    }

    /// Names what the event says beside its kind, where that is not taken: one event becomes one of ours.
    pub(super) fn note_second_meaning(&mut self, kind: &Kind, step: &str) {
        let is_custody = matches!(
            kind,
            Kind::Shipped(_)
                | Kind::Received(_)
                | Kind::ShipmentWithdrawn(_)
                | Kind::DeliveryRefused(_)
                | Kind::CustodyTransferred(_)
                | Kind::Observed(_)
        );
        if !is_custody && let Some((from, to)) = self.change_of("possessing_party") {
            let detail = format!("custody from {from} to {to} is not taken: state it as an event of its own");
            self.note(Code::CustodyToo, "/destinationList", detail);
        }
        if !matches!(kind, Kind::TitleTransferred(_))
            && let Some((seller, buyer)) = self.change_of("owning_party")
        {
            self.note_title(&seller, &buyer);
        }
        let is_change = matches!(
            kind,
            Kind::Aggregated(_)
                | Kind::Disaggregated(_)
                | Kind::Assembled(_)
                | Kind::Disassembled(_)
                | Kind::Transformed(_)
                | Kind::Split(_)
                | Kind::Merged(_)
                | Kind::Recycled(_)
        );
        if is_change && TAKEN_ALONE.contains(&step) {
            let detail = format!("{step} is not taken: state it as an event of its own");
            self.note(Code::StepNotTaken, "/bizStep", detail);
        }
    }

    fn note_title(&mut self, seller: &str, buyer: &str) {
        let detail = format!("title from {seller} to {buyer} is not taken: state it as an event of its own");
        self.note(Code::TitleToo, "/destinationList", detail);
    }

    /// The action says another thing than the step, and the step was taken.
    pub(super) fn note_action(&mut self, action: &str, step: &str) {
        let detail = format!("{action} with {step}");
        self.note(Code::UnusualAction, "/action", detail);
    }

    pub(super) fn note(&mut self, code: Code, path: &'static str, detail: String) {
        let note = (code, path, detail);
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// What is moved: the things that the event lists, or the container, if it lists none.
    ///
    /// Of things that are part of one another, the whole: its parts go with it.
    fn things_moved(&self) -> Moved {
        let (quantities, instances) = match self.view.r#type.as_str() {
            "AggregationEvent" => ("childQuantityList", "childEPCs"),
            "AssociationEvent" => ("", ""),
            _ => ("quantityList", "epcList"),
        };
        let items = items(self.event, quantities);
        let mut listed = things(self.event, instances);
        let parent = text(self.event, "parentID");
        if items.is_empty() && listed.is_empty() && held(&parent) {
            listed.push(parent);
        }
        let (units, others): (Vec<String>, Vec<String>) =
            listed.into_iter().partition(|thing| is_logistic_unit(thing));
        Moved {
            items,
            units,
            serials: serials::compress(others),
        }
    }

    /// Where things are afterwards, else where it happened.
    pub(super) fn facility(&self) -> String {
        first_stated(&self.view.biz_location, &self.view.read_point)
    }

    /// Where things were that are elsewhere or nowhere afterwards.
    pub(super) fn place_left(&self) -> String {
        first_stated(&self.view.read_point, &self.view.biz_location)
    }

    /// The source and the destination of a type.
    fn parties(&mut self, wanted: &str) -> (String, String) {
        (
            self.party_or_place(true, wanted),
            self.party_or_place(false, wanted),
        )
    }

    /// The source and the destination of a type, if both are named and differ.
    fn change_of(&mut self, wanted: &str) -> Option<(String, String)> {
        let (from, to) = self.parties(wanted);
        (!from.is_empty() && !to.is_empty() && from != to).then_some((from, to))
    }

    /// The one source or destination of a type; none if there are several.
    fn party_or_place(&mut self, source: bool, wanted: &str) -> String {
        let (list, path) = if source {
            (&self.view.sources, "/sourceList")
        } else {
            (&self.view.destinations, "/destinationList")
        };
        only(list, wanted).unwrap_or_else(|| {
            self.note(Code::Ambiguous, path, format!("several of type {wanted}"));
            String::new()
        })
    }

    /// The despatch advice.
    ///
    /// No other paper stands in for it: a bill of lading that one side cites beside its advice, and the other
    /// alone, would make two shipments of one.
    pub(super) fn shipment(&mut self) -> String {
        only(&self.view.biz_transactions, "desadv").unwrap_or_else(|| {
            let detail = "several despatch advices".to_owned();
            self.note(Code::Ambiguous, "/bizTransactionList", detail);
            String::new()
        })
    }
}

/// The one reference of a type, empty if there is none; nothing if there are several.
fn only(list: &[v1::TypedReference], wanted: &str) -> Option<String> {
    let mut of_type = list.iter().filter(|reference| reference.r#type == wanted);
    let only = of_type.next().map(|reference| reference.value.clone());
    of_type.next().is_none().then(|| only.unwrap_or_default())
}

fn first_stated(first: &str, second: &str) -> String {
    if first.is_empty() { second } else { first }.to_owned()
}

/// A place without its extension: doors of one site are one site.
fn site(place: &str) -> &str {
    place.split_once("/254/").map_or(place, |(site, _)| site)
}
