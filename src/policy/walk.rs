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

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    hash::{Hash, Hasher},
    rc::Rc,
};

use super::{
    ground::Grounder,
    leaf::FactRef,
    makers::is_holder,
    pack::{From, Select},
    view::{LotFacts, StepFacts},
};
use crate::vocabulary::vocabulary;

/// Longest chain of steps that amounts are followed along.
pub(super) const DEPTH_MAX: u32 = 256;

/// How often one walk looks behind the same lot, where that lot is in or above a circle: what is found there
/// depends on the way and cannot be remembered, and the ways of a ladder of merges double with every rung.
const VISITS_MAX: u32 = 64;

/// A lot, and which of its productions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node {
    pub(super) lot: Rc<str>,
    /// Zero-based position among the lot's productions; none: nothing is known of its making.
    pub(super) production: Option<usize>,
    /// How it went into what was made of it.
    pub(super) edges: Rc<BTreeSet<Edge>>,
}

/// Nodes of one place are hardly ever reached by different edges: hashing those as well would cost more than it
/// tells apart.
impl Hash for Node {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.lot, self.production).hash(state);
    }
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
    /// What was looked at on the way, some of it several times.
    pub(super) read: Vec<Place>,
}

/// A lot, and which of its productions.
pub(super) type Place = (Rc<str>, Option<usize>);

/// The state of one walk.
struct Walk<'s> {
    select: &'s Select,
    found: BTreeMap<Place, BTreeSet<Edge>>,
    open: BTreeSet<FactRef>,
    visited: HashSet<(Place, u32, bool)>,
    stack: Vec<(Place, u32, bool)>,
    /// What went into what, where the walk has to be closed.
    links: BTreeMap<Place, BTreeSet<Place>>,
    read: Vec<Place>,
}

impl Grounder<'_> {
    /// The kind of a lot, if it is stated, and the lot does not hold what nothing of that kind holds.
    pub(super) fn kind(&mut self, lot: &str) -> Option<String> {
        let facts = self.lot(lot);
        let kind = self
            .stated(facts.kind.as_ref(), || FactRef::lot(lot, "kind"))
            .cloned()?;
        self.may_be(lot, &kind).then_some(kind)
    }

    /// Whether a lot may be of the kind that is stated: a word of the vocabulary, which what is in the lot does
    /// not belie.
    pub(super) fn may_be(&mut self, lot: &str, kind: &str) -> bool {
        let belied = (vocabulary().is_below_cells(kind) && self.holds_cells(lot))
            || (vocabulary().is_cell(kind) && self.packs_cells(lot));
        vocabulary().stage(kind).is_some() && !belied
    }

    /// The productions that a lot comes from, seen through steps that make nothing.
    pub(super) fn resolve(&mut self, lot: &str) -> Rc<Selection> {
        self.resolve_within(lot, &mut Vec::new(), &mut HashMap::new())
    }

    fn resolve_within(
        &mut self,
        lot: &str,
        path: &mut Vec<String>,
        visits: &mut HashMap<String, u32>,
    ) -> Rc<Selection> {
        if let Some(known) = self.memo.resolutions.get(lot) {
            return Rc::clone(known);
        }
        let mut selection = Selection::default();
        let visited = visits.entry(lot.to_owned()).or_default();
        *visited += 1;
        let tired = *visited > VISITS_MAX || path.len() >= DEPTH_MAX as usize;
        if tired || path.iter().any(|earlier| earlier == lot) {
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
            if self.cannot_be(&facts, step) {
                selection.open.insert(FactRef::lot(lot, "step.makes"));
            }
            if !self.looks_through(lot, &facts, step, &mut selection.open) {
                let id = self.stated(step.step.as_ref(), || FactRef::lot(lot, "step.step"));
                // A word that nobody knows says as little as none.
                let id = id.filter(|id| vocabulary().step(id).is_some());
                if id.is_none() && self.may_have_made_nothing(&facts, step) {
                    selection.open.insert(FactRef::lot(lot, "step.step"));
                }
                add(&node(Some(production)), BTreeSet::new());
                continue;
            }
            self.gaps(lot, step, &mut selection.open);
            selection.open.extend(self.doubts(&place).iter().cloned());
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
                let origin = self.resolve_within(&item.lot, path, visits);
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
            self.memo
                .resolutions
                .insert(lot.to_owned(), Rc::clone(&selection));
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

    /// Whether a step cannot have put out what is declared, from what went in: then nobody knows what was done.
    fn cannot_be(&self, made: &LotFacts, step: &StepFacts) -> bool {
        let (Some(word), Some(kind)) = (&step.step, &made.kind) else {
            return false;
        };
        let used: Vec<_> = step.inputs.iter().map(|input| self.lot(&input.lot)).collect();
        let kinds = used
            .iter()
            .map(|used| used.kind.as_ref().map(|kind| kind.value.as_str()));
        vocabulary().can_make(&word.value, kinds, &kind.value) == Some(false)
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
    pub(super) fn custody_accepted(&mut self, lot: &str, step: &StepFacts) -> bool {
        let model = self.stated(step.custody_model.as_ref(), || {
            FactRef::lot(lot, "step.custody_model")
        });
        model.is_none_or(|model| self.pack.custody.contains(model))
    }

    /// What a selector finds from the subject, or from a node of another selection.
    pub(super) fn select(&mut self, name: &str, root: Option<&Node>) -> Rc<Selection> {
        let key = (name.to_owned(), root.cloned());
        if let Some(selection) = self.memo.selections.get(&key) {
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
            links: BTreeMap::new(),
            read: Vec::new(),
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
        if let Some(lot) = first_in_circle(&walk.links) {
            walk.open.insert(FactRef::lot(&lot, "ancestry"));
        }
        let nodes = walk.found.into_iter().map(into_node).collect();
        let selection = Rc::new(Selection {
            nodes,
            open: walk.open,
            read: walk.read,
        });
        self.memo.selections.insert(key, Rc::clone(&selection));
        selection
    }

    pub(super) fn starts(&mut self, root: Option<&Node>, open: &mut BTreeSet<FactRef>) -> Vec<Node> {
        if let Some(node) = root {
            return vec![node.clone()];
        }
        let subject = self.subject;
        let resolution = self.resolve(subject);
        open.extend(resolution.open.iter().cloned());
        resolution.nodes.clone()
    }

    /// Whether a node is replaced by its inputs.
    pub(super) fn expands(&mut self, select: &Select, place: &Place, kind: &str) -> bool {
        if is_holder(kind) || select.expand.iter().any(|expanded| expanded == kind) {
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

    pub(super) fn matches(&mut self, select: &Select, place: &Place, kind: &str) -> bool {
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
        walk.read.push(place.clone());
        let passed = edges.iter().filter(|edge| edge.transparent);
        walk.read
            .extend(passed.map(|edge| (Rc::clone(&edge.lot), Some(edge.production))));
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
            From::Inputs | From::Itself => {}
        }
    }

    fn descend(&mut self, walk: &mut Walk<'_>, place: &Place, depth: u32, closing: bool) {
        let lot = &place.0;
        walk.read.push(place.clone());
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
            walk.open.extend(self.doubts(lot).iter().cloned());
            let id = self.stated(step.step.as_ref(), || FactRef::lot(lot, "step.step"));
            let begins = id
                .and_then(|id| vocabulary().step(id))
                .is_some_and(|step| step.begins);
            if !(begins && step.inputs.is_empty()) {
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
                if closing {
                    let used = (Rc::clone(&node.lot), node.production);
                    walk.links.entry(place.clone()).or_default().insert(used);
                }
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
}

/// A lot that is, by way of others, made of itself.
fn first_in_circle(links: &BTreeMap<Place, BTreeSet<Place>>) -> Option<Rc<str>> {
    let mut users: BTreeMap<&Place, usize> = links.keys().map(|place| (place, 0)).collect();
    for used in links.values().flatten() {
        if let Some(count) = users.get_mut(used) {
            *count += 1;
        }
    }
    let mut free: Vec<&Place> = users
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(place, _)| *place)
        .collect();
    while let Some(place) = free.pop() {
        users.remove(place);
        for used in links.get(place).into_iter().flatten() {
            if let Some(count) = users.get_mut(used) {
                *count -= 1;
                if *count == 0 {
                    free.push(used);
                }
            }
        }
    }
    // What is left is a circle, or lies behind one.
    users.keys().next().map(|(lot, _)| Rc::clone(lot))
}

pub(super) fn into_node(((lot, production), edges): (Place, BTreeSet<Edge>)) -> Node {
    Node {
        lot,
        production,
        edges: Rc::new(edges),
    }
}
