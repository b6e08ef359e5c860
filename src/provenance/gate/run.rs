//! Runs: the events by which one operator tells one production run, and the class lots of a serial.
//!
//! A run is (operator, facility, id). Its inputs belong to all its outputs, in whichever of its events and on
//! whichever day they stand. Another party's event joins only if the operator lets him report, or names him as
//! the one for whom it works, or if that event names the operator as its principal.

use super::{
    super::filing::{
        fact::Role,
        span::{LotKey, Span},
        symbol::Symbol,
        uses::{SHIPMENT_LAPSED, SHIPMENT_WITHDRAWN, SHIPPED, TRANSFORMED},
    },
    Gate,
};
use crate::wire::v1::event::Kind;

impl Gate<'_> {
    /// The facts of the run that a fact belongs to, itself included, whether they count or not; in order.
    pub(in crate::provenance) fn run_of(&self, fact: u32) -> Vec<u32> {
        let reading = &self.fact(fact).reading;
        if self.fact(fact).kind != TRANSFORMED || reading.reference == Symbol::NONE {
            return vec![fact];
        }
        let operator = self.operator(fact);
        if !self.speaks_in_run(fact, operator) {
            return vec![fact];
        }
        let mut run: Vec<u32> = self
            .links
            .referring(reading.reference)
            .iter()
            .copied()
            .filter(|other| {
                let theirs = self.fact(*other);
                *other == fact
                    || theirs.kind == TRANSFORMED
                        && theirs.reading.facility == reading.facility
                        && self.operator(*other) == operator
                        && self.is_own_word(*other) == self.is_own_word(fact)
                        && self.speaks_in_run(*other, operator)
            })
            .collect();
        run.sort_by(|a, b| self.compare(*a, *b));
        run
    }

    /// Whether the actor of a run's event may speak for the operator's run.
    fn speaks_in_run(&self, fact: u32, operator: Symbol) -> bool {
        let actor = self.actor(fact);
        let reading = &self.fact(fact).reading;
        if actor == operator || self.speaks_for(fact, operator) || reading.principal.named() == Some(operator)
        {
            return true;
        }
        self.links.referring(reading.reference).iter().any(|other| {
            self.actor(*other) == operator
                && self.fact(*other).reading.facility == reading.facility
                && self.fact(*other).reading.principal.named() == Some(actor)
        })
    }

    /// The class lots that a serial was made a member of, on words that count for them, in order of time.
    pub(in crate::provenance) fn class_lots(&self, serial: LotKey) -> Vec<LotKey> {
        let mut joins: Vec<(u32, LotKey)> = self
            .tracks
            .of(serial)
            .into_iter()
            .filter(|touch| {
                let leg = self.leg(*touch);
                leg.serial && leg.role.makes()
            })
            .filter_map(|touch| {
                let class = self.leg_in(touch.fact, Role::Class)?.span.key();
                (class != serial).then_some((touch.fact, class))
            })
            .filter(|(fact, class)| self.standing(*class).admits(*fact))
            .collect();
        if joins.is_empty() {
            return Vec::new();
        }
        joins.sort_by(|a, b| self.compare(a.0, b.0));
        // Who names the serial has to have standing over it, too: by itself, or as some of a lot that it is in.
        let own = self.standing(serial);
        let mut sure: Vec<LotKey> = joins
            .iter()
            .filter(|(fact, _)| own.admits(*fact))
            .map(|(_, class)| *class)
            .collect();
        let mut classes: Vec<LotKey> = Vec::new();
        for (fact, class) in joins {
            let given = || {
                sure.iter()
                    .any(|known| self.standing(*known).admits_member(fact, serial))
            };
            if !classes.contains(&class) && (sure.contains(&class) || given()) {
                classes.push(class);
                sure.push(class);
            }
        }
        classes
    }

    /// The word of its sender by which a shipment was withdrawn or lapsed as a whole, by its number alone.
    pub(in crate::provenance) fn came_back_whole(&self, sent: u32) -> Option<u32> {
        let reference = self.fact(sent).reading.reference;
        if reference == Symbol::NONE {
            return None;
        }
        self.links
            .referring(reference)
            .iter()
            .copied()
            .filter(|other| {
                let back = self.fact(*other);
                matches!(back.kind, SHIPMENT_WITHDRAWN | SHIPMENT_LAPSED)
                    && back.reading.legs.is_empty()
                    && self.is_own_word(*other)
                    && self.actor(*other) == self.actor(sent)
                    && self.counts(*other)
            })
            .min_by(|a, b| self.compare(*a, *b))
    }

    /// Whether nothing but a lot, by its own name, was shipped under a number.
    pub(in crate::provenance) fn is_shipped_alone(&self, reference: Symbol, lot: LotKey) -> bool {
        self.shipped_under(reference)
            .iter()
            .all(|span| *span == Span::from(lot))
    }

    /// What was shipped under a number.
    pub(in crate::provenance) fn shipped_under(&self, reference: Symbol) -> Vec<Span> {
        self.links
            .referring(reference)
            .iter()
            .filter(|fact| self.fact(**fact).kind == SHIPPED)
            .flat_map(|fact| &self.fact(*fact).reading.legs)
            .map(|leg| leg.span)
            .collect()
    }

    /// The ids of the events that a correction puts in the place of what it corrects.
    pub(super) fn corrective_ids(&self, amendment: u32) -> Vec<String> {
        match self.event_of(amendment).and_then(|event| event.kind) {
            Some(Kind::Corrected(corrected)) => corrected.corrective_ids,
            _ => Vec::new(),
        }
    }
}
