//! Long events in parts: one open event a feed, whose parts follow each other.

use crate::{
    code::Refusal,
    event::{CheckedEvent, EventPart},
    id::Hash,
};

/// A long event of which some parts have been admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OpenEvent {
    pub(super) id: String,
    pub(super) next: u32,
    pub(super) count: u32,
    pub(super) scalars: Hash,
}

/// What follows an event's part: the event that stays open, or that the part is out of place. An event
/// without part, and part 1 of another, abandon what was open.
pub(super) fn next_open(
    open: Option<&OpenEvent>,
    event: &CheckedEvent,
) -> Result<Option<OpenEvent>, Refusal> {
    let Some(EventPart {
        number,
        count,
        scalars,
    }) = event.part()
    else {
        return Ok(None);
    };
    if number > 1 {
        let fits = open.is_some_and(|open| {
            open.next == number && open.count == count && open.scalars == scalars && open.id == event.id()
        });
        if !fits {
            return Err(Refusal::PartOutOfPlace);
        }
    }
    Ok((number < count).then(|| OpenEvent {
        id: event.id().to_owned(),
        next: number + 1,
        count,
        scalars,
    }))
}
