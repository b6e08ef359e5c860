//! Sealing fields of events before they are published: what was to be hidden must not go out in clear.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use lotproof::{
    event::sealed::{self, Opening},
    id::Hash,
    shell::durable,
    wire::v1,
};
use prost::Message as _;

/// Shortest text that is looked for elsewhere in an event: shorter ones occur by chance.
const TELLTALE_LEN_MIN: usize = 6;

/// Openings by the id of their event.
pub(crate) type Openings = BTreeMap<String, Vec<Opening>>;

/// Seals every field of these names (or paths) in the events.
///
/// # Errors
/// A name that seals nothing in any event, or a sealed text that stands elsewhere in its event in clear.
pub(crate) fn seal_events(events: Vec<v1::Event>, names: &[String]) -> Result<(Vec<v1::Event>, Openings)> {
    let mut openings = Openings::new();
    let mut used = vec![false; names.len()];
    let mut sealed_events = Vec::with_capacity(events.len());
    for event in events {
        let encoded = event.encode_to_vec();
        let mut paths = Vec::new();
        for (name, used) in names.iter().zip(&mut used) {
            let found = sealed::paths_named(&encoded, name);
            *used |= !found.is_empty();
            for path in found {
                paths.push((path, salt()?));
            }
        }
        paths.sort();
        paths.dedup_by(|a, b| a.0 == b.0);
        if paths.is_empty() {
            sealed_events.push(event);
            continue;
        }
        let (_, opened) = sealed::seal(&encoded, &paths)?;
        let event = without_telltales(event, &opened);
        let (bytes, opened) = sealed::seal(&event.encode_to_vec(), &paths)?;
        if let Some(opening) = opened.iter().find(|opening| is_told(&bytes, opening)) {
            bail!(
                "event {}: the value of {} also stands elsewhere in the event, where it would be read in clear",
                event.id,
                opening.path
            );
        }
        openings.entry(event.id.clone()).or_default().extend(opened);
        sealed_events.push(v1::Event::decode(bytes.as_slice())?);
    }
    for (name, used) in names.iter().zip(used) {
        if !used {
            let known: Vec<&str> = sealed::sealable_names().into_iter().collect();
            bail!(
                "nothing to seal under `{name}`: no event has such a field; nothing was published. Fields that can be sealed: {}",
                known.join(", ")
            );
        }
    }
    Ok((sealed_events, openings))
}

/// Writes openings to a new file: those in another one could not be made again.
pub(crate) fn write_openings(path: &Path, openings: &Openings) -> Result<()> {
    ensure!(
        !path.exists(),
        "{} is there already, and openings cannot be made again: name a new file; nothing was published",
        path.display()
    );
    durable::write(path, &serde_json::to_vec_pretty(openings)?)
        .with_context(|| format!("writing {}", path.display()))
}

fn salt() -> Result<Hash> {
    let mut salt = [0; 32];
    getrandom::fill(&mut salt).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(Hash::new(salt))
}

/// EPCIS says some parties twice, as a field of ours and as a source or destination. The second goes.
fn without_telltales(mut event: v1::Event, openings: &[Opening]) -> v1::Event {
    if let Some(view) = &mut event.epcis {
        let told = |reference: &v1::TypedReference| {
            let value = reference.value.as_bytes();
            openings.iter().any(|opening| opening.value == value)
        };
        view.sources.retain(|reference| !told(reference));
        view.destinations.retain(|reference| !told(reference));
        view.biz_transactions.retain(|reference| !told(reference));
    }
    event
}

/// Whether the value of a sealed text can be read in the event that should hide it.
fn is_told(event: &[u8], opening: &Opening) -> bool {
    opening.value.len() >= TELLTALE_LEN_MIN
        && event
            .windows(opening.value.len())
            .any(|window| window == opening.value)
}

#[cfg(test)]
mod tests {
    use lotproof::wire::v1::event::Kind;

    use super::*;

    const BUYER: &str = "https://id.gs1.org/417/9521230200103";

    fn shipped(residue: &str) -> v1::Event {
        v1::Event {
            id: "s-1".to_owned(),
            event_time: 1,
            kind: Some(Kind::Shipped(v1::Shipped {
                items: vec![v1::Item {
                    lot: "https://id.gs1.org/01/09521231100013/10/A".to_owned(),
                    cost: Some(v1::Money {
                        value: "12".to_owned(),
                        currency: "USD".to_owned(),
                        basis: String::new(),
                    }),
                    ..Default::default()
                }],
                consignee: BUYER.to_owned(),
                ..Default::default()
            })),
            epcis: Some(v1::EpcisView {
                destinations: vec![v1::TypedReference {
                    r#type: "owning_party".to_owned(),
                    value: BUYER.to_owned(),
                }],
                residue: residue.to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn fields_are_sealed_by_name_and_leave_no_second_copy() {
        let (events, openings) = seal_events(vec![shipped("")], &names(&["cost", "consignee"])).unwrap();
        let encoded = events[0].encode_to_vec();
        assert!(
            !encoded
                .windows(BUYER.len())
                .any(|window| window == BUYER.as_bytes())
        );
        assert_eq!(openings["s-1"].len(), 2);
        let opened = sealed::open(&events[0], &openings["s-1"]).unwrap();
        assert_eq!(opened.kind, shipped("").kind);
    }

    #[test]
    fn a_name_that_seals_nothing_is_an_error_and_publishes_nothing_in_clear() {
        let error = seal_events(vec![shipped("")], &names(&["cots"]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("nothing to seal under `cots`") && error.contains("consignee"),
            "{error}"
        );
    }

    #[test]
    fn a_value_that_would_still_be_read_elsewhere_is_an_error() {
        let residue = format!(r#"{{"x":"{BUYER}"}}"#);
        let error = seal_events(vec![shipped(&residue)], &names(&["consignee"]));
        assert!(error.unwrap_err().to_string().contains("elsewhere in the event"));
    }

    #[test]
    fn openings_are_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("openings.json");
        write_openings(&path, &Openings::from([("s-1".to_owned(), Vec::new())])).unwrap();
        assert!(write_openings(&path, &Openings::new()).is_err());
        assert!(std::fs::read_to_string(&path).unwrap().contains("s-1"));
    }
}
