//! Storage in memory that fails on command: what the ledger's fault tests run on.
//!
//! Each operation can fail in the two ways that matter. *Not done*: nothing happened. *Done but reported
//! failed*: it happened, and the caller is told that it did not, or that nobody knows. A commit can also be
//! done in part. A [`MemoryStore`] is a handle on entries that outlive it, as files outlive a process:
//! [`reopen`](MemoryStore::reopen) is what a restart does.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use crate::{
    id::{Hash, LeafIndex, TreeSize},
    port::{ENTRY_LEN_MAX, EntryStore, Guard, GuardError, GuardRevision, GuardValue, StoreError},
};

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing happened.
    NotDone,
    /// Everything happened, and failure is reported.
    DoneButFailed,
    /// Of an append, this many entries became durable; any other operation is not done.
    Partly(usize),
}

/// What the coming operations do, in order; when the script is over, they succeed. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<VecDeque<Option<Fault>>>>);

impl Faults {
    /// A script in which nothing fails.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds `successes` operations that succeed and then one that fails.
    pub fn fail_after(&self, successes: usize, fault: Fault) {
        let mut script = locked(&self.0);
        script.extend(std::iter::repeat_n(None, successes));
        script.push_back(Some(fault));
    }

    fn next(&self) -> Option<Fault> {
        locked(&self.0).pop_front().flatten()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An [`EntryStore`] in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    entries: Arc<Mutex<Vec<Bytes>>>,
    faults: Faults,
    broken: bool,
}

impl MemoryStore {
    /// An empty store whose operations do what `faults` says.
    pub fn new(faults: Faults) -> Self {
        Self {
            faults,
            ..Self::default()
        }
    }

    /// Another handle on the same entries, as after a restart: usable even if this one is not any more.
    #[must_use]
    pub fn reopen(&self) -> Self {
        Self {
            entries: Arc::clone(&self.entries),
            faults: self.faults.clone(),
            broken: false,
        }
    }

    fn failed(doing: &str) -> StoreError {
        StoreError::Io {
            doing: doing.to_owned(),
            source: std::io::Error::other("a fault of the test"),
        }
    }
}

impl EntryStore for MemoryStore {
    fn size(&self) -> TreeSize {
        TreeSize::new(u64::try_from(locked(&self.entries).len()).unwrap_or(u64::MAX))
    }

    fn append(&mut self, entries: &[(Bytes, Hash)]) -> Result<(), StoreError> {
        if self.broken {
            return Err(Self::failed("append after an append failed"));
        }
        if entries.iter().any(|(entry, _)| entry.len() > ENTRY_LEN_MAX) {
            self.broken = true;
            return Err(Self::failed("append an entry that is too long"));
        }
        let fault = self.faults.next();
        let durable = match fault {
            None | Some(Fault::DoneButFailed) => entries.len(),
            Some(Fault::NotDone) => 0,
            Some(Fault::Partly(count)) => count.min(entries.len()),
        };
        locked(&self.entries).extend(entries.iter().take(durable).map(|(entry, _)| entry.clone()));
        self.broken = fault.is_some();
        if self.broken {
            Err(Self::failed("append"))
        } else {
            Ok(())
        }
    }

    fn read(&self, start: LeafIndex, count: usize) -> Result<Vec<Bytes>, StoreError> {
        if self.faults.next().is_some() {
            return Err(Self::failed("read"));
        }
        let skip = usize::try_from(start.get()).unwrap_or(usize::MAX);
        Ok(locked(&self.entries)
            .iter()
            .skip(skip)
            .take(count)
            .cloned()
            .collect())
    }
}

/// A [`Guard`] in memory; clones are other clients of the same value.
#[derive(Clone, Debug, Default)]
pub struct MemoryGuard {
    slot: Arc<Mutex<Slot>>,
    faults: Faults,
}

#[derive(Debug, Default)]
struct Slot {
    value: Option<GuardValue>,
    revision: u64,
}

impl MemoryGuard {
    /// A guard without a value, whose operations do what `faults` says.
    pub fn new(faults: Faults) -> Self {
        Self {
            slot: Arc::default(),
            faults,
        }
    }

    /// Loses the value, as when somebody deletes the bus's storage.
    pub fn wipe(&self) {
        locked(&self.slot).value = None;
    }
}

impl Guard for MemoryGuard {
    fn load(&mut self) -> Result<Option<(GuardValue, GuardRevision)>, GuardError> {
        if self.faults.next().is_some() {
            return Err(GuardError::Unknown("a fault of the test".to_owned()));
        }
        let slot = locked(&self.slot);
        Ok(slot
            .value
            .clone()
            .map(|value| (value, GuardRevision(slot.revision))))
    }

    fn swap(
        &mut self,
        expected: Option<GuardRevision>,
        value: &GuardValue,
    ) -> Result<GuardRevision, GuardError> {
        let fault = self.faults.next();
        if matches!(fault, Some(Fault::NotDone | Fault::Partly(_))) {
            return Err(GuardError::Unknown("a fault of the test".to_owned()));
        }
        let mut slot = locked(&self.slot);
        let present = slot.value.as_ref().map(|_| GuardRevision(slot.revision));
        if present != expected {
            return Err(GuardError::Conflict);
        }
        slot.value = Some(value.clone());
        slot.revision += 1;
        if fault.is_some() {
            return Err(GuardError::Unknown("a fault of the test".to_owned()));
        }
        Ok(GuardRevision(slot.revision))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::LogId, shell::conformance};

    fn entries(count: u8) -> Vec<(Bytes, Hash)> {
        (0..count)
            .map(|n| (Bytes::from(vec![n]), Hash::of(&[&[0], &[n]])))
            .collect()
    }

    fn value(size: u64) -> GuardValue {
        GuardValue {
            log_id: LogId::new(Hash::ZERO),
            size: TreeSize::new(size),
            root: Hash::ZERO,
            run_id: "0".repeat(32),
        }
    }

    #[test]
    fn store_keeps_its_contract() {
        let first = MemoryStore::new(Faults::none());
        conformance::entry_store(|| first.reopen());
    }

    #[test]
    fn guard_keeps_its_contract() {
        let guard = MemoryGuard::new(Faults::none());
        conformance::guard(|| guard.clone());
    }

    #[test]
    fn failed_append_leaves_nothing_everything_or_a_part_and_a_store_that_is_done_for() {
        for (fault, durable) in [
            (Fault::NotDone, 0),
            (Fault::DoneButFailed, 3),
            (Fault::Partly(2), 2),
        ] {
            let faults = Faults::none();
            faults.fail_after(1, fault);
            let mut store = MemoryStore::new(faults);
            store.append(&entries(1)).unwrap();
            assert!(store.append(&entries(3)).is_err());
            assert!(store.append(&entries(3)).is_err());
            let mut reopened = store.reopen();
            assert_eq!(reopened.size(), TreeSize::new(1 + durable), "{fault:?}");
            reopened.append(&entries(3)).unwrap();
        }
    }

    #[test]
    fn failed_swap_is_unknown_whether_done_or_not() {
        for (fault, done) in [(Fault::NotDone, false), (Fault::DoneButFailed, true)] {
            let faults = Faults::none();
            faults.fail_after(0, fault);
            let mut guard = MemoryGuard::new(faults);
            assert!(matches!(guard.swap(None, &value(1)), Err(GuardError::Unknown(_))));
            assert_eq!(guard.load().unwrap().is_some(), done);
        }
    }

    #[test]
    fn wiped_guard_is_as_if_there_never_was_one() {
        let mut guard = MemoryGuard::new(Faults::none());
        let before = guard.swap(None, &value(1)).unwrap();
        guard.wipe();
        assert!(guard.load().unwrap().is_none());
        assert!(matches!(
            guard.swap(Some(before), &value(2)),
            Err(GuardError::Conflict)
        ));
        assert_ne!(guard.swap(None, &value(2)).unwrap(), before);
    }
}
