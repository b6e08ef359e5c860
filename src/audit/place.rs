//! Which entry stands at which place of a bundle, and, where entries and tile differ, who is right.

use std::collections::BTreeMap;

use super::{
    Finding, FindingKind, Findings,
    bundle::{Bundle, Leaf, Read},
    replay::Slot,
    source::{LogSource, SourceError},
    tree::TreeCheck,
};
use crate::id::{Hash, LeafIndex};

/// For each place the number of the leaf that stands there, and which leaves stand nowhere.
struct Placement {
    at: Vec<Option<usize>>,
    surplus: Vec<usize>,
}

/// As many leaves as places: each at its own. Otherwise they are aligned by their hashes.
fn place(leaves: &[Leaf], hashes: Option<&[Hash]>, width: usize) -> Placement {
    if leaves.len() == width {
        return Placement {
            at: (0..width).map(Some).collect(),
            surplus: Vec::new(),
        };
    }
    let known: BTreeMap<Hash, usize> = hashes
        .unwrap_or_default()
        .iter()
        .enumerate()
        .map(|(place, hash)| (*hash, place))
        .collect();
    let mut at = vec![None; width];
    let mut surplus = Vec::new();
    let mut next = 0;
    for (number, leaf) in leaves.iter().enumerate() {
        let (left, places) = (leaves.len() - number, width.saturating_sub(next));
        let place = match known.get(&leaf.hash) {
            Some(place) if *place >= next => *place,
            _ if left > places => {
                surplus.push(number);
                continue;
            }
            _ => next,
        };
        if let Some(slot) = at.get_mut(place) {
            *slot = Some(number);
        }
        next = place + 1;
    }
    Placement { at, surplus }
}

/// Names what is wrong with a bundle or its tile, and returns the leaf hashes that count, as far as known.
pub(super) fn judge<S: LogSource + ?Sized>(
    bundle: &Bundle,
    tree: &mut TreeCheck<'_, S>,
    findings: &mut Findings,
) -> Result<Vec<Option<Hash>>, SourceError> {
    let width = usize::from(bundle.name.width());
    report_file(&bundle.hashes, &bundle.tile, findings);
    report_file(&bundle.leaves, &bundle.name, findings);
    if let Some((place, why)) = &bundle.mended {
        findings.push(Finding {
            kind: FindingKind::MalformedFile,
            index: Some(index(bundle, *place)),
            file: Some(bundle.name.to_string()),
            detail: why.clone(),
        });
    }
    let leaves = bundle.leaves.content().map_or(&[][..], Vec::as_slice);
    let hashes = match &bundle.hashes {
        Read::Whole(hashes) => Some(hashes.as_slice()),
        Read::Broken(..) | Read::Missing => None,
    };
    let Placement { at, surplus } = place(leaves, hashes, width);
    let found: Vec<Option<Hash>> = at
        .iter()
        .map(|number| number.and_then(|number| leaves.get(number)).map(|leaf| leaf.hash))
        .collect();
    let complete: Option<Vec<Hash>> = found.iter().copied().collect();
    let differs = |place: usize| {
        hashes.and_then(|hashes| hashes.get(place)).copied() != found.get(place).copied().flatten()
    };
    let first_difference = (0..width).find(|place| differs(*place));

    let Some(hashes) = hashes else {
        // No tile to say which: all that can be known is whether they are the tree's together.
        if matches!(bundle.leaves, Read::Whole(_)) && leaves.len() != width {
            let detail = format!("expected {width} entries, got {}", leaves.len());
            findings.in_file(FindingKind::MalformedFile, bundle.name, detail);
        } else if let Some(complete) = &complete
            && tree.leads_up(bundle, complete, findings)? == Some(false)
            && tree.is_known_above(bundle, findings)?
        {
            let detail = "the entries do not lead to the hash above them".to_owned();
            findings.in_file(FindingKind::HashMismatch, bundle.name, detail);
        }
        return Ok(found);
    };
    for number in surplus {
        let detail = format!("entry {number} of the bundle has no place in the tree");
        findings.in_file(FindingKind::SurplusEntry, bundle.name, detail);
    }
    let authentic = tree.is_authentic(bundle, findings)?;
    let contradicted = !authentic && tree.is_known_above(bundle, findings)?;
    let entries_lead_up = match &complete {
        Some(complete) if !authentic && first_difference.is_some() => {
            tree.leads_up(bundle, complete, findings)? == Some(true)
        }
        _ => false,
    };
    if contradicted && !entries_lead_up {
        let detail = "does not lead to the hash above it".to_owned();
        findings.in_file(FindingKind::TileMismatch, bundle.tile, detail);
    }
    let Some(first_difference) = first_difference else {
        return Ok(found);
    };
    if entries_lead_up {
        let detail = format!(
            "hash {first_difference} is not that of entry {}",
            index(bundle, first_difference)
        );
        findings.in_file(FindingKind::TileMismatch, bundle.tile, detail);
        return Ok(found);
    }
    if !matches!(bundle.leaves, Read::Missing) {
        let by_hash: BTreeMap<Hash, usize> = hashes
            .iter()
            .enumerate()
            .map(|(place, hash)| (*hash, place))
            .collect();
        for place in (0..width).filter(|place| differs(*place)) {
            let index = index(bundle, place);
            match found.get(place).copied().flatten() {
                None => findings.at(
                    FindingKind::MissingEntry,
                    index,
                    "the bundle has not got it".to_owned(),
                ),
                Some(hash) => {
                    let detail = match by_hash.get(&hash) {
                        Some(other) => format!("holds the bytes of entry {}", self::index(bundle, *other)),
                        None => format!("its bytes hash to {hash}"),
                    };
                    findings.at(FindingKind::HashMismatch, index, detail);
                }
            }
        }
    }
    Ok(hashes.iter().copied().map(Some).collect())
}

/// The entry that the tree has at each place, where it was found in the bundle at all.
pub(super) fn slots(bundle: Bundle, counting: &[Option<Hash>]) -> Vec<(LeafIndex, Slot)> {
    let first = bundle.first.get();
    let width = usize::from(bundle.name.width());
    let hashes: Option<Vec<Hash>> = counting.iter().copied().collect();
    let leaves = match bundle.leaves {
        Read::Whole(leaves) | Read::Broken(leaves, _) => leaves,
        Read::Missing => Vec::new(),
    };
    let Placement { at, .. } = place(&leaves, hashes.as_deref(), width);
    let mut leaves: Vec<Option<Leaf>> = leaves.into_iter().map(Some).collect();
    // Leaves that stand where they belong, then those that belong elsewhere in this bundle.
    let mut slots: Vec<Option<Slot>> = Vec::with_capacity(width);
    for (place, number) in at.iter().enumerate() {
        let leaf = number
            .and_then(|number| leaves.get_mut(number))
            .and_then(|leaf| leaf.take_if(|leaf| counting.get(place).copied().flatten() == Some(leaf.hash)));
        slots.push(leaf.map(|leaf| Slot::Sound(leaf.bytes, leaf.checked)));
    }
    let elsewhere: Vec<(Hash, usize)> = leaves
        .iter()
        .enumerate()
        .filter_map(|(number, leaf)| Some((leaf.as_ref()?.hash, number)))
        .collect();
    for (place, slot) in slots.iter_mut().enumerate().filter(|(_, slot)| slot.is_none()) {
        let wanted = counting.get(place).copied().flatten();
        let found = elsewhere
            .iter()
            .find(|(hash, _)| Some(*hash) == wanted)
            .map(|(_, number)| *number);
        let leaf = found
            .and_then(|number| leaves.get_mut(number))
            .and_then(Option::take);
        *slot = leaf.map(|leaf| Slot::Sound(leaf.bytes, leaf.checked));
    }
    let indices = (first..).map(LeafIndex::new);
    indices
        .zip(slots.into_iter().zip(at))
        .map(|(index, (slot, number))| {
            let mut standing = || {
                number
                    .and_then(|number| leaves.get_mut(number))
                    .and_then(Option::take)
            };
            (
                index,
                slot.unwrap_or_else(|| Slot::Lost(standing().map(|leaf| leaf.checked))),
            )
        })
        .collect()
}

fn index(bundle: &Bundle, place: usize) -> LeafIndex {
    LeafIndex::new(bundle.first.get() + place as u64)
}

fn report_file<T>(read: &Read<T>, name: &dyn std::fmt::Display, findings: &mut Findings) {
    match read {
        Read::Whole(_) => {}
        Read::Broken(_, why) => findings.in_file(FindingKind::MalformedFile, name, why.clone()),
        Read::Missing => findings.in_file(FindingKind::MissingFile, name, "no such file".to_owned()),
    }
}
