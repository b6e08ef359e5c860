//! The words of CBV 2.0, and the three spellings in which they come.
//!
//! ```text
//! bare      shipping
//! web       https://ref.gs1.org/cbv/BizStep-shipping, cbv:BizStep-shipping
//! URN       urn:epcglobal:cbv:bizstep:shipping          EPCIS 1.2; not allowed in 2.0 JSON
//! ```
//!
//! Any other word must be an absolute URI. Words are kept bare. Spec: CBV 2.0 sections 7 and 8; the lists are
//! those of the EPCIS 2.0 JSON schema.

use super::context::Context;

/// Which list a word is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    BizStep,
    Disposition,
    BizTransaction,
    SourceDestination,
    ErrorReason,
}

/// What a word turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// Of the list, bare or as a web URI.
    Known(&'static str),
    /// Of the list, as a URN of EPCIS 1.2.
    Urn(&'static str),
    /// Somebody's own, expanded to an absolute URI.
    Own(String),
    /// Neither.
    Unknown,
}

impl Family {
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::BizStep => BIZ_STEPS,
            Self::Disposition => DISPOSITIONS,
            Self::BizTransaction => BIZ_TRANSACTIONS,
            Self::SourceDestination => SOURCE_DESTINATIONS,
            Self::ErrorReason => ERROR_REASONS,
        }
    }

    const fn web(self) -> &'static str {
        match self {
            Self::BizStep => "https://ref.gs1.org/cbv/BizStep-",
            Self::Disposition => "https://ref.gs1.org/cbv/Disp-",
            Self::BizTransaction => "https://ref.gs1.org/cbv/BTT-",
            Self::SourceDestination => "https://ref.gs1.org/cbv/SDT-",
            Self::ErrorReason => "https://ref.gs1.org/cbv/ER-",
        }
    }

    const fn urn(self) -> &'static str {
        match self {
            Self::BizStep => "urn:epcglobal:cbv:bizstep:",
            Self::Disposition => "urn:epcglobal:cbv:disp:",
            Self::BizTransaction => "urn:epcglobal:cbv:btt:",
            Self::SourceDestination => "urn:epcglobal:cbv:sdt:",
            Self::ErrorReason => "urn:epcglobal:cbv:er:",
        }
    }

    fn known(self, word: &str) -> Option<&'static str> {
        self.words().iter().copied().find(|known| *known == word)
    }

    /// Reads a word in any spelling.
    pub(super) fn read(self, text: &str, context: &Context) -> Word {
        if let Some(word) = self.known(text) {
            return Word::Known(word);
        }
        let expanded = context.expand(text);
        if let Some(word) = expanded.strip_prefix(self.web()) {
            return self
                .known(word)
                .map_or_else(|| Word::Own(expanded.clone()), Word::Known);
        }
        if expanded.starts_with("urn:epcglobal:cbv:") {
            return expanded
                .strip_prefix(self.urn())
                .and_then(|word| self.known(word))
                .map_or(Word::Unknown, Word::Urn);
        }
        if super::is_uri(&expanded) && !expanded.contains("://ns.gs1.org/cbv/") {
            Word::Own(expanded)
        } else {
            Word::Unknown
        }
    }

    /// A word of normal form as an absolute URI, if it is of the list, else as it is.
    pub(super) fn as_uri(self, word: &str) -> String {
        match self.known(word) {
            Some(known) => format!("{}{known}", self.web()),
            None => word.to_owned(),
        }
    }

    /// The normal form of a word: bare if it is of the list, else expanded, else as it is.
    pub(super) fn normal(self, text: &str, context: &Context) -> String {
        match self.read(text, context) {
            Word::Known(word) | Word::Urn(word) => word.to_owned(),
            Word::Own(uri) => uri,
            Word::Unknown => text.to_owned(),
        }
    }
}

/// CBV 2.0 business steps.
pub(super) const BIZ_STEPS: &[&str] = &[
    "accepting",
    "arriving",
    "assembling",
    "collecting",
    "commissioning",
    "consigning",
    "creating_class_instance",
    "cycle_counting",
    "decommissioning",
    "departing",
    "destroying",
    "disassembling",
    "dispensing",
    "encoding",
    "entering_exiting",
    "holding",
    "inspecting",
    "installing",
    "killing",
    "loading",
    "other",
    "packing",
    "picking",
    "receiving",
    "removing",
    "repackaging",
    "repairing",
    "replacing",
    "reserving",
    "retail_selling",
    "sampling",
    "sensor_reporting",
    "shipping",
    "staging_outbound",
    "stock_taking",
    "stocking",
    "storing",
    "transporting",
    "unloading",
    "unpacking",
    "void_shipping",
];

/// CBV 2.0 dispositions.
const DISPOSITIONS: &[&str] = &[
    "active",
    "available",
    "completeness_inferred",
    "completeness_verified",
    "conformant",
    "container_closed",
    "container_open",
    "damaged",
    "destroyed",
    "dispensed",
    "disposed",
    "encoded",
    "expired",
    "in_progress",
    "in_transit",
    "inactive",
    "mismatch_class",
    "mismatch_instance",
    "mismatch_quantity",
    "needs_replacement",
    "no_pedigree_match",
    "non_conformant",
    "non_sellable_other",
    "partially_dispensed",
    "recalled",
    "reserved",
    "retail_sold",
    "returned",
    "sellable_accessible",
    "sellable_not_accessible",
    "stolen",
    "unavailable",
    "unknown",
];

/// CBV 2.0 business transaction types.
const BIZ_TRANSACTIONS: &[&str] = &[
    "bol",
    "cert",
    "desadv",
    "inv",
    "pedigree",
    "po",
    "poc",
    "prodorder",
    "recadv",
    "rma",
    "testprd",
    "testres",
    "upevt",
];

/// CBV 2.0 source and destination types.
const SOURCE_DESTINATIONS: &[&str] = &["location", "owning_party", "possessing_party"];

/// CBV 2.0 error reasons.
const ERROR_REASONS: &[&str] = &["did_not_occur", "incorrect_data"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_known_in_each_of_its_spellings() {
        let context = Context::default();
        for text in [
            "shipping",
            "cbv:BizStep-shipping",
            "https://ref.gs1.org/cbv/BizStep-shipping",
        ] {
            assert_eq!(
                Family::BizStep.read(text, &context),
                Word::Known("shipping"),
                "{text}"
            );
        }
        assert_eq!(
            Family::Disposition.read("urn:epcglobal:cbv:disp:active", &context),
            Word::Urn("active")
        );
        assert_eq!(
            Family::ErrorReason.read("urn:epcglobal:cbv:er:other", &context),
            Word::Unknown
        );
        assert_eq!(Family::BizStep.read("transforming", &context), Word::Unknown);
        assert_eq!(
            Family::BizStep.read("http://a.example/step", &context),
            Word::Own("http://a.example/step".to_owned())
        );
    }
}
