//! sled, with every error and every panic turned into [`StoreError::Index`]: after the first of them the
//! index is done for, and the state file says so.

use std::{
    collections::BTreeMap,
    fs::File,
    ops::RangeInclusive,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{OnceLock, PoisonError, RwLock},
    thread,
    time::Duration,
};

use bytes::Bytes;

use super::{
    files,
    keys::{
        frame::{self, FrameRow},
        head::{self, Head},
        tile::{self, TileKey},
    },
};
use crate::{
    id::{Hash, LeafIndex},
    port::StoreError,
};

/// Milliseconds between sled's own flushes: how much a killed process has to fold again.
const FLUSH_EVERY_MS: u64 = 500;

/// The rows as sled has them.
pub(super) struct Rows {
    db: RwLock<Option<sled::Db>>,
    folder: PathBuf,
    failure: OnceLock<String>,
    on_failure: Box<dyn Fn() + Send + Sync>,
}

impl Rows {
    /// Opens sled in `folder`; `on_failure` is called once, when something in it first did not hold.
    pub(super) fn open(
        folder: &Path,
        cache_len: u64,
        on_failure: Box<dyn Fn() + Send + Sync>,
    ) -> Result<Self, StoreError> {
        let config = sled::Config::new()
            .path(folder)
            .cache_capacity(cache_len)
            .flush_every_ms(Some(FLUSH_EVERY_MS));
        let db = guarded(|| config.open()).map_err(StoreError::Index)?;
        Ok(Self {
            db: RwLock::new(Some(db)),
            folder: folder.to_owned(),
            failure: OnceLock::new(),
            on_failure,
        })
    }

    /// Asks sled something, unless it has failed or is closed.
    pub(super) fn with<T>(&self, act: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T, StoreError> {
        if let Some(failure) = self.failure.get() {
            return Err(StoreError::Index(failure.clone()));
        }
        let answer = {
            let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
            let Some(db) = db.as_ref() else {
                return Err(StoreError::Index("it is closed".to_owned()));
            };
            guarded(|| act(db))
        };
        answer.map_err(|why| self.fail(why))
    }

    /// Remembers that the index cannot be trusted.
    pub(super) fn fail(&self, why: String) -> StoreError {
        let open = self.db.read().is_ok_and(|db| db.is_some());
        if open && self.failure.set(why.clone()).is_ok() {
            tracing::error!(index = %self.folder.display(), why, "the index failed and will be rebuilt at the next start");
            (self.on_failure)();
        }
        StoreError::Index(why)
    }

    /// Whether the index has failed, and why.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self
            .with(|db| db.get(key))?
            .map(|value| Bytes::copy_from_slice(&value)))
    }

    pub(super) fn apply(&self, batch: sled::Batch) -> Result<(), StoreError> {
        self.with(|db| db.apply_batch(batch))
    }

    fn last_in(&self, range: RangeInclusive<Vec<u8>>) -> Result<Option<(Bytes, Bytes)>, StoreError> {
        let found = self.with(|db| db.range(range).next_back().transpose())?;
        Ok(found.map(|(key, value)| (Bytes::copy_from_slice(&key), Bytes::copy_from_slice(&value))))
    }

    pub(super) fn scan(&self, prefix: &[u8]) -> Result<BTreeMap<Vec<u8>, Bytes>, StoreError> {
        self.with(|db| {
            let rows = db.scan_prefix(prefix);
            rows.map(|row| row.map(|(key, value)| (key.to_vec(), Bytes::copy_from_slice(&value))))
                .collect()
        })
    }

    /// The head row.
    pub(super) fn head(&self) -> Result<Option<Head>, StoreError> {
        let Some(bytes) = self.get(&head::KEY)? else {
            return Ok(None);
        };
        match Head::decode(&bytes) {
            Some(head) => Ok(Some(head)),
            None => Err(self.fail("the head row does not decode".to_owned())),
        }
    }

    /// The last frame that begins at or before `index`.
    pub(super) fn frame_at(&self, index: LeafIndex) -> Result<Option<FrameRow>, StoreError> {
        let Some((key, value)) = self.last_in(frame::up_to(index))? else {
            return Ok(None);
        };
        match FrameRow::decode(&key, &value) {
            Some(row) => Ok(Some(row)),
            None => Err(self.fail(format!("the frame row before entry {index} does not decode"))),
        }
    }

    /// Half a tile.
    pub(super) fn half(&self, key: TileKey) -> Result<Option<Vec<Hash>>, StoreError> {
        let Some(bytes) = self.get(&key.encode())? else {
            return Ok(None);
        };
        match tile::decode(&bytes) {
            Some(hashes) => Ok(Some(hashes)),
            None => Err(self.fail(format!("half tile {key:?} does not decode"))),
        }
    }

    /// Closes sled and makes its files durable.
    pub(super) fn close(&self) -> Result<(), StoreError> {
        let db = self.db.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(db) = db else { return Ok(()) };
        if let Some(failure) = self.failure.get() {
            drop_guarded(db);
            return Err(StoreError::Index(failure.clone()));
        }
        guarded(move || db.flush().map(|_| drop(db))).map_err(|why| self.fail(why))?;
        self.wait_until_released()?;
        files::sync_tree(&self.folder)
    }

    /// sled's threads may outlive its handle; the lock on its file goes with the last of them.
    fn wait_until_released(&self) -> Result<(), StoreError> {
        let path = self.folder.join("db");
        let file = File::open(&path).map_err(files::failed("open", &path))?;
        for _ in 0..1000 {
            if file.try_lock().is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(self.fail("sled did not let go of its file".to_owned()))
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        let db = self.db.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(db) = db {
            drop_guarded(db);
        }
    }
}

/// Drops sled, which may panic as anything else of it may; it has failed already, or nobody asks.
fn drop_guarded(db: sled::Db) {
    let dropped = guarded(move || {
        drop(db);
        Ok(())
    });
    if let Err(why) = dropped {
        tracing::warn!(why, "sled could not be dropped");
    }
}

/// Runs something of sled's; an error or a panic comes back as text.
fn guarded<T>(act: impl FnOnce() -> sled::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            Err(format!("sled panicked: {text}"))
        }
    }
}
