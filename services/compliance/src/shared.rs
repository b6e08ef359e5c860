//! What the follower shows to everybody who asks: one verified head and the projection at it.
//!
//! Readers hold the read lock for the length of one answer, the follower the write lock for the length of
//! one fold, so nobody sees half a batch.

use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use lotproof::{
    id::TreeSize,
    log::{
        checkpoint::SignedCheckpoint,
        hash::leaf_hash,
        proof::{MemoryTree, frontier_at},
        tree::{Frontier, LogHead},
    },
    projector::Projector,
    provenance::Anomaly,
};
use tokio::sync::watch;

use crate::{
    advance::AdvanceError,
    api::Digests,
    health::{Alarm, AlarmKind, Health},
    openings::Openings,
};

/// Shared between the follower and those who answer.
#[derive(Clone)]
pub(crate) struct Shared {
    inner: Arc<Inner>,
}

struct Inner {
    state: RwLock<State>,
    health: watch::Sender<Health>,
    /// Size of the largest head heard that the log signed.
    newest: watch::Sender<TreeSize>,
}

struct State {
    projector: Projector,
    /// Every hash of the log so far, to compare with heads of any size.
    tree: MemoryTree,
    /// The head that queries are answered at; none before the first, and while a long fold is under way.
    shown: Option<SignedCheckpoint>,
    openings: Openings,
    derived: Derived,
}

/// Answers that cost as much as the whole log, computed once at each head that they are asked at.
#[derive(Debug, Default)]
pub(crate) struct Derived {
    pub(crate) anomalies: OnceLock<Vec<Anomaly>>,
    pub(crate) digests: OnceLock<Digests>,
}

/// The state at the head shown.
pub(crate) struct Shown<'a> {
    pub(crate) projector: &'a Projector,
    pub(crate) head: &'a LogHead,
    pub(crate) openings: &'a Openings,
    pub(crate) derived: &'a Derived,
    pub(crate) alarm: Option<AlarmKind>,
}

/// How a head stands to what was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Larger: to be reached.
    Ahead,
    /// The one reached.
    Current,
    /// Smaller, and a beginning of it.
    Older,
    /// Excluded by it.
    Forked,
}

impl Shared {
    pub(crate) fn new(openings: Openings) -> Self {
        let mut state = State {
            projector: Projector::new(),
            tree: MemoryTree::new(),
            shown: None,
            openings,
            derived: Derived::default(),
        };
        let (openings, projector) = (&mut state.openings, &mut state.projector);
        openings.apply(projector.projection_mut());
        Self {
            inner: Arc::new(Inner {
                state: RwLock::new(state),
                health: watch::Sender::new(Health::default()),
                newest: watch::Sender::new(TreeSize::EMPTY),
            }),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.inner.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fold that panicked has shown nothing: see [`Self::fold`].
    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.inner.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// From where the entries continue.
    pub(crate) fn frontier(&self) -> Frontier {
        let state = self.read();
        frontier_at(state.tree.size(), &state.tree).expect("a tree has every subtree below its size")
    }

    pub(crate) fn standing(&self, head: &LogHead) -> Standing {
        let state = self.read();
        if head.size > state.tree.size() {
            return Standing::Ahead;
        }
        match state.tree.head_at(head.size) {
            Ok(known) if known == *head && head.size == state.tree.size() => Standing::Current,
            Ok(known) if known == *head => Standing::Older,
            Ok(_) | Err(_) => Standing::Forked,
        }
    }

    /// Takes in entries whose hashes are the log's, and shows `reached` if they end there; while they end
    /// elsewhere nothing is shown.
    ///
    /// # Errors
    /// [`AdvanceError::Fold`]: nothing is shown from then on. [`AdvanceError::Mismatch`] if the entries do
    /// not end at `reached` after all.
    pub(crate) fn fold(
        &self,
        entries: &[Bytes],
        reached: Option<&SignedCheckpoint>,
    ) -> Result<(), AdvanceError> {
        let mut guard = self.write();
        let state = &mut *guard;
        // First of all, so that neither an error nor a panic below leaves half a batch in sight.
        state.shown = None;
        state.derived = Derived::default();
        for entry in entries {
            let index = state.projector.size();
            let taken = state.projector.take(entry);
            taken.map_err(|error| AdvanceError::Fold { index, error })?;
            state.tree.push(leaf_hash(entry));
        }
        let Some(reached) = reached else {
            drop(guard);
            self.set_health(|health| health.caught_up = false);
            return Ok(());
        };
        if state.projector.head() != *reached.head() {
            return Err(AdvanceError::Mismatch {
                head: *reached.head(),
            });
        }
        state.openings.apply(state.projector.projection_mut());
        state.shown = Some(reached.clone());
        Ok(())
    }

    /// Shows a head that the entries folded so far make, if none is shown.
    pub(crate) fn show(&self, reached: &SignedCheckpoint) {
        // Nearly always one is, and then nobody who reads is kept waiting.
        if self.read().shown.is_some() {
            return;
        }
        let mut state = self.write();
        if state.shown.is_none() && state.projector.head() == *reached.head() {
            let state = &mut *state;
            state.openings.apply(state.projector.projection_mut());
            state.shown = Some(reached.clone());
        }
    }

    /// Runs `look` on the state at the head shown; nothing if none is.
    pub(crate) fn with_shown<T>(&self, look: impl FnOnce(&Shown<'_>) -> T) -> Option<T> {
        let alarm = self.health().alarm.map(|alarm| alarm.kind);
        let state = self.read();
        let shown = Shown {
            projector: &state.projector,
            head: state.shown.as_ref()?.head(),
            openings: &state.openings,
            derived: &state.derived,
            alarm,
        };
        Some(look(&shown))
    }

    /// The head that queries are answered at.
    pub(crate) fn shown(&self) -> Option<SignedCheckpoint> {
        self.read().shown.clone()
    }

    /// How many events the folded entries held.
    pub(crate) fn events(&self) -> u64 {
        self.read().projector.projection().applied()
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
