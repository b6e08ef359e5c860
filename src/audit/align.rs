//! Which entry of a bundle stands at which place of its tile.
//!
//! ```text
//! tile       a  b  c  d        as many entries as hashes: each at its own place
//! entries    a  x  d           otherwise by a longest common subsequence: a and d are matched,
//!            |  |     |        x is paired with the first hash between them, c has no entry
//! ```

use crate::id::Hash;

/// For each place the number of the entry that stands there, and which entries stand nowhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) at: Vec<Option<usize>>,
    pub(super) surplus: Vec<usize>,
}

/// As many entries as places: each at its own. Otherwise they are aligned with the hashes that are known, and
/// without such stand nowhere.
pub(super) fn place(entries: &[Hash], known: Option<&[Hash]>, width: usize) -> Placement {
    if entries.len() == width {
        return Placement {
            at: (0..width).map(Some).collect(),
            surplus: Vec::new(),
        };
    }
    match known {
        Some(tile) => align(entries, tile),
        None => Placement {
            at: vec![None; width],
            surplus: (0..entries.len()).collect(),
        },
    }
}

/// The leaf hash that stands at each place, aligned with what a tile says if they are not as many as places.
pub(super) fn in_places(leaves: &[Hash], stated: Option<&[Hash]>, width: usize) -> Vec<Option<Hash>> {
    let Placement { at, .. } = place(leaves, stated, width);
    let standing = |number: Option<usize>| number.and_then(|number| leaves.get(number)).copied();
    at.into_iter().map(standing).collect()
}

/// Matches equal hashes, and pairs what is left between two matches in its order.
fn align(entries: &[Hash], tile: &[Hash]) -> Placement {
    let common = common_lengths(entries, tile);
    let length = |entry: usize, place: usize| common.get(entry).and_then(|row| row.get(place)).copied();
    let mut placement = Placement {
        at: vec![None; tile.len()],
        surplus: Vec::new(),
    };
    let (mut entry, mut place) = (0, 0);
    // Not matched since the last match.
    let (mut entries_left, mut places_left) = (Vec::new(), Vec::new());
    loop {
        match (entries.get(entry), tile.get(place)) {
            (Some(found), Some(hash)) if found == hash => {
                placement.pair(&mut entries_left, &mut places_left);
                placement.stand(place, entry);
                (entry, place) = (entry + 1, place + 1);
            }
            (None, None) => {
                placement.pair(&mut entries_left, &mut places_left);
                return placement;
            }
            (None, Some(_)) => {
                places_left.push(place);
                place += 1;
            }
            (Some(_), Some(_)) if length(entry, place + 1) >= length(entry + 1, place) => {
                places_left.push(place);
                place += 1;
            }
            (Some(_), _) => {
                entries_left.push(entry);
                entry += 1;
            }
        }
    }
}

impl Placement {
    fn stand(&mut self, place: usize, entry: usize) {
        if let Some(slot) = self.at.get_mut(place) {
            *slot = Some(entry);
        }
    }

    fn pair(&mut self, entries: &mut Vec<usize>, places: &mut Vec<usize>) {
        let mut entries = entries.drain(..);
        for (place, entry) in places.drain(..).zip(entries.by_ref()) {
            self.stand(place, entry);
        }
        self.surplus.extend(entries);
    }
}

/// How long the longest common subsequence is of the entries from each on and the tile's hashes from each on.
fn common_lengths(entries: &[Hash], tile: &[Hash]) -> Vec<Vec<u16>> {
    let mut lengths = vec![vec![0_u16; tile.len() + 1]; entries.len() + 1];
    for (entry, found) in entries.iter().enumerate().rev() {
        let (rows, below) = lengths.split_at_mut(entry + 1);
        let (Some(row), Some(below)) = (rows.last_mut(), below.first()) else {
            continue;
        };
        let mut right = 0;
        for (place, hash) in tile.iter().enumerate().rev() {
            let down = below.get(place).copied().unwrap_or_default();
            let diagonal = below.get(place + 1).copied().unwrap_or_default();
            let longest = if found == hash {
                diagonal + 1
            } else {
                down.max(right)
            };
            if let Some(length) = row.get_mut(place) {
                *length = longest;
            }
            right = longest;
        }
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(letters: &str) -> Vec<Hash> {
        letters.bytes().map(|letter| Hash::of(&[&[letter]])).collect()
    }

    fn aligned(entries: &str, tile: &str) -> (String, String) {
        let Placement { at, surplus } = place(&hashes(entries), Some(&hashes(tile)), tile.len());
        let letter = |number: usize| char::from(entries.as_bytes()[number]);
        let at = at.into_iter().map(|number| number.map_or('-', letter)).collect();
        (at, surplus.into_iter().map(letter).collect())
    }

    #[test]
    fn every_entry_that_is_intact_and_in_order_stands_in_its_place() {
        for (entries, tile, at, surplus) in [
            ("abd", "abcd", "ab-d", ""),
            ("", "ab", "--", ""),
            ("abxcd", "abcd", "abcd", "x"),
            ("aabcd", "abcd", "abcd", "a"),
            // The last one first, and one more: the rest is not moved.
            ("dabcx", "abcd", "abcx", "d"),
            ("xxdabc", "abcd", "abc-", "xxd"),
            // Altered beside one that is missing, before and behind it.
            ("axcd", "abccd", "ax-cd", ""),
            ("axd", "abcd", "ax-d", ""),
            ("abxe", "abcde", "abx-e", ""),
            ("xbd", "abcd", "xb-d", ""),
            // Of two equally long ones the one that passes over a place first.
            ("bac", "ab", "-b", "ac"),
            // As many as places: each at its own.
            ("bacd", "abcd", "bacd", ""),
        ] {
            assert_eq!(
                aligned(entries, tile),
                (at.into(), surplus.into()),
                "{entries} {tile}"
            );
        }
    }

    #[test]
    fn without_hashes_nothing_is_known_of_too_few() {
        let Placement { at, surplus } = place(&hashes("ab"), None, 3);
        assert_eq!((at, surplus), (vec![None; 3], vec![0, 1]));
    }
}
