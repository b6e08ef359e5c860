//! Forgetting what is old, and remembering checkpoints.

use bytes::Bytes;

use super::{AlarmKind, CHECKPOINTS_MAX, Effects, HOUSEKEEPING_MS, Moment, Outbox, Record, proof};
use crate::{id::FeedId, log::SignedCheckpoint};

impl Outbox {
    /// Forgets what is old, and writes down the largest checkpoint; now and then.
    pub(super) fn keep_house(&mut self, now: Moment, effects: &mut Effects) {
        if now.steady_ms.saturating_sub(self.housekeeping_ms) < HOUSEKEEPING_MS {
            return;
        }
        self.housekeeping_ms = now.steady_ms;
        let retention_nanos =
            i64::try_from(self.config.retention_ms.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        let before = now.wall_nanos.saturating_sub(retention_nanos);
        let pruned: Vec<Record> = self
            .state
            .feeds
            .iter()
            .filter_map(|feed| {
                let (through, hash) = feed.prunable(before, self.mirrored)?;
                let feed = feed.id;
                Some(Record::Pruned { feed, through, hash })
            })
            .collect();
        for record in pruned {
            self.commit(record, effects);
        }
        if let Some(highest) = self
            .highest()
            .filter(|seen| seen.head().size > self.checkpoint_written)
        {
            let note = highest.bytes().clone();
            self.checkpoint_written = highest.head().size;
            self.commit(Record::CheckpointSeen { note }, effects);
        }
    }

    pub(super) fn highest(&self) -> Option<&SignedCheckpoint> {
        self.seen.last_key_value().map(|(_, seen)| seen)
    }

    /// The checkpoints that the file holds.
    pub(super) fn remember_checkpoints(&mut self) {
        let notes = self.state.checkpoint.iter().cloned();
        let receipts = self
            .state
            .feeds
            .iter()
            .filter_map(|feed| feed.newest_receipt.as_ref());
        let from_receipts =
            receipts.filter_map(|(_, receipt)| Some(proof::receipt_of(receipt).ok()?.1.checkpoint.into()));
        let notes: Vec<Bytes> = notes.chain(from_receipts).collect();
        let verified = notes
            .iter()
            .filter_map(|note| self.config.log.checkpoint(note).ok());
        self.seen = verified.map(|seen| (seen.head().size, seen)).collect();
    }

    pub(super) fn take_checkpoint(&mut self, bytes: &Bytes, now: Moment, effects: &mut Effects) {
        match self.config.log.checkpoint(bytes) {
            Ok(checkpoint) => {
                let feed = self
                    .state
                    .feeds
                    .last()
                    .map_or(FeedId::new([0; 32]), |feed| feed.id);
                self.compare_checkpoint(checkpoint, feed, now, effects);
            }
            Err(_) => self.ignored.checkpoints += 1,
        }
    }

    /// Remembers a checkpoint, unless it contradicts one in hand: then that is an alarm, and false.
    pub(super) fn compare_checkpoint(
        &mut self,
        checkpoint: SignedCheckpoint,
        feed: FeedId,
        now: Moment,
        effects: &mut Effects,
    ) -> bool {
        let size = checkpoint.head().size;
        if let Some(other) = self.seen.get(&size) {
            if other.head() == checkpoint.head() {
                return true;
            }
            let evidence = vec![other.bytes().clone(), checkpoint.bytes().clone()];
            self.alarm_once(AlarmKind::Forked, feed, evidence, now, effects);
            return false;
        }
        self.seen.insert(size, checkpoint);
        if self.seen.len() > CHECKPOINTS_MAX {
            self.seen.pop_first();
        }
        if let Some(highest) = self.highest() {
            self.state.checkpoint = Some(highest.bytes().clone());
        }
        true
    }
}
