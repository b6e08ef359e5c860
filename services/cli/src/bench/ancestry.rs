//! A pack with 1,000 ancestors, and how long it takes to explain it.
//!
//! ```text
//! pack <- 10 modules <- 9 cell lots each <- 10 lots of material each        10 + 90 + 900
//! ```
//!
//! Everything below a module was sold, shipped and received before it was used, so an ancestor has five facts;
//! every price is certified. Each question is asked of a projection that has concluded nothing yet, as it is
//! after any event that came in: what was remembered before does not help.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lotproof::{
    id::{FeedId, Hash, LeafIndex, TreeSize},
    policy::{Context, Mode, Question, evaluate, load_pack, view::Purpose},
    provenance::{AppliedEvent, Bounds, Direction, Projection},
    register::EventPlace,
    time::{IssuedAt, RecordedAt, utc_date},
    wire::v1::{self, event::Kind},
};
use prost::Message as _;

const S154: &str = include_str!("../../../../policies/us-ndaa-fy2024-s154.toml");
const CONTEXT: &[u8] =
    br#"{"buyer": {"agency": "US-DOD"}, "obligation_date": "2027-11-01", "end_item_assembler": null}"#;
/// Midnight of 1 January 2026, UTC.
const START: i64 = 1_767_225_600_000_000_000;
const MINUTE: i64 = 60_000_000_000;
const AUTHORITY: &str = "https://authority.example/";
/// How often each question is asked.
const ROUNDS: usize = 9;

/// One of the three who make something.
#[derive(Clone, Copy)]
struct Maker {
    prefix: &'static str,
    country: &'static str,
    /// Kinds of what it makes.
    kinds: &'static [&'static str],
}

const PACKS: Maker = Maker {
    prefix: "https://id.gs1.org/01/09523001",
    country: "US",
    kinds: &["pack", "module"],
};
const CELLS: Maker = Maker {
    prefix: "https://id.gs1.org/01/09523002",
    country: "KR",
    kinds: &["cell"],
};
const MATERIALS: Maker = Maker {
    prefix: "https://id.gs1.org/01/09523003",
    country: "AU",
    kinds: &["cam"],
};

impl Maker {
    fn party(self) -> String {
        format!("https://{}.example/", self.kinds[0])
    }

    fn facility(self) -> String {
        format!("https://{}.example/plant", self.kinds[0])
    }

    fn product(self, kind: usize) -> String {
        format!("{}00{kind}017", self.prefix)
    }

    fn lot(self, kind: usize, number: usize) -> String {
        format!("{}/10/L{number:06}", self.product(kind))
    }
}

/// How long the explanation of the pack took, as the HTTP API gives it.
pub(super) struct Explained {
    /// Where it came from, as JSON: the median.
    pub(super) provenance: Duration,
    /// The verdict under the rules of s.154, as JSON: the median.
    pub(super) verdict: Duration,
}

/// Asks both questions of a pack with 1,000 ancestors.
pub(super) fn explain() -> Result<Explained> {
    let pack = load_pack("us-ndaa-fy2024-s154.toml", S154, Mode::Lenient)?;
    let context = Context::from_json(CONTEXT)?;
    let (mut provenance, mut verdict) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (telling, lot) = told();
        let projection = telling.projection;
        provenance.push(timed(|| {
            let walk = projection
                .provenance(&lot, Direction::Up, Bounds::default())
                .context("the pack is known")?;
            ensure!(walk.nodes.len() == 1_001, "{} nodes", walk.nodes.len());
            ensure!(walk.nodes.iter().all(|node| node.anomalies.is_empty()));
            Ok(serde_json::to_vec(&walk)?)
        })?);
        let (telling, lot) = told();
        let question = Question {
            lot: &lot,
            pack: &pack,
            context: &context,
            params: &BTreeMap::new(),
            evaluation: utc_date(START).context("a date")?,
        };
        verdict.push(timed(|| {
            let view = telling
                .projection
                .view(TreeSize::new(telling.index), Purpose::Test);
            Ok(serde_json::to_vec(&evaluate(&view, &question)?)?)
        })?);
    }
    provenance.sort_unstable();
    verdict.sort_unstable();
    Ok(Explained {
        provenance: provenance[ROUNDS / 2],
        verdict: verdict[ROUNDS / 2],
    })
}

#[expect(clippy::disallowed_methods, reason = "measures")]
fn timed(answer: impl FnOnce() -> Result<Vec<u8>>) -> Result<Duration> {
    let start = Instant::now();
    let bytes = answer()?;
    let took = start.elapsed();
    ensure!(!bytes.is_empty());
    Ok(took)
}

/// A projection being told.
struct Telling {
    projection: Projection,
    index: u64,
}

impl Telling {
    fn say(&mut self, issuer: &str, kind: Kind) {
        self.index += 1;
        let event_time = START + i64::try_from(self.index).unwrap_or(i64::MAX) * MINUTE;
        let event = v1::Event {
            id: format!("E{:06}", self.index),
            event_time,
            certification: Some(v1::Certification {
                scope: vec!["all".to_owned()],
                clause: "All of this is so.".to_owned(),
                under_penalty_of_perjury: true,
            }),
            kind: Some(kind),
            ..Default::default()
        };
        self.projection.apply(&AppliedEvent {
            place: EventPlace {
                leaf_index: LeafIndex::new(self.index),
                event_number: 0,
            },
            issuer,
            feed: FeedId::new(*Hash::of(&[issuer.as_bytes()]).as_bytes()),
            recorded_at: RecordedAt::from_nanos(event_time + 1),
            issued_at: IssuedAt::from_nanos(event_time),
            by_authority: issuer == AUTHORITY,
            event: &event.encode_to_vec(),
        });
    }

    /// Who makes what, on the authority's word and its own.
    fn introduce(&mut self, maker: Maker) {
        self.say(
            AUTHORITY,
            Kind::PartyEnrolled(v1::PartyEnrolled {
                party: maker.party(),
                legal_name: format!("Maker of {}s", maker.kinds[0]),
                organized_in: maker.country.to_owned(),
                principal_place: maker.country.to_owned(),
                namespaces: vec![maker.prefix.to_owned()],
                roles: vec!["manufacturer".to_owned()],
                fixture: true,
                ..Default::default()
            }),
        );
        self.say(
            AUTHORITY,
            Kind::FacilityRegistered(v1::FacilityRegistered {
                facility: maker.facility(),
                country: maker.country.to_owned(),
                operator: maker.party(),
                ..Default::default()
            }),
        );
        self.say(
            &maker.party(),
            Kind::OwnershipDeclared(v1::OwnershipDeclared {
                party: maker.party(),
                owners: Vec::new(),
                ownership_complete: Some(true),
            }),
        );
        for (kind, name) in maker.kinds.iter().enumerate() {
            self.say(
                &maker.party(),
                Kind::ProductDeclared(v1::ProductDeclared {
                    product: maker.product(kind),
                    kind: (*name).to_owned(),
                    ..Default::default()
                }),
            );
        }
    }

    /// Sells lots, ships them, and lets them be received.
    fn hand_over(&mut self, from: Maker, to: Maker, lots: &[String]) {
        let shipment = format!("https://{}.example/shipment/{}", from.kinds[0], self.index);
        self.say(
            &from.party(),
            Kind::TitleTransferred(v1::TitleTransferred {
                items: lots.iter().map(|lot| bought(lot)).collect(),
                seller: from.party(),
                buyer: to.party(),
                titles_complete: Some(true),
                ..Default::default()
            }),
        );
        self.say(
            &from.party(),
            Kind::Shipped(v1::Shipped {
                items: lots.iter().map(|lot| one(lot)).collect(),
                from_facility: from.facility(),
                to_facility: to.facility(),
                consignee: to.party(),
                shipment: shipment.clone(),
                ..Default::default()
            }),
        );
        self.say(
            &to.party(),
            Kind::Received(v1::Received {
                items: lots.iter().map(|lot| one(lot)).collect(),
                facility: to.facility(),
                consignor: from.party(),
                shipment,
                ..Default::default()
            }),
        );
    }

    fn assemble(&mut self, step: &str, parent: &str, parts: &[String]) {
        self.say(
            &PACKS.party(),
            Kind::Assembled(v1::Assembled {
                step: step.to_owned(),
                parent: parent.to_owned(),
                items: parts.iter().map(|part| bought(part)).collect(),
                facility: PACKS.facility(),
                operator: PACKS.party(),
                inputs_complete: Some(true),
                ..Default::default()
            }),
        );
    }
}

fn one(lot: &str) -> v1::Item {
    v1::Item {
        lot: lot.to_owned(),
        quantity: Some(v1::Quantity {
            value: "1".to_owned(),
            unit: String::new(),
        }),
        ..Default::default()
    }
}

fn bought(lot: &str) -> v1::Item {
    v1::Item {
        cost: Some(v1::Money {
            value: "12.5".to_owned(),
            currency: "USD".to_owned(),
            basis: "price".to_owned(),
        }),
        ..one(lot)
    }
}

/// The pack and everything behind it.
fn told() -> (Telling, String) {
    let mut telling = Telling {
        projection: Projection::new(),
        index: 0,
    };
    for maker in [PACKS, CELLS, MATERIALS] {
        telling.introduce(maker);
    }
    let modules: Vec<String> = (0..10).map(|number| PACKS.lot(1, number)).collect();
    for (number, module) in modules.iter().enumerate() {
        let cells: Vec<String> = (0..9).map(|cell| CELLS.lot(0, number * 9 + cell)).collect();
        for (at, cell) in cells.iter().enumerate() {
            let first = (number * 9 + at) * 10;
            let materials: Vec<String> = (first..first + 10).map(|lot| MATERIALS.lot(0, lot)).collect();
            telling.say(
                &MATERIALS.party(),
                Kind::Commissioned(v1::Commissioned {
                    facility: MATERIALS.facility(),
                    operator: MATERIALS.party(),
                    items: materials.iter().map(|lot| one(lot)).collect(),
                    ..Default::default()
                }),
            );
            telling.hand_over(MATERIALS, CELLS, &materials);
            telling.say(
                &CELLS.party(),
                Kind::Transformed(v1::Transformed {
                    step: "cells".to_owned(),
                    facility: CELLS.facility(),
                    operator: CELLS.party(),
                    inputs: materials.iter().map(|lot| bought(lot)).collect(),
                    outputs: vec![one(cell)],
                    inputs_complete: Some(true),
                    ..Default::default()
                }),
            );
        }
        telling.hand_over(CELLS, PACKS, &cells);
        telling.assemble("assemble_module", module, &cells);
    }
    let pack = PACKS.lot(0, 1);
    telling.assemble("assemble_pack", &pack, &modules);
    (telling, pack)
}
