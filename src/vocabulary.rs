//! The words for what lots are and what steps do, as data.
//!
//! The words themselves stand in `policies/vocabulary/lots-and-steps.toml`, which is compiled in. A word that is
//! not there is unknown: nothing is concluded from it.
//!
//! What a step *is* follows from what went in and what came out, not from its word: see [`Vocabulary::keeps`].

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

const TEXT: &str = include_str!("../policies/vocabulary/lots-and-steps.toml");
const SCHEMA: &str = "provenance-vocabulary/1";

/// Where a kind of lot stands between the mine and the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A higher stage is made of lower ones.
    At(u32),
    /// What it is follows from what is in it: a kit, a sample.
    Holds,
    /// What it was and no longer serves as: scrap, an end-of-life battery.
    Spent,
    /// What is won from it is made anew: black mass.
    Anew,
}

/// What is said of a kind of lot.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kind {
    stage: Option<u32>,
    #[serde(default)]
    holds: bool,
    #[serde(default)]
    spent: bool,
    #[serde(default)]
    anew: bool,
    title: String,
}

/// What is said of a step.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent marks of one word")]
pub struct Step {
    /// Who does it is a handler, not a maker, unless a higher stage comes out.
    #[serde(default)]
    pub handles: bool,
    /// What comes out is what went in, but who does it is a maker all the same.
    #[serde(default)]
    pub passes: bool,
    /// What comes out is of the stage of what went in: stands for kinds that are not declared.
    #[serde(default)]
    pub level: bool,
    /// May be without inputs.
    #[serde(default)]
    pub begins: bool,
}

impl Step {
    /// Whether a question about what comes out is put to what went in, if the kinds agree.
    pub const fn is_looked_through(self) -> bool {
        self.handles || self.passes
    }

    /// Whether its word alone says that nothing of a higher stage comes out.
    pub const fn keeps_stage(self) -> bool {
        self.handles || self.passes || self.level
    }
}

/// All words of one version.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    schema: String,
    version: String,
    kind: BTreeMap<String, Kind>,
    step: BTreeMap<String, Step>,
}

/// The vocabulary of this version of the rules.
#[expect(clippy::expect_used, reason = "compiled in, and read by a test")]
pub fn vocabulary() -> &'static Vocabulary {
    static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
        let vocabulary: Vocabulary = toml::from_str(TEXT).expect("the vocabulary is in its own form");
        assert_eq!(vocabulary.schema, SCHEMA, "the vocabulary names its form");
        vocabulary
    });
    &VOCABULARY
}

impl Vocabulary {
    /// Its version, a date.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where a kind stands; nothing for a word that is not in the vocabulary.
    pub fn stage(&self, kind: &str) -> Option<Stage> {
        let kind = self.kind.get(kind)?;
        match kind.stage {
            Some(stage) => Some(Stage::At(stage)),
            None if kind.holds => Some(Stage::Holds),
            None if kind.spent => Some(Stage::Spent),
            None => kind.anew.then_some(Stage::Anew),
        }
    }

    /// Whether a thing of this kind may not hold a cell: if it does, it is something else than it is called.
    pub fn is_below_cells(&self, kind: &str) -> bool {
        match (self.stage(kind), self.stage("cell")) {
            (Some(Stage::At(stage)), Some(Stage::At(cell))) => stage < cell,
            (Some(Stage::Holds), _) => true,
            _ => false,
        }
    }

    /// What is said of a step; nothing for a word that is not in the vocabulary.
    pub fn step(&self, step: &str) -> Option<Step> {
        self.step.get(step).copied()
    }

    /// All kinds with their titles, in order of the words.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, &str)> {
        self.kind
            .iter()
            .map(|(word, kind)| (word.as_str(), kind.title.as_str()))
    }

    /// Whether the makers of what went into a step are makers of what came out: where that is not of a higher
    /// stage, nothing was made of it. Nothing if a kind is not known and it depends on it.
    pub fn keeps(&self, input: Option<&str>, output: Option<&str>) -> Option<bool> {
        let stage = |kind: Option<&str>| kind.and_then(|kind| self.stage(kind));
        match (stage(input), stage(output)) {
            (Some(Stage::Anew), Some(output)) => Some(output == Stage::Anew),
            (Some(Stage::Holds | Stage::Spent), Some(output)) => Some(output != Stage::Anew),
            (Some(Stage::At(_)), Some(Stage::Holds | Stage::Spent)) => Some(true),
            (Some(Stage::At(_)), Some(Stage::Anew)) => Some(false),
            (Some(Stage::At(input)), Some(Stage::At(output))) => Some(input >= output),
            (None, _) | (_, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_says_one_thing_of_its_stage_and_no_step_both() {
        let vocabulary = vocabulary();
        for (word, kind) in &vocabulary.kind {
            let said = [kind.stage.is_some(), kind.holds, kind.spent, kind.anew];
            assert_eq!(said.iter().filter(|said| **said).count(), 1, "{word}");
            assert!(!kind.title.is_empty(), "{word}");
        }
        for (word, step) in &vocabulary.step {
            assert!(!(step.handles && step.passes), "{word}");
        }
    }

    #[test]
    fn what_does_not_rise_keeps_its_makers() {
        let keeps = |input, output| vocabulary().keeps(Some(input), Some(output));
        assert_eq!(keeps("cell", "cell"), Some(true));
        assert_eq!(keeps("cell_dry", "cell"), Some(true));
        assert_eq!(keeps("cell", "pack_hardware"), Some(true));
        assert_eq!(keeps("eol_battery", "cell"), Some(true));
        assert_eq!(keeps("cell", "production_scrap"), Some(true));
        assert_eq!(keeps("module", "cell"), Some(true));
        assert_eq!(keeps("cell", "module"), Some(false));
        assert_eq!(keeps("bms", "pack"), Some(false));
        assert_eq!(keeps("black_mass", "recovered_salt"), Some(false));
        assert_eq!(keeps("eol_battery", "black_mass"), Some(false));
        assert_eq!(keeps("widget", "pack"), None);
        assert_eq!(vocabulary().keeps(Some("cell"), None), None);
    }
}
