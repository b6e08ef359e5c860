//! Long lists of identifiers, prefix-compressed: `SerialRun { prefix, suffixes }`.
//!
//! ```text
//! .../21/C2609-000001, .../21/C2609-000002, .../21/C2609-000103
//!    = { ".../21/C2609-0000", ["01", "02"] }, { ".../21/C2609-000103" split at its last slash }
//! ```
//!
//! A list of serials is a set: it is sorted and made distinct, then cut where the bytes saved by a longer prefix
//! outweigh the prefix written once more. One set has one compressed form.

use crate::wire::v1::SerialRun;

/// Bytes of a run beside its prefix and suffixes: tags and lengths.
const RUN_COST: usize = 6;
/// Bytes of a suffix beside itself.
const SUFFIX_COST: usize = 2;

/// The one compressed form of a set of identifiers.
pub fn compress<S: AsRef<str>>(identifiers: impl IntoIterator<Item = S>) -> Vec<SerialRun> {
    let mut sorted: Vec<String> = identifiers
        .into_iter()
        .map(|identifier| identifier.as_ref().to_owned())
        .collect();
    sorted.sort_unstable();
    sorted.dedup();
    let sorted: Vec<&str> = sorted.iter().map(String::as_str).collect();
    if sorted.is_empty() {
        return Vec::new();
    }
    let mut cuts = Vec::new();
    choose(&sorted, 0, &mut cuts);
    let mut runs: Vec<SerialRun> = Vec::new();
    for (from, to, prefix_len) in cuts {
        let members = sorted.get(from..to).unwrap_or_default();
        let prefix = members
            .first()
            .and_then(|first| first.get(..prefix_len))
            .unwrap_or_default();
        let suffixes = members
            .iter()
            .map(|member| member.get(prefix_len..).unwrap_or_default().to_owned());
        match runs.last_mut() {
            Some(run) if run.prefix == prefix => run.suffixes.extend(suffixes),
            _ => runs.push(SerialRun {
                prefix: prefix.to_owned(),
                suffixes: suffixes.collect(),
            }),
        }
    }
    runs
}

/// All identifiers of a list of runs, in its order.
pub fn expand(runs: &[SerialRun]) -> impl Iterator<Item = String> {
    runs.iter().flat_map(|run| {
        run.suffixes
            .iter()
            .map(|suffix| format!("{}{suffix}", run.prefix))
    })
}

/// Appends the cheapest cut found for `sorted`, distinct identifiers of which the first stands at `offset`, as
/// runs (from, to, bytes of prefix), and returns its cost in bytes.
fn choose(sorted: &[&str], offset: usize, runs: &mut Vec<(usize, usize, usize)>) -> usize {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
        return 0;
    };
    if sorted.len() == 1 {
        // Alone, an identifier is cut where a reader would cut it.
        let cut = first.rfind(['/', ':']).map_or(0, |at| at + 1);
        runs.push((offset, offset + 1, cut));
        return RUN_COST + SUFFIX_COST + first.len();
    }
    let shared = shared_len(first, last);
    let whole: usize = RUN_COST
        + shared
        + sorted
            .iter()
            .map(|member| SUFFIX_COST + member.len() - shared)
            .sum::<usize>();
    let mark = runs.len();
    let mut cut_up = 0;
    let mut start = 0;
    while start < sorted.len() && cut_up < whole {
        let next = |at: usize| sorted.get(at).map(|member| member.as_bytes().get(shared));
        let mut end = start + 1;
        while end < sorted.len() && next(end) == next(start) {
            end += 1;
        }
        // Several letters that share their first byte: no prefix separates them.
        if end - start == sorted.len() {
            cut_up = whole;
            break;
        }
        cut_up += choose(sorted.get(start..end).unwrap_or_default(), offset + start, runs);
        start = end;
    }
    if cut_up < whole {
        return cut_up;
    }
    runs.truncate(mark);
    runs.push((offset, offset + sorted.len(), shared));
    whole
}

/// How many bytes two identifiers share at their beginning, up to a character boundary.
fn shared_len(a: &str, b: &str) -> usize {
    let mut shared = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    while !a.is_char_boundary(shared) || !b.is_char_boundary(shared) {
        shared -= 1;
    }
    shared
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fifty_thousand_serials_take_five_bytes_each() {
        let all: Vec<String> = (0..50_000)
            .map(|n| format!("https://id.gs1.org/01/09521231200010/21/C2609-{n:06}"))
            .collect();
        let runs = compress(&all);
        let bytes: usize = runs.iter().map(prost::Message::encoded_len).sum();
        assert!(bytes < 50_000 * 5, "{bytes}");
        assert_eq!(expand(&runs).collect::<Vec<_>>(), all);
    }

    #[test]
    fn one_identifier_is_cut_at_its_last_slash() {
        assert_eq!(
            compress(["https://id.gs1.org/01/09521231300017/21/P0001"]),
            [SerialRun {
                prefix: "https://id.gs1.org/01/09521231300017/21/".to_owned(),
                suffixes: vec!["P0001".to_owned()],
            }]
        );
    }

    proptest! {
        #[test]
        fn a_set_survives_and_has_one_form(mut all in prop::collection::vec("(ab|b)[ab\u{e9}]{0,6}/?[0-9]{0,3}", 0..60)) {
            let runs = compress(&all);
            let mut reversed = all.clone();
            reversed.reverse();
            prop_assert_eq!(&compress(&reversed), &runs);
            all.sort();
            all.dedup();
            let mut expanded: Vec<String> = expand(&runs).collect();
            expanded.sort();
            prop_assert_eq!(expanded, all);
        }
    }
}
