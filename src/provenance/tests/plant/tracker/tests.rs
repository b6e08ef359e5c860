//! The tracker agrees with the truth where everybody is honest, and with the projection everywhere.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::{
    super::{
        arrival,
        judge::Names,
        properties::{for_all, log},
        truth::{Lot, Where},
        world::{Form, KILOGRAM, World},
    },
    moves::track,
};
use crate::provenance::{Bounds, Direction};

fn stock_agrees_with_the_truth(world: &World) -> Vec<String> {
    let tracker = track(&log(world));
    let mut found = Vec::new();
    for (lot, thing) in world.things.iter().enumerate() {
        let members = super::super::judge::members(world, lot);
        if thing.form == Form::Container || members.iter().any(|member| world.things[*member].uncertain) {
            continue;
        }
        let tracked = tracker.stock(&thing.name);
        for (party, company) in world.companies.iter().enumerate() {
            let there: i64 = world
                .truth
                .stock()
                .filter(|((held, place), _)| {
                    let here = match place {
                        Where::Held(holder) => *holder == party,
                        Where::On(pallet) => world.things[*pallet].at == Some(Where::Held(party)),
                        Where::Way(_) | Where::In(_) => false,
                    };
                    here && members.contains(held)
                })
                .map(|(_, amount)| amount)
                .sum();
            let scale = if thing.form == Form::Bulk { KILOGRAM } else { 1 };
            let there = Decimal::from(there) / Decimal::from(scale);
            let tracked = tracked.get(company.id.as_str()).copied().unwrap_or_default();
            if tracked != there {
                found.push(format!(
                    "tracked stock of {} at {}: {tracked}, and it is {there}",
                    thing.name, company.id
                ));
            }
        }
    }
    found
}

fn traces_agree_with_the_truth(world: &World) -> Vec<String> {
    let tracker = track(&log(world));
    let ancestry = world.truth.ancestry();
    let names = Names::of(world);
    let mut found = Vec::new();
    for (lot, thing) in world.things.iter().enumerate() {
        if thing.form == Form::Container || ancestry.must[lot].is_empty() {
            continue;
        }
        let above = |surely| -> BTreeSet<Lot> {
            let above = tracker.above(&thing.name, surely);
            above.into_iter().filter_map(|name| names.lot(name)).collect()
        };
        let list = |lots: Vec<Lot>| {
            let names: Vec<&str> = lots.iter().map(|lot| world.things[*lot].name.as_str()).collect();
            names.join(" ")
        };
        let lacks: Vec<Lot> = ancestry.must[lot].difference(&above(false)).copied().collect();
        if !lacks.is_empty() {
            found.push(format!("tracked trace of {} lacks {}", thing.name, list(lacks)));
        }
        let beyond: Vec<Lot> = above(true).difference(&ancestry.may[lot]).copied().collect();
        if !beyond.is_empty() {
            found.push(format!("tracked trace of {} has {}", thing.name, list(beyond)));
        }
    }
    found
}

#[test]
fn the_tracker_finds_the_stock_of_the_truth() {
    for_all("the_tracker_finds_the_stock", 1_000, stock_agrees_with_the_truth);
}

#[test]
fn the_tracker_finds_the_traces_of_the_truth() {
    for_all("the_tracker_finds_the_traces", 1_000, traces_agree_with_the_truth);
}

fn projection_agrees(world: &World) -> Vec<String> {
    let log = log(world);
    let (tracker, projection) = (track(&log), arrival::project(&log));
    let names = Names::of(world);
    let mut found = Vec::new();
    for thing in world.things.iter().filter(|thing| thing.form != Form::Container) {
        let Some(walk) = projection.provenance(&thing.name, Direction::Up, Bounds::default()) else {
            continue;
        };
        let (nodes, mentioned) = names.shown(&walk);
        let possible = names.possible(&walk);
        let above = |surely| -> BTreeSet<Lot> {
            let above = tracker.above(&thing.name, surely);
            above.into_iter().filter_map(|name| names.lot(name)).collect()
        };
        // Numbers that were printed and voided are of nothing.
        if above(true).is_empty() {
            continue;
        }
        let own = names.lot(&thing.name);
        let is_other = |lot: &&Lot| Some(**lot) != own && world.form(**lot) != Form::Container;
        let list = |lots: Vec<&Lot>| {
            let names: Vec<&str> = lots.iter().map(|lot| world.things[**lot].name.as_str()).collect();
            names.join(" ")
        };
        let (surely, perhaps) = (above(true), above(false));
        let lacks = surely.difference(&nodes).filter(|lot| !mentioned.contains(lot));
        let lacks: Vec<&Lot> = lacks.filter(is_other).collect();
        if !lacks.is_empty() {
            found.push(format!(
                "projection from {} lacks tracked {}",
                thing.name,
                list(lacks)
            ));
        }
        let beyond = nodes.difference(&perhaps).filter(|lot| !possible.contains(lot));
        let beyond: Vec<&Lot> = beyond.filter(is_other).collect();
        if !beyond.is_empty() {
            found.push(format!(
                "projection from {} has untracked {}",
                thing.name,
                list(beyond)
            ));
        }
    }
    found
}

#[test]
#[ignore = "open: what came back under a number only afterwards"]
fn the_tracker_and_the_projection_agree_in_honest_worlds() {
    for_all(
        "the_tracker_and_the_projection_agree_in_honest",
        1_000,
        projection_agrees,
    );
}
