//! How much of a subject each node of a selection is.
//!
//! Along each path the product of consumed over produced; along one path only the first node that matches
//! counts, so that a split parent and its child are not counted twice; paths add up. Exact rationals
//! throughout; where an amount is not stated, the facts that would say it stand in its place.

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

/// An exact amount, or the facts that are missing for it.
pub(super) type Measured = Result<Exact, BTreeSet<FactRef>>;

type Terms = BTreeMap<Place, (BTreeSet<Edge>, Measured)>;

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
    pub(super) parts: Vec<(Node, Measured)>,
    /// Whether there may be more that the walk did not get to.
    pub(super) cut: bool,
}

/// A part of a lot that one of its productions is, seen through steps that make nothing.
#[derive(Clone)]
pub(super) struct Origin {
    place: Place,
    edges: BTreeSet<Edge>,
    /// What part of the lot it is.
    proportion: Measured,
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
                merge(&mut terms, (place, &start.edges, Ok(Exact::one())));
                continue;
            }
            if select.from == From::Itself {
                continue;
            }
            let below = self.below(&mut sum, &place, depth, 0);
            // With one start its own share of its step is the same factor in every term, and cancels out.
            let part = if alone {
                Ok(Exact::one())
            } else {
                self.share_of(&place)
            };
            for (place, (edges, amount)) in below.iter() {
                merge(&mut terms, (place.clone(), edges, times(&part, amount)));
            }
        }
        let mixed = sum.currencies.len() > 1;
        let parts = terms.into_iter().map(|(place, (edges, amount))| {
            // No rate table: amounts in several currencies do not add.
            let missing = FactRef::context("currency_rates");
            let amount = if mixed {
                Err(BTreeSet::from([missing]))
            } else {
                amount
            };
            (into_node((place, edges)), amount)
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
            for origin in self.origins(&item.lot, 0).iter().cloned() {
                let kind = self.kind(&origin.place.0).unwrap_or_default();
                let edges: BTreeSet<Edge> = origin.edges.iter().cloned().chain([edge.clone()]).collect();
                let expands = self.expands(sum.select, &origin.place, &kind);
                if !expands && self.matches(sum.select, &origin.place, &kind) {
                    merge(
                        &mut terms,
                        (origin.place, &edges, times(&amount, &origin.proportion)),
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
                let used = self.part_used(&item.lot, &item.consumed, &fact);
                let factor = times(&times(&used, &origin.fraction), &self.share_of(&origin.place));
                for (place, (edges, amount)) in further.iter() {
                    merge(&mut terms, (place.clone(), edges, times(&factor, amount)));
                }
            }
        }
        let terms = Rc::new(terms);
        sum.memo.insert(key, Some(Rc::clone(&terms)));
        terms
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
        let mut merged: BTreeMap<Place, Origin> = BTreeMap::new();
        for origin in self.origins_of(lot, level) {
            match merged.get_mut(&origin.place) {
                Some(earlier) => {
                    earlier.proportion = plus(earlier.proportion.clone(), &origin.proportion);
                    earlier.fraction = plus(earlier.fraction.clone(), &origin.fraction);
                    earlier.edges.extend(origin.edges);
                }
                None => {
                    merged.insert(origin.place.clone(), origin);
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
                for mut origin in self.origins(&item.lot, level + 1).iter().cloned() {
                    origin.proportion = times(&times(&part, &weight), &origin.proportion);
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

fn merge(terms: &mut Terms, (place, edges, amount): (Place, &BTreeSet<Edge>, Measured)) {
    let (all, sum) = terms
        .entry(place)
        .or_insert_with(|| (BTreeSet::new(), Ok(Exact::zero())));
    all.extend(edges.iter().cloned());
    *sum = plus(std::mem::replace(sum, Ok(Exact::zero())), &amount);
}
