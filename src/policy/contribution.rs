//! How much of a subject each node of a selection is.
//!
//! Along each path the product of consumed over produced; along one path only the first node that matches
//! counts, so that a split parent and its child are not counted twice; paths add up. Exact rationals
//! throughout; where an amount is not stated, the facts that would say it stand in its place.
//!
//! Only bulk blends. Of pieces that were drawn from a lot or a run, nobody said which, the parts are what they are on
//! average, and each is marked with the draw and with how much of it there was: all that was drawn may be of one of
//! them, if there was so much.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
};

use num_traits::{One as _, Zero as _};

use super::{
    ground::Grounder,
    leaf::FactRef,
    pack::{From, Select},
    view::{Amounts, Exact, Stated},
    walk::{DEPTH_MAX, Edge, Node, Place, into_node},
};
use crate::vocabulary::vocabulary;

/// An exact amount, or the facts that are missing for it.
pub(super) type Measured = Result<Exact, BTreeSet<FactRef>>;

/// Pieces of one kind that were drawn unnamed, by the lot that they were drawn from.
pub(super) type DrawnFrom = (Rc<str>, String);

/// How much of something a node is.
#[derive(Clone)]
struct Portion {
    edges: BTreeSet<Edge>,
    /// On average, where it was drawn with others.
    amount: Measured,
    /// Most of it that may be there: all there was. Nothing where that is not known.
    most: Option<Exact>,
    /// Counted in pieces where it went in.
    is_pieces: bool,
}

/// A node, and the draw that it is part of.
type TermKey = (Place, Option<DrawnFrom>);

type Terms = BTreeMap<TermKey, Portion>;

impl Portion {
    /// So much of it, where so much was drawn of what it is in: of what there was to draw, the same is there.
    fn scaled(&self, factor: &Measured, drawn: &Measured) -> Self {
        let amount = times(factor, &self.amount);
        let undrawn = match (factor, drawn) {
            (Ok(factor), Ok(drawn)) if !drawn.is_zero() => Some(factor / drawn),
            _ => None,
        };
        Self {
            edges: self.edges.clone(),
            amount,
            most: undrawn
                .zip(self.most.as_ref())
                .map(|(factor, most)| factor * most),
            is_pieces: self.is_pieces,
        }
    }
}

fn times(a: &Measured, b: &Measured) -> Measured {
    match (a, b) {
        // Most of a chain is used whole, and a product of fractions is reduced at every step.
        (Ok(one), Ok(other)) | (Ok(other), Ok(one)) if one.is_one() => Ok(other.clone()),
        (Ok(a), Ok(b)) => Ok(a * b),
        (Err(a), Err(b)) => Err(a.union(b).cloned().collect()),
        (Err(missing), Ok(_)) | (Ok(_), Err(missing)) => Err(missing.clone()),
    }
}

fn plus(a: Measured, b: &Measured) -> Measured {
    match (a, b) {
        (Ok(zero), Ok(other)) if zero.is_zero() => Ok(other.clone()),
        (Ok(a), Ok(b)) => Ok(a + b),
        (Err(a), Err(b)) => Err(a.union(b).cloned().collect()),
        (Err(missing), Ok(_)) => Err(missing),
        (Ok(_), Err(missing)) => Err(missing.clone()),
    }
}

/// How much of something each node of a selection is.
pub(super) struct Contributions {
    pub(super) parts: Vec<Contribution>,
    /// Whether there may be more that the walk did not get to.
    pub(super) cut: bool,
}

/// How much one node is.
pub(super) struct Contribution {
    pub(super) node: Node,
    /// On average, if it was drawn with others.
    pub(super) amount: Measured,
    /// From where it was drawn with others of its kind, and the most that it may be then, if that is known.
    pub(super) drawn: Option<(DrawnFrom, Option<Exact>)>,
}

/// A part of a lot that one of its productions is, seen through steps that make nothing.
#[derive(Clone)]
pub(super) struct Origin {
    place: Place,
    edges: BTreeSet<Edge>,
    /// What part of the lot it is; on average, if it was drawn with others.
    proportion: Measured,
    /// The most that it may be, if that is known, and from where it was drawn with others.
    most: Option<Exact>,
    drawn: Option<DrawnFrom>,
    /// What part of the original lot one whole lot takes.
    fraction: Measured,
}

impl Grounder<'_> {
    /// How much of the root each node of a selection is, in one measure.
    pub(super) fn contributions(
        &mut self,
        name: &str,
        root: Option<&Node>,
        measure: &str,
    ) -> Rc<Contributions> {
        let key = (name.to_owned(), root.cloned(), measure.to_owned());
        if let Some(known) = self.memo.contributions.get(&key) {
            return Rc::clone(known);
        }
        let found = Rc::new(self.add_up(name, root, measure));
        self.memo.contributions.insert(key, Rc::clone(&found));
        found
    }

    fn add_up(&mut self, name: &str, root: Option<&Node>, measure: &str) -> Contributions {
        let pack = self.pack;
        let select = &pack.selects[name];
        let starts = self.starts(root, &mut BTreeSet::new());
        let alone = starts.len() == 1;
        let mut sum = Sum {
            select,
            measure,
            currencies: BTreeSet::new(),
            memo: HashMap::new(),
            cut: false,
        };
        let mut terms = Terms::new();
        for start in &starts {
            let place = (Rc::clone(&start.lot), start.production);
            let kind = self.kind(&place.0).unwrap_or_default();
            let depth = select.depth;
            if select.include_self
                && !self.expands(select, &place, &kind)
                && self.matches(select, &place, &kind)
            {
                let itself = Portion {
                    edges: BTreeSet::clone(&start.edges),
                    amount: Ok(Exact::one()),
                    most: Some(Exact::one()),
                    is_pieces: false,
                };
                merge(&mut terms, (place, None), itself);
                continue;
            }
            if select.from == From::Itself {
                continue;
            }
            let below = self.below(&mut sum, &place, depth, 0);
            let share = self.share_of(&place);
            // With one start its own share of its step is the same factor in every term, and cancels out.
            let part = if alone { Ok(Exact::one()) } else { share.clone() };
            let of_start = self.taken(&below, &part, &share, &place.0);
            merge_all(&mut terms, of_start);
        }
        let mixed = sum.currencies.len() > 1;
        let parts = terms.into_iter().map(|((place, drawn), found)| {
            // No rate table: amounts in several currencies do not add.
            let missing = FactRef::context("currency_rates");
            let amount = if mixed {
                Err(BTreeSet::from([missing]))
            } else {
                found.amount
            };
            Contribution {
                node: into_node((place, found.edges)),
                amount,
                drawn: drawn.map(|from| (from, found.most)),
            }
        });
        Contributions {
            parts: parts.collect(),
            cut: sum.cut,
        }
    }

    /// What part of its step's inputs belongs to a production.
    fn share_of(&mut self, place: &Place) -> Measured {
        let facts = self.lot(&place.0);
        let fact = || FactRef::lot(&place.0, "step.share");
        let share = place
            .1
            .and_then(|index| facts.productions.get(index))
            .and_then(|step| step.share.as_ref());
        self.stated(share, fact)
            .cloned()
            .ok_or_else(|| BTreeSet::from([fact()]))
    }

    /// Terms of everything selected behind a production, per whole input of its step.
    fn below(&mut self, sum: &mut Sum<'_>, place: &Place, depth: u32, level: u32) -> Rc<Terms> {
        let key = (place.clone(), depth);
        match sum.memo.get(&key) {
            Some(Some(terms)) => return Rc::clone(terms),
            Some(None) => {
                sum.cut = true;
                return Rc::default();
            }
            None => {}
        }
        let facts = self.lot(&place.0);
        let Some((production, step)) = place
            .1
            .and_then(|index| Some((index, facts.productions.get(index)?)))
        else {
            return Rc::default();
        };
        if !self.custody_accepted(&place.0, step) {
            return Rc::default();
        }
        if level >= DEPTH_MAX {
            sum.cut = true;
            return Rc::default();
        }
        sum.memo.insert(key.clone(), None);
        let mut terms = Terms::new();
        for (input, item) in step.inputs.iter().enumerate() {
            if item.assurance < self.floor {
                continue;
            }
            let fact = |what: &str| FactRef::lot(&place.0, format!("step.inputs[{}].{what}", item.lot));
            let edge = Edge {
                lot: Rc::clone(&place.0),
                production,
                input,
                transparent: false,
            };
            let amount = self.measure(sum, &item.consumed, &fact);
            let used = self.part_used(&item.lot, &item.consumed, &fact);
            let is_pieces = item.consumed.count.is_some();
            let drawn = if is_pieces { used.clone() } else { Ok(Exact::one()) };
            let mut of_item = Terms::new();
            for origin in self.origins(&item.lot, 0).iter().cloned() {
                let kind = self.kind(&origin.place.0).unwrap_or_default();
                let edges: BTreeSet<Edge> = origin.edges.iter().cloned().chain([edge.clone()]).collect();
                let expands = self.expands(sum.select, &origin.place, &kind);
                if !expands && self.matches(sum.select, &origin.place, &kind) {
                    let uncounted = sum.measure == "count"
                        && vocabulary().is_cell(&kind)
                        && self.cells_in(&item.lot).is_none();
                    let amount = if uncounted {
                        Err(BTreeSet::from([FactRef::lot(&item.lot, "cells")]))
                    } else {
                        amount.clone()
                    };
                    let whole = Portion {
                        edges,
                        amount: origin.proportion,
                        most: origin.most,
                        is_pieces,
                    };
                    merge(
                        &mut of_item,
                        (origin.place, origin.drawn),
                        whole.scaled(&amount, &drawn),
                    );
                    continue;
                }
                let depth_below = match (sum.select.from, expands) {
                    (From::Ancestors, _) | (From::Inputs, true) => depth,
                    (From::Inputs, false) if depth > 1 => depth - 1,
                    (From::Inputs | From::Itself, _) => continue,
                };
                let further = self.below(sum, &origin.place, depth_below, level + 1);
                if further.is_empty() {
                    continue;
                }
                let share = self.share_of(&origin.place);
                let drawn = times(&drawn, &share);
                let factor = times(&times(&used, &origin.fraction), &share);
                let of_origin = self.taken(&further, &factor, &drawn, &origin.place.0);
                merge_all(&mut of_item, of_origin);
            }
            self.draw(&item.lot.as_str().into(), &drawn, &mut of_item);
            merge_all(&mut terms, of_item);
        }
        let terms = Rc::new(terms);
        sum.memo.insert(key, Some(Rc::clone(&terms)));
        terms
    }

    /// So much of all of these, where so much was drawn of the lot that they are in.
    fn taken(&mut self, whole: &Terms, factor: &Measured, drawn: &Measured, from: &Rc<str>) -> Terms {
        let scaled = whole
            .iter()
            .map(|(key, portion)| (key.clone(), portion.scaled(factor, drawn)));
        let mut terms = scaled.collect();
        self.draw(from, drawn, &mut terms);
        terms
    }

    /// Marks what was drawn together: pieces of one kind that are of several nodes, where only a part of them was
    /// taken, and nobody said of which.
    fn draw(&mut self, from: &Rc<str>, part: &Measured, terms: &mut Terms) {
        if matches!(part, Ok(part) if part.is_one()) {
            return;
        }
        let mut of_kind: BTreeMap<String, Vec<TermKey>> = BTreeMap::new();
        for (key, _) in terms.iter().filter(|(_, amount)| amount.is_pieces) {
            let kind = self.kind(&key.0.0).unwrap_or_default();
            of_kind.entry(kind).or_default().push(key.clone());
        }
        for (kind, keys) in of_kind {
            if keys.len() < 2 {
                continue;
            }
            for key in keys {
                if let Some(amount) = terms.remove(&key) {
                    merge(terms, (key.0, Some((Rc::clone(from), kind.clone()))), amount);
                }
            }
        }
    }

    /// Consumed over produced.
    fn part_used(&mut self, lot: &str, consumed: &Amounts, fact: &dyn Fn(&str) -> FactRef) -> Measured {
        let facts = self.lot(lot);
        let produced = &facts.produced;
        let pairs = [
            (&consumed.mass, &produced.mass),
            (&consumed.count, &produced.count),
            (&consumed.volume, &produced.volume),
            (&consumed.energy, &produced.energy),
        ];
        for (consumed, produced) in pairs {
            let consumed = self.stated(consumed.as_ref(), || fact("quantity")).cloned();
            let produced = self
                .stated(produced.as_ref(), || FactRef::lot(lot, "produced"))
                .cloned();
            if let (Some(consumed), Some(produced)) = (consumed, produced)
                && !produced.is_zero()
            {
                return Ok(consumed / produced);
            }
        }
        Err(BTreeSet::from([fact("quantity"), FactRef::lot(lot, "produced")]))
    }

    /// The parts that make up a lot, seen through steps that make nothing.
    fn origins(&mut self, lot: &str, level: u32) -> Rc<Vec<Origin>> {
        if let Some(origins) = self.memo.origins.get(lot) {
            return Rc::clone(origins);
        }
        // Against circles; a lot that comes out of itself is open anyway.
        self.memo.origins.insert(lot.to_owned(), Rc::default());
        let mut merged: BTreeMap<TermKey, Origin> = BTreeMap::new();
        for origin in self.origins_of(lot, level) {
            let key = (origin.place.clone(), origin.drawn.clone());
            match merged.get_mut(&key) {
                Some(earlier) => {
                    earlier.most = together(earlier.most.take(), origin.most);
                    earlier.proportion = plus(earlier.proportion.clone(), &origin.proportion);
                    earlier.fraction = plus(earlier.fraction.clone(), &origin.fraction);
                    earlier.edges.extend(origin.edges);
                }
                None => {
                    merged.insert(key, origin);
                }
            }
        }
        let origins = Rc::new(merged.into_values().collect::<Vec<_>>());
        self.memo.origins.insert(lot.to_owned(), Rc::clone(&origins));
        origins
    }

    fn origins_of(&mut self, lot: &str, level: u32) -> Vec<Origin> {
        let facts = self.lot(lot);
        let name: Rc<str> = lot.into();
        let whole = |production| Origin {
            place: (Rc::clone(&name), production),
            edges: BTreeSet::new(),
            proportion: Ok(Exact::one()),
            most: Some(Exact::one()),
            drawn: None,
            fraction: Ok(Exact::one()),
        };
        if facts.productions.is_empty() || level >= DEPTH_MAX {
            return vec![whole(None)];
        }
        let made: Vec<&Amounts> = facts.productions.iter().map(|step| &step.produced).collect();
        let parts = self.parts(&made, &|_| FactRef::lot(lot, "step.produced"));
        let mut origins = Vec::new();
        for ((production, step), part) in facts.productions.iter().enumerate().zip(parts) {
            // What is not known for this keeps the selection open.
            let transparent = self.looks_through(lot, &facts, step, &mut BTreeSet::new());
            if !transparent || step.inputs.is_empty() {
                origins.push(Origin {
                    most: part.clone().ok(),
                    proportion: part,
                    ..whole(Some(production).filter(|_| !transparent))
                });
                continue;
            }
            let used: Vec<&Amounts> = step.inputs.iter().map(|input| &input.consumed).collect();
            let fact = |index: usize| {
                let input = step.inputs.get(index).map_or("", |input| input.lot.as_str());
                FactRef::lot(lot, format!("step.inputs[{input}].quantity"))
            };
            let weights = self.parts(&used, &fact);
            let share = self.share_of(&(Rc::clone(&name), Some(production)));
            for ((input, item), weight) in step.inputs.iter().enumerate().zip(weights) {
                if item.assurance < self.floor {
                    continue;
                }
                let edge = Edge {
                    lot: Rc::clone(&name),
                    production,
                    input,
                    transparent: true,
                };
                let taken = self.part_used(&item.lot, &item.consumed, &|_| fact(input));
                let parted = self.origins(&item.lot, level + 1);
                let is_drawn = parted.len() > 1
                    && item.consumed.count.is_some()
                    && !matches!(&taken, Ok(taken) if taken.is_one());
                for mut origin in parted.iter().cloned() {
                    if is_drawn {
                        let kind = self.kind(&origin.place.0).unwrap_or_default();
                        origin.drawn = Some((item.lot.as_str().into(), kind));
                        let most = origin.most.zip(taken.as_ref().ok());
                        origin.most = most.map(|(most, taken)| (most / taken).min(Exact::one()));
                    }
                    let of_lot = times(&part, &weight);
                    origin.most = of_lot
                        .as_ref()
                        .ok()
                        .zip(origin.most)
                        .map(|(of_lot, most)| of_lot * most);
                    origin.proportion = times(&of_lot, &origin.proportion);
                    origin.fraction = times(&times(&taken, &share), &origin.fraction);
                    origin.edges.insert(edge.clone());
                    origins.push(origin);
                }
            }
        }
        origins
    }

    /// What part of their sum each of several amounts is.
    fn parts(&mut self, amounts: &[&Amounts], fact: &dyn Fn(usize) -> FactRef) -> Vec<Measured> {
        if amounts.len() == 1 {
            return vec![Ok(Exact::one())];
        }
        let dimensions: [fn(&Amounts) -> &Stated<Exact>; 4] =
            [|a| &a.mass, |a| &a.count, |a| &a.volume, |a| &a.energy];
        for dimension in dimensions {
            let mut values = Vec::new();
            for (index, amounts) in amounts.iter().enumerate() {
                values.extend(self.stated(dimension(amounts).as_ref(), || fact(index)).cloned());
            }
            let total: Exact = values.iter().sum();
            if values.len() == amounts.len() && !total.is_zero() {
                return values.into_iter().map(|value| Ok(value / &total)).collect();
            }
        }
        let missing: BTreeSet<FactRef> = (0..amounts.len()).map(fact).collect();
        amounts.iter().map(|_| Err(missing.clone())).collect()
    }

    /// One amount of what was consumed.
    fn measure(&mut self, sum: &mut Sum<'_>, consumed: &Amounts, fact: &dyn Fn(&str) -> FactRef) -> Measured {
        let missing = || BTreeSet::from([fact(sum.measure)]);
        let plain = match sum.measure {
            "mass" => &consumed.mass,
            "count" => &consumed.count,
            "energy" => &consumed.energy,
            "volume" => &consumed.volume,
            _ => {
                let bases: &[&str] = match sum.measure {
                    "direct_cost" => &["direct", "direct_cost"],
                    "direct_material_cost" => &["direct_material", "direct_material_cost"],
                    _ => &["", "price", "cost"],
                };
                let on_basis = consumed
                    .costs
                    .iter()
                    .filter(|cost| bases.contains(&cost.value.basis.as_str()));
                let mut costs: Vec<_> = on_basis.collect();
                if costs.is_empty() && sum.measure == "cost" && consumed.costs.len() == 1 {
                    costs = consumed.costs.iter().collect();
                }
                let [cost] = costs.as_slice() else {
                    return Err(missing());
                };
                let name = sum.measure;
                let Some(cost) = self.stated(Some(cost), || fact(name)) else {
                    return Err(missing());
                };
                sum.currencies.insert(cost.currency.clone());
                return Ok(cost.value.clone());
            }
        };
        let name = sum.measure;
        self.stated(plain.as_ref(), || fact(name))
            .cloned()
            .ok_or_else(missing)
    }
}

/// The state of adding up contributions.
struct Sum<'s> {
    select: &'s Select,
    measure: &'s str,
    currencies: BTreeSet<String>,
    /// None while it is being computed.
    memo: HashMap<(Place, u32), Option<Rc<Terms>>>,
    /// The walk went in a circle or too deep: there may be more.
    cut: bool,
}

/// The most that two may be together; not known if one is not.
fn together(most: Option<Exact>, more: Option<Exact>) -> Option<Exact> {
    Some(most? + more?)
}

fn merge_all(terms: &mut Terms, more: Terms) {
    for (key, portion) in more {
        merge(terms, key, portion);
    }
}

fn merge(terms: &mut Terms, key: TermKey, amount: Portion) {
    use std::collections::btree_map::Entry;
    match terms.entry(key) {
        Entry::Vacant(place) => {
            place.insert(amount);
        }
        Entry::Occupied(mut place) => {
            let sum = place.get_mut();
            sum.edges.extend(amount.edges);
            sum.amount = plus(
                std::mem::replace(&mut sum.amount, Ok(Exact::zero())),
                &amount.amount,
            );
            sum.most = together(sum.most.take(), amount.most);
            sum.is_pieces |= amount.is_pieces;
        }
    }
}
