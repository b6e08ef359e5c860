//! Pallets, totes and trays: loaded, shipped as one unit, unloaded, used again.
//!
//! Their clocks are right: what is on a pallet that is used again depends on the hour, and on nothing else.

use super::super::{
    truth::{Lot, Party, Where},
    world::{Form, World},
};
use crate::wire::v1::{self, event::Kind};

/// What is on a pallet.
fn contents(world: &World, pallet: Lot) -> Vec<(Lot, i64)> {
    world
        .truth
        .stock()
        .filter(|((_, place), _)| *place == Where::On(pallet))
        .map(|((lot, _), amount)| (lot, amount))
        .collect()
}

/// Pallets with something on them, and who has them.
fn loaded(world: &mut World) -> Option<(Lot, Party)> {
    let found: Vec<(Lot, Party)> = (0..world.things.len())
        .filter_map(|lot| match world.things[lot].at {
            Some(Where::Held(party)) if !contents(world, lot).is_empty() => Some((lot, party)),
            _ => None,
        })
        .collect();
    (!found.is_empty()).then(|| *world.dice.one(&found))
}

/// Serials or pieces go onto a pallet: an empty one that is there, or a new one.
pub(super) fn load(world: &mut World) -> Option<()> {
    let (party, loads) = if world.dice.one_in(2) {
        let (party, serials) = world.serials(8, None)?;
        (party, serials.into_iter().map(|serial| (serial, 1)).collect())
    } else {
        world.inputs(2, |world, lot| world.form(lot) == Form::Pieces)?
    };
    let empty = (0..world.things.len())
        .find(|lot| world.things[*lot].at == Some(Where::Held(party)) && contents(world, *lot).is_empty());
    let pallet = match empty {
        Some(pallet) => {
            world.count("ReusePallet");
            pallet
        }
        None => world.new_thing(party, Form::Container, "pallet"),
    };
    world.things[pallet].at = Some(Where::Held(party));
    let at = world.at_exactly();
    for (lot, amount) in &loads {
        let flow = world.draw((*lot, Where::Held(party)), *amount, at);
        world.truth.enter((*lot, Where::On(pallet)), *amount, &flow, at);
        world.truth.blur(*lot);
    }
    let (items, serials) = world.words(party, &loads);
    let aggregated = v1::Aggregated {
        parent: world.name(pallet),
        items,
        serials,
        facility: world.place(party),
    };
    world.tell(party, at, Kind::Aggregated(aggregated));
    Some(())
}

/// A loaded pallet leaves under its own number.
pub(super) fn ship_pallet(world: &mut World) -> Option<()> {
    let (pallet, from) = loaded(world)?;
    let to = world.other(from);
    let mut shipment = world.new_shipment(from, to);
    shipment.units = vec![pallet];
    let at = world.at_exactly();
    for (lot, amount) in contents(world, pallet) {
        let flow = world.draw((lot, Where::On(pallet)), amount, at);
        let batch = world
            .truth
            .enter((lot, Where::Way(shipment.way)), amount, &flow, at);
        shipment.loads.push((lot, amount, batch));
    }
    world.things[pallet].at = None;
    let shipped = v1::Shipped {
        units: vec![world.name(pallet)],
        from_facility: world.place(from),
        consignee: world.companies[to].id.clone(),
        shipment: if shipment.named {
            shipment.id.clone()
        } else {
            String::new()
        },
        ..Default::default()
    };
    world.tell(from, at, Kind::Shipped(shipped));
    world.shipments.push(shipment);
    Some(())
}

/// The pallet arrives as it left.
pub(super) fn receive_units(world: &mut World, number: usize) {
    let shipment = world.shipments[number].clone();
    let to = shipment.to;
    let pallet = shipment.units[0];
    let at = world.at_exactly();
    for (lot, amount, batch) in &shipment.loads {
        let spot = (*lot, Where::Way(shipment.way));
        let flow = world.truth.draw(spot, *amount, Some(*batch), at, &mut world.dice);
        world.truth.enter((*lot, Where::On(pallet)), *amount, &flow, at);
    }
    world.shipments[number].loads.clear();
    world.things[pallet].at = Some(Where::Held(to));
    world.count("ReceiveUnit");
    let style = world.style(to).clone();
    let received = v1::Received {
        units: vec![world.name(pallet)],
        facility: world.place(to),
        consignor: if style.names_consignor {
            world.companies[shipment.from].id.clone()
        } else {
            String::new()
        },
        shipment: if style.names_shipment && shipment.named {
            shipment.id.clone()
        } else {
            String::new()
        },
        ..Default::default()
    };
    world.tell(to, at, Kind::Received(received));
}

/// Everything comes off the pallet.
pub(super) fn unload(world: &mut World) -> Option<()> {
    let (pallet, party) = loaded(world)?;
    let loads = contents(world, pallet);
    let at = world.at_exactly();
    for (lot, amount) in &loads {
        let flow = world.draw((*lot, Where::On(pallet)), *amount, at);
        world.truth.enter((*lot, Where::Held(party)), *amount, &flow, at);
    }
    let (items, serials) = if world.dice.one_in(2) {
        (vec![], vec![])
    } else {
        world.words(party, &loads)
    };
    let disaggregated = v1::Disaggregated {
        parent: world.name(pallet),
        items,
        serials,
        facility: world.place(party),
    };
    world.tell(party, at, Kind::Disaggregated(disaggregated));
    Some(())
}
