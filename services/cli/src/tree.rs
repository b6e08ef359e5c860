//! A walk through the graph of lots as text: each lot and each step once, siblings of one making together.
//!
//! ```text
//! 01/09523016000013/21/S0000000001, module
//!  - assemble_module by Baram Module Co., Ltd., Baram module plant (KR), entry 54
//!    1 piece of 01/09523014000039/21/S0000000001, cell
//!     - form: reported by Importer Inc., who says that Twin Lines Cell Co., Ltd. did it, entry 50
//!    and 7 more like it, to 01/09523014000039/21/S0000000008
//! not followed: 4 lots more than 64 steps away, nor what lies behind them (--depth)
//! ```
//!
//! What is not certain is marked where it stands, and what the bounds cut off is said at the end.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write as _,
};

use lotproof::provenance::{Bounds, Direction, LeftOut, Node, Provenance, Step, StepItem};

use crate::words::{amount_of, range, short, time};

/// How far lines are indented at most: what lies deeper is told where it is nearer, or named at the end.
const LEVELS_MAX: usize = 256;

/// The tree of a walk within these bounds, as lines.
pub(crate) fn tree(walk: &Provenance, bounds: &Bounds) -> String {
    let mut printer = Printer::new(walk);
    printer.lot("", &walk.root, None, 0);
    for line in left_out(&walk.left_out, bounds) {
        printer.line(0, format_args!("{line}"));
    }
    printer.out
}

/// What a walk did not follow, in words.
pub(crate) fn left_out(left_out: &LeftOut, bounds: &Bounds) -> Vec<String> {
    let LeftOut { too_deep, too_many } = *left_out;
    let deep = (too_deep > 0).then(|| {
        format!(
            "not followed: {too_deep} lots more than {} steps away, nor what lies behind them (--depth)",
            bounds.depth_max
        )
    });
    let many = (too_many > 0).then(|| {
        format!(
            "not followed: {too_many} lots beyond the first {}, nor what lies behind them (--nodes)",
            bounds.nodes_max
        )
    });
    deep.into_iter().chain(many).collect()
}

struct Printer<'a> {
    walk: &'a Provenance,
    nodes: BTreeMap<&'a str, &'a Node>,
    /// Steps by the lots on the side from which the walk comes, by their places in the walk.
    steps_at: HashMap<&'a str, Vec<usize>>,
    /// The same for runs of serials.
    steps_at_runs: Vec<(&'a StepItem, usize)>,
    out: String,
    /// Lots that have a line.
    lots: BTreeSet<&'a str>,
    /// Steps that have a line.
    told: BTreeSet<usize>,
}

/// One line of a step's lots.
struct Row<'a> {
    amount: String,
    lot: &'a str,
    last: Option<&'a str>,
    item: &'a StepItem,
}

/// Siblings that would print the same as the one before them.
#[derive(Clone, Copy, Default)]
struct Likes<'a> {
    count: u64,
    last: &'a str,
}

impl<'a> Printer<'a> {
    fn new(walk: &'a Provenance) -> Self {
        let mut steps_at: HashMap<&'a str, Vec<usize>> = HashMap::new();
        let mut steps_at_runs = Vec::new();
        for (place, step) in walk.steps.iter().enumerate() {
            let near = match walk.direction {
                Direction::Up => &step.outputs,
                Direction::Down => &step.inputs,
            };
            for item in near {
                if item.last.is_some() {
                    steps_at_runs.push((item, place));
                } else {
                    steps_at.entry(item.lot.as_str()).or_default().push(place);
                }
            }
        }
        Self {
            walk,
            nodes: walk.nodes.iter().map(|node| (node.lot.as_str(), node)).collect(),
            steps_at,
            steps_at_runs,
            out: String::new(),
            lots: BTreeSet::new(),
            told: BTreeSet::new(),
        }
    }

    fn line(&mut self, depth: usize, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "{}{text}", "   ".repeat(depth));
    }

    /// One lot, or run of serials, with all steps behind it.
    fn lot(&mut self, amount: &str, lot: &'a str, item: Option<&'a StepItem>, depth: usize) {
        let node = self.nodes.get(lot).copied();
        let last = match (node, item) {
            (Some(node), _) => node.last.as_deref(),
            (None, item) => item.and_then(|item| item.last.as_deref()),
        };
        let name = range(lot, last);
        let until = item.and_then(|item| item.until);
        let until = until.map_or_else(String::new, |until| format!(", taken out again {}", time(until)));
        let Some(node) = node else {
            let why = if self.walk.truncated {
                "not followed"
            } else {
                "not followed: its signer has no standing in it"
            };
            self.line(depth, format_args!("{amount}{name}{until} ({why})"));
            return;
        };
        if depth >= LEVELS_MAX {
            self.line(
                depth,
                format_args!("{amount}{name}{until} (too deep for this page: ask for this lot)"),
            );
            return;
        }
        if !self.lots.insert(lot) {
            self.line(depth, format_args!("{amount}{name}{until} (above)"));
            return;
        }
        let steps = self.steps_of(lot);
        let news: Vec<usize> = steps
            .iter()
            .copied()
            .filter(|step| !self.told.contains(step))
            .collect();
        let note = if node.unknown {
            ": how it was made is not stated"
        } else if !steps.is_empty() && news.is_empty() {
            " (with those above)"
        } else {
            ""
        };
        self.line(depth, format_args!("{amount}{name}{}{until}{note}", marks(node)));
        for step in news {
            // Another lot on the way down may have told it meanwhile.
            if self.told.insert(step)
                && let Some(step) = self.walk.steps.get(step)
            {
                self.step(step, depth);
            }
        }
    }

    fn step(&mut self, step: &'a Step, depth: usize) {
        let text = step_line(self.walk, step);
        self.line(depth, format_args!(" - {text}"));
        let items = match self.walk.direction {
            Direction::Up => &step.inputs,
            Direction::Down => &step.outputs,
        };
        let mut before: Option<Row<'a>> = None;
        let mut likes = Likes::default();
        for row in items.iter().flat_map(|item| self.rows(item)).collect::<Vec<_>>() {
            if before.as_ref().is_some_and(|before| self.is_like(before, &row)) {
                self.lots.insert(row.lot);
                likes.count += self.nodes.get(row.lot).map_or(1, |node| node.count);
                likes.last = row.last.unwrap_or(row.lot);
            } else {
                self.likes(std::mem::take(&mut likes), depth + 1);
                self.lot(&row.amount, row.lot, Some(row.item), depth + 1);
            }
            before = Some(row);
        }
        self.likes(likes, depth + 1);
    }

    /// One item of a step as rows: a run of serials that went different ways has one for each way.
    fn rows(&self, item: &'a StepItem) -> Vec<Row<'a>> {
        let pieces = self.pieces(item);
        if pieces.len() < 2 {
            return vec![Row {
                amount: amount_of(item),
                lot: &item.lot,
                last: item.last.as_deref(),
                item,
            }];
        }
        let rows = pieces.into_iter().map(|piece| Row {
            amount: match piece.count {
                1 => "1 piece of ".to_owned(),
                count => format!("{count} pieces of "),
            },
            lot: &piece.lot,
            last: piece.last.as_deref(),
            item,
        });
        rows.collect()
    }

    /// The lots of the walk that an item is.
    fn pieces(&self, item: &StepItem) -> Vec<&'a Node> {
        let last = item.last.as_deref().unwrap_or(&item.lot);
        self.nodes
            .range(item.lot.as_str()..=last)
            .filter(|(lot, _)| lot.len() == item.lot.len())
            .map(|(_, node)| *node)
            .collect()
    }

    fn likes(&mut self, likes: Likes<'_>, depth: usize) {
        if likes.count > 0 {
            let Likes { count, last } = likes;
            self.line(
                depth,
                format_args!("and {count} more like it, to {}", short(last)),
            );
        }
    }

    /// Whether a row would print as the one before it, but for its serial.
    fn is_like(&self, before: &Row<'_>, row: &Row<'_>) -> bool {
        let stem = |lot: &str| lot.rsplit_once('/').map(|(stem, _)| stem.to_owned());
        let looks = |lot: &str| self.nodes.get(lot).map(|node| (node.unknown, marks(node)));
        row.lot.contains("/21/")
            && !self.lots.contains(row.lot)
            && stem(before.lot) == stem(row.lot)
            && before.amount == row.amount
            && before.item.until == row.item.until
            && looks(before.lot) == looks(row.lot)
            && self.steps_of(row.lot).iter().all(|step| self.told.contains(step))
    }

    /// The steps that have the lot on the side from which the walk came, in the order met.
    fn steps_of(&self, lot: &str) -> Vec<usize> {
        let mut steps = self.steps_at.get(lot).cloned().unwrap_or_default();
        let runs = self.steps_at_runs.iter().filter(|(run, _)| {
            // A run of serials, which are of one length.
            run.last
                .as_deref()
                .is_some_and(|last| lot.len() == run.lot.len() && (run.lot.as_str()..=last).contains(&lot))
        });
        steps.extend(runs.map(|(_, step)| *step));
        steps.sort_unstable();
        steps.dedup();
        steps
    }
}

/// What of a lot is more than its name.
fn marks(node: &Node) -> String {
    let mut marks = node
        .kind
        .as_ref()
        .map_or_else(String::new, |kind| format!(", {kind}"));
    if node.possible {
        marks.push_str(" (possible, not certain)");
    }
    if !node.anomalies.is_empty() {
        let kinds: Vec<&str> = node.anomalies.iter().map(|kind| kind.as_str()).collect();
        let _ = write!(marks, " (contradicted: {})", kinds.join(", "));
    }
    marks
}

/// One step: what, by whose word, where, and what is not certain about it.
pub(crate) fn step_line(walk: &Provenance, step: &Step) -> String {
    let name = |id: &str| {
        let name = walk.names.get(id).map(String::as_str);
        name.unwrap_or_else(|| short(id)).to_owned()
    };
    let what = step.step.as_deref().unwrap_or(step.kind);
    let principal = step.on_behalf_of.as_ref();
    let principal = principal.map_or_else(String::new, |party| format!(" for {}", name(party)));
    let mut line = match (&step.reported_by, &step.operator) {
        (Some(by), Some(operator)) => format!(
            "{what}: reported by {}, who says that {} did it{principal}",
            name(by),
            name(operator)
        ),
        (Some(by), None) => format!(
            "{what}: reported by {}, who does not say who did it{principal}",
            name(by)
        ),
        (None, Some(operator)) => format!("{what} by {}{principal}", name(operator)),
        (None, None) => format!("{what}{principal}"),
    };
    if let Some(facility) = &step.facility {
        let _ = write!(line, ", {}", name(facility));
    }
    if let Some(country) = &step.country {
        let _ = write!(line, " ({country})");
    }
    let _ = write!(line, ", entry {}", step.leaf_index);
    if !step.more_events.is_empty() {
        let run = step
            .run
            .as_deref()
            .map_or_else(String::new, |run| format!(" of run {}", short(run)));
        let _ = write!(line, ", told in {} events{run}", step.more_events.len() + 1);
    }
    if step.contested {
        line.push_str(" (contested: another version, a correction or a void of it does not count yet)");
    }
    if !step.standing && !step.reported {
        line.push_str(" (whoever signed it has no part in what came out)");
    }
    line
}

#[cfg(test)]
pub(crate) mod tests;
