//! One lot at a glance: what it is, how much of it was made, used and is where, and every fact about it.

use serde::Serialize;

use super::{
    Anomaly, FactKey, Projection, StockRow, amount::Amount, fact::Role, graph::kind_name, history::History,
};
use crate::time::{EventTime, RecordedAt};

/// One fact about a lot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a row of independent answers, not a state"
)]
pub struct FactView {
    /// The event.
    pub event: FactKey,
    /// Where it stands in the log.
    pub leaf_index: u64,
    /// Zero-based in its statement.
    pub event_number: u32,
    /// Kind of event.
    pub kind: &'static str,
    /// When, as claimed.
    pub event_time: EventTime,
    /// When the ledger took it.
    pub recorded_at: RecordedAt,
    /// Whether it counts, or was corrected, voided or contradicted.
    pub counts: bool,
    /// Whether its signer may speak about this lot.
    pub standing: bool,
    /// Whether it was imported from another's document without his leave.
    pub reported: bool,
    /// Whether its key was compromised by the time it was recorded.
    pub tainted: bool,
}

/// One change of hands, or attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CustodyRow {
    /// The event.
    pub event: FactKey,
    /// Kind of event.
    pub kind: &'static str,
    /// When, as claimed.
    pub event_time: EventTime,
    /// Who acts.
    pub party: String,
    /// To whom it is shipped or handed, if named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facility: Option<String>,
    /// How much, in base units, if stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Amount>,
    /// The container, parent or class lot that moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// Whether the word of who acts counts for this lot.
    pub standing: bool,
}

/// One lot at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a row of independent answers, not a state"
)]
pub struct LotSummary {
    /// The identifier.
    pub lot: String,
    /// Declared product, or the GTIN of a GS1 identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Declared kind: `cam`, `cell`, `pack` ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The lot that a serial is a member of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_lot: Option<String>,
    /// Who owns the identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_of_identifier: Option<String>,
    /// Who made it.
    pub makers: Vec<String>,
    /// How much was made, by unit.
    pub made: Vec<Amount>,
    /// Whether some making does not say how much.
    pub made_unknown: bool,
    /// How much was used up or built in, by unit.
    pub used: Vec<Amount>,
    /// What is where.
    pub stock: Vec<StockRow>,
    /// On hold, by the latest word.
    pub on_hold: bool,
    /// Recalled, and not lifted or completed, by the latest word.
    pub recalled: bool,
    /// Whether nothing is known of how it was made.
    pub unknown: bool,
    /// What does not fit.
    pub anomalies: Vec<Anomaly>,
    /// Every fact about it, in order of event time.
    pub facts: Vec<FactView>,
}

impl Projection {
    /// One lot at a glance. Nothing if the log has no event about it.
    pub fn lot(&self, lot: &str) -> Option<LotSummary> {
        let key = self.known(lot)?;
        let history = self.history(key);
        let product = self.product_of(&history);
        let made = self.made(&history);
        let mut used = super::amount::Tally::default();
        for taken in self.uses(&history) {
            if let Some(amount) = taken.amount.filter(|_| !taken.returned) {
                used.add(Some(&amount));
            }
        }
        for (unit, back) in &self.came_back(&history).sums {
            if let Some(sum) = used.sums.get_mut(unit) {
                *sum -= back;
            }
        }
        let mut makers: Vec<String> = history
            .makings
            .iter()
            .map(|making| self.symbols.name(self.operator(making.touch.fact)).to_owned())
            .collect();
        makers.sort();
        makers.dedup();
        let latest = |on: Role, off: Role| {
            history
                .moments
                .iter()
                .rfind(|moment| {
                    (moment.role == on || moment.role == off)
                        && self.has_standing(&history, moment.touch.fact)
                })
                .is_some_and(|moment| moment.role == on)
        };
        Some(LotSummary {
            lot: lot.to_owned(),
            kind: product
                .and_then(|product| self.product_declaration(product))
                .map(|declared| declared.kind.clone()),
            product: product.and_then(|product| self.text(product)),
            class_lot: self.class_of(&history).map(|class| self.name(class)),
            owner_of_identifier: history.owner.and_then(|owner| self.text(owner)),
            makers,
            made: made.amounts(),
            made_unknown: made.unknown,
            used: used.amounts(),
            stock: self.stock(&history),
            on_hold: latest(Role::Held, Role::Released),
            recalled: latest(Role::Recalled, Role::RecallEnded),
            unknown: !history.is_made(),
            anomalies: self.anomalies_of(lot),
            facts: self.fact_views(&history),
        })
    }

    fn fact_views(&self, history: &History) -> Vec<FactView> {
        let mut numbers: Vec<u32> = history
            .moments
            .iter()
            .filter(|moment| moment.via.is_none())
            .map(|moment| moment.touch.fact)
            .chain(history.out_of_count.iter().map(|touch| touch.fact))
            .collect();
        numbers.sort_by(|a, b| self.order(*a).cmp(&self.order(*b)));
        numbers.dedup();
        numbers
            .into_iter()
            .map(|number| {
                let fact = self.fact(number);
                FactView {
                    event: self.key_of(number),
                    leaf_index: fact.place.leaf_index.get(),
                    event_number: fact.place.event_number,
                    kind: kind_name(fact.kind),
                    event_time: EventTime::from_nanos(fact.event_time),
                    recorded_at: RecordedAt::from_nanos(fact.recorded_at),
                    counts: self.counts(number),
                    standing: self.has_standing(history, number),
                    reported: !self.is_own_word(number),
                    tainted: self.is_tainted(number),
                }
            })
            .collect()
    }

    /// Who had a lot in hand, in order of event time. Nothing if the log has no event about it.
    pub fn custody(&self, lot: &str) -> Option<Vec<CustodyRow>> {
        let history = self.history(self.known(lot)?);
        let rows = history
            .moments
            .iter()
            .filter(|moment| moment.role.moves() || moment.role.makes() || moment.role == Role::Sold)
            .map(|moment| {
                let number = moment.touch.fact;
                let fact = self.fact(number);
                CustodyRow {
                    event: self.key_of(number),
                    kind: kind_name(fact.kind),
                    event_time: EventTime::from_nanos(fact.event_time),
                    party: self.symbols.name(self.actor(number)).to_owned(),
                    to: fact.reading.to.named().and_then(|party| self.text(party)),
                    facility: self.text(fact.reading.facility),
                    quantity: match moment.via {
                        None => self.amount(self.leg(moment.touch), history.key.into()),
                        Some(_) => None,
                    },
                    via: moment.via.map(|via| self.name(via)),
                    standing: self.has_standing(&history, number),
                }
            })
            .collect();
        Some(rows)
    }
}
