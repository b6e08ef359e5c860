//! What a stranger can say about a thing in which he has no part: an event of every kind, and of some kinds more.

use super::{
    arrival::{Arrived, STRANGE_PLANT},
    dice::Dice,
    world::{Form, World},
};
use crate::{
    provenance::tests::{STRANGER, cells, kg, pcs},
    wire::v1::{self, event::Kind},
};

/// What a stranger's event is about.
pub(super) struct Target {
    pub(super) lot: String,
    pub(super) form: Form,
    /// Another thing of the same world.
    pub(super) other: String,
    pub(super) shipment: String,
    /// A party with a part in it.
    pub(super) party: String,
    /// An event of somebody else.
    pub(super) event: v1::EventReference,
}

impl Target {
    pub(super) fn of(world: &World, log: &[Arrived], dice: &mut Dice) -> Self {
        let place = dice.place(world.things.len());
        let others: Vec<&Arrived> = log.iter().filter(|one| !one.by_authority).collect();
        let event = others[dice.place(others.len())].place;
        Self {
            lot: world.name(place),
            form: world.form(place),
            other: world.name(dice.place(world.things.len())),
            shipment: format!("urn:shipment:{}", dice.place(world.shipments.len() + 1)),
            party: world.companies[dice.place(world.companies.len())].id.clone(),
            event: v1::EventReference {
                leaf_index: event.leaf_index.get(),
                event_number: event.event_number,
            },
        }
    }

    fn items(&self) -> Vec<v1::Item> {
        match self.form {
            Form::Bulk => vec![kg(&self.lot, "3.5")],
            Form::Pieces => vec![pcs(&self.lot, "2")],
            Form::Serial | Form::Container => vec![],
        }
    }

    fn serials(&self) -> Vec<v1::SerialRun> {
        match self.form {
            Form::Serial => vec![v1::SerialRun {
                prefix: self.lot.clone(),
                suffixes: vec![String::new()],
            }],
            Form::Bulk | Form::Pieces | Form::Container => vec![],
        }
    }

    fn units(&self) -> Vec<String> {
        if self.form == Form::Container {
            vec![self.lot.clone()]
        } else {
            vec![]
        }
    }
}

const OWN: &str = "urn:stranger:lot-1";
const OWN_PALLET: &str = "urn:stranger:pallet-1";

/// Everything that a stranger can say of it, one of each kind or more.
pub(super) fn lies(t: &Target) -> Vec<Kind> {
    let (items, serials, units, lot) = (t.items(), t.serials(), t.units(), t.lot.clone());
    let facility = STRANGE_PLANT.to_owned();
    let one = || {
        Some(v1::Quantity {
            value: "1".to_owned(),
            unit: String::new(),
        })
    };
    let own_event = Some(t.event);
    vec![
        Kind::OwnershipDeclared(v1::OwnershipDeclared {
            party: STRANGER.into(),
            owners: vec![v1::Share {
                party: t.party.clone(),
                equity: "1".into(),
                ..Default::default()
            }],
            ownership_complete: Some(true),
        }),
        Kind::BoardDeclared(v1::BoardDeclared {
            party: STRANGER.into(),
            ..Default::default()
        }),
        Kind::LicencesDeclared(v1::LicencesDeclared {
            party: STRANGER.into(),
            ..Default::default()
        }),
        Kind::SuccessionDeclared(v1::SuccessionDeclared {
            party: STRANGER.into(),
            predecessor: t.party.clone(),
            effective_from: 1,
        }),
        Kind::ProductDeclared(v1::ProductDeclared {
            product: lot.clone(),
            kind: "pack".into(),
            ..Default::default()
        }),
        Kind::DelegationGranted(v1::DelegationGranted {
            delegation: "mine".into(),
            reporter: t.party.clone(),
            ..Default::default()
        }),
        Kind::DelegationRevoked(v1::DelegationRevoked {
            delegation: "mine".into(),
        }),
        Kind::OpeningBalanceDeclared(v1::OpeningBalanceDeclared {
            facility: facility.clone(),
            items: vec![pcs(&lot, "5")],
        }),
        Kind::StockCounted(v1::StockCounted {
            facility: facility.clone(),
            items: vec![pcs(&lot, "5")],
        }),
        Kind::Commissioned(v1::Commissioned {
            items: items.clone(),
            serials: serials.clone(),
            class_lot: OWN.into(),
            ..Default::default()
        }),
        Kind::Commissioned(v1::Commissioned {
            serials: cells(1..=3),
            class_lot: lot.clone(),
            ..Default::default()
        }),
        Kind::Transformed(v1::Transformed {
            inputs: items.clone(),
            input_serials: serials.clone(),
            outputs: vec![kg(OWN, "1")],
            inputs_complete: Some(true),
            ..Default::default()
        }),
        Kind::Transformed(v1::Transformed {
            inputs: vec![kg(OWN, "1")],
            outputs: items.clone(),
            output_serials: serials.clone(),
            facility: facility.clone(),
            ..Default::default()
        }),
        Kind::Transformed(v1::Transformed {
            inputs: vec![kg(OWN, "1")],
            outputs: vec![kg(&lot, "1")],
            operator: t.party.clone(),
            on_behalf_of: t.party.clone(),
            ..Default::default()
        }),
        Kind::Transformed(v1::Transformed {
            inputs: vec![kg(&t.other, "1")],
            outputs: vec![kg(&lot, "1")],
            run: format!("{}order-3", t.party.replace("urn:party:", "urn:") + ":"),
            ..Default::default()
        }),
        Kind::Aggregated(v1::Aggregated {
            parent: OWN_PALLET.into(),
            items: items.clone(),
            serials: serials.clone(),
            ..Default::default()
        }),
        Kind::Aggregated(v1::Aggregated {
            parent: lot.clone(),
            serials: cells(1..=2),
            ..Default::default()
        }),
        Kind::Disaggregated(v1::Disaggregated {
            parent: lot.clone(),
            ..Default::default()
        }),
        Kind::Assembled(v1::Assembled {
            parent: "urn:stranger:pack-1".into(),
            items: items.clone(),
            serials: serials.clone(),
            ..Default::default()
        }),
        Kind::Assembled(v1::Assembled {
            parent: lot.clone(),
            serials: cells(1..=2),
            inputs_complete: Some(true),
            ..Default::default()
        }),
        Kind::Assembled(v1::Assembled {
            parent: lot.clone(),
            items: vec![pcs(&t.other, "1")],
            ..Default::default()
        }),
        Kind::Disassembled(v1::Disassembled {
            parent: lot.clone(),
            ..Default::default()
        }),
        Kind::Disassembled(v1::Disassembled {
            parent: t.other.clone(),
            items: items.clone(),
            serials: serials.clone(),
            ..Default::default()
        }),
        Kind::Split(v1::Split {
            lot: lot.clone(),
            quantity: one(),
            into: vec![pcs(OWN, "1")],
            ..Default::default()
        }),
        Kind::Split(v1::Split {
            lot: OWN.into(),
            quantity: one(),
            into: vec![pcs(&lot, "1")],
            ..Default::default()
        }),
        Kind::Merged(v1::Merged {
            from: vec![pcs(&lot, "1")],
            lot: OWN.into(),
            quantity: one(),
            ..Default::default()
        }),
        Kind::Merged(v1::Merged {
            from: vec![pcs(OWN, "1"), pcs(&t.other, "1")],
            lot: lot.clone(),
            quantity: one(),
            ..Default::default()
        }),
        Kind::Inspected(v1::Inspected {
            items: items.clone(),
            serials: serials.clone(),
            destructive: Some(true),
            ..Default::default()
        }),
        Kind::Certified(v1::Certified {
            kind: "report".into(),
            about: lot.clone(),
            claims: vec!["making".into()],
            document: vec![7; 32],
            ..Default::default()
        }),
        Kind::Certified(v1::Certified {
            kind: "report".into(),
            about: lot.clone(),
            document: vec![7; 32],
            event: own_event,
            ..Default::default()
        }),
        Kind::Held(v1::Held {
            items: items.clone(),
            serials: serials.clone(),
            ..Default::default()
        }),
        Kind::Released(v1::Released {
            items: items.clone(),
            serials: serials.clone(),
            ..Default::default()
        }),
        Kind::Scrapped(v1::Scrapped {
            items: items.clone(),
            serials: serials.clone(),
            ..Default::default()
        }),
        Kind::Recycled(v1::Recycled {
            inputs: items.clone(),
            input_serials: serials.clone(),
            outputs: vec![kg("urn:stranger:mass", "1")],
            ..Default::default()
        }),
        Kind::Shipped(v1::Shipped {
            items: items.clone(),
            serials: serials.clone(),
            units: units.clone(),
            consignee: t.party.clone(),
            shipment: t.shipment.clone(),
            ..Default::default()
        }),
        Kind::Shipped(v1::Shipped {
            items: items.clone(),
            serials: serials.clone(),
            units: units.clone(),
            ..Default::default()
        }),
        Kind::Received(v1::Received {
            items: items.clone(),
            serials: serials.clone(),
            units: units.clone(),
            consignor: t.party.clone(),
            shipment: t.shipment.clone(),
            ..Default::default()
        }),
        Kind::Received(v1::Received {
            items: items.clone(),
            serials: serials.clone(),
            units: units.clone(),
            facility,
            ..Default::default()
        }),
        Kind::DeliveryRefused(v1::DeliveryRefused {
            items: items.clone(),
            serials: serials.clone(),
            shipment: t.shipment.clone(),
            ..Default::default()
        }),
        Kind::ShipmentWithdrawn(v1::ShipmentWithdrawn {
            shipment: t.shipment.clone(),
            ..Default::default()
        }),
        Kind::ShipmentWithdrawn(v1::ShipmentWithdrawn {
            items: items.clone(),
            serials: serials.clone(),
            units: units.clone(),
            ..Default::default()
        }),
        Kind::ShipmentLapsed(v1::ShipmentLapsed {
            shipment: t.shipment.clone(),
        }),
        Kind::CustodyTransferred(v1::CustodyTransferred {
            items: items.clone(),
            serials: serials.clone(),
            units: units.clone(),
            from_party: t.party.clone(),
            to_party: STRANGER.into(),
            ..Default::default()
        }),
        Kind::CustodyTransferred(v1::CustodyTransferred {
            items: items.clone(),
            serials: serials.clone(),
            units,
            from_party: STRANGER.into(),
            to_party: t.party.clone(),
            ..Default::default()
        }),
        Kind::TitleTransferred(v1::TitleTransferred {
            items: items.clone(),
            serials: serials.clone(),
            seller: STRANGER.into(),
            buyer: t.party.clone(),
            titles_complete: Some(true),
            ..Default::default()
        }),
        Kind::Imported(v1::Imported {
            items: items.clone(),
            serials: serials.clone(),
            country: "US".into(),
            ..Default::default()
        }),
        Kind::Exported(v1::Exported {
            items: items.clone(),
            serials: serials.clone(),
            country: "US".into(),
            ..Default::default()
        }),
        Kind::Recalled(v1::Recalled {
            recall: "urn:stranger:recall".into(),
            items: items.clone(),
            serials: serials.clone(),
            reason: "malice".into(),
        }),
        Kind::RecallAcknowledged(v1::RecallAcknowledged {
            recall: "urn:stranger:recall".into(),
        }),
        Kind::RecallCompleted(v1::RecallCompleted {
            recall: "urn:stranger:recall".into(),
            items: items.clone(),
        }),
        Kind::RecallLifted(v1::RecallLifted {
            recall: "urn:stranger:recall".into(),
            items: items.clone(),
        }),
        Kind::Corrected(v1::Corrected {
            event: own_event,
            corrective_ids: vec!["x2".into()],
            ..Default::default()
        }),
        Kind::Voided(v1::Voided {
            event: own_event,
            ..Default::default()
        }),
        Kind::Observed(v1::Observed {
            parent: lot,
            items,
            serials,
            ..Default::default()
        }),
    ]
}
