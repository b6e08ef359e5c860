//! Shipping and receiving.

use super::super::{
    truth::{At, Lot, Party, Where},
    world::{Going, Shipment, World},
};
use crate::wire::v1::{self, event::Kind};

impl World {
    /// Somebody else.
    pub(in crate::provenance::tests::plant) fn other(&mut self, than: Party) -> Party {
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
            state: Going::On,
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

/// What a receipt says beside what came.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Papers<'a> {
    /// `short`, `damaged` or nothing.
    pub(super) condition: &'a str,
    /// Neither from whom nor under which shipment.
    pub(super) none: bool,
}

impl World {
    /// Loads leave one party for another, and wait to arrive.
    pub(super) fn depart(
        &mut self,
        from: Party,
        to: Party,
        loads: &[(Lot, i64)],
        carrier: Option<Party>,
    ) -> usize {
        let mut shipment = self.new_shipment(from, to);
        let at = self.at(from);
        for (lot, amount) in loads {
            let flow = self.draw((*lot, Where::Held(from)), *amount, at);
            let batch = self
                .truth
                .enter((*lot, Where::Way(shipment.way)), *amount, &flow, at);
            shipment.loads.push((*lot, *amount, batch));
            *self.sent.entry((*lot, from, to)).or_default() += amount;
        }
        self.shipments.push(shipment);
        let number = self.shipments.len() - 1;
        self.tell_shipped(number, loads, carrier, at);
        number
    }

    pub(super) fn tell_shipped(
        &mut self,
        number: usize,
        loads: &[(Lot, i64)],
        carrier: Option<Party>,
        at: At,
    ) -> usize {
        let shipment = self.shipments[number].clone();
        let (items, serials) = self.words(shipment.from, loads);
        let shipped = v1::Shipped {
            items,
            serials,
            from_facility: self.place(shipment.from),
            consignee: self.companies[shipment.to].id.clone(),
            carrier: carrier.map_or_else(String::new, |carrier| self.companies[carrier].id.clone()),
            shipment: if shipment.named {
                shipment.id
            } else {
                String::new()
            },
            ..Default::default()
        };
        self.tell(shipment.from, at, Kind::Shipped(shipped))
    }

    /// These parts of a shipment come to `party`, who says so; what is left of it waits on.
    pub(super) fn deliver(
        &mut self,
        number: usize,
        party: Party,
        parts: &[i64],
        at: At,
        papers: Papers<'_>,
    ) -> Vec<(Lot, i64)> {
        let shipment = self.shipments[number].clone();
        let mut taken = Vec::new();
        let mut left = Vec::new();
        for ((lot, amount, batch), some) in shipment.loads.iter().zip(parts) {
            if *some > 0 {
                let spot = (*lot, Where::Way(shipment.way));
                let flow = self.truth.draw(spot, *some, Some(*batch), at, &mut self.dice);
                self.truth.enter((*lot, Where::Held(party)), *some, &flow, at);
                taken.push((*lot, *some));
            }
            if some < amount {
                left.push((*lot, amount - some, *batch));
            }
        }
        self.shipments[number].loads = left;
        let (items, serials) = self.words(party, &taken);
        let style = self.style(party).clone();
        let other = if party == shipment.to {
            shipment.from
        } else {
            shipment.to
        };
        let received = v1::Received {
            items,
            serials,
            facility: self.place(party),
            consignor: if style.names_consignor && !papers.none {
                self.companies[other].id.clone()
            } else {
                String::new()
            },
            shipment: if style.names_shipment && shipment.named && !papers.none {
                shipment.id
            } else {
                String::new()
            },
            condition: papers.condition.to_owned(),
            ..Default::default()
        };
        self.tell(party, at, Kind::Received(received));
        taken
    }

    /// Shipments with something under way that this is true of.
    pub(super) fn under_way(&mut self, wanted: impl Fn(&Shipment) -> bool) -> Option<usize> {
        let open: Vec<usize> = (0..self.shipments.len())
            .filter(|number| !self.shipments[*number].loads.is_empty() && wanted(&self.shipments[*number]))
            .collect();
        (!open.is_empty()).then(|| *self.dice.one(&open))
    }

    /// All that is left of a shipment.
    pub(super) fn whole(&self, number: usize) -> Vec<i64> {
        self.shipments[number]
            .loads
            .iter()
            .map(|(_, amount, _)| *amount)
            .collect()
    }

    /// Some of each load of a shipment, of the first one at least.
    pub(super) fn part(&mut self, number: usize) -> Vec<i64> {
        let loads = self.shipments[number].loads.clone();
        let some = |world: &mut Self, lot, amount| world.some_of(lot, amount);
        let mut parts = Vec::new();
        for (lot, amount, _) in loads {
            let left_out = !parts.is_empty() && self.dice.one_in(3);
            parts.push(if left_out { 0 } else { some(self, lot, amount) });
        }
        parts
    }

    /// When a receipt is booked: at once or days later.
    pub(super) fn booked(&mut self, party: Party) -> At {
        if self.style(party).books_receipts_late && self.dice.one_in(2) {
            self.count("LateReceipt");
            let hours = self.dice.within(24, 96);
            self.at_later(party, hours)
        } else {
            self.at(party)
        }
    }
}

/// Goods leave.
pub(super) fn ship(world: &mut World) -> Option<()> {
    let (from, loads) = world.goods()?;
    let to = world.other(from);
    let carrier = if world.dice.one_in(4) {
        world.count("CarrierNamed");
        let carrier = world.other(from);
        (carrier != to).then_some(carrier)
    } else {
        None
    };
    world.depart(from, to, &loads, carrier);
    Some(())
}

/// Goods arrive: all that is under way, or some of it in this truck.
pub(super) fn receive(world: &mut World) -> Option<()> {
    // Pallets are not left standing.
    let pallet = world.under_way(|shipment| shipment.open() && !shipment.units.is_empty());
    let number = pallet.or_else(|| world.under_way(Shipment::open))?;
    world.pass(30, 4000);
    let is_pallet = pallet.is_some();
    if is_pallet && world.dice.one_in(2) {
        super::packing::receive_units(world, number);
        return Some(());
    }
    let to = world.shipments[number].to;
    let at = world.booked(to);
    let parts = if !is_pallet && world.dice.one_in(2) {
        world.part(number)
    } else {
        world.whole(number)
    };
    let taken = world.deliver(number, to, &parts, at, Papers::default());
    if is_pallet {
        world.count("ReceiveItemOfUnit");
        let pallet = world.shipments[number].units[0];
        world.things[pallet].at = Some(Where::Held(to));
        for (lot, _) in &taken {
            world.truth.blur(*lot);
        }
    } else if !world.shipments[number].loads.is_empty() {
        world.count("PartialReceipt");
    }
    Some(())
}
