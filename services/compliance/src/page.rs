//! Pages of lists that may be long.

use lotproof::provenance::FactView;

use crate::{
    problem::{Problem, ProblemCode},
    request::LIMIT_MAX,
};

pub(crate) fn limit_fits(limit: usize) -> Result<(), Problem> {
    if (1..=LIMIT_MAX).contains(&limit) {
        return Ok(());
    }
    let message = format!("limit is {limit}, 1 to {LIMIT_MAX} are accepted");
    Err(Problem::new(ProblemCode::InvalidParameter, message).about(["limit"]))
}

/// Where a fact stands among those of its lot: by event time, then by its place in the log, which is its alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FactCursor {
    event_time: i64,
    leaf_index: u64,
    event_number: u32,
}

impl FactCursor {
    fn of(fact: &FactView) -> Self {
        Self {
            event_time: fact.event_time.as_nanos(),
            leaf_index: fact.leaf_index,
            event_number: fact.event_number,
        }
    }

    /// Reads what [`Display`](std::fmt::Display) writes.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let mut parts = text.split('_');
        let read = (|| {
            let cursor = Self {
                event_time: parts.next()?.parse().ok()?,
                leaf_index: parts.next()?.parse().ok()?,
                event_number: parts.next()?.parse().ok()?,
            };
            parts.next().is_none().then_some(cursor)
        })();
        read.ok_or_else(|| {
            let message = "after is not what `facts_next` of a page before said";
            Problem::new(ProblemCode::InvalidParameter, message).about(["after"])
        })
    }
}

impl std::fmt::Display for FactCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            event_time,
            leaf_index,
            event_number,
        } = self;
        write!(f, "{event_time}_{leaf_index}_{event_number}")
    }
}

/// Leaves the page after `after` of a lot's facts. Returns what the next one is asked for with, if there is one, and
/// how many facts come after the page.
pub(crate) fn page_of_facts(
    facts: &mut Vec<FactView>,
    after: Option<FactCursor>,
    limit: usize,
) -> (Option<String>, usize) {
    facts.sort_by_key(FactCursor::of);
    if let Some(after) = after {
        facts.retain(|fact| FactCursor::of(fact) > after);
    }
    let left_out = facts.len().saturating_sub(limit);
    facts.truncate(limit);
    let last = facts.last().filter(|_| left_out > 0);
    (last.map(|last| FactCursor::of(last).to_string()), left_out)
}

/// A page of a list that is numbered.
pub(crate) struct Page<T> {
    pub(crate) rows: Vec<T>,
    /// How many rows all pages have.
    pub(crate) total: usize,
    pub(crate) next_offset: Option<usize>,
    /// How many rows come after it.
    pub(crate) left_out: usize,
}

impl<T> Page<T> {
    /// Takes at most `limit` rows after the first `offset`.
    pub(crate) fn of(all: impl Iterator<Item = T>, offset: usize, limit: usize) -> Self {
        let (mut rows, mut total) = (Vec::new(), 0);
        for row in all {
            if total >= offset && rows.len() < limit {
                rows.push(row);
            }
            total += 1;
        }
        let end = offset.saturating_add(rows.len());
        Self {
            rows,
            total,
            next_offset: (end < total).then_some(end),
            left_out: total.saturating_sub(end),
        }
    }

    /// The same page of what each row is told as.
    pub(crate) fn map<U>(self, tell: impl FnMut(T) -> U) -> Page<U> {
        Page {
            rows: self.rows.into_iter().map(tell).collect(),
            total: self.total,
            next_offset: self.next_offset,
            left_out: self.left_out,
        }
    }

    /// How many rows it has, and how many come after it.
    pub(crate) const fn given_and_left_out(&self) -> (usize, usize) {
        (self.rows.len(), self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use lotproof::{
        provenance::FactKey,
        time::{EventTime, RecordedAt},
    };

    use super::*;

    fn fact(event_time: i64, leaf_index: u64, event_number: u32) -> FactView {
        FactView {
            event: FactKey {
                issuer: "https://maker.example/".into(),
                event_id: format!("{leaf_index}-{event_number}"),
            },
            leaf_index,
            event_number,
            kind: "shipped",
            event_time: EventTime::from_nanos(event_time),
            recorded_at: RecordedAt::from_nanos(0),
            counts: true,
            contested: false,
            standing: true,
            reported: false,
            claimed_party: None,
            tainted: false,
        }
    }

    #[test]
    fn pages_of_facts_hold_each_once_whatever_the_order_and_the_ties() {
        let facts = [(5, 2, 1), (-3, 9, 0), (5, 2, 0), (5, 1, 7), (8, 3, 3)];
        let facts: Vec<FactView> = facts.map(|(time, leaf, number)| fact(time, leaf, number)).into();
        for limit in 1..=6 {
            let (mut after, mut seen) = (None, Vec::new());
            loop {
                let mut page = facts.clone();
                let cursor = after.as_deref().map(|text| FactCursor::parse(text).unwrap());
                let left_out;
                (after, left_out) = page_of_facts(&mut page, cursor, limit);
                assert_eq!(left_out, facts.len() - seen.len() - page.len());
                assert!(page.len() <= limit);
                seen.extend(page.iter().map(|fact| fact.event.event_id.clone()));
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(seen, ["9-0", "1-7", "2-0", "2-1", "3-3"], "pages of {limit}");
        }
    }

    #[test]
    fn a_fact_that_comes_late_disturbs_no_later_page() {
        let mut page = vec![fact(1, 1, 0), fact(2, 2, 0), fact(3, 3, 0)];
        let next = page_of_facts(&mut page, None, 2).0.unwrap();
        let mut page = vec![fact(1, 1, 0), fact(2, 2, 0), fact(3, 3, 0), fact(0, 4, 0)];
        page_of_facts(&mut page, Some(FactCursor::parse(&next).unwrap()), 2);
        assert_eq!(page, [fact(3, 3, 0)]);
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "1", "1_2", "1_2_3_4", "a_2_3", "1_-2_3"] {
            assert_eq!(FactCursor::parse(text).unwrap_err().fields, ["after"], "{text}");
        }
    }

    #[test]
    fn pages_hold_every_row_once_and_say_how_many_follow() {
        for limit in 1..=6 {
            let (mut seen, mut next) = (Vec::new(), Some(0));
            while let Some(offset) = next {
                let page = Page::of(0..5, offset, limit);
                assert_eq!(
                    page.given_and_left_out(),
                    (page.rows.len(), 5 - offset - page.rows.len())
                );
                assert_eq!(page.total, 5);
                seen.extend(page.rows);
                next = page.next_offset;
            }
            assert_eq!(seen, [0, 1, 2, 3, 4], "pages of {limit}");
        }
        let beyond = Page::of(0..5, 9, 2);
        assert_eq!((beyond.next_offset, beyond.given_and_left_out()), (None, (0, 0)));
    }
}
