//! Signing: with which key, in which order, and what waits.

use bytes::Bytes;

use super::{
    Action, Effects, Moment, Outbox, Record, backoff,
    head::Line,
    record::ParcelId,
    state::{Feed, Parcel},
};
use crate::{
    envelope::Header,
    event,
    id::{FeedSequence, Hash},
    publish::FeedSigner,
    time::IssuedAt,
};

impl Outbox {
    /// Takes the next key that is not closed, if none is in use.
    pub(super) fn take_key(&mut self, now: Moment, effects: &mut Effects) {
        while self.signer.is_none() {
            let Some(key) = self.keys.pop_front() else { return };
            let id = key.feed();
            let (last, hash) = match self.state.feed(id) {
                Some(feed) if feed.closed.is_some() => continue,
                Some(feed) => {
                    self.last_signed = feed.statements.back().map(|statement| statement.parcel);
                    feed.last()
                }
                None => {
                    self.commit(Record::Opened { feed: id }, effects);
                    effects.actions.push(Action::Listen { feed: id });
                    (FeedSequence::NONE, Hash::ZERO)
                }
            };
            if let Some(feed) = self.state.feed(id) {
                self.lines.entry(id).or_insert_with(|| Line::new(feed, now));
            }
            let issuer = self.config.issuer.clone();
            self.signer = Some(FeedSigner::new(key, self.config.log.log_id(), issuer, last, hash));
        }
    }

    /// Whether there is a key whose head the ledger has confirmed in this run.
    pub(super) fn is_ready_to_sign(&self) -> bool {
        let feed = self.signer.as_ref().map(|signer| signer.key().feed());
        feed.and_then(|feed| self.lines.get(&feed))
            .is_some_and(|line| line.is_confirmed)
    }

    /// Signs one parcel's events as the next statement.
    pub(super) fn sign(&mut self, parcel: ParcelId, events: &[Bytes], now: Moment, effects: &mut Effects) {
        let Some(signer) = &mut self.signer else { return };
        let (_, previous) = signer.last();
        let issued_at = IssuedAt::from_nanos(now.wall_nanos);
        let statement = signer.sign(issued_at, events);
        let header = Header {
            log_id: signer.log_id(),
            issuer: signer.issuer().to_owned(),
            feed: signer.key().feed(),
            sequence: statement.sequence,
            previous,
            issued_at,
        };
        let envelope = statement.envelope;
        self.state
            .apply_signed(parcel, &header, statement.hash, envelope.clone())
            .expect("the signer and the state count alike");
        effects.records.push(Record::Signed { parcel, envelope });
        self.last_signed = Some(parcel);
    }

    /// Signs what waits: all that is due, or, while stopped, one at a time and only if nothing is under way.
    pub(super) fn sign_queued(&mut self, now: Moment, effects: &mut Effects) {
        if !self.is_ready_to_sign() {
            return;
        }
        while let Some(parcel) = self.next_due(now) {
            if self
                .stop
                .is_some_and(|stop| now.steady_ms < stop.probe_ms || !self.is_settled())
            {
                return;
            }
            let Some(Parcel::Queued { events, .. }) = self.state.pending.get(&parcel) else {
                return;
            };
            let events = events.clone();
            self.sign(parcel, &events, now, effects);
        }
    }

    /// Something new is about to be queued: what the register lacked for others holds it up for the first backoff
    /// at most.
    pub(super) fn hasten_probe(&mut self, now: Moment) {
        let wait = backoff(self.config.probe_ms, 0, self.config.probe_ms_max, self.jitter);
        let newest = self.state.queued.last();
        let is_alone = newest.is_none_or(|newest| self.refusals(*newest) > 0);
        if let Some(stop) = self.stop.as_mut().filter(|_| is_alone) {
            stop.probe_ms = stop.probe_ms.min(now.steady_ms.saturating_add(wait));
        }
    }

    /// Whether the feed that is signed with has nothing under way.
    pub(super) fn is_settled(&self) -> bool {
        let feed = self.signer.as_ref().map(|signer| signer.key().feed());
        feed.and_then(|feed| self.state.feed(feed))
            .is_none_or(Feed::is_settled)
    }

    /// The parcel to be signed next. Parts stay together, in their order.
    pub(super) fn next_due(&self, now: Moment) -> Option<ParcelId> {
        let queued = &self.state.queued;
        let following = self
            .last_signed
            .filter(|last| !queued.contains(last))
            .map(next_parcel);
        if let Some(next) = following.filter(|next| queued.contains(next) && self.is_continuation(*next)) {
            return Some(next);
        }
        let is_due = |parcel: &ParcelId| self.due_ms.get(parcel).is_none_or(|due| *due <= now.steady_ms);
        let waits_for_first_part = |parcel: ParcelId| {
            parcel
                .get()
                .checked_sub(1)
                .is_some_and(|before| queued.contains(&ParcelId::new(before)))
                && self.is_continuation(parcel)
        };
        let mut due = queued
            .iter()
            .copied()
            .filter(|parcel| is_due(parcel) && !waits_for_first_part(*parcel));
        if self.stop.is_some() {
            // What was refused least is the likeliest to be admitted, and then all the rest goes out.
            due.min_by_key(|parcel| self.refusals(*parcel))
        } else {
            due.next()
        }
    }

    pub(super) fn refusals(&self, parcel: ParcelId) -> u32 {
        match self.state.pending.get(&parcel) {
            Some(Parcel::Queued { refusals, .. } | Parcel::Signed { refusals, .. }) => *refusals,
            None => 0,
        }
    }

    pub(super) fn is_continuation(&self, parcel: ParcelId) -> bool {
        match self.state.pending.get(&parcel) {
            Some(Parcel::Queued { events, .. }) => begins_with_later_part(events),
            _ => false,
        }
    }
}

const fn next_parcel(parcel: ParcelId) -> ParcelId {
    ParcelId::new(parcel.get() + 1)
}

/// Whether the first of these events is a later part of one that began in the statement before.
pub(super) fn begins_with_later_part(events: &[Bytes]) -> bool {
    let first = events.first().and_then(|first| event::check(first).ok());
    first
        .and_then(|first| first.part())
        .is_some_and(|part| part.number > 1)
}
