//! Shipping and receiving.

use super::super::{
    truth::{Lot, Party, Where},
    world::{Shipment, World},
};
use crate::wire::v1::{self, event::Kind};

impl World {
    /// Somebody else.
    pub(super) fn other(&mut self, than: Party) -> Party {
        let others: Vec<Party> = (0..self.companies.len())
            .filter(|party| *party != than && !self.companies[*party].silent)
            .collect();
        *self.dice.one(&others)
    }

    /// A shipment with nothing in it yet.
    pub(super) fn new_shipment(&mut self, from: Party, to: Party) -> Shipment {
        let number = u32::try_from(self.shipments.len()).expect("few");
        let named = self.style(from).names_shipment;
        let both = named && self.style(to).names_shipment;
        Shipment {
            id: format!("urn:shipment:{number}"),
            from,
            to,
            loads: Vec::new(),
            units: Vec::new(),
            named,
            // What the two do not tell apart is one account.
            way: if both {
                1_000 + number
            } else {
                u32::try_from(to).expect("few")
            },
        }
    }

    /// Some of what a party holds: lots or serials.
    pub(super) fn goods(&mut self) -> Option<(Party, Vec<(Lot, i64)>)> {
        if self.dice.one_in(3)
            && let Some((party, serials)) = self.serials(8, None)
        {
            return Some((party, serials.into_iter().map(|serial| (serial, 1)).collect()));
        }
        self.inputs(3, |_, _| true)
    }
}

/// Goods leave.
pub(super) fn ship(world: &mut World) -> Option<()> {
    let (from, loads) = world.goods()?;
    let to = world.other(from);
    let mut shipment = world.new_shipment(from, to);
    let at = world.at(from);
    for (lot, amount) in &loads {
        let flow = world.draw((*lot, Where::Held(from)), *amount, at);
        let batch = world
            .truth
            .enter((*lot, Where::Way(shipment.way)), *amount, &flow, at);
        shipment.loads.push((*lot, *amount, batch));
    }
    let (items, serials) = world.words(from, &loads);
    let shipped = v1::Shipped {
        items,
        serials,
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

/// Goods arrive: all that is under way, or some of it in this truck.
pub(super) fn receive(world: &mut World) -> Option<()> {
    let open: Vec<usize> = (0..world.shipments.len())
        .filter(|number| !world.shipments[*number].loads.is_empty())
        .collect();
    if open.is_empty() {
        return None;
    }
    let pallets: Vec<usize> = open
        .iter()
        .copied()
        .filter(|number| !world.shipments[*number].units.is_empty())
        .collect();
    // Pallets are not left standing.
    let first = if pallets.is_empty() { &open } else { &pallets };
    let number = *world.dice.one(first);
    world.pass(30, 4000);
    let shipment = world.shipments[number].clone();
    if !shipment.units.is_empty() && !world.dice.one_in(3) {
        super::packing::receive_units(world, number);
        return Some(());
    }
    let to = shipment.to;
    let late = world.style(to).books_receipts_late && world.dice.one_in(2);
    let at = if late {
        world.count("LateReceipt");
        let hours = world.dice.within(24, 96);
        world.at_later(to, hours)
    } else {
        world.at(to)
    };
    let partly = shipment.units.is_empty() && world.dice.one_in(3);
    let mut taken = Vec::new();
    let mut left = Vec::new();
    for (lot, amount, batch) in &shipment.loads {
        let some = if partly {
            world.some_of(*lot, *amount)
        } else {
            *amount
        };
        if partly && !taken.is_empty() && world.dice.one_in(3) {
            left.push((*lot, *amount, *batch));
            continue;
        }
        let spot = (*lot, Where::Way(shipment.way));
        let flow = world.truth.draw(spot, some, Some(*batch), at, &mut world.dice);
        world.truth.enter((*lot, Where::Held(to)), some, &flow, at);
        taken.push((*lot, some));
        if some < *amount {
            left.push((*lot, amount - some, *batch));
        }
    }
    if !left.is_empty() {
        world.count("PartialReceipt");
    }
    if !shipment.units.is_empty() {
        world.count("ReceiveItemOfUnit");
        world.things[shipment.units[0]].at = Some(Where::Held(to));
    }
    for (lot, _) in &taken {
        if !shipment.units.is_empty() {
            world.truth.blur(*lot);
        }
    }
    world.shipments[number].loads = left;
    let (items, serials) = world.words(to, &taken);
    let style = world.style(to).clone();
    let received = v1::Received {
        items,
        serials,
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
    Some(())
}
