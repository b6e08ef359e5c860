//! The stories: lots with something about them that a projector has to find, and what it should say.

use super::{
    Simulation,
    cast::made,
    plan::{PACKS, Plan},
};

/// What kind of story a pack lot tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LotKind {
    /// Every maker certifies what it states, and nothing contradicts anything.
    Honest,
    /// The cells are made by the company on the fixture list; modules and packs are not.
    Tainted,
    /// The cells come from a trader, and nobody states who made them.
    MissingTier,
    /// The cell maker coats more cathode material than it was ever delivered.
    MassBalanceCheat,
    /// A competitor publishes claims about an honest lot of another's.
    Rival,
    /// The maker of the cathode material sells all of it twice, to two cell makers.
    DoublySpent,
}

/// What a rule should say about a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedVerdict {
    /// It meets the rule, at the assurance `supplier_certified`.
    Compliant,
    /// It fails the rule.
    NonCompliant,
    /// What is known does not decide.
    Indeterminate,
}

/// A contradiction that should be found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ExpectedAnomaly {
    /// Its kind, as the provenance names it (`used_more_than_held`).
    pub kind: &'static str,
    /// The lot, or the first serial, at which it is found.
    pub lot: String,
    /// Whether it weighs on the lot; else on its signer alone.
    pub weighs_on_lot: bool,
    /// The party whose word it rests on.
    pub signer: String,
}

/// A lot with a known end.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Story {
    /// What it is about.
    pub kind: LotKind,
    /// Zero-based number of the pack lot.
    pub lot: u32,
    /// The first pack of it.
    pub pack: String,
    /// NDAA FY2024 s.154 for a purchase by the US Department of Defense obligated on or after 1 October 2027
    /// and made into an end item by no listed company, the fixture list in force.
    pub verdict: ExpectedVerdict,
    /// Contradictions that should be found; there may be more at other lots of the same story.
    pub anomalies: Vec<ExpectedAnomaly>,
    /// Why, for a person.
    pub because: &'static str,
}

/// The kinds of the first lots, in order.
pub(super) const FIRST: [LotKind; 6] = [
    LotKind::Honest,
    LotKind::Tainted,
    LotKind::MissingTier,
    LotKind::MassBalanceCheat,
    LotKind::Rival,
    LotKind::DoublySpent,
];

impl LotKind {
    /// What s.154 should say; see [`Story::verdict`].
    pub const fn verdict(self) -> ExpectedVerdict {
        match self {
            Self::Honest | Self::Rival => ExpectedVerdict::Compliant,
            Self::Tainted => ExpectedVerdict::NonCompliant,
            Self::MissingTier | Self::MassBalanceCheat | Self::DoublySpent => ExpectedVerdict::Indeterminate,
        }
    }

    /// Why, for a person.
    pub const fn because(self) -> &'static str {
        match self {
            Self::Honest => {
                "the makers of cells, modules and packs are known, certify their statements, are owned by no \
                 listed company, and none is listed"
            }
            Self::Tainted => {
                "a listed company made the cells, which are most of the components' cost, and a module layer \
                 does not change who made them"
            }
            Self::MissingTier => "nobody states who made the cells, which are most of the components' cost",
            Self::MassBalanceCheat => {
                "who made the cells is stated, but the cell maker used more cathode material than came to it: \
                 some of the cells are of something else, so nobody can say that it made them"
            }
            Self::Rival => {
                "the claims come from somebody who never had to do with the lot, so they weigh on him alone"
            }
            Self::DoublySpent => {
                "all of the cathode material went to another cell maker as well: nobody can say which of the two \
                 made cells of it"
            }
        }
    }
}

impl Simulation {
    /// The stories at the fixed places: lot 0 is honest, 1 tainted, 2 lacks a tier, 3 cheats, 4 has a rival, 5 is of
    /// material spent twice. A simulation of fewer lots tells fewer.
    pub fn stories(&self) -> Vec<Story> {
        (0_u32..)
            .zip(FIRST)
            .take_while(|(lot, _)| *lot < self.config.lots)
            .map(|(lot, kind)| Story {
                kind,
                lot,
                pack: self.pack(lot, 1),
                verdict: kind.verdict(),
                anomalies: self.expected_anomalies(&self.plan(lot)),
                because: kind.because(),
            })
            .collect()
    }

    /// The packs of a pack lot.
    pub fn packs(&self, lot: u32) -> Vec<String> {
        (1..=PACKS).map(|piece| self.pack(lot, piece)).collect()
    }

    fn pack(&self, lot: u32, piece: i64) -> String {
        self.cast.serial(made::PACK, lot, piece)
    }

    fn expected_anomalies(&self, plan: &Plan) -> Vec<ExpectedAnomaly> {
        use super::cast::who;
        let party = |index| self.cast.party(index).identifier.clone();
        let anomaly = |kind, lot: String, weighs_on_lot, signer| ExpectedAnomaly {
            kind,
            lot,
            weighs_on_lot,
            signer,
        };
        let cells = self.cast.serial(plan.cell, plan.number, 1);
        match plan.kind {
            // That nobody says who made the cells of the third is an open question, and contradicts nothing.
            LotKind::Honest | LotKind::Tainted | LotKind::MissingTier => Vec::new(),
            LotKind::MassBalanceCheat => vec![anomaly(
                "used_more_than_held",
                plan.cathode_sold.lot.clone(),
                false,
                party(who::CELLS),
            )],
            LotKind::DoublySpent => vec![anomaly(
                "consumed_more_than_made",
                plan.cathode_sold.lot.clone(),
                true,
                party(who::CATHODE),
            )],
            LotKind::Rival => {
                let rival = party(who::RIVAL);
                let on_him = |kind, lot| anomaly(kind, lot, false, rival.clone());
                let cathode = plan.cathode_sold.lot.clone();
                vec![
                    on_him("commissioned_twice", cells.clone()),
                    on_him("commissioned_outside_namespace", cells.clone()),
                    on_him("shipped_without_custody", self.pack(plan.number, 1)),
                    on_him("consumed_without_custody", cathode),
                ]
            }
        }
    }
}
