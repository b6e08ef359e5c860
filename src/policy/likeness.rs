//! Whether two names may be of one party: `names/1`.
//!
//! Lists spell names in their own way, and parties are enrolled in theirs. Names that are equal but for case,
//! punctuation and the spelling of the company's form are the same. Names that share what tells a company from
//! others are alike: then a person has to decide, and until somebody signs that decision it is not known.
//!
//! ```text
//! Contemporary Amperex Technology Co., Ltd. (CATL)
//!   --transliterate, lower case--> contemporary amperex technology co ltd catl
//!   --without forms--------------> contemporary amperex technology catl
//!   --without what many share----> contemporary amperex catl               (telling words)
//! ```
//!
//! Alike, if every telling word of one name has its like among the words of the other, or if the names written
//! without spaces contain each other. Vectors: `tests/vectors/v1/party-names.json`.

/// How the names of two parties compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    /// Nothing says that they are of one party.
    Other,
    /// They may be.
    Alike,
    /// They are, but for spelling.
    Same,
}

/// Words for a company's form, in Latin letters.
const FORMS: [&str; 33] = [
    "co",
    "company",
    "ltd",
    "limited",
    "corp",
    "corporation",
    "inc",
    "incorporated",
    "gmbh",
    "ag",
    "kg",
    "se",
    "llc",
    "llp",
    "lp",
    "plc",
    "sa",
    "sas",
    "srl",
    "spa",
    "bv",
    "nv",
    "ab",
    "oy",
    "oyj",
    "aps",
    "pte",
    "pty",
    "sdn",
    "bhd",
    "kk",
    "jsc",
    "pjsc",
];

/// The same in other scripts, the longest first.
const FORMS_ELSEWHERE: [&str; 8] = [
    "股份有限公司",
    "有限责任公司",
    "有限公司",
    "集团",
    "株式会社",
    "有限会社",
    "주식회사",
    "유한회사",
];

/// Words that many companies of the trade have in their names.
const SHARED: [&str; 45] = [
    "and",
    "of",
    "the",
    "new",
    "high",
    "tech",
    "hightech",
    "hitech",
    "technology",
    "technologies",
    "energy",
    "energies",
    "power",
    "battery",
    "batteries",
    "storage",
    "lithium",
    "ion",
    "electric",
    "electrical",
    "electronic",
    "electronics",
    "cell",
    "cells",
    "material",
    "materials",
    "chemical",
    "chemicals",
    "industry",
    "industries",
    "industrial",
    "international",
    "global",
    "group",
    "holding",
    "holdings",
    "science",
    "system",
    "systems",
    "solution",
    "solutions",
    "manufacturing",
    "trading",
    "china",
    "chinese",
];

/// Telling words of together no more letters than this need company: a short word is many companies' name.
const SHORT: usize = 4;

/// Least likeness of two words of five letters or more (Jaro-Winkler): a letter left out, doubled or exchanged,
/// but not another first letter.
const WORD_LIKENESS: f64 = 0.94;

/// Least letters of a name without spaces that may be found in another.
const JOINED_MIN: usize = 6;

/// A name taken apart.
struct Words {
    all: Vec<String>,
    /// Of these, what is not one syllable of a script without spaces.
    words: Vec<String>,
}

impl Words {
    fn of(name: &str) -> Self {
        let mut name = name.to_owned();
        for form in FORMS_ELSEWHERE {
            name = name.replace(form, " ");
        }
        let mut spaced = String::new();
        let mut syllables = String::new();
        for letter in name.chars() {
            // CJK and Hangul: what is a word is not written.
            if u32::from(letter) >= 0x2E80 {
                syllables.push(' ');
                syllables.push_str(any_ascii::any_ascii_char(letter));
                syllables.push(' ');
                spaced.push(' ');
            } else {
                let latin = any_ascii::any_ascii_char(letter);
                syllables.push_str(latin);
                spaced.push_str(latin);
            }
        }
        Self {
            all: words(&syllables),
            words: words(&spaced),
        }
    }

    fn telling(&self) -> Vec<&str> {
        let words = self.words.iter().map(String::as_str);
        words.filter(|word| !SHARED.contains(word)).collect()
    }

    fn has_shared(&self) -> bool {
        self.words.iter().any(|word| SHARED.contains(&word.as_str()))
    }

    /// Whether all of this name, written without spaces, stands in the other one from some word on.
    fn runs_through(&self, other: &Self) -> bool {
        let name = self.all.concat();
        let tells = self.all.iter().any(|word| !SHARED.contains(&word.as_str()));
        tells
            && name.len() >= JOINED_MIN
            && (0..other.all.len())
                .filter_map(|from| other.all.get(from..))
                .any(|rest| rest.concat().starts_with(&name))
    }
}

/// The words of a name in Latin letters, without the company's form.
fn words(latin: &str) -> Vec<String> {
    latin
        .to_lowercase()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty() && !FORMS.contains(word))
        .map(str::to_owned)
        .collect()
}

/// How the name of a party compares with one on a list.
pub(super) fn likeness(listed: &str, party: &str) -> Likeness {
    if reduced(listed) == reduced(party) && !reduced(listed).is_empty() {
        return Likeness::Same;
    }
    let (listed, party) = (Words::of(listed), Words::of(party));
    let alike = |one: &Words, other: &Words| one.runs_through(other) || is_found_in(one, other);
    if alike(&listed, &party) || alike(&party, &listed) {
        Likeness::Alike
    } else {
        Likeness::Other
    }
}

/// Whether every telling word of a name has its like in another.
fn is_found_in(name: &Words, other: &Words) -> bool {
    let telling = name.telling();
    let letters: usize = telling.iter().map(|word| word.len()).sum();
    let is_short = letters <= SHORT && name.has_shared();
    !telling.is_empty()
        && (!is_short || other.has_shared())
        && telling
            .iter()
            .all(|word| other.words.iter().any(|other| is_like(word, other)))
}

fn is_like(one: &str, other: &str) -> bool {
    one == other || (one.len() >= 5 && other.len() >= 5 && strsim::jaro_winkler(one, other) >= WORD_LIKENESS)
}

/// A name reduced to what listings do not vary: letters and digits of each word, lower case, with the
/// usual words for a company's form in one spelling.
pub(super) fn reduced(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let words = words.map(|word| match word {
        "company" => "co",
        "limited" => "ltd",
        "corporation" => "corp",
        "incorporated" => "inc",
        other => other,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vector {
        listed: String,
        party: String,
        likeness: String,
    }

    #[test]
    fn the_vectors_hold() {
        let text = include_str!("../../tests/vectors/v1/party-names.json");
        let vectors: Vec<Vector> = serde_json::from_str(text).unwrap();
        assert!(vectors.len() > 20, "{}", vectors.len());
        let wrong: Vec<String> = vectors
            .iter()
            .filter_map(|vector| {
                let found = format!("{:?}", likeness(&vector.listed, &vector.party)).to_lowercase();
                let (listed, party) = (&vector.listed, &vector.party);
                (found != vector.likeness).then(|| format!("{listed} | {party}: {found}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn nothing_is_like_a_name_without_letters() {
        for name in ["", " ", ".,", "Co., Ltd.", "Energy Co., Ltd."] {
            assert_eq!(likeness(name, "Anode Works Ltd."), Likeness::Other, "{name}");
            assert_eq!(likeness("Anode Works Ltd.", name), Likeness::Other, "{name}");
        }
    }
}
