//! The log as it was folded so far, which the follower moves on and everybody else reads.
//!
//! ```text
//! signed head           entries hashed to the next signed head, folded in short turns           next signed head
//!     |--------------------------|------------------------|---------------------------------------------|
//!                                ^                        ^
//!                        completed positions: what readers see between two turns
//! ```
//!
//! A turn ends at a whole entry, and nothing is folded that was not hashed to a signed root before. So whatever
//! readers see is the state at one position of the verified log, and an answer names the one that it holds at.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use lotproof::{
    admission::FoldError,
    id::{Hash, TreeSize},
    log::{
        checkpoint::SignedCheckpoint,
        proof::{MemoryTree, frontier_at},
        tree::{Frontier, LogHead},
    },
    projector::Projector,
    provenance::Anomaly,
};
use tokio::{sync::watch, time::Instant};

use crate::{
    health::{Alarm, AlarmKind, Health},
    openings::Openings,
    reply::Digests,
    turns::TurnLock,
};

/// How long a turn of the fold may be: what an answer waits for at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TurnBounds {
    /// It ends with the entry after which it has taken this long.
    pub(crate) time_max: Duration,
    /// Most entries.
    pub(crate) entries_max: usize,
}

impl Default for TurnBounds {
    fn default() -> Self {
        Self {
            time_max: Duration::from_millis(8),
            entries_max: 1_024,
        }
    }
}

/// An entry that the log signed, and that no log can have.
#[derive(Debug, thiserror::Error)]
#[error("entry {index} cannot follow the ones before: {error}")]
pub(crate) struct FoldFault {
    /// Which; those before it are folded.
    pub(crate) index: TreeSize,
    /// What is wrong with it.
    pub(crate) error: FoldError,
}

/// Shared between the follower and those who answer.
#[derive(Clone)]
pub(crate) struct LiveLog {
    inner: Arc<Inner>,
}

struct Inner {
    state: TurnLock<State>,
    turn: TurnBounds,
    health: watch::Sender<Health>,
    /// Size of the largest head heard that the log signed.
    newest: watch::Sender<TreeSize>,
}

struct State {
    projector: Projector,
    /// Every hash of the log so far, to compare with heads of any size.
    tree: MemoryTree,
    /// Whether readers may look: from the first signed head reached on, but not amid a turn.
    is_readable: bool,
    /// The newest signed head that was reached.
    reached: Option<SignedCheckpoint>,
    /// The signed head that the entries folded since then were hashed to; none while `reached` is the position.
    aim: Option<SignedCheckpoint>,
    openings: Openings,
    derived: Derived,
}

/// Answers that cost as much as the whole log, computed once at each position that they are asked at.
#[derive(Debug, Default)]
pub(crate) struct Derived {
    pub(crate) anomalies: OnceLock<Vec<Anomaly>>,
    pub(crate) digests: OnceLock<Digests>,
}

/// What an answer costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// No more than the bounds of its request allow.
    Limited,
    /// As much as the whole log.
    WholeLog,
}

/// The state at one position.
pub(crate) struct Completed<'a> {
    pub(crate) projector: &'a Projector,
    /// Where it is.
    pub(crate) head: LogHead,
    /// The signed head that proves it, if the log did not sign this one.
    pub(crate) proven_by: Option<LogHead>,
    /// How many entries the largest head heard has beyond it.
    pub(crate) lag_entries: u64,
    pub(crate) openings: &'a Openings,
    pub(crate) derived: &'a Derived,
    pub(crate) alarm: Option<AlarmKind>,
}

/// How a head stands to what was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadRelation {
    /// Larger: to be reached.
    Ahead,
    /// Where the log was folded to.
    Current,
    /// Smaller, and a beginning of it.
    Older,
    /// Excluded by it.
    Forked,
}

impl State {
    /// Takes in entries until the turn is over. Returns how many, and what was derived before and is outdated.
    fn take(
        &mut self,
        turn: TurnBounds,
        entries: &[(Bytes, Hash)],
        aim: &SignedCheckpoint,
    ) -> (Result<usize, FoldFault>, Derived) {
        let ends_at = Instant::now() + turn.time_max;
        // Nobody is to see half an entry, should a line below panic.
        let was_readable = std::mem::replace(&mut self.is_readable, false);
        let outdated = std::mem::take(&mut self.derived);
        let mut count = 0;
        let mut fault = None;
        for (entry, leaf) in entries.iter().take(turn.entries_max) {
            if let Err(error) = self.projector.take(entry) {
                let index = self.projector.size();
                fault = Some(FoldFault { index, error });
                break;
            }
            self.tree.push(*leaf);
            self.openings.look(entry);
            count += 1;
            if Instant::now() >= ends_at {
                break;
            }
        }
        let is_reached = self.projector.size() == aim.head().size;
        if is_reached {
            self.reach(aim);
        } else if count > 0 {
            self.aim = Some(aim.clone());
        }
        if was_readable || is_reached {
            self.openings.apply(self.projector.projection_mut());
            self.is_readable = true;
        }
        (fault.map_or(Ok(count), Err), outdated)
    }

    /// Notes that the entries so far make a head that the log signed.
    fn reach(&mut self, head: &SignedCheckpoint) {
        assert_eq!(
            self.projector.head(),
            *head.head(),
            "entries are folded only once they were hashed to the root of their signed head"
        );
        self.reached = Some(head.clone());
        self.aim = None;
    }
}

impl LiveLog {
    pub(crate) fn new(openings: Openings, turn: TurnBounds) -> Self {
        assert!(turn.entries_max > 0, "a turn takes an entry");
        let mut state = State {
            projector: Projector::new(),
            tree: MemoryTree::new(),
            is_readable: false,
            reached: None,
            aim: None,
            openings,
            derived: Derived::default(),
        };
        let (openings, projector) = (&mut state.openings, &mut state.projector);
        openings.give(projector.projection_mut());
        Self {
            inner: Arc::new(Inner {
                state: TurnLock::new(state),
                turn,
                health: watch::Sender::new(Health::default()),
                newest: watch::Sender::new(TreeSize::EMPTY),
            }),
        }
    }

    /// From where the entries continue.
    pub(crate) fn frontier(&self) -> Frontier {
        self.inner.state.read(|state| {
            frontier_at(state.tree.size(), &state.tree).expect("a tree has every subtree below its size")
        })
    }

    pub(crate) fn relation(&self, head: &LogHead) -> HeadRelation {
        self.inner.state.read(|state| {
            if head.size > state.tree.size() {
                return HeadRelation::Ahead;
            }
            match state.tree.head_at(head.size) {
                Ok(known) if known == *head && head.size == state.tree.size() => HeadRelation::Current,
                Ok(known) if known == *head => HeadRelation::Older,
                Ok(_) | Err(_) => HeadRelation::Forked,
            }
        })
    }

    /// Takes in entries, with their leaf hashes, on the way to a head that they were hashed to, turn by turn; blocks.
    /// Readers see every turn's end, once a first head was reached.
    ///
    /// # Errors
    /// [`FoldFault`]: the entries before it are folded.
    pub(crate) fn fold(&self, entries: &[(Bytes, Hash)], aim: &SignedCheckpoint) -> Result<(), FoldFault> {
        let mut turns = self.inner.state.turns();
        let mut rest = entries;
        while !rest.is_empty() {
            // What is outdated may be large, and is dropped after the turn.
            let (taken, _outdated) = turns.turn(|state| state.take(self.inner.turn, rest, aim));
            rest = rest.split_at_checked(taken?).map_or(&[], |(_, rest)| rest);
        }
        Ok(())
    }

    /// Shows that the log signed the head where it was folded to; may block.
    pub(crate) fn signed(&self, head: &SignedCheckpoint) {
        let is_new = self
            .inner
            .state
            .read(|state| state.aim.is_some() || !state.is_readable);
        // Nearly always it was reached, and then nobody who reads is kept waiting.
        if !is_new {
            return;
        }
        self.inner.state.turns().turn(|state| {
            if state.projector.head() == *head.head() {
                state.reach(head);
                state.openings.apply(state.projector.projection_mut());
                state.is_readable = true;
            }
        });
    }

    /// Runs `look` on the state at a completed position; nothing if no head was reached yet. Everything that it
    /// sees is of that position.
    pub(crate) fn read<T>(&self, cost: Cost, look: impl FnOnce(&Completed<'_>) -> T) -> Option<T> {
        let look = |state: &State| {
            if !state.is_readable {
                return None;
            }
            let head = state.projector.head();
            Some(look(&Completed {
                projector: &state.projector,
                head,
                proven_by: state.aim.as_ref().map(|aim| *aim.head()),
                lag_entries: self.newest().get().saturating_sub(head.size.get()),
                openings: &state.openings,
                derived: &state.derived,
                alarm: self.health().alarm.map(|alarm| alarm.kind),
            }))
        };
        match cost {
            Cost::Limited => self.inner.state.read(look),
            Cost::WholeLog => self.inner.state.read_at_length(look),
        }
    }

    /// The newest signed head that was reached.
    pub(crate) fn reached(&self) -> Option<SignedCheckpoint> {
        self.inner.state.read(|state| state.reached.clone())
    }

    /// How many events the folded entries held.
    pub(crate) fn events(&self) -> u64 {
        self.inner
            .state
            .read(|state| state.projector.projection().applied())
    }

    /// How it is.
    pub(crate) fn health(&self) -> Health {
        self.inner.health.borrow().clone()
    }

    pub(crate) fn set_health(&self, change: impl FnOnce(&mut Health)) {
        self.inner.health.send_if_modified(|health| {
            let before = health.clone();
            change(health);
            *health != before
        });
    }

    /// Raises an alarm; one that stays is not replaced.
    pub(crate) fn raise(&self, alarm: Alarm) {
        self.set_health(|health| {
            if !health.alarm.as_ref().is_some_and(|now| now.kind.is_final()) {
                health.alarm = Some(alarm);
            }
        });
    }

    /// Ends alarms of these kinds.
    pub(crate) fn clear(&self, kinds: &[AlarmKind]) {
        self.set_health(|health| {
            if health
                .alarm
                .as_ref()
                .is_some_and(|alarm| kinds.contains(&alarm.kind))
            {
                health.alarm = None;
            }
        });
    }

    /// Size of the largest head heard that the log signed.
    pub(crate) fn newest(&self) -> TreeSize {
        *self.inner.newest.borrow()
    }

    pub(crate) fn heard(&self, size: TreeSize) {
        self.inner.newest.send_if_modified(|newest| {
            let grows = size > *newest;
            *newest = size.max(*newest);
            grows
        });
    }
}

#[cfg(test)]
mod tests;
