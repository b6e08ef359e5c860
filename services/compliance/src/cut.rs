//! What a bound cut off an answer: no answer is smaller than it says.

use std::collections::BTreeSet;

use lotproof::provenance::{Bounds, Direction, Provenance};
use serde::Serialize;

/// Whether an answer leaves out something that its bounds would have let in had they been wider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cuts {
    /// Whether anything is left out.
    pub truncated: bool,
    /// What, and by which bound.
    pub cuts: Vec<Cut>,
}

/// One list that goes on beyond the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// The list, by its name in the answer.
    pub of: &'static str,
    /// The bound, by its name in the request.
    pub bound: &'static str,
    /// Its value.
    pub value: u64,
    /// How many rows the answer has.
    pub given: usize,
    /// How many rows follow that it does not have.
    pub left_out: usize,
    /// Whether there may be more than that: nobody walked on to count them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
    /// What to ask for the rest with.
    pub rest: &'static str,
}

impl Cuts {
    /// Adds a page of a list, unless it is the last one.
    pub(crate) fn page(
        mut self,
        of: &'static str,
        limit: usize,
        (given, left_out): (usize, usize),
        rest: &'static str,
    ) -> Self {
        self.cuts.extend((left_out > 0).then_some(Cut {
            of,
            bound: "limit",
            value: limit as u64,
            given,
            left_out,
            at_least: false,
            rest,
        }));
        self.truncated = !self.cuts.is_empty();
        self
    }

    /// What was cut off a walk.
    pub(crate) fn of_walk(walk: &Provenance, bounds: &Bounds) -> Self {
        if !walk.truncated {
            return Self::default();
        }
        let left_out = named_beyond(walk).max(1);
        let cut = |bound, value, rest| Cut {
            of: "nodes",
            bound,
            value,
            given: walk.nodes.len(),
            left_out,
            at_least: true,
            rest,
        };
        let is_full = walk.nodes.len() >= bounds.nodes_max;
        // With both bounds reached, either may have cut off the same lots.
        let is_deep = walk.nodes.iter().any(|node| node.depth >= bounds.depth_max) || !is_full;
        let by_depth = is_deep.then(|| {
            let rest = "a larger depth, or a walk from a lot that a step names";
            cut("depth", bounds.depth_max.into(), rest)
        });
        let by_nodes = is_full.then(|| {
            let rest = "more nodes, or a walk from a lot that a step names";
            cut("nodes", bounds.nodes_max as u64, rest)
        });
        Self {
            truncated: true,
            cuts: by_depth.into_iter().chain(by_nodes).collect(),
        }
    }
}

/// How many lots, or runs of serials, the walk's steps name on the way on that have no node.
fn named_beyond(walk: &Provenance) -> usize {
    let nodes: BTreeSet<&str> = walk.nodes.iter().map(|node| node.lot.as_str()).collect();
    let onward = walk.steps.iter().flat_map(|step| match walk.direction {
        Direction::Up => &step.inputs,
        Direction::Down => &step.outputs,
    });
    let named: BTreeSet<&str> = onward.map(|item| item.lot.as_str()).collect();
    named.difference(&nodes).count()
}

#[cfg(test)]
mod tests {
    use lotproof::provenance::Node;

    use super::*;

    fn node(lot: &str, depth: u32) -> Node {
        Node {
            lot: lot.into(),
            last: None,
            count: 1,
            depth,
            product: None,
            kind: None,
            class_lot: None,
            makers: Vec::new(),
            unknown: false,
            anomalies: Vec::new(),
        }
    }

    fn walk(nodes: &[(&str, u32)], truncated: bool) -> Provenance {
        Provenance {
            root: "a".into(),
            direction: Direction::Up,
            nodes: nodes.iter().map(|(lot, depth)| node(lot, *depth)).collect(),
            steps: Vec::new(),
            names: [].into(),
            truncated,
        }
    }

    #[test]
    fn a_walk_names_the_bounds_that_it_reached() {
        let (one, two, three) = (
            vec![("a", 0)],
            vec![("a", 0), ("b", 1)],
            vec![("a", 0), ("b", 1), ("c", 1)],
        );
        for (nodes, truncated, depth_max, nodes_max, expected) in [
            (&three, false, 1, 3, vec![]),
            (&two, true, 1, 9, vec!["depth"]),
            (&two, true, 9, 2, vec!["nodes"]),
            (&two, true, 1, 2, vec!["depth", "nodes"]),
            (&one, true, 0, 9, vec!["depth"]),
        ] {
            let bounds = Bounds {
                depth_max,
                nodes_max,
                composed_at: None,
            };
            let cuts = Cuts::of_walk(&walk(nodes, truncated), &bounds);
            let named: Vec<_> = cuts.cuts.iter().map(|cut| cut.bound).collect();
            assert_eq!(
                (named, cuts.truncated),
                (expected, truncated),
                "{nodes:?} {bounds:?}"
            );
            assert!(cuts.cuts.iter().all(|cut| cut.left_out >= 1 && cut.at_least));
        }
    }

    #[test]
    fn the_last_page_leaves_out_nothing() {
        let cuts = Cuts::default().page("facts", 2, (2, 0), "after");
        assert_eq!(cuts, Cuts::default());
        let cuts = cuts
            .page("facts", 2, (2, 5), "after")
            .page("custody", 2, (1, 0), "custody_offset");
        assert!(cuts.truncated);
        assert_eq!(cuts.cuts.len(), 1);
        assert_eq!(
            (cuts.cuts[0].of, cuts.cuts[0].left_out, cuts.cuts[0].at_least),
            ("facts", 5, false)
        );
    }
}
