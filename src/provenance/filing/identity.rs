//! Which facts are reports of one event: those with its (issuer, event id).

use std::collections::HashMap;

use super::{fact::Fact, index::Index, symbol::Symbol};

/// Facts by (issuer, event id), which are read from the facts themselves.
#[derive(Debug, Default)]
pub(super) struct Identities {
    /// The first of each.
    firsts: Index,
    /// From a first fact to those that say something else under the same identity, in order of arrival.
    others: HashMap<u32, Vec<u32>>,
}

impl Identities {
    /// The first fact under an identity.
    pub(super) fn first(&self, key: (Symbol, &str), facts: &[Fact]) -> Option<u32> {
        self.find(self.firsts.hash(key), key, facts)
    }

    /// The first fact under an identity; if there is none, `number` is.
    pub(super) fn first_or_insert(
        &mut self,
        key: (Symbol, &str),
        number: u32,
        facts: &[Fact],
    ) -> Option<u32> {
        let hash = self.firsts.hash(key);
        let first = self.find(hash, key, facts);
        if first.is_none() {
            self.firsts.insert(hash, number);
        }
        first
    }

    fn find(&self, hash: u64, key: (Symbol, &str), facts: &[Fact]) -> Option<u32> {
        self.firsts.find(hash, |number| {
            facts
                .get(number as usize)
                .is_some_and(|fact| (fact.issuer, fact.id()) == key)
        })
    }

    /// Notes a conflicting report.
    pub(super) fn add_variant(&mut self, first: u32, number: u32) {
        self.others.entry(first).or_default().push(number);
    }

    /// All facts of the identity whose first is `first`, in order of arrival.
    pub(super) fn variants(&self, first: u32) -> impl Iterator<Item = u32> + '_ {
        let others = self.others.get(&first).into_iter().flatten().copied();
        std::iter::once(first).chain(others)
    }
}
