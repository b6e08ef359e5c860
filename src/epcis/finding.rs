//! What an import has to say about a document, line by line.

use std::fmt;

use serde::Serialize;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Worth knowing; nothing was changed.
    Note,
    /// A departure from EPCIS that lenient import mends and strict import refuses.
    Repair,
    /// The event cannot be imported.
    Fault,
}

macro_rules! codes {
    ($($weight:ident {$($(#[$doc:meta])* $variant:ident $name:literal,)*})*) => {
        /// What a finding is about: a closed set, with stable names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {$($(
            $(#[$doc])*
            $variant,
        )*)*}

        impl Code {
            /// All of them.
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)*)*];

            /// The stable name.
            pub const fn as_str(self) -> &'static str {
                match self {$($(Self::$variant => $name,)*)*}
            }

            /// How much it weighs.
            pub const fn weight(self) -> Weight {
                match self {$($(Self::$variant => Weight::$weight,)*)*}
            }
        }
    };
}

codes! {
    Note {
        /// A member that no field of ours holds travels in the residue.
        Carried "carried",
        /// Members of the document itself (sender, master data) are no event; see `Import::header`.
        HeaderCarried "header_carried",
        /// The event has no id, or none that fits; it got one derived from what it says: the CBV event hash.
        IdDerived "id_derived",
        /// The event is reported again with an error declaration.
        ErrorDeclared "error_declared",
        /// A kind of lot or a step that is no word of the vocabulary: rules conclude nothing from it.
        UnfamiliarWord "unfamiliar_word",
        /// A GS1 key whose check digit is wrong.
        CheckDigit "check_digit",
        /// The link of a serial or lot names a lot or variant that no field of the event holds; it stays in the
        /// spelling alone.
        FactInLink "fact_in_link",
        /// A quantity of a kind of thing without its lot: genealogy ends there.
        ClassWithoutLot "class_without_lot",
        /// A unit that means pieces; a count has no unit.
        PieceUnit "piece_unit",
        /// A unit that is not in our table: its amounts are compared with no other unit's.
        UnfamiliarUnit "unfamiliar_unit",
        /// Two spellings of one identifier in one event; exports in the sender's spelling use the first.
        Respelled "respelled",
        /// Several values where our event has one place: left to the view, none chosen.
        Ambiguous "ambiguous",
        /// Understood as an observation only: it changes no stock, custody, title or composition.
        ObservedOnly "observed_only",
        /// The action says another thing than the step, and the step was taken.
        UnusualAction "unusual_action",
        /// Title changes hands too: the event was taken for its other meaning, and the title stays in the view.
        TitleToo "title_too",
        /// Custody changes hands too: the event was taken for its other meaning.
        CustodyToo "custody_too",
        /// The step is an event of its own, and was not taken beside a making or a change of what is in what.
        StepNotTaken "step_not_taken",
        /// A shipment is taken back, and the event does not say which.
        ShipmentNotNamed "shipment_not_named",
        /// The recall has no id of its own, so its event names it.
        RecallNamedByEvent "recall_named_by_event",
        /// CBV does not have this business step on this type of event.
        UnusualStep "unusual_step",
        /// An identifier that is a URI, but not one that we can hold in normal form.
        IdentifierCarried "identifier_carried",
        /// An extension of ours whose value does not fit its field.
        ExtensionUnusable "extension_unusable",
    }
    Repair {
        /// A member whose name starts with an underscore was dropped.
        UnderscoreDropped "underscore_dropped",
        /// A CBV word spelled as a URN of EPCIS 1.2.
        UrnWord "urn_word",
        /// A number written as a string.
        NumericString "numeric_string",
        /// A transformation has no action.
        ActionDropped "action_dropped",
        /// A class or lot in a list of instances was moved to the list of quantities.
        ClassMoved "class_moved",
        /// The same instance twice in one list.
        InstanceTwice "instance_twice",
    }
    Fault {
        /// Not a JSON object.
        NotAnObject "not_an_object",
        /// A required member is absent.
        MissingMember "missing_member",
        /// A member that EPCIS does not have; extensions have a prefix.
        UnknownMember "unknown_member",
        /// A member that this type of event cannot have.
        MisplacedMember "misplaced_member",
        /// Not of the JSON type that EPCIS has there.
        WrongType "wrong_type",
        /// Neither an event type of EPCIS nor a URI.
        UnknownType "unknown_type",
        /// A document of another version of EPCIS than 2.0.
        SchemaVersion "schema_version",
        /// Neither a word of CBV nor a URI.
        UnknownWord "unknown_word",
        /// Not `ADD`, `OBSERVE` or `DELETE`.
        UnknownAction "unknown_action",
        /// Not an absolute URI.
        NotUri "not_uri",
        /// Not a date and time with its zone.
        BadTime "bad_time",
        /// Before 1970 or after 2262.
        TimeOutOfRange "time_out_of_range",
        /// Not an offset as `+09:00`.
        BadOffset "bad_offset",
        /// The links of serials name another lot than the event's own lot number.
        LotMismatch "lot_mismatch",
        /// Not an identifier that the ledger can hold.
        BadIdentifier "bad_identifier",
        /// Not a decimal that the ledger can hold: not negative, at most 28 digits.
        BadQuantity "bad_quantity",
        /// Not a unit code.
        BadUnit "bad_unit",
        /// What the event is about is missing.
        NothingObserved "nothing_observed",
        /// The members that no field of ours holds are too long to carry.
        ResidueTooLong "residue_too_long",
        /// The event does not fit the wire format.
        DoesNotFit "does_not_fit",
        /// More findings than are listed.
        More "more",
    }
}

impl Code {
    /// Whether it says that an event, or part of it, was not taken for what its sender may have meant.
    pub const fn is_about_meaning(self) -> bool {
        matches!(
            self,
            Self::ObservedOnly
                | Self::UnusualAction
                | Self::TitleToo
                | Self::CustodyToo
                | Self::StepNotTaken
                | Self::ShipmentNotNamed
                | Self::Ambiguous
                | Self::ExtensionUnusable
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One line about one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Zero-based position of the event in the document; absent for the document itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// JSON pointer inside the event (or the document).
    pub path: String,
    /// What it is.
    pub code: Code,
    /// The value, or what was made of it, in words.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.position, self.path.as_str()) {
            (Some(position), "") => write!(f, "event {position}: ")?,
            (Some(position), path) => write!(f, "event {position} {path}: ")?,
            (None, "") => {}
            (None, path) => write!(f, "{path}: ")?,
        }
        write!(f, "{}: {}", self.code, self.detail)
    }
}

/// Most findings listed per event.
const FINDINGS_MAX: usize = 256;
/// Longest quotation of a value in a finding, in characters.
const QUOTE_LEN_MAX: usize = 120;

/// The findings about one event.
#[derive(Debug, Default)]
pub(super) struct Findings {
    position: Option<usize>,
    list: Vec<Finding>,
    unlisted: usize,
    worst: Option<Weight>,
}

impl Findings {
    pub(super) fn about(position: usize) -> Self {
        Self {
            position: Some(position),
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, code: Code, path: impl Into<String>, detail: &str) {
        self.worst = self.worst.max(Some(code.weight()));
        // A fault is never the one that is left out.
        if self.list.len() >= FINDINGS_MAX && code.weight() != Weight::Fault
            || self.list.len() >= 2 * FINDINGS_MAX
        {
            self.unlisted += 1;
            return;
        }
        let mut quoted: String = detail.chars().take(QUOTE_LEN_MAX).collect();
        if quoted.len() < detail.len() {
            quoted.push_str("...");
        }
        self.list.push(Finding {
            position: self.position,
            path: path.into(),
            code,
            detail: quoted,
        });
    }

    /// The heaviest weight so far.
    pub(super) const fn worst(&self) -> Option<Weight> {
        self.worst
    }

    pub(super) fn into_list(mut self) -> Vec<Finding> {
        if self.unlisted > 0 {
            self.list.push(Finding {
                position: self.position,
                path: String::new(),
                code: Code::More,
                detail: format!("{} more findings", self.unlisted),
            });
        }
        self.list
    }
}
