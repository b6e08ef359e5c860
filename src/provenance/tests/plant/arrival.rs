//! How what was said reaches the log: feeds interleave, acts of the authority take effect late, entries come in
//! batches of any size.

use std::collections::BTreeMap;

use prost::Message as _;

use super::{
    dice::Dice,
    world::{Told, World},
};
use crate::{
    id::{FeedId, Hash, LeafIndex},
    provenance::{
        AppliedEvent, EventPlace, Projection,
        tests::{AUTHORITY, HOUR, START, STRANGER, Said, enrol, plant, say},
    },
    time::{IssuedAt, RecordedAt},
    wire::v1::{self, event::Kind},
};

/// One event where it stands in the log, in the order in which events take effect.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    pub(super) place: EventPlace,
    pub(super) issuer: String,
    pub(super) feed: FeedId,
    pub(super) recorded_at: RecordedAt,
    pub(super) issued_at: IssuedAt,
    pub(super) by_authority: bool,
    pub(super) event: Vec<u8>,
}

/// Where the stranger works.
pub(super) const STRANGE_PLANT: &str = "urn:plant:stranger";

/// In which order feeds come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// As they were signed.
    Signed,
    /// Any feed at any time, by this seed.
    Mixed(u64),
    /// One feed after the other, by this seed.
    OneByOne(u64),
}

pub(super) fn feed(party: &str, key: usize) -> FeedId {
    FeedId::new(*Hash::of(&[party.as_bytes(), &[u8::try_from(key).expect("few keys")]]).as_bytes())
}

/// The acts that have to be there before anybody speaks, and those that come some time.
fn acts(world: &World) -> (Vec<v1::Event>, Vec<v1::Event>) {
    let short = |mut said: Said| {
        said.event.id = said.event.id.replace(' ', "-");
        said.event
    };
    // Somebody without any part in this is there, too; what he says is `strangers`' business.
    let mut first = vec![
        short(enrol(STRANGER, "urn:stranger:")),
        short(plant(STRANGE_PLANT, "US", STRANGER)),
    ];
    let mut some_time = Vec::new();
    for company in world.companies.iter().filter(|company| !company.silent) {
        first.push(short(enrol(&company.id, &company.namespace)));
        let place = short(plant(&company.facility, "KR", &company.id));
        // Who never names his plant does not have to wait until it is registered.
        if company.style.names_facility {
            &mut first
        } else {
            &mut some_time
        }
        .push(place);
        let mut named = say(
            AUTHORITY,
            &format!("alias-of-{}", company.id),
            24,
            Kind::PartyEnrolled(v1::PartyEnrolled {
                party: company.id.clone(),
                legal_name: company.id.clone(),
                aliases: vec![format!("{} Ltd.", company.id)],
                namespaces: vec![company.namespace.clone()],
                ..Default::default()
            }),
        );
        named.event.event_time += 1;
        some_time.push(named.event);
    }
    (first, some_time)
}

/// The log of a world.
pub(super) fn arrive(world: &World, order: Order) -> Vec<Arrived> {
    let mut dice = Dice::of(
        world.seed,
        match order {
            Order::Signed => 1_000_000,
            Order::Mixed(salt) => 2_000_000 + salt,
            Order::OneByOne(salt) => 3_000_000 + salt,
        },
    );
    let mut log = Log::default();
    let (first, some_time) = acts(world);
    for act in first {
        let place = log.next_leaf();
        log.act(place, &act);
    }
    let waiting = statements(world, order, &mut dice);
    let mut proposed: Vec<(usize, EventPlace, v1::Event)> = Vec::new();
    let mut unproposed: Vec<(usize, v1::Event)> = some_time
        .into_iter()
        .map(|act| (dice.place(waiting.len() + 1), act))
        .collect();
    let mut places: Vec<Option<EventPlace>> = vec![None; world.told.len()];
    let mut last: Option<(EventPlace, (usize, usize))> = None;
    for (at, number) in waiting.iter().enumerate() {
        while let Some(next) = unproposed.iter().position(|(when, _)| *when <= at) {
            let (_, act) = unproposed.remove(next);
            let effective = at + dice.place(waiting.len() - at + 1);
            proposed.push((effective, log.next_leaf(), act));
            last = None;
        }
        while let Some(next) = proposed.iter().position(|(when, ..)| *when <= at) {
            let (_, place, act) = proposed.remove(next);
            // The approval has a place of its own.
            log.next_leaf();
            log.act(place, &act);
            last = None;
        }
        let told = &world.told[*number];
        let of = (told.party, told.key);
        let place = match last {
            Some((before, feed)) if feed == of && told.about.is_none() && dice.one_in(2) => EventPlace {
                event_number: before.event_number + 1,
                ..before
            },
            _ => log.next_leaf(),
        };
        last = Some((place, of));
        places[*number] = Some(place);
        log.statement(world, told, place, &places);
    }
    for (_, act) in unproposed {
        let place = log.next_leaf();
        log.act(place, &act);
    }
    for (_, place, act) in proposed {
        log.act(place, &act);
    }
    log.arrived
}

/// The numbers of what was told, each feed in its order and what refers to something after it.
fn statements(world: &World, order: Order, dice: &mut Dice) -> Vec<usize> {
    let mut feeds: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for (number, told) in world.told.iter().enumerate() {
        feeds.entry((told.party, told.key)).or_default().push(number);
    }
    let mut feeds: Vec<Vec<usize>> = feeds.into_values().collect();
    for feed in &mut feeds {
        feed.sort_by_key(|number| (world.told[*number].signed, *number));
        feed.reverse();
    }
    let mut ready = Vec::new();
    let mut is_there = vec![false; world.told.len()];
    let mut going = 0;
    while ready.len() < world.told.len() {
        let open: Vec<usize> = (0..feeds.len())
            .filter(|feed| {
                let next = feeds[*feed].last();
                next.is_some_and(|next| world.told[*next].about.is_none_or(|about| is_there[about]))
            })
            .collect();
        let chosen = match order {
            Order::Signed => *open
                .iter()
                .min_by_key(|feed| feeds[**feed].last().map(|next| (world.told[*next].signed, *next)))
                .expect("something can come next"),
            Order::OneByOne(_) if open.contains(&going) => going,
            Order::Mixed(_) | Order::OneByOne(_) => *dice.one(&open),
        };
        going = chosen;
        let next = feeds[chosen].pop().expect("open feeds have one");
        is_there[next] = true;
        ready.push(next);
    }
    ready
}

#[derive(Default)]
struct Log {
    leaves: u64,
    arrived: Vec<Arrived>,
}

impl Log {
    fn next_leaf(&mut self) -> EventPlace {
        self.leaves += 1;
        EventPlace {
            leaf_index: LeafIndex::new(self.leaves),
            event_number: 0,
        }
    }

    fn recorded(&self) -> RecordedAt {
        let seconds = i64::try_from(self.leaves).expect("few") * (HOUR / 3_600);
        RecordedAt::from_nanos(START + 400 * 24 * HOUR + seconds)
    }

    fn act(&mut self, place: EventPlace, event: &v1::Event) {
        self.arrived.push(Arrived {
            place,
            issuer: AUTHORITY.to_owned(),
            feed: feed(AUTHORITY, 0),
            recorded_at: self.recorded(),
            issued_at: IssuedAt::from_nanos(event.event_time + 1),
            by_authority: true,
            event: event.encode_to_vec(),
        });
    }

    fn statement(&mut self, world: &World, told: &Told, place: EventPlace, places: &[Option<EventPlace>]) {
        let mut event = told.event.clone();
        if let Some(about) = told.about {
            let about = places[about].expect("what it refers to came before");
            let reference = Some(v1::EventReference {
                leaf_index: about.leaf_index.get(),
                event_number: about.event_number,
            });
            match event.kind.as_mut() {
                Some(Kind::Voided(voided)) => voided.event = reference,
                Some(Kind::Corrected(corrected)) => corrected.event = reference,
                Some(Kind::Certified(certified)) => certified.event = reference,
                other => panic!("{other:?} refers to nothing"),
            }
        }
        let issuer = world.companies[told.party].id.clone();
        self.arrived.push(Arrived {
            place,
            feed: feed(&issuer, told.key),
            issuer,
            recorded_at: self.recorded(),
            issued_at: IssuedAt::from_nanos(told.signed),
            by_authority: false,
            event: event.encode_to_vec(),
        });
    }
}

/// Applies what arrived.
pub(super) fn apply(projection: &mut Projection, arrived: &[Arrived]) {
    for one in arrived {
        projection.apply(&AppliedEvent {
            place: one.place,
            issuer: &one.issuer,
            feed: one.feed,
            recorded_at: one.recorded_at,
            issued_at: one.issued_at,
            by_authority: one.by_authority,
            event: &one.event,
        });
    }
}

/// What all of it adds up to.
pub(super) fn project(arrived: &[Arrived]) -> Projection {
    let mut projection = Projection::new();
    apply(&mut projection, arrived);
    projection
}
