//! Whether what the projection answers is the truth of a world.

use std::collections::{BTreeMap, BTreeSet};

use num_rational::BigRational;

use super::{
    truth::{Ancestry, Lot, Party, Where},
    world::{Form, World},
};
use crate::provenance::{Bounds, Direction, Projection, Provenance};

/// Honest plants contradict nobody: no anomaly weighs on any lot or signer.
pub(super) fn anomalies(projection: &Projection) -> Vec<String> {
    projection
        .anomalies()
        .iter()
        .map(|anomaly| {
            format!(
                "anomaly {} at {} on {:?} {}: {} {:?}",
                anomaly.kind.as_str(),
                anomaly.lot,
                anomaly.weighs_on,
                anomaly.signer,
                anomaly.detail,
                anomaly
                    .facts
                    .iter()
                    .map(|fact| format!("{} {}", fact.issuer, fact.event_id))
                    .collect::<Vec<_>>()
            )
        })
        .collect()
}

/// Names of the world's things, and runs of them.
pub(super) struct Names<'a>(BTreeMap<&'a str, Lot>);

impl<'a> Names<'a> {
    pub(super) fn of(world: &'a World) -> Self {
        Self(
            world
                .things
                .iter()
                .enumerate()
                .map(|(lot, thing)| (thing.name.as_str(), lot))
                .collect(),
        )
    }

    pub(super) fn lot(&self, name: &str) -> Option<Lot> {
        self.0.get(name).copied()
    }

    /// The lots from `first` to `last`; names that no thing has are not in it.
    fn run(&self, first: &str, last: Option<&str>) -> Vec<Lot> {
        let Some(last) = last else {
            return self.0.get(first).copied().into_iter().collect();
        };
        let prefix = first.trim_end_matches(|digit: char| digit.is_ascii_digit());
        self.0
            .range(first..=last)
            .filter(|(name, _)| name.starts_with(prefix) && name.len() == first.len())
            .map(|(_, lot)| *lot)
            .collect()
    }

    /// What a walk shows where the ledger cannot know, and says so.
    pub(super) fn possible(&self, walk: &Provenance) -> BTreeSet<Lot> {
        let possible = walk.nodes.iter().filter(|node| node.possible);
        possible
            .flat_map(|node| self.run(&node.lot, node.last.as_deref()))
            .collect()
    }

    /// What a walk shows: the lots that are nodes, and the class lots that are mentioned beside them.
    pub(super) fn shown(&self, walk: &Provenance) -> (BTreeSet<Lot>, BTreeSet<Lot>) {
        let nodes = walk
            .nodes
            .iter()
            .flat_map(|node| self.run(&node.lot, node.last.as_deref()))
            .collect();
        let classes = walk.nodes.iter().filter_map(|node| node.class_lot.as_deref());
        let mentioned = classes.flat_map(|class| self.run(class, None)).collect();
        (nodes, mentioned)
    }
}

/// Traces at every grain are the reachability of the truth: all that must be there is, and no more than may be.
pub(super) fn traces(world: &World, projection: &Projection) -> Vec<String> {
    let ancestry = world.truth.ancestry();
    let descent = Ancestry {
        must: turned(&ancestry.must),
        may: turned(&ancestry.may),
    };
    let names = Names::of(world);
    let mut found = Vec::new();
    for (lot, thing) in world.things.iter().enumerate() {
        if thing.form == Form::Container || ancestry.must[lot].is_empty() {
            continue;
        }
        for (direction, known) in [(Direction::Up, &ancestry), (Direction::Down, &descent)] {
            let Some(walk) = projection.provenance(&thing.name, direction, Bounds::default()) else {
                found.push(format!("nothing is known of {}", thing.name));
                continue;
            };
            let (nodes, mentioned) = names.shown(&walk);
            let possible = names.possible(&walk);
            let list = |lots: Vec<&Lot>| {
                let names: Vec<&str> = lots.iter().map(|lot| world.things[**lot].name.as_str()).collect();
                names.join(" ")
            };
            let missing: Vec<&Lot> = known.must[lot]
                .iter()
                .filter(|lot| !(nodes.contains(lot) || direction == Direction::Up && mentioned.contains(lot)))
                .collect();
            if !missing.is_empty() {
                found.push(format!(
                    "{direction:?} from {} lacks {}",
                    thing.name,
                    list(missing)
                ));
            }
            let beyond: Vec<&Lot> = nodes
                .iter()
                .filter(|node| **node != lot && !known.may[lot].contains(node))
                .filter(|node| world.form(**node) != Form::Container)
                .filter(|node| !possible.contains(node))
                .collect();
            if !beyond.is_empty() {
                found.push(format!("{direction:?} from {} has {}", thing.name, list(beyond)));
            }
            if walk.truncated {
                found.push(format!("{direction:?} from {} is cut off", thing.name));
            }
        }
    }
    found
}

fn turned(up: &[BTreeSet<Lot>]) -> Vec<BTreeSet<Lot>> {
    let mut down = vec![BTreeSet::new(); up.len()];
    for (lot, above) in up.iter().enumerate() {
        for other in above {
            down[*other].insert(lot);
        }
    }
    down
}

/// What a lot is made of is its unnamed pieces and its serials.
pub(super) fn members(world: &World, lot: Lot) -> Vec<Lot> {
    let serials = (0..world.things.len()).filter(|serial| world.things[*serial].class == Some(lot));
    std::iter::once(lot).chain(serials).collect()
}

/// How much of a lot each party has, and how much is under way (nobody's). What is built in is not there.
fn held(world: &World, lot: Lot) -> BTreeMap<Option<Party>, i64> {
    let mut held = BTreeMap::new();
    let members = members(world, lot);
    for ((thing, place), amount) in world.truth.stock() {
        if !members.contains(&thing) {
            continue;
        }
        let holder = match place {
            Where::Held(party) => Some(party),
            Where::On(pallet) => match world.things[pallet].at {
                Some(Where::Held(party)) => Some(party),
                _ => None,
            },
            Where::Way(_) => None,
            Where::In(_) => continue,
        };
        *held.entry(holder).or_default() += amount;
    }
    held
}

/// Stock is the truth, or an interval that holds it where a ledger cannot know.
pub(super) fn stock(world: &World, projection: &Projection) -> Vec<String> {
    let mut found = Vec::new();
    for (lot, thing) in world.things.iter().enumerate() {
        if thing.form == Form::Container {
            continue;
        }
        let Some(summary) = projection.lot(&thing.name) else {
            continue;
        };
        let unit = if thing.form == Form::Bulk { "KGM" } else { "" };
        let scale = if thing.form == Form::Bulk {
            super::world::KILOGRAM
        } else {
            1
        };
        let mut rows: BTreeMap<Option<&str>, (BigRational, BigRational)> = BTreeMap::new();
        for row in &summary.stock {
            let is_built_in = row.parent.as_deref().is_some_and(|parent| {
                world
                    .things
                    .iter()
                    .any(|thing| thing.name == parent && thing.form == Form::Serial)
            });
            if is_built_in {
                continue;
            }
            if row.at_least.unit.code() != unit {
                found.push(format!("{} has stock in {:?}", thing.name, row.at_least.unit));
            }
            let sum = rows.entry(row.holder.as_deref()).or_default();
            sum.0 += row.at_least.value.to_rational();
            sum.1 += row.at_most.value.to_rational();
        }
        let held = held(world, lot);
        let aside = |party: Option<Party>| -> i64 {
            members(world, lot)
                .iter()
                .filter_map(|member| world.aside.get(&(*member, party)))
                .sum()
        };
        // What lapsed may turn up again.
        let lapsed = |party: Party| {
            members(world, lot)
                .iter()
                .any(|member| world.lapsed.contains(&(*member, party)))
        };
        let uncertain = members(world, lot)
            .iter()
            .any(|member| world.things[*member].uncertain);
        for (party, company) in world.companies.iter().enumerate() {
            let there = held.get(&Some(party)).copied().unwrap_or(0);
            let with_aside = there + aside(Some(party));
            let (low, high) = rows.remove(&Some(company.id.as_str())).unwrap_or_default();
            let exact = |amount: i64| BigRational::new(amount.into(), scale.into());
            let holds = low <= exact(with_aside) && high >= exact(there);
            // Where everything was stated there is nothing to be unsure of.
            let sure = uncertain || (low == high) || lapsed(party);
            if !holds || !sure {
                found.push(format!(
                    "stock of {} at {}: {low} to {high}, and it is {}",
                    thing.name,
                    company.id,
                    exact(there)
                ));
            }
        }
        let there = held.get(&None).copied().unwrap_or(0);
        let exact = |amount: i64| BigRational::new(amount.into(), scale.into());
        let (low, high) = rows.remove(&None).unwrap_or_default();
        // What will never arrive may or may not be shown as under way.
        if uncertain {
            continue;
        }
        if low > exact(there) || high < exact(there - aside(None)) {
            found.push(format!(
                "of {} {low} to {high} are under way, and it is {}",
                thing.name,
                exact(there)
            ));
        }
        for holder in rows.keys() {
            found.push(format!(
                "stock of {} at {holder:?}, who is nobody here",
                thing.name
            ));
        }
    }
    found
}
