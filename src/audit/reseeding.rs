//! Records of a reseeded guard: the head that the ledger says it had must be the one that the log has.
//!
//! A reseeding is the one moment at which nobody but the operator vouches for the log being the newest. What
//! the record says is therefore checked like everything else: its size is the record's own index, its root the
//! root over the entries before it.

use std::collections::BTreeMap;

use super::{
    bundle::{Bundle, Checked},
    source::LogSource,
    tree::TreeCheck,
};
use crate::{
    entry::{Body, Entry},
    id::{Hash, LeafIndex, TreeSize},
    wire::v1::ledger_record::Record,
};

/// Compares the reseedings in a bundle with the tree, which must not have taken the bundle yet.
///
/// Where leaves before a record are lost, only its size can be compared. Returns what is false about each
/// record, by its place.
pub(super) fn check<S: LogSource + ?Sized>(
    bundle: &Bundle,
    counting: &[Option<Hash>],
    tree: &TreeCheck<'_, S>,
) -> BTreeMap<LeafIndex, String> {
    let mut found = BTreeMap::new();
    for leaf in bundle.leaves.content().into_iter().flatten() {
        let Checked::Record(Entry {
            body: Body::Record(Record::GuardReseeded(said)),
            ..
        }) = &leaf.checked
        else {
            continue;
        };
        // Wherever the tree has it.
        let places = counting.iter().enumerate();
        for (place, _) in places.filter(|(_, hash)| **hash == Some(leaf.hash)) {
            let within = u64::try_from(place).unwrap_or(u64::MAX);
            let index = LeafIndex::new(bundle.first.get().saturating_add(within));
            if said.size != index.get() {
                let detail = format!(
                    "the guard was reseeded with size {}, the log had {index}",
                    said.size
                );
                found.insert(index, detail);
                continue;
            }
            let before = counting.get(..place).unwrap_or_default();
            let size = TreeSize::new(index.get());
            if let Some(root) = tree.root_with(size, before)
                && root.as_bytes() != said.root.as_slice()
            {
                let said = hex::encode(&said.root);
                let detail = format!("the guard was reseeded with root {said}, the log had {root}");
                found.insert(index, detail);
            }
        }
    }
    found
}
