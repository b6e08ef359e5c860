//! A world of plants, people and trucks: who is there, what they have, and what they say about it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    dice::Dice,
    truth::{At, Lot, Party, Spot, Truth, Where},
};
use crate::{
    provenance::tests::{HOUR, START},
    quantity::normal_decimal,
    wire::v1::{self, event::Kind},
};

/// A pound in the unit of the truth, which is 10 micrograms; so it is a whole number, as a kilogram is.
pub(super) const POUND: i64 = 45_359_237;
/// A kilogram in the unit of the truth.
pub(super) const KILOGRAM: i64 = 100_000_000;
const MINUTE: i64 = HOUR / 60;

/// How one party tells things.
#[expect(clippy::struct_excessive_bools, reason = "independent habits, not a state")]
#[derive(Clone, Debug)]
pub(super) struct Style {
    pub(super) unit: &'static str,
    /// Some of its clocks run in another zone.
    pub(super) wrong_zone: bool,
    pub(super) books_receipts_late: bool,
    pub(super) backflushes: bool,
    pub(super) names_consignor: bool,
    pub(super) names_shipment: bool,
    pub(super) names_facility: bool,
    pub(super) names_operator: bool,
    pub(super) commissions_units: bool,
    /// Up to how many days pass until it tells.
    pub(super) slow_days: i64,
}

impl Style {
    fn thrown(dice: &mut Dice) -> Self {
        Self {
            unit: *dice.one::<&'static str>(&["KGM", "KGM", "GRM", "LBR", "TNE"]),
            wrong_zone: dice.one_in(3),
            books_receipts_late: dice.one_in(3),
            backflushes: dice.one_in(3),
            names_consignor: !dice.one_in(3),
            names_shipment: !dice.one_in(3),
            names_facility: !dice.one_in(3),
            names_operator: dice.one_in(3),
            commissions_units: dice.one_in(2),
            slow_days: dice.within(0, 4),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Company {
    pub(super) id: String,
    pub(super) facility: String,
    pub(super) namespace: String,
    pub(super) keys: usize,
    pub(super) style: Style,
    /// Nobody has enrolled it: it says nothing.
    pub(super) silent: bool,
    /// How many events it told.
    pub(super) events: usize,
}

/// What kind of thing a lot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Bulk,
    Pieces,
    Serial,
    /// Pallet, tote or tray: it holds things and is none.
    Container,
}

#[derive(Clone, Debug)]
pub(super) struct Thing {
    pub(super) name: String,
    pub(super) form: Form,
    /// The lot that a serial is of.
    pub(super) class: Option<Lot>,
    /// Whose number it is.
    pub(super) owner: Party,
    /// Whether it has children, or may get some.
    pub(super) assembly: bool,
    /// A ledger knows an interval at best.
    pub(super) uncertain: bool,
    /// From before the log: what was made later under its number would have to be told apart.
    pub(super) opened: bool,
    /// Where a container is.
    pub(super) at: Option<Where>,
}

/// Something on its way.
#[derive(Clone, Debug)]
pub(super) struct Shipment {
    pub(super) id: String,
    pub(super) from: Party,
    pub(super) to: Party,
    /// What is left of it: lot, how much, which batch of the account of what is under way.
    pub(super) loads: Vec<(Lot, i64, usize)>,
    pub(super) units: Vec<Lot>,
    /// Whether it says which shipment it is.
    pub(super) named: bool,
    pub(super) way: u32,
    pub(super) state: Going,
}

impl Shipment {
    /// Whether it may still arrive.
    pub(super) fn open(&self) -> bool {
        self.state == Going::On
    }

    /// Whether both parties say which shipment it is.
    pub(super) fn is_told_apart(&self) -> bool {
        self.way >= 1_000
    }
}

/// What has become of a shipment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Going {
    On,
    /// The rest of it is its sender's again, who has not taken it back yet.
    Refused,
    /// Nobody will see the rest of it.
    Lost,
}

/// Something said.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) party: Party,
    pub(super) key: usize,
    /// When it was signed.
    pub(super) signed: i64,
    pub(super) event: v1::Event,
    /// The event that it is about, by its number among all told.
    pub(super) about: Option<usize>,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) dice: Dice,
    /// Nanoseconds since the epoch.
    pub(super) now: i64,
    pub(super) companies: Vec<Company>,
    pub(super) things: Vec<Thing>,
    pub(super) truth: Truth,
    pub(super) told: Vec<Told>,
    pub(super) shipments: Vec<Shipment>,
    pub(super) counts: BTreeMap<&'static str, u64>,
    /// Lots in which nothing may happen for now.
    pub(super) quiet: BTreeSet<Lot>,
    /// What the operations say that they made and used up, to be compared with the accounts.
    pub(super) books: BTreeMap<Lot, i64>,
    /// What is in a state of its own, so that it may or may not be shown as stock there: scrap and damaged goods,
    /// goods refused and not yet taken back; and, of what is under way, goods that will never arrive.
    pub(super) aside: BTreeMap<(Lot, Option<Party>), i64>,
    /// What was sent and never arrived, and by whom.
    pub(super) lapsed: BTreeSet<(Lot, Party)>,
    /// How much of a lot one party shipped to another and has not got back.
    pub(super) sent: BTreeMap<(Lot, Party, Party), i64>,
    at: usize,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::of(seed, 0);
        let companies = (0..6)
            .map(|number| Company {
                id: format!("urn:party:p{number}"),
                facility: format!("urn:plant:p{number}"),
                namespace: format!("urn:p{number}:"),
                keys: if dice.one_in(3) { 2 } else { 1 },
                style: Style::thrown(&mut dice),
                silent: false,
                events: 0,
            })
            .collect();
        Self {
            seed,
            dice,
            now: START,
            companies,
            things: Vec::new(),
            truth: Truth::default(),
            told: Vec::new(),
            shipments: Vec::new(),
            counts: BTreeMap::new(),
            quiet: BTreeSet::new(),
            books: BTreeMap::new(),
            lapsed: BTreeSet::new(),
            aside: BTreeMap::new(),
            sent: BTreeMap::new(),
            at: 0,
        }
    }

    pub(super) fn style(&self, party: Party) -> &Style {
        &self.companies[party].style
    }

    pub(super) fn count(&mut self, operation: &'static str) {
        *self.counts.entry(operation).or_default() += 1;
    }

    pub(super) fn pass(&mut self, least: i64, most: i64) {
        self.now += self.dice.within(least, most) * MINUTE;
    }

    /// What the party's clock says now.
    pub(super) fn at(&mut self, party: Party) -> At {
        self.pass(1, 40);
        let off = if self.style(party).wrong_zone && self.dice.one_in(4) {
            self.count("wrong zone");
            self.dice.within(-12, 14)
        } else {
            0
        };
        self.at += 1;
        At {
            claimed: self.now + off * HOUR,
            event: self.at,
        }
    }

    /// What a clock that is right says now.
    pub(super) fn at_exactly(&mut self) -> At {
        self.pass(1, 40);
        self.at += 1;
        At {
            claimed: self.now,
            event: self.at,
        }
    }

    /// The same, booked `hours` later than it happened.
    pub(super) fn at_later(&mut self, party: Party, hours: i64) -> At {
        let mut at = self.at(party);
        at.claimed = self.now + hours * HOUR;
        at
    }

    // ---- Things ----

    pub(super) fn new_thing(&mut self, owner: Party, form: Form, word: &str) -> Lot {
        let lot = self.truth.add_lot(form == Form::Bulk);
        self.things.push(Thing {
            name: format!("{}{word}-{lot}", self.companies[owner].namespace),
            form,
            class: None,
            owner,
            assembly: false,
            uncertain: false,
            opened: false,
            at: None,
        });
        lot
    }

    /// Serials of a class lot, or of none.
    pub(super) fn new_serials(&mut self, owner: Party, class: Option<Lot>, count: i64) -> Vec<Lot> {
        let run = self.things.len();
        (0..count)
            .map(|number| {
                let lot = self.new_thing(owner, Form::Serial, "s");
                self.things[lot].name = format!("{}s{run}-{number:04}", self.companies[owner].namespace);
                self.things[lot].class = class;
                lot
            })
            .collect()
    }

    pub(super) fn name(&self, lot: Lot) -> String {
        self.things[lot].name.clone()
    }

    /// Something that somebody holds, with how much.
    pub(super) fn pick(&mut self, wanted: impl Fn(&Self, Lot, Party) -> bool) -> Option<(Lot, Party, i64)> {
        let found: Vec<(Lot, Party, i64)> = self
            .truth
            .stock()
            .filter_map(|((lot, place), amount)| match place {
                Where::Held(party)
                    if !self.companies[party].silent
                        && !self.quiet.contains(&lot)
                        && wanted(self, lot, party) =>
                {
                    Some((lot, party, amount))
                }
                _ => None,
            })
            .collect();
        (!found.is_empty()).then(|| *self.dice.one(&found))
    }

    pub(super) fn form(&self, lot: Lot) -> Form {
        self.things[lot].form
    }

    /// Some of an amount, in figures that people write; all of it once in a while.
    pub(super) fn some_of(&mut self, lot: Lot, amount: i64) -> i64 {
        if self.form(lot) != Form::Bulk {
            return if self.dice.one_in(3) {
                amount
            } else {
                self.dice.within(1, amount)
            };
        }
        if self.dice.one_in(4) {
            return amount;
        }
        let grain = [POUND, KILOGRAM, KILOGRAM / 10, KILOGRAM / 1000]
            .into_iter()
            .find(|grain| amount % grain == 0 && amount / grain > 1);
        grain.map_or(amount, |grain| self.dice.within(1, amount / grain - 1) * grain)
    }

    /// A new amount as this party weighs it.
    pub(super) fn fresh_amount(&mut self, party: Party, form: Form) -> i64 {
        match form {
            Form::Bulk if self.style(party).unit == "LBR" => self.dice.within(20, 400) * POUND,
            Form::Bulk => self.dice.within(20, 2000) * KILOGRAM / 10,
            Form::Pieces => self.dice.within(4, 60),
            Form::Serial | Form::Container => 1,
        }
    }

    /// Takes from what somebody holds.
    pub(super) fn draw(&mut self, spot: Spot, amount: i64, at: At) -> super::truth::Flow {
        self.truth.draw(spot, amount, None, at, &mut self.dice)
    }

    pub(super) fn made(&mut self, lot: Lot, amount: i64) {
        *self.books.entry(lot).or_default() += amount;
    }

    pub(super) fn used(&mut self, lot: Lot, amount: i64) {
        *self.books.entry(lot).or_default() -= amount;
    }

    // ---- Words ----

    pub(super) fn quantity(&self, party: Party, lot: Lot, amount: i64) -> v1::Quantity {
        let exact = |scale: u32, unit: &str| v1::Quantity {
            value: normal_decimal(rust_decimal::Decimal::new(amount, scale)),
            unit: unit.to_owned(),
        };
        if self.form(lot) != Form::Bulk {
            return exact(0, "");
        }
        match self.style(party).unit {
            "LBR" if amount % POUND == 0 => v1::Quantity {
                value: (amount / POUND).to_string(),
                unit: "LBR".to_owned(),
            },
            "GRM" => exact(5, "GRM"),
            "TNE" => exact(11, "TNE"),
            _ => exact(8, "KGM"),
        }
    }

    pub(super) fn item(&self, party: Party, lot: Lot, amount: i64) -> v1::Item {
        v1::Item {
            lot: self.name(lot),
            quantity: Some(self.quantity(party, lot, amount)),
            ..Default::default()
        }
    }

    /// Lots with amounts as items, serials as runs.
    pub(super) fn words(&self, party: Party, loads: &[(Lot, i64)]) -> (Vec<v1::Item>, Vec<v1::SerialRun>) {
        let (serials, lots): (Vec<_>, Vec<_>) =
            loads.iter().partition(|(lot, _)| self.form(*lot) == Form::Serial);
        let items = lots
            .iter()
            .map(|(lot, amount)| self.item(party, *lot, *amount))
            .collect();
        let serials: Vec<Lot> = serials.iter().map(|(lot, _)| *lot).collect();
        (items, self.runs(&serials))
    }

    pub(super) fn runs(&self, serials: &[Lot]) -> Vec<v1::SerialRun> {
        let mut runs: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for lot in serials {
            let name = &self.things[*lot].name;
            let cut = name.rfind('-').expect("serials are numbered") + 1;
            let (prefix, suffix) = name.split_at(cut);
            runs.entry(prefix.to_owned()).or_default().push(suffix.to_owned());
        }
        runs.into_iter()
            .map(|(prefix, suffixes)| v1::SerialRun { prefix, suffixes })
            .collect()
    }

    pub(super) fn place(&self, party: Party) -> String {
        let company = &self.companies[party];
        if company.style.names_facility {
            company.facility.clone()
        } else {
            String::new()
        }
    }

    pub(super) fn operator(&self, party: Party) -> String {
        let company = &self.companies[party];
        if company.style.names_operator {
            company.id.clone()
        } else {
            String::new()
        }
    }

    /// Says it at once.
    pub(super) fn tell(&mut self, party: Party, at: At, kind: Kind) -> usize {
        let slow = self.style(party).slow_days;
        let delay = if slow > 0 && self.dice.one_in(3) {
            self.dice.within(1, slow * 24)
        } else {
            0
        };
        self.tell_after(party, at, kind, delay)
    }

    pub(super) fn tell_after(&mut self, party: Party, at: At, kind: Kind, delay_hours: i64) -> usize {
        let company = &mut self.companies[party];
        assert!(!company.silent, "nobody hears {}", company.id);
        company.events += 1;
        let id = format!("e{}", company.events);
        let keys = company.keys;
        let told = Told {
            party,
            key: self.dice.place(keys),
            signed: self.now.max(at.claimed) + delay_hours * HOUR,
            event: v1::Event {
                id,
                event_time: at.claimed,
                kind: Some(kind),
                ..Default::default()
            },
            about: None,
        };
        self.told.push(told);
        let number = self.told.len() - 1;
        if self.dice.one_in(25) {
            self.repeat(number);
        }
        number
    }

    /// Reports the same event again.
    pub(super) fn repeat(&mut self, number: usize) {
        let mut again = self.told[number].clone();
        again.signed += self.dice.within(0, 96) * HOUR;
        again.key = self.dice.place(self.companies[again.party].keys);
        self.told.push(again);
        self.count("repeated report");
    }
}
