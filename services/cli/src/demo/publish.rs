//! The demo's two kinds of input, each through its parties' gateways.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use lotproof::{
    epcis::{ImportOptions, import},
    gateway::Service,
    simulate::Simulation,
    wire::v1,
};
use serde_json::Value;

use super::desks::{Desks, Place, service_of};
use crate::enrolling::Assignment;

/// Publishes a document's events, each by its own party, as a document of its own.
pub(super) async fn publish_document(
    desks: &mut Desks,
    assignments: &[Assignment],
    document: &[u8],
) -> Result<()> {
    let imported = import(document, &ImportOptions::default())?;
    println!(
        "{} events taken, {} refused",
        imported.events.len(),
        imported.refused.len()
    );
    ensure!(
        imported.refused.is_empty(),
        "the document has events that cannot be published"
    );
    let whole: Value = serde_json::from_slice(document)?;
    let list = "/epcisBody/eventList";
    let all = whole
        .pointer(list)
        .and_then(Value::as_array)
        .context("an EPCIS document")?;
    let publisher_of: BTreeMap<usize, &str> = assignments
        .iter()
        .map(|event| (event.position, event.party.as_str()))
        .collect();
    // As a plant's system would: each event when it happens, in the document's order.
    let mut taken = Vec::new();
    for event in &imported.events {
        let position = event.position;
        let party = publisher_of
            .get(&position)
            .with_context(|| format!("nobody publishes event {position}"))?;
        let place = ((*party).to_owned(), service_of(&event.event)?);
        let mut alone = whole.clone();
        let own = all.get(position).cloned().into_iter().collect();
        *alone.pointer_mut(list).context("an EPCIS document")? = Value::Array(own);
        let [said] = desks
            .capture(&place, &alone)
            .await?
            .try_into()
            .map_err(|_| anyhow::anyhow!("the gateway took something else than event {position}"))?;
        taken.push((position, place, said));
    }
    for (position, place, said) in taken {
        let id = said["id"].as_str().context("an event has an id")?;
        let kind = said["kind"].as_str().unwrap_or_default();
        let kind = if said["is_declared"] == true {
            "declared wrong"
        } else {
            kind
        };
        let proven = desks.proven(&place, id).await?;
        println!(
            "event {position:>2}  {kind:<20} {:<42} {:<13} entry {:>3}, proven",
            place.0,
            place.1.name(),
            proven["statements"][0]["index"].to_string(),
        );
    }
    Ok(())
}

/// What each party of a simulation says, by the gateway that publishes it.
pub(super) fn by_place(simulation: &Simulation) -> Result<BTreeMap<Place, Vec<v1::Event>>> {
    let mut by_place: BTreeMap<Place, Vec<v1::Event>> = BTreeMap::new();
    for simulated in simulation.events() {
        let party = simulation.cast().party(simulated.party).identifier.clone();
        let place: (String, Service) = (party, service_of(&simulated.event)?);
        by_place.entry(place).or_default().push(simulated.event);
    }
    Ok(by_place)
}

/// Publishes what the parties of a simulation say.
pub(super) async fn publish_simulation(
    desks: &mut Desks,
    by_place: BTreeMap<Place, Vec<v1::Event>>,
) -> Result<()> {
    let before = desks.len();
    for (place, events) in &by_place {
        desks.post(place, events).await?;
    }
    let mut count = 0;
    for (place, events) in &by_place {
        for event in events {
            desks.proven(place, &event.id).await?;
            count += 1;
        }
    }
    println!(
        "{count} events through {} gateways, every receipt proven",
        desks.len() - before.min(desks.len())
    );
    Ok(())
}
