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
    /// What was settled or divided lately, for those who begin to wait afterwards.
    lately: BTreeMap<ParcelId, Lately>,
}

/// What became of a parcel lately.
#[derive(Clone)]
enum Lately {
    Settled(Settled),
    Divided([ParcelId; 2]),
}

struct Waiter {
    missing: BTreeSet<ParcelId>,
    settled: BTreeMap<ParcelId, Settled>,
    reply: Reply<Vec<Settled>>,
}

impl Waiting {
    /// How many parcels settled lately are remembered.
    const LATELY_MAX: usize = 65_536;

    pub(super) fn add(&mut self, ticket: Ticket, reply: Reply<Vec<Settled>>, outbox: &Outbox) {
        let mut waiter = Waiter {
            missing: BTreeSet::new(),
            settled: BTreeMap::new(),
            reply,
        };
        let mut parcels: Vec<ParcelId> = ticket.parcels().collect();
        while let Some(parcel) = parcels.pop() {
            let settled = match self.lately.get(&parcel) {
                Some(Lately::Divided(into)) => {
                    parcels.extend(into);
                    continue;
                }
                Some(Lately::Settled(settled)) => Some(settled.clone()),
                None => fate(parcel, outbox),
            };
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
        self.remember(parcel, Lately::Settled(settled));
    }

    /// Whoever waits for a parcel waits for two others from now on.
    pub(super) fn divide(&mut self, parcel: ParcelId, into: [ParcelId; 2]) {
        let waiting = self.by_parcel.remove(&parcel).unwrap_or_default();
        for number in &waiting {
            if let Some(waiter) = self.waiters.get_mut(number) {
                waiter.missing.remove(&parcel);
                waiter.missing.extend(into);
            }
        }
        for half in into.into_iter().filter(|_| !waiting.is_empty()) {
            self.by_parcel.insert(half, waiting.clone());
        }
        self.remember(parcel, Lately::Divided(into));
    }

    fn remember(&mut self, parcel: ParcelId, lately: Lately) {
        self.lately.insert(parcel, lately);
        if self.lately.len() > Self::LATELY_MAX {
            self.lately.pop_first();
        }
    }
}

/// What became of a parcel, if it is settled.
fn fate(parcel: ParcelId, outbox: &Outbox) -> Option<Settled> {
    match outbox.fate(parcel) {
        Fate::Pending => None,
        Fate::DeadLettered(_) => outbox
            .letters()
            .find(|letter| letter.parcel == parcel)
            .map(|letter| Settled::DeadLettered(letter.clone())),
        Fate::Done | Fate::Unknown => Some(Settled::Earlier),
    }
}

impl Waiter {
    fn finish(self) {
        // Whoever has stopped waiting does not need to know.
        let _ = self.reply.send(self.settled.into_values().collect());
    }
}
