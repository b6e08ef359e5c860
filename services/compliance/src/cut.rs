//! What a bound cut off an answer: no answer is smaller than it says.

use lotproof::provenance::{Bounds, LeftOut, Lineage, LotSummary, Provenance};
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
    /// The bound, by its name in the request; `fixed` if no request can move it.
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
    /// Adds a list, if it goes on beyond the answer.
    fn list(mut self, cut: Cut) -> Self {
        self.cuts.extend((cut.left_out > 0).then_some(cut));
        self.truncated = !self.cuts.is_empty();
        self
    }

    /// Adds a page of a list, unless it is the last one.
    pub(crate) fn page(
        self,
        of: &'static str,
        limit: usize,
        (given, left_out): (usize, usize),
        rest: &'static str,
    ) -> Self {
        self.list(Cut {
            of,
            bound: "limit",
            value: limit as u64,
            given,
            left_out,
            at_least: false,
            rest,
        })
    }

    /// What was cut off a walk.
    pub(crate) fn of_walk(walk: &Provenance, bounds: &Bounds) -> Self {
        let LeftOut { too_deep, too_many } = walk.left_out;
        let given = walk.nodes.len();
        let (deep, many) = (bounds.depth_max.into(), bounds.nodes_max as u64);
        let (deeper, more) = (
            "a larger depth, or a walk from a lot that a step names",
            "more nodes, or a walk from a lot that a step names",
        );
        Self::default()
            .uncounted("nodes", ("depth", deep), (given, too_deep), deeper)
            .uncounted("nodes", ("nodes", many), (given, too_many), more)
    }

    /// Adds what the listed part of a lineage leaves out, and where the lineage was not followed.
    pub(crate) fn lineage(self, lineage: &Lineage, limit: usize) -> Self {
        let given = lineage.nearest.len();
        let left_out = lineage.total.saturating_sub(given);
        self.page("lineage.nearest", limit, (given, left_out), "/v1/anomalies?lot=")
            .behind(lineage)
    }

    /// Adds where a lineage was not followed: anomalies there were not looked for.
    pub(crate) fn behind(self, lineage: &Lineage) -> Self {
        let LeftOut { too_deep, too_many } = lineage.left_out;
        let bounds = Bounds::default();
        let (deep, many) = (bounds.depth_max.into(), bounds.nodes_max as u64);
        let (given, rest) = (lineage.looked_at, "the lineage of a lot further up");
        self.uncounted("lineage", ("fixed", deep), (given, too_deep), rest)
            .uncounted("lineage", ("fixed", many), (given, too_many), rest)
    }

    /// Adds what a lot at a glance leaves out.
    pub(crate) fn of_summary(self, lot: &LotSummary) -> Self {
        let given = lot.strangers.facts.len();
        let unseen = u64::from(lot.notices_truncated);
        let notices = (lot.noticed_through.len(), unseen);
        self.uncounted("noticed_through", ("fixed", 10_000), notices, "nothing")
            .list(Cut {
                of: "strangers.facts",
                bound: "fixed",
                value: given as u64,
                given,
                left_out: lot.strangers.total.saturating_sub(given),
                at_least: false,
                rest: "`lotproof export`",
            })
    }

    /// Adds a list that goes on beyond its bound for nobody knows how long; nothing if it does not.
    fn uncounted(
        self,
        of: &'static str,
        (bound, value): (&'static str, u64),
        (given, left_out): (usize, u64),
        rest: &'static str,
    ) -> Self {
        self.list(Cut {
            of,
            bound,
            value,
            given,
            left_out: usize::try_from(left_out).unwrap_or(usize::MAX),
            at_least: true,
            rest,
        })
    }
}

#[cfg(test)]
mod tests {
    use lotproof::provenance::{Direction, Strangers};

    use super::*;

    fn walk(too_deep: u64, too_many: u64) -> Provenance {
        let left_out = LeftOut { too_deep, too_many };
        Provenance {
            root: "a".into(),
            direction: Direction::Up,
            nodes: Vec::new(),
            steps: Vec::new(),
            names: [].into(),
            truncated: left_out != LeftOut::default(),
            left_out,
        }
    }

    #[test]
    fn a_walk_names_the_bounds_that_it_reached() {
        for (too_deep, too_many, expected) in [
            (0, 0, vec![]),
            (3, 0, vec![("depth", 3)]),
            (0, 2, vec![("nodes", 2)]),
            (1, 2, vec![("depth", 1), ("nodes", 2)]),
        ] {
            let walk = walk(too_deep, too_many);
            let cuts = Cuts::of_walk(&walk, &Bounds::default());
            let named: Vec<_> = cuts.cuts.iter().map(|cut| (cut.bound, cut.left_out)).collect();
            assert_eq!((named, cuts.truncated), (expected, walk.truncated), "{walk:?}");
            assert!(cuts.cuts.iter().all(|cut| cut.at_least));
        }
    }

    #[test]
    fn a_lot_names_what_of_its_lineage_and_of_strangers_is_not_told() {
        let lot = |strangers, notices_truncated| LotSummary {
            lot: "a".into(),
            product: None,
            kind: None,
            class_lot: None,
            owner_of_identifier: None,
            makers: Vec::new(),
            handlers: Vec::new(),
            makers_open: false,
            claimed_makers: Vec::new(),
            reported_by: Vec::new(),
            made: Vec::new(),
            made_at_most: Vec::new(),
            made_unknown: false,
            used: Vec::new(),
            not_compared: Vec::new(),
            stock: Vec::new(),
            on_hold: false,
            recalled: false,
            noticed_through: Vec::new(),
            notices_truncated,
            unknown: false,
            anomalies: Vec::new(),
            facts: Vec::new(),
            strangers: Strangers {
                total: strangers,
                facts: Vec::new(),
            },
        };
        let lineage = |total, too_deep| Lineage {
            total,
            kinds: [].into(),
            nearest: Vec::new(),
            looked_at: 1,
            truncated: too_deep > 0,
            left_out: LeftOut {
                too_deep,
                too_many: 0,
            },
        };
        for (lot, lineage, expected) in [
            (lot(0, false), lineage(0, 0), vec![]),
            (
                lot(0, false),
                lineage(3, 0),
                vec![("lineage.nearest", "limit", 3)],
            ),
            (lot(0, false), lineage(0, 2), vec![("lineage", "fixed", 2)]),
            (
                lot(5, false),
                lineage(0, 0),
                vec![("strangers.facts", "fixed", 5)],
            ),
            (lot(0, true), lineage(0, 0), vec![("noticed_through", "fixed", 1)]),
        ] {
            let cuts = Cuts::default().lineage(&lineage, 10).of_summary(&lot);
            let named = cuts.cuts.iter().map(|cut| (cut.of, cut.bound, cut.left_out));
            assert_eq!(cuts.truncated, !expected.is_empty());
            assert_eq!(named.collect::<Vec<_>>(), expected);
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
