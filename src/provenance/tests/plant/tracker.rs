//! A tracker of another method: it reads the events alone, walks them once by claimed time, and moves amounts
//! between heaps. It shares nothing with the projection but the types of the wire.
//!
//! ```text
//! heap = (thing, whose)       an amount, the newest state of what is in it, and what was taken before it came
//! take = the newest state, and the next ones as far as it was short
//! put  = a new state: of what comes, and of what was there
//! ```

mod cheats;
mod moves;
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use crate::wire::v1;

/// Whose heap it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    /// With a party.
    Party(String),
    /// Under way, to a party or under a number.
    Way(String),
    /// Built into something.
    In(String),
}

type Heap = (String, Whose);

#[derive(Clone, Debug, Default)]
struct Content {
    there: Decimal,
    states: Vec<usize>,
    /// What was taken before it came.
    short: Vec<Short>,
}

/// A state that took more than there was.
#[derive(Clone, Debug)]
struct Short {
    into: usize,
    lacks: Decimal,
}

impl Content {
    /// What came less what was taken.
    fn amount(&self) -> Decimal {
        self.there - self.short.iter().map(|short| short.lacks).sum::<Decimal>()
    }
}

/// What a set of events adds up to.
#[derive(Debug, Default)]
struct Tracker {
    heaps: BTreeMap<Heap, Content>,
    /// Of each state, the thing that it is a state of, if any.
    labels: Vec<Option<String>>,
    edges: Vec<(usize, usize)>,
    /// What may be so: a member of a lot went where some of the lot went by number.
    maybe: Vec<(usize, usize)>,
    /// The states that took from a heap, but those that named some of it.
    takers: BTreeMap<Heap, Vec<usize>>,
    /// The lots that serials were of, the last one last.
    classes: BTreeMap<String, Vec<String>>,
    /// Serials that count among the members of the lot in which they were made.
    counted: BTreeSet<String>,
    runs: BTreeMap<String, usize>,
    /// What was received of what somebody here made and nobody sent: by thing and receiver.
    never_sent: BTreeMap<(String, String), Decimal>,
    /// Parents that something was built into.
    built: BTreeSet<String>,
}

/// One thing and how much of it.
type Load = (String, Decimal);

impl Tracker {
    fn state(&mut self, label: Option<&str>) -> usize {
        self.labels.push(label.map(str::to_owned));
        self.labels.len() - 1
    }

    /// Takes from a heap for what `into` is the state of.
    fn take(&mut self, thing: &str, whose: &Whose, amount: Decimal, into: usize) {
        let heap = (thing.to_owned(), whose.clone());
        self.takers.entry(heap).or_default().push(into);
        self.draw(thing, whose, amount, into);
    }

    fn draw(&mut self, thing: &str, whose: &Whose, amount: Decimal, into: usize) {
        let heap = self.heaps.entry((thing.to_owned(), whose.clone())).or_default();
        if heap.there > Decimal::ZERO {
            self.edges.extend(heap.states.last().map(|state| (*state, into)));
        }
        let taken = heap.there.min(amount);
        heap.there -= taken;
        if taken < amount {
            heap.short.push(Short {
                into,
                lacks: amount - taken,
            });
        }
    }

    /// Puts onto a heap what comes from `from`.
    fn put(&mut self, thing: &str, whose: &Whose, amount: Decimal, from: Option<usize>) {
        let state = self.state(Some(thing));
        self.edges.extend(from.map(|from| (from, state)));
        // Nothing is made of what is made of it.
        let is_short = |heap: &Content| !heap.short.is_empty();
        let own = self
            .heaps
            .get(&(thing.to_owned(), whose.clone()))
            .is_some_and(is_short);
        let own = if own {
            self.states_above(state)
        } else {
            BTreeSet::new()
        };
        let has_members = || self.classes.values().flatten().any(|class| class == thing);
        let has_members = !own.is_empty() && has_members();
        let place = (thing.to_owned(), whose.clone());
        let heap = self.heaps.entry(place.clone()).or_default();
        if heap.there > Decimal::ZERO {
            self.edges
                .extend(heap.states.last().map(|before| (*before, state)));
        }
        // Where more was taken than there was a clock is wrong: nobody knows whether it was ever empty.
        if heap.there.is_zero() && !heap.short.is_empty() {
            self.maybe
                .extend(heap.states.last().map(|before| (*before, state)));
        }
        heap.states.push(state);
        let mut left = amount;
        for short in heap.short.iter_mut().filter(|short| !own.contains(&short.into)) {
            if left.is_zero() {
                break;
            }
            // A lot that was short has named members, which may have been what was taken.
            let by_number = self
                .takers
                .get(&place)
                .is_some_and(|takers| takers.contains(&short.into));
            let edges = if has_members && by_number {
                &mut self.maybe
            } else {
                &mut self.edges
            };
            edges.push((state, short.into));
            let paid = left.min(short.lacks);
            left -= paid;
            short.lacks -= paid;
        }
        heap.short.retain(|short| !short.lacks.is_zero());
        heap.there += left;
    }

    fn states_above(&self, state: usize) -> BTreeSet<usize> {
        let (mut open, mut above) = (vec![state], BTreeSet::new());
        while let Some(state) = open.pop() {
            if above.insert(state) {
                let before = self.edges.iter().filter(|(_, to)| *to == state);
                open.extend(before.map(|(from, _)| *from));
            }
        }
        above
    }

    /// From one heap to another.
    fn carry(&mut self, load: &Load, from: &Whose, to: &Whose) {
        let between = self.state(Some(&load.0));
        self.take(&load.0, from, load.1, between);
        self.put(&load.0, to, load.1, Some(between));
    }

    /// What is named of a lot is of it, whatever else was taken; what is short by a clock may be of any of it, and
    /// what was taken by number may be any member.
    fn settle(&mut self) {
        let mut after: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (from, to) in &self.edges {
            after.entry(*from).or_default().push(*to);
        }
        for ((lot, whose), content) in &self.heaps {
            let takers = self.takers.get(&(lot.clone(), whose.clone())).cloned();
            let mut open = takers.unwrap_or_default();
            for short in &content.short {
                let is_named = !open.contains(&short.into);
                let edges = if is_named {
                    &mut self.edges
                } else {
                    &mut self.maybe
                };
                edges.extend(content.states.iter().map(|state| (*state, short.into)));
            }
            let members = self.classes.iter().filter(|(_, classes)| classes.contains(lot));
            let states: Vec<usize> = members
                .filter_map(|(serial, _)| self.heaps.get(&(serial.clone(), whose.clone())))
                .flat_map(|content| content.states.clone())
                .collect();
            // A lot is not made of its own members, but what it went into is.
            let mut seen = BTreeSet::new();
            while let Some(into) = open.pop() {
                if states.is_empty() || !seen.insert(into) {
                    continue;
                }
                if self.labels[into].as_deref() == Some(lot.as_str()) {
                    open.extend(after.get(&into).into_iter().flatten());
                } else {
                    self.maybe.extend(states.iter().map(|state| (*state, into)));
                }
            }
        }
    }

    /// How much of a thing, its members included, each party has.
    fn stock(&self, thing: &str) -> BTreeMap<&str, Decimal> {
        let mut stock: BTreeMap<&str, Decimal> = BTreeMap::new();
        for ((held, whose), content) in &self.heaps {
            let is_member = || {
                self.classes
                    .get(held)
                    .and_then(|classes| classes.last())
                    .is_some_and(|class| class == thing)
            };
            if let Whose::Party(party) = whose
                && (held == thing || is_member())
            {
                *stock.entry(party).or_default() += content.amount();
            }
        }
        stock
    }

    /// Everything that has a state from which one of the thing's is reached: surely, or by what may be so as well.
    fn above(&self, thing: &str, surely: bool) -> BTreeSet<&str> {
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); self.labels.len()];
        let maybe = self.maybe.iter().filter(|_| !surely);
        for (from, to) in self.edges.iter().chain(maybe) {
            below[*to].push(*from);
        }
        let mut seen = vec![false; self.labels.len()];
        let mut open: Vec<usize> = (0..self.labels.len())
            .filter(|state| self.labels[*state].as_deref() == Some(thing))
            .collect();
        let mut above = BTreeSet::new();
        while let Some(state) = open.pop() {
            if std::mem::replace(&mut seen[state], true) {
                continue;
            }
            above.extend(self.labels[state].as_deref());
            open.extend(&below[state]);
        }
        above
    }

    /// By how much more was taken than ever came: of a thing, its members included, by whoever has it or was to
    /// get it.
    fn missing(&self) -> BTreeMap<(String, String), Decimal> {
        let mut missing = self.never_sent.clone();
        for thing in self.heaps.keys().map(|(thing, _)| thing) {
            let held = self.stock(thing);
            let below = held.into_iter().filter(|(_, amount)| *amount < Decimal::ZERO);
            missing.extend(below.map(|(party, amount)| ((thing.clone(), party.to_owned()), -amount)));
        }
        for ((thing, whose), content) in &self.heaps {
            if let Whose::Way(to) = whose
                && content.amount() < Decimal::ZERO
            {
                *missing.entry((thing.clone(), to.clone())).or_default() -= content.amount();
            }
        }
        missing
    }
}

/// A quantity in kilograms or pieces; none if it is not stated.
fn amount(quantity: Option<&v1::Quantity>) -> Decimal {
    let Some(quantity) = quantity else {
        return Decimal::ZERO;
    };
    let value: Decimal = quantity.value.parse().expect("events were checked");
    let factor = match quantity.unit.as_str() {
        "GRM" => Decimal::new(1, 3),
        "TNE" => Decimal::new(1_000, 0),
        "LBR" => Decimal::new(45_359_237, 8),
        _ => Decimal::ONE,
    };
    (value * factor).normalize()
}

fn items(items: &[v1::Item]) -> Vec<Load> {
    items
        .iter()
        .map(|item| (item.lot.clone(), amount(item.quantity.as_ref())))
        .collect()
}

fn serials(runs: &[v1::SerialRun]) -> Vec<Load> {
    runs.iter()
        .flat_map(|run| {
            run.suffixes
                .iter()
                .map(|suffix| (format!("{}{suffix}", run.prefix), Decimal::ONE))
        })
        .collect()
}

fn loads(listed: &[v1::Item], runs: &[v1::SerialRun]) -> Vec<Load> {
    let mut loads = items(listed);
    loads.extend(serials(runs));
    loads
}
