//! One lot at a glance: what it is, how much of it was made, used and is where, and every fact about it.

use serde::Serialize;

use super::{
    super::{
        FactKey, amount::Amount, filing::fact::Role, gate::Gate, gate::amend::Counted, memory::Declared,
    },
    anomaly::Anomaly,
    graph::kind_name,
    history::{self, History},
    lineage, maker, notice, party, product,
    stock::{self, StockRow},
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
    /// Whether something that does not count yet would change it.
    pub contested: bool,
    /// Whether it was imported from another's document without his leave: then `event` names the importer.
    pub reported: bool,
    /// Of an imported event: the party that the document says it is of, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_party: Option<String>,
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
    /// Who acts; of an imported event, whom its document claims, if it names anybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// Who imported it, if it is not the party's own word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_by: Option<String>,
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
    /// Who made it: on own words, or as imported documents claim (then see `reported_by`). Where the last step
    /// made nothing of a higher stage, the makers of what went into it too.
    pub makers: Vec<String>,
    /// Who gave it another number, divided it or put it together, and made nothing of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub handlers: Vec<String>,
    /// Whether some of it was only handled, and nobody says who made it before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub makers_open: bool,
    /// Of the makers, those that only imported documents name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claimed_makers: Vec<String>,
    /// Who imported what is known of how it was made, where its maker did not say so himself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reported_by: Vec<String>,
    /// How much was made; none if nobody says. At least this much, if `made_at_most` is given too.
    pub made: Vec<Amount>,
    /// How much was made at most, where two tellings may be of one making or of two.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub made_at_most: Vec<Amount>,
    /// Whether some making does not say how much.
    pub made_unknown: bool,
    /// How much was used up or built in and not taken out again.
    pub used: Vec<Amount>,
    /// Holders whose quantities are in units that cannot be compared with those of the lot: their accounts are
    /// not balanced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
    /// What is where.
    pub stock: Vec<StockRow>,
    /// On hold, by the latest word about it, about a lot that it is or was a member of, or about a part of it.
    pub on_hold: bool,
    /// Recalled, and not lifted or completed, in the same way.
    pub recalled: bool,
    /// The lots whose hold or recall reaches it, nearest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub noticed_through: Vec<String>,
    /// Whether there were too many lots to look at them all for holds and recalls.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub notices_truncated: bool,
    /// Whether nothing is known of how it was made.
    pub unknown: bool,
    /// What does not fit.
    pub anomalies: Vec<Anomaly>,
    /// Every fact about it, in order of event time.
    pub facts: Vec<FactView>,
    /// What parties without any part in it said about it. None of it is in anything above.
    #[serde(skip_serializing_if = "Strangers::said_nothing")]
    pub strangers: Strangers,
}

/// What parties without any part in a lot said about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Strangers {
    /// How many facts.
    pub total: usize,
    /// The first of them in order of event time, at most a hundred.
    pub facts: Vec<FactView>,
}

impl Strangers {
    /// Whether there is nothing to tell.
    pub const fn said_nothing(&self) -> bool {
        self.total == 0
    }
}

/// Most of what strangers said that is told.
const STRANGERS_MAX: usize = 100;

/// One lot at a glance. Nothing if the log has no event about it.
pub(in crate::provenance) fn of(gate: Gate<'_>, lot: &str) -> Option<LotSummary> {
    let key = gate.known(lot)?;
    let history = history::of(gate, key);
    let books = super::books_of(gate, &history);
    let product = product::of_lot(gate, &history);
    let notices = notice::of(gate, key);
    let hands = maker::of(gate, &history);
    let made = &books.made.total;
    let known = made.at_most.as_ref();
    let is_open = known.is_some_and(|most| *most != made.at_least);
    let used = books.used();
    let mut not_compared: Vec<String> = books
        .accounts
        .iter()
        .filter(|(_, account)| account.not_compared)
        .map(|(party, _)| gate.symbols.name(*party).to_owned())
        .collect();
    not_compared.sort();
    let mut strangers: Vec<u32> = history.strangers.iter().map(|(fact, _)| *fact).collect();
    strangers.dedup();
    let mut noticed_through = notices.held.clone();
    noticed_through.extend(notices.recalled.iter().cloned());
    noticed_through.dedup();
    let mut facts: Vec<u32> = history
        .direct()
        .map(|moment| moment.touch.fact)
        .chain(history.out_of_count.iter().copied())
        .collect();
    facts.sort_by(|a, b| gate.compare(*a, *b));
    facts.dedup();
    Some(LotSummary {
        lot: lot.to_owned(),
        kind: product
            .and_then(|product| product::declared(gate, product))
            .map(|Declared { declared, .. }| declared.kind.clone()),
        product: product.and_then(|product| gate.text(product)),
        class_lot: history.classes.last().map(|class| gate.name(*class)),
        owner_of_identifier: history.owner.and_then(|owner| gate.text(owner)),
        makers: hands.makers,
        handlers: hands.handlers,
        makers_open: hands.makers_open,
        claimed_makers: party::claimed_makers(gate, &history),
        reported_by: party::reporters(gate, &history),
        made: (history.is_made() && (known.is_some() || !made.at_least.is_zero()))
            .then(|| books.amount(made.at_least.clone()))
            .into_iter()
            .collect(),
        made_at_most: known
            .filter(|_| is_open)
            .map(|most| books.amount(most.clone()))
            .into_iter()
            .collect(),
        made_unknown: known.is_none(),
        used: (!used.at_least.is_zero())
            .then(|| books.amount(used.at_least))
            .into_iter()
            .collect(),
        not_compared,
        stock: stock::of(gate, &history, &books),
        on_hold: !notices.held.is_empty(),
        recalled: !notices.recalled.is_empty(),
        noticed_through,
        notices_truncated: notices.truncated,
        unknown: books.made.is_unknown(&history),
        anomalies: lineage::anomalies_of(gate, lot),
        facts: fact_views(gate, &history, &facts),
        strangers: Strangers {
            total: strangers.len(),
            facts: fact_views(
                gate,
                &history,
                strangers.get(..STRANGERS_MAX).unwrap_or(&strangers),
            ),
        },
    })
}

fn fact_views(gate: Gate<'_>, history: &History, facts: &[u32]) -> Vec<FactView> {
    facts
        .iter()
        .map(|number| {
            let fact = gate.fact(*number);
            let counted = gate.counted(*number);
            FactView {
                event: gate.key_of(*number),
                leaf_index: fact.place.leaf_index.get(),
                event_number: fact.place.event_number,
                kind: kind_name(fact.kind),
                event_time: EventTime::from_nanos(fact.event_time),
                recorded_at: RecordedAt::from_nanos(fact.recorded_at),
                counts: counted != Counted::Not,
                contested: counted == Counted::Contested,
                standing: history.admits(*number),
                reported: !gate.is_own_word(*number),
                claimed_party: fact
                    .reported
                    .filter(|_| !gate.is_own_word(*number))
                    .and_then(|claimed| gate.text(claimed)),
                tainted: gate.is_tainted(*number),
            }
        })
        .collect()
}

/// Who had a lot in hand, in order of event time. Nothing if the log has no event about it.
pub(in crate::provenance) fn custody(gate: Gate<'_>, lot: &str) -> Option<Vec<CustodyRow>> {
    let history = history::of(gate, gate.known(lot)?);
    let rows = history
        .moments
        .iter()
        .filter(|moment| moment.member.is_none())
        .filter(|moment| {
            moment.role.moves() || moment.role.makes() || matches!(moment.role, Role::Sold | Role::Opening)
        })
        .map(|moment| {
            let number = moment.touch.fact;
            let fact = gate.fact(number);
            CustodyRow {
                event: gate.key_of(number),
                kind: kind_name(fact.kind),
                event_time: EventTime::from_nanos(fact.event_time),
                party: party::stated(gate, number, gate.actor(number)),
                reported_by: (!gate.is_own_word(number)).then(|| gate.issuer_of(number).to_owned()),
                to: fact.reading.to.named().and_then(|party| gate.text(party)),
                facility: gate.text(fact.reading.facility),
                quantity: gate.moment_amount(moment),
                via: moment.via.map(|via| gate.name(via)),
                standing: history.admits(number),
            }
        })
        .collect();
    Some(rows)
}
