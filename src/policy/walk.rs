//! Walking the provenance graph: which nodes a selection holds, whether it is closed, and how much of the
//! subject each node is.
//!
//! ```text
//! pack <-assemble_pack- module <-assemble_module- cells (grade: looked through) <-seal- electrodes ...
//! ```
//!
//! A node is a lot together with the step that made it, and the edges by which it was reached. Steps that
//! make nothing (`split`, `ship`, `rework` ...) are looked through, so that none of them launders a maker.
//! Where something on the way is not stated, the selection is *open* there, by the fact that would close it.
//!
//! **Contribution**: along each path the product of consumed over produced; along one path only the first
//! node that matches counts; paths add up.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    rc::Rc,
};

use num_traits::{One as _, Zero as _};

use super::{
    ground::Grounder,
    leaf::FactRef,
    pack::{From, Select},
    view::{Amounts, Exact, LotFacts, StepFacts},
};

/// Steps that make nothing.
const TRANSPARENT: [&str; 12] = [
    "split",
    "merge",
    "blend",
    "sort",
    "grade",
    "age",
    "rework",
    "transfer_title",
    "ship",
    "import",
    "export",
    "eol_test",
];

/// The only steps that may end a walk without inputs.
const EXTRACTION: [&str; 4] = ["mine", "pump_brine", "extract_feedstock", "collect"];

/// Longest chain of steps that amounts are followed along.
const DEPTH_MAX: u32 = 256;

/// A lot, and which of its productions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Node {
    pub(super) lot: Rc<str>,
    /// Zero-based position among the lot's productions; none: nothing is known of its making.
    pub(super) production: Option<usize>,
    /// How it went into what was made of it.
    pub(super) edges: Rc<BTreeSet<Edge>>,
}

/// One input of one step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Edge {
    /// What was made of it.
    pub(super) lot: Rc<str>,
    pub(super) production: usize,
    pub(super) input: usize,
    /// The step makes nothing.
    pub(super) transparent: bool,
}

/// The nodes that a selector finds, and what keeps it from being closed.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    pub(super) nodes: Vec<Node>,
    pub(super) open: BTreeSet<FactRef>,
}

/// An exact amount, or the facts that are missing for it.
pub(super) type Measured = Result<Exact, BTreeSet<FactRef>>;

type Place = (Rc<str>, Option<usize>);
type Terms = BTreeMap<Place, (BTreeSet<Edge>, Measured)>;

fn times(a: &Measured, b: &Measured) -> Measured {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok(a * b),
        (Err(a), Err(b)) => Err(a.union(b).cloned().collect()),
        (Err(missing), Ok(_)) | (Ok(_), Err(missing)) => Err(missing.clone()),
    }
}

fn plus(a: Measured, b: &Measured) -> Measured {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok(a + b),
        (Err(a), Err(b)) => Err(a.union(b).cloned().collect()),
        (Err(missing), Ok(_)) => Err(missing),
        (Ok(_), Err(missing)) => Err(missing.clone()),
    }
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

/// The state of one walk.
struct Walk<'s> {
    select: &'s Select,
    found: BTreeMap<Place, BTreeSet<Edge>>,
    open: BTreeSet<FactRef>,
    visited: HashSet<(Place, u32, bool)>,
    stack: Vec<(Place, u32, bool)>,
}

impl Grounder<'_> {
    /// The kind of a lot, if it is stated.
    fn kind(&mut self, lot: &str) -> Option<String> {
        let facts = self.lot(lot);
        self.stated(facts.kind.as_ref(), || FactRef::lot(lot, "kind"))
            .cloned()
    }

    /// The productions that a lot comes from, seen through steps that make nothing.
    pub(super) fn resolve(&mut self, lot: &str) -> Rc<Selection> {
        self.resolve_within(lot, &mut Vec::new())
    }

    fn resolve_within(&mut self, lot: &str, path: &mut Vec<String>) -> Rc<Selection> {
        if let Some(known) = self.resolutions.get(lot) {
            return Rc::clone(known);
        }
        let mut selection = Selection::default();
        if path.len() >= DEPTH_MAX as usize || path.iter().any(|earlier| earlier == lot) {
            selection.open.insert(FactRef::lot(lot, "ancestry"));
            return Rc::new(selection);
        }
        path.push(lot.to_owned());
        let facts = self.lot(lot);
        let place: Rc<str> = lot.into();
        let node = |production| Node {
            lot: Rc::clone(&place),
            production,
            edges: Rc::default(),
        };
        for code in &facts.contradictions {
            selection
                .open
                .insert(FactRef::lot(lot, format!("contradiction.{code}")));
        }
        let mut nodes: BTreeMap<Place, BTreeSet<Edge>> = BTreeMap::new();
        let mut add = |node: &Node, edges: BTreeSet<Edge>| {
            nodes
                .entry((Rc::clone(&node.lot), node.production))
                .or_default()
                .extend(edges);
        };
        if facts.productions.is_empty() {
            add(&node(None), BTreeSet::new());
        }
        for (production, step) in facts.productions.iter().enumerate() {
            let id = self.stated(step.step.as_ref(), || FactRef::lot(lot, "step.step"));
            let transparent = id.is_some_and(|id| TRANSPARENT.contains(&id.as_str()));
            if !transparent {
                if id.is_none() && self.may_have_made_nothing(&facts, step) {
                    selection.open.insert(FactRef::lot(lot, "step.step"));
                }
                add(&node(Some(production)), BTreeSet::new());
                continue;
            }
            self.gaps(lot, step, &mut selection.open);
            if step.inputs.is_empty() {
                add(&node(None), BTreeSet::new());
            }
            for (input, item) in step.inputs.iter().enumerate() {
                if item.assurance < self.floor {
                    self.weak(FactRef::lot(lot, "step.inputs"), item.assurance);
                    continue;
                }
                let edge = Edge {
                    lot: Rc::clone(&place),
                    production,
                    input,
                    transparent: true,
                };
                let origin = self.resolve_within(&item.lot, path);
                selection.open.extend(origin.open.iter().cloned());
                for node in &origin.nodes {
                    let edges = node.edges.iter().cloned().chain([edge.clone()]).collect();
                    add(node, edges);
                }
            }
        }
        path.pop();
        selection.nodes = nodes.into_iter().map(into_node).collect();
        let selection = Rc::new(selection);
        if path.is_empty() || !selection.open.iter().any(|fact| fact.path == "ancestry") {
            // Inside a circle the answer depends on where one came from.
            self.resolutions.insert(lot.to_owned(), Rc::clone(&selection));
        }
        selection
    }

    /// Whether a step without a name may be one that makes nothing: something of the lot's own kind, as far
    /// as kinds are known, went in. Its operator may then be nobody's maker.
    fn may_have_made_nothing(&mut self, made: &LotFacts, step: &StepFacts) -> bool {
        step.inputs.iter().any(|input| {
            let used = self.lot(&input.lot);
            match (&used.kind, &made.kind) {
                (Some(used), Some(made)) => used.value == made.value,
                _ => true,
            }
        })
    }

    /// Where the inputs of a step may not be all that went in.
    fn gaps(&mut self, lot: &str, step: &StepFacts, open: &mut BTreeSet<FactRef>) {
        let fact = || FactRef::lot(lot, "step.inputs_complete");
        if self.stated(step.inputs_complete.as_ref(), fact) != Some(&true) {
            open.insert(fact());
        }
        if step.inputs.is_empty() || step.inputs.iter().any(|input| input.assurance < self.floor) {
            open.insert(FactRef::lot(lot, "step.inputs"));
        }
    }

    /// Whether the pack takes the link between a step's inputs and outputs for a fact about this lot.
    fn custody_accepted(&mut self, lot: &str, step: &StepFacts) -> bool {
        let model = self.stated(step.custody_model.as_ref(), || {
            FactRef::lot(lot, "step.custody_model")
        });
        model.is_none_or(|model| self.pack.custody.contains(model))
    }

    /// What a selector finds from the subject, or from a node of another selection.
    pub(super) fn select(&mut self, name: &str, root: Option<&Node>) -> Rc<Selection> {
        let key = (name.to_owned(), root.cloned());
        if let Some(selection) = self.selections.get(&key) {
            return Rc::clone(selection);
        }
        let pack = self.pack;
        let select = &pack.selects[name];
        let mut walk = Walk {
            select,
            found: BTreeMap::new(),
            open: BTreeSet::new(),
            visited: HashSet::new(),
            stack: Vec::new(),
        };
        for start in self.starts(root, &mut walk.open) {
            let place = (Rc::clone(&start.lot), start.production);
            match select.from {
                From::Itself => {
                    self.arrive(&mut walk, place, &start.edges, 1, false);
                    walk.stack.clear();
                }
                From::Inputs if select.include_self => {
                    // One level further up, so that its inputs are at the depth asked for.
                    self.arrive(&mut walk, place, &start.edges, select.depth + 1, true);
                }
                From::Ancestors if select.include_self => {
                    self.arrive(&mut walk, place, &start.edges, 1, true);
                }
                From::Inputs | From::Ancestors => walk.stack.push((place, select.depth, true)),
            }
        }
        while let Some((place, depth, closing)) = walk.stack.pop() {
            if walk.visited.insert((place.clone(), depth, closing)) {
                self.descend(&mut walk, &place, depth, closing);
            }
        }
        let nodes = walk.found.into_iter().map(into_node).collect();
        let selection = Rc::new(Selection {
            nodes,
            open: walk.open,
        });
        self.selections.insert(key, Rc::clone(&selection));
        selection
    }

    fn starts(&mut self, root: Option<&Node>, open: &mut BTreeSet<FactRef>) -> Vec<Node> {
        if let Some(node) = root {
            return vec![node.clone()];
        }
        let subject = self.subject;
        let resolution = self.resolve(subject);
        open.extend(resolution.open.iter().cloned());
        resolution.nodes.clone()
    }

    /// Whether a node is replaced by its inputs.
    fn expands(&mut self, select: &Select, place: &Place, kind: &str) -> bool {
        if select.expand.iter().any(|expanded| expanded == kind) {
            return true;
        }
        if !select.expand_known.iter().any(|expanded| expanded == kind) {
            return false;
        }
        let facts = self.lot(&place.0);
        let Some(step) = place.1.and_then(|index| facts.productions.get(index)) else {
            return false;
        };
        let mut open = BTreeSet::new();
        self.gaps(&place.0, step, &mut open);
        open.is_empty() && self.custody_accepted(&place.0, step)
    }

    fn matches(&mut self, select: &Select, place: &Place, kind: &str) -> bool {
        let of_kind = select
            .kinds
            .as_ref()
            .is_none_or(|kinds| kinds.iter().any(|wanted| wanted == kind));
        of_kind
            && select.steps.as_ref().is_none_or(|steps| {
                let facts = self.lot(&place.0);
                let step = place.1.and_then(|index| facts.productions.get(index));
                let id = step.and_then(|step| {
                    self.stated(step.step.as_ref(), || FactRef::lot(&place.0, "step.step"))
                        .cloned()
                });
                id.is_some_and(|id| steps.contains(&id))
            })
    }

    /// Takes a node into the selection if it belongs there, and says where the walk goes on.
    ///
    /// `depth` levels are still selected from, itself included; with none left the walk only looks whether
    /// it is closed.
    fn arrive(
        &mut self,
        walk: &mut Walk<'_>,
        place: Place,
        edges: &BTreeSet<Edge>,
        depth: u32,
        closing: bool,
    ) {
        let select = walk.select;
        let kind = self.kind(&place.0);
        let Some(kind) = kind else {
            let wanted = select.kinds.is_some() || select.closed_to.is_some();
            if closing || (wanted && select.from == From::Itself) {
                walk.open.insert(FactRef::lot(&place.0, "kind"));
            }
            if select.kinds.is_none() && select.steps.is_none() && depth > 0 {
                walk.found
                    .entry(place.clone())
                    .or_default()
                    .extend(edges.iter().cloned());
            }
            if select.from == From::Ancestors {
                // What lies further back may be bad, and known.
                walk.stack.push((place, depth, false));
            }
            return;
        };
        let expands = depth > 0 && self.expands(select, &place, &kind);
        if depth > 0 && !expands && self.matches(select, &place, &kind) {
            walk.found
                .entry(place.clone())
                .or_default()
                .extend(edges.iter().cloned());
        }
        let ended = select.closed_to.as_ref().is_some_and(|ends| ends.contains(&kind));
        let closing = closing && (!ended || expands);
        match select.from {
            From::Ancestors => walk.stack.push((place, 1, closing)),
            From::Inputs if expands => walk.stack.push((place, depth, closing)),
            From::Inputs if depth > 1 => walk.stack.push((place, depth - 1, closing)),
            From::Inputs if closing && select.closed_to.is_some() => walk.stack.push((place, 0, true)),
            From::Itself | From::Inputs => {}
        }
    }

    fn descend(&mut self, walk: &mut Walk<'_>, place: &Place, depth: u32, closing: bool) {
        let lot = &place.0;
        let facts = self.lot(lot);
        let Some((production, step)) = place
            .1
            .and_then(|index| Some((index, facts.productions.get(index)?)))
        else {
            if closing {
                walk.open.insert(FactRef::lot(lot, "step"));
            }
            return;
        };
        if !self.custody_accepted(lot, step) {
            if closing {
                walk.open.insert(FactRef::lot(lot, "step.custody_model"));
            }
            return;
        }
        if closing {
            let id = self.stated(step.step.as_ref(), || FactRef::lot(lot, "step.step"));
            let extraction = id.is_some_and(|id| EXTRACTION.contains(&id.as_str()));
            if !(extraction && step.inputs.is_empty()) {
                self.gaps(lot, step, &mut walk.open);
            }
        }
        for (input, item) in step.inputs.iter().enumerate() {
            if item.assurance < self.floor {
                self.weak(FactRef::lot(lot, "step.inputs"), item.assurance);
                continue;
            }
            let edge = Edge {
                lot: Rc::clone(lot),
                production,
                input,
                transparent: false,
            };
            let resolution = self.resolve(&item.lot);
            if closing {
                walk.open.extend(resolution.open.iter().cloned());
            }
            for node in &resolution.nodes {
                let edges = node.edges.iter().cloned().chain([edge.clone()]).collect();
                self.arrive(
                    walk,
                    (Rc::clone(&node.lot), node.production),
                    &edges,
                    depth,
                    closing,
                );
            }
        }
    }

    /// How much of the root each node of a selection is, in one measure.
    pub(super) fn contributions(
        &mut self,
        name: &str,
        root: Option<&Node>,
        measure: &str,
    ) -> Vec<(Node, Measured)> {
        let pack = self.pack;
        let select = &pack.selects[name];
        let starts = self.starts(root, &mut BTreeSet::new());
        let alone = starts.len() == 1;
        let mut sum = Sum {
            select,
            measure,
            currencies: BTreeSet::new(),
            memo: HashMap::new(),
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
        terms
            .into_iter()
            .map(|(place, (edges, amount))| {
                // No rate table: amounts in several currencies do not add.
                let missing = FactRef::context("currency_rates");
                let amount = if mixed {
                    Err(BTreeSet::from([missing]))
                } else {
                    amount
                };
                (into_node((place, edges)), amount)
            })
            .collect()
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
        if let Some(terms) = sum.memo.get(&key) {
            return Rc::clone(terms);
        }
        let facts = self.lot(&place.0);
        let Some((production, step)) = place
            .1
            .and_then(|index| Some((index, facts.productions.get(index)?)))
        else {
            return Rc::default();
        };
        // Against circles; a walk that long is open anyway.
        sum.memo.insert(key.clone(), Rc::default());
        if level >= DEPTH_MAX || !self.custody_accepted(&place.0, step) {
            return Rc::default();
        }
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
        sum.memo.insert(key, Rc::clone(&terms));
        terms
    }

    /// Consumed over produced.
    fn part_used(&mut self, lot: &str, consumed: &Amounts, fact: &dyn Fn(&str) -> FactRef) -> Measured {
        let facts: Rc<LotFacts> = self.lot(lot);
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
        if let Some(origins) = self.origins.get(lot) {
            return Rc::clone(origins);
        }
        // Against circles; a lot that comes out of itself is open anyway.
        self.origins.insert(lot.to_owned(), Rc::default());
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
        self.origins.insert(lot.to_owned(), Rc::clone(&origins));
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
            let id = self.stated(step.step.as_ref(), || FactRef::lot(lot, "step.step"));
            let transparent = id.is_some_and(|id| TRANSPARENT.contains(&id.as_str()));
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
        let dimensions: [fn(&Amounts) -> &super::view::Stated<Exact>; 4] =
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
    memo: HashMap<(Place, u32), Rc<Terms>>,
}

fn merge(terms: &mut Terms, (place, edges, amount): (Place, &BTreeSet<Edge>, Measured)) {
    let (all, sum) = terms
        .entry(place)
        .or_insert_with(|| (BTreeSet::new(), Ok(Exact::zero())));
    all.extend(edges.iter().cloned());
    *sum = plus(std::mem::replace(sum, Ok(Exact::zero())), &amount);
}

fn into_node(((lot, production), edges): (Place, BTreeSet<Edge>)) -> Node {
    Node {
        lot,
        production,
        edges: Rc::new(edges),
    }
}
