//! Opens the store and folds it: what the entries add up to, from the newest snapshot on that the log bears out.

use anyhow::{Context as _, Result, bail, ensure};
use lotproof::{
    admission::{
        LedgerState,
        kept::{Folding, Kept},
    },
    id::{LeafIndex, TreeSize},
    log::{hash::leaf_hash, tree::Frontier},
    port::EntryStore as _,
    sequencer::Sequencer,
    shell::store::{Options, Reader, Store},
};

use crate::{
    folder::{Folder, Identity},
    opening::Opening,
    outbound::Stopped,
};

/// A ledger's store with what it adds up to.
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) sequencer: Sequencer,
    /// Where snapshots go.
    pub(crate) kept: Kept<Reader>,
    /// Size of the snapshot that was started from; zero without one.
    pub(crate) started_from: TreeSize,
}

/// Opens the store and folds its entries: those after the newest snapshot that the log bears out, or all. The
/// signatures in them were verified before they were written.
///
/// # Errors
/// [`Stopped`] if told to stop meanwhile; the store is closed again then.
pub(crate) fn open(folder: &Folder, identity: &Identity, opening: &Opening) -> Result<Opened> {
    let store = Store::open(&folder.store(), &Options::default()).context("opening the store")?;
    match fold_store(&store, identity, opening) {
        Ok((sequencer, kept, started_from)) => Ok(Opened {
            store,
            sequencer,
            kept,
            started_from,
        }),
        Err(error) if error.is::<Stopped>() => {
            store.close().context("closing the store")?;
            Err(error)
        }
        Err(error) => Err(error),
    }
}

/// Folds the entries of an open store.
fn fold_store(
    store: &Store,
    identity: &Identity,
    opening: &Opening,
) -> Result<(Sequencer, Kept<Reader>, TreeSize)> {
    opening.go_on()?;
    opening.found(store.size().get());
    if let Some(why) = store.rebuilt() {
        tracing::warn!(why, "the index was rebuilt from the value log");
    }
    let reader = store.reader();
    let first = reader.read(LeafIndex::GENESIS, 1)?;
    let first = first
        .first()
        .context("the store holds no entry: `lotproof ledger rebuild` makes it anew from a mirror")?;
    let genesis = LedgerState::from_genesis(first).context("entry 0")?;
    ensure!(
        genesis.log_id() == identity.log_id,
        "the store holds log {}, ledger.json says {}",
        genesis.log_id(),
        identity.log_id
    );
    let mut kept = Kept::new(reader.clone(), genesis.log_id());
    let mut started_from = TreeSize::EMPTY;
    let mut folded = None;
    let snapshot = kept.newest_snapshot(&genesis, |size| reader.root(size))?;
    if let Some((state, frontier)) = snapshot {
        let size = state.size();
        match fold(&reader, &kept, state, frontier, opening) {
            Ok(sound) => (folded, started_from) = (Some(sound), size),
            Err(error) if error.is::<Stopped>() => return Err(error),
            Err(error) => {
                let why = format!("{error:#}");
                tracing::warn!(%size, why, "the snapshot is not used: folding the whole log");
                kept.forget_snapshots()?;
            }
        }
    }
    let (state, frontier) = if let Some(folded) = folded {
        folded
    } else {
        let mut frontier = Frontier::new();
        frontier.push(leaf_hash(first));
        fold(&reader, &kept, genesis, frontier, opening)?
    };
    keep_snapshot(&mut kept, &state, &frontier)?;
    Ok((Sequencer::new(state, frontier), kept, started_from))
}

/// Folds what comes after a state, and compares the root with the index's.
fn fold(
    reader: &Reader,
    kept: &Kept<Reader>,
    state: LedgerState,
    frontier: Frontier,
    opening: &Opening,
) -> Result<(LedgerState, Frontier)> {
    let from = state.size().next_index();
    let mut folding = Folding::new(kept, state, frontier);
    reader.replay(from, |first, entries| {
        opening.go_on()?;
        opening.folded(first.get());
        entries.iter().try_for_each(|entry| folding.take(entry))?;
        Ok::<_, anyhow::Error>(())
    })?;
    let (state, frontier) = folding.finish()?;
    let head = frontier.head();
    if reader.root(head.size)? != Some(head.root) {
        reader.distrust_index("its root is not that of the entries");
        bail!("the index has another root than the entries: start again");
    }
    Ok((state, frontier))
}

/// Keeps a snapshot if one is due.
fn keep_snapshot(kept: &mut Kept<Reader>, state: &LedgerState, frontier: &Frontier) -> Result<()> {
    if kept.snapshot_is_due(state.size()) {
        let (head, content) = Kept::<Reader>::snapshot(state, frontier);
        kept.keep_snapshot(head, &content)?;
    }
    Ok(())
}
