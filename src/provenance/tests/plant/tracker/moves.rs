//! What each kind of event moves, and from which heap a receipt takes.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use rust_decimal::Decimal;

use super::{super::arrival::Arrived, Content, Load, Tracker, Whose, amount, items, loads, serials};
use crate::{
    provenance::tests::HOUR,
    wire::v1::{self, event::Kind},
};

/// An event and who said it.
struct Word {
    issuer: String,
    event: v1::Event,
}

/// All that was said and stands, in the order of claimed time.
struct Words {
    said: Vec<Word>,
    /// Shipments that somebody else names as well.
    named: BTreeSet<String>,
    /// What is on a pallet when it leaves: by the pallet and the number of its departure.
    pallets: BTreeMap<String, Vec<Vec<Load>>>,
}

impl Words {
    fn of(log: &[Arrived]) -> Self {
        let mut decoded: Vec<(&Arrived, v1::Event)> = log
            .iter()
            .map(|one| {
                (
                    one,
                    v1::Event::decode(one.event.as_slice()).expect("events were checked"),
                )
            })
            .collect();
        let withdrawn: BTreeSet<(String, String)> = decoded
            .iter()
            .filter_map(|(_, event)| match event.kind.as_ref()? {
                Kind::Voided(voided) => voided.event,
                Kind::Corrected(corrected) => corrected.event,
                _ => None,
            })
            .filter_map(|reference| {
                let (one, event) = decoded.iter().find(|(one, _)| {
                    one.place.leaf_index.get() == reference.leaf_index
                        && one.place.event_number == reference.event_number
                })?;
                Some((one.issuer.clone(), event.id.clone()))
            })
            .collect();
        decoded.sort_by(|(one, event), (other, later)| {
            (event.event_time, &one.issuer, &event.id).cmp(&(later.event_time, &other.issuer, &later.id))
        });
        decoded.dedup_by(|(one, event), (other, later)| one.issuer == other.issuer && event.id == later.id);
        let words: Vec<Word> = decoded
            .into_iter()
            .filter(|(one, event)| {
                !one.by_authority && !withdrawn.contains(&(one.issuer.clone(), event.id.clone()))
            })
            .map(|(one, event)| Word {
                issuer: one.issuer.clone(),
                event,
            })
            .collect();
        let sent: BTreeSet<(&str, &str)> = words
            .iter()
            .filter_map(|word| match word.event.kind.as_ref()? {
                Kind::Shipped(shipped) => Some((word.issuer.as_str(), shipped.shipment.as_str())),
                _ => None,
            })
            .collect();
        let named = words.iter().filter_map(|word| {
            let id = match word.event.kind.as_ref()? {
                Kind::Received(received) => &received.shipment,
                Kind::DeliveryRefused(refused) => &refused.shipment,
                _ => return None,
            };
            (!id.is_empty() && !sent.contains(&(word.issuer.as_str(), id.as_str()))).then(|| id.clone())
        });
        let named = named.collect();
        let mut all = Self {
            said: words,
            named,
            pallets: BTreeMap::new(),
        };
        all.pack();
        all
    }

    /// Walks pallets apart from everything else: what is on each when it leaves.
    fn pack(&mut self) {
        let mut on: BTreeMap<&str, Vec<Load>> = BTreeMap::new();
        let mut away: BTreeSet<&str> = BTreeSet::new();
        let mut left: BTreeMap<String, Vec<Vec<Load>>> = BTreeMap::new();
        for word in &self.said {
            match word.event.kind.as_ref() {
                Some(Kind::Aggregated(packed)) => {
                    let contents = on.entry(&packed.parent).or_default();
                    // What left on it was taken off without a word before it is loaded again.
                    if away.remove(packed.parent.as_str()) {
                        contents.clear();
                    }
                    contents.extend(loads(&packed.items, &packed.serials));
                }
                Some(Kind::Disaggregated(emptied)) => drop(on.remove(emptied.parent.as_str())),
                Some(Kind::Shipped(shipped)) => {
                    for unit in &shipped.units {
                        let contents = on.get(unit.as_str()).cloned().unwrap_or_default();
                        left.entry(unit.clone()).or_default().push(contents);
                        away.insert(unit);
                    }
                }
                Some(Kind::Received(received)) => {
                    away.retain(|unit| !received.units.iter().any(|came| came == unit));
                }
                _ => {}
            }
        }
        self.pallets = left;
    }

    /// The heap of a shipment.
    fn way(&self, shipped: &v1::Shipped) -> Whose {
        let id = &shipped.shipment;
        Whose::Way(if self.named.contains(id) {
            id.clone()
        } else {
            shipped.consignee.clone()
        })
    }

    /// Shipments of a thing, and who sent them.
    fn shipped<'a>(&'a self, thing: &'a str) -> impl Iterator<Item = (&'a str, &'a v1::Shipped, i64)> + 'a {
        self.said.iter().filter_map(move |word| {
            let Some(Kind::Shipped(shipped)) = word.event.kind.as_ref() else {
                return None;
            };
            let on_pallets = shipped.units.iter().any(|unit| {
                self.pallets
                    .get(unit)
                    .is_some_and(|left| left.iter().flatten().any(|load| load.0 == thing))
            });
            let listed = on_pallets
                || loads(&shipped.items, &shipped.serials)
                    .iter()
                    .any(|load| load.0 == thing);
            listed.then_some((word.issuer.as_str(), shipped, word.event.event_time))
        })
    }

    /// Where what somebody receives may come from, the likeliest first; nowhere if from outside.
    fn sources(&self, receiver: &str, thing: &str, received: &v1::Received, at: i64) -> Vec<Whose> {
        let (consignor, shipment) = (received.consignor.as_str(), received.shipment.as_str());
        let of = |wanted: &dyn Fn(&str, &v1::Shipped) -> bool| self.ways(thing, at, wanted);
        if !shipment.is_empty() {
            let ways = of(&|_, shipped| shipped.shipment == shipment);
            if !ways.is_empty() {
                return ways;
            }
        }
        let from = |from: &str| consignor.is_empty() || consignor == from;
        // Whoever names his shipments would have named this one.
        let unnamed = |shipped: &v1::Shipped| !self.named.contains(&shipped.shipment);
        let refused = |shipped: &v1::Shipped| {
            self.said.iter().any(|word| match word.event.kind.as_ref() {
                Some(Kind::DeliveryRefused(refused)) => {
                    let loads = loads(&refused.items, &refused.serials);
                    word.issuer == shipped.consignee && loads.iter().any(|load| load.0 == thing)
                }
                _ => false,
            })
        };
        let ways = [
            of(&|giver, sent| from(giver) && sent.consignee == receiver && unnamed(sent)),
            of(&|giver, sent| from(giver) && sent.carrier == receiver),
            of(&|giver, sent| giver == receiver && from(&sent.consignee) && refused(sent)),
        ];
        let mut sources = ways.concat();
        // What he could not have sent without this receipt comes from outside.
        if consignor.is_empty() && self.has_otherwise(receiver, thing, received) {
            let back = amount_of(&loads(&received.items, &received.serials), thing);
            let mut had: Vec<&str> = self
                .shipped(thing)
                .filter(|(giver, shipped, sent)| {
                    *giver == receiver
                        && *sent <= at + 26 * HOUR
                        && back <= self.got(&shipped.consignee, thing)
                })
                .map(|(_, shipped, _)| shipped.consignee.as_str())
                .collect();
            had.reverse();
            sources.extend(had.into_iter().map(|party| Whose::Party(party.to_owned())));
        }
        sources
    }

    /// Whether somebody here says that he made it: then it does not come from outside.
    fn is_made(&self, thing: &str) -> bool {
        self.said.iter().any(|word| match word.event.kind.as_ref() {
            Some(Kind::Commissioned(made)) => made.items.iter().any(|item| item.lot == thing),
            _ => false,
        })
    }

    /// The latest shipment of a thing that left before `at`, or a day and two hours after it by another clock.
    fn latest<'a>(
        &'a self,
        thing: &'a str,
        at: i64,
        wanted: &dyn Fn(&str, &v1::Shipped) -> bool,
    ) -> Option<&'a v1::Shipped> {
        self.shipped(thing)
            .filter(|(giver, shipped, sent)| *sent <= at + 26 * HOUR && wanted(giver, shipped))
            .last()
            .map(|(_, shipped, _)| shipped)
    }

    /// The heaps of all such shipments, the latest first.
    fn ways(&self, thing: &str, at: i64, wanted: &dyn Fn(&str, &v1::Shipped) -> bool) -> Vec<Whose> {
        let mut ways: Vec<Whose> = self
            .shipped(thing)
            .filter(|(giver, shipped, sent)| *sent <= at + 26 * HOUR && wanted(giver, shipped))
            .map(|(_, shipped, _)| self.way(shipped))
            .collect();
        ways.reverse();
        ways
    }

    /// Whether a party got any of a thing but by this receipt.
    fn has_otherwise(&self, party: &str, thing: &str, but: &v1::Received) -> bool {
        let theirs = self.said.iter().filter(|word| word.issuer == party);
        theirs.filter_map(|word| word.event.kind.as_ref()).any(|kind| {
            let got = match kind {
                Kind::Received(received) if received != but => loads(&received.items, &received.serials),
                Kind::Commissioned(made) => loads(&made.items, &made.serials),
                Kind::Transformed(step) => loads(&step.outputs, &step.output_serials),
                Kind::Recycled(step) => items(&step.outputs),
                Kind::OpeningBalanceDeclared(opened) => items(&opened.items),
                Kind::Split(split) => items(&split.into),
                Kind::Merged(merged) => vec![(merged.lot.clone(), Decimal::ONE)],
                Kind::Assembled(built) => vec![(built.parent.clone(), Decimal::ONE)],
                _ => vec![],
            };
            got.iter().any(|load| load.0 == thing)
        })
    }

    /// How much of a thing a party received.
    fn got(&self, party: &str, thing: &str) -> Decimal {
        let theirs = self.said.iter().filter(|word| word.issuer == party);
        theirs
            .filter_map(|word| match word.event.kind.as_ref()? {
                Kind::Received(received) => {
                    let mut all = loads(&received.items, &received.serials);
                    for unit in &received.units {
                        all.extend(self.pallets.get(unit).into_iter().flatten().flatten().cloned());
                    }
                    Some(amount_of(&all, thing))
                }
                _ => None,
            })
            .sum()
    }

    /// What of a shipment that both sides name did not arrive.
    fn outstanding(&self, id: &str) -> BTreeMap<String, Decimal> {
        let mut left: BTreeMap<String, Decimal> = BTreeMap::new();
        for word in &self.said {
            let (loads, sign) = match word.event.kind.as_ref() {
                Some(Kind::Shipped(shipped)) if shipped.shipment == id => {
                    (loads(&shipped.items, &shipped.serials), Decimal::ONE)
                }
                Some(Kind::Received(received)) if received.shipment == id => {
                    (loads(&received.items, &received.serials), Decimal::NEGATIVE_ONE)
                }
                _ => continue,
            };
            for (thing, amount) in loads {
                *left.entry(thing).or_default() += sign * amount;
            }
        }
        left.retain(|_, amount| *amount > Decimal::ZERO);
        left
    }
}

fn amount_of(loads: &[Load], thing: &str) -> Decimal {
    loads
        .iter()
        .filter(|load| load.0 == thing)
        .map(|load| load.1)
        .sum()
}

/// What a log adds up to.
pub(super) fn track(log: &[Arrived]) -> Tracker {
    let words = Words::of(log);
    let mut tracker = Tracker::default();
    let mut departures: BTreeMap<&str, usize> = BTreeMap::new();
    let mut standing: BTreeMap<&str, Vec<Load>> = BTreeMap::new();
    for word in &words.said {
        let party = Whose::Party(word.issuer.clone());
        let at = word.event.event_time;
        match word.event.kind.as_ref().expect("events were checked") {
            Kind::Commissioned(made) => {
                tracker.make(
                    &party,
                    &items(&made.items),
                    &serials(&made.serials),
                    &made.class_lot,
                    None,
                );
            }
            Kind::OpeningBalanceDeclared(opened) => {
                for load in items(&opened.items) {
                    let here = tracker
                        .heaps
                        .get(&(load.0.clone(), party.clone()))
                        .map_or(Decimal::ZERO, Content::amount);
                    if here < load.1 {
                        tracker.put(&load.0, &party, load.1 - here, None);
                    }
                }
            }
            Kind::Transformed(step) => {
                let run = tracker.run(&step.run);
                for load in loads(&step.inputs, &step.input_serials) {
                    tracker.take(&load.0, &party, load.1, run);
                }
                let (lots, members) = (items(&step.outputs), serials(&step.output_serials));
                tracker.make(&party, &lots, &members, &step.class_lot, Some(run));
            }
            Kind::Recycled(step) => {
                let run = tracker.state(None);
                for load in loads(&step.inputs, &step.input_serials) {
                    tracker.take(&load.0, &party, load.1, run);
                }
                tracker.make(&party, &items(&step.outputs), &[], "", Some(run));
            }
            Kind::Split(split) => {
                let run = tracker.state(None);
                tracker.take(&split.lot, &party, amount(split.quantity.as_ref()), run);
                tracker.make(&party, &items(&split.into), &[], "", Some(run));
            }
            Kind::Merged(merged) => {
                let run = tracker.state(None);
                for load in items(&merged.from) {
                    tracker.take(&load.0, &party, load.1, run);
                }
                let whole = (merged.lot.clone(), amount(merged.quantity.as_ref()));
                tracker.make(&party, &[whole], &[], "", Some(run));
            }
            Kind::Assembled(built) => {
                let run = tracker.state(None);
                for load in loads(&built.items, &built.serials) {
                    let between = tracker.state(Some(&load.0));
                    tracker.take(&load.0, &party, load.1, between);
                    tracker.edges.push((between, run));
                    tracker.put(&load.0, &Whose::In(built.parent.clone()), load.1, Some(between));
                }
                tracker.build(&built.parent, &party, run);
            }
            Kind::Disassembled(taken) => {
                for load in loads(&taken.items, &taken.serials) {
                    tracker.carry(&load, &Whose::In(taken.parent.clone()), &party);
                }
            }
            Kind::Scrapped(gone) => tracker.lose(&party, &loads(&gone.items, &gone.serials)),
            Kind::Inspected(seen) if seen.destructive == Some(true) => {
                tracker.lose(&party, &loads(&seen.items, &seen.serials));
            }
            Kind::Shipped(shipped) => {
                let mut all = loads(&shipped.items, &shipped.serials);
                for unit in &shipped.units {
                    let number = departures.entry(unit).or_default();
                    let contents = words
                        .pallets
                        .get(unit)
                        .and_then(|left| left.get(*number))
                        .cloned()
                        .unwrap_or_default();
                    *number += 1;
                    standing.insert(unit, contents.clone());
                    all.extend(contents);
                }
                for load in all {
                    tracker.carry(&load, &party, &words.way(shipped));
                }
            }
            Kind::Received(received) => {
                let mut all = loads(&received.items, &received.serials);
                for unit in &received.units {
                    all.extend(standing.get(unit.as_str()).cloned().unwrap_or_default());
                }
                for load in all {
                    let sources = words.sources(&word.issuer, &load.0, received, at);
                    if !tracker.bring(&load, &sources, &party) {
                        tracker.put(&load.0, &party, load.1, None);
                        if words.is_made(&load.0) {
                            let by = (load.0.clone(), word.issuer.clone());
                            *tracker.never_sent.entry(by).or_default() += load.1;
                        }
                    }
                    if received.condition == "damaged" {
                        tracker.lose(&party, &[load]);
                    }
                }
            }
            Kind::ShipmentWithdrawn(withdrawn) => {
                let all = loads(&withdrawn.items, &withdrawn.serials);
                if all.is_empty() {
                    let is_it = |giver: &str, shipped: &v1::Shipped| {
                        giver == word.issuer && shipped.shipment == withdrawn.shipment
                    };
                    for load in words.outstanding(&withdrawn.shipment) {
                        tracker.bring(&load, &words.ways(&load.0, at, &is_it), &party);
                    }
                }
                for load in &all {
                    let mine = |giver: &str, _: &v1::Shipped| giver == word.issuer;
                    tracker.bring(load, &words.ways(&load.0, at, &mine), &party);
                }
            }
            Kind::CustodyTransferred(handed) => {
                let (from, to) = (&handed.from_party, &handed.to_party);
                // What a carrier has in hand is not mixed with his own.
                let in_hand = |carrier: &str| Whose::Way(format!("in the hands of {carrier}"));
                for load in loads(&handed.items, &handed.serials) {
                    let takes = |giver: &str, shipped: &v1::Shipped| giver == from && shipped.carrier == *to;
                    let gives =
                        |_: &str, shipped: &v1::Shipped| shipped.carrier == *from && shipped.consignee == *to;
                    if let Some(shipped) = words.latest(&load.0, at, &takes) {
                        tracker.carry(&load, &words.way(shipped), &in_hand(to));
                    } else if let Some(shipped) = words.latest(&load.0, at, &gives) {
                        tracker.carry(&load, &in_hand(from), &words.way(shipped));
                    }
                }
            }
            _ => {}
        }
    }
    tracker.settle();
    tracker
}

impl Tracker {
    fn there(&self, thing: &str, whose: &Whose) -> Decimal {
        let heap = self.heaps.get(&(thing.to_owned(), whose.clone()));
        heap.map_or(Decimal::ZERO, |heap| heap.there)
    }

    /// From the first of these heaps that has enough, or from the first.
    fn bring(&mut self, load: &Load, sources: &[Whose], to: &Whose) -> bool {
        let has_it = |source: &&Whose| self.there(&load.0, source) >= load.1;
        let source = sources.iter().find(has_it).or(sources.first()).cloned();
        if let Some(source) = &source {
            self.carry(load, source, to);
        }
        source.is_some()
    }

    /// The state of a run that goes on in several events, or of a step by itself.
    fn run(&mut self, id: &str) -> usize {
        if id.is_empty() {
            return self.state(None);
        }
        if let Some(run) = self.runs.get(id) {
            return *run;
        }
        let run = self.state(None);
        self.runs.insert(id.to_owned(), run);
        run
    }

    /// Lots and serials come into being; a serial is one of what its lot has, or of nothing that was told before.
    fn make(&mut self, party: &Whose, lots: &[Load], members: &[Load], class: &str, from: Option<usize>) {
        for (lot, amount) in lots {
            self.put(lot, party, *amount, from);
        }
        for (serial, one) in members {
            if self.heaps.contains_key(&(serial.clone(), party.clone())) && class.is_empty() {
                continue;
            }
            let state = self.state((!class.is_empty()).then_some(class));
            self.edges.extend(from.map(|from| (from, state)));
            if !class.is_empty() {
                // A lot that is made in the same step, or before, has it among its pieces.
                let is_counted = from.is_none() || lots.iter().any(|(lot, _)| lot == class);
                if is_counted && self.counted.insert(serial.clone()) {
                    self.draw(class, party, *one, state);
                }
                let classes = self.classes.entry(serial.clone()).or_default();
                // Where it was made is the first of its lots, whatever a clock says.
                classes.insert(if is_counted { 0 } else { classes.len() }, class.to_owned());
            }
            // A number for something that will be built says nothing yet.
            if !class.is_empty() || from.is_some() {
                self.put(serial, party, *one, Some(state));
            }
        }
    }

    /// A parent is there once, however often something is built into it.
    fn build(&mut self, parent: &str, party: &Whose, run: usize) {
        let known = !self.built.insert(parent.to_owned());
        if known {
            let between = self.state(Some(parent));
            self.take(parent, party, Decimal::ONE, between);
            self.edges.push((between, run));
        }
        self.put(parent, party, Decimal::ONE, Some(run));
    }

    fn lose(&mut self, party: &Whose, gone: &[Load]) {
        for load in gone {
            let nowhere = self.state(Some(&load.0));
            self.take(&load.0, party, load.1, nowhere);
        }
    }
}
