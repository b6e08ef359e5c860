//! Bodies of requests: how many are in hand, how long and how rich they may be, and how long they may take.
//!
//! What is over a bound is not read to its end. Memory is taken from one store of room: for the bytes when the length
//! is known, and for the values in them before anything parses them.

use std::{sync::Arc, time::Duration};

use axum::body::{Body, Bytes, HttpBody as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::json_bounds::{JsonBounds, JsonExcess};

/// So many of the longest bodies are in memory at once.
pub const LONGEST_BODIES_MAX: usize = 4;
/// Bytes for which room is made at a time.
const ROOM_UNIT: usize = 1_024;
/// Bytes of memory that a parsed value is counted with beside its text.
const VALUE_LEN: usize = 200;

/// What bodies are held to.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Longest body in bytes.
    pub len_max: usize,
    /// How long a body may take to arrive.
    pub time_max: Duration,
    /// Requests with a body in hand at once.
    pub in_hand_max: usize,
    /// Values in a body, and their depth.
    pub json: JsonBounds,
}

/// Why a body is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// Too long, or it did not come whole.
    #[error("the body is longer than {0} bytes, or was cut off")]
    TooLong(usize),
    /// Too many values, or too deep.
    #[error(transparent)]
    Excess(#[from] JsonExcess),
    /// Too many others are in hand.
    #[error("too many requests are in hand")]
    Busy,
    /// Too slow.
    #[error("the body did not arrive whole within {} s", .0.as_secs_f32())]
    Slow(Duration),
}

/// Takes bodies in; clones share the room.
#[derive(Clone, Debug)]
pub struct Bodies {
    limits: BodyLimits,
    in_hand: Arc<Semaphore>,
    room: Arc<Semaphore>,
}

/// A place among the requests in hand, and room for a body and its values, until dropped.
#[derive(Debug)]
pub struct InHand {
    _place: OwnedSemaphorePermit,
    _room: OwnedSemaphorePermit,
}

/// Units of room for so many bytes.
fn units(len: usize) -> usize {
    len / ROOM_UNIT + 1
}

impl Bodies {
    /// With room for [`LONGEST_BODIES_MAX`] of the longest bodies, or one of the most values if that is more.
    pub fn new(limits: BodyLimits) -> Self {
        let longest = units(limits.len_max).saturating_mul(LONGEST_BODIES_MAX);
        let richest = units(limits.len_max).saturating_add(units(
            limits
                .json
                .values_max
                .min(limits.len_max)
                .saturating_mul(VALUE_LEN),
        ));
        // As many as can be acquired in one go.
        let room = longest
            .max(richest)
            .min(u32::MAX as usize)
            .min(Semaphore::MAX_PERMITS);
        Self {
            limits,
            in_hand: Arc::new(Semaphore::new(limits.in_hand_max.min(Semaphore::MAX_PERMITS))),
            room: Arc::new(Semaphore::new(room)),
        }
    }

    /// What they are held to.
    pub const fn limits(&self) -> &BodyLimits {
        &self.limits
    }

    fn make_room(&self, units: usize) -> Result<OwnedSemaphorePermit, BodyFault> {
        let units = u32::try_from(units).map_err(|_| BodyFault::Busy)?;
        let permit = self.room.clone().try_acquire_many_owned(units);
        permit.map_err(|_| BodyFault::Busy)
    }

    /// A place among the requests in hand, and then the body, whose values are counted.
    ///
    /// # Errors
    /// [`BodyFault`]: nothing is kept of the body then.
    pub async fn take(&self, body: Body) -> Result<(InHand, Bytes), BodyFault> {
        let BodyLimits {
            len_max,
            time_max,
            json,
            ..
        } = self.limits;
        let stated = body.size_hint().exact();
        let len = stated.map_or(len_max, |len| usize::try_from(len).unwrap_or(usize::MAX));
        if len > len_max {
            return Err(BodyFault::TooLong(len_max));
        }
        let place = self
            .in_hand
            .clone()
            .try_acquire_owned()
            .map_err(|_| BodyFault::Busy)?;
        let mut room = self.make_room(units(len))?;
        let read = tokio::time::timeout(time_max, axum::body::to_bytes(body, len_max)).await;
        let bytes = read
            .map_err(|_| BodyFault::Slow(time_max))?
            .map_err(|_| BodyFault::TooLong(len_max))?;
        let values = json.count(&bytes)?;
        // Few values are covered by the room of their bytes.
        let more = units(values.saturating_mul(VALUE_LEN)).saturating_sub(units(bytes.len()));
        if more > 0 {
            room.merge(self.make_room(more)?);
        }
        Ok((
            InHand {
                _place: place,
                _room: room,
            },
            bytes,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(len_max: usize, values_max: usize) -> Bodies {
        Bodies::new(BodyLimits {
            len_max,
            time_max: Duration::from_secs(5),
            in_hand_max: 2,
            json: JsonBounds {
                values_max,
                depth_max: 8,
            },
        })
    }

    #[tokio::test]
    async fn a_body_is_taken_up_to_each_of_its_bounds() {
        let bodies = bodies(1_000, 300);
        let list = |count: usize| format!("[{}1]", "1,".repeat(count - 2));
        let (_in_hand, bytes) = bodies.take(list(300).into()).await.unwrap();
        assert_eq!(bytes.len(), 2 * 300 - 1);
        let values = bodies.take(list(301).into()).await.unwrap_err();
        assert_eq!(values, BodyFault::Excess(JsonExcess::Values(300)));
        let deep = bodies.take("[".repeat(9).into()).await.unwrap_err();
        assert_eq!(deep, BodyFault::Excess(JsonExcess::Depth(8)));
        assert!(bodies.take(" ".repeat(1_000).into()).await.is_ok());
        let long = bodies.take(" ".repeat(1_001).into()).await.unwrap_err();
        assert_eq!(long, BodyFault::TooLong(1_000));
    }

    #[tokio::test]
    async fn the_most_values_fit_once_and_not_beside_each_other() {
        let bodies = bodies(1 << 20, 100_000);
        let rich = || Body::from(format!("[{}[]]", "[],".repeat(49_998)));
        let first = bodies.take(rich()).await.unwrap();
        assert_eq!(bodies.take(rich()).await.unwrap_err(), BodyFault::Busy);
        let small = bodies.take("{}".into()).await.unwrap();
        assert_eq!(
            bodies.take("{}".into()).await.unwrap_err(),
            BodyFault::Busy,
            "two are in hand"
        );
        drop((first, small));
        assert!(bodies.take(rich()).await.is_ok());
    }

    #[tokio::test]
    async fn what_was_refused_gives_its_room_back() {
        let bodies = bodies(1_000, 10);
        for _ in 0..100 {
            assert!(bodies.take("[[],[],[],[],[],[]]".into()).await.is_err());
        }
        assert!(bodies.take("[]".into()).await.is_ok());
    }
}
