//! The words for what lots are, what steps do, which lists there are and what an asker says, as data.
//!
//! The words themselves stand in `policies/vocabulary/words.toml`, which is compiled in. A kind or step that is not
//! there is unknown: nothing is concluded from it. A field of a context, or a value of it, that is not there is
//! refused.
//!
//! What a step *is* follows from what went in and what came out, not from its word: see [`Vocabulary::keeps`].

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use serde::Deserialize;
use serde_json::Value as Json;
use time::{Date, macros::format_description};

use crate::identifier;

const TEXT: &str = include_str!("../policies/vocabulary/words.toml");
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

impl Stage {
    /// Its number, for those that have one.
    const fn height(self) -> Option<u32> {
        match self {
            Self::At(height) => Some(height),
            Self::Holds | Self::Spent | Self::Anew => None,
        }
    }
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

/// What a step takes and makes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepKinds {
    /// Some of it goes in, or something that these are made of; anything if empty.
    takes: Vec<String>,
    /// What comes out, beside scrap, samples and leftovers.
    makes: Vec<String>,
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
    table: BTreeMap<String, StepKinds>,
    list: BTreeMap<String, String>,
    context: BTreeMap<String, ContextField>,
}

/// What a field of an asker's context holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Takes {
    /// One of the words that the vocabulary lists, in any of their spellings.
    Word,
    /// A date, `YYYY-MM-DD`.
    Date,
    /// The identifier of a party.
    Party,
    /// `true` or `false`.
    YesOrNo,
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Word => "one of its words",
            Self::Date => "a date, as 2027-11-01",
            Self::Party => "the identifier of a party",
            Self::YesOrNo => "true or false",
        })
    }
}

/// A field of an asker's context.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextField {
    /// For a person.
    pub title: String,
    /// What it holds.
    pub takes: Takes,
    #[serde(default)]
    values: BTreeMap<String, ContextValue>,
}

/// A value of a field, and how else it may be written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContextValue {
    title: String,
    #[serde(default)]
    spellings: Vec<String>,
}

/// Longest text accepted as a value of a context, in bytes.
const VALUE_LEN_MAX: usize = 512;

impl ContextField {
    /// The words that it takes, and what each means; none if it takes something else.
    pub fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .map(|(word, value)| (word.as_str(), value.title.as_str()))
    }

    /// What the value of a field means, in the one spelling that rules compare; nothing if it cannot stand there.
    /// Words are the same without the case of their ASCII letters, and in every spelling that is listed.
    pub fn read(&self, value: &Json) -> Option<Json> {
        let text = || value.as_str().filter(|text| text.len() <= VALUE_LEN_MAX);
        match self.takes {
            Takes::Word => {
                let said = text()?;
                let same = |word: &str| word.eq_ignore_ascii_case(said);
                let mut meant = self.values.iter().filter(|(word, value)| {
                    same(word) || value.spellings.iter().any(|spelling| same(spelling))
                });
                meant.next().map(|(word, _)| Json::from(word.as_str()))
            }
            Takes::Date => {
                let date = Date::parse(text()?, format_description!("[year]-[month]-[day]")).ok()?;
                // Years of one to four digits only, as they are written.
                (date.to_string() == text()?).then(|| value.clone())
            }
            Takes::Party => {
                let party = text().filter(|text| !text.trim().is_empty())?;
                Some(Json::from(
                    identifier::normalise(party).unwrap_or_else(|_| party.to_owned()),
                ))
            }
            Takes::YesOrNo => value.is_boolean().then(|| value.clone()),
        }
    }
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

    /// Whether a thing of this kind is one cell, and not several.
    pub fn is_cell(&self, kind: &str) -> bool {
        self.stage(kind).is_some() && self.stage(kind) == self.stage("cell")
    }

    /// What is said of a step; nothing for a word that is not in the vocabulary.
    pub fn step(&self, step: &str) -> Option<Step> {
        self.step.get(step).copied()
    }

    /// Whether a step can have put out something of this kind, from inputs of these kinds. Nothing if the word or a
    /// kind is not known: that is open anyway, for another reason.
    pub fn can_make<'k>(
        &self,
        step: &str,
        inputs: impl IntoIterator<Item = Option<&'k str>>,
        output: &str,
    ) -> Option<bool> {
        let word = self.step(step)?;
        let of_output = self.stage(output)?;
        let mut known = Vec::new();
        for input in inputs {
            let kind = input?;
            known.push((kind, self.stage(kind)?));
        }
        // Of every step there is scrap, and something may be taken for a sample or put back.
        let is_leftover = known.iter().any(|(kind, _)| *kind == output);
        if is_leftover || matches!(of_output, Stage::Holds) || output == "production_scrap" {
            return Some(true);
        }
        let Some(kinds) = self.table.get(step) else {
            let same = known.iter().any(|(_, stage)| *stage == of_output);
            return Some(!word.keeps_stage() || known.is_empty() || same);
        };
        let makes = kinds.makes.iter().any(|made| made == output);
        let highest = kinds.takes.iter().filter_map(|taken| self.stage(taken));
        let highest = highest.filter_map(Stage::height).max();
        let takes = |kind: &str, stage: Stage| {
            let below = stage
                .height()
                .zip(highest)
                .is_some_and(|(stage, highest)| stage <= highest);
            below || stage.height().is_none() || kinds.takes.iter().any(|taken| taken == kind)
        };
        let fed = known.is_empty()
            || kinds.takes.is_empty()
            || known.iter().any(|(kind, stage)| takes(kind, *stage));
        Some(makes && fed)
    }

    /// All kinds with their titles, in order of the words.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, &str)> {
        self.kind
            .iter()
            .map(|(word, kind)| (word.as_str(), kind.title.as_str()))
    }

    /// Entity lists with their titles, in order of their ids.
    pub fn lists(&self) -> impl Iterator<Item = (&str, &str)> {
        self.list.iter().map(|(id, title)| (id.as_str(), title.as_str()))
    }

    /// Fields that an asker's context may have, by path.
    pub fn context_fields(&self) -> impl Iterator<Item = (&str, &ContextField)> {
        self.context.iter().map(|(path, field)| (path.as_str(), field))
    }

    /// A field of an asker's context by its path, for example `buyer.agency`.
    pub fn context_field(&self, path: &str) -> Option<&ContextField> {
        self.context.get(path)
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
    fn no_spelling_of_a_context_value_means_two_and_each_path_has_one_end() {
        for (path, field) in vocabulary().context_fields() {
            assert_eq!(field.takes == Takes::Word, !field.values.is_empty(), "{path}");
            let mut seen = std::collections::BTreeSet::new();
            for (word, value) in &field.values {
                assert!(!value.title.is_empty(), "{path} {word}");
                for spelling in value.spellings.iter().chain([word]) {
                    assert!(seen.insert(spelling.to_ascii_lowercase()), "{path} {spelling}");
                    assert_eq!(
                        field.read(&Json::from(spelling.as_str())),
                        Some(Json::from(word.as_str()))
                    );
                }
            }
            let within = format!("{path}.");
            assert!(
                vocabulary()
                    .context_fields()
                    .all(|(other, _)| !other.starts_with(&within))
            );
        }
    }

    #[test]
    fn an_agency_is_read_in_its_spellings_and_in_no_other() {
        let agency = vocabulary().context_field("buyer.agency").unwrap();
        for spelling in ["US-DOD", "us-dod", "DoD", "Department of Defense", "US Army"] {
            assert_eq!(
                agency.read(&Json::from(spelling)),
                Some(Json::from("US-DOD")),
                "{spelling}"
            );
        }
        for other in ["US DOD ", "Defence", "", "US-XYZ"] {
            assert_eq!(agency.read(&Json::from(other)), None, "{other}");
        }
        assert_eq!(agency.read(&Json::Bool(true)), None);
    }

    #[test]
    fn every_row_of_the_table_is_of_known_words_and_every_kind_is_made_by_some_step() {
        let vocabulary = vocabulary();
        let mut made = std::collections::BTreeSet::new();
        for (step, kinds) in &vocabulary.table {
            assert!(vocabulary.step(step).is_some(), "{step}");
            for kind in kinds.takes.iter().chain(&kinds.makes) {
                assert!(vocabulary.stage(kind).is_some(), "{step}: {kind}");
            }
            made.extend(kinds.makes.iter().map(String::as_str));
        }
        for (kind, _) in vocabulary.kinds() {
            assert!(made.contains(kind), "no step makes {kind}");
        }
    }

    #[test]
    fn a_step_makes_what_the_table_says_from_what_went_in() {
        let can = |step, inputs: &[&'static str], output| {
            vocabulary().can_make(step, inputs.iter().map(|kind| Some(*kind)), output)
        };
        assert_eq!(
            can("assemble_module", &["cell", "pack_hardware"], "module"),
            Some(true)
        );
        assert_eq!(
            can(
                "form",
                &["cathode_electrode", "anode_electrode", "electrolyte"],
                "cell"
            ),
            Some(true)
        );
        assert_eq!(can("assemble_module", &["cell"], "pack"), Some(false));
        assert_eq!(can("relabel", &["cell"], "module"), Some(false));
        assert_eq!(can("relabel", &["cell"], "cell"), Some(true));
        assert_eq!(can("mine", &[], "cell"), Some(false));
        assert_eq!(
            can("coat", &["slurry", "cathode_foil"], "production_scrap"),
            Some(true)
        );
        assert_eq!(can("coat", &["slurry", "cathode_foil"], "slurry"), Some(true));
        assert_eq!(can("assemble_bms", &["pack"], "bms"), Some(false));
        assert_eq!(can("glue", &["cell"], "module"), None);
        assert_eq!(can("wrap", &["widget"], "cell"), None);
        assert_eq!(vocabulary().can_make("wrap", [None], "cell"), None);
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
