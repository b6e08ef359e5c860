//! The replay: every entry decided again, in order, by the code that the ledger runs, and compared with what
//! the ledger wrote.
//!
//! After a fault the replay goes on so that the next one is named too, and not what only follows from it. The
//! numbered rules are those of the specification (After a finding); an auditor of other make goes on by the same.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::{
    bundle::Checked,
    finding::{FindingKind, Findings, chain},
    lost::{LostEntries, Whose},
    older::{OlderStatements, SOMEWHERE, Statement},
    slot::Slot,
};
use crate::{
    admission::{
        Decided, FoldError, LedgerState, NoPlace, OlderRows, Prepared, kept,
        resume::{FeedEnd, UNSEEN},
    },
    code::{Outcome, Refusal},
    entry::{Body, Entry},
    envelope::{Envelope, Header},
    id::{FeedId, FeedSequence, Hash, LeafIndex, LogId},
    log::checkpoint::Origin,
    time::RecordedAt,
    wire::v1::ledger_record::Record,
};

mod evidence;
mod faults;

/// What an audit counted on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// Entries read and found to be the tree's.
    pub entries: u64,
    /// Statements among them.
    pub statements: u64,
    /// Events in admitted statements.
    pub events: u64,
    /// Evidence of equivocation.
    pub evidence: u64,
    /// Records of the ledger's own, the genesis included.
    pub records: u64,
    /// Statements by their outcome in the log.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Statements and evidence that could not be decided again: an entry before them is lost, or their own time
    /// is wrong.
    pub undecided: u64,
}

/// What bounds an audit's memory besides the most findings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// So many of the newest entries have their rows in memory.
    pub(super) window: u64,
    /// The audit stops once it has lost more entries than this, all of which it remembers.
    pub(super) lost_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window: kept::WINDOW,
            lost_max: 1 << 20,
        }
    }
}

/// The ledger's state as an auditor follows it.
#[derive(Debug)]
pub(super) struct Replay {
    log_id: LogId,
    origin: Origin,
    state: Option<LedgerState>,
    lost: LostEntries,
    /// An authority key's statement is lost: the register may lack an act from here on.
    authority_lost: bool,
    /// Feeds whose last statement has no valid signature: that one, and where the feed stood before.
    unsigned: BTreeMap<FeedId, (LeafIndex, Header, FeedEnd)>,
    /// Feeds of which a statement is missing, so that an open event of theirs may be.
    resumed: BTreeSet<FeedId>,
    /// Feeds of keys that nobody is known to have enrolled, while that is in doubt.
    strangers: usize,
    limits: Limits,
    older: OlderStatements,
    pub(super) tally: Tally,
}

/// A statement as it stands in the log.
struct Logged<'a> {
    index: LeafIndex,
    envelope: &'a Bytes,
    outcome: Outcome,
    recorded_at: RecordedAt,
    feed: FeedId,
    /// Whether its time is not before the newest one's.
    in_time: bool,
}

impl Replay {
    pub(super) fn new(log_id: LogId, origin: Origin, limits: Limits) -> Self {
        Self {
            log_id,
            origin,
            state: None,
            lost: LostEntries::default(),
            authority_lost: false,
            unsigned: BTreeMap::new(),
            resumed: BTreeSet::new(),
            strangers: 0,
            limits,
            older: OlderStatements::default(),
            tally: Tally::default(),
        }
    }

    /// The state, unless entry 0 is lost.
    pub(super) const fn state(&self) -> Option<&LedgerState> {
        self.state.as_ref()
    }

    /// Rule 8: whether the register can lack something.
    pub(super) const fn is_in_doubt(&self) -> bool {
        self.lost.is_any_unexplained() || self.authority_lost
    }

    /// Whether so much is lost that remembering more of it is not worth the memory.
    pub(super) const fn is_lost(&self) -> bool {
        self.lost.count().saturating_add(self.strangers) > self.limits.lost_max
    }

    /// Takes the entry at `index`, the next, with the one that had [to be read again](Self::to_read_again).
    pub(super) fn take(
        &mut self,
        index: LeafIndex,
        slot: Slot,
        read_again: Option<Statement>,
        findings: &mut Findings,
    ) {
        let next = self
            .state
            .as_ref()
            .map_or(index, |state| state.size().next_index());
        assert_eq!(next, index, "entries are taken in order, each once");
        self.take_slot(index, slot, read_again, findings);
        if let Some(state) = &mut self.state {
            let size = state.size().get();
            assert_eq!(
                size,
                index.get() + 1,
                "whatever became of it, the entry has its place"
            );
            let before = state.size().get().saturating_sub(self.limits.window);
            state.forget_rows(LeafIndex::new(before));
        }
    }

    /// The row of a statement that was let go, as far as it is known.
    fn older_rows(&self, header: &Header, read_again: Option<Statement>) -> OlderRows {
        let mut rows = OlderRows::NONE;
        let state = self.state.as_ref();
        if let Some((feed, sequence)) = state.and_then(|state| state.older_row_for(header)) {
            rows.insert(feed, sequence, self.older.row(header, read_again));
        }
        rows
    }

    fn take_slot(
        &mut self,
        index: LeafIndex,
        slot: Slot,
        read_again: Option<Statement>,
        findings: &mut Findings,
    ) {
        let (bytes, checked) = match slot {
            Slot::Lost(hint) => {
                return match hint.and_then(|hint| self.whose(&hint)) {
                    Some((whose, said)) => {
                        self.pass_over();
                        self.lost.push_hinted(index, whose, said);
                    }
                    None => self.lose(index, Whose::Anybodys),
                };
            }
            Slot::Sound(bytes, checked) => (bytes, checked),
        };
        self.tally.entries += 1;
        if index == LeafIndex::GENESIS {
            return self.take_genesis(&bytes, findings);
        }
        match checked {
            Checked::Invalid(error) => {
                findings.at(FindingKind::InvalidEntry, index, chain(&error));
                self.lose(index, Whose::Anybodys);
            }
            Checked::Record(entry) => self.take_record(index, &entry, findings),
            Checked::Evidence { entry, first, second } => {
                self.take_evidence(index, (&entry, first), second, read_again, findings);
            }
            Checked::Statement {
                recorded_at,
                outcome,
                envelope,
                prepared,
            } => {
                self.tally.statements += 1;
                *self.tally.outcomes.entry(outcome_name(outcome)).or_default() += 1;
                let in_time = self.check_time(index, recorded_at, findings);
                let recorded = |feed| Logged {
                    index,
                    envelope: &envelope,
                    outcome,
                    recorded_at,
                    feed,
                    in_time,
                };
                match prepared {
                    Ok(prepared) => {
                        let recorded = recorded(prepared.header().feed);
                        self.take_statement(&recorded, prepared, findings);
                    }
                    Err(NoPlace::BadSignature(error)) => {
                        findings.at(FindingKind::InvalidSignature, index, chain(&error));
                        // The feed may well go on from it; who made it is another question.
                        match header(envelope.clone()) {
                            Some(header) => self.follow_unsigned(&recorded(header.feed), header),
                            None => self.lose(index, Whose::Anybodys),
                        }
                    }
                    Err(error) => {
                        let kind = match error {
                            NoPlace::Oversize => FindingKind::NoPlace,
                            _ => FindingKind::InvalidEntry,
                        };
                        findings.at(kind, index, chain(&error));
                        self.lose(index, Whose::Anybodys);
                    }
                }
            }
        }
    }

    fn take_genesis(&mut self, bytes: &Bytes, findings: &mut Findings) {
        let index = LeafIndex::GENESIS;
        self.tally.records += 1;
        match LedgerState::from_genesis(bytes) {
            Ok(state) => {
                let genesis = state.genesis();
                if state.log_id() != self.log_id {
                    let detail = format!("expected log id {}, got {}", self.log_id, state.log_id());
                    findings.at(FindingKind::OtherLog, index, detail);
                    return;
                }
                if genesis.origin != self.origin.as_str() {
                    let detail = format!("expected origin {}, got {}", self.origin, genesis.origin);
                    findings.at(FindingKind::OtherLog, index, detail);
                }
                self.state = Some(state);
            }
            Err(FoldError::GenesisPlace) => {
                let detail = "entry 0 is not a genesis, which every log begins with".to_owned();
                findings.at(FindingKind::InvalidEntry, index, detail);
            }
            Err(error) => findings.at(FindingKind::InvalidEntry, index, chain(&error)),
        }
    }

    /// Goes on to the next place of the log, with nothing taken from this one.
    fn pass_over(&mut self) {
        if let Some(state) = &mut self.state {
            state.pass_over();
        }
    }

    /// Counts an entry from which nothing can be taken.
    fn lose(&mut self, index: LeafIndex, whose: Whose) {
        self.pass_over();
        self.lost.push(index, whose);
    }

    /// Whether a feed is a party's, so that the register does not depend on it.
    fn is_party(&self, feed: FeedId) -> bool {
        let key = self.state.as_ref().and_then(|state| state.register().key(feed));
        key.is_some_and(|key| !key.authority)
    }

    /// Rule 1: whether recorded time goes on. It goes on from here in any case.
    fn check_time(&mut self, index: LeafIndex, recorded_at: RecordedAt, findings: &mut Findings) -> bool {
        self.lost.doubt_hints(recorded_at);
        let Some(state) = &mut self.state else { return true };
        let last = state.recorded_at();
        // Whether or not anything else of the entry is taken.
        state.set_clock(recorded_at);
        if recorded_at >= last {
            return true;
        }
        let detail = FoldError::TimeReversed {
            last,
            got: recorded_at,
        }
        .to_string();
        findings.at(FindingKind::TimeReversed, index, detail);
        false
    }

    fn take_record(&mut self, index: LeafIndex, entry: &Entry, findings: &mut Findings) {
        self.tally.records += 1;
        self.check_time(index, entry.recorded_at, findings);
        if matches!(entry.body, Body::Record(Record::Genesis(_))) {
            let detail = "a second genesis: one stands at entry 0 and nowhere else".to_owned();
            findings.at(FindingKind::InvalidEntry, index, detail);
        }
        // A record changes nothing, that one included.
        self.pass_over();
    }

    fn take_statement(&mut self, recorded: &Logged<'_>, prepared: Prepared, findings: &mut Findings) {
        if recorded.outcome == Outcome::Admitted {
            self.tally.events += prepared.statement().events().len() as u64;
        }
        self.take_back_unsigned(prepared.header());
        let older = self.older_rows(prepared.header(), None);
        let Some(state) = &mut self.state else {
            self.tally.undecided += 1;
            return;
        };
        let index = recorded.index;
        let no_place = match state.decide_with(prepared, recorded.recorded_at, &older) {
            Ok(decided) => return self.compare(recorded, &decided, findings),
            Err(no_place) => no_place,
        };
        let Some(header) = header(recorded.envelope.clone()) else {
            return;
        };
        match no_place {
            NoPlace::Gap { .. } | NoPlace::ChainBroken { .. } => {
                self.resume(recorded, &header, &no_place, findings);
            }
            NoPlace::Duplicate { index: first } | NoPlace::Equivocation { first, .. } if first == UNSEEN => {
                let detail = format!("sequence {} stands after a later one", header.sequence);
                findings.at(FindingKind::FeedBroken, index, detail);
                state.pass_over();
                self.older.repeated(index);
            }
            NoPlace::Duplicate { index: first } | NoPlace::Equivocation { first, .. }
                if first == SOMEWHERE =>
            {
                let detail = format!("sequence {} stands in the log already", header.sequence);
                findings.at(FindingKind::NoPlace, index, detail);
                state.pass_over();
                self.older.repeated(index);
            }
            NoPlace::Duplicate { .. } | NoPlace::Equivocation { .. } => {
                findings.at(FindingKind::NoPlace, index, chain(&no_place));
                state.pass_over();
                self.older.repeated(index);
            }
            NoPlace::UnknownKey | NoPlace::FeedClosed if self.is_in_doubt() => {
                self.tally.undecided += 1;
                let known = self.state.as_ref().and_then(|state| state.feed(recorded.feed));
                self.strangers += usize::from(known.is_none());
                self.follow(recorded);
            }
            NoPlace::UnknownKey | NoPlace::FeedClosed => {
                findings.at(FindingKind::NoPlace, index, chain(&no_place));
                // Nothing that the register could lack is lost if this cannot be taken.
                if !self.take_as_logged(recorded) {
                    self.pass_over();
                }
            }
            _ => {
                findings.at(FindingKind::NoPlace, index, chain(&no_place));
                self.follow(recorded);
            }
        }
    }

    /// Compares what was decided with what the log says, and takes it: by the rules (rule 9), or as the log has
    /// it where that may be right (rules 1, 7 and 8).
    fn compare(&mut self, recorded: &Logged<'_>, decided: &Decided, findings: &mut Findings) {
        let out_of_place = Outcome::Refused(Refusal::PartOutOfPlace);
        let about_parts = decided.outcome() == out_of_place || recorded.outcome == out_of_place;
        let in_doubt = self.is_in_doubt() || (about_parts && self.resumed.contains(&recorded.feed));
        let Some(state) = &mut self.state else { return };
        if decided.outcome() == recorded.outcome {
            self.resumed.remove(&recorded.feed);
            state.take(decided);
        } else if in_doubt || !recorded.in_time {
            // Nothing is said either of what was decided at a time that is wrong itself.
            self.tally.undecided += 1;
            self.follow(recorded);
        } else {
            let detail = format!(
                "the log says {}, the rules say {}",
                recorded.outcome,
                decided.outcome()
            );
            findings.at(FindingKind::WrongOutcome, recorded.index, detail);
            state.take(decided);
        }
    }
}

/// The last sequence of a feed in the log, and the hash of that statement.
fn last_of(state: &LedgerState, feed: FeedId) -> (FeedSequence, Hash) {
    state.feed(feed).map_or((FeedSequence::NONE, Hash::ZERO), |feed| {
        (feed.last(), feed.last_hash())
    })
}

/// The header of an envelope that was decoded before.
fn header(envelope: Bytes) -> Option<Header> {
    Envelope::decode(envelope)
        .ok()
        .map(|envelope| envelope.header().clone())
}

/// A body's kind of record, for the tally alone.
const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Admitted => "admitted",
        Outcome::Refused(refusal) => refusal.name(),
    }
}
