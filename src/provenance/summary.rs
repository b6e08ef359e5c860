//! One lot at a glance: what it is, how much of it was made, used and is where, and every fact about it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Anomaly, FactKey, Projection,
    amount::{Amount, Exact},
    fact::Role,
    graph::kind_name,
    history::History,
};
use crate::time::{EventTime, RecordedAt};

/// One fact about a lot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

/// Some of a lot, in one place. The amount is an interval where a movement did not say how much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StockRow {
    /// Who holds it; nobody while it is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Where, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What contains it, or what it is built into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// At least this much.
    pub at_least: Amount,
    /// At most this much.
    pub at_most: Amount,
}

/// One lot at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

/// Who holds some of a lot, where, in what.
type Spot = (Option<String>, Option<String>, Option<String>);

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
                .filter(|moment| moment.role == on || moment.role == off)
                .filter(|moment| self.has_standing(&history, moment.touch.fact))
                .next_back()
                .is_some_and(|moment| moment.role == on)
        };
        Some(LotSummary {
            lot: lot.to_owned(),
            kind: product
                .and_then(|product| self.product_declaration(product))
                .map(|declared| declared.kind),
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

    /// Where the lot is now, in the unit it was made in. Movements by those whose word does not count for the
    /// lot move nothing.
    fn stock(&self, history: &History) -> Vec<StockRow> {
        let made = self.made(history);
        let Some(unit) = made.sums.keys().next().filter(|_| made.sums.len() == 1) else {
            return Vec::new();
        };
        let mut stock = Stock::default();
        let own_makings: Vec<u32> = history.makings.iter().map(|making| making.touch.fact).collect();
        let mut placed = false;
        for moment in &history.moments {
            let number = moment.touch.fact;
            let fact = self.fact(number);
            let leg = self.leg(moment.touch);
            let amount = match moment.via {
                None => self.amount(leg, history.key.into()),
                Some(_) => None,
            };
            let amount = amount
                .filter(|amount| amount.unit == *unit)
                .map(|amount| amount.value);
            let wanted = amount.map_or(Wanted::Some, Wanted::Exactly);
            let inside = moment.inside.map(|inside| self.name(inside));
            let to = fact.reading.to.named().and_then(|party| self.text(party));
            let actor = self.text(self.actor(number));
            let place = self.text(fact.reading.facility);
            let container = |role| self.other_leg(number, role).map(|leg| self.name(leg.span.key()));
            let counts = history.is_made()
                && (!history.makings.iter().any(|making| making.standing)
                    || self.has_standing(history, number));
            match moment.role {
                Role::Made | Role::Output | Role::Parent | Role::Class if moment.via.is_none() => {
                    // All that was made appears at its first making; more of it is more.
                    if own_makings.contains(&number) && !placed {
                        placed = true;
                        let total = made.sums.get(unit).cloned().unwrap_or_else(Exact::zero);
                        stock.put((actor, place, None), total.clone(), total);
                    }
                }
                _ if !counts => {}
                // What contains the lot moves with all that is in it.
                Role::Sent if moment.inside.is_some() => stock.shift(inside.as_ref(), None, None),
                Role::Taken | Role::Returned if moment.inside.is_some() => {
                    stock.shift(inside.as_ref(), actor.as_ref(), place.as_ref());
                }
                Role::Handed if moment.inside.is_some() => {
                    stock.shift(inside.as_ref(), to.as_ref(), place.as_ref());
                }
                Role::Emptied | Role::Dismantled if moment.inside.is_some() => {
                    let (least, most) = stock.take(actor.as_deref(), None, inside.as_ref(), Wanted::All);
                    stock.put((actor, place, None), least, most);
                }
                Role::Sent => {
                    let (least, most) = stock.take(actor.as_deref(), None, None, wanted);
                    stock.put((None, None, None), least, most);
                }
                Role::Taken | Role::Returned => {
                    let (least, most) = stock.take(None, None, None, wanted);
                    stock.put((actor, place, None), least, most);
                }
                Role::Handed => {
                    let (least, most) = stock.take(actor.as_deref(), None, None, wanted);
                    stock.put((to, place, None), least, most);
                }
                Role::Packed | Role::Child => {
                    let outer = if moment.role == Role::Packed {
                        Role::Container
                    } else {
                        Role::Parent
                    };
                    let (least, most) = stock.take(actor.as_deref(), place.as_deref(), None, wanted);
                    stock.put((actor, place, container(outer)), least, most);
                }
                Role::Unpacked | Role::Removed => {
                    let outer = if moment.role == Role::Unpacked {
                        Role::Emptied
                    } else {
                        Role::Dismantled
                    };
                    let (least, most) = stock.take(actor.as_deref(), None, container(outer).as_ref(), wanted);
                    stock.put((actor, place, None), least, most);
                }
                Role::Input | Role::Consumed => {
                    stock.take(actor.as_deref(), place.as_deref(), None, wanted);
                }
                _ => {}
            }
        }
        stock.rows(unit)
    }
}

/// How much a movement takes.
enum Wanted {
    Exactly(Exact),
    /// It does not say: some, perhaps all.
    Some,
    All,
}

/// Amounts by spot, each between two bounds.
#[derive(Default)]
struct Stock {
    spots: BTreeMap<Spot, (Exact, Exact)>,
}

impl Stock {
    fn put(&mut self, spot: Spot, at_least: Exact, at_most: Exact) {
        let row = self
            .spots
            .entry(spot)
            .or_insert_with(|| (Exact::zero(), Exact::zero()));
        row.0 += &at_least;
        row.1 += &at_most;
    }

    /// Moves all that is in `parent`.
    fn shift(&mut self, parent: Option<&String>, holder: Option<&String>, place: Option<&String>) {
        let spots: Vec<Spot> = self
            .spots
            .keys()
            .filter(|(_, _, within)| within.as_ref() == parent)
            .cloned()
            .collect();
        for spot in spots {
            if let Some((least, most)) = self.spots.remove(&spot) {
                self.put((holder.cloned(), place.cloned(), spot.2), least, most);
            }
        }
    }

    /// Takes from what `holder` has in `parent`, at `place` first. Returns the bounds of what was taken.
    fn take(
        &mut self,
        holder: Option<&str>,
        place: Option<&str>,
        parent: Option<&String>,
        wanted: Wanted,
    ) -> (Exact, Exact) {
        let mut spots: Vec<Spot> = self
            .spots
            .iter()
            .filter(|((who, _, within), (_, most))| {
                who.as_deref() == holder && within.as_ref() == parent && !most.is_zero()
            })
            .map(|(spot, _)| spot.clone())
            .collect();
        spots.sort_by_key(|(_, at, _)| at.as_deref() != place);
        let mut taken = (Exact::zero(), Exact::zero());
        match wanted {
            Wanted::Some => {
                for spot in spots {
                    if let Some((least, most)) = self.spots.get_mut(&spot) {
                        taken.1 += most;
                        *least = Exact::zero();
                    }
                }
            }
            Wanted::All => {
                for spot in spots {
                    if let Some((least, most)) = self.spots.remove(&spot) {
                        taken.0 += &least;
                        taken.1 += &most;
                    }
                }
            }
            Wanted::Exactly(amount) => {
                taken = (amount.clone(), amount.clone());
                let mut left = amount;
                for spot in spots {
                    let Some((least, most)) = self.spots.get_mut(&spot) else {
                        continue;
                    };
                    let part = most.clone().min(left.clone());
                    *most -= &part;
                    *least -= &part;
                    if least.is_negative() {
                        *least = Exact::zero();
                    }
                    left -= &part;
                }
            }
        }
        taken
    }

    fn rows(self, unit: &str) -> Vec<StockRow> {
        self.spots
            .into_iter()
            .filter(|(_, (_, most))| !most.is_zero())
            .map(|((holder, place, parent), (least, most))| StockRow {
                holder,
                place,
                parent,
                at_least: Amount {
                    value: least,
                    unit: unit.to_owned(),
                },
                at_most: Amount {
                    value: most,
                    unit: unit.to_owned(),
                },
            })
            .collect()
    }
}
