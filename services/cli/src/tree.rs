//! A walk through the graph of lots as text: each lot and each step once, siblings of one making together.
//!
//! ```text
//! 01/09523016000013/21/S0000000001, module
//!  - assemble_module by Baram Module Co., Ltd., Baram module plant (KR), entry 54
//!    1 piece of 01/09523014000039/21/S0000000001, cell
//!     - form by ...
//!    and 7 more like it, to 01/09523014000039/21/S0000000008
//! ```

use std::{collections::BTreeSet, fmt::Write as _};

use lotproof::provenance::{Direction, Node, Provenance, Step, StepItem};

/// The tree of a walk, as lines.
pub(crate) fn tree(walk: &Provenance) -> String {
    let mut printer = Printer {
        walk,
        out: String::new(),
        lots: BTreeSet::new(),
        steps: BTreeSet::new(),
    };
    printer.lot("", &walk.root, 0);
    printer.out
}

struct Printer<'a> {
    walk: &'a Provenance,
    out: String,
    /// Lots that have a line.
    lots: BTreeSet<&'a str>,
    /// Steps that have a line, by place.
    steps: BTreeSet<(u64, u32)>,
}

/// Siblings that would print the same as the one before them.
#[derive(Clone, Copy, Default)]
struct Likes<'a> {
    count: u64,
    last: &'a str,
}

impl<'a> Printer<'a> {
    fn line(&mut self, depth: usize, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "{}{text}", "   ".repeat(depth));
    }

    fn lot(&mut self, amount: &str, lot: &'a str, depth: usize) {
        if !self.lots.insert(lot) {
            self.line(depth, format_args!("{amount}{} (above)", short(lot)));
            return;
        }
        let node = self.node(lot);
        let kind = node.and_then(|node| node.kind.as_ref());
        let kind = kind.map_or_else(String::new, |kind| format!(", {kind}"));
        let steps: Vec<&'a Step> = self
            .walk
            .steps
            .iter()
            .filter(|step| self.near(step, lot))
            .collect();
        let note = if node.is_some_and(|node| node.unknown) {
            ": how it was made is not stated"
        } else if !steps.is_empty() && !self.has_news(lot) {
            " (with those above)"
        } else {
            ""
        };
        self.line(depth, format_args!("{amount}{}{kind}{note}", short(lot)));
        for step in steps {
            if self.steps.insert(place(step)) {
                self.step(step, depth);
            }
        }
    }

    fn step(&mut self, step: &'a Step, depth: usize) {
        let at = match (&step.facility, &step.country) {
            (Some(facility), Some(country)) => format!(", {} ({country})", self.name(facility)),
            (Some(facility), None) => format!(", {}", self.name(facility)),
            (None, _) => String::new(),
        };
        let principal = step.on_behalf_of.as_ref();
        let principal = principal.map_or_else(String::new, |party| format!(" for {}", self.name(party)));
        let what = step.step.as_deref().unwrap_or(step.kind);
        let who = self.name(&step.operator);
        self.line(
            depth,
            format_args!(" - {what} by {who}{principal}{at}, entry {}", step.leaf_index),
        );
        let items = match self.walk.direction {
            Direction::Up => &step.inputs,
            Direction::Down => &step.outputs,
        };
        let mut before: Option<&'a StepItem> = None;
        let mut likes = Likes::default();
        for item in items {
            if before.is_some_and(|before| self.is_like(before, item)) {
                self.lots.insert(&item.lot);
                likes.count += 1;
                likes.last = item.last.as_ref().unwrap_or(&item.lot);
            } else {
                self.likes(std::mem::take(&mut likes), depth + 1);
                self.lot(&amount(item), &item.lot, depth + 1);
            }
            before = Some(item);
        }
        self.likes(likes, depth + 1);
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

    /// Whether an item would print as the one before it, but for its serial.
    fn is_like(&self, before: &StepItem, item: &StepItem) -> bool {
        let stem = |lot: &str| lot.rsplit_once('/').map(|(stem, _)| stem.to_owned());
        let unknown = |lot: &str| self.node(lot).map(|node| node.unknown);
        item.lot.contains("/21/")
            && !self.lots.contains(item.lot.as_str())
            && stem(&before.lot) == stem(&item.lot)
            && before.quantity == item.quantity
            && unknown(&before.lot) == unknown(&item.lot)
            && !self.has_news(&item.lot)
    }

    /// Whether a lot's own lines would say something new.
    fn has_news(&self, lot: &str) -> bool {
        self.walk
            .steps
            .iter()
            .any(|step| self.near(step, lot) && !self.steps.contains(&place(step)))
    }

    /// Whether a step has the lot on the side from which the walk came.
    fn near(&self, step: &Step, lot: &str) -> bool {
        let items = match self.walk.direction {
            Direction::Up => &step.outputs,
            Direction::Down => &step.inputs,
        };
        items.iter().any(|item| {
            item.lot == lot
                // A run of serials, which are of one length.
                || item.last.as_deref().is_some_and(|last| {
                    lot.len() == item.lot.len() && (item.lot.as_str()..=last).contains(&lot)
                })
        })
    }

    fn node(&self, lot: &str) -> Option<&'a Node> {
        self.walk.nodes.iter().find(|node| node.lot == lot)
    }

    fn name(&self, id: &str) -> String {
        let name = self.walk.names.get(id).map(String::as_str);
        name.unwrap_or_else(|| short(id)).to_owned()
    }
}

fn place(step: &Step) -> (u64, u32) {
    (step.leaf_index, step.event_number)
}

/// How much of an item, for people, with a word between it and the item.
fn amount(item: &StepItem) -> String {
    match &item.quantity {
        Some(quantity) => format!("{quantity} of "),
        None if item.sealed => "a sealed amount of ".to_owned(),
        None => String::new(),
    }
}

/// GS1 identifiers without the part that all share.
fn short(identifier: &str) -> &str {
    identifier
        .strip_prefix("https://id.gs1.org/")
        .unwrap_or(identifier)
}

/// A word of an answer, as JSON has it.
pub(crate) fn word(value: &impl serde::Serialize) -> anyhow::Result<String> {
    let json = serde_json::to_value(value)?;
    Ok(json.as_str().unwrap_or_default().to_owned())
}
