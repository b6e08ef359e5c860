//! Which dead letters are taken apart, and into what.
//!
//! A statement is refused whole, so a letter may hold events that are not at fault. Each of them goes out again
//! in a statement of its own. A part of a long event is admitted only right behind the part before, so:
//!
//! ```text
//! letters   [E, X1/3]  [X2/3]  [X3/3, F]     ->  E | F | X1/3 X2/3 X3/3    every part is there: X as a whole
//! letters   [X3/3, F], X1 and X2 admitted    ->  F | X3/3                  comes back alone: X is its sender's
//! letters   [E, X1/3], X2 on its way         ->  nothing yet
//! letters   [E]   [X1/3, X2/3]  [X3/3]       ->  nothing: each is alone already, and waits for a person
//! ```

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;

use super::intake::Ready;
use crate::{
    epcis,
    outbox::{DeadLetter, ParcelId},
    wire::v1,
};

/// What goes out again, and the letters that are done with then.
#[derive(Debug, Default)]
pub struct TakenApart {
    /// The letters.
    pub letters: Vec<ParcelId>,
    /// Their events, each to be published by itself.
    pub events: Vec<Ready>,
}

/// A letter that was read.
struct Letter {
    parcel: ParcelId,
    events: Vec<Ready>,
}

impl Letter {
    fn read(letter: &DeadLetter) -> Option<Self> {
        let events = letter.events.iter().map(|bytes| {
            let event = v1::Event::decode(bytes.clone()).ok()?;
            Some(Ready {
                id: event.id.clone(),
                contents: vec![epcis::said(bytes)],
                parts: vec![event],
            })
        });
        Some(Self {
            parcel: letter.parcel,
            events: events.collect::<Option<_>>()?,
        })
    }

    /// Whether it holds more than one event, or than parts of one.
    fn is_mixed(&self) -> bool {
        self.events
            .split_first()
            .is_some_and(|(first, rest)| rest.iter().any(|event| event.id != first.id))
    }

    /// Ids of the long events of which it holds parts.
    fn long(&self) -> impl Iterator<Item = &str> {
        let long = self.events.iter().filter(|event| part_of(event).is_some());
        long.map(|event| event.id.as_str())
    }
}

fn part_of(event: &Ready) -> Option<v1::Part> {
    event.parts.first().and_then(|event| event.part)
}

/// Ids of the long events of which these letters hold parts.
pub fn long_events(letters: &[DeadLetter]) -> BTreeSet<String> {
    let letters: Vec<Letter> = letters.iter().filter_map(Letter::read).collect();
    letters
        .iter()
        .flat_map(|letter| letter.long().map(str::to_owned))
        .collect()
}

/// Takes the `letters` apart that hold several events. `is_on_its_way` says of an event whether some part of it is
/// still to be proven or refused; it must not know more than the letters do, or a part that came back meanwhile
/// would be missing here, and the event be published without it.
pub fn take_apart(letters: &[DeadLetter], is_on_its_way: impl Fn(&str) -> bool) -> TakenApart {
    let letters: Vec<Letter> = letters.iter().filter_map(Letter::read).collect();
    // What waits makes wait what shares a letter with it.
    let mut waiting: BTreeSet<&str> = letters
        .iter()
        .flat_map(Letter::long)
        .filter(|id| is_on_its_way(id))
        .collect();
    loop {
        let count = waiting.len();
        for letter in letters.iter().filter(|letter| letter.is_mixed()) {
            if letter.long().any(|id| waiting.contains(id)) {
                waiting.extend(letter.long());
            }
        }
        if waiting.len() == count {
            break;
        }
    }
    let mixed: Vec<&Letter> = letters
        .iter()
        .filter(|letter| letter.is_mixed() && !letter.long().any(|id| waiting.contains(id)))
        .collect();
    let long: BTreeSet<&str> = mixed.iter().flat_map(|letter| letter.long()).collect();
    let whole: BTreeMap<&str, Ready> = long
        .into_iter()
        .filter_map(|id| Some((id, joined(id, &letters)?)))
        .collect();
    let mut apart = TakenApart::default();
    let mut done = BTreeSet::new();
    for letter in &letters {
        let is_mixed = mixed.iter().any(|mixed| mixed.parcel == letter.parcel);
        let is_of_whole = !letter.is_mixed() && letter.long().any(|id| whole.contains_key(id));
        if !is_mixed && !is_of_whole {
            continue;
        }
        apart.letters.push(letter.parcel);
        for event in &letter.events {
            match part_of(event).and_then(|_| whole.get(event.id.as_str())) {
                Some(whole) if done.insert(whole.id.as_str()) => apart.events.push(whole.clone()),
                Some(_) => {}
                None => apart.events.push(event.clone()),
            }
        }
    }
    apart
}

/// A long event, if all of its parts are in the letters.
fn joined(id: &str, letters: &[Letter]) -> Option<Ready> {
    let mut parts = BTreeMap::new();
    for event in letters.iter().flat_map(|letter| &letter.events) {
        if event.id == id
            && let Some(part) = part_of(event)
        {
            // Of one that was published several times, the last.
            parts.insert(part.number, (part.count, event));
        }
    }
    let count = u32::try_from(parts.len()).ok()?;
    let fits = (1..)
        .zip(&parts)
        .all(|(number, (found, (of, _)))| *found == number && *of == count);
    fits.then(|| Ready {
        id: id.to_owned(),
        parts: parts
            .values()
            .flat_map(|(_, event)| event.parts.clone())
            .collect(),
        contents: parts
            .values()
            .flat_map(|(_, event)| event.contents.clone())
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        code::Refusal,
        id::{FeedId, FeedSequence, LeafIndex},
    };

    /// A letter of events, each an id or an id with the number of a part and how many there are.
    fn letter(parcel: u64, events: &[(&str, u32, u32)]) -> DeadLetter {
        let events = events.iter().map(|(id, number, count)| {
            let part = (*count > 0).then_some(v1::Part {
                number: *number,
                count: *count,
            });
            let event = v1::Event {
                id: (*id).to_owned(),
                part,
                ..v1::Event::default()
            };
            event.encode_to_vec().into()
        });
        DeadLetter {
            parcel: ParcelId::new(parcel),
            feed: FeedId::new([1; 32]),
            sequence: FeedSequence::new(parcel),
            index: LeafIndex::new(parcel),
            refusal: Refusal::WrongParty,
            events: events.collect(),
        }
    }

    /// Parcels, and what goes out again with how many parts.
    fn apart(letters: &[DeadLetter], on_its_way: &[&str]) -> (Vec<u64>, Vec<(String, usize)>) {
        let apart = take_apart(letters, |id| on_its_way.contains(&id));
        (
            apart.letters.iter().map(|parcel| parcel.get()).collect(),
            apart
                .events
                .iter()
                .inspect(|event| assert_eq!(event.parts.len(), event.contents.len()))
                .map(|event| (event.id.clone(), event.parts.len()))
                .collect(),
        )
    }

    fn out(events: &[(&str, usize)]) -> Vec<(String, usize)> {
        events
            .iter()
            .map(|(id, parts)| ((*id).to_owned(), *parts))
            .collect()
    }

    #[test]
    fn whole_events_go_out_one_by_one_and_one_that_is_alone_stays() {
        let letters = [letter(1, &[("E", 0, 0), ("F", 0, 0)]), letter(2, &[("G", 0, 0)])];
        assert_eq!(apart(&letters, &[]), (vec![1], out(&[("E", 1), ("F", 1)])));
    }

    #[test]
    fn a_long_event_goes_out_whole_if_all_of_its_parts_are_there() {
        let letters = [
            letter(1, &[("E", 0, 0), ("X", 1, 3)]),
            letter(2, &[("X", 2, 3)]),
            letter(3, &[("X", 3, 3), ("F", 0, 0)]),
        ];
        let expected = (vec![1, 2, 3], out(&[("E", 1), ("X", 3), ("F", 1)]));
        assert_eq!(apart(&letters, &[]), expected);
    }

    #[test]
    fn a_part_whose_neighbours_are_in_the_log_does_not_hold_up_whole_events() {
        let letters = [letter(1, &[("X", 3, 3), ("F", 0, 0)])];
        assert_eq!(apart(&letters, &[]), (vec![1], out(&[("X", 1), ("F", 1)])));
    }

    #[test]
    fn letters_wait_for_parts_that_are_on_their_way() {
        let letters = [
            letter(1, &[("E", 0, 0), ("X", 1, 2)]),
            letter(2, &[("X", 2, 2), ("Y", 1, 2)]),
            letter(3, &[("F", 0, 0), ("G", 0, 0)]),
        ];
        assert_eq!(apart(&letters, &["Y"]), (vec![3], out(&[("F", 1), ("G", 1)])));
    }

    #[test]
    fn parts_of_one_event_that_are_alone_wait_for_a_person() {
        let letters = [letter(1, &[("X", 1, 3), ("X", 2, 3)]), letter(2, &[("X", 3, 3)])];
        assert_eq!(apart(&letters, &[]), (vec![], vec![]));
    }
}
