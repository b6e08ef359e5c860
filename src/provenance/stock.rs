//! What of a lot is where: stock by (holder, place, parent), in bounds where movements do not say how much.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Projection,
    amount::{Amount, Exact, Unit},
    fact::Role,
    history::History,
};

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

/// Who holds some of a lot, where, in what.
type Spot = (Option<String>, Option<String>, Option<String>);

impl Projection {
    /// Where the lot is now, in the unit it was made in. Movements by those whose word does not count for the
    /// lot move nothing.
    pub(super) fn stock(&self, history: &History) -> Vec<StockRow> {
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
                Role::Made | Role::Output | Role::Parent | Role::Class
                    if moment.via.is_none() && own_makings.contains(&number) && !placed =>
                {
                    // All that was made appears at its first making; more of it is more.
                    placed = true;
                    let total = made.sums.get(unit).cloned().unwrap_or_else(Exact::zero);
                    stock.put((actor, place, None), &total, &total);
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
                    stock.put((actor, place, None), &least, &most);
                }
                Role::Sent => {
                    let (least, most) = stock.take(actor.as_deref(), None, None, wanted);
                    stock.put((None, None, None), &least, &most);
                }
                Role::Taken | Role::Returned => {
                    let (least, most) = stock.take(None, None, None, wanted);
                    stock.put((actor, place, None), &least, &most);
                }
                Role::Handed => {
                    let (least, most) = stock.take(actor.as_deref(), None, None, wanted);
                    stock.put((to, place, None), &least, &most);
                }
                Role::Packed | Role::Child => {
                    let outer = if moment.role == Role::Packed {
                        Role::Container
                    } else {
                        Role::Parent
                    };
                    let (least, most) = stock.take(actor.as_deref(), place.as_deref(), None, wanted);
                    stock.put((actor, place, container(outer)), &least, &most);
                }
                Role::Unpacked | Role::Removed => {
                    let outer = if moment.role == Role::Unpacked {
                        Role::Emptied
                    } else {
                        Role::Dismantled
                    };
                    let (least, most) = stock.take(actor.as_deref(), None, container(outer).as_ref(), wanted);
                    stock.put((actor, place, None), &least, &most);
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
    fn put(&mut self, spot: Spot, at_least: &Exact, at_most: &Exact) {
        let row = self
            .spots
            .entry(spot)
            .or_insert_with(|| (Exact::zero(), Exact::zero()));
        row.0 += at_least;
        row.1 += at_most;
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
                self.put((holder.cloned(), place.cloned(), spot.2), &least, &most);
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

    fn rows(self, unit: &Unit) -> Vec<StockRow> {
        self.spots
            .into_iter()
            .filter(|(_, (_, most))| !most.is_zero())
            .map(|((holder, place, parent), (least, most))| StockRow {
                holder,
                place,
                parent,
                at_least: Amount {
                    value: least,
                    unit: unit.clone(),
                },
                at_most: Amount {
                    value: most,
                    unit: unit.clone(),
                },
            })
            .collect()
    }
}
