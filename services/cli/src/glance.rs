//! One lot at a glance as text: how much there is and where, who had it, what does not fit, and what was left out.
//!
//! ```text
//! 01/09521231100013/10/CAM-2602-A
//!    made        1200 kg by Hanbit Cathode Co., Ltd.
//!    used up     797.5 kg
//!    stock       402.5 kg with Elbtal Zellen GmbH, Dresden cell plant
//! ```

use std::{collections::BTreeMap, fmt::Write as _};

use lotproof::provenance::{
    Bounds, CustodyRow, FactView, Lineage, LotSummary, Projection, StockRow, Strangers, Weight,
};

use crate::{
    tree::left_out,
    words::{count, first_few, list, range, short, time},
};

/// Most places of stock, and changes of hands, that are listed.
const ROWS_MAX: usize = 20;
/// Most signers and kinds of what strangers said that are listed.
const STRANGERS_MAX: usize = 5;
/// Most anomalies that are listed.
pub(crate) const NEAREST_MAX: usize = 20;

/// Tells about a lot in the names that the authority registered.
pub(crate) struct Glance<'a> {
    projection: &'a Projection,
    out: String,
}

/// A lot at a glance, as lines.
pub(crate) fn glance(projection: &Projection, lot: &LotSummary, custody: &[CustodyRow]) -> String {
    let mut glance = Glance {
        projection,
        out: format!("{}{}\n", short(&lot.lot), comma(lot.kind.as_deref())),
    };
    glance.making(lot);
    glance.whereabouts(lot);
    glance.notices(lot);
    glance.hands(custody);
    glance.strangers(&lot.strangers);
    glance.out
}

/// What does not fit at a lot and behind it, as lines.
pub(crate) fn contradictions(projection: &Projection, lot: &str, lineage: &Lineage) -> String {
    let mut glance = Glance {
        projection,
        out: String::new(),
    };
    glance.lineage(lot, lineage);
    glance.out
}

/// A sentence with the names that the authority registered, where it has identifiers.
pub(crate) fn in_words(projection: &Projection, sentence: &str) -> String {
    let words = sentence.split(' ').map(|word| {
        let name = word
            .contains(':')
            .then(|| projection.registered_name(word))
            .flatten();
        name.unwrap_or_else(|| short(word).to_owned())
    });
    words.collect::<Vec<_>>().join(" ")
}

fn comma(text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| format!(", {text}"))
}

impl Glance<'_> {
    fn name(&self, id: &str) -> String {
        self.projection
            .registered_name(id)
            .unwrap_or_else(|| short(id).to_owned())
    }

    fn names(&self, ids: &[String]) -> String {
        let names: Vec<String> = ids.iter().map(|id| self.name(id)).collect();
        first_few(&names)
    }

    fn row(&mut self, title: &str, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "   {title:<12}{text}");
    }

    fn making(&mut self, lot: &LotSummary) {
        if lot.unknown {
            self.row("made", format_args!("how it was made is not stated"));
            return;
        }
        let how_much = match (lot.made.first(), lot.made_at_most.first(), lot.made_unknown) {
            (Some(least), Some(most), _) => {
                format!("{least} to {most}: two statements may be about one making or about two")
            }
            (Some(least), None, true) => format!("at least {least}, one making does not say how much"),
            (Some(made), None, false) => made.to_string(),
            (None, _, _) => "an amount that is not stated".to_owned(),
        };
        let own: Vec<String> = lot
            .makers
            .iter()
            .filter(|maker| !lot.claimed_makers.contains(maker))
            .cloned()
            .collect();
        let by = if own.is_empty() {
            String::new()
        } else {
            format!(" by {}", self.names(&own))
        };
        self.row("made", format_args!("{how_much}{by}"));
        if lot.makers_open {
            self.row(
                "",
                format_args!("who made it before it was handled is not stated"),
            );
        }
        if !lot.handlers.is_empty() {
            let by = self.names(&lot.handlers);
            self.row("handled", format_args!("by {by}, who made nothing of it"));
        }
        if !lot.reported_by.is_empty() {
            let says = if lot.claimed_makers.is_empty() {
                "without saying who made it".to_owned()
            } else {
                format!("saying that {} made it", self.names(&lot.claimed_makers))
            };
            let by = self.names(&lot.reported_by);
            self.row("", format_args!("reported by {by}, {says}"));
        }
    }

    fn whereabouts(&mut self, lot: &LotSummary) {
        for used in &lot.used {
            self.row("used up", format_args!("{used}"));
        }
        for (at, row) in lot.stock.iter().take(ROWS_MAX).enumerate() {
            let mut text = self.stock(row);
            // Of a document, nobody but its importer is known to say so.
            if row
                .holder
                .as_ref()
                .is_some_and(|holder| lot.reported_by.contains(holder))
            {
                text.push_str(", who only reports it");
            }
            self.row(if at == 0 { "stock" } else { "" }, format_args!("{text}"));
        }
        let more = lot.stock.len().saturating_sub(ROWS_MAX);
        if more > 0 {
            self.row("", format_args!("and {more} more places (--json has them all)"));
        }
        if !lot.not_compared.is_empty() {
            let who = self.names(&lot.not_compared);
            self.row(
                "not compared",
                format_args!(": amounts of {who}, in units that nothing relates to those of the lot"),
            );
        }
    }

    fn stock(&self, row: &StockRow) -> String {
        let (least, most) = (&row.at_least, &row.at_most);
        let mut text = if least == most {
            most.to_string()
        } else {
            format!("{} to {most}", least.value)
        };
        match (&row.holder, &row.from, &row.to) {
            (Some(holder), _, _) => {
                let _ = write!(text, " with {}", self.name(holder));
            }
            (None, Some(from), Some(to)) => {
                let _ = write!(text, " under way from {} to {}", self.name(from), self.name(to));
            }
            (None, from, to) => {
                let from = from.as_ref().map(|from| format!(" from {}", self.name(from)));
                let to = to.as_ref().map(|to| format!(" to {}", self.name(to)));
                let _ = write!(
                    text,
                    " under way{}{}",
                    from.unwrap_or_default(),
                    to.unwrap_or_default()
                );
            }
        }
        if let Some(place) = &row.place {
            let _ = write!(text, ", {}", self.name(place));
        }
        if let Some(parent) = &row.parent {
            let _ = write!(text, ", in {}", short(parent));
        }
        text
    }

    fn notices(&mut self, lot: &LotSummary) {
        let word = match (lot.on_hold, lot.recalled) {
            (true, true) => "on hold and recalled",
            (true, false) => "on hold",
            (false, true) => "recalled",
            (false, false) => "",
        };
        if !word.is_empty() {
            let through = lot.noticed_through.iter().map(|lot| short(lot).to_owned());
            let through = first_few(&through.collect::<Vec<_>>());
            self.row("notice", format_args!("{word}, through {through}"));
        }
        if lot.notices_truncated {
            self.row(
                "",
                format_args!("not all lots were looked at for holds and recalls: there are more than 10,000"),
            );
        }
    }

    fn hands(&mut self, custody: &[CustodyRow]) {
        // The newest say where it is now.
        let skipped = custody.len().saturating_sub(ROWS_MAX);
        if skipped > 0 {
            let earlier = count(skipped, "earlier change");
            self.row(
                "in hand",
                format_args!("{earlier} of hands not listed (--json has them all)"),
            );
        }
        for (at, row) in custody.iter().skip(skipped).enumerate() {
            let title = if at == 0 && skipped == 0 { "in hand" } else { "" };
            let to = row.to.as_ref().map(|to| format!(" to {}", self.name(to)));
            let who = match (&row.party, &row.reported_by) {
                (Some(party), None) => self.name(party),
                (Some(party), Some(by)) => {
                    format!(
                        "reported by {}, who says that it was {}",
                        self.name(by),
                        self.name(party)
                    )
                }
                (None, by) => format!(
                    "reported by {}, who does not say who",
                    by.as_deref()
                        .map_or_else(|| "somebody".to_owned(), |by| self.name(by))
                ),
            };
            let much = row.quantity.as_ref().map(|much| format!(" {much}"));
            let via = row.via.as_ref().map(|via| format!(" in {}", short(via)));
            let text = format!(
                "{} {who}: {}{}{}{}",
                time(row.event_time),
                row.kind,
                much.unwrap_or_default(),
                to.unwrap_or_default(),
                via.unwrap_or_default(),
            );
            self.row(title, format_args!("{text}"));
        }
    }

    /// What strangers said: short, and apart from all that counts.
    fn strangers(&mut self, strangers: &Strangers) {
        if strangers.said_nothing() {
            return;
        }
        let said = count(strangers.total, "statement");
        self.row(
            "set aside",
            format_args!("{said} by parties without any part in this lot; none of it is in anything above"),
        );
        let mut by: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for FactView { event, kind, .. } in &strangers.facts {
            *by.entry((&event.issuer, kind)).or_default() += 1;
        }
        let mut told = 0;
        for ((issuer, kind), times) in by.into_iter().take(STRANGERS_MAX) {
            told += times;
            let who = self.name(issuer);
            self.row("", format_args!("{times} {kind} by {who}"));
        }
        let more = strangers.total.saturating_sub(told);
        if more > 0 {
            self.row("", format_args!("and {more} more"));
        }
    }

    fn lineage(&mut self, lot: &str, lineage: &Lineage) {
        let looked_at = count(lineage.looked_at, "lot");
        if lineage.total == 0 {
            let _ = writeln!(
                self.out,
                "no contradiction at the lot or behind it; {looked_at} looked at"
            );
        } else {
            let kinds = list(
                lineage
                    .kinds
                    .iter()
                    .map(|(kind, count)| format!("{count} {}", kind.as_str())),
            );
            let found = count(lineage.total, "contradiction");
            let _ = writeln!(
                self.out,
                "{found} at the lot or behind it, {looked_at} looked at: {kinds} (see docs/anomalies.md)"
            );
        }
        for row in lineage.nearest.iter().take(NEAREST_MAX) {
            let anomaly = &row.anomaly;
            let signer = self.name(&anomaly.signer);
            let weight = match anomaly.weighs_on {
                Weight::Lot => format!("weighs on the lot, by the word of {signer}"),
                Weight::Signer => format!("weighs on {signer} and what came of it there"),
            };
            let depth = match row.depth {
                0 if anomaly.lot == lot => "here".to_owned(),
                0 => "in a step that made it".to_owned(),
                depth => format!("{} up", count(depth as usize, "step")),
            };
            let _ = writeln!(
                self.out,
                "   {depth}: {} at {}, {weight}: {}",
                anomaly.kind.as_str(),
                range(&anomaly.lot, anomaly.last.as_deref()),
                in_words(self.projection, &anomaly.detail)
            );
        }
        let more = lineage
            .total
            .saturating_sub(lineage.nearest.len().min(NEAREST_MAX));
        if more > 0 {
            let _ = writeln!(self.out, "   and {more} more, further up");
        }
        for line in left_out(&lineage.left_out, &Bounds::default()) {
            let line = line.split(" (--").next().unwrap_or_default();
            let _ = writeln!(self.out, "   {line}");
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
