//! Lots and runs of serials, and the index from an identifier to the facts that touch it.
//!
//! An identifier is kept as its stem and the digits at its end; a run of serials that count upwards is one
//! [`Span`], however long:
//!
//! ```text
//! https://id.gs1.org/01/09521231200010/21/C0000001 .. C0009600
//! stem "https://id.gs1.org/01/09521231200010/21/C", width 7, first 1, last 9600
//! ```
//!
//! A pallet of 9,600 cells therefore costs one index entry. To find the spans around one serial without
//! looking at all of them, entries are kept by the power of two of their length: an entry of class k that
//! covers n starts within 2^(k+1) below n.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
};

use super::symbol::{Symbol, Symbols};

/// Most digits that count as a number.
const WIDTH_MAX: usize = 18;

/// One lot, class or serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::provenance) struct LotKey {
    pub(in crate::provenance) stem: Symbol,
    pub(in crate::provenance) width: u8,
    pub(in crate::provenance) number: u64,
}

impl LotKey {
    /// Brings equal identifiers and those of one stem together. The order of stems is that of their arrival: it
    /// must reach no answer.
    pub(in crate::provenance) fn order(self) -> (u32, u8, u64) {
        (self.stem.index(), self.width, self.number)
    }
}

/// Consecutive identifiers of one stem, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::provenance) struct Span {
    pub(in crate::provenance) stem: Symbol,
    pub(in crate::provenance) width: u8,
    pub(in crate::provenance) first: u64,
    pub(in crate::provenance) last: u64,
}

impl Span {
    /// How many identifiers.
    pub(in crate::provenance) fn count(self) -> u64 {
        self.last - self.first + 1
    }

    /// The first of them.
    pub(in crate::provenance) fn key(self) -> LotKey {
        LotKey {
            stem: self.stem,
            width: self.width,
            number: self.first,
        }
    }

    /// Whether `key` is one of them.
    pub(in crate::provenance) fn contains(self, key: LotKey) -> bool {
        self.stem == key.stem && self.width == key.width && (self.first..=self.last).contains(&key.number)
    }

    /// What both have in common.
    pub(in crate::provenance) fn overlap(self, other: Self) -> Option<Self> {
        let first = self.first.max(other.first);
        let last = self.last.min(other.last);
        (self.stem == other.stem && self.width == other.width && first <= last).then_some(Self {
            first,
            last,
            ..self
        })
    }
}

impl From<LotKey> for Span {
    fn from(key: LotKey) -> Self {
        Self {
            stem: key.stem,
            width: key.width,
            first: key.number,
            last: key.number,
        }
    }
}

/// Stem, width and number of an identifier.
fn split(id: &str) -> (&str, u8, u64) {
    let digits = id
        .bytes()
        .rev()
        .take(WIDTH_MAX)
        .take_while(u8::is_ascii_digit)
        .count();
    let (stem, digits) = id.split_at(id.len() - digits);
    let number = digits
        .bytes()
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    // At most 18, so the width always fits.
    (stem, u8::try_from(digits.len()).unwrap_or(u8::MAX), number)
}

/// The key of an identifier, new if need be.
pub(in crate::provenance) fn intern(symbols: &mut Symbols, id: &str) -> LotKey {
    let (stem, width, number) = split(id);
    LotKey {
        stem: symbols.intern(stem),
        width,
        number,
    }
}

/// The key of an identifier whose stem was met before.
pub(in crate::provenance) fn find(symbols: &Symbols, id: &str) -> Option<LotKey> {
    let (stem, width, number) = split(id);
    Some(LotKey {
        stem: symbols.get(stem)?,
        width,
        number,
    })
}

/// The identifier of a key.
pub(in crate::provenance) fn name(symbols: &Symbols, key: LotKey) -> String {
    let stem = symbols.name(key.stem);
    let mut name = String::with_capacity(stem.len() + usize::from(key.width));
    name.push_str(stem);
    for place in (0..u32::from(key.width)).rev() {
        let digit = key.number / 10_u64.pow(place) % 10;
        name.push(char::from(b'0' + u8::try_from(digit).unwrap_or(0)));
    }
    name
}

/// The spans of a run of serials, gaps closed and doubles joined.
pub(in crate::provenance) fn of_run<'a>(
    symbols: &mut Symbols,
    serials: impl Iterator<Item = (&'a str, &'a str)>,
    out: &mut Vec<Span>,
) {
    let from = out.len();
    let mut id = String::new();
    let mut last_stem = String::new();
    for (prefix, suffix) in serials {
        id.clear();
        id.push_str(prefix);
        id.push_str(suffix);
        let (stem, width, number) = split(&id);
        if let Some(last) = out.get_mut(from..).and_then(<[Span]>::last_mut)
            && last.width == width
            && last.last.checked_add(1) == Some(number)
            && stem == last_stem
        {
            last.last = number;
            continue;
        }
        last_stem.clear();
        last_stem.push_str(stem);
        out.push(Span {
            stem: symbols.intern(stem),
            width,
            first: number,
            last: number,
        });
    }
    let mut spans = out.split_off(from);
    // By name and not by symbol: the order shows in answers, and symbols are numbered by arrival.
    spans.sort_unstable_by(|a, b| {
        let stems = || symbols.name(a.stem).cmp(symbols.name(b.stem));
        let same_stem = if a.stem == b.stem {
            Ordering::Equal
        } else {
            stems()
        };
        same_stem.then_with(|| (a.width, a.first).cmp(&(b.width, b.first)))
    });
    for span in spans {
        match out.get_mut(from..).and_then(<[Span]>::last_mut) {
            Some(last)
                if last.stem == span.stem
                    && last.width == span.width
                    && span.first <= last.last.saturating_add(1) =>
            {
                last.last = last.last.max(span.last);
            }
            _ => out.push(span),
        }
    }
}

/// A place in a fact where an identifier stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::provenance) struct Touch {
    pub(in crate::provenance) fact: u32,
    pub(in crate::provenance) leg: u32,
}

#[derive(Debug)]
enum Track {
    /// An identifier without digits at its end.
    Single(Vec<Touch>),
    /// By class and first number; with the last number.
    Numbered {
        classes: u64,
        entries: BTreeMap<(u8, u64), Vec<(u64, Touch)>>,
    },
}

/// From identifiers to the facts that touch them.
#[derive(Debug, Default)]
pub(in crate::provenance) struct Tracks {
    tracks: HashMap<(Symbol, u8), Track>,
}

impl Tracks {
    /// Notes that a fact touches a span.
    pub(in crate::provenance) fn add(&mut self, span: Span, touch: Touch) {
        let track = self.tracks.entry((span.stem, span.width)).or_insert_with(|| {
            if span.width == 0 {
                Track::Single(Vec::new())
            } else {
                Track::Numbered {
                    classes: 0,
                    entries: BTreeMap::new(),
                }
            }
        });
        match track {
            Track::Single(touches) => touches.push(touch),
            Track::Numbered { classes, entries } => {
                let class = span.count().ilog2();
                *classes |= 1 << class;
                // A u64 has 64 powers of two.
                let class = u8::try_from(class).unwrap_or(u8::MAX);
                entries
                    .entry((class, span.first))
                    .or_default()
                    .push((span.last, touch));
            }
        }
    }

    /// Calls `visit` with every touch that has something in common with `span`, and what that is.
    pub(in crate::provenance) fn visit(&self, span: Span, visit: &mut impl FnMut(Span, Touch)) {
        match self.tracks.get(&(span.stem, span.width)) {
            None => {}
            Some(Track::Single(touches)) => {
                for touch in touches {
                    visit(span, *touch);
                }
            }
            Some(Track::Numbered { classes, entries }) => {
                let mut classes = *classes;
                while classes != 0 {
                    let class = classes.trailing_zeros();
                    classes &= classes - 1;
                    let reach = 1_u64.checked_shl(class + 1).unwrap_or(u64::MAX);
                    let from = span.first.saturating_sub(reach - 1);
                    let class = u8::try_from(class).unwrap_or(u8::MAX);
                    for ((_, first), touches) in entries.range((class, from)..=(class, span.last)) {
                        for (last, touch) in touches {
                            let entry = Span {
                                first: *first,
                                last: *last,
                                ..span
                            };
                            if let Some(common) = entry.overlap(span) {
                                visit(common, *touch);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Every touch of one identifier, in no particular order.
    pub(in crate::provenance) fn of(&self, key: LotKey) -> Vec<Touch> {
        let mut touches = Vec::new();
        self.visit(key.into(), &mut |_, touch| touches.push(touch));
        touches
    }

    /// Cuts `span` into pieces whose members are touched by the same facts, as far as `counts` cares.
    pub(in crate::provenance) fn pieces(
        &self,
        span: Span,
        mut counts: impl FnMut(Touch) -> bool,
    ) -> Vec<Span> {
        if span.first == span.last {
            return vec![span];
        }
        let mut starts = vec![span.first];
        self.visit(span, &mut |common, touch| {
            if counts(touch) {
                starts.push(common.first);
                if common.last < span.last {
                    starts.push(common.last + 1);
                }
            }
        });
        starts.sort_unstable();
        starts.dedup();
        let ends: Vec<u64> = starts
            .iter()
            .skip(1)
            .map(|next| next - 1)
            .chain([span.last])
            .collect();
        starts
            .into_iter()
            .zip(ends)
            .map(|(first, last)| Span { first, last, ..span })
            .collect()
    }

    /// Every stem and width there is, in no particular order.
    pub(in crate::provenance) fn all_spans(&self) -> Vec<Span> {
        let mut all: Vec<Span> = self
            .tracks
            .iter()
            .flat_map(|((stem, width), track)| match track {
                Track::Single(_) => vec![Span {
                    stem: *stem,
                    width: *width,
                    first: 0,
                    last: 0,
                }],
                Track::Numbered { entries, .. } => entries
                    .iter()
                    .flat_map(|((_, first), touches)| {
                        touches.iter().map(|(last, _)| Span {
                            stem: *stem,
                            width: *width,
                            first: *first,
                            last: *last,
                        })
                    })
                    .collect(),
            })
            .collect();
        all.sort_unstable_by_key(|span| (span.key().order(), span.last));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(ids: &[&str]) -> (Symbols, Vec<Span>) {
        let mut symbols = Symbols::default();
        let mut spans = Vec::new();
        of_run(&mut symbols, ids.iter().map(|id| ("urn:x:", *id)), &mut spans);
        (symbols, spans)
    }

    #[test]
    fn a_run_of_serials_is_one_span_in_any_order() {
        let (_, forward) = run(&["A0001", "A0002", "A0003"]);
        let (_, shuffled) = run(&["A0003", "A0001", "A0002", "A0002"]);
        assert_eq!(forward.len(), 1);
        assert_eq!(forward[0].count(), 3);
        assert_eq!(shuffled, forward);
    }

    #[test]
    fn leading_zeros_and_stems_keep_serials_apart() {
        let (symbols, spans) = run(&["A9", "A10", "A011", "B12", "C"]);
        assert_eq!(spans.len(), 5);
        let names: Vec<String> = spans.iter().map(|span| name(&symbols, span.key())).collect();
        for id in ["A9", "A10", "A011", "B12", "C"] {
            assert!(names.contains(&format!("urn:x:{id}")), "{id} in {names:?}");
        }
    }

    #[test]
    fn finds_every_span_around_a_serial_and_no_other() {
        let mut symbols = Symbols::default();
        let stem = symbols.intern("s");
        let mut tracks = Tracks::default();
        let mut all = Vec::new();
        for (fact, (first, last)) in [(1, 9_600), (5, 5), (9_600, 9_601), (6, 4_000), (100, 131), (1, 1)]
            .into_iter()
            .enumerate()
        {
            let span = Span {
                stem,
                width: 6,
                first,
                last,
            };
            let fact = u32::try_from(fact).unwrap();
            tracks.add(span, Touch { fact, leg: 0 });
            all.push((span, fact));
        }
        for number in [
            0, 1, 2, 5, 6, 99, 100, 131, 132, 4_000, 4_001, 9_600, 9_601, 9_602,
        ] {
            let key = LotKey {
                stem,
                width: 6,
                number,
            };
            let mut found: Vec<u32> = tracks.of(key).iter().map(|touch| touch.fact).collect();
            found.sort_unstable();
            let expected: Vec<u32> = all
                .iter()
                .filter(|(span, _)| span.contains(key))
                .map(|(_, fact)| *fact)
                .collect();
            assert_eq!(found, expected, "at {number}");
        }
        let pieces = tracks.pieces(
            Span {
                stem,
                width: 6,
                first: 1,
                last: 10,
            },
            |_| true,
        );
        let ends: Vec<(u64, u64)> = pieces.iter().map(|piece| (piece.first, piece.last)).collect();
        assert_eq!(ends, [(1, 1), (2, 4), (5, 5), (6, 10)]);
    }
}
