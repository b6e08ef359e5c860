//! Where a lot came from and where it went: steps and lots as a graph, from one root, within bounds.
//!
//! Runs of serials that share their history are one node, so a pallet of 9,600 cells is one line. Breadth
//! first, siblings in the order of facts and then of identifiers, so that the same facts give the same
//! answer, cut off at the same place.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    sync::Arc,
};

use serde::Serialize;

use super::{
    FactKey, Projection,
    amount::Amount,
    anomaly::AnomalyKind,
    fact::{Leg, Role, Stated},
    history::History,
    span::{self, LotKey, Span},
    symbol::Symbol,
};
use crate::{
    policy::view::Assurance,
    register::EventPlace,
    time::EventTime,
    wire::{shape, v1, v1::event::Kind},
};

/// Which way to walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To what it was made from.
    Up,
    /// To what it went into.
    Down,
}

/// How far to walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most steps from the root.
    pub depth_max: u32,
    /// Most nodes.
    pub nodes_max: usize,
    /// Composition as it was at this time; without it, all there ever was.
    pub composed_at: Option<EventTime>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            depth_max: 64,
            nodes_max: 10_000,
            composed_at: None,
        }
    }
}

/// A lot, or a run of serials with one history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Identifier; the first one of a run.
    pub lot: String,
    /// The last one of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// How many identifiers.
    pub count: u64,
    /// Steps from the root.
    pub depth: u32,
    /// Declared product, or the GTIN of a GS1 identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Declared kind: `cam`, `cell`, `pack` ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The lot that a serial is a member of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_lot: Option<String>,
    /// Who made it; several if several did.
    pub makers: Vec<String>,
    /// Whether nothing is known of how it was made.
    pub unknown: bool,
    /// What does not fit at this lot and weighs on it.
    pub anomalies: Vec<AnomalyKind>,
}

/// One lot in a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepItem {
    /// Identifier; the first one of a run.
    pub lot: String,
    /// The last one of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// How much, in base units, if stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Amount>,
    /// Whether the quantity is sealed and was not opened.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sealed: bool,
    /// Of a part: when it was taken out again (event time).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<EventTime>,
}

/// A step between lots: what went in, what came out, who, where and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The event that says so.
    pub event: FactKey,
    /// Where it stands in the log.
    pub leaf_index: u64,
    /// Zero-based in its statement.
    pub event_number: u32,
    /// Kind of event: `transformed`, `assembled` ...
    pub kind: &'static str,
    /// Step id: `calcine`, `seal` ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facility: Option<String>,
    /// The facility's country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Who worked.
    pub operator: String,
    /// For whom, if for another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// When.
    pub event_time: EventTime,
    /// What went in.
    pub inputs: Vec<StepItem>,
    /// What came out.
    pub outputs: Vec<StepItem>,
    /// The signed claim that the inputs are all, where the signer may make it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs_complete: Option<bool>,
    /// What stands behind the step; an imported one is asserted, by its importer.
    pub assurance: Assurance,
    /// Whether it was imported from another's document without his leave: not its party's own word.
    pub reported: bool,
    /// Whether its signer's word counts for what came out.
    pub standing: bool,
}

/// A walk from one lot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// Where it starts.
    pub root: String,
    /// Which way.
    pub direction: Direction,
    /// Lots, nearest first.
    pub nodes: Vec<Node>,
    /// Steps, in the order met.
    pub steps: Vec<Step>,
    /// Legal names of the parties, and names of the facilities, that occur; as the authority registered them.
    pub names: BTreeMap<String, String>,
    /// Whether the bounds cut something off.
    pub truncated: bool,
}

impl Projection {
    /// Walks from `lot`. Nothing if the log has no event about it.
    pub fn provenance(&self, lot: &str, direction: Direction, bounds: Bounds) -> Option<Provenance> {
        let key = self.known(lot)?;
        let mut walk = Walk {
            projection: self,
            bounds,
            nodes: Vec::new(),
            steps: Vec::new(),
            seen_nodes: HashSet::from([key.into()]),
            seen_steps: HashSet::new(),
            queue: VecDeque::from([(key.into(), 0)]),
            truncated: false,
        };
        walk.run(direction);
        Some(Provenance {
            root: lot.to_owned(),
            direction,
            names: walk.registered_names(),
            nodes: walk.nodes,
            steps: walk.steps,
            truncated: walk.truncated,
        })
    }

    /// The key of an identifier that some fact touches.
    pub(super) fn known(&self, lot: &str) -> Option<LotKey> {
        let key = span::find(&self.symbols, lot)?;
        (!self.tracks.of(key).is_empty()).then_some(key)
    }

    /// The product of a leg: as stated, or the GTIN in its identifier.
    pub(super) fn product_of_leg(&self, leg: &Leg) -> Option<Symbol> {
        if leg.product.is_some() {
            return Some(leg.product);
        }
        self.symbols.get(gtin(self.symbols.name(leg.span.stem))?)
    }

    /// The product of a lot, as its makings say.
    pub(super) fn product_of(&self, history: &History) -> Option<Symbol> {
        history
            .makings
            .iter()
            .map(|making| self.leg(making.touch))
            .find(|leg| leg.product.is_some())
            .map(|leg| leg.product)
            .or_else(|| self.symbols.get(gtin(self.symbols.name(history.key.stem))?))
            .or_else(|| self.product_of_members(history))
    }

    /// The product of a class lot that only its serials name.
    fn product_of_members(&self, history: &History) -> Option<Symbol> {
        history
            .makings
            .iter()
            .filter(|making| making.role == Role::Class)
            .flat_map(|making| &self.fact(making.touch.fact).reading.legs)
            .filter(|leg| leg.serial && leg.role.makes())
            .find_map(|leg| self.product_of_leg(leg))
    }

    /// What is declared of a product.
    pub(super) fn product_declaration(&self, product: Symbol) -> Option<Arc<v1::ProductDeclared>> {
        self.declared(product).map(|(_, declared)| declared)
    }

    /// What is declared of a product, and by which fact: by the owner of its identifier if he did, else by
    /// anybody; and the newest.
    pub(super) fn declared(&self, product: Symbol) -> Option<(u32, Arc<v1::ProductDeclared>)> {
        self.recall.product(product, || self.find_declaration(product))
    }

    fn find_declaration(&self, product: Symbol) -> Option<(u32, v1::ProductDeclared)> {
        let owner = self.directory.owner(&self.symbols, self.symbols.name(product));
        let fact = self
            .directory
            .product(product)
            .iter()
            .copied()
            .filter(|fact| self.counts(*fact))
            .max_by(|a, b| {
                let rank = |fact: u32| (Some(self.fact(fact).issuer) == owner, self.order(fact));
                rank(*a).cmp(&rank(*b))
            })?;
        match self.event_of(fact)?.kind? {
            Kind::ProductDeclared(declared) => Some((fact, declared)),
            _ => None,
        }
    }

    /// The class lot of a serial, by the makings that count.
    pub(super) fn class_of(&self, history: &History) -> Option<LotKey> {
        history
            .makings
            .iter()
            .filter(|making| self.leg(making.touch).serial)
            .find_map(|making| self.other_leg(making.touch.fact, Role::Class))
            .map(|leg| leg.span.key())
    }

    pub(super) fn text(&self, symbol: Symbol) -> Option<String> {
        symbol.is_some().then(|| self.symbols.name(symbol).to_owned())
    }
}

/// `https://id.gs1.org/01/{gtin}` of an identifier that starts so.
fn gtin(id: &str) -> Option<&str> {
    const START: &str = "https://id.gs1.org/01/";
    id.starts_with(START).then(|| id.get(..START.len() + 14))?
}

/// The name of an event kind by its field number.
pub(super) fn kind_name(kind: u32) -> &'static str {
    shape::EVENT.field(kind).map_or("unknown", |field| field.name)
}

struct Walk<'a> {
    projection: &'a Projection,
    bounds: Bounds,
    nodes: Vec<Node>,
    steps: Vec<Step>,
    seen_nodes: HashSet<Span>,
    seen_steps: HashSet<u32>,
    queue: VecDeque<(Span, u32)>,
    truncated: bool,
}

impl Walk<'_> {
    fn run(&mut self, direction: Direction) {
        while let Some((piece, depth)) = self.queue.pop_front() {
            let history = self.projection.history(piece.key());
            let node = self.node(&history, piece, depth);
            self.nodes.push(node);
            match direction {
                Direction::Up => self.up(&history, depth),
                Direction::Down => self.down(&history, piece, depth),
            }
        }
    }

    fn registered_names(&self) -> BTreeMap<String, String> {
        let of_steps = self.steps.iter().flat_map(|step| {
            let others = [&step.on_behalf_of, &step.facility];
            std::iter::once(&step.operator).chain(others.into_iter().flatten())
        });
        let ids: BTreeSet<&String> = of_steps
            .chain(self.nodes.iter().flat_map(|node| &node.makers))
            .collect();
        ids.into_iter()
            .filter_map(|id| Some((id.clone(), self.projection.registered_name(id)?)))
            .collect()
    }

    fn enter(&mut self, piece: Span, depth: u32) {
        if self.seen_nodes.contains(&piece) {
            return;
        }
        if depth > self.bounds.depth_max || self.seen_nodes.len() >= self.bounds.nodes_max {
            self.truncated = true;
            return;
        }
        self.seen_nodes.insert(piece);
        self.queue.push_back((piece, depth));
    }

    fn node(&self, history: &History, piece: Span, depth: u32) -> Node {
        let projection = self.projection;
        let product = projection.product_of(history);
        let mut makers: Vec<String> = history
            .makings
            .iter()
            .map(|making| {
                projection
                    .symbols
                    .name(projection.operator(making.touch.fact))
                    .to_owned()
            })
            .collect();
        makers.sort();
        makers.dedup();
        let mut anomalies: Vec<AnomalyKind> = projection
            .judged(piece)
            .iter()
            .filter(|anomaly| anomaly.weighs_on == super::anomaly::Weight::Lot)
            .map(|anomaly| anomaly.kind)
            .collect();
        anomalies.dedup();
        let (lot, last) = self.names(piece);
        Node {
            lot,
            last,
            count: piece.count(),
            depth,
            kind: product
                .and_then(|product| projection.product_declaration(product))
                .map(|declared| declared.kind.clone()),
            product: product.and_then(|product| projection.text(product)),
            class_lot: projection.class_of(history).map(|class| projection.name(class)),
            makers,
            unknown: !history.is_made(),
            anomalies,
        }
    }

    fn names(&self, piece: Span) -> (String, Option<String>) {
        let last = LotKey {
            number: piece.last,
            ..piece.key()
        };
        (
            self.projection.name(piece.key()),
            (piece.count() > 1).then(|| self.projection.name(last)),
        )
    }

    fn up(&mut self, history: &History, depth: u32) {
        let mut has_inputs = false;
        for making in &history.makings {
            let fact = making.touch.fact;
            let pieces = self.step(fact, making.standing);
            has_inputs |= !pieces.is_empty();
            for piece in pieces {
                self.enter(piece, depth + 1);
            }
        }
        // A serial that was only commissioned comes from wherever its class lot does.
        if !has_inputs && let Some(class) = self.projection.class_of(history) {
            self.enter(class.into(), depth + 1);
        }
    }

    fn down(&mut self, history: &History, piece: Span, depth: u32) {
        let projection = self.projection;
        for moment in &history.moments {
            if moment.via.is_some() {
                continue;
            }
            let fact = moment.touch.fact;
            if moment.role.uses() {
                self.step(fact, projection.is_own_word(fact));
                let legs: Vec<Leg> = projection.fact(fact).reading.legs.to_vec();
                for leg in legs {
                    if matches!(leg.role, Role::Output | Role::Parent) {
                        for piece in self.pieces(leg.span) {
                            self.enter(piece, depth + 1);
                        }
                    }
                }
            }
            if moment.role == Role::Class {
                let legs: Vec<Leg> = projection.fact(fact).reading.legs.to_vec();
                for leg in legs.iter().filter(|leg| leg.serial && leg.role.makes()) {
                    for member in self.pieces(leg.span) {
                        if member != piece {
                            self.enter(member, depth + 1);
                        }
                    }
                }
            }
        }
    }

    /// Cut where the facts about making and using differ.
    fn pieces(&self, span: Span) -> Vec<Span> {
        self.projection.tracks.pieces(span, |touch| {
            let role = self.projection.leg(touch).role;
            role.makes() || role.uses() || role == Role::Removed
        })
    }

    /// Notes a step, and returns the pieces that went into it.
    fn step(&mut self, fact: u32, standing: bool) -> Vec<Span> {
        let projection = self.projection;
        let reading = &projection.fact(fact).reading;
        let parent = projection.other_leg(fact, Role::Parent).map(|leg| leg.span.key());
        let mut inputs = Vec::new();
        let mut pieces = Vec::new();
        for leg in &reading.legs {
            if !leg.role.uses() {
                continue;
            }
            let cut = if leg.role == Role::Child || leg.serial {
                self.pieces(leg.span)
            } else {
                vec![leg.span]
            };
            for piece in cut {
                let until = parent.and_then(|parent| projection.left(piece.key(), parent, fact));
                let until = if leg.role == Role::Child { until } else { None };
                if let Some(at) = self.bounds.composed_at
                    && leg.role == Role::Child
                    && (at.as_nanos() < projection.fact(fact).event_time
                        || until.is_some_and(|until| until <= at.as_nanos()))
                {
                    continue;
                }
                inputs.push(self.item(leg, piece, until));
                pieces.push(piece);
            }
        }
        if pieces.is_empty() && !reading.legs.iter().any(|leg| leg.role.makes()) {
            return pieces;
        }
        if self.seen_steps.insert(fact) {
            let outputs = reading
                .legs
                .iter()
                .filter(|leg| leg.role.makes())
                .map(|leg| self.item(leg, leg.span, None))
                .collect();
            let step = self.describe(fact, standing, inputs, outputs);
            self.steps.push(step);
        }
        pieces
    }

    fn item(&self, leg: &Leg, piece: Span, until: Option<i64>) -> StepItem {
        let (lot, last) = self.names(piece);
        StepItem {
            lot,
            last,
            quantity: self.projection.amount(leg, piece),
            sealed: leg.quantity == Stated::Sealed,
            until: until.map(EventTime::from_nanos),
        }
    }

    fn describe(&self, fact: u32, standing: bool, inputs: Vec<StepItem>, outputs: Vec<StepItem>) -> Step {
        let projection = self.projection;
        let said = projection.fact(fact);
        let own = projection.is_own_word(fact);
        let EventPlace {
            leaf_index,
            event_number,
        } = said.place;
        Step {
            event: projection.key_of(fact),
            leaf_index: leaf_index.get(),
            event_number,
            kind: kind_name(said.kind),
            step: projection.text(said.reading.step),
            facility: projection.text(said.reading.facility),
            country: projection
                .directory
                .facility(said.reading.facility, said.event_time)
                .and_then(|row| projection.text(row.country)),
            operator: projection.symbols.name(projection.operator(fact)).to_owned(),
            on_behalf_of: said
                .reading
                .principal
                .named()
                .and_then(|party| projection.text(party)),
            event_time: EventTime::from_nanos(said.event_time),
            inputs,
            outputs,
            inputs_complete: said.reading.inputs_complete.filter(|_| own),
            assurance: projection.backing(fact).of("step").max(Assurance::Asserted),
            reported: !own,
            standing,
        }
    }
}
