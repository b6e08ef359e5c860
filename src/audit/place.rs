//! What is wrong with a bundle or its tile: where entries and tile differ, who is right.

use std::collections::BTreeMap;

use super::{
    accounts,
    align::{Placement, in_places, place},
    bundle::{Bundle, Read, hashes_of},
    finding::{Finding, FindingKind, Findings},
    source::{LogSource, SourceError},
    tree::{Target, TreeCheck},
};
use crate::id::{Hash, LeafIndex};

/// Names what is wrong with a bundle or its tile, and returns the leaf hashes that count, as far as known.
pub(super) fn judge<S: LogSource + ?Sized>(
    bundle: &Bundle,
    tree: &mut TreeCheck<'_, S>,
    findings: &mut Findings,
) -> Result<Vec<Option<Hash>>, SourceError> {
    report_file(&bundle.hashes, &bundle.tile, findings);
    report_file(&bundle.leaves, &bundle.name, findings);
    if let Some((place, why)) = &bundle.mended {
        findings.push(Finding {
            index: Some(index(bundle, *place)),
            ..Finding::in_file(FindingKind::MalformedFile, bundle.name, why.clone())
        });
    }
    let leaves: Vec<Hash> = hashes_of(bundle.leaves.content().map_or(&[], Vec::as_slice));
    let stated = bundle.stated();
    let target = tree.target(bundle, findings)?;
    let two = Accounts {
        bundle,
        leaves: &leaves,
        found: in_places(&leaves, stated, usize::from(bundle.name.width())),
        stated,
    };
    if let Some(stated) = two
        .stated
        .filter(|stated| two.agree_on(stated) && target.is_met_by(stated))
    {
        return Ok(stated.iter().copied().map(Some).collect());
    }
    Ok(match accounts::choose(&two.rows(), |row| target.is_met_by(row)) {
        Some(row) => two.compare_with(row, findings),
        None if target.is_proven() => two.give_up(findings),
        None => two.compare(&target, findings),
    })
}

/// The two accounts of a bundle's leaf hashes: the tile's and the entries'.
struct Accounts<'a> {
    bundle: &'a Bundle,
    leaves: &'a [Hash],
    /// The entries' hashes at their places.
    found: Vec<Option<Hash>>,
    /// The tile's.
    stated: Option<&'a [Hash]>,
}

impl Accounts<'_> {
    fn stated_at(&self, place: usize) -> Option<Hash> {
        self.stated.and_then(|stated| stated.get(place)).copied()
    }

    /// Whether there are as many entries as hashes, and of these hashes: as good as always.
    fn agree_on(&self, stated: &[Hash]) -> bool {
        self.leaves == stated
    }

    /// The accounts of each place, the tile's first.
    fn rows(&self) -> Vec<Vec<Hash>> {
        let row = |(place, found): (usize, &Option<Hash>)| {
            let mut accounts = Vec::new();
            accounts::add(&mut accounts, self.stated_at(place).into_iter().chain(*found));
            accounts
        };
        self.found.iter().enumerate().map(row).collect()
    }

    /// These lead up: what differs from them is wrong.
    fn compare_with(&self, row: Vec<Hash>, findings: &mut Findings) -> Vec<Option<Hash>> {
        let bundle = self.bundle;
        let differs = |place: &usize| self.stated_at(*place) != row.get(*place).copied();
        if self.stated.is_some()
            && let Some(place) = (0..row.len()).find(differs)
        {
            let detail = format!("hash {place} is not that of entry {}", index(bundle, place));
            findings.in_file(FindingKind::TileMismatch, bundle.tile, detail);
        }
        let Placement { at, surplus } = place(self.leaves, Some(&row), row.len());
        self.report_surplus(&surplus, findings);
        if !matches!(bundle.leaves, Read::Missing) {
            let places: BTreeMap<Hash, usize> = row
                .iter()
                .enumerate()
                .map(|(place, hash)| (*hash, place))
                .collect();
            for (place, (number, hash)) in at.iter().zip(&row).enumerate() {
                let index = index(bundle, place);
                match number.and_then(|number| self.leaves.get(number)) {
                    None => report_missing(index, findings),
                    Some(found) if found == hash => {}
                    Some(found) => {
                        let detail = match places.get(found) {
                            Some(other) => {
                                format!("holds the bytes of entry {}", self::index(bundle, *other))
                            }
                            None => format!("its bytes hash to {found}, its leaf is {hash}"),
                        };
                        findings.at(FindingKind::HashMismatch, index, detail);
                    }
                }
            }
        }
        row.into_iter().map(Some).collect()
    }

    /// A proven hash above says that tile and entries are both wrong, and nothing says where: the entries that
    /// the tile confirms count, unless those are all.
    fn give_up(&self, findings: &mut Findings) -> Vec<Option<Hash>> {
        let bundle = self.bundle;
        if self.stated.is_some() {
            let detail = "does not lead to the hash above it, nor do the entries".to_owned();
            findings.in_file(FindingKind::TileMismatch, bundle.tile, detail);
        }
        if self.leaves.len() == self.found.len() {
            let detail =
                "the entries do not lead to the hash above them, and nothing says which is wrong".to_owned();
            findings.in_file(FindingKind::HashMismatch, bundle.name, detail);
        } else {
            self.report_count(findings);
        }
        let confirmed = self.confirmed();
        if confirmed.contains(&None) {
            confirmed
        } else {
            vec![None; confirmed.len()]
        }
    }

    /// Nothing above is proven, and neither account leads there: entries that the tile contradicts do not count.
    fn compare(&self, target: &Target, findings: &mut Findings) -> Vec<Option<Hash>> {
        if !matches!(self.bundle.leaves, Read::Missing) {
            self.report_count(findings);
        }
        let differs = |place: &usize| {
            let found = self.found.get(*place).copied().flatten();
            found.is_some() && found != self.stated_at(*place)
        };
        if self.stated.is_some()
            && let Some(place) = (0..self.found.len()).find(differs)
        {
            let (name, tile) = (self.bundle.name, self.bundle.tile);
            let index = index(self.bundle, place);
            let detail = format!("contradicts {tile} from entry {index} on, and neither leads to the root");
            findings.in_file(FindingKind::RootMismatch, name, detail);
        }
        let is_whole = self.leaves.len() == self.found.len();
        match (self.stated, target) {
            (Some(_), _) => self.confirmed(),
            (None, Target::Unknown) if is_whole => self.found.clone(),
            (None, Target::Over(..)) if is_whole => {
                let detail = "contradicts the tile above, and neither leads to the root".to_owned();
                findings.in_file(FindingKind::RootMismatch, self.bundle.name, detail);
                vec![None; self.found.len()]
            }
            (None, _) => vec![None; self.found.len()],
        }
    }

    /// The entries that the tile confirms.
    fn confirmed(&self) -> Vec<Option<Hash>> {
        let confirm = |(place, found): (usize, &Option<Hash>)| {
            found.filter(|found| self.stated_at(place) == Some(*found))
        };
        self.found.iter().enumerate().map(confirm).collect()
    }

    /// Names entries that are too many, or too few.
    fn report_count(&self, findings: &mut Findings) {
        let (bundle, width) = (self.bundle, self.found.len());
        if self.stated.is_none() {
            if matches!(bundle.leaves, Read::Whole(_)) && self.leaves.len() != width {
                let detail = format!("expected {width} entries, got {}", self.leaves.len());
                findings.in_file(FindingKind::MalformedFile, bundle.name, detail);
            }
            return;
        }
        let Placement { at, surplus } = place(self.leaves, self.stated, width);
        self.report_surplus(&surplus, findings);
        if !matches!(bundle.leaves, Read::Missing) {
            let missing = at.iter().enumerate().filter(|(_, number)| number.is_none());
            missing.for_each(|(place, _)| report_missing(index(bundle, place), findings));
        }
    }

    fn report_surplus(&self, surplus: &[usize], findings: &mut Findings) {
        for number in surplus {
            let detail = format!("entry {number} of the bundle has no place in the tree");
            findings.push(Finding {
                number: u64::try_from(*number).ok(),
                ..Finding::in_file(FindingKind::SurplusEntry, self.bundle.name, detail)
            });
        }
    }
}

fn report_missing(index: LeafIndex, findings: &mut Findings) {
    let detail = "the bundle has not got it".to_owned();
    findings.at(FindingKind::MissingEntry, index, detail);
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
