//! What was there before the log, what comes from those who are not in it, and those who come late.

use super::{
    super::{
        truth::{Flow, Lot, Party, Where},
        world::{Form, World},
    },
    making::held,
};
use crate::{
    provenance::tests::{HOUR, START},
    wire::v1::{self, event::Kind},
};

/// Goods from before the log: an opening balance, in one system or in two that say the same.
#[expect(clippy::unnecessary_wraps, reason = "as every operation")]
pub(super) fn opening(world: &mut World) -> Option<()> {
    let party = world.somebody();
    let lot = old_goods(world, party);
    let amount = world.fresh_amount(party, world.form(lot));
    let mut at = world.at(party);
    // As of the day on which the log begins.
    at.claimed = START - HOUR;
    world.put(party, &[(lot, amount)], &[], &Flow::default(), at);
    let declared = v1::OpeningBalanceDeclared {
        facility: world.place(party),
        items: vec![world.item(party, lot, amount)],
    };
    world.tell(party, at, Kind::OpeningBalanceDeclared(declared.clone()));
    if world.dice.one_in(3) {
        world.count("OpeningTwice");
        world.tell(party, at, Kind::OpeningBalanceDeclared(declared));
    } else if world.dice.one_in(2) && world.things[lot].owner == party {
        // What was opened was the party's own making, which it tells afterwards.
        world.count("Backfill");
        let mut earlier = at;
        earlier.claimed -= world.dice.within(30, 60) * 24 * HOUR;
        let made = v1::Commissioned {
            facility: world.place(party),
            items: vec![world.item(party, lot, amount)],
            ..Default::default()
        };
        world.tell_after(party, earlier, Kind::Commissioned(made), 300);
    }
    Some(())
}

/// A lot of one's own or of somebody whom nobody enrolled.
fn old_goods(world: &mut World, party: Party) -> Lot {
    let form = *world.dice.one(&[Form::Bulk, Form::Pieces]);
    let lot = world.new_thing(party, form, "old");
    world.things[lot].opened = true;
    if world.dice.one_in(2) {
        world.things[lot].name = format!("urn:outside:old-{lot}");
        world.things[lot].owner = world.companies.len();
    }
    lot
}

/// Received from somebody who is not in the log.
#[expect(clippy::unnecessary_wraps, reason = "as every operation")]
pub(super) fn buy_outside(world: &mut World) -> Option<()> {
    let party = world.somebody();
    let form = *world.dice.one(&[Form::Bulk, Form::Pieces]);
    let lot = world.new_thing(party, form, "bought");
    world.things[lot].name = format!("urn:outside:lot-{lot}");
    world.things[lot].owner = world.companies.len();
    let amount = world.fresh_amount(party, form);
    let at = world.booked(party);
    world.put(party, &[(lot, amount)], &[], &Flow::default(), at);
    let received = v1::Received {
        items: vec![world.item(party, lot, amount)],
        facility: world.place(party),
        consignor: if world.dice.one_in(2) {
            "urn:party:outside".to_owned()
        } else {
            String::new()
        },
        ..Default::default()
    };
    world.tell(party, at, Kind::Received(received));
    Some(())
}

/// A supplier who is enrolled weeks after his goods were used, and tells then what he had made and shipped.
#[expect(clippy::unnecessary_wraps, reason = "as every operation")]
pub(super) fn late_supplier(world: &mut World) -> Option<()> {
    let supplier = world.somebody();
    let customer = world.other(supplier);
    let lot = world.new_thing(supplier, Form::Bulk, "late");
    let amount = world.fresh_amount(supplier, Form::Bulk);
    let weeks = world.dice.within(2, 6) * 168;
    let made_at = world.at(supplier);
    world.put(supplier, &[(lot, amount)], &[], &Flow::default(), made_at);
    let made = v1::Commissioned {
        items: vec![world.item(supplier, lot, amount)],
        ..Default::default()
    };
    world.tell_after(supplier, made_at, Kind::Commissioned(made), weeks);
    let shipped_at = world.at(supplier);
    let shipment = world.new_shipment(supplier, customer);
    let flow = world.draw(held(lot, supplier), amount, shipped_at);
    let spot = (lot, Where::Way(shipment.way));
    let batch = world.truth.enter(spot, amount, &flow, shipped_at);
    let shipped = v1::Shipped {
        items: vec![world.item(supplier, lot, amount)],
        consignee: world.companies[customer].id.clone(),
        shipment: if shipment.named {
            shipment.id.clone()
        } else {
            String::new()
        },
        ..Default::default()
    };
    world.tell_after(supplier, shipped_at, Kind::Shipped(shipped), weeks + 1);
    world.shipments.push(shipment);
    let number = world.shipments.len() - 1;
    world.shipments[number].loads.push((lot, amount, batch));
    world.pass(60, 900);
    let at = world.booked(customer);
    world.deliver(number, customer, &[amount], at, super::moving::Papers::default());
    Some(())
}

/// Made by one party under the number of another, who lets it.
#[expect(clippy::unnecessary_wraps, reason = "as every operation")]
pub(super) fn make_for_brand(world: &mut World) -> Option<()> {
    let maker = world.somebody();
    let brand = world.other(maker);
    let mut at = world.at(brand);
    at.claimed = START - 30 * 24 * HOUR;
    let granted = v1::DelegationGranted {
        delegation: format!("to-{maker}"),
        reporter: world.companies[maker].id.clone(),
        ..Default::default()
    };
    let id = format!("grant-{maker}");
    let known = world
        .told
        .iter()
        .any(|told| told.party == brand && told.event.id == id);
    if !known {
        let number = world.tell_after(brand, at, Kind::DelegationGranted(granted), 0);
        for told in &mut world.told[number..] {
            told.event.id.clone_from(&id);
        }
    }
    let form = *world.dice.one(&[Form::Bulk, Form::Pieces]);
    let lot = world.new_thing(maker, form, "branded");
    world.things[lot].name = format!("{}branded-{lot}", world.companies[brand].namespace);
    world.things[lot].owner = world.companies.len();
    let amount = world.fresh_amount(maker, form);
    super::making::new_from_nothing(world, maker, lot, amount);
    Some(())
}

/// Counted and found as booked; counting makes nothing.
pub(super) fn count(world: &mut World) -> Option<()> {
    let (lot, party, _) = world.pick(|world, lot, party| {
        matches!(world.form(lot), Form::Bulk | Form::Pieces)
            && !world.aside.contains_key(&(lot, Some(party)))
            && world.things.iter().all(|thing| thing.class != Some(lot))
            && !world
                .truth
                .stock()
                .any(|((other, place), _)| other == lot && matches!(place, Where::On(_)))
    })?;
    let amount = world.truth.amount(held(lot, party));
    let at = world.at_exactly();
    let counted = v1::StockCounted {
        facility: world.place(party),
        items: vec![world.item(party, lot, amount)],
    };
    world.tell(party, at, Kind::StockCounted(counted));
    Some(())
}

/// Words that move nothing: held and released, imported and exported, looked at, observed.
pub(super) fn paper(world: &mut World) -> Option<()> {
    let (party, loads) = world.goods()?;
    let at = world.at(party);
    let (items, serials) = world.words(party, &loads);
    let facility = world.place(party);
    let kind = match world.dice.place(5) {
        0 => Kind::Held(v1::Held {
            items,
            serials,
            facility,
            ..Default::default()
        }),
        1 => Kind::Released(v1::Released {
            items,
            serials,
            facility,
        }),
        2 => Kind::Imported(v1::Imported {
            items,
            serials,
            country: "US".to_owned(),
            ..Default::default()
        }),
        3 => Kind::Inspected(v1::Inspected {
            items,
            serials,
            facility,
            result: "conformant".to_owned(),
            ..Default::default()
        }),
        _ => Kind::Observed(v1::Observed {
            items,
            serials,
            facility,
            ..Default::default()
        }),
    };
    world.tell(party, at, kind);
    Some(())
}

/// A sample goes to a laboratory and is destroyed there.
pub(super) fn sample(world: &mut World) -> Option<()> {
    let (owner, mut loads) = world.goods()?;
    loads.truncate(1);
    let (lot, amount) = loads[0];
    let some = match world.form(lot) {
        Form::Bulk => world.some_of(lot, amount),
        _ => 1,
    };
    let tester = if world.dice.one_in(2) {
        let laboratory = world.other(owner);
        let number = world.depart(owner, laboratory, &[(lot, some)], None);
        world.pass(60, 2_000);
        let at = world.booked(laboratory);
        let parts = world.whole(number);
        world.deliver(number, laboratory, &parts, at, super::moving::Papers::default());
        laboratory
    } else {
        owner
    };
    let at = world.at(tester);
    let loads = [(lot, some)];
    world.take(tester, &loads, at);
    *world.aside.entry((lot, Some(tester))).or_default() += some;
    let (items, serials) = world.words(tester, &loads);
    let inspected = v1::Inspected {
        items,
        serials,
        facility: world.place(tester),
        destructive: Some(true),
        ..Default::default()
    };
    world.tell(tester, at, Kind::Inspected(inspected));
    Some(())
}
