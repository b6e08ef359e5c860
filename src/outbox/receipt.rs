//! Taking receipts: the only thing that settles a statement, and what the outcome means for its events.

use bytes::Bytes;

use super::{
    Action, AlarmKind, Effects, Moment, Outbox, Record, Stop, backoff,
    proof::{VerifiedReceipt, receipt_of, verify_receipt},
    record::{DeadLetter, ParcelId, ProvenRow},
    signing::begins_with_later_part,
};
use crate::{
    code::{Outcome, Refusal},
    envelope::Envelope,
    event,
    id::{FeedId, FeedSequence},
};

/// A statement that a receipt settles, with what is needed if it was refused.
struct Settled {
    row: ProvenRow,
    parcel: ParcelId,
    /// Whether this statement is the parcel's newest, so that its outcome is the parcel's.
    is_newest: bool,
    refusals: u32,
    events: Vec<Bytes>,
}

impl Outbox {
    /// Takes a receipt, if every row of it is proven and it contradicts nothing in hand.
    pub(super) fn take_receipt(&mut self, bytes: &Bytes, now: Moment, effects: &mut Effects) {
        let verified = receipt_of(bytes).ok().and_then(|(id, receipt)| {
            let feed = self.state.feed(id)?;
            Some((id, verify_receipt(&self.config.log, feed, receipt).ok()?))
        });
        let Some((id, receipt)) = verified else {
            self.ignored.receipts += 1;
            return;
        };
        if let Some(earlier) = self.contradicting_receipt(id, &receipt) {
            self.alarm_once(AlarmKind::Forked, id, vec![earlier, bytes.clone()], now, effects);
            return;
        }
        if !self.compare_checkpoint(receipt.checkpoint.clone(), id, now, effects) {
            return;
        }
        let settled = self.settled_by(id, &receipt);
        if settled.is_empty() {
            return;
        }
        let rows = settled.iter().map(|settled| settled.row).collect();
        let receipted = Record::Receipted {
            feed: id,
            at: now.wall_nanos,
            rows,
            receipt: bytes.clone(),
        };
        self.commit(receipted, effects);
        for settled in settled.into_iter().filter(|settled| settled.is_newest) {
            self.take_outcome(id, settled, now, effects);
        }
        if let (Some(feed), Some(line)) = (self.state.feed(id), self.lines.get_mut(&id)) {
            line.ask_further(feed, &self.config, effects);
        }
    }

    /// The newest receipt in hand, if a log cannot have both its rows and these: a feed's statements stand in
    /// the log in the order of their sequences, and each in one place.
    fn contradicting_receipt(&self, id: FeedId, receipt: &VerifiedReceipt) -> Option<Bytes> {
        let feed = self.state.feed(id)?;
        let proven_at = |sequence: u64| {
            let statement = feed.get(FeedSequence::new(sequence))?;
            statement.proven.map(|(row, _)| row.index)
        };
        let contradicts = receipt.rows.iter().any(|row| {
            let sequence = row.sequence.get();
            let before = sequence.checked_sub(1).and_then(proven_at);
            let same = proven_at(sequence);
            let after = sequence.checked_add(1).and_then(proven_at);
            before.is_some_and(|index| index >= row.index)
                || same.is_some_and(|index| index != row.index)
                || after.is_some_and(|index| index <= row.index)
        });
        let (_, newest) = feed.newest_receipt.as_ref()?;
        contradicts.then(|| newest.clone())
    }

    /// The statements that had no receipt before.
    fn settled_by(&self, id: FeedId, receipt: &VerifiedReceipt) -> Vec<Settled> {
        let Some(feed) = self.state.feed(id) else {
            return Vec::new();
        };
        let news = receipt.rows.iter().filter_map(|row| {
            let statement = feed
                .get(row.sequence)
                .filter(|statement| !statement.is_settled())?;
            let events = match (row.outcome, statement.envelope.clone()) {
                (Outcome::Refused(_), Some(envelope)) => Envelope::decode(envelope).ok()?.events().to_vec(),
                _ => Vec::new(),
            };
            Some(Settled {
                row: *row,
                parcel: statement.parcel,
                is_newest: self.state.is_at(statement.parcel, id, row.sequence),
                refusals: self.refusals(statement.parcel),
                events,
            })
        });
        news.collect()
    }

    /// What an outcome means for the events.
    fn take_outcome(&mut self, feed: FeedId, settled: Settled, now: Moment, effects: &mut Effects) {
        let Settled {
            row,
            parcel,
            refusals,
            events,
            ..
        } = settled;
        let refusal = match row.outcome {
            Outcome::Admitted => {
                self.due_ms.remove(&parcel);
                self.stop = None;
                effects.actions.push(Action::Admitted { parcel, feed, row });
                return;
            }
            Outcome::Refused(refusal) => refusal,
        };
        if refusal.is_retryable() || self.lacks_earlier_part(refusal, parcel, &events) {
            let config = &self.config;
            let wait = backoff(config.probe_ms, refusals, config.probe_ms_max, self.jitter);
            let due_ms = now.steady_ms.saturating_add(wait);
            let attempts = self.stop.map_or(0, |stop| stop.attempts.saturating_add(1));
            let wait = backoff(config.probe_ms, attempts, config.probe_ms_max, self.jitter);
            self.stop = Some(Stop {
                refusal: self.stop.map_or(refusal, |stop| stop.refusal),
                attempts,
                probe_ms: now.steady_ms.saturating_add(wait),
            });
            // Once is the rule where a whole plant is enrolled late; again, and one of several may hold up the rest.
            if refusals > 0 && is_divisible(&events) {
                self.divide(parcel, events, due_ms, effects);
            } else {
                self.queue_again(parcel, refusals.saturating_add(1), events, due_ms, effects);
            }
        } else {
            self.due_ms.remove(&parcel);
            let letter = DeadLetter {
                parcel,
                feed,
                sequence: row.sequence,
                index: row.index,
                refusal,
                events,
            };
            effects.actions.push(Action::DeadLettered(letter.clone()));
            self.commit(Record::DeadLettered(letter), effects);
        }
    }

    fn queue_again(
        &mut self,
        parcel: ParcelId,
        refusals: u32,
        events: Vec<Bytes>,
        due_ms: u64,
        effects: &mut Effects,
    ) {
        self.due_ms.insert(parcel, due_ms);
        let queued = Record::Queued {
            parcel,
            refusals,
            events,
        };
        self.commit(queued, effects);
    }

    /// Puts two parcels in the place of one, so that what is not at fault is admitted in the end, and what is at
    /// fault waits alone.
    fn divide(&mut self, parcel: ParcelId, mut events: Vec<Bytes>, due_ms: u64, effects: &mut Effects) {
        self.due_ms.remove(&parcel);
        let behind = events.split_off(events.len() / 2);
        let into = [0, 1].map(|more| ParcelId::new(self.state.next_parcel + more));
        for (half, events) in into.into_iter().zip([events, behind]) {
            self.queue_again(half, 1, events, due_ms, effects);
        }
        effects.actions.push(Action::Divided { parcel, into });
    }

    /// Whether a part was refused only because an earlier part of its set waits to be signed again.
    fn lacks_earlier_part(&self, refusal: Refusal, parcel: ParcelId, events: &[Bytes]) -> bool {
        let before = parcel.get().checked_sub(1).map(ParcelId::new);
        refusal == Refusal::PartOutOfPlace
            && before.is_some_and(|before| self.state.queued.contains(&before))
            && begins_with_later_part(events)
    }
}

/// Whether these are several events, none of them a part: parts stand in statements that follow each other.
fn is_divisible(events: &[Bytes]) -> bool {
    let is_whole = |bytes: &Bytes| event::check(bytes).is_ok_and(|event| event.part().is_none());
    events.len() > 1 && events.iter().all(is_whole)
}
