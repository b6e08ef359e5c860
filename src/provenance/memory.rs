//! Conclusions remembered between two events.
//!
//! What is concluded about one lot leans on its neighbours: a verdict over a thousand ancestors asks for the
//! history of each of them several times, and the next verdict for most of them again. So whatever was
//! concluded is kept until a fact or an opening comes in, which may change any of it. Nothing here is part of
//! a state: with an empty memory the answers are the same, only later.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{policy::view::LotFacts, wire::v1};

use super::{
    Anomaly,
    concluding::{LotOrigins, books::Books, history::History},
    filing::{
        span::{LotKey, Span},
        symbol::Symbol,
    },
    gate::{amend::Counted, assurance::Backing, standing::Standing},
};

/// Most moments and inputs that are kept, about 100 MB; with more, remembering starts again.
const WEIGHT_MAX: usize = 1_000_000;

/// What was concluded since the last event.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Kept>);

/// The declaration of a product, and the fact that makes it.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) fact: u32,
    pub(super) declared: Arc<v1::ProductDeclared>,
}

#[derive(Debug, Default)]
struct Kept {
    /// By lot, and by how many levels of containers were looked at.
    standings: HashMap<(LotKey, u8), Arc<Standing>>,
    counted: HashMap<u32, Counted>,
    histories: HashMap<LotKey, Arc<History>>,
    books: HashMap<LotKey, Arc<Books>>,
    origins: HashMap<LotKey, Arc<LotOrigins>>,
    judged: HashMap<Span, Arc<[Anomaly]>>,
    /// By lot and clock.
    facts: HashMap<(LotKey, i64), Arc<LotFacts>>,
    products: HashMap<Symbol, Option<Declared>>,
    /// By step: what is wrong with its masses.
    yields: HashMap<u32, Option<String>>,
    /// By fact: what stands behind it.
    backings: HashMap<u32, Arc<Backing>>,
    /// Lots behind which there is no circle.
    acyclic: HashSet<LotKey>,
    weight: usize,
}

impl Kept {
    fn make_room(&mut self, weight: usize) {
        if self.weight + weight > WEIGHT_MAX {
            *self = Self::default();
        }
        self.weight += weight;
    }
}

impl Memory {
    /// Forgets everything: something new is known.
    pub(super) fn forget(&mut self) {
        let kept = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if kept.weight > 0 {
            *kept = Kept::default();
        }
    }

    /// What is in there is whole, whoever panicked.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `ask` says, asked once. Nothing is locked while it is asked: it may ask for others.
    fn recall<K: Copy + Eq + Hash, V: Clone>(
        &self,
        shelf: fn(&mut Kept) -> &mut HashMap<K, V>,
        key: K,
        ask: impl FnOnce() -> V,
        weight: impl FnOnce(&V) -> usize,
    ) -> V {
        if let Some(known) = shelf(&mut self.kept()).get(&key) {
            return known.clone();
        }
        let answer = ask();
        let mut kept = self.kept();
        kept.make_room(1 + weight(&answer));
        shelf(&mut kept).insert(key, answer.clone());
        answer
    }

    pub(super) fn standing(&self, key: (LotKey, u8), ask: impl FnOnce() -> Standing) -> Arc<Standing> {
        let ask = || Arc::new(ask());
        self.recall(|kept| &mut kept.standings, key, ask, |standing| standing.weight())
    }

    pub(super) fn counted(&self, fact: u32, ask: impl FnOnce() -> Counted) -> Counted {
        self.recall(|kept| &mut kept.counted, fact, ask, |_| 0)
    }

    pub(super) fn history(&self, key: LotKey, ask: impl FnOnce() -> History) -> Arc<History> {
        let ask = || Arc::new(ask());
        self.recall(
            |kept| &mut kept.histories,
            key,
            ask,
            |history| history.moments.len(),
        )
    }

    pub(super) fn books(&self, key: LotKey, ask: impl FnOnce() -> Books) -> Arc<Books> {
        let ask = || Arc::new(ask());
        self.recall(|kept| &mut kept.books, key, ask, |books| books.weight())
    }

    pub(super) fn origins(&self, key: LotKey, ask: impl FnOnce() -> LotOrigins) -> Arc<LotOrigins> {
        let ask = || Arc::new(ask());
        self.recall(
            |kept| &mut kept.origins,
            key,
            ask,
            |origins| origins.entries.len(),
        )
    }

    /// What does not fit at a piece.
    pub(super) fn judged(&self, piece: Span, ask: impl FnOnce() -> Vec<Anomaly>) -> Arc<[Anomaly]> {
        let ask = || Arc::from(ask());
        self.recall(
            |kept| &mut kept.judged,
            piece,
            ask,
            |judged: &Arc<[Anomaly]>| judged.len(),
        )
    }

    /// What the policy sees of a lot at a clock.
    pub(super) fn lot_facts(&self, key: (LotKey, i64), ask: impl FnOnce() -> LotFacts) -> Arc<LotFacts> {
        let ask = || Arc::new(ask());
        let inputs = |facts: &Arc<LotFacts>| facts.productions.iter().map(|step| step.inputs.len()).sum();
        self.recall(|kept| &mut kept.facts, key, ask, inputs)
    }

    pub(super) fn product(
        &self,
        product: Symbol,
        ask: impl FnOnce() -> Option<Declared>,
    ) -> Option<Declared> {
        self.recall(|kept| &mut kept.products, product, ask, |_| 0)
    }

    /// What is wrong with the masses of a step: it has many outputs.
    pub(super) fn step_yield(&self, step: u32, ask: impl FnOnce() -> Option<String>) -> Option<String> {
        self.recall(|kept| &mut kept.yields, step, ask, |_| 0)
    }

    pub(super) fn backing(&self, fact: u32, ask: impl FnOnce() -> Backing) -> Arc<Backing> {
        self.recall(|kept| &mut kept.backings, fact, || Arc::new(ask()), |_| 0)
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
