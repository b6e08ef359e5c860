//! How a replay goes on after a fault: what is taken of an entry that is not as it should be, and of its feed.

use super::{
    Checked, Envelope, FeedId, FindingKind, Findings, Header, LeafIndex, Logged, NoPlace, Prepared,
    RecordedAt, Replay, Whose, chain, header, last_of,
};

impl Replay {
    /// Rule 3: whose a lost entry was and when, if the bytes in its place say so plausibly: they continue what
    /// comes before. [`LostEntries`] compares them with what comes after.
    pub(super) fn whose(&self, hint: &Checked) -> Option<(Whose, RecordedAt)> {
        let state = self.state.as_ref()?;
        let (whose, recorded_at) = match hint {
            Checked::Invalid(_) => return None,
            Checked::Record(entry) | Checked::Evidence { entry, .. } => (Whose::Settled, entry.recorded_at),
            Checked::Statement {
                envelope,
                recorded_at,
                ..
            } => {
                let header = header(envelope.clone())?;
                let (last, hash) = last_of(state, header.feed);
                let continues = last.next() == Some(header.sequence) && hash == header.previous;
                if !continues || !self.is_party(header.feed) {
                    return None;
                }
                (Whose::Feed(header.feed), *recorded_at)
            }
        };
        (recorded_at >= state.recorded_at()).then_some((whose, recorded_at))
    }

    /// Rule 7: goes on with a feed whose statement does not continue it, after naming that unless lost entries
    /// explain it.
    pub(super) fn resume(
        &mut self,
        recorded: &Logged<'_>,
        header: &Header,
        no_place: &NoPlace,
        findings: &mut Findings,
    ) {
        if !self.explain_gap(header) {
            findings.at(FindingKind::FeedBroken, recorded.index, chain(no_place));
        }
        self.authority_lost |= !self.is_party(header.feed);
        let Some(state) = &mut self.state else { return };
        let last = last_of(state, header.feed);
        if !state.resume_feed(header.feed, header.sequence, header.previous) {
            return self.pass(recorded.index, header.feed);
        }
        self.resumed.insert(header.feed);
        self.older.resumed(last.0, header);
        let prepared = Prepared::from_bytes(recorded.envelope.clone());
        match prepared.and_then(|prepared| state.decide(prepared, recorded.recorded_at)) {
            // An event that was left open may have been closed by what is missing.
            Ok(decided) => {
                self.compare(recorded, &decided, findings);
                // Evidence is about statements as they stand in the log, whatever their successors name.
                if let Some(state) = &mut self.state
                    && last.0.next() == Some(header.sequence)
                {
                    state.restore_hash(header.feed, last.0, last.1);
                }
            }
            Err(_) => self.pass(recorded.index, header.feed),
        }
    }

    /// Rule 6: whether lost entries explain the gap before this statement.
    pub(super) fn explain_gap(&mut self, header: &Header) -> bool {
        let feed = self.state.as_ref().and_then(|state| state.feed(header.feed));
        let last = feed.map_or(0, |feed| feed.last().get());
        let since = feed
            .and_then(|feed| feed.row(feed.last()))
            .map_or(LeafIndex::GENESIS, |row| row.index);
        let missing = usize::try_from(header.sequence.get().saturating_sub(last + 1)).unwrap_or(usize::MAX);
        self.lost.explain(header.feed, since, missing)
    }

    /// Rule 3: counts a statement of a feed from which nothing can be taken.
    pub(super) fn pass(&mut self, index: LeafIndex, feed: FeedId) {
        let whose = if self.is_party(feed) {
            Whose::Feed(feed)
        } else {
            Whose::Anybodys
        };
        self.lose(index, whose);
    }

    /// Rule 4: takes a statement without a valid signature as the log has it: who made it is another question, and the
    /// feed may well go on from it.
    pub(super) fn follow_unsigned(&mut self, recorded: &Logged<'_>, header: Header) {
        let Some(state) = &self.state else { return };
        let end = state.feed_end(header.feed);
        self.follow(recorded);
        let last = self.state.as_ref().and_then(|state| state.feed(header.feed));
        let row = last.and_then(|feed| feed.row(feed.last()));
        if row.is_some_and(|row| row.index == recorded.index) {
            self.unsigned.insert(header.feed, (recorded.index, header, end));
        }
    }

    /// Rule 4: takes the last statement of a feed back that has no valid signature, if a signed one stands where it
    /// stood.
    pub(super) fn take_back_unsigned(&mut self, header: &Header) {
        if self
            .unsigned
            .get(&header.feed)
            .is_none_or(|(_, unsigned, _)| header.sequence < unsigned.sequence)
        {
            return;
        }
        let Some((index, unsigned, end)) = self.unsigned.remove(&header.feed) else {
            return;
        };
        if (unsigned.sequence, unsigned.previous) == (header.sequence, header.previous)
            && let Some(state) = &mut self.state
        {
            state.take_back(header.feed, end);
            self.older.repeated(index);
        }
    }

    /// Takes a statement as the log has it, outcome included.
    pub(super) fn follow(&mut self, recorded: &Logged<'_>) {
        if !self.take_as_logged(recorded) {
            self.pass(recorded.index, recorded.feed);
        }
    }

    /// Takes a statement as the log has it, if it continues its feed.
    pub(super) fn take_as_logged(&mut self, recorded: &Logged<'_>) -> bool {
        let Some(state) = &mut self.state else {
            return false;
        };
        Envelope::decode(recorded.envelope.clone())
            .is_ok_and(|envelope| state.take_as_logged(&envelope, recorded.outcome, recorded.recorded_at))
    }
}
