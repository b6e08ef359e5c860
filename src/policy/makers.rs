//! Who made a thing: whoever ran the step that it came out of, and whoever made what that step did not raise.
//!
//! ```text
//! cells of A --wrap by B--> cells        makers: B and A (nothing of a higher stage came out)
//! cells of A --relabel by B--> cells     maker: A (looked through, B only handled them)
//! cells of A --assemble_module by B-->   maker: B
//! module of B --dismantle by C--> cells  makers: C, B, and A (the kind already stands on the way)
//! ```
//!
//! A kind that is not known leaves open whether a step raised anything. A pack that asks for the last maker only
//! looks no further than the step itself.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    rc::Rc,
};

use num_traits::Zero as _;

use super::{
    ground::Grounder,
    leaf::FactRef,
    pack::MakersAsked,
    view::{Exact, InputFacts, LotFacts, StepFacts},
    walk::{Edge, Node, Place},
};
use crate::vocabulary::{Stage, Step, vocabulary};

/// The makings that count as a node's own.
#[derive(Debug, Default)]
pub(super) struct Makers {
    /// The node itself first.
    pub(super) nodes: Vec<Node>,
    /// What would say whether there are more.
    pub(super) open: BTreeSet<FactRef>,
    /// Lots whose kind and making were looked at.
    pub(super) read: Vec<Place>,
}

/// What of all that went into a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Behind {
    /// All that it was made of, but for what was won anew.
    Any,
    /// What is still in it.
    Held,
}

/// The highest stage among a lot and what is behind it.
pub(super) type Highest = HashMap<(Behind, Rc<str>), Option<u32>>;

impl Grounder<'_> {
    /// Whether a question about what a step put out is put to what went in. Its word says that nothing is made;
    /// that holds only if nothing of a higher stage came out.
    pub(super) fn looks_through(
        &mut self,
        lot: &str,
        made: &LotFacts,
        step: &StepFacts,
        open: &mut BTreeSet<FactRef>,
    ) -> bool {
        let word = self.stated(step.step.as_ref(), || FactRef::lot(lot, "step.step"));
        let word = word.and_then(|word| vocabulary().step(word));
        if !word.is_some_and(Step::is_looked_through) {
            return false;
        }
        // Several cells together are not what went in, under any word: a kit is opened, and a cell it is not.
        let is_of_pieces = |kind: &str| vocabulary().is_cell(kind) || is_holder(kind);
        if kind_of(made).is_some_and(is_of_pieces) && self.packs_cells(lot) {
            return false;
        }
        let mut unknown = BTreeSet::new();
        for input in &step.inputs {
            let used = self.lot(&input.lot);
            let kinds = (kind_of(&used), kind_of(made));
            match vocabulary().keeps(kinds.0, kinds.1) {
                Some(true) => {}
                Some(false) => return false,
                None if kinds.1.is_none() => {
                    unknown.insert(FactRef::lot(lot, "kind"));
                }
                None => {
                    unknown.insert(FactRef::lot(&input.lot, "kind"));
                }
            }
        }
        open.extend(unknown);
        true
    }

    /// The makings behind a node.
    pub(super) fn makers(&mut self, node: &Node) -> Rc<Makers> {
        if let Some(known) = self.memo.makers.get(node) {
            return Rc::clone(known);
        }
        let mut makers = Makers {
            nodes: vec![node.clone()],
            open: BTreeSet::new(),
            read: Vec::new(),
        };
        if self.pack.makers == MakersAsked::Every {
            self.kept(node, &mut makers);
            let passed: BTreeSet<Edge> = makers
                .nodes
                .iter()
                .flat_map(|node| node.edges.iter().filter(|edge| edge.transparent))
                .cloned()
                .collect();
            for edge in passed {
                if self.is_passed_on(&edge) {
                    makers.nodes.push(Node {
                        lot: edge.lot,
                        production: Some(edge.production),
                        edges: Rc::default(),
                    });
                }
            }
        }
        let makers = Rc::new(makers);
        self.memo.makers.insert(node.clone(), Rc::clone(&makers));
        makers
    }

    /// Whether who ran a step that was looked through is a maker all the same.
    fn is_passed_on(&self, edge: &Edge) -> bool {
        let facts = self.lot(&edge.lot);
        let word = facts.productions.get(edge.production).and_then(word_of);
        word.is_some_and(|word| word.passes)
    }

    /// Adds the makings of what no step on the way here raised, as far up as there may be one.
    fn kept(&mut self, node: &Node, makers: &mut Makers) {
        let root = self.lot(&node.lot);
        let root_kind = kind_of(&root);
        let root_stage = root_kind.and_then(|kind| vocabulary().stage(kind));
        let place = (Rc::clone(&node.lot), node.production);
        let mut seen: HashSet<Place> = HashSet::from([place.clone()]);
        // With whether nothing on the way from there was of a lower stage.
        let mut stack: Vec<(Place, bool)> = vec![(place, true)];
        while let Some((place, direct)) = stack.pop() {
            makers.read.push(place.clone());
            let facts = self.lot(&place.0);
            let Some((production, step)) = place
                .1
                .and_then(|index| Some((index, facts.productions.get(index)?)))
            else {
                continue;
            };
            for (input, item) in step.inputs.iter().enumerate() {
                if item.assurance < self.floor {
                    continue;
                }
                let resolution = self.resolve(&item.lot);
                for origin in &resolution.nodes {
                    let used = self.lot(&origin.lot);
                    let used_kind = kind_of(&used);
                    let used_stage = used_kind.and_then(|kind| vocabulary().stage(kind));
                    let keeps = match vocabulary().keeps(used_kind, root_kind) {
                        // Of what is in a kit or scrap further up, the kinds themselves say what is kept.
                        Some(true) if !direct && matches!(used_stage, Some(Stage::Holds | Stage::Spent)) => {
                            Some(false)
                        }
                        keeps => keeps,
                    };
                    let next = (Rc::clone(&origin.lot), origin.production);
                    makers.read.push((Rc::clone(&origin.lot), None));
                    let passed = origin.edges.iter().filter(|edge| edge.transparent);
                    makers
                        .read
                        .extend(passed.map(|edge| (Rc::clone(&edge.lot), Some(edge.production))));
                    match keeps {
                        Some(true) => {
                            makers.open.extend(resolution.open.iter().cloned());
                            if seen.insert(next.clone()) {
                                let edge = Edge {
                                    lot: Rc::clone(&place.0),
                                    production,
                                    input,
                                    transparent: false,
                                };
                                let edges = origin.edges.iter().cloned().chain([edge]).collect();
                                makers.nodes.push(Node {
                                    lot: Rc::clone(&next.0),
                                    production: next.1,
                                    edges: Rc::new(edges),
                                });
                                stack.push((next, true));
                            }
                        }
                        None if direct && used_kind.is_none() => {
                            makers.open.insert(FactRef::lot(&origin.lot, "kind"));
                        }
                        None if direct => {
                            makers.open.insert(FactRef::lot(&node.lot, "kind"));
                        }
                        Some(false) | None => {
                            let Some(Stage::At(root_stage)) = root_stage else {
                                continue;
                            };
                            let highest = self.highest(&origin.lot, Behind::Any);
                            let rises = highest.is_some_and(|top| top >= root_stage);
                            if used_stage != Some(Stage::Anew) && rises && seen.insert(next.clone()) {
                                stack.push((next, false));
                            }
                        }
                    }
                }
            }
        }
    }

    /// Whether a thing holds a cell, or something made of cells, at any depth. What was won from spent batteries
    /// does not.
    pub(super) fn holds_cells(&mut self, lot: &str) -> bool {
        let Some(Stage::At(cell)) = vocabulary().stage("cell") else {
            return false;
        };
        self.highest(lot, Behind::Held).is_some_and(|top| top >= cell)
    }

    /// Whether several cells are in each piece of a lot: then it is no cell, whatever it is declared to be. A tray of
    /// sixty that counts as one cell would be outweighed by a single board. Of what goes in, some is lost, but not
    /// every second cell.
    pub(super) fn packs_cells(&mut self, lot: &str) -> bool {
        self.cells_in(lot)
            .is_some_and(|cells| cells >= Exact::from_integer(2.into()))
    }

    /// How many cells went into each piece of a lot; nothing if the numbers are not stated.
    pub(super) fn cells_in(&mut self, lot: &str) -> Option<Exact> {
        let mut stack: Vec<(Rc<str>, bool)> = vec![(lot.into(), false)];
        let mut under_way: HashSet<Rc<str>> = HashSet::new();
        while let Some((lot, inputs_done)) = stack.pop() {
            if self.memo.cells_in.contains_key(&lot) {
                continue;
            }
            let facts = self.lot(&lot);
            if inputs_done {
                let cells = self.cells_put_in(&facts);
                self.memo.cells_in.insert(lot, cells);
            } else if under_way.insert(Rc::clone(&lot)) {
                stack.push((lot, true));
                for input in facts.productions.iter().flat_map(|step| &step.inputs) {
                    if self.holds_cells(&input.lot) {
                        stack.push((input.lot.as_str().into(), false));
                    }
                }
            }
        }
        self.memo.cells_in.get(lot).cloned().flatten()
    }

    /// The same, with what is known of the inputs. Of several makings the fullest counts.
    fn cells_put_in(&mut self, made: &LotFacts) -> Option<Exact> {
        let mut fullest = None;
        for step in &made.productions {
            let inputs = step.inputs.iter();
            let holding: Vec<&InputFacts> = inputs.filter(|input| self.holds_cells(&input.lot)).collect();
            if holding.is_empty() {
                continue;
            }
            let each = holding.iter().map(|input| {
                let in_each = self.memo.cells_in.get(input.lot.as_str())?.as_ref()?;
                Some(&input.consumed.count.as_ref()?.value * in_each)
            });
            let all: Option<Exact> = each.sum();
            let made = &step.produced.count.as_ref()?.value;
            if made.is_zero() {
                return None;
            }
            fullest = fullest.max(Some(all? * &step.share.as_ref()?.value / made));
        }
        // Of nothing that holds cells: one itself, if it is one.
        let is_cell = kind_of(made).is_some_and(|kind| vocabulary().is_cell(kind));
        Some(fullest.unwrap_or_else(|| Exact::from_integer(i32::from(is_cell).into())))
    }

    /// The highest stage among a lot and what is behind it, as far as kinds are known.
    fn highest(&mut self, lot: &str, behind: Behind) -> Option<u32> {
        let mut stack: Vec<(Rc<str>, bool)> = vec![(lot.into(), false)];
        let mut under_way: HashSet<Rc<str>> = HashSet::new();
        while let Some((lot, inputs_done)) = stack.pop() {
            if self.memo.highest.contains_key(&(behind, Rc::clone(&lot))) {
                continue;
            }
            let facts = self.lot(&lot);
            let stage = kind_of(&facts).and_then(|kind| vocabulary().stage(kind));
            let ends = match stage {
                Some(Stage::Anew) => true,
                Some(Stage::Spent) => behind == Behind::Held,
                Some(Stage::At(_) | Stage::Holds) | None => false,
            };
            let inputs = facts
                .productions
                .iter()
                .flat_map(|step| &step.inputs)
                .filter(|_| !ends);
            if inputs_done {
                let own = match stage {
                    Some(Stage::At(stage)) => Some(stage),
                    Some(Stage::Holds | Stage::Spent | Stage::Anew) | None => None,
                };
                let highest = inputs
                    .filter_map(|input| *self.memo.highest.get(&(behind, input.lot.as_str().into()))?)
                    .chain(own)
                    .max();
                self.memo.highest.insert((behind, lot), highest);
            } else if under_way.insert(Rc::clone(&lot)) {
                stack.push((lot, true));
                stack.extend(inputs.map(|input| (input.lot.as_str().into(), false)));
            }
        }
        self.memo.highest.get(&(behind, lot.into())).copied().flatten()
    }
}

/// Whether a kind says nothing but that something is in it.
pub(super) fn is_holder(kind: &str) -> bool {
    vocabulary().stage(kind) == Some(Stage::Holds)
}

/// The step, if its word is one of the vocabulary, no matter who says it.
pub(super) fn word_of(step: &StepFacts) -> Option<Step> {
    vocabulary().step(&step.step.as_ref()?.value)
}

/// The kind of a lot, whoever says it.
pub(super) fn kind_of(facts: &LotFacts) -> Option<&str> {
    facts.kind.as_ref().map(|kind| kind.value.as_str())
}
