//! What does not fit anywhere behind a lot: at the lot, at what went into it, and so on up.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    super::{FactKey, filing::span, gate::Gate},
    anomaly::{Anomaly, AnomalyKind, Weight},
    circle,
    graph::{self, Bounds, Direction, LeftOut},
    history, judge,
};

/// One anomaly behind a lot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineageRow {
    /// How many steps up from the lot.
    pub depth: u32,
    /// What does not fit there.
    pub anomaly: Anomaly,
}

/// What does not fit in the whole lineage of a lot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lineage {
    /// How many anomalies there are, the lot's own included.
    pub total: usize,
    /// How many of each kind.
    pub kinds: BTreeMap<AnomalyKind, usize>,
    /// The nearest, as many as were asked for.
    pub nearest: Vec<LineageRow>,
    /// At how many lots they were looked for, a run of serials with one history taken as one.
    pub looked_at: usize,
    /// Whether the lineage was not followed to its end, and what of it was not.
    pub truncated: bool,
    /// See [`LeftOut`].
    pub left_out: LeftOut,
}

/// The anomalies of one lot: found at it, and found at inputs of the steps that made it. What strangers did
/// with the lot is none of them.
pub(in crate::provenance) fn anomalies_of(gate: Gate<'_>, lot: &str) -> Vec<Anomaly> {
    let Some(key) = span::find(&gate.symbols, lot) else {
        return Vec::new();
    };
    let history = history::of(gate, key);
    let mut found: Vec<Anomaly> = judge::of(gate, key.into())
        .iter()
        .filter(|anomaly| !anomaly.by_stranger)
        .cloned()
        .collect();
    found.extend(circle::own_ancestor(gate, key));
    let class_lots: Vec<String> = history.classes.iter().map(|class| gate.name(*class)).collect();
    let runs: BTreeSet<u32> = history
        .makings
        .iter()
        .flat_map(|making| gate.run_of(making.touch.fact))
        .collect();
    let told: BTreeSet<FactKey> = runs.iter().map(|fact| gate.key_of(*fact)).collect();
    for fact in runs {
        for leg in &gate.fact(fact).reading.legs {
            if !leg.role.uses() {
                continue;
            }
            let classes = if leg.serial {
                gate.class_lots(leg.span.key())
            } else {
                Vec::new()
            };
            let pieces = gate.tracks.pieces(leg.span, |_| true);
            for piece in pieces.into_iter().chain(classes.into_iter().map(Into::into)) {
                // What a stranger says he made of an input concerns what he made, and nobody else's lot of that name.
                let concerns = |anomaly: &&Anomaly| {
                    let of_this_lot =
                        !anomaly.by_stranger || anomaly.facts.iter().any(|fact| told.contains(fact));
                    of_this_lot
                        && anomaly
                            .outputs
                            .iter()
                            .any(|output| output == lot || class_lots.contains(output))
                };
                found.extend(judge::of(gate, piece).iter().filter(concerns).cloned());
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// What does not fit in the whole lineage of a lot. Nothing if the log has no event about it.
pub(in crate::provenance) fn lineage_of(gate: Gate<'_>, lot: &str, nearest_max: usize) -> Option<Lineage> {
    let walk = graph::walk(gate, lot, Direction::Up, Bounds::default())?;
    let mut found: BTreeMap<Anomaly, u32> = BTreeMap::new();
    for node in &walk.nodes {
        for anomaly in anomalies_of(gate, &node.lot) {
            // At a lot further up, what weighs on a signer elsewhere is no matter of this lineage.
            let here = node.depth == 0 || anomaly.weighs_on == Weight::Lot || anomaly.lot != node.lot;
            if here {
                let depth = found.entry(anomaly).or_insert(node.depth);
                *depth = node.depth.min(*depth);
            }
        }
    }
    let mut kinds = BTreeMap::new();
    for anomaly in found.keys() {
        *kinds.entry(anomaly.kind).or_insert(0) += 1;
    }
    let mut nearest: Vec<LineageRow> = found
        .into_iter()
        .map(|(anomaly, depth)| LineageRow { depth, anomaly })
        .collect();
    let total = nearest.len();
    nearest.sort_by(|a, b| (a.depth, &a.anomaly).cmp(&(b.depth, &b.anomaly)));
    nearest.truncate(nearest_max);
    Some(Lineage {
        total,
        kinds,
        nearest,
        looked_at: walk.nodes.len(),
        truncated: walk.truncated,
        left_out: walk.left_out,
    })
}
