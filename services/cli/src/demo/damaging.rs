//! The damages that the demo does to copies of the log, each with what the audit must call it.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use lotproof::{
    audit::{
        AuditOptions, FindingKind, audit,
        damage::{
            DamageError, drop_entry, flip_byte, forge_signature, middle_of_longest_feed, remove_entry,
            swap_entries,
        },
    },
    id::{LeafIndex, TreeSize},
    log::note::NoteSigner,
    shell::mirror::{DirSource, write_mirror},
    trust::TrustFile,
};

type Inflict<'a> = Box<dyn Fn(&mut DirSource) -> Result<(), DamageError> + 'a>;

/// One damage to a copy.
struct Damage<'a> {
    name: &'static str,
    /// What the audit may call it.
    kinds: &'static [FindingKind],
    inflict: Inflict<'a>,
}

/// Damages copies of the mirror `clean` below `folder`, and prints what the audit says of each.
///
/// # Errors
/// If the audit does not name one.
pub(super) fn damage_copies(
    clean: &Path,
    folder: &Path,
    trust: &TrustFile,
    size: TreeSize,
    signers: &[&NoteSigner],
) -> Result<()> {
    let middle = LeafIndex::new(size.get() / 2);
    let last = LeafIndex::new(size.get() - 1);
    let (in_feed, _) = middle_of_longest_feed(&DirSource::new(clean))?;
    let damages = [
        Damage {
            name: "one flipped byte",
            kinds: &[FindingKind::HashMismatch],
            inflict: Box::new(|copy| flip_byte(copy, middle)),
        },
        Damage {
            name: "one dropped entry",
            kinds: &[FindingKind::HashMismatch, FindingKind::MissingEntry],
            inflict: Box::new(|copy| drop_entry(copy, middle)),
        },
        Damage {
            name: "two swapped entries",
            kinds: &[FindingKind::HashMismatch],
            inflict: Box::new(|copy| swap_entries(copy, middle, last)),
        },
        Damage {
            name: "a forged signature, re-signed by the log",
            kinds: &[FindingKind::InvalidSignature],
            inflict: Box::new(|copy| forge_signature(copy, middle, signers)),
        },
        Damage {
            name: "a statement out of a feed, re-signed",
            kinds: &[FindingKind::FeedBroken],
            inflict: Box::new(|copy| remove_entry(copy, in_feed, signers)),
        },
    ];
    for (number, damage) in damages.iter().enumerate() {
        let path = folder.join(format!("damaged-{number}"));
        write_mirror(&DirSource::new(clean), &path)?;
        let mut copy = DirSource::new(&path);
        (damage.inflict)(&mut copy).with_context(|| damage.name)?;
        let report = audit(&copy, trust, &AuditOptions::default())?;
        let named = report
            .findings
            .iter()
            .find(|finding| damage.kinds.contains(&finding.kind));
        let Some(finding) = named else {
            for finding in &report.findings {
                eprintln!("{finding}");
            }
            bail!("the audit did not name {}", damage.name);
        };
        println!("{:<42} {finding}", damage.name);
    }
    Ok(())
}
