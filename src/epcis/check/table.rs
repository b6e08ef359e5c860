//! What EPCIS 2.0 defines: members, the events that have them, and what they hold.

use crate::epcis::vocabulary::Family;

/// The types of event that EPCIS defines, and anything else with a URI for its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Object,
    Aggregation,
    Transaction,
    Transformation,
    Association,
    Extended,
}

impl Type {
    pub(super) const fn bit(self) -> u8 {
        match self {
            Self::Object => O,
            Self::Aggregation => G,
            Self::Transaction => T,
            Self::Transformation => F,
            Self::Association => S,
            Self::Extended => 0,
        }
    }
}

pub(super) const O: u8 = 1;
pub(super) const G: u8 = 2;
pub(super) const T: u8 = 4;
pub(super) const F: u8 = 8;
pub(super) const S: u8 = 16;
pub(super) const ALL: u8 = O | G | T | F | S;

/// What a member holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holds {
    /// Looked at elsewhere.
    Anything,
    Time,
    Offset,
    Uri,
    /// An identifier that the event is about.
    Thing,
    Uris,
    Action,
    Word(Family),
    Place,
    Things,
    Quantities,
    References(&'static str, Family),
    Persistent,
    Error,
    Sensors,
    Ilmd,
}

/// Every member that EPCIS defines for events, and the types of event that may have it.
pub(super) const MEMBERS: &[(&str, u8, Holds)] = &[
    ("@context", ALL, Holds::Anything),
    ("type", ALL, Holds::Anything),
    ("eventTime", ALL, Holds::Time),
    ("recordTime", ALL, Holds::Time),
    ("eventTimeZoneOffset", ALL, Holds::Offset),
    ("eventID", ALL, Holds::Uri),
    ("certificationInfo", ALL, Holds::Uris),
    ("errorDeclaration", ALL, Holds::Error),
    ("action", O | G | T | S, Holds::Action),
    ("bizStep", ALL, Holds::Word(Family::BizStep)),
    ("disposition", ALL, Holds::Word(Family::Disposition)),
    ("persistentDisposition", O | F, Holds::Persistent),
    ("readPoint", ALL, Holds::Place),
    ("bizLocation", ALL, Holds::Place),
    (
        "bizTransactionList",
        ALL,
        Holds::References("bizTransaction", Family::BizTransaction),
    ),
    (
        "sourceList",
        ALL,
        Holds::References("source", Family::SourceDestination),
    ),
    (
        "destinationList",
        ALL,
        Holds::References("destination", Family::SourceDestination),
    ),
    ("sensorElementList", ALL, Holds::Sensors),
    ("ilmd", O | F, Holds::Ilmd),
    ("parentID", G | T | S, Holds::Thing),
    ("epcList", O | T, Holds::Things),
    ("quantityList", O | T, Holds::Quantities),
    ("childEPCs", G | S, Holds::Things),
    ("childQuantityList", G | S, Holds::Quantities),
    ("inputEPCList", F, Holds::Things),
    ("inputQuantityList", F, Holds::Quantities),
    ("outputEPCList", F, Holds::Things),
    ("outputQuantityList", F, Holds::Quantities),
    ("transformationID", F, Holds::Uri),
];

/// Lists of instances, and where classes among them belong.
pub(super) const LISTS: &[(&str, &str)] = &[
    ("epcList", "quantityList"),
    ("childEPCs", "childQuantityList"),
    ("inputEPCList", "inputQuantityList"),
    ("outputEPCList", "outputQuantityList"),
];

/// Members of sensor reports and metadata that hold numbers, times and URIs.
pub(super) const SENSOR_NUMBERS: &[&str] = &[
    "maxValue",
    "meanValue",
    "minValue",
    "percRank",
    "percValue",
    "sDev",
    "value",
];
pub(super) const SENSOR_TIMES: &[&str] = &["endTime", "startTime", "time"];
pub(super) const SENSOR_URIS: &[&str] = &[
    "bizRules",
    "chemicalSubstance",
    "coordinateReferenceSystem",
    "dataProcessingMethod",
    "deviceID",
    "deviceMetadata",
    "microorganism",
    "rawData",
    "uriValue",
];
pub(super) const SENSOR_OTHERS: &[&str] = &[
    "booleanValue",
    "component",
    "exception",
    "hexBinaryValue",
    "stringValue",
    "type",
    "uom",
];
