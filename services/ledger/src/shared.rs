//! What the writer shows to everybody who reads: the published checkpoint, the state, the store's read side.

use std::sync::{Arc, RwLock};

use lotproof::{
    admission::{
        FeedRow, LedgerState,
        kept::{Kept, KeptError, recent},
    },
    id::{FeedId, FeedSequence, Hash, TreeSize},
    log::checkpoint::SignedCheckpoint,
    port::StoreError,
    register::Register,
    sequencer::Sequencer,
    shell::store::Reader,
};
use tokio::sync::watch;

/// How the ledger is, for `/readyz` and for the end of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Opening and replaying.
    Starting,
    /// For the bus, at this address; takes statements once it is there.
    WaitingForBus(String),
    /// Takes statements.
    Ready,
    /// Stopped taking statements, and why; needs its operator.
    Halted(String),
}

/// What may be shown: a checkpoint, and the register at exactly its size.
///
/// The state goes on with the next commit before that one is promised. Whoever answers takes one of these and
/// answers from it alone: feed rows below its size never change, and all else is in it.
#[derive(Clone, Debug)]
pub struct Published {
    /// The newest promised checkpoint.
    pub checkpoint: SignedCheckpoint,
    /// What the governance entries below its size add up to.
    pub register: Arc<Register>,
}

impl Published {
    /// Size of the log shown.
    pub fn size(&self) -> TreeSize {
        self.checkpoint.head().size
    }
}

/// Shared between the writer and the read side.
#[derive(Clone)]
pub struct Shared {
    inner: Arc<Inner>,
}

struct Inner {
    sequencer: RwLock<Sequencer>,
    published: watch::Sender<Option<Published>>,
    health: watch::Sender<Health>,
    reader: Reader,
    kept: Kept<Reader>,
}

impl Shared {
    pub(crate) fn new(sequencer: Sequencer, reader: Reader) -> Self {
        let inner = Inner {
            kept: Kept::new(reader.clone(), sequencer.state().log_id()),
            sequencer: RwLock::new(sequencer),
            published: watch::Sender::new(None),
            health: watch::Sender::new(Health::Starting),
            reader,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Runs `look` on the state, which may be ahead of what is published.
    ///
    /// # Panics
    /// If the writer panicked; the process is going down then.
    pub fn with_state<T>(&self, look: impl FnOnce(&LedgerState) -> T) -> T {
        self.look(|sequencer| look(sequencer.state()))
    }

    /// Runs `look` on the sequencer.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Sequencer) -> T) -> T {
        look(&self.inner.sequencer.read().expect("the writer did not panic"))
    }

    pub(crate) fn with_sequencer<T>(&self, change: impl FnOnce(&mut Sequencer) -> T) -> T {
        change(&mut self.inner.sequencer.write().expect("the writer did not panic"))
    }

    /// What may be shown.
    pub fn published(&self) -> Option<Published> {
        self.inner.published.borrow().clone()
    }

    /// Size of the published log; readers see nothing beyond.
    pub fn published_size(&self) -> TreeSize {
        self.inner
            .published
            .borrow()
            .as_ref()
            .map_or(TreeSize::EMPTY, Published::size)
    }

    /// Tells when something new is published.
    pub fn watch_published(&self) -> watch::Receiver<Option<Published>> {
        self.inner.published.subscribe()
    }

    /// Shows a checkpoint of the state as it is.
    ///
    /// # Panics
    /// If the state is of another size.
    pub(crate) fn publish(&self, checkpoint: SignedCheckpoint) {
        let register = self.with_state(|state| {
            assert_eq!(
                state.size(),
                checkpoint.head().size,
                "what is promised is what is shown"
            );
            state.register_now()
        });
        self.inner
            .published
            .send_replace(Some(Published { checkpoint, register }));
    }

    /// How the ledger is.
    pub fn health(&self) -> Health {
        self.inner.health.borrow().clone()
    }

    /// Tells when that changes.
    pub fn watch_health(&self) -> watch::Receiver<Health> {
        self.inner.health.subscribe()
    }

    pub(crate) fn set_health(&self, health: Health) {
        // The first reason to halt is the one to tell; later ones follow from it.
        self.inner.health.send_if_modified(|now| {
            let changes = !matches!(now, Health::Halted(_));
            if changes {
                *now = health;
            }
            changes
        });
    }

    /// The store's read side.
    pub fn reader(&self) -> &Reader {
        &self.inner.reader
    }

    /// Rows of a feed for those of `sequences` that the ledger has, ascending; some may be ahead of what is
    /// published.
    ///
    /// # Errors
    /// If rows that are not in memory are lost: the ledger has to be started anew.
    pub fn rows(
        &self,
        feed: FeedId,
        sequences: impl IntoIterator<Item = FeedSequence>,
    ) -> Result<Vec<(FeedSequence, FeedRow)>, KeptError> {
        let (mut rows, mut older) = (Vec::new(), Vec::new());
        self.with_state(|state| {
            let Some(known) = state.feed(feed) else { return };
            for sequence in sequences {
                if known.is_gone(sequence) {
                    older.push((feed, sequence));
                } else if let Some(row) = known.row(sequence) {
                    rows.push((sequence, *row));
                }
            }
        });
        // What was let go is kept for good, so nothing is lost between the two.
        let found = self.inner.kept.rows(older.iter().copied())?;
        let older = older.into_iter();
        rows.extend(older.filter_map(|(_, sequence)| Some((sequence, *found.get(feed, sequence)?))));
        rows.sort_by_key(|(sequence, _)| *sequence);
        Ok(rows)
    }

    /// The last statement of a feed in a log of `size`, which was published last: its sequence and hash.
    ///
    /// Nothing if that cannot be told from memory, which does not happen while rows are let go of only when all
    /// that is decided is published.
    pub fn head_at(&self, feed: FeedId, size: TreeSize) -> Option<(FeedSequence, Hash)> {
        self.with_state(|state| {
            let Some(known) = state.feed(feed) else {
                return Some((FeedSequence::NONE, Hash::ZERO));
            };
            let mut last = known.last();
            // Few are ahead of what is published: one commit's.
            while let Some(row) = known.row(last) {
                if size.contains(row.index) {
                    return Some((last, row.hash));
                }
                last = FeedSequence::new(last.get() - 1);
            }
            (last == FeedSequence::NONE).then_some((FeedSequence::NONE, Hash::ZERO))
        })
    }

    /// Keeps full chunks of rows and lets go of those that are not recent. Only when all is published.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) fn let_go_of_rows(&self) -> Result<(), StoreError> {
        let chunks = self.with_state(LedgerState::full_chunks);
        // Readers are not kept waiting for the store.
        self.inner.kept.keep_rows(&chunks)?;
        self.with_sequencer(|sequencer| {
            let before = recent(sequencer.state().size());
            sequencer.let_go(chunks.len(), before);
        });
        Ok(())
    }
}
