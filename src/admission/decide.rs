//! Deciding: a pure function of the state, the statement and the recorded time. It changes nothing.

use super::{Feed, FeedRow, LedgerState, NoPlace, OlderRows, Prepared, parts::next_open};
use crate::{
    code::{Outcome, Refusal},
    entry::{Body, Entry},
    envelope::Header,
    event::CheckedEvent,
    id::FeedSequence,
    register::EventPlace,
    time::RecordedAt,
    wire::v1::{self, event::Kind},
};

/// A statement with its place and outcome, not yet appended.
#[derive(Clone, Debug)]
pub struct Decided {
    prepared: Prepared,
    outcome: Outcome,
    pub(super) recorded_at: RecordedAt,
}

impl Decided {
    /// What was decided.
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The statement.
    pub const fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// The entry that it becomes.
    pub fn to_entry(&self) -> Entry {
        let envelope = self.prepared.statement().envelope_bytes().clone();
        Entry {
            recorded_at: self.recorded_at,
            body: Body::Statement {
                envelope,
                outcome: self.outcome,
            },
        }
    }
}

impl LedgerState {
    /// [`decide_with`](Self::decide_with), for a state that never let go of a row.
    ///
    /// # Errors
    /// [`NoPlace`] if it takes no place in the log.
    ///
    /// # Panics
    /// If it did, and the statement's is one of them.
    pub fn decide(&self, prepared: Prepared, recorded_at: RecordedAt) -> Result<Decided, NoPlace> {
        self.decide_with(prepared, recorded_at, &OlderRows::NONE)
    }

    /// Decides what a statement becomes at `recorded_at`, which must not be before the newest entry's.
    ///
    /// # Errors
    /// [`NoPlace`] if it takes no place in the log.
    ///
    /// # Panics
    /// If `older` lacks the row that [`older_row_for`](Self::older_row_for) names.
    pub fn decide_with(
        &self,
        prepared: Prepared,
        recorded_at: RecordedAt,
        older: &OlderRows,
    ) -> Result<Decided, NoPlace> {
        assert!(recorded_at >= self.recorded_at(), "recorded time never decreases");
        let header = prepared.header();
        if header.log_id != self.log_id() {
            return Err(NoPlace::OtherLedger { got: header.log_id });
        }
        let key = self.register().key(header.feed).ok_or(NoPlace::UnknownKey)?;
        let unheard = Feed::default();
        let feed = self.feed(header.feed).unwrap_or(&unheard);
        if let Some(row) = known_row(feed, header, older) {
            let hash = prepared.statement().hash();
            return Err(if row.hash == hash {
                NoPlace::Duplicate { index: row.index }
            } else {
                NoPlace::Equivocation {
                    first: row.index,
                    is_news: !feed.equivocated,
                }
            });
        }
        if !key.admits(header.sequence) {
            return Err(NoPlace::FeedClosed);
        }
        let expected = FeedSequence::new(feed.last().get() + 1);
        if header.sequence != expected {
            return Err(NoPlace::Gap { expected });
        }
        if header.previous != feed.last_hash() {
            return Err(NoPlace::ChainBroken { expected });
        }
        let outcome = match self.validate(&prepared, &key.party, key.authority, feed, recorded_at) {
            Ok(()) => Outcome::Admitted,
            Err(refusal) => Outcome::Refused(refusal),
        };
        Ok(Decided {
            prepared,
            outcome,
            recorded_at,
        })
    }

    /// Whether a statement in its place is admitted: the ledger's own limits first, then its events' bytes,
    /// whose word it is, and then event by event.
    ///
    /// That it is longer than the parameters allow is no reason to give it no place: it was within them when it
    /// was signed, or its publisher did not know them, and it is never signed again.
    fn validate(
        &self,
        prepared: &Prepared,
        party: &str,
        authority: bool,
        feed: &Feed,
        recorded_at: RecordedAt,
    ) -> Result<(), Refusal> {
        let parameters = self.register().parameters();
        if prepared.statement().statement_len() > parameters.statement_len_max as usize
            || prepared.statement().events().len() > parameters.statement_events_max as usize
        {
            return Err(Refusal::OverLimit);
        }
        let events = prepared.events().map_err(|bad| bad.error.refusal())?;
        let header = prepared.header();
        if header.issuer != party {
            return Err(Refusal::WrongParty);
        }
        let skew_ms = parameters.clock_skew_ms;
        if recorded_at.is_before_by_more_than(header.issued_at.as_nanos(), skew_ms) {
            return Err(Refusal::TimeAhead);
        }
        let mut open = feed.open.clone();
        for event in events {
            open = next_open(open.as_ref(), event)?;
            if event
                .part()
                .is_some_and(|part| part.count > parameters.event_parts_max)
            {
                return Err(Refusal::PartOutOfPlace);
            }
            self.authorise(event, party, authority)?;
            if !event.is_reported()
                && event
                    .facilities()
                    .any(|place| self.register().facility(place).is_none())
            {
                return Err(Refusal::UnknownFacility);
            }
            if recorded_at.is_before_by_more_than(event.event_time().as_nanos(), skew_ms) {
                return Err(Refusal::TimeAhead);
            }
        }
        Ok(())
    }

    /// Whether this party may say this.
    fn authorise(&self, event: &CheckedEvent, party: &str, authority: bool) -> Result<(), Refusal> {
        const SELF_DESCRIPTION: std::ops::RangeInclusive<u32> = 48..=51;
        if event.kind().is_authority() && !authority {
            return Err(Refusal::Unauthorised);
        }
        let about_itself = SELF_DESCRIPTION.contains(&event.kind().number()) && !event.is_reported();
        if !event.kind().is_authority() && !about_itself {
            return Ok(());
        }
        let takes_fixtures = self.register().purpose() != v1::Purpose::Production;
        let decoded = event.decode();
        let subject = match decoded.kind.as_ref() {
            Some(Kind::ActApproved(approved)) => {
                let place = EventPlace::from_wire(&approved.act.unwrap_or_default());
                return if self.register().has_act(place) {
                    Ok(())
                } else {
                    Err(Refusal::Unauthorised)
                };
            }
            Some(
                Kind::PartyEnrolled(v1::PartyEnrolled { fixture: true, .. })
                | Kind::ListPublished(v1::ListPublished { fixture: true, .. }),
            ) if !takes_fixtures => return Err(Refusal::Unauthorised),
            Some(Kind::OwnershipDeclared(declared)) => &declared.party,
            Some(Kind::BoardDeclared(declared)) => &declared.party,
            Some(Kind::LicencesDeclared(declared)) => &declared.party,
            Some(Kind::SuccessionDeclared(declared)) => &declared.party,
            _ => return Ok(()),
        };
        if subject == party {
            Ok(())
        } else {
            Err(Refusal::WrongParty)
        }
    }
}

/// The row that a statement's sequence has in its feed, looked up before if it was let go.
pub(super) fn known_row<'a>(feed: &'a Feed, statement: &Header, older: &'a OlderRows) -> Option<&'a FeedRow> {
    if feed.is_gone(statement.sequence) {
        let row = older.get(statement.feed, statement.sequence);
        return Some(row.expect("rows that were let go are looked up before they are decided about"));
    }
    feed.row(statement.sequence)
}
