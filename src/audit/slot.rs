//! The places of a bundle, and the entry that is read at each.

use bytes::Bytes;

use super::{
    align::{Placement, place},
    bundle::{Bundle, Checked, Leaf, Read, hashes_of},
};
use crate::id::{Hash, LeafIndex};

/// One place of the log.
#[derive(Debug)]
pub(super) enum Slot {
    /// The entry that the tree has there.
    Sound(Bytes, Checked),
    /// Not that entry; what stands in its place, if something can be read.
    Lost(Option<Checked>),
}

/// The entry that the tree has at each place, where its bytes are in the bundle at all.
///
/// Bytes are read at every place whose hash they have: a leaf that occurs twice has one content, whichever of
/// its frames is left. Bytes that are read nowhere are what a lost place has in its stead.
pub(super) fn slots(bundle: Bundle, counting: &[Option<Hash>]) -> Vec<(LeafIndex, Slot)> {
    let first = bundle.first.get();
    let width = usize::from(bundle.name.width());
    assert_eq!(
        counting.len(),
        width,
        "one leaf hash, known or not, for each place"
    );
    let counted: Option<Vec<Hash>> = counting.iter().copied().collect();
    let known = counted.as_deref().or_else(|| bundle.stated());
    let found = hashes_of(bundle.leaves.content().map_or(&[], Vec::as_slice));
    let Placement { at, .. } = place(&found, known, width);
    let leaves = match bundle.leaves {
        Read::Whole(leaves) | Read::Broken(leaves, _) => leaves,
        Read::Missing => Vec::new(),
    };
    // The entry that stands at the place, or else the first of its hash.
    let read_at = |(wanted, standing): (&Option<Hash>, &Option<usize>)| {
        let wanted = (*wanted)?;
        let standing = standing.filter(|number| found.get(*number) == Some(&wanted));
        standing.or_else(|| found.iter().position(|hash| *hash == wanted))
    };
    let read: Vec<Option<usize>> = counting.iter().zip(&at).map(read_at).collect();
    let bytes: Vec<Bytes> = leaves.iter().map(|leaf| leaf.bytes.clone()).collect();
    let mut leaves: Vec<Option<Leaf>> = leaves.into_iter().map(Some).collect();
    let mut take = |number: usize| {
        let unused = leaves.get_mut(number).and_then(Option::take);
        unused.or_else(|| bytes.get(number).cloned().map(Leaf::new))
    };
    let mut slot = |(number, standing): (&Option<usize>, Option<usize>)| {
        if let Some(leaf) = number.and_then(&mut take) {
            return Slot::Sound(leaf.bytes, leaf.checked);
        }
        let unread = standing.filter(|standing| !read.contains(&Some(*standing)));
        Slot::Lost(unread.and_then(&mut take).map(|leaf| leaf.checked))
    };
    let slots = read.iter().zip(at).map(&mut slot);
    (first..).map(LeafIndex::new).zip(slots).collect()
}
