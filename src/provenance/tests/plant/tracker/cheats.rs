//! Worlds of cheats: among what honest plants say, some take or receive what is not there. The tracker and the
//! projection agree who overdraws which lot, and by how much.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{
    super::{
        arrival,
        properties::{for_all, log},
        truth::{Lot, Party},
        world::{Form, World},
    },
    moves::track,
};
use crate::{
    provenance::Projection,
    wire::v1::{self, event::Kind},
};

/// A world that is as its operations made it, with a few lots more of which more is said than can be.
struct Cheated {
    world: World,
    lots: Vec<Lot>,
    /// Those of which the projection has to say how much.
    weighed: Vec<String>,
}

impl Cheated {
    /// A lot of pieces that its maker says he made.
    fn made(&mut self, maker: Party, amount: i64) -> Lot {
        let lot = self.world.new_thing(maker, Form::Pieces, "cheat");
        self.lots.push(lot);
        let items = vec![self.world.item(maker, lot, amount)];
        self.say(
            maker,
            Kind::Commissioned(v1::Commissioned {
                items,
                ..Default::default()
            }),
        );
        lot
    }

    fn say(&mut self, party: Party, kind: Kind) {
        let at = self.world.at_exactly();
        self.world.pass(60, 300);
        self.world.tell_after(party, at, kind, 0);
    }

    fn uses(&mut self, party: Party, lot: Lot, amount: i64) {
        let output = self.world.new_thing(party, Form::Pieces, "gain");
        let told = v1::Transformed {
            inputs: vec![self.world.item(party, lot, amount)],
            outputs: vec![self.world.item(party, output, 1)],
            ..Default::default()
        };
        self.say(party, Kind::Transformed(told));
    }

    fn uses_serials(&mut self, party: Party, serials: &[Lot]) {
        let output = self.world.new_thing(party, Form::Pieces, "gain");
        let told = v1::Transformed {
            input_serials: self.world.runs(serials),
            outputs: vec![self.world.item(party, output, 1)],
            ..Default::default()
        };
        self.say(party, Kind::Transformed(told));
    }

    fn ships(&mut self, from: Party, to: Party, lot: Lot, amount: i64) {
        let told = v1::Shipped {
            items: vec![self.world.item(from, lot, amount)],
            consignee: self.world.companies[to].id.clone(),
            ..Default::default()
        };
        self.say(from, Kind::Shipped(told));
    }

    fn receives(&mut self, party: Party, from: Option<Party>, lot: Lot, amount: i64) {
        let told = v1::Received {
            items: vec![self.world.item(party, lot, amount)],
            consignor: from.map_or_else(String::new, |from| self.world.companies[from].id.clone()),
            ..Default::default()
        };
        self.say(party, Kind::Received(told));
    }

    fn named(&mut self, maker: Party, lot: Lot, count: i64) -> Vec<Lot> {
        let serials = self.world.new_serials(maker, Some(lot), count);
        let told = v1::Commissioned {
            serials: self.world.runs(&serials),
            class_lot: self.world.name(lot),
            ..Default::default()
        };
        self.say(maker, Kind::Commissioned(told));
        serials
    }

    /// One of the ways to overdraw.
    fn cheat(&mut self, way: usize) {
        let maker = self.world.somebody();
        let other = self.world.other(maker);
        let amount = self.world.dice.within(4, 30);
        let more = self.world.dice.within(1, 9);
        match way {
            // The maker uses and ships more than he made.
            0 => {
                let lot = self.made(maker, amount);
                self.uses(maker, lot, amount - 1);
                self.ships(maker, other, lot, 1 + more);
            }
            // A customer uses more than he received.
            1 => {
                let lot = self.made(maker, amount + more);
                self.ships(maker, other, lot, amount);
                self.receives(other, Some(maker), lot, amount);
                self.uses(other, lot, amount + more);
            }
            // More is received than was shipped.
            2 => {
                let lot = self.made(maker, amount + more);
                self.ships(maker, other, lot, amount);
                self.receives(other, Some(maker), lot, amount + more);
            }
            // The same serial goes into two things.
            3 => {
                let lot = self.made(maker, amount);
                let serials = self.named(maker, lot, 2);
                self.lots.extend(&serials);
                self.uses_serials(maker, &serials);
                self.uses_serials(maker, &serials[..1]);
            }
            // All of a lot is used by name, and some of it by number once more.
            4 => {
                let lot = self.made(maker, amount);
                let serials = self.named(maker, lot, amount);
                self.uses_serials(maker, &serials);
                self.uses(maker, lot, more.min(amount));
            }
            // Somebody uses what he never had, or receives what nobody sent him.
            5 => {
                let lot = self.made(maker, amount);
                self.uses(other, lot, more.min(amount));
            }
            _ => {
                let lot = self.made(maker, amount);
                self.receives(other, Some(maker), lot, more.min(amount));
            }
        }
        if way < 5 {
            let last = *self.lots.last().expect("a cheat is about a lot");
            self.weighed.push(self.world.name(last));
        }
    }
}

/// By how much each party overdraws each of these lots, as the projection says; no amount where it says only that
/// somebody had nothing to do with a lot.
fn named_overdrafts(projection: &Projection, lots: &[String]) -> BTreeMap<(String, String), Option<Decimal>> {
    let mut named = BTreeMap::new();
    for anomaly in projection.anomalies() {
        if !lots.contains(&anomaly.lot) {
            continue;
        }
        let figures: Vec<Decimal> = anomaly
            .amounts
            .iter()
            .map(|amount| amount.value.to_string().parse().expect("pieces"))
            .collect();
        let by = match figures.as_slice() {
            [used, had] => Some(*used - *had),
            _ => None,
        };
        let known = named.entry((anomaly.lot, anomaly.signer)).or_insert(None);
        *known = by.or(*known);
    }
    named
}

fn overdrafts_agree(honest: &World) -> Vec<String> {
    let kept: Vec<usize> = (0..30).collect();
    let world = super::super::operations::perform(honest.seed, &kept);
    let mut cheated = Cheated {
        world,
        lots: vec![],
        weighed: vec![],
    };
    for turn in 0..3 {
        let way = usize::try_from(honest.seed).expect("small") + 3 * turn;
        cheated.cheat(way % 7);
    }
    let log = log(&cheated.world);
    let lots: Vec<String> = cheated.lots.iter().map(|lot| cheated.world.name(*lot)).collect();
    let tracked: BTreeMap<(String, String), Decimal> = track(&log)
        .missing()
        .into_iter()
        .filter(|((lot, _), _)| lots.contains(lot))
        .collect();
    let named = named_overdrafts(&arrival::project(&log), &lots);
    let mut found = Vec::new();
    for (key, amount) in &tracked {
        match named.get(key) {
            None => found.push(format!(
                "overdraft tracked of {} by {} is not named",
                key.0, key.1
            )),
            Some(Some(says)) if says != amount => found.push(format!(
                "overdraft tracked of {} by {} is {amount}, and {says} as named",
                key.0, key.1
            )),
            Some(None) if cheated.weighed.contains(&key.0) => found.push(format!(
                "overdraft tracked of {} by {} is {amount}, and named without an amount",
                key.0, key.1
            )),
            Some(_) => {}
        }
    }
    let amounts = named.iter().filter(|(_, amount)| amount.is_some());
    for (key, _) in amounts.filter(|(key, _)| !tracked.contains_key(*key)) {
        found.push(format!(
            "overdraft named of {} by {} is not tracked",
            key.0, key.1
        ));
    }
    if tracked.is_empty() {
        found.push("overdrafts are not tracked".to_owned());
    }
    found
}

#[test]
fn the_tracker_and_the_projection_name_the_same_overdrafts() {
    for_all("the_tracker_and_the_projection_name", 1_000, overdrafts_agree);
}
