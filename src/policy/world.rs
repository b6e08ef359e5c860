//! A ledger written down as JSON, for the cases of a rule pack: short enough to be read at a glance.
//!
//! What a case does not say is what an honest supplier states: certified facts, complete inputs, titles and
//! licences, own account, sold by its maker.

use std::{collections::BTreeMap, sync::Arc};

use num_traits::One as _;
use serde::{Deserialize, Deserializer, de::Error as _};
use time::Date;

use crate::{
    policy::{
        context::parse_date,
        operands::exact,
        view::{
            Amounts, Assurance, Contradiction, Cost, EventNumber, Exact, Fact, InputFacts, Licence,
            ListEdition, LotFacts, PartyFacts, Purpose, SignedEvent, Stake, Stated, StepFacts, View,
            WaiverFacts,
        },
    },
    time::{EventTime, RecordedAt},
};

/// An exact number, written as a decimal in a string.
#[derive(Clone, Debug)]
pub(super) struct Number(pub(super) Exact);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let value = exact(&text);
        value
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("{text:?} is no decimal, as \"0.5\"")))
    }
}

/// A day, written as `2027-11-01`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Day(pub(super) Date);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let day = parse_date(&text);
        day.map(Self)
            .ok_or_else(|| D::Error::custom(format!("{text:?} is no date, as 2027-11-01")))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartyRow {
    pub(super) name: String,
    #[serde(default)]
    pub(super) owners: BTreeMap<String, Number>,
    #[serde(default)]
    pub(super) succeeds: Vec<String>,
    #[serde(default = "yes")]
    pub(super) ownership_complete: bool,
    #[serde(default)]
    pub(super) citizenships: Option<Vec<String>>,
    #[serde(default)]
    pub(super) permanent_residences: Option<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LotRow {
    #[serde(default)]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) step: Option<String>,
    #[serde(default)]
    pub(super) operator: Option<String>,
    #[serde(default)]
    pub(super) principal: Option<String>,
    #[serde(default)]
    pub(super) country: Option<String>,
    #[serde(default)]
    pub(super) produced: Option<Number>,
    #[serde(default)]
    pub(super) licensors: Vec<String>,
    #[serde(default)]
    pub(super) inputs: Vec<InputRow>,
    #[serde(default = "yes")]
    pub(super) inputs_complete: bool,
    #[serde(default)]
    pub(super) custody: Option<String>,
    #[serde(default)]
    pub(super) assurance: Option<Assurance>,
    #[serde(default)]
    pub(super) contradictions: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InputRow {
    pub(super) lot: String,
    #[serde(default)]
    pub(super) mass: Option<Number>,
    #[serde(default)]
    pub(super) count: Option<Number>,
    #[serde(default)]
    pub(super) cost: Option<Number>,
    #[serde(default)]
    pub(super) currency: Option<String>,
    #[serde(default)]
    pub(super) sellers: Option<Vec<String>>,
    #[serde(default = "yes")]
    pub(super) titles_complete: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WaiverRow {
    pub(super) kind: String,
    pub(super) grantor: String,
    pub(super) findings: Vec<String>,
    pub(super) from: Day,
    #[serde(default)]
    pub(super) to: Option<Day>,
}

const fn yes() -> bool {
    true
}

/// A ledger as a case describes it.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) parties: BTreeMap<String, PartyRow>,
    pub(super) lots: BTreeMap<String, LotRow>,
    pub(super) lists: Vec<ListEdition>,
    pub(super) waivers: Vec<WaiverRow>,
    pub(super) purpose: Purpose,
    /// How the parties back what they say of lots, where a lot does not say.
    pub(super) assurance: Assurance,
    /// How they back what they say about themselves.
    pub(super) own_assurance: Assurance,
}

/// Numbers of events from here on are parties' declarations; below, three a lot: how it was made, what it is, who sold
/// what went in.
const PARTIES: u32 = 1_000_000;

impl World {
    fn number(&self, lot: &str) -> u32 {
        let before = self.lots.keys().take_while(|known| *known != lot).count();
        3 * u32::try_from(before).unwrap_or(0)
    }
}

impl View for World {
    fn position(&self) -> u64 {
        1_000
    }

    fn purpose(&self) -> Purpose {
        self.purpose
    }

    fn lot(&self, lot: &str, _clock: Option<Date>) -> Option<Arc<LotFacts>> {
        let row = self.lots.get(lot)?;
        let assurance = row.assurance.unwrap_or(self.assurance);
        let said =
            |text: &Option<String>| -> Stated<String> { text.clone().map(|text| Fact::new(text, assurance)) };
        let amount = |number: &Option<Number>| -> Stated<Exact> {
            number
                .as_ref()
                .map(|number| Fact::new(number.0.clone(), assurance))
        };
        let produced = Amounts {
            mass: amount(&row.produced),
            count: amount(&row.produced),
            ..Amounts::default()
        };
        let inputs = row.inputs.iter().map(|input| {
            let maker = self.lots.get(&input.lot).and_then(|made| made.operator.clone());
            let sellers = input
                .sellers
                .clone()
                .unwrap_or_else(|| maker.into_iter().collect());
            let sellers: Vec<_> = sellers
                .into_iter()
                .map(|seller| Fact::new(seller, assurance))
                .collect();
            InputFacts {
                lot: input.lot.clone(),
                assurance,
                consumed: Amounts {
                    mass: amount(&input.mass),
                    count: amount(&input.count),
                    costs: input
                        .cost
                        .iter()
                        .map(|cost| {
                            let currency = input.currency.clone().unwrap_or_else(|| "USD".to_owned());
                            Fact::new(
                                Cost {
                                    value: cost.0.clone(),
                                    currency,
                                    basis: "price".to_owned(),
                                },
                                assurance,
                            )
                        })
                        .collect(),
                    ..Amounts::default()
                },
                owners: sellers.clone(),
                sellers,
                titles_complete: input.titles_complete.then(|| Fact::new(true, assurance)),
                titled_by: vec![EventNumber(self.number(lot) + 2)],
            }
        });
        let step = StepFacts {
            step: said(&row.step),
            operator: said(&row.operator),
            principal: Some(Fact::new(row.principal.clone(), assurance)),
            country: said(&row.country),
            inputs: inputs.collect(),
            inputs_complete: row.inputs_complete.then(|| Fact::new(true, assurance)),
            produced: produced.clone(),
            share: Some(Fact::new(Exact::one(), assurance)),
            custody_model: said(&row.custody),
            licences: row
                .licensors
                .iter()
                .map(|licensor| {
                    let licence = Licence {
                        licence: "l".into(),
                        licensor: Some(licensor.clone()),
                        effective_control: None,
                    };
                    Fact::new(licence, assurance)
                })
                .collect(),
            licences_complete: Some(Fact::new(true, assurance)),
            told_by: vec![EventNumber(self.number(lot))],
            ..StepFacts::default()
        };
        let productions = if row.step.is_none() && row.operator.is_none() {
            Vec::new()
        } else {
            vec![step]
        };
        let number = self.number(lot);
        Some(Arc::new(LotFacts {
            declared_by: vec![EventNumber(number + 1)],
            counted_by: vec![EventNumber(number)],
            kind: said(&row.kind),
            produced,
            productions,
            contradictions: row
                .contradictions
                .iter()
                .map(|code| Contradiction::of(code))
                .collect(),
            ..LotFacts::default()
        }))
    }

    fn party(&self, party: &str, _at: Date) -> Option<PartyFacts> {
        let row = self.parties.get(party)?;
        let confirmed = |countries: &Option<Vec<String>>| {
            let countries = countries.clone()?;
            Some(Fact::new(countries, Assurance::AuthorityConfirmed))
        };
        let owners = row.owners.iter().map(|(owner, part)| {
            let part = Some(part.0.clone());
            let stake = Stake {
                owner: owner.clone(),
                equity: part.clone(),
                votes: part,
                ..Stake::default()
            };
            Fact::new(stake, self.own_assurance)
        });
        let number = self.parties.keys().take_while(|known| *known != party).count();
        let number = PARTIES + u32::try_from(number).unwrap_or(0);
        Some(PartyFacts {
            owned_by: vec![EventNumber(number)],
            names: vec![row.name.clone()],
            owners: owners.collect(),
            citizenships: confirmed(&row.citizenships),
            permanent_residences: confirmed(&row.permanent_residences),
            ownership_complete: row
                .ownership_complete
                .then(|| Fact::new(true, self.own_assurance)),
            predecessors: row
                .succeeds
                .iter()
                .map(|earlier| Fact::new(earlier.clone(), Assurance::AuthorityConfirmed))
                .collect(),
            ..PartyFacts::default()
        })
    }

    fn editions(&self, list: &str) -> Vec<ListEdition> {
        self.lists
            .iter()
            .filter(|edition| edition.list == list)
            .cloned()
            .collect()
    }

    fn waivers(&self, _lot: &str) -> Vec<WaiverFacts> {
        self.waivers
            .iter()
            .enumerate()
            .map(|(number, row)| WaiverFacts {
                waiver: format!("waiver-{number}"),
                kind: row.kind.clone(),
                grantor: row.grantor.clone(),
                findings: row.findings.clone(),
                valid_from: row.from.0,
                valid_to: row.to.map(|day| day.0),
            })
            .collect()
    }

    fn event(&self, number: EventNumber) -> SignedEvent {
        let (signer, event_id) = if number.0 >= PARTIES {
            let party = self.parties.keys().nth((number.0 - PARTIES) as usize);
            (party.cloned().unwrap_or_default(), "ownership".to_owned())
        } else {
            let row = self.lots.iter().nth((number.0 / 3) as usize);
            let said = match number.0 % 3 {
                0 => "making",
                1 => "product",
                _ => "titles",
            };
            let signer = row.and_then(|(_, row)| row.operator.clone());
            let lot = row.map_or("", |(lot, _)| lot);
            (signer.unwrap_or_default(), format!("{said} {lot}"))
        };
        SignedEvent {
            leaf_index: number.0.into(),
            signer,
            event_id,
            event_time: EventTime::from_nanos(0),
            recorded_at: RecordedAt::from_nanos(0),
        }
    }

    fn backing(&self, number: EventNumber, _claim: &str) -> Assurance {
        if number.0 >= PARTIES {
            return self.own_assurance;
        }
        let row = self.lots.values().nth((number.0 / 3) as usize);
        row.and_then(|row| row.assurance).unwrap_or(self.assurance)
    }
}
