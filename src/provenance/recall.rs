//! Conclusions remembered between two events.
//!
//! What is concluded about one lot leans on its neighbours: a verdict over a thousand ancestors asks for the
//! history of each of them several times, and the next verdict for most of them again. So whatever was
//! concluded is kept until a fact or an opening comes in, which may change any of it. Nothing here is part of
//! a state: with an empty memory the answers are the same, only later.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{policy::view::LotFacts, wire::v1};

use super::{
    Anomaly, Projection,
    assurance::Backing,
    history::History,
    span::{LotKey, Span},
    symbol::Symbol,
};

/// Most moments and inputs that are kept, about 100 MB; with more, remembering starts anew.
const ROOM: usize = 1_000_000;

/// What was concluded since the last event.
#[derive(Debug, Default)]
pub(super) struct Recall(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    histories: HashMap<LotKey, Arc<History>>,
    judged: HashMap<Span, Arc<[Anomaly]>>,
    /// By lot and clock.
    facts: HashMap<(LotKey, i64), Arc<LotFacts>>,
    products: HashMap<Symbol, Option<(u32, Arc<v1::ProductDeclared>)>>,
    /// By step: what is wrong with its masses.
    yields: HashMap<u32, Option<String>>,
    /// By fact: what stands behind it.
    backings: HashMap<u32, Arc<Backing>>,
    /// Lots behind which there is no circle.
    acyclic: HashSet<LotKey>,
    used: usize,
}

impl Kept {
    fn make_room(&mut self, len: usize) {
        if self.used + len > ROOM {
            *self = Self::default();
        }
        self.used += len;
    }
}

impl Recall {
    /// Forgets everything: something new is known.
    pub(super) fn forget(&mut self) {
        let kept = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if kept.used > 0 {
            *kept = Kept::default();
        }
    }

    /// What is in there is whole, whoever panicked.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `ask` says of a product, asked once.
    pub(super) fn product(
        &self,
        product: Symbol,
        ask: impl FnOnce() -> Option<(u32, v1::ProductDeclared)>,
    ) -> Option<(u32, Arc<v1::ProductDeclared>)> {
        if let Some(known) = self.kept().products.get(&product) {
            return known.clone();
        }
        let declared = ask().map(|(fact, declared)| (fact, Arc::new(declared)));
        let mut kept = self.kept();
        kept.make_room(1);
        kept.products.insert(product, declared.clone());
        declared
    }

    /// What `ask` says of the masses of a step, asked once: it has many outputs.
    pub(super) fn step_yield(&self, step: u32, ask: impl FnOnce() -> Option<String>) -> Option<String> {
        if let Some(known) = self.kept().yields.get(&step) {
            return known.clone();
        }
        let found = ask();
        let mut kept = self.kept();
        kept.make_room(1);
        kept.yields.insert(step, found.clone());
        found
    }

    /// What `ask` says of what stands behind a fact, asked once.
    pub(super) fn backing(&self, fact: u32, ask: impl FnOnce() -> Backing) -> Arc<Backing> {
        if let Some(known) = self.kept().backings.get(&fact) {
            return Arc::clone(known);
        }
        let backing = Arc::new(ask());
        let mut kept = self.kept();
        kept.make_room(1);
        kept.backings.insert(fact, Arc::clone(&backing));
        backing
    }

    /// Whether it was found before that the lot cannot be among its own ancestors.
    pub(super) fn is_acyclic(&self, key: LotKey) -> bool {
        self.kept().acyclic.contains(&key)
    }

    pub(super) fn note_acyclic(&self, keys: impl ExactSizeIterator<Item = LotKey>) {
        let mut kept = self.kept();
        kept.make_room(keys.len());
        kept.acyclic.extend(keys);
    }
}

impl Projection {
    /// The life of one lot.
    pub(super) fn history(&self, key: LotKey) -> Arc<History> {
        if let Some(known) = self.recall.kept().histories.get(&key) {
            return Arc::clone(known);
        }
        let history = Arc::new(self.trace(key));
        let mut kept = self.recall.kept();
        kept.make_room(1 + history.moments.len());
        kept.histories.insert(key, Arc::clone(&history));
        history
    }

    /// Everything but cycles that does not fit at the members of one piece.
    pub(super) fn judged(&self, piece: Span) -> Arc<[Anomaly]> {
        if let Some(known) = self.recall.kept().judged.get(&piece) {
            return Arc::clone(known);
        }
        let judged: Arc<[Anomaly]> = self.judge_lot(&self.history(piece.key()), piece).into();
        let mut kept = self.recall.kept();
        kept.make_room(1 + judged.len());
        kept.judged.insert(piece, Arc::clone(&judged));
        judged
    }

    /// What the policy sees of a lot.
    pub(super) fn lot_facts(&self, lot: &str, clock: i64) -> Option<Arc<LotFacts>> {
        let key = self.known(lot)?;
        if let Some(known) = self.recall.kept().facts.get(&(key, clock)) {
            return Some(Arc::clone(known));
        }
        let facts = Arc::new(self.conclude_lot_facts(key, clock));
        let inputs: usize = facts.productions.iter().map(|step| step.inputs.len()).sum();
        let mut kept = self.recall.kept();
        kept.make_room(1 + inputs);
        kept.facts.insert((key, clock), Arc::clone(&facts));
        Some(facts)
    }
}
