//! Where a lot came from and where it went: steps and lots as a graph, from one root, within bounds.
//!
//! Runs of serials that share their history are one node, so a pallet of 9,600 cells is one line. Breadth
//! first, siblings in the order of facts and then of identifiers, so that the same facts give the same
//! answer, cut off at the same place; how much was cut off is said.
//!
//! A lot that was filled several times is followed from those of its makings that a draw comes from, and no
//! others. The inputs of a run belong to all its outputs; one that began long after an output is a *possible*
//! ancestor of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use serde::Serialize;

use super::{
    super::{
        FactKey,
        amount::Amount,
        filing::{
            fact::{Leg, Role, Stated},
            span::{LotKey, Span, Touch},
            symbol::Symbol,
        },
        gate::{Gate, amend::Counted, moments::CLOCK_SLACK},
        memory::Declared,
    },
    anomaly::AnomalyKind,
    history::{self, History},
    judge, maker,
    origin::{Entries, Origins},
    origins_of, party, product,
};
use crate::{policy::view::Assurance, register::EventPlace, time::EventTime, wire::shape};

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
    /// Who made it; several if several did, or if the last step made nothing of a higher stage.
    pub makers: Vec<String>,
    /// Who gave it another number, divided it or put it together, and made nothing of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub handlers: Vec<String>,
    /// Whether some of it was only handled, and nobody says who made it before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub makers_open: bool,
    /// Whether nothing is known of how it was made.
    pub unknown: bool,
    /// Whether the log cannot say that it is one, only that it may be: it went in after the output left, or was
    /// drawn unnamed from a lot of which this is a member.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub possible: bool,
    /// Who reported how it was made, where that is not the maker's own word.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reported_by: Vec<String>,
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
    /// The event that says so; of a run told in several events, the first.
    pub event: FactKey,
    /// The run's other events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more_events: Vec<FactKey>,
    /// The run's id, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
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
    /// Who worked. Nobody if only an importer says so, and his document names no party.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
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
    /// What stands behind the step; behind an imported one its importer's report, no more.
    pub assurance: Assurance,
    /// Whether it was imported from another's document without his leave: not its party's own word.
    pub reported: bool,
    /// Who imported it, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_by: Option<String>,
    /// Whether its signer's word counts for what came out.
    pub standing: bool,
    /// Whether something that does not count yet would change it: a correction or void on which others object,
    /// or another version under another key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub contested: bool,
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
    /// What they cut off.
    pub left_out: LeftOut,
}

/// How many lots a walk met and did not follow, and why. What lies behind them was not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// More steps from the root than were asked for.
    pub too_deep: u64,
    /// More nodes than were asked for.
    pub too_many: u64,
}

/// Walks from `lot`. Nothing if the log has no event about it.
pub(in crate::provenance) fn walk(
    gate: Gate<'_>,
    lot: &str,
    direction: Direction,
    bounds: Bounds,
) -> Option<Provenance> {
    let key = gate.known(lot)?;
    let mut walk = Walk {
        gate,
        bounds,
        direction,
        nodes: Vec::new(),
        steps: Vec::new(),
        met: HashMap::new(),
        refused: HashSet::new(),
        seen_steps: HashSet::new(),
        sure: VecDeque::new(),
        perhaps: VecDeque::new(),
        left_out: LeftOut::default(),
    };
    walk.enter(key.into(), None, 0, false);
    walk.run();
    Some(Provenance {
        root: lot.to_owned(),
        direction,
        names: walk.registered_names(),
        nodes: walk.nodes,
        steps: walk.steps,
        truncated: walk.left_out != LeftOut::default(),
        left_out: walk.left_out,
    })
}

/// The name of an event kind by its field number.
pub(in crate::provenance) fn kind_name(kind: u32) -> &'static str {
    shape::EVENT.field(kind).map_or("unknown", |field| field.name)
}

/// One lot on the walk.
#[derive(Debug)]
struct Met {
    /// Its place among the nodes.
    node: usize,
    depth: u32,
    /// How its makings were followed, or followed from.
    followed: Vec<Followed>,
    /// How draws were followed.
    draws: HashMap<u32, Followed>,
}

/// How something was followed. What was followed as a possibility is followed again once it is sure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Followed {
    #[default]
    Not,
    Perhaps,
    Surely,
}

impl Followed {
    /// Says that it is to be followed; whether that is news.
    fn raise(&mut self, possible: bool) -> bool {
        let now = if possible { Self::Perhaps } else { Self::Surely };
        now > std::mem::replace(self, now.max(*self))
    }
}

struct Walk<'a> {
    gate: Gate<'a>,
    bounds: Bounds,
    direction: Direction,
    nodes: Vec<Node>,
    steps: Vec<Step>,
    met: HashMap<Span, Met>,
    refused: HashSet<Span>,
    seen_steps: HashSet<u32>,
    /// Lots to follow, with the makings of theirs to follow.
    sure: VecDeque<(Span, Entries)>,
    /// The same, where it is only possible that the root comes from them, or they from it.
    perhaps: VecDeque<(Span, Entries)>,
    left_out: LeftOut,
}

impl Walk<'_> {
    /// Follows what is sure to its end before what is possible: nothing sure lies behind a mere possibility, and what
    /// is met both ways is sure.
    fn run(&mut self) {
        loop {
            let (next, unsure) = match self.sure.pop_front() {
                Some(next) => (next, false),
                None => match self.perhaps.pop_front() {
                    Some(next) => (next, true),
                    None => return,
                },
            };
            let (piece, entries) = next;
            let history = history::of(self.gate, piece.key());
            match self.direction {
                Direction::Up => self.up(&history, piece, &entries, unsure),
                Direction::Down => self.down(&history, piece, &entries, unsure),
            }
        }
    }

    /// Meets a lot by the given ones of its makings; none: by all.
    fn enter(&mut self, piece: Span, entries: Option<Entries>, depth: u32, possible: bool) {
        let history = history::of(self.gate, piece.key());
        let origins = origins_of(self.gate, &history);
        let all = origins.entries.len();
        let entries = entries.unwrap_or_else(|| (0..all).collect());
        if !self.met.contains_key(&piece) {
            if depth > self.bounds.depth_max || self.nodes.len() >= self.bounds.nodes_max {
                if self.refused.insert(piece) {
                    if depth > self.bounds.depth_max {
                        self.left_out.too_deep += 1;
                    } else {
                        self.left_out.too_many += 1;
                    }
                }
                return;
            }
            let node = self.node(&history, piece, depth, possible);
            self.add(piece, node, all);
            if entries.is_empty() {
                self.follow(piece, entries, possible);
                return;
            }
        }
        let Some(met) = self.met.get_mut(&piece) else {
            return;
        };
        if !possible && let Some(node) = self.nodes.get_mut(met.node) {
            node.possible = false;
        }
        let fresh: Entries = entries
            .into_iter()
            .filter(|entry| {
                met.followed
                    .get_mut(*entry)
                    .is_some_and(|followed| followed.raise(possible))
            })
            .collect();
        if !fresh.is_empty() {
            self.follow(piece, fresh, possible);
        }
    }

    fn follow(&mut self, piece: Span, entries: Entries, possible: bool) {
        let queue = if possible {
            &mut self.perhaps
        } else {
            &mut self.sure
        };
        queue.push_back((piece, entries));
    }

    fn registered_names(&self) -> BTreeMap<String, String> {
        let of_steps = self.steps.iter().flat_map(|step| {
            let ids = [
                &step.operator,
                &step.on_behalf_of,
                &step.facility,
                &step.reported_by,
            ];
            ids.into_iter().flatten()
        });
        let of_nodes = self
            .nodes
            .iter()
            .flat_map(|node| node.makers.iter().chain(&node.handlers).chain(&node.reported_by));
        let ids: BTreeSet<&String> = of_steps.chain(of_nodes).collect();
        ids.into_iter()
            .filter_map(|id| Some((id.clone(), party::registered_name(self.gate, id)?)))
            .collect()
    }

    fn node(&self, history: &History, piece: Span, depth: u32, possible: bool) -> Node {
        let gate = self.gate;
        let product = product::of_lot(gate, history);
        let mut anomalies: Vec<AnomalyKind> = judge::of(gate, piece)
            .iter()
            .filter(|anomaly| anomaly.weighs_on == super::anomaly::Weight::Lot)
            .map(|anomaly| anomaly.kind)
            .collect();
        anomalies.sort();
        anomalies.dedup();
        let (lot, last) = names(gate, piece);
        let hands = maker::of(gate, history);
        Node {
            lot,
            last,
            count: piece.count(),
            depth,
            kind: product
                .and_then(|product| product::declared(gate, product))
                .map(|Declared { declared, .. }| declared.kind.clone()),
            product: product.and_then(|product| gate.text(product)),
            class_lot: history.classes.last().map(|class| gate.name(*class)),
            makers: hands.makers,
            handlers: hands.handlers,
            makers_open: hands.makers_open,
            unknown: super::books_of(gate, history).made.is_unknown(history),
            possible,
            reported_by: party::reporters(gate, history),
            anomalies,
        }
    }

    fn depth_of(&self, piece: Span) -> u32 {
        self.met.get(&piece).map_or(0, |met| met.depth)
    }

    fn up(&mut self, history: &History, piece: Span, entries: &Entries, unsure: bool) {
        let gate = self.gate;
        let depth = self.depth_of(piece) + 1;
        let origins = origins_of(gate, history);
        let mut has_inputs = false;
        for entry in entries.iter().filter_map(|entry| origins.entries.get(*entry)) {
            let entry = *entry;
            let contested = history.alternatives.contains(&entry);
            for input in self.step(entry, contested) {
                has_inputs = true;
                let late = gate.fact(input.fact).event_time
                    > gate.fact(entry).event_time.saturating_add(CLOCK_SLACK);
                let source = history::of(gate, input.piece.key());
                let behind = origins_of(gate, &source).behind(input.fact);
                if !behind.surely.is_empty() || behind.possibly.is_empty() {
                    self.enter(input.piece, Some(behind.surely), depth, unsure || late);
                }
                if !behind.possibly.is_empty() {
                    self.enter(input.piece, Some(behind.possibly), depth, true);
                }
                if !source.is_serial {
                    self.may_have_named(&source, gate.actor(input.fact), depth);
                }
            }
        }
        // A serial that was only commissioned comes from wherever its class lot does; one that was sorted comes
        // from the lots that it was in before, too.
        let before = history.classes.len().saturating_sub(usize::from(has_inputs));
        for class in history.classes.iter().take(before) {
            let joined = history
                .makings
                .iter()
                .map(|making| making.touch.fact)
                .find(|fact| {
                    gate.leg_in(*fact, Role::Class)
                        .is_some_and(|leg| leg.span.key() == *class)
                });
            let source = history::of(gate, *class);
            let origins = origins_of(gate, &source);
            let behind = joined.map(|fact| origins.up_to(gate, gate.fact(fact).event_time));
            self.enter((*class).into(), behind, depth, unsure);
        }
    }

    fn down(&mut self, history: &History, piece: Span, entries: &Entries, unsure: bool) {
        let gate = self.gate;
        let depth = self.depth_of(piece) + 1;
        let origins = origins_of(gate, history);
        for moment in &history.moments {
            if moment.via.is_some() {
                continue;
            }
            let fact = moment.touch.fact;
            if moment.member.is_some() {
                // Cut as everywhere on a walk, and not at every fact about a member.
                let made = moment
                    .joined
                    .filter(|joined| moment.role.makes() && self.joined_from(&origins, joined.fact, entries));
                if let Some(joined) = made {
                    for part in self.pieces(gate.leg(joined).span) {
                        self.enter_by(part, joined.fact, depth, unsure);
                    }
                }
                continue;
            }
            if !moment.role.uses() {
                continue;
            }
            let behind = origins.behind(fact);
            let meets = origins.entries.is_empty() || behind.meets(entries);
            let unsure = unsure || meets && !origins.entries.is_empty() && behind.surely.is_disjoint(entries);
            let fresh = self
                .met
                .get_mut(&piece)
                .is_some_and(|met| meets && met.draws.entry(fact).or_default().raise(unsure));
            if fresh {
                self.follow_use(fact, depth, unsure);
            }
        }
        self.drawn_unnamed(history, depth);
    }

    /// Whether members that a fact named are of one of these makings of their class lot: that one by which they
    /// came out of a step, or any up to the time at which they got their names.
    fn joined_from(&self, origins: &Origins, joined: u32, entries: &Entries) -> bool {
        let gate = self.gate;
        let put_out = gate
            .fact(joined)
            .reading
            .legs
            .iter()
            .any(|leg| leg.role == Role::Output);
        match origins.entries.iter().position(|entry| *entry == joined) {
            Some(entry) if put_out => entries.contains(&entry),
            _ => {
                let until = origins.up_to(gate, gate.fact(joined).event_time);
                until.is_empty() || !until.is_disjoint(entries)
            }
        }
    }

    /// From what a fact used to what its run put out.
    fn follow_use(&mut self, fact: u32, depth: u32, unsure: bool) {
        let gate = self.gate;
        self.step(fact, false);
        let went_in = gate.fact(fact).event_time;
        for other in gate.run_of(fact) {
            if !gate.counts(other) {
                continue;
            }
            let late = went_in > gate.fact(other).event_time.saturating_add(CLOCK_SLACK);
            for leg in &gate.fact(other).reading.legs {
                if !matches!(leg.role, Role::Output | Role::Parent) {
                    continue;
                }
                for piece in self.pieces(leg.span) {
                    self.enter_by(piece, other, depth, unsure || late);
                }
            }
            let names_members = |leg: &&Leg| leg.serial && leg.role.makes();
            if gate
                .fact(other)
                .reading
                .legs
                .iter()
                .any(|leg| names_members(&leg))
                && let Some(class) = gate.leg_in(other, Role::Class).map(|leg| leg.span)
                && history::of(gate, class.key()).admits(other)
            {
                // What these members are, the class lot is too, as far as it came into being by them.
                self.mention(class, depth, unsure || late);
                self.enter_by(class, other, depth, unsure || late);
            }
        }
    }

    /// Meets a lot by the making that a fact is. A lot over which the signer has no standing is none that he made.
    fn enter_by(&mut self, piece: Span, making: u32, depth: u32, possible: bool) {
        let made = history::of(self.gate, piece.key());
        let origins = origins_of(self.gate, &made);
        let entry = origins.entries.iter().position(|entry| *entry == making);
        if let Some(at) = entry {
            self.enter(piece, Some(Entries::from([at])), depth, possible);
        } else if made.admits(making) {
            self.enter(piece, None, depth, possible);
        }
    }

    /// Meets the class lot of members that were met, without going on to its other members.
    fn mention(&mut self, class: Span, depth: u32, possible: bool) {
        let fresh = !self.met.contains_key(&class);
        if fresh && depth <= self.bounds.depth_max && self.nodes.len() < self.bounds.nodes_max {
            let history = history::of(self.gate, class.key());
            let node = self.node(&history, class, depth, possible);
            let all = origins_of(self.gate, &history).entries.len();
            self.add(class, node, all);
        }
    }

    fn add(&mut self, piece: Span, node: Node, makings: usize) {
        self.met.insert(
            piece,
            Met {
                node: self.nodes.len(),
                depth: node.depth,
                followed: vec![Followed::Not; makings],
                draws: HashMap::new(),
            },
        );
        self.nodes.push(node);
    }

    /// A serial that nobody names afterwards may be in whatever was drawn from its class lot by quantity.
    fn drawn_unnamed(&mut self, history: &History, depth: u32) {
        let gate = self.gate;
        let books = super::books_of(gate, history);
        if !history.is_serial || !books.is_anywhere() {
            return;
        }
        if let Some(class) = history.classes.last() {
            let class = history::of(gate, *class);
            let class_books = super::books_of(gate, &class);
            let took = class_books.took_named(gate, &class);
            for moment in class.direct() {
                let user = gate.actor(moment.touch.fact);
                // Only who has had the serial, or may have got it unnamed, can have used it.
                let had = took.used.contains(&user) && books.may_be_with(user, &took.let_go);
                if moment.role.uses() && had {
                    self.follow_use(moment.touch.fact, depth, true);
                }
            }
        }
    }

    /// Pieces drawn by quantity from a class lot may be any of its members of whose use nobody speaks, if it has
    /// too few without a name.
    fn may_have_named(&mut self, class: &History, user: Symbol, depth: u32) {
        let gate = self.gate;
        let has_members = class.moments.iter().any(|moment| moment.member.is_some());
        let class_books = super::books_of(gate, class);
        if !has_members || !class_books.took_named(gate, class).used.contains(&user) {
            return;
        }
        let mut joined: Vec<Touch> = class
            .moments
            .iter()
            .filter(|moment| moment.role.makes())
            .filter_map(|moment| moment.joined)
            .collect();
        // In order of facts, as moments are, each once.
        joined.dedup();
        let let_go = &class_books.took_named(gate, class).let_go;
        for join in joined {
            for part in self.pieces(gate.leg(join).span) {
                let member = history::of(gate, part.key());
                let is_in = member.classes.last() == Some(&class.key);
                let books = super::books_of(gate, &member);
                if is_in && books.is_anywhere() && books.may_be_with(user, let_go) {
                    self.enter(part, None, depth, true);
                }
            }
        }
    }

    /// Cut where the facts about making and using differ. Where members were used by number, each may be one of
    /// these or not by where it is.
    fn pieces(&self, span: Span) -> Vec<Span> {
        let gate = self.gate;
        let used_by_number = |piece: &Span| {
            gate.class_lots(piece.key()).last().is_some_and(|class| {
                let class = history::of(gate, *class);
                !super::books_of(gate, &class)
                    .took_named(gate, &class)
                    .used
                    .is_empty()
            })
        };
        let mut pieces = Vec::new();
        for piece in history::pieces(gate, span) {
            if gate.is_serial(piece.key()) && used_by_number(&piece) {
                pieces.extend(history::whereabouts(gate, piece));
            } else {
                pieces.push(piece);
            }
        }
        pieces
    }

    /// Notes the step that a fact tells of, with its whole run, and returns the pieces that went into it.
    fn step(&mut self, fact: u32, contested: bool) -> Vec<WentIn> {
        let gate = self.gate;
        let run: Vec<u32> = gate
            .run_of(fact)
            .into_iter()
            .filter(|member| *member == fact || gate.counts(*member))
            .collect();
        let mut inputs = Vec::new();
        let mut went_in = Vec::new();
        for member in &run {
            let parent = gate.leg_in(*member, Role::Parent).map(|leg| leg.span.key());
            for leg in &gate.fact(*member).reading.legs {
                if !leg.role.uses() {
                    continue;
                }
                let cut = if leg.role == Role::Child || leg.serial {
                    self.pieces(leg.span)
                } else {
                    vec![leg.span]
                };
                for piece in cut {
                    let until = parent
                        .filter(|_| leg.role == Role::Child)
                        .and_then(|parent| gate.left(piece.key(), parent, *member));
                    if let Some(at) = self.bounds.composed_at
                        && leg.role == Role::Child
                        && (at.as_nanos() < gate.fact(*member).event_time
                            || until.is_some_and(|until| until <= at.as_nanos()))
                    {
                        continue;
                    }
                    inputs.push(self.item(leg, piece, until));
                    went_in.push(WentIn { fact: *member, piece });
                }
            }
        }
        let makes = run
            .iter()
            .any(|member| gate.fact(*member).reading.legs.iter().any(|leg| leg.role.makes()));
        if went_in.is_empty() && !makes {
            return went_in;
        }
        let first = run.first().copied().unwrap_or(fact);
        if self.seen_steps.insert(first) {
            let outputs = run
                .iter()
                .flat_map(|member| &gate.fact(*member).reading.legs)
                .filter(|leg| leg.role.makes())
                .map(|leg| self.item(leg, leg.span, None))
                .collect();
            let step = self.describe(&run, contested, inputs, outputs);
            self.steps.push(step);
        }
        went_in
    }

    fn item(&self, leg: &Leg, piece: Span, until: Option<i64>) -> StepItem {
        let (lot, last) = names(self.gate, piece);
        StepItem {
            lot,
            last,
            quantity: self.gate.amount(leg, piece),
            sealed: leg.quantity == Stated::Sealed,
            until: until.map(EventTime::from_nanos),
        }
    }

    fn describe(&self, run: &[u32], contested: bool, inputs: Vec<StepItem>, outputs: Vec<StepItem>) -> Step {
        let gate = self.gate;
        let fact = run.first().copied().unwrap_or_default();
        let said = gate.fact(fact);
        let own = gate.is_own_word(fact);
        let EventPlace {
            leaf_index,
            event_number,
        } = said.place;
        let standing = said
            .reading
            .legs
            .iter()
            .find(|leg| leg.role.makes())
            .is_none_or(|leg| history::of(gate, leg.span.key()).admits(fact) && own);
        Step {
            event: gate.key_of(fact),
            more_events: run.iter().skip(1).map(|member| gate.key_of(*member)).collect(),
            run: (said.kind == super::super::filing::uses::TRANSFORMED)
                .then(|| gate.text(said.reading.reference))
                .flatten(),
            leaf_index: leaf_index.get(),
            event_number,
            kind: kind_name(said.kind),
            step: run
                .iter()
                .find_map(|member| gate.text(gate.fact(*member).reading.step)),
            facility: gate.text(said.reading.facility),
            country: gate
                .directory
                .facility(said.reading.facility, said.event_time)
                .and_then(|row| gate.text(row.country)),
            operator: party::stated(gate, fact, gate.operator(fact)),
            on_behalf_of: run
                .iter()
                .find_map(|member| gate.fact(*member).reading.principal.named())
                .and_then(|party| gate.text(party)),
            event_time: EventTime::from_nanos(said.event_time),
            inputs,
            outputs,
            inputs_complete: complete(gate, run).filter(|_| own),
            assurance: run
                .iter()
                .map(|member| gate.backing(*member).of("step"))
                .min()
                .unwrap_or(Assurance::Reported),
            reported: !own,
            reported_by: (!own).then(|| gate.issuer_of(fact).to_owned()),
            standing,
            contested: contested
                || run
                    .iter()
                    .any(|member| gate.counted(*member) == Counted::Contested),
        }
    }
}

/// Something that went into a run, and the event of the run that says so.
struct WentIn {
    fact: u32,
    piece: Span,
}

/// A run is complete if one of its events claims it and none denies it.
pub(in crate::provenance) fn complete(gate: Gate<'_>, run: &[u32]) -> Option<bool> {
    let claims = run
        .iter()
        .filter_map(|member| gate.fact(*member).reading.inputs_complete);
    claims.reduce(|one, other| one && other)
}

/// The first and, of several, the last identifier of a piece.
pub(in crate::provenance) fn names(gate: Gate<'_>, piece: Span) -> (String, Option<String>) {
    let last = LotKey {
        number: piece.last,
        ..piece.key()
    };
    (
        gate.name(piece.key()),
        (piece.count() > 1).then(|| gate.name(last)),
    )
}
