//! Small numbers found by keys that lie elsewhere: names in one text, event ids in the events themselves.
//!
//! A map would keep every key a second time. This keeps beside each number only the hash of its key, which
//! spares looking at keys that are not meant, and at any key when the table grows. Keys come from outside, so
//! they are hashed under a secret of this process.

use std::hash::{BuildHasher as _, Hash, RandomState};

use hashbrown::HashTable;

/// A set of numbers by the hash of what they stand for.
#[derive(Debug, Default)]
pub(super) struct Index {
    hasher: RandomState,
    table: HashTable<(u64, u32)>,
}

impl Index {
    /// The hash of a key, to be found or inserted under.
    pub(super) fn hash(&self, key: impl Hash) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The number whose key `is` the one with this hash.
    pub(super) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        self.table
            .find(hash, |(known, number)| *known == hash && is(*number))
            .map(|(_, number)| *number)
    }

    /// Adds a number whose key was not found.
    pub(super) fn insert(&mut self, hash: u64, number: u32) {
        self.table.insert_unique(hash, (hash, number), |(hash, _)| *hash);
    }
}
