//! Facts that are missing, and the yes-or-no questions that hang on them.
//!
//! An [`Atom`] is one question that the facts leave open (is the operator of lot 7 in class `named`?), and
//! names the facts whose absence leaves it open. Several atoms may hang on one fact, and one atom on several
//! facts. The record also keeps what evaluation used, for the verdict to name.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    truth::{AtomId, F, atom},
    view::{Assurance, Exact},
};

/// A fact by what it is about and where it would stand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FactRef {
    /// `lot:...`, `party:...`, `list:...`, or `context`.
    pub(super) subject: String,
    /// Path of the fact in its subject, for example `step.operator`.
    pub(super) path: String,
}

impl FactRef {
    pub(super) fn lot(lot: &str, path: impl Into<String>) -> Self {
        Self {
            subject: format!("lot:{lot}"),
            path: path.into(),
        }
    }

    /// What does not fit at a lot, by the code of the anomaly.
    pub(super) fn contradiction(lot: &str, code: &str) -> Self {
        Self::lot(lot, format!("{CONTRADICTION}{code}"))
    }

    pub(super) fn party(party: &str, path: impl Into<String>) -> Self {
        Self {
            subject: format!("party:{party}"),
            path: path.into(),
        }
    }

    pub(super) fn list(list: &str, path: impl Into<String>) -> Self {
        Self {
            subject: format!("list:{list}"),
            path: path.into(),
        }
    }

    pub(super) fn context(path: impl Into<String>) -> Self {
        Self {
            subject: "context".to_owned(),
            path: path.into(),
        }
    }
}

const CONTRADICTION: &str = "contradiction.";

/// The code of the anomaly that the path of a fact names, if it does.
pub(super) fn contradiction_at(path: &str) -> Option<&str> {
    path.strip_prefix(CONTRADICTION)
}

/// One question left open.
#[derive(Clone, Debug)]
pub(super) struct Atom {
    pub(super) facts: BTreeSet<FactRef>,
    /// The definition that asks, for example `class.named`.
    pub(super) needed_by: String,
    /// Its largest part in a share, where it has one.
    pub(super) weight: Option<Exact>,
}

/// An edition that evaluation looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent marks of one edition")]
pub(super) struct EditionSeen {
    pub(super) effective_from: time::Date,
    pub(super) complete: bool,
    pub(super) fixture: bool,
    pub(super) later_withdrawn: bool,
    pub(super) projected: bool,
}

/// What evaluation asked and used, across all its passes.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) atoms: Vec<Atom>,
    index: BTreeMap<(String, BTreeSet<FactRef>), AtomId>,
    /// Facts that are stated with less assurance than was asked for.
    pub(super) weak: BTreeMap<FactRef, Assurance>,
    pub(super) params: BTreeMap<String, String>,
    /// By list and edition.
    pub(super) editions: BTreeMap<(String, String), EditionSeen>,
    pub(super) evidence: BTreeSet<String>,
}

impl Record {
    /// The formula of one open question; the same question is the same atom.
    pub(super) fn ask(&mut self, needed_by: &str, facts: BTreeSet<FactRef>) -> F {
        atom(self.number(needed_by, facts))
    }

    pub(super) fn number(&mut self, needed_by: &str, facts: BTreeSet<FactRef>) -> AtomId {
        let next = AtomId::try_from(self.atoms.len()).unwrap_or(AtomId::MAX);
        let key = (needed_by.to_owned(), facts);
        if let Some(id) = self.index.get(&key) {
            return *id;
        }
        self.atoms.push(Atom {
            facts: key.1.clone(),
            needed_by: key.0.clone(),
            weight: None,
        });
        self.index.insert(key, next);
        next
    }

    pub(super) fn atom(&self, id: AtomId) -> Option<&Atom> {
        self.atoms.get(id as usize)
    }

    /// Facts behind every atom of a formula.
    pub(super) fn facts(&self, formula: &F) -> BTreeSet<FactRef> {
        let mut atoms = BTreeSet::new();
        formula.atoms(&mut atoms);
        atoms
            .into_iter()
            .filter_map(|id| self.atom(id))
            .flat_map(|atom| atom.facts.clone())
            .collect()
    }

    /// Notes that the atoms of a formula weigh this much in a share.
    pub(super) fn weigh(&mut self, formula: &F, amount: impl FnOnce() -> Exact) {
        let mut atoms = BTreeSet::new();
        formula.atoms(&mut atoms);
        if atoms.is_empty() {
            return;
        }
        let amount = amount();
        for id in atoms {
            if let Some(atom) = self.atoms.get_mut(id as usize)
                && atom.weight.as_ref().is_none_or(|weight| *weight < amount)
            {
                atom.weight = Some(amount.clone());
            }
        }
    }
}
