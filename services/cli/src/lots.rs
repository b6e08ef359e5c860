//! `lot`: what a log says about one lot, computed here from the log's own files.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use lotproof::{
    audit::{
        LogSource,
        source::{CHECKPOINT, CHECKPOINT_LEN_MAX, len_max},
    },
    event::sealed::Opening,
    id::TreeSize,
    identifier,
    log::{
        checkpoint::SignedCheckpoint,
        tile::{TilePath, entry_bundles_between},
    },
    projector::Projector,
    provenance::{Bounds, Direction, Lineage, LotSummary, Provenance},
    trust::TrustFile,
};

use crate::{
    Outcome,
    auditing::{open_source, read_trust},
    glance::{contradictions, glance},
    tree::tree,
};

/// Most anomalies behind a lot that are given in JSON.
const NEAREST_MAX: usize = 1_000;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Walk {
    Up,
    Down,
}

/// How far a walk goes; what lies beyond is counted and said.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Reach {
    /// Most steps to go from the lot
    #[arg(long, default_value_t = Bounds::default().depth_max)]
    depth: u32,
    /// Most lots to take in
    #[arg(long, default_value_t = Bounds::default().nodes_max)]
    nodes: usize,
}

impl Reach {
    pub(crate) fn bounds(self) -> Bounds {
        Bounds {
            depth_max: self.depth,
            nodes_max: self.nodes,
            ..Bounds::default()
        }
    }
}

/// `lotproof lot`
#[derive(Debug, Args)]
pub(crate) struct Lot {
    /// The lot, serial or class, in any spelling
    #[arg(value_name = "LOT")]
    identifier: String,
    /// The log: a URL, or the folder of a mirror
    #[arg(long)]
    log: String,
    /// Trust file: origin, log id and keys that you pinned
    #[arg(long)]
    trust: PathBuf,
    /// Towards what it was made from, or what it went into
    #[arg(long, value_enum, default_value = "up")]
    direction: Walk,
    #[command(flatten)]
    reach: Reach,
    /// Openings of sealed fields, as `publish --openings` wrote them
    #[arg(long)]
    openings: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Lot {
    pub(crate) fn run(self) -> Result<Outcome> {
        let lot =
            identifier::normalise(&self.identifier).with_context(|| format!("lot {}", self.identifier))?;
        let trust = read_trust(&self.trust)?;
        let mut projector = project(open_source(&self.log)?.as_ref(), &trust)?;
        if let Some(path) = &self.openings {
            let json = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            let openings: std::collections::BTreeMap<String, Vec<Opening>> = serde_json::from_slice(&json)
                .with_context(|| {
                    format!(
                        "{} has no openings as `publish --openings` writes them",
                        path.display()
                    )
                })?;
            let opened = openings.into_values().flatten();
            let idle = opened
                .filter(|opening| projector.projection_mut().open(opening.clone()) == 0)
                .count();
            if idle > 0 {
                eprintln!(
                    "{idle} openings in {} fit nothing that is sealed in this log",
                    path.display()
                );
            }
        }
        let direction = match self.direction {
            Walk::Up => Direction::Up,
            Walk::Down => Direction::Down,
        };
        let projection = projector.projection();
        let summary = projection
            .lot(&lot)
            .with_context(|| format!("the log has no event about {lot}"))?;
        let bounds = self.reach.bounds();
        let walk = projection
            .provenance(&lot, direction, bounds)
            .context("no provenance")?;
        let custody = projection.custody(&lot).unwrap_or_default();
        let lineage = projection.lineage(&lot, NEAREST_MAX).context("no lineage")?;
        if self.json {
            let json = serde_json::json!({
                "lot": summary, "custody": custody, "provenance": walk, "lineage": lineage,
            });
            println!("{}", serde_json::to_string_pretty(&json)?);
        } else {
            print!("{}", glance(projection, &summary, &custody));
            println!(
                "\n{}",
                match direction {
                    Direction::Up => "where it came from",
                    Direction::Down => "where it went",
                }
            );
            print!("{}", tree(&walk, &bounds));
            print!("\n{}", contradictions(projection, &lot, &lineage));
        }
        let outcome = outcome(&summary, &walk, &lineage);
        if is_cut(&summary, &walk, &lineage) {
            eprintln!("not complete: bounds cut something off, as the answer says");
        }
        Ok(outcome)
    }
}

/// Whether the answer leaves something out that a program must know of.
const fn is_cut(lot: &LotSummary, walk: &Provenance, lineage: &Lineage) -> bool {
    walk.truncated || lineage.truncated || lot.notices_truncated
}

/// A lot is clean if nothing behind it is contradicted, and if all that is behind it was looked at.
const fn outcome(lot: &LotSummary, walk: &Provenance, lineage: &Lineage) -> Outcome {
    if lineage.total > 0 || is_cut(lot, walk, lineage) {
        Outcome::Findings
    } else {
        Outcome::Clean
    }
}

/// Folds a log's entries, after checking that they make the head that the log signed.
pub(crate) fn project(source: &dyn LogSource, trust: &TrustFile) -> Result<Projector> {
    let note = source
        .read(CHECKPOINT, CHECKPOINT_LEN_MAX)?
        .context("the log has no checkpoint")?;
    let signed = SignedCheckpoint::verify(note, trust.origin(), trust.log_keys())?;
    let mut projector = Projector::new();
    each_entry(source, signed.head().size, |entry| {
        let index = projector.size();
        projector.take(entry).with_context(|| {
            format!("entry {index} is not as it was: run `lotproof audit` to see what is wrong")
        })
    })?;
    ensure!(
        projector.head() == *signed.head(),
        "the entries are not those that the log signed: run `lotproof audit` to see where"
    );
    Ok(projector)
}

/// Reads a log's first `size` entries, as they are.
pub(crate) fn each_entry(
    source: &dyn LogSource,
    size: TreeSize,
    mut visit: impl FnMut(&Bytes) -> Result<()>,
) -> Result<()> {
    for bundle in entry_bundles_between(TreeSize::EMPTY, size) {
        let path = TilePath::Entries(bundle);
        let bytes = source
            .read(&path.to_string(), len_max(path))?
            .with_context(|| format!("{path} is missing"))?;
        for entry in bundle.entries(&bytes)? {
            visit(&Bytes::copy_from_slice(entry))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{glance, tree};

    #[test]
    fn a_lot_is_clean_only_if_all_behind_it_was_looked_at_and_nothing_contradicts_it() {
        let lot = glance::tests::lot();
        let nodes = vec![tree::tests::node("urn:pack", None, 1, 0)];
        let walk = tree::tests::walk(Direction::Up, nodes, Vec::new());
        let lineage = glance::tests::clean();
        assert_eq!(outcome(&lot, &walk, &lineage), Outcome::Clean);
        let (mut cut_lot, mut cut_walk, mut cut_lineage) = (lot.clone(), walk.clone(), lineage.clone());
        cut_lot.notices_truncated = true;
        cut_walk.truncated = true;
        cut_lineage.truncated = true;
        let mut contradicted = lineage.clone();
        contradicted.total = 1;
        for (lot, walk, lineage) in [
            (&cut_lot, &walk, &lineage),
            (&lot, &cut_walk, &lineage),
            (&lot, &walk, &cut_lineage),
            (&lot, &walk, &contradicted),
        ] {
            assert_eq!(outcome(lot, walk, lineage), Outcome::Findings);
        }
        // What strangers said is no finding about the lot.
        let mut talked_about = lot.clone();
        talked_about.strangers.total = 7;
        assert_eq!(outcome(&talked_about, &walk, &lineage), Outcome::Clean);
    }
}
