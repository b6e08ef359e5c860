//! Claims about the whole simulation.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use rust_decimal::Decimal;
use sha2::{Digest as _, Sha256};

use super::{cast::who, *};
use crate::{
    quantity::{Quantity, parse_decimal},
    wire::{
        shape,
        v1::{self, event::Kind},
    },
};

/// Midnight of 1 January 2026, UTC.
const START: EventTime = EventTime::from_nanos(1_767_225_600_000_000_000);

fn simulation(seed: u64, lots: u32) -> Simulation {
    Simulation::new(SimulationConfig {
        seed,
        lots,
        start: START,
    })
    .unwrap()
}

/// SHA-256 over every event's party and encoding.
fn digest(simulation: &Simulation) -> String {
    let mut hash = Sha256::new();
    for event in simulation.governance() {
        hash.update(event.encode_to_vec());
    }
    for SimulatedEvent { party, event } in simulation.events() {
        hash.update([u8::try_from(party.get()).unwrap()]);
        hash.update(event.encode_to_vec());
    }
    hex::encode(hash.finalize())
}

#[test]
fn same_seed_same_bytes() {
    let expected = "bf1a5a77ab8a69549fb13226025616ac5f7a545135785d8eeb96a9f03e6e5440";
    assert_eq!(digest(&simulation(1, 12)), expected);
    assert_eq!(digest(&simulation(1, 12)), expected);
}

#[test]
fn another_seed_gives_other_bytes_and_keys() {
    let (one, other) = (simulation(1, 6), simulation(2, 6));
    assert_ne!(digest(&one), digest(&other));
    let keys: BTreeSet<_> = one
        .cast()
        .indices()
        .flat_map(|party| [one.feed(party), other.feed(party)])
        .collect();
    assert_eq!(keys.len(), 2 * one.cast().parties.len());
}

#[test]
fn every_event_is_in_form_and_within_a_statement() {
    let simulation = simulation(3, 40);
    let own = simulation.events().map(|simulated| simulated.event);
    for event in simulation.governance().into_iter().chain(own) {
        let bytes = event.encode_to_vec();
        assert!(bytes.len() < 16_000, "{event:?}");
        shape::check(&shape::EVENT, &bytes, &mut |_| {}).unwrap_or_else(|error| panic!("{error}: {event:?}"));
        crate::event::check(&bytes.into()).unwrap_or_else(|error| panic!("{error}: {event:?}"));
    }
}

#[test]
fn ids_are_unique_per_issuer_and_time_goes_forward() {
    let simulation = simulation(4, 300);
    let mut ids = BTreeSet::new();
    let mut last = START.as_nanos();
    for SimulatedEvent { party, event } in simulation.events() {
        assert!(ids.insert((party, event.id.clone())), "{party:?} {}", event.id);
        assert!(last <= event.event_time);
        last = event.event_time;
    }
    assert!(last < simulation.end().as_nanos());
}

#[test]
fn a_lot_does_not_depend_on_how_many_others_there_are() {
    let kinds = |lots| -> BTreeSet<Vec<u8>> {
        let all = simulation(5, lots);
        // Of one party's lots, whatever number the event got.
        all.events()
            .map(|simulated| v1::Event {
                id: "S".to_owned(),
                ..simulated.event
            })
            .map(|event| event.encode_to_vec())
            .collect()
    };
    assert!(kinds(20).is_superset(&kinds(7)));
}

#[test]
fn every_facility_named_is_enrolled_and_every_lot_is_made_in_its_owners_namespace() {
    let simulation = simulation(6, 60);
    let cast = simulation.cast();
    let facilities: BTreeSet<&str> = cast
        .facilities
        .iter()
        .map(|facility| facility.identifier.as_str())
        .collect();
    for SimulatedEvent { party, event } in simulation.events() {
        let checked = crate::event::check(&event.encode_to_vec().into()).unwrap();
        for facility in checked.facilities() {
            assert!(facilities.contains(facility), "{facility}");
        }
        if party == who::RIVAL {
            continue;
        }
        for lot in made_by(&event) {
            let namespaces = &cast.party(party).namespaces;
            assert!(
                namespaces.iter().any(|prefix| lot.starts_with(prefix)),
                "{lot} by {party:?}"
            );
        }
    }
}

fn made_by(event: &v1::Event) -> Vec<String> {
    let joined = |runs: &[v1::SerialRun]| -> Vec<String> {
        runs.iter()
            .flat_map(|run| {
                run.suffixes
                    .iter()
                    .map(|suffix| format!("{}{suffix}", run.prefix))
            })
            .collect()
    };
    let mut made = match event.kind.as_ref().unwrap() {
        Kind::Commissioned(made) => joined(&made.serials),
        Kind::Transformed(made) => joined(&made.output_serials),
        Kind::Assembled(made) => vec![made.parent.clone()],
        Kind::Aggregated(packed) => vec![packed.parent.clone()],
        _ => Vec::new(),
    };
    made.extend(outputs(event).iter().map(|item| item.lot.clone()));
    made
}

fn outputs(event: &v1::Event) -> &[v1::Item] {
    match event.kind.as_ref().unwrap() {
        Kind::Commissioned(made) => &made.items,
        Kind::Transformed(made) => &made.outputs,
        Kind::Split(split) => &split.into,
        _ => &[],
    }
}

fn inputs(event: &v1::Event) -> Vec<v1::Item> {
    match event.kind.as_ref().unwrap() {
        Kind::Transformed(made) => made.inputs.clone(),
        Kind::Assembled(made) => made.items.clone(),
        Kind::Split(split) => vec![v1::Item {
            lot: split.lot.clone(),
            quantity: split.quantity.clone(),
            ..Default::default()
        }],
        _ => Vec::new(),
    }
}

fn amount(quantity: Option<&v1::Quantity>) -> Decimal {
    Quantity::from_wire(quantity.unwrap()).unwrap().value()
}

/// Kilograms of an item, stated as its quantity or beside it.
fn mass(item: &v1::Item) -> Decimal {
    let stated = item.quantity.as_ref().filter(|quantity| quantity.unit == "KGM");
    amount(stated.or(item.mass.as_ref()))
}

fn count_of(runs: &[v1::SerialRun]) -> Decimal {
    runs.iter().map(|run| run.suffixes.len()).sum::<usize>().into()
}

/// The pack lot that an identifier of the simulation carries in its number.
fn lot_number(identifier: &str) -> u32 {
    let number = identifier.rsplit('/').next().unwrap().get(1..8).unwrap();
    number.parse().unwrap()
}

#[test]
fn what_goes_into_a_step_comes_out_or_is_lost_to_the_gram() {
    for SimulatedEvent { party, event } in simulation(7, 50).events() {
        let Some(Kind::Transformed(step)) = &event.kind else {
            continue;
        };
        if step.inputs.is_empty() || party == who::RIVAL {
            continue;
        }
        let went_in: Decimal = step.inputs.iter().map(mass).sum();
        let each = Decimal::new(super::cast::CELL_G, 3);
        let came_out: Decimal = step.outputs.iter().map(mass).sum();
        let pieces = count_of(&step.output_serials) * each;
        let lost: Decimal = step
            .losses
            .iter()
            .map(|loss| amount(loss.quantity.as_ref()))
            .sum();
        assert_eq!(went_in, came_out + pieces + lost, "{event:?}");
    }
}

/// Per lot: made, used or counted as left over.
fn books(simulation: &Simulation) -> BTreeMap<String, (Decimal, Decimal)> {
    let mut books: BTreeMap<String, (Decimal, Decimal)> = BTreeMap::new();
    for SimulatedEvent { party, event } in simulation.events() {
        if party == who::RIVAL {
            continue;
        }
        for lot in made_by(&event) {
            let item = outputs(&event).iter().find(|item| item.lot == lot).cloned();
            let quantity = item.map_or(Decimal::ONE, |item| amount(item.quantity.as_ref()));
            books.entry(lot).or_default().0 += quantity;
        }
        for item in inputs(&event) {
            books.entry(item.lot).or_default().1 += amount(item.quantity.as_ref());
        }
        let kind = event.kind.as_ref().unwrap();
        if let Kind::StockCounted(counted) = kind {
            for item in &counted.items {
                books.entry(item.lot.clone()).or_default().1 += amount(item.quantity.as_ref());
            }
        }
        // A class lot's members are used up one by one.
        if let Kind::Transformed(made) = kind
            && !made.class_lot.is_empty()
        {
            books.entry(made.class_lot.clone()).or_default().0 += count_of(&made.output_serials);
        }
        if let Kind::Inspected(inspected) = kind
            && inspected.destructive == Some(true)
        {
            for run in &inspected.serials {
                for suffix in &run.suffixes {
                    books.entry(format!("{}{suffix}", run.prefix)).or_default().1 += Decimal::ONE;
                }
            }
        }
    }
    books
}

#[test]
fn all_that_was_made_for_an_honest_lot_is_used_or_counted() {
    let simulation = simulation(8, 40);
    let mut seen = BTreeSet::new();
    let mut spare: BTreeMap<u32, Decimal> = BTreeMap::new();
    for (lot, (made, used)) in books(&simulation) {
        let number = if lot.contains("/00/") {
            continue;
        } else {
            lot_number(&lot)
        };
        if !matches!(simulation.lot_kind(number), LotKind::Honest | LotKind::Tainted) {
            continue;
        }
        seen.insert(number);
        let plan = simulation.plan(number);
        let cells = simulation.cast().lot(plan.cell, number, "");
        let is_cell = lot.starts_with(&simulation.cast().serial_prefix(plan.cell, number));
        let is_pack = simulation.packs(number).contains(&lot);
        if lot == cells {
            // Made: all; counted: the spare ones, which no other event takes.
            assert_eq!(made, Decimal::from(plan.cells));
            *spare.entry(number).or_default() -= used;
        } else if is_cell {
            *spare.entry(number).or_default() += made - used;
        } else if is_pack {
            assert_eq!((made, used), (Decimal::ONE, Decimal::ZERO), "{lot}");
        } else {
            assert_eq!(made, used, "{lot}");
        }
    }
    assert!(seen.len() > 30);
    assert!(spare.values().all(Decimal::is_zero), "{spare:?}");
}

#[test]
fn the_cheat_uses_more_cathode_material_than_was_made() {
    let simulation = simulation(8, 5);
    let cheat = simulation.plan(3);
    let (made, used) = books(&simulation)[&cheat.cathode_sold.lot];
    assert!(used > made * Decimal::new(129, 2), "{used} of {made}");
}

/// Lots, serials and logistic units that travel together.
type Consignment = (Vec<v1::Item>, Vec<v1::SerialRun>, Vec<String>);

#[test]
fn what_is_received_was_shipped_and_what_is_paid_is_what_it_costs_when_used() {
    let simulation = simulation(9, 30);
    let mut shipped: BTreeMap<String, Consignment> = BTreeMap::new();
    let mut paid: BTreeMap<String, Decimal> = BTreeMap::new();
    let mut cost: BTreeMap<String, Decimal> = BTreeMap::new();
    let money = |item: &v1::Item| parse_decimal(&item.cost.as_ref().unwrap().value).unwrap();
    for SimulatedEvent { party, event } in simulation.events() {
        if party == who::RIVAL {
            continue;
        }
        match event.kind.as_ref().unwrap() {
            Kind::Shipped(sent) => {
                let goods = (sent.items.clone(), sent.serials.clone(), sent.units.clone());
                assert!(shipped.insert(sent.shipment.clone(), goods).is_none());
            }
            Kind::Received(taken) => {
                let goods = (taken.items.clone(), taken.serials.clone(), taken.units.clone());
                assert_eq!(shipped.remove(&taken.shipment), Some(goods));
            }
            Kind::TitleTransferred(sold) => {
                for item in &sold.items {
                    // The importer sells on at what he paid.
                    paid.insert(item.lot.clone(), money(item));
                }
            }
            Kind::Transformed(made) => {
                for item in &made.inputs {
                    *cost.entry(item.lot.clone()).or_default() += money(item);
                }
            }
            Kind::Assembled(made) => {
                for item in &made.items {
                    *cost.entry(item.lot.clone()).or_default() += money(item);
                }
            }
            _ => {}
        }
    }
    assert!(shipped.is_empty(), "{shipped:?}");
    let cheat = simulation.plan(3);
    let mut compared = 0;
    for (lot, paid) in paid {
        if lot != cheat.cathode_sold.lot && lot_number(&lot) != cheat.number {
            assert_eq!(cost[&lot], paid, "{lot}");
            compared += 1;
        }
    }
    assert!(compared > 500, "{compared}");
}

#[test]
fn cells_are_most_of_the_cost_of_the_components_of_a_pack() {
    let simulation = simulation(10, 200);
    for lot in 0..200 {
        let plan = simulation.plan(lot);
        let cells = plan::BUILT_CELLS * plan.cell_cents;
        let others = plan.housings.cents + plan.bms.cents + plan.enclosures.cents;
        assert!(cells * 100 > (cells + others) * 60, "{plan:?}");
    }
}

#[test]
fn the_first_lots_tell_the_stories_and_most_others_are_honest_on_both_lines() {
    let simulation = simulation(11, 400);
    let kinds: Vec<LotKind> = simulation.stories().iter().map(|story| story.kind).collect();
    assert_eq!(kinds, story::FIRST);
    let tainted = (6..400)
        .filter(|lot| simulation.lot_kind(*lot) == LotKind::Tainted)
        .count();
    assert!((20..80).contains(&tainted), "{tainted}");
    for line in simulation.parallel_lines() {
        let made_there = (6..400).filter(|lot| {
            let place = simulation.plan(*lot).cell_place;
            simulation.cast().facility(place).identifier == line
        });
        assert!(made_there.count() > 80, "{line}");
    }
    assert!(self::simulation(11, 2).stories().len() == 2);
}

#[test]
fn a_simulation_that_does_not_fit_is_refused() {
    let refused = |lots, start| {
        Simulation::new(SimulationConfig {
            seed: 0,
            lots,
            start: EventTime::from_nanos(start),
        })
        .map(|_| ())
        .unwrap_err()
    };
    assert_eq!(
        refused(LOTS_MAX + 1, START.as_nanos()),
        SimulationError::TooManyLots(LOTS_MAX + 1)
    );
    assert_eq!(refused(1, 0), SimulationError::Start(EventTime::from_nanos(0)));
    assert_eq!(
        refused(1, i64::MAX),
        SimulationError::Start(EventTime::from_nanos(i64::MAX))
    );
    let config = SimulationConfig::ending_at(1, 1_000, START);
    assert_eq!(Simulation::new(config).unwrap().end(), START);
}

#[test]
fn a_hundred_thousand_events_wait_in_bounded_memory() {
    let most = |events: usize| {
        let simulation = simulation(12, 100_000);
        let mut stream = simulation.events();
        let mut most = 0;
        for _ in 0..events {
            assert!(stream.next().is_some());
            most = most.max(stream.waiting());
        }
        most
    };
    let (few, many) = (most(100_000), most(200_000));
    assert!(few < 40_000, "{few}");
    assert!(many < 40_000, "{many}");
}

#[test]
fn the_mix_has_small_events_and_large_ones() {
    let mix = simulation(13, 20).mix();
    assert_eq!(
        mix.kinds.values().map(|kind| kind.events).sum::<u64>(),
        mix.events
    );
    assert!(mix.quantile(0) < 200 && mix.quantile(100) > 1_000, "{mix}");
}
