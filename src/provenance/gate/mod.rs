//! The gate: which facts count, on whose word, and how much stands behind them.
//!
//! ```text
//! filing --+-- whose word a fact is, and who worked             (here)
//!          +-- what touches a lot, by name or in a container     (moments)
//!          +-- who may speak about a lot                         (standing)
//!          +-- which versions, corrections and voids count       (amend)
//!          +-- which events tell one run; whose member a serial is (run)
//!          '-- what stands behind a claim                        (assurance)
//! ```
//!
//! Every conclusion about a lot takes its facts from here and from nowhere else. Standing is decided first, on
//! all that was said; corrections and voids come after it and never change it.

pub(super) mod amend;
pub(super) mod assurance;
pub(super) mod moments;
mod quantity;
mod run;
pub(super) mod standing;

use std::ops::Deref;

use super::{
    filing::{Filing, symbol::Symbol},
    memory::Memory,
};

/// What was filed, seen through the gate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate<'a> {
    pub(super) filing: &'a Filing,
    /// What was asked before.
    pub(super) memory: &'a Memory,
}

/// What was said stays readable; what counts of it is asked of the gate.
impl Deref for Gate<'_> {
    type Target = Filing;

    fn deref(&self) -> &Filing {
        self.filing
    }
}

impl Gate<'_> {
    /// Whether the fact was recorded under a key after the time from which that key is not trusted.
    pub(super) fn is_tainted(&self, number: u32) -> bool {
        self.feed_of(number)
            .and_then(|feed| self.directory.tainted_since(feed.as_bytes()))
            .is_some_and(|since| self.fact(number).recorded_at >= since)
    }

    /// Who acts: the claimed party of a reported event, else the issuer.
    pub(super) fn actor(&self, number: u32) -> Symbol {
        let fact = self.fact(number);
        match fact.reported {
            Some(claimed) if claimed.is_some() => claimed,
            _ => fact.issuer,
        }
    }

    /// Whether the fact is the actor's own word: signed by him, or by somebody he let report it.
    pub(super) fn is_own_word(&self, number: u32) -> bool {
        match self.fact(number).reported {
            None => true,
            Some(claimed) => claimed == self.fact(number).issuer || self.speaks_for(number, claimed),
        }
    }

    /// Whether `party` let the fact's issuer say this.
    pub(super) fn speaks_for(&self, number: u32, party: Symbol) -> bool {
        let fact = self.fact(number);
        self.directory.delegates(
            party,
            fact.issuer,
            fact.kind,
            fact.reading.facility,
            fact.event_time,
            fact.issued_at,
        )
    }

    /// Who worked: the stated operator, else the registered one of the facility, else the actor.
    pub(super) fn operator(&self, number: u32) -> Symbol {
        let fact = self.fact(number);
        if fact.reading.operator.is_some() {
            return fact.reading.operator;
        }
        self.directory
            .facility(fact.reading.facility, fact.event_time)
            .map(|row| row.operator)
            .filter(|operator| operator.is_some())
            .unwrap_or_else(|| self.actor(number))
    }
}
