//! What is taken up from a snapshot is what folding the whole log gives, wherever a crash or damage left what
//! is kept.

use std::{
    collections::BTreeMap,
    sync::{Mutex, OnceLock},
};

use super::*;
use crate::{
    admission::{NoPlace, Prepared},
    audit::tests::world::{ALICE, World, commission, event, key},
    entry::{Body, Entry},
    publish::FeedSigner,
    time::{IssuedAt, RecordedAt},
};

type Chunks = BTreeMap<Vec<u8>, Bytes>;

/// A store of chunks in memory, with everything that was ever done to it.
#[derive(Debug, Default)]
struct Memory {
    chunks: Mutex<Chunks>,
    done: Mutex<Vec<(Vec<u8>, Option<Bytes>)>>,
}

impl Memory {
    fn with(chunks: Chunks) -> Self {
        Self {
            chunks: Mutex::new(chunks),
            done: Mutex::default(),
        }
    }

    fn change(&self, namespace: &str, key: &[u8], value: Option<Bytes>) {
        let key = [namespace.as_bytes(), b"/", key].concat();
        self.done.lock().unwrap().push((key.clone(), value.clone()));
        let mut chunks = self.chunks.lock().unwrap();
        match value {
            Some(value) => chunks.insert(key, value),
            None => chunks.remove(&key),
        };
    }
}

impl ChunkStore for &Memory {
    fn put_chunk(&self, namespace: &str, key: &[u8], bytes: Bytes) -> Result<(), StoreError> {
        assert!(bytes.len() <= 4_096);
        self.change(namespace, key, Some(bytes));
        Ok(())
    }

    fn chunk(&self, namespace: &str, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let key = [namespace.as_bytes(), b"/", key].concat();
        Ok(self.chunks.lock().unwrap().get(&key).cloned())
    }

    fn delete_chunk(&self, namespace: &str, key: &[u8]) -> Result<(), StoreError> {
        self.change(namespace, key, None);
        Ok(())
    }
}

/// A log with something of everything, a feed of several chunks, and evidence against its first statement at
/// the end.
struct Log {
    entries: Vec<Bytes>,
    /// Roots by size.
    roots: Vec<Hash>,
    genesis: LedgerState,
}

fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let mut world = World::eventful();
        for number in 0..150 {
            world.tell(ALICE, 1, &[event(&format!("many-{number}"), commission(number))]);
        }
        let first = world.state.feed(key(1).feed()).unwrap();
        let first_index = first.row(FeedSequence::FIRST).unwrap().index;
        let second = other_statement(&world.state, FeedSequence::NONE, Hash::ZERO);
        world.record_entry(&Entry {
            recorded_at: world.state.recorded_at(),
            body: Body::Evidence {
                first_index,
                envelope: second,
            },
        });
        world.grow_to(world.entries.len() as u64 + 20);
        let mut frontier = Frontier::new();
        let mut roots = vec![frontier.root()];
        for entry in &world.entries {
            frontier.push(leaf_hash(entry));
            roots.push(frontier.root());
        }
        Log {
            genesis: LedgerState::from_genesis(&world.entries[0]).unwrap(),
            entries: world.entries,
            roots,
        }
    })
}

/// A statement of Alice's that is in no log.
fn other_statement(state: &LedgerState, after: FeedSequence, hash: Hash) -> Bytes {
    let mut signer = FeedSigner::new(key(1), state.log_id(), ALICE.into(), after, hash);
    let events = crate::audit::tests::world::encode(&[event("other", commission(9))]);
    signer.sign(IssuedAt::from_nanos(1), &events).envelope
}

impl Log {
    fn size(&self) -> TreeSize {
        TreeSize::new(self.entries.len() as u64)
    }

    fn root_at(&self, size: TreeSize) -> Option<Hash> {
        self.roots.get(usize::try_from(size.get()).unwrap()).copied()
    }

    /// Folds entry by entry, lets go of all that it can at every step, and keeps snapshots where told.
    fn keep(&self, store: &Memory, snapshots: &[usize]) {
        self.keep_at(store, |size| snapshots.contains(&size), |_, _| {});
    }

    /// As [`keep`](Self::keep); `seen` is shown the store after each snapshot.
    fn keep_at(&self, store: &Memory, at: impl Fn(usize) -> bool, mut seen: impl FnMut(usize, &Memory)) {
        let mut kept = Kept::new(store, self.genesis.log_id());
        let mut state = self.genesis.clone();
        let mut frontier = Frontier::new();
        frontier.push(leaf_hash(&self.entries[0]));
        for (size, entry) in (2..).zip(&self.entries[1..]) {
            let older = kept.rows(state.older_row_for_entry(entry)).unwrap();
            state.take_entry_with(entry, &older).unwrap();
            frontier.push(leaf_hash(entry));
            let chunks = state.full_chunks();
            kept.keep_rows(&chunks).unwrap();
            state.let_go(chunks.len(), state.size().next_index());
            if at(size) {
                let (head, content) = Kept::<&Memory>::snapshot(&state, &frontier);
                assert_eq!(head.root, self.roots[size]);
                kept.keep_snapshot(head, &content).unwrap();
                seen(size, store);
            }
        }
    }

    /// Starts from what is kept, or from entry 0 if it does not lead to the end, as the ledger does.
    fn open(&self, kept: &mut Kept<&Memory>) -> (TreeSize, LedgerState, Frontier) {
        let snapshot = kept
            .newest_snapshot(&self.genesis, |size| Ok::<_, StoreError>(self.root_at(size)))
            .unwrap();
        if let Some((state, frontier)) = snapshot {
            let from = state.size();
            if let Ok((state, frontier)) = self.fold(kept, state, frontier) {
                return (from, state, frontier);
            }
            kept.forget_snapshots().unwrap();
        }
        let mut frontier = Frontier::new();
        frontier.push(leaf_hash(&self.entries[0]));
        let (state, frontier) = self.fold(kept, self.genesis.clone(), frontier).unwrap();
        (TreeSize::EMPTY, state, frontier)
    }

    fn fold(
        &self,
        kept: &Kept<&Memory>,
        state: LedgerState,
        frontier: Frontier,
    ) -> Result<(LedgerState, Frontier), KeptError> {
        let from = usize::try_from(state.size().get()).unwrap();
        let mut folding = Folding::new(kept, state, frontier);
        for entry in &self.entries[from..] {
            folding.take(entry)?;
        }
        folding.finish()
    }
}

/// What a state decides about every statement of the log once more, and about another in its place.
fn decisions(state: &LedgerState, kept: &Kept<&Memory>) -> Vec<NoPlace> {
    let at = RecordedAt::from_nanos(state.recorded_at().as_nanos() + 1);
    let mut decided = Vec::new();
    let (mut last, mut hash) = (FeedSequence::NONE, Hash::ZERO);
    for entry in &log().entries {
        let Body::Statement { envelope, .. } = Entry::decode(entry).unwrap().body else {
            continue;
        };
        let mut asked = vec![Prepared::from_bytes(envelope).unwrap()];
        let header = asked[0].header().clone();
        if header.feed == key(1).feed() {
            asked.push(Prepared::from_bytes(other_statement(state, last, hash)).unwrap());
            (last, hash) = (header.sequence, asked[0].statement().hash());
        }
        for prepared in asked {
            let older = kept.rows(state.older_row_for(prepared.header())).unwrap();
            decided.push(state.decide_with(prepared, at, &older).unwrap_err());
        }
    }
    assert!(
        decided
            .iter()
            .any(|why| matches!(why, NoPlace::Equivocation { is_news: false, .. }))
    );
    decided
}

#[test]
fn a_snapshot_at_any_size_and_the_entries_after_it_give_what_all_entries_give() {
    let log = log();
    let nothing = Memory::default();
    let mut kept = Kept::new(&nothing, log.genesis.log_id());
    let (from, state, frontier) = log.open(&mut kept);
    assert_eq!((from, state.size()), (TreeSize::EMPTY, log.size()));
    let (expected, whole) = (decisions(&state, &kept), state.encode(&frontier));
    let feed = state.feed(key(1).feed()).unwrap();
    assert!(feed.last().get() > 3 * crate::admission::CHUNK_ROWS as u64 / 2);
    let mut stores = Vec::new();
    let store = Memory::default();
    log.keep_at(
        &store,
        |_| true,
        |size, store| stores.push((size, store.chunks.lock().unwrap().clone())),
    );
    assert_eq!(stores.len(), log.entries.len() - 1);
    for (size, chunks) in stores {
        let store = Memory::with(chunks);
        let mut kept = Kept::new(&store, log.genesis.log_id());
        let (from, state, frontier) = log.open(&mut kept);
        assert_eq!(from, TreeSize::new(size as u64), "the snapshot is used");
        assert!(state.encode(&frontier) == whole, "from a snapshot at {size}");
        if size % 32 == 0 || size == log.entries.len() {
            assert_eq!(decisions(&state, &kept), expected, "from a snapshot at {size}");
        }
    }
}

/// Whatever prefix of what was put reached the disk, in whatever state two snapshots were.
#[test]
fn a_crash_between_any_two_chunks_leaves_a_sound_snapshot_or_none() {
    let log = log();
    let (first, second, third) = (40, 120, 150);
    let store = Memory::default();
    log.keep(&store, &[first, second, third]);
    let whole = {
        let (_, state, frontier) = log.open(&mut Kept::new(&store, log.genesis.log_id()));
        state.encode(&frontier)
    };
    let mut chunks = Chunks::new();
    let mut begun_at = Vec::new();
    for (name, value) in store.done.lock().unwrap().iter() {
        match value {
            Some(value) => chunks.insert(name.clone(), value.clone()),
            None => chunks.remove(name),
        };
        let cut = Memory::with(chunks.clone());
        let (from, state, frontier) = log.open(&mut Kept::new(&cut, log.genesis.log_id()));
        assert!(state.encode(&frontier) == whole);
        begun_at.push(usize::try_from(from.get()).unwrap());
    }
    begun_at.dedup();
    assert_eq!(
        begun_at,
        [0, first, second, third],
        "each snapshot counts from its last chunk on, and until the next one does"
    );
}

#[test]
fn a_snapshot_ahead_of_the_log_or_of_another_log_is_not_used() {
    let log = log();
    let store = Memory::default();
    log.keep(&store, &[100, 160]);
    let opened = |log_id, sizes: usize, root: Option<Hash>| {
        let mut kept = Kept::new(&store, log_id);
        let found = kept.newest_snapshot(&log.genesis, |size| {
            let known = usize::try_from(size.get()).unwrap() <= sizes;
            let known = known.then(|| log.root_at(size)).flatten();
            Ok::<_, StoreError>(known.and(root.or(known)))
        });
        found.unwrap().map(|(state, _)| state.size().get())
    };
    let log_id = log.genesis.log_id();
    assert_eq!(opened(log_id, 200, None), Some(160));
    assert_eq!(opened(log_id, 159, None), Some(100), "the log lost its tail");
    assert_eq!(opened(log_id, 99, None), None);
    assert_eq!(
        opened(log_id, 200, Some(Hash::ZERO)),
        None,
        "the log went another way"
    );
    assert_eq!(opened(LogId::new(Hash::ZERO), 200, None), None, "another log's");
}

/// Any chunk gone, cut short or with a bit of any byte flipped.
#[test]
fn damage_is_found_and_the_log_folded_instead() {
    let log = log();
    let store = Memory::default();
    log.keep(&store, &[160]);
    let chunks = store.chunks.lock().unwrap().clone();
    let whole = {
        let (_, state, frontier) = log.open(&mut Kept::new(&store, log.genesis.log_id()));
        state.encode(&frontier)
    };
    for (name, value) in &chunks {
        let mut damaged = vec![None, Some(value.slice(1..)), Some(value.slice(..value.len() - 1))];
        for at in (0..value.len()).step_by(1 + value.len() / 10) {
            let mut bytes = value.to_vec();
            bytes[at] ^= 1 << (at % 8);
            damaged.push(Some(bytes.into()));
        }
        for damaged in damaged {
            let mut chunks = chunks.clone();
            match damaged {
                Some(damaged) => chunks.insert(name.clone(), damaged),
                None => chunks.remove(name),
            };
            let store = Memory::with(chunks);
            let (from, state, frontier) = log.open(&mut Kept::new(&store, log.genesis.log_id()));
            assert!(state.encode(&frontier) == whole);
            let is_row = name.starts_with(b"rows/");
            assert!(
                is_row || from == TreeSize::EMPTY,
                "a damaged snapshot is not used"
            );
        }
    }
}
