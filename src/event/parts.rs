//! Events too long for one statement, cut into parts and put together again.
//!
//! ```text
//! event { id, time, scalars, list of 50,000 serials }
//!   = part 1 of 5 { id, time, scalars, serials 0.. } ... part 5 of 5 { id, time, scalars, serials ..50,000 }
//! ```
//!
//! Only lists marked `sliced` in `proto/` are cut; everything else stands in every part, so that admission can
//! judge each part alone. The event takes effect with its last part. Spec: `proto/README.md`, "Parts".

use prost::Message as _;

use crate::wire::{
    EVENT_PARTS_MAX,
    v1::{self, SerialRun, event::Kind},
};

/// Why an event cannot be cut, or parts do not make one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartsError {
    /// What must stand in every part is too long already.
    #[error("event takes {len} bytes besides its long lists, at most {max} fit")]
    TooLong {
        /// Bytes that every part needs.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// More parts than the format allows.
    #[error("event needs more than {EVENT_PARTS_MAX} parts")]
    TooManyParts,
    /// The event is a part already.
    #[error("event is a part already")]
    AlreadyPart,
    /// No parts at all.
    #[error("no parts")]
    None,
    /// Not part `expected` of `count`.
    #[error("part {got} of {got_count} where part {expected} of {count} belongs")]
    OutOfPlace {
        /// Number expected, from 1.
        expected: u32,
        /// Parts expected.
        count: u32,
        /// Number found.
        got: u32,
        /// Parts it claims.
        got_count: u32,
    },
    /// A part that differs from the first outside its slice.
    #[error("part {number} is not of the same event as part 1")]
    OtherEvent {
        /// Its number, from 1.
        number: u32,
    },
}

/// Cuts an event into parts of at most `len_max` bytes each; an event that fits stays whole.
///
/// # Errors
/// See [`PartsError`].
pub fn split_into_parts(mut event: v1::Event, len_max: usize) -> Result<Vec<v1::Event>, PartsError> {
    if event.part.is_some() {
        return Err(PartsError::AlreadyPart);
    }
    if widest_len(&mut event) <= len_max {
        return Ok(vec![event]);
    }
    let lists: Vec<Vec<SerialRun>> = sliced(&mut event).into_iter().map(std::mem::take).collect();
    // The longest numbers that a part may carry, and room for the growing length of the kind's message.
    event.part = Some(v1::Part {
        number: EVENT_PARTS_MAX,
        count: EVENT_PARTS_MAX,
    });
    let needed = widest_len(&mut event) + 2 * MESSAGE_OVERHEAD;
    let room = len_max.checked_sub(needed).ok_or(PartsError::TooLong {
        len: needed,
        max: len_max,
    })?;
    let list_count = lists.len();
    let mut slices = Vec::new();
    let mut slice = Slice::empty(list_count);
    for (list, run) in lists
        .into_iter()
        .enumerate()
        .flat_map(|(list, runs)| runs.into_iter().map(move |run| (list, run)))
    {
        let opening = run.prefix.len() + 2 * MESSAGE_OVERHEAD;
        let mut open = false;
        for suffix in run.suffixes {
            let cost = suffix.len() + 1 + prost::length_delimiter_len(suffix.len());
            if cost + opening > room {
                return Err(PartsError::TooLong {
                    len: needed + cost + opening,
                    max: len_max,
                });
            }
            if slice.len + cost + if open { 0 } else { opening } > room {
                slices.push(std::mem::replace(&mut slice, Slice::empty(list_count)));
                open = false;
            }
            let Some(runs) = slice.lists.get_mut(list) else {
                continue;
            };
            if !std::mem::replace(&mut open, true) {
                slice.len += opening;
                runs.push(SerialRun {
                    prefix: run.prefix.clone(),
                    suffixes: Vec::new(),
                });
            }
            if let Some(run) = runs.last_mut() {
                run.suffixes.push(suffix);
            }
            slice.len += cost;
        }
    }
    slices.push(slice);
    let count = u32::try_from(slices.len())
        .ok()
        .filter(|count| *count <= EVENT_PARTS_MAX)
        .ok_or(PartsError::TooManyParts)?;
    let parts = slices.into_iter().zip(1..).map(|(slice, number)| {
        let mut part = event.clone();
        part.part = Some(v1::Part { number, count });
        for (list, runs) in sliced(&mut part).into_iter().zip(slice.lists) {
            *list = runs;
        }
        part
    });
    Ok(parts.collect())
}

/// The length of an event as if it stood last in the longest document: one that is reported again in another
/// document is cut in the same places, and known by its parts.
fn widest_len(event: &mut v1::Event) -> usize {
    let Some(position) = event.reported.as_ref().map(|reported| reported.position) else {
        return event.encoded_len();
    };
    let stand = |event: &mut v1::Event, position| {
        if let Some(reported) = &mut event.reported {
            reported.position = position;
        }
    };
    stand(event, u32::MAX);
    let len = event.encoded_len();
    stand(event, position);
    len
}

/// Tag and length of a message shorter than 2 MiB.
const MESSAGE_OVERHEAD: usize = 4;

/// What one part takes of each long list.
struct Slice {
    lists: Vec<Vec<SerialRun>>,
    len: usize,
}

impl Slice {
    fn empty(lists: usize) -> Self {
        Self {
            lists: vec![Vec::new(); lists],
            len: 0,
        }
    }
}

/// Puts the parts of one event together, in their order.
///
/// A run that was cut between two parts is one run again; runs of one prefix that were two before and met at a
/// cut become one as well. An event without a part number is whole and is returned as it is.
///
/// # Errors
/// See [`PartsError`].
pub fn join_parts(parts: &[v1::Event]) -> Result<v1::Event, PartsError> {
    let mut parts = parts.iter();
    let first = parts.next().ok_or(PartsError::None)?;
    let Some(v1::Part { number, count }) = first.part else {
        return match parts.next() {
            None => Ok(first.clone()),
            Some(_) => Err(PartsError::OtherEvent { number: 2 }),
        };
    };
    let misplaced = |expected, part: Option<v1::Part>| {
        let got = part.unwrap_or_default();
        PartsError::OutOfPlace {
            expected,
            count,
            got: got.number,
            got_count: got.count,
        }
    };
    if number != 1 || !(2..=EVENT_PARTS_MAX).contains(&count) {
        return Err(misplaced(1, first.part));
    }
    let frame = frame(first);
    let mut whole = first.clone();
    whole.part = None;
    for expected in 2..=count {
        let part = parts.next().ok_or_else(|| misplaced(expected, None))?;
        if part.part
            != Some(v1::Part {
                number: expected,
                count,
            })
        {
            return Err(misplaced(expected, part.part));
        }
        if self::frame(part) != frame {
            return Err(PartsError::OtherEvent { number: expected });
        }
        let mut part = part.clone();
        for (list, more) in sliced(&mut whole).into_iter().zip(sliced(&mut part)) {
            let mut more = more.drain(..).peekable();
            if let (Some(last), Some(next)) = (list.last_mut(), more.peek_mut())
                && last.prefix == next.prefix
            {
                last.suffixes.append(&mut next.suffixes);
                more.next();
            }
            list.extend(more);
        }
    }
    match parts.next() {
        None => Ok(whole),
        Some(part) => Err(misplaced(count, part.part)),
    }
}

/// What all parts of an event have in common.
fn frame(part: &v1::Event) -> v1::Event {
    let mut frame = part.clone();
    frame.part = None;
    for list in sliced(&mut frame) {
        list.clear();
    }
    frame
}

/// The lists of an event that are marked `sliced`, in the order of their field numbers.
fn sliced(event: &mut v1::Event) -> Vec<&mut Vec<SerialRun>> {
    let Some(kind) = &mut event.kind else {
        return Vec::new();
    };
    match kind {
        Kind::Commissioned(e) => vec![&mut e.serials],
        Kind::Transformed(e) => vec![&mut e.input_serials, &mut e.output_serials],
        Kind::Aggregated(e) => vec![&mut e.serials],
        Kind::Disaggregated(e) => vec![&mut e.serials],
        Kind::Assembled(e) => vec![&mut e.serials],
        Kind::Disassembled(e) => vec![&mut e.serials],
        Kind::Inspected(e) => vec![&mut e.serials],
        Kind::Held(e) => vec![&mut e.serials],
        Kind::Released(e) => vec![&mut e.serials],
        Kind::Scrapped(e) => vec![&mut e.serials],
        Kind::Recycled(e) => vec![&mut e.input_serials],
        Kind::Shipped(e) => vec![&mut e.serials],
        Kind::Received(e) => vec![&mut e.serials],
        Kind::DeliveryRefused(e) => vec![&mut e.serials],
        Kind::ShipmentWithdrawn(e) => vec![&mut e.serials],
        Kind::CustodyTransferred(e) => vec![&mut e.serials],
        Kind::TitleTransferred(e) => vec![&mut e.serials],
        Kind::Imported(e) => vec![&mut e.serials],
        Kind::Exported(e) => vec![&mut e.serials],
        Kind::Recalled(e) => vec![&mut e.serials],
        Kind::Observed(e) => vec![&mut e.serials],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{epcis::serials, wire::shape};

    fn transformed(inputs: &[String], outputs: &[String]) -> v1::Event {
        v1::Event {
            id: "e1".to_owned(),
            event_time: 1,
            kind: Some(Kind::Transformed(v1::Transformed {
                step: "formation".to_owned(),
                input_serials: serials::compress(inputs),
                output_serials: serials::compress(outputs),
                ..v1::Transformed::default()
            })),
            ..v1::Event::default()
        }
    }

    #[test]
    fn fifty_thousand_serials_come_back_from_their_parts() {
        let serials: Vec<String> = (0..50_000)
            .map(|n| format!("https://id.gs1.org/01/09521231200010/21/C2609-{n:06}"))
            .collect();
        let event = transformed(&serials[..20_000], &serials[20_000..]);
        let parts = split_into_parts(event.clone(), 60_000).unwrap();
        assert!((4..=5).contains(&parts.len()), "{} parts", parts.len());
        for part in &parts {
            let bytes = part.encode_to_vec();
            assert!(bytes.len() <= 60_000);
            shape::check(&shape::EVENT, &bytes, &mut |_| {}).unwrap();
        }
        assert_eq!(join_parts(&parts), Ok(event));
    }

    #[test]
    fn an_event_that_fits_stays_whole() {
        let event = transformed(&["urn:x:1".to_owned()], &[]);
        let parts = split_into_parts(event.clone(), 1_000).unwrap();
        assert_eq!(parts, std::slice::from_ref(&event));
        assert_eq!(join_parts(&parts), Ok(event));
    }

    #[test]
    fn parts_that_do_not_belong_together_are_named() {
        let serials: Vec<String> = (0..100).map(|n| format!("urn:x:{n}")).collect();
        let parts = split_into_parts(transformed(&serials, &[]), 200).unwrap();
        assert!(parts.len() >= 3);
        let count = u32::try_from(parts.len()).unwrap();
        assert_eq!(join_parts(&[]), Err(PartsError::None));
        assert_eq!(
            join_parts(&parts[..1]),
            Err(PartsError::OutOfPlace {
                expected: 2,
                count,
                got: 0,
                got_count: 0
            })
        );
        assert_eq!(
            join_parts(&parts[1..]),
            Err(PartsError::OutOfPlace {
                expected: 1,
                count,
                got: 2,
                got_count: count
            })
        );
        let mut other = parts.clone();
        other[1].event_time = 2;
        assert_eq!(join_parts(&other), Err(PartsError::OtherEvent { number: 2 }));
        let long = v1::Event {
            epcis: Some(v1::EpcisView {
                residue: format!("{{\"a\":\"{}\"}}", "x".repeat(2_000)),
                ..v1::EpcisView::default()
            }),
            ..transformed(&serials, &[])
        };
        assert!(matches!(
            split_into_parts(long, 1_000),
            Err(PartsError::TooLong { .. })
        ));
    }

    /// Every field marked `sliced` in `proto/` is cut, and no other.
    #[test]
    fn exactly_the_sliced_fields_are_cut() {
        for field in shape::EVENT.fields {
            let shape::Kind::Message(inner) = field.kind else {
                continue;
            };
            let marked: Vec<u32> = inner
                .fields
                .iter()
                .filter(|f| f.sliced)
                .map(|f| f.number)
                .collect();
            if field.presence != shape::Presence::OneOf {
                assert!(marked.is_empty(), "{}", field.name);
                continue;
            }
            // An event of this kind with one run in each of its sliced fields.
            let mut body = Vec::new();
            for number in &marked {
                prost::encoding::message::encode(
                    *number,
                    &SerialRun {
                        prefix: number.to_string(),
                        suffixes: vec!["1".to_owned()],
                    },
                    &mut body,
                );
            }
            let mut bytes = Vec::new();
            prost::encoding::bytes::encode(field.number, &body, &mut bytes);
            let mut event = v1::Event::decode(bytes.as_slice()).unwrap();
            let found: Vec<u32> = sliced(&mut event)
                .iter()
                .map(|runs| runs.first().map_or(0, |run| run.prefix.parse().unwrap()))
                .collect();
            assert_eq!(found, marked, "{}", field.name);
        }
    }

    proptest! {
        #[test]
        fn parts_fit_and_join(
            inputs in prop::collection::vec("[a-c]{1,9}[0-9]{1,4}", 0..300),
            outputs in prop::collection::vec("x:[a-c]{1,3}/[0-9]{1,4}", 0..300),
            len_max in 90_usize..2_000,
        ) {
            let event = transformed(&inputs, &outputs);
            let parts = split_into_parts(event.clone(), len_max).unwrap();
            prop_assert!(parts.iter().all(|part| part.encoded_len() <= len_max));
            prop_assert_eq!(join_parts(&parts).unwrap(), event);
        }
    }
}
