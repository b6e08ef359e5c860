//! What becomes of goods that are shipped: carriers, short and damaged deliveries, refusals, returns.

use super::{
    super::{
        truth::{Lot, Party, Where},
        world::{Going, Shipment, World},
    },
    moving::Papers,
};
use crate::wire::v1::{self, event::Kind};

impl World {
    fn set_aside(&mut self, lot: Lot, party: Option<Party>, amount: i64) {
        *self.aside.entry((lot, party)).or_default() += amount;
    }

    fn third(&mut self, one: Party, other: Party) -> Option<Party> {
        let third = self.other(one);
        (third != other).then_some(third)
    }
}

fn plain(shipment: &Shipment) -> bool {
    shipment.open() && shipment.units.is_empty()
}

/// Less arrives than was shipped, and never will.
pub(super) fn receive_short(world: &mut World) -> Option<()> {
    let number = world.under_way(plain)?;
    let to = world.shipments[number].to;
    let at = world.booked(to);
    let parts = world.part(number);
    world.deliver(
        number,
        to,
        &parts,
        at,
        Papers {
            condition: "short",
            none: false,
        },
    );
    for (lot, amount, _) in world.shipments[number].loads.clone() {
        world.set_aside(lot, None, amount);
    }
    world.shipments[number].state = Going::Lost;
    Some(())
}

/// It arrives, and some of it is of no use.
pub(super) fn receive_damaged(world: &mut World) -> Option<()> {
    let number = world.under_way(plain)?;
    let to = world.shipments[number].to;
    let at = world.booked(to);
    let parts = world.whole(number);
    let taken = world.deliver(
        number,
        to,
        &parts,
        at,
        Papers {
            condition: "damaged",
            none: false,
        },
    );
    // Good for nothing any more, and in nobody's way.
    let at = world.at(to);
    world.take(to, &taken, at);
    for (lot, amount) in taken {
        world.set_aside(lot, Some(to), amount);
    }
    Some(())
}

/// What was shipped is more than was ordered, and a second note says so.
pub(super) fn ship_over(world: &mut World) -> Option<()> {
    let (from, loads) = world.goods()?;
    let to = world.other(from);
    let (lot, amount) = loads[0];
    if amount < 2 {
        return None;
    }
    let more = world.some_of(lot, amount);
    if more == amount {
        return None;
    }
    let number = world.depart(from, to, &[(lot, amount - more)], None);
    let at = world.at(from);
    let way = world.shipments[number].way;
    let flow = world.draw((lot, Where::Held(from)), more, at);
    let batch = world.truth.enter((lot, Where::Way(way)), more, &flow, at);
    world.shipments[number].loads.push((lot, more, batch));
    world.tell_shipped(number, &[(lot, more)], None, at);
    Some(())
}

/// The consignee does not want it.
pub(super) fn refuse(world: &mut World) -> Option<()> {
    let number = world.under_way(plain)?;
    let shipment = world.shipments[number].clone();
    world.pass(60, 3000);
    let loads: Vec<(Lot, i64)> = shipment
        .loads
        .iter()
        .map(|(lot, amount, _)| (*lot, *amount))
        .collect();
    let at = world.at(shipment.to);
    let (items, serials) = world.words(shipment.to, &loads);
    let refused = v1::DeliveryRefused {
        items,
        serials,
        facility: world.place(shipment.to),
        shipment: if shipment.named && world.style(shipment.to).names_shipment {
            shipment.id
        } else {
            String::new()
        },
        ..Default::default()
    };
    world.tell(shipment.to, at, Kind::DeliveryRefused(refused));
    for (lot, amount) in loads {
        world.set_aside(lot, Some(shipment.from), amount);
        world.set_aside(lot, None, amount);
    }
    world.shipments[number].state = Going::Refused;
    Some(())
}

/// The sender takes back what was refused.
pub(super) fn take_back(world: &mut World) -> Option<()> {
    let number = world.under_way(|shipment| shipment.state == Going::Refused)?;
    let from = world.shipments[number].from;
    world.pass(60, 3000);
    let at = world.booked(from);
    let parts = world.whole(number);
    let none = world.dice.one_in(2);
    for (lot, amount) in world.deliver(number, from, &parts, at, Papers { condition: "", none }) {
        world.set_aside(lot, Some(from), -amount);
        world.set_aside(lot, None, -amount);
    }
    Some(())
}

/// The sender calls it off before it arrives: by what is in it, or by its number alone.
pub(super) fn withdraw(world: &mut World) -> Option<()> {
    let number = world.under_way(plain)?;
    let shipment = world.shipments[number].clone();
    let from = shipment.from;
    // A number alone says nothing of what arrived under it before.
    let by_number = shipment.is_told_apart();
    if by_number {
        world.count("WithdrawByNumber");
    }
    let loads: Vec<(Lot, i64)> = shipment
        .loads
        .iter()
        .map(|(lot, amount, _)| (*lot, *amount))
        .collect();
    let at = world.at(from);
    for (lot, amount, batch) in &shipment.loads {
        let spot = (*lot, Where::Way(shipment.way));
        let flow = world.truth.draw(spot, *amount, Some(*batch), at, &mut world.dice);
        world.truth.enter((*lot, Where::Held(from)), *amount, &flow, at);
    }
    world.shipments[number].loads.clear();
    let (items, serials) = if by_number {
        (vec![], vec![])
    } else {
        world.words(from, &loads)
    };
    let withdrawn = v1::ShipmentWithdrawn {
        shipment: if by_number { shipment.id } else { String::new() },
        items,
        serials,
        facility: world.place(from),
        ..Default::default()
    };
    world.tell(from, at, Kind::ShipmentWithdrawn(withdrawn));
    Some(())
}

/// It never arrives, and the sender says so.
pub(super) fn lapse(world: &mut World) -> Option<()> {
    let number = world.under_way(|shipment| plain(shipment) && shipment.named)?;
    let shipment = world.shipments[number].clone();
    world.pass(5_000, 9_000);
    let at = world.at(shipment.from);
    for (lot, amount, _) in &shipment.loads {
        world.set_aside(*lot, None, *amount);
        world.lapsed.insert((*lot, shipment.from));
    }
    world.shipments[number].state = Going::Lost;
    let lapsed = v1::ShipmentLapsed {
        shipment: shipment.id,
    };
    world.tell(shipment.from, at, Kind::ShipmentLapsed(lapsed));
    Some(())
}

/// A customer brings back what he was sent, and only the sender books it, without papers.
pub(super) fn blind_return(world: &mut World) -> Option<()> {
    let came: Vec<(Lot, Party, Party, i64)> = world
        .sent
        .iter()
        .filter(|((lot, ..), _)| !world.quiet.contains(lot))
        .map(|((lot, from, to), sent)| {
            let there = world.truth.amount((*lot, Where::Held(*to)));
            (*lot, *from, *to, there.min(*sent))
        })
        .filter(|(.., amount)| *amount > 0)
        .collect();
    if came.is_empty() {
        return None;
    }
    let (lot, from, customer, there) = *world.dice.one(&came);
    let amount = world.some_of(lot, there);
    *world.sent.entry((lot, from, customer)).or_default() -= amount;
    let at = world.booked(from);
    let flow = world.draw((lot, Where::Held(customer)), amount, at);
    world.truth.enter((lot, Where::Held(from)), amount, &flow, at);
    world.truth.blur(lot);
    world.things[lot].uncertain = true;
    let (items, serials) = world.words(from, &[(lot, amount)]);
    let received = v1::Received {
        items,
        serials,
        facility: world.place(from),
        ..Default::default()
    };
    world.tell(from, at, Kind::Received(received));
    Some(())
}

/// Through a carrier's hands, who books what he takes and gives.
pub(super) fn carry(world: &mut World) -> Option<()> {
    let (from, loads) = world.goods()?;
    let to = world.other(from);
    let carrier = world.third(from, to)?;
    let number = world.depart(from, to, &loads, Some(carrier));
    world.pass(30, 600);
    let shipment = world.shipments[number].clone();
    if world.dice.one_in(2) {
        world.count("CarrierReceivesAndShips");
        let at = world.at(carrier);
        let parts = world.whole(number);
        world.shipments[number].to = carrier;
        world.deliver(number, carrier, &parts, at, Papers::default());
        world.pass(60, 2_000);
        let on = world.depart(carrier, to, &loads, None);
        // What he only carried does not come back to him.
        for (lot, amount) in &loads {
            *world.sent.entry((*lot, carrier, to)).or_default() -= amount;
        }
        world.pass(60, 2_000);
        let at = world.booked(to);
        let parts = world.whole(on);
        world.deliver(on, to, &parts, at, Papers::default());
        return Some(());
    }
    world.count("CarrierHandsOver");
    let hand = |world: &mut World, giver: Party, taker: Party| {
        let at = world.at(carrier);
        let (items, serials) = world.words(carrier, &loads);
        let handed = v1::CustodyTransferred {
            items,
            serials,
            from_party: world.companies[giver].id.clone(),
            to_party: world.companies[taker].id.clone(),
            ..Default::default()
        };
        world.tell(carrier, at, Kind::CustodyTransferred(handed));
    };
    hand(world, shipment.from, carrier);
    world.pass(60, 2_000);
    hand(world, carrier, to);
    world.pass(60, 600);
    let at = world.booked(to);
    let parts = world.whole(number);
    world.deliver(number, to, &parts, at, Papers::default());
    Some(())
}

/// In at one door and out at the other, before the first is booked.
pub(super) fn cross_dock(world: &mut World) -> Option<()> {
    let (from, loads) = world.goods()?;
    let dock = world.other(from);
    let to = world.third(dock, from)?;
    let number = world.depart(from, dock, &loads, None);
    world.pass(30, 600);
    let hours = world.dice.within(2, 12);
    let at = world.at_later(dock, hours);
    let parts = world.whole(number);
    world.deliver(number, dock, &parts, at, Papers::default());
    world.depart(dock, to, &loads, None);
    Some(())
}

/// Sold by somebody who never has it in hand.
pub(super) fn drop_ship(world: &mut World) -> Option<()> {
    let (from, loads) = world.goods()?;
    let to = world.other(from);
    let seller = world.third(from, to)?;
    for (sells, buys) in [(from, seller), (seller, to)] {
        let at = world.at(sells);
        let (items, serials) = world.words(sells, &loads);
        let sold = v1::TitleTransferred {
            items,
            serials,
            seller: world.companies[sells].id.clone(),
            buyer: world.companies[buys].id.clone(),
            ..Default::default()
        };
        world.tell(sells, at, Kind::TitleTransferred(sold));
    }
    world.depart(from, to, &loads, None);
    Some(())
}

/// The toller works on what the principal owns: who booked what in is told in three ways.
pub(super) fn toll(world: &mut World) -> Option<()> {
    let (principal, inputs) = world.inputs(2, |world, lot| world.form(lot) == super::Form::Bulk)?;
    let toller = world.other(principal);
    let amount = world.bulk_yield(principal, &inputs)?;
    let out = world.new_thing(toller, super::Form::Bulk, "toll");
    let (by, facility) = (
        world.companies[toller].id.clone(),
        world.companies[toller].facility.clone(),
    );
    let run = world.run_id(toller);
    if !world.style(toller).names_facility {
        return None;
    }
    let at_in = world.at(principal);
    let flow = world.take(principal, &inputs, at_in);
    let (_, flow) = world.truth.run(None, &flow);
    let told_in = v1::Transformed {
        step: "calcine".to_owned(),
        facility: facility.clone(),
        operator: by.clone(),
        run: run.clone(),
        inputs: world.words(principal, &inputs).0,
        ..Default::default()
    };
    world.tell(principal, at_in, Kind::Transformed(told_in));
    world.pass(60, 2_000);
    let at_out = world.at(toller);
    world.put(toller, &[(out, amount)], &[], &flow, at_out);
    let told_out = v1::Transformed {
        step: "calcine".to_owned(),
        facility,
        operator: by,
        on_behalf_of: world.companies[principal].id.clone(),
        run,
        outputs: vec![world.item(toller, out, amount)],
        ..Default::default()
    };
    world.tell(toller, at_out, Kind::Transformed(told_out));
    Some(())
}
