//! Turns of phrase for the stages: say, make, deliver. A stage writes drafts; the stream sorts and numbers them.

use rust_decimal::Decimal;

use crate::{
    quantity::{Quantity, normal_decimal},
    wire::v1::{self, event::Kind},
};

use super::{
    cast::{Cast, PartyIndex, Place, at, made},
    plan::{Batch, Plan},
    random::Random,
};

/// Nanoseconds of a minute.
pub(super) const MINUTE: i64 = 60_000_000_000;
/// Minutes of an hour.
pub(super) const HOUR: i64 = 60;
/// Minutes of a day.
pub(super) const DAY: i64 = 24 * HOUR;
/// The unit code of kilograms.
pub(super) const KILOGRAM: &str = "KGM";

/// What somebody says, before it has a number.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) time: i64,
    /// Who says it.
    pub(super) party: PartyIndex,
    /// Where he says it, in minutes east of UTC.
    pub(super) utc_offset_minutes: i32,
    /// Whether he certifies it.
    pub(super) certified: bool,
    pub(super) kind: Kind,
}

/// What is moved: lots, single things, and runs of serials.
#[derive(Clone, Debug, Default)]
pub(super) struct Goods {
    pub(super) items: Vec<v1::Item>,
    pub(super) serials: Vec<v1::SerialRun>,
}

/// One stage of one pack lot.
pub(super) struct Scene<'a> {
    pub(super) cast: &'a Cast,
    pub(super) plan: &'a Plan,
    pub(super) random: Random,
    /// When the stage starts, in nanoseconds since the epoch. Nothing in it is earlier.
    pub(super) start: i64,
    /// Number of the next shipment of the lot.
    pub(super) leg: u32,
    pub(super) drafts: Vec<Draft>,
}

impl Scene<'_> {
    /// The instant `minutes` into the stage, give or take less than a minute.
    fn instant(&mut self, minutes: i64) -> i64 {
        self.start + minutes * MINUTE + self.random.below(60_000) * 1_000_000
    }

    /// Whoever runs a place says something, `minutes` into the stage.
    pub(super) fn say(&mut self, minutes: i64, place: Place, kind: Kind) {
        let time = self.instant(minutes);
        let facility = self.cast.facility(place);
        self.drafts.push(Draft {
            time,
            party: facility.operator,
            utc_offset_minutes: facility.utc_offset_minutes,
            certified: false,
            kind,
        });
    }

    /// Whoever runs a place says something and certifies it.
    pub(super) fn certify(&mut self, minutes: i64, place: Place, kind: Kind) {
        self.say(minutes, place, kind);
        if let Some(draft) = self.drafts.last_mut() {
            draft.certified = true;
        }
    }

    /// A batch comes into being without inputs that anybody states.
    pub(super) fn commission(&mut self, minutes: i64, batch: &Batch) {
        let items = vec![weighed(batch)];
        self.commission_goods(minutes, batch.place, items, Vec::new());
    }

    pub(super) fn commission_goods(
        &mut self,
        minutes: i64,
        place: Place,
        items: Vec<v1::Item>,
        serials: Vec<v1::SerialRun>,
    ) {
        let facility = self.cast.facility(place);
        let kind = Kind::Commissioned(v1::Commissioned {
            facility: facility.identifier.clone(),
            operator: self.cast.operator(place).to_owned(),
            items,
            serials,
            class_lot: String::new(),
            country_of_origin: facility.country.to_owned(),
        });
        self.certify(minutes, place, kind);
    }

    /// A step without the parts that only some have.
    pub(super) fn step(&self, minutes: i64, place: Place, step: &str) -> v1::Transformed {
        v1::Transformed {
            step: step.to_owned(),
            facility: self.cast.facility(place).identifier.clone(),
            operator: self.cast.operator(place).to_owned(),
            inputs_complete: Some(true),
            licences_complete: Some(true),
            custody_model: "segregated".to_owned(),
            started_at: Some(self.start + (minutes - 5) * MINUTE),
            ..Default::default()
        }
    }

    /// Batches, all of each at its price, become one; what is lost is shared out between `losses`, of which
    /// the last takes the rest.
    pub(super) fn make(
        &mut self,
        minutes: i64,
        step: &str,
        inputs: &[&Batch],
        output: &Batch,
        losses: &[(&str, i64)],
    ) {
        let grams: i64 = inputs.iter().map(|input| input.grams).sum();
        let transformed = v1::Transformed {
            inputs: inputs.iter().map(|input| priced(input)).collect(),
            outputs: vec![weighed(output)],
            losses: shared_losses(grams - output.grams, losses),
            ..self.step(minutes, output.place, step)
        };
        self.certify(minutes, output.place, Kind::Transformed(transformed));
    }

    /// Goods go from one company to another, and title with them, as the buyer certifies: only he knows that
    /// he bought from nobody else. Returns when they have arrived, in minutes into the stage: on the next
    /// day, or within a week across a border.
    pub(super) fn deliver(&mut self, minutes: i64, from: Place, to: Place, goods: Goods) -> i64 {
        let arrival = self.carry(minutes, from, to, &goods);
        let (seller, buyer) = self.parties(from, to);
        let contract_date = self.start - 20 * DAY * MINUTE;
        let sold = Kind::TitleTransferred(v1::TitleTransferred {
            items: goods.items,
            serials: goods.serials,
            seller,
            buyer,
            contract_date: Some(contract_date),
            titles_complete: Some(true),
        });
        self.certify(arrival + 2, to, sold);
        arrival + 10
    }

    /// Goods go from one company to another, whoever owns them. Returns when they have arrived.
    pub(super) fn carry(&mut self, minutes: i64, from: Place, to: Place, goods: &Goods) -> i64 {
        let abroad = self.crosses(from, to);
        let shipment = self.next_shipment(from);
        let moved = Goods {
            items: goods.items.iter().cloned().map(without_cost).collect(),
            serials: goods.serials.clone(),
        };
        let (consignor, consignee) = self.parties(from, to);
        let (from_facility, to_facility) = self.facilities(from, to);
        let shipped = Kind::Shipped(v1::Shipped {
            items: moved.items.clone(),
            serials: moved.serials.clone(),
            from_facility,
            to_facility: to_facility.clone(),
            consignee,
            carrier: self.carrier(from, to),
            units: Vec::new(),
            shipment: shipment.clone(),
        });
        self.say(minutes, from, shipped);
        let days = if abroad { 3 + self.random.below(3) } else { 0 };
        let arrival = minutes + days * DAY + 8 * HOUR + self.random.below(6 * HOUR);
        if abroad {
            self.border(minutes + 30, arrival - 60, from, to, &moved);
        }
        let received = Kind::Received(v1::Received {
            items: moved.items,
            serials: moved.serials,
            facility: to_facility,
            consignor,
            units: Vec::new(),
            shipment,
            condition: "accepted".to_owned(),
        });
        self.say(arrival, to, received);
        arrival
    }

    /// Export and import of what crosses a border.
    pub(super) fn border(&mut self, out: i64, into: i64, from: Place, to: Place, goods: &Goods) {
        let declaration = |scene: &Self, place: Place, word: &str| {
            let country = scene.cast.facility(place).country;
            format!("{country}-{word}-{:07}-{:03}", scene.plan.number, scene.leg)
        };
        let exported = Kind::Exported(v1::Exported {
            items: goods.items.clone(),
            serials: goods.serials.clone(),
            country: self.cast.facility(from).country.to_owned(),
            declaration: declaration(self, from, "EX"),
        });
        self.say(out, from, exported);
        let imported = Kind::Imported(v1::Imported {
            items: goods.items.clone(),
            serials: goods.serials.clone(),
            country: self.cast.facility(to).country.to_owned(),
            declaration: declaration(self, to, "IM"),
        });
        self.say(into, to, imported);
    }

    pub(super) fn next_shipment(&mut self, from: Place) -> String {
        self.leg += 1;
        self.cast.shipment(from, self.plan.number, self.leg)
    }

    pub(super) fn crosses(&self, from: Place, to: Place) -> bool {
        self.cast.facility(from).country != self.cast.facility(to).country
    }

    pub(super) fn parties(&self, from: Place, to: Place) -> (String, String) {
        let party = |place| self.cast.operator(place).to_owned();
        (party(from), party(to))
    }

    pub(super) fn facilities(&self, from: Place, to: Place) -> (String, String) {
        let facility = |place| self.cast.facility(place).identifier.clone();
        (facility(from), facility(to))
    }

    /// Who carries between two places: a ship across borders, else a lorry of the country.
    pub(super) fn carrier(&self, from: Place, to: Place) -> String {
        let place = if self.crosses(from, to) {
            at::OCEAN
        } else if self.cast.facility(from).country == "US" {
            at::ROAD_US
        } else {
            at::ROAD_ASIA
        };
        self.cast.operator(place).to_owned()
    }
}

/// `grams` as kilograms.
pub(super) fn kilograms(grams: i64) -> v1::Quantity {
    Quantity::new(Decimal::new(grams, 3), KILOGRAM).to_wire()
}

/// So many pieces.
pub(super) fn pieces(count: i64) -> v1::Quantity {
    Quantity::new(Decimal::new(count, 0), "").to_wire()
}

/// Watt-hours as kilowatt-hours.
pub(super) fn kilowatt_hours(watt_hours: i64) -> v1::Quantity {
    Quantity::new(Decimal::new(watt_hours, 3), "KWH").to_wire()
}

/// What was paid.
pub(super) fn price(cents: i64) -> v1::Money {
    v1::Money {
        value: normal_decimal(Decimal::new(cents, 2)),
        currency: "USD".to_owned(),
        basis: "price".to_owned(),
    }
}

/// All of a batch.
pub(super) fn weighed(batch: &Batch) -> v1::Item {
    let counted = batch.count > 0;
    let quantity = if batch.product == made::SEPARATOR {
        Quantity::new(Decimal::new(batch.count, 2), "MTK").to_wire()
    } else if counted {
        pieces(batch.count)
    } else {
        kilograms(batch.grams)
    };
    v1::Item {
        lot: batch.lot.clone(),
        quantity: Some(quantity),
        mass: counted.then(|| kilograms(batch.grams)),
        ..Default::default()
    }
}

/// All of a batch, with its price.
pub(super) fn priced(batch: &Batch) -> v1::Item {
    v1::Item {
        cost: Some(price(batch.cents)),
        ..weighed(batch)
    }
}

/// One thing with a serial of its own, with its price.
pub(super) fn one(serial: String, grams: i64, cents: i64) -> v1::Item {
    v1::Item {
        lot: serial,
        quantity: Some(pieces(1)),
        cost: Some(price(cents)),
        mass: Some(kilograms(grams)),
        ..Default::default()
    }
}

/// Serials `first` to `last` of a product's run.
pub(super) fn run(prefix: &str, first: i64, last: i64) -> Vec<v1::SerialRun> {
    vec![v1::SerialRun {
        prefix: prefix.to_owned(),
        suffixes: (first..=last).map(|piece| format!("{piece:03}")).collect(),
    }]
}

pub(super) fn only(item: v1::Item) -> Goods {
    Goods {
        items: vec![item],
        serials: Vec::new(),
    }
}

fn without_cost(item: v1::Item) -> v1::Item {
    v1::Item { cost: None, ..item }
}

/// `grams` shared out by thousandths; the last takes the rest.
pub(super) fn shared_losses(grams: i64, losses: &[(&str, i64)]) -> Vec<v1::Loss> {
    let mut left = grams;
    let mut shared = Vec::with_capacity(losses.len());
    for (at, (kind, thousandths)) in losses.iter().enumerate() {
        let part = if at + 1 == losses.len() {
            left
        } else {
            grams * thousandths / 1_000
        };
        left -= part;
        shared.push(v1::Loss {
            kind: (*kind).to_owned(),
            quantity: Some(kilograms(part)),
        });
    }
    shared
}
