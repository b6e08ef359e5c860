//! Evidence of equivocation, held against what the log has at the place that it names.

use super::{
    Checked, Entry, FindingKind, Findings, FoldError, Header, LeafIndex, NoPlace, OlderRows, Replay, Slot,
    Statement, chain,
};

impl Replay {
    /// The entry that has to be read again before this one is taken: evidence is about it, its row was let go.
    pub(in crate::audit) fn to_read_again(&self, index: LeafIndex, slot: &Slot) -> Option<LeafIndex> {
        let Slot::Sound(
            _,
            Checked::Evidence {
                first,
                second: Ok(second),
                ..
            },
        ) = slot
        else {
            return None;
        };
        self.state.as_ref()?.older_row_for(second)?;
        let is_decided = *first >= index || self.lost.has(*first);
        (!is_decided && self.older.is_worth_reading(*first)).then_some(*first)
    }

    /// Takes evidence about the statement at `first`: a `second` one, if it is signed.
    pub(super) fn take_evidence(
        &mut self,
        index: LeafIndex,
        (entry, first): (&Entry, LeafIndex),
        second: Result<Header, NoPlace>,
        read_again: Option<Statement>,
        findings: &mut Findings,
    ) {
        self.tally.evidence += 1;
        self.check_time(index, entry.recorded_at, findings);
        let header = match second {
            Ok(header) => header,
            Err(_) if self.state.is_none() => return,
            Err(error) => {
                let detail = format!("the second statement: {}", chain(&error));
                findings.at(FindingKind::FalseEvidence, index, detail);
                return self.pass_over();
            }
        };
        let older = self.older_rows(&header, read_again);
        let Some(error) = self.hold(index, (entry, first), &older) else {
            return;
        };
        // Rule 10: nobody can say so of one that is lost.
        if self.lost.has(first) {
            self.tally.undecided += 1;
        } else {
            let detail = format!("{}: {}", chain(&error), self.why_false(index, first, &header));
            findings.at(FindingKind::FalseEvidence, index, detail);
        }
        self.pass_over();
    }

    /// Takes evidence into the state, or says why it does not hold there.
    fn hold(
        &mut self,
        index: LeafIndex,
        (entry, first): (&Entry, LeafIndex),
        older: &OlderRows,
    ) -> Option<FoldError> {
        let state = self.state.as_mut()?;
        if first >= index {
            // Nothing stands there yet.
            return Some(FoldError::Evidence);
        }
        state.take_own_with(entry, older).err()
    }

    /// Why evidence with a valid signature does not hold, as far as it shows without looking anything up.
    fn why_false(&self, index: LeafIndex, first: LeafIndex, header: &Header) -> &'static str {
        let Some((state, feed)) = self
            .state
            .as_ref()
            .and_then(|state| Some((state, state.feed(header.feed)?)))
        else {
            return "its feed has no statement in this log";
        };
        if header.log_id != state.log_id() {
            "its statement is for another log"
        } else if first >= index {
            "it names an entry that is not before it"
        } else if header.sequence > feed.last() {
            "its feed has no statement of that sequence"
        } else if feed.has_equivocated() {
            "there is evidence against that feed already"
        } else {
            "the entry that it names is not another statement of that feed and sequence"
        }
    }
}
