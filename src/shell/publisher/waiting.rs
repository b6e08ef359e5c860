//! Who waits for which parcels, and what is told to those who ask late.

use std::collections::{BTreeMap, BTreeSet};

use super::{Reply, Settled};
use crate::outbox::{Fate, Outbox, ParcelId, Ticket};

/// Who waits for which parcels.
#[derive(Default)]
pub(super) struct Waiting {
    waiters: BTreeMap<u64, Waiter>,
    next: u64,
    by_parcel: BTreeMap<ParcelId, Vec<u64>>,
    /// What was settled lately, for those who begin to wait afterwards.
    lately: BTreeMap<ParcelId, Settled>,
}

struct Waiter {
    ticket: Ticket,
    missing: BTreeSet<ParcelId>,
    settled: BTreeMap<ParcelId, Settled>,
    reply: Reply<Vec<Settled>>,
}

impl Waiting {
    /// How many parcels settled lately are remembered.
    const LATELY_MAX: usize = 65_536;

    pub(super) fn add(&mut self, ticket: Ticket, reply: Reply<Vec<Settled>>, outbox: &Outbox) {
        let mut waiter = Waiter {
            ticket,
            missing: BTreeSet::new(),
            settled: BTreeMap::new(),
            reply,
        };
        for parcel in ticket.parcels() {
            let known = self.lately.get(&parcel).cloned();
            let settled = known.or_else(|| match outbox.fate(parcel) {
                Fate::Pending => None,
                Fate::DeadLettered(_) => outbox
                    .letters()
                    .find(|letter| letter.parcel == parcel)
                    .map(|letter| Settled::DeadLettered(letter.clone())),
                Fate::Done | Fate::Unknown => Some(Settled::Earlier),
            });
            match settled {
                Some(settled) => drop(waiter.settled.insert(parcel, settled)),
                None => drop(waiter.missing.insert(parcel)),
            }
        }
        if waiter.missing.is_empty() {
            waiter.finish();
            return;
        }
        for parcel in &waiter.missing {
            self.by_parcel.entry(*parcel).or_default().push(self.next);
        }
        self.waiters.insert(self.next, waiter);
        self.next += 1;
    }

    pub(super) fn settle(&mut self, parcel: ParcelId, settled: Settled) {
        for number in self.by_parcel.remove(&parcel).unwrap_or_default() {
            let Some(waiter) = self.waiters.get_mut(&number) else {
                continue;
            };
            waiter.missing.remove(&parcel);
            waiter.settled.insert(parcel, settled.clone());
            if waiter.missing.is_empty()
                && let Some(waiter) = self.waiters.remove(&number)
            {
                waiter.finish();
            }
        }
        self.lately.insert(parcel, settled);
        if self.lately.len() > Self::LATELY_MAX {
            self.lately.pop_first();
        }
    }
}

impl Waiter {
    fn finish(mut self) {
        let settled = self
            .ticket
            .parcels()
            .filter_map(|parcel| self.settled.remove(&parcel));
        let settled = settled.collect();
        // Whoever has stopped waiting does not need to know.
        let _ = self.reply.send(settled);
    }
}
