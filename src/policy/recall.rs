//! Asking the view once: facts that one evaluation has seen are the same for each of its passes.
//!
//! A verdict puts every rule to the lot up to three times, at several floors of assurance, and under several
//! clocks where a param leaves open which one decides. All of them look at the same lots, parties and lists.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    rc::Rc,
    sync::Arc,
};

use time::Date;

use super::asks::SeenLots;
use super::view::{ListEdition, LotFacts, PartyFacts, View};

type ByName<T> = HashMap<String, T>;

/// A view, and what it has answered.
pub(super) struct Recall<'a> {
    pub(super) view: &'a dyn View,
    lots: RefCell<BTreeMap<Option<Date>, ByName<Arc<LotFacts>>>>,
    parties: RefCell<BTreeMap<Date, ByName<Option<Rc<PartyFacts>>>>>,
    editions: RefCell<ByName<Rc<Vec<ListEdition>>>>,
}

impl<'a> Recall<'a> {
    pub(super) fn new(view: &'a dyn View) -> Self {
        Self {
            view,
            lots: RefCell::default(),
            parties: RefCell::default(),
            editions: RefCell::default(),
        }
    }

    /// What is known of a lot; nothing stated, if it was never heard of.
    pub(super) fn lot(&self, lot: &str, clock: Option<Date>) -> Arc<LotFacts> {
        let mut lots = self.lots.borrow_mut();
        let seen = lots.entry(clock).or_default();
        once(seen, lot, || self.view.lot(lot, clock).unwrap_or_default())
    }

    /// Every lot that was asked for at a clock, by name.
    pub(super) fn seen(&self, clock: Option<Date>) -> SeenLots {
        let lots = self.lots.borrow();
        let seen = lots.get(&clock).into_iter().flatten();
        seen.map(|(lot, facts)| (lot.clone(), Arc::clone(facts)))
            .collect()
    }

    pub(super) fn party(&self, party: &str, at: Date) -> Option<Rc<PartyFacts>> {
        let mut parties = self.parties.borrow_mut();
        let seen = parties.entry(at).or_default();
        once(seen, party, || self.view.party(party, at).map(Rc::new))
    }

    pub(super) fn editions(&self, list: &str) -> Rc<Vec<ListEdition>> {
        let mut seen = self.editions.borrow_mut();
        once(&mut seen, list, || Rc::new(self.view.editions(list)))
    }
}

fn once<T: Clone>(seen: &mut ByName<T>, name: &str, ask: impl FnOnce() -> T) -> T {
    if let Some(known) = seen.get(name) {
        return known.clone();
    }
    let answer = ask();
    seen.insert(name.to_owned(), answer.clone());
    answer
}
