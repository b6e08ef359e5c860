//! EPCIS 2.0 both ways: a document becomes events of ours, and ours become a document.
//!
//! ```text
//! bytes -> document -> check, mend -> normal form -> read -> event of ours
//!                                         |                    | render
//!                                         '---- difference ----'  = residue, carried in the event
//! ```
//!
//! Nothing is dropped, by construction: what [`import`] understood is rendered back, and whatever of the
//! original does not come out again travels in the event's residue. The other way, what [`export`] cannot say in
//! EPCIS words is found by reading the result, and written as extensions under [`NAMESPACE`]. So
//!
//! - for foreign documents, `export(import(x))` equals `x` in [`normal_form`], or the event was refused by name;
//! - for our events, `import(export(e))` is `e`, if EPCIS has a form for its kind and its serials are compressed
//!   as [`serials::compress`] does it; save for `reported`, whose meaning is who imported it.
//!
//! A zone, an identifier or a quantity is never guessed. Departures from EPCIS are mended where that is safe
//! ([`Strictness::Lenient`]), each with a [`Finding`], or refused ([`Strictness::Strict`]).
//!
//! What an event says is told from the document that says it by [`said`]; an event without an id is named by its
//! CBV event hash.
//!
//! Deliberately absent: XML, EPCIS 1.2, JSON-LD contexts behind a URL (never fetched).
//! Spec: EPCIS 2.0 and CBV 2.0, `https://ref.gs1.org/standards/epcis/2.0.0/`.

mod check;
mod context;
mod document;
mod event_hash;
mod export;
mod fields;
mod finding;
mod header;
mod import;
mod link;
mod members;
mod normal;
mod read;
mod render;
mod residue;
mod said;
pub mod serials;
mod view;
mod vocabulary;

pub use export::{EpcFormat, Export, ExportOptions, NotExportable, export};
pub use finding::{Code, Finding, Weight};
pub use import::{
    ErrorDeclaration, Import, ImportOptions, ImportedEvent, Origin, Refused, Strictness, import,
};
pub use normal::normal_form;
pub(crate) use normal::{decimal_text, means_pieces};
pub(crate) use residue::keep_spellings;
pub use residue::{declare_wrong, name_by_uri};
pub use said::said;

use crate::json_bounds::JsonExcess;

pub(crate) fn parse_json(bytes: &[u8]) -> Result<serde_json::Value, EpcisError> {
    document::parse(bytes)
}

/// Namespace of our extensions to EPCIS; prefix `bl` in the documents that we write.
///
/// No web domain belongs to this vocabulary yet, and this one is reserved and can belong to nobody else.
pub const NAMESPACE: &str = "https://example.org/battery-ledger/";

/// Why bytes are not a document that events could be taken from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EpcisError {
    /// More bytes than the importer takes.
    #[error("document of {len} bytes, at most {max} are taken")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// Not JSON, or with a member named twice.
    #[error("not JSON that can be read: {0}")]
    NotJson(String),
    /// JSON of more values than the importer takes, or nested deeper.
    #[error(transparent)]
    Excess(#[from] JsonExcess),
    /// JSON, but none of the shapes that EPCIS travels in.
    #[error("not an EPCIS document, event or list of events: {0}")]
    NotEpcis(&'static str),
    /// An `@context` that makes more of a document than it is.
    #[error("too much in @context: {0}")]
    Declarations(String),
    /// More events than the importer takes.
    #[error("{count} events, at most {max} are taken")]
    TooManyEvents {
        /// How many there are.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// Strict import of a document that departs from EPCIS outside its events.
    #[error("document departs from EPCIS 2.0 in {} places", .0.len())]
    Document(Vec<Finding>),
}

/// Whether text is an absolute URI in the sense of RFC 3986, of any length.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let scheme_fits = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte));
    let mut rest = rest.bytes();
    let hex = |rest: &mut std::str::Bytes<'_>| rest.next().is_some_and(|byte| byte.is_ascii_hexdigit());
    let mut rest_fits = true;
    while let Some(byte) = rest.next() {
        rest_fits &= match byte {
            b'%' => hex(&mut rest) && hex(&mut rest),
            _ => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&byte),
        };
    }
    scheme_fits && rest_fits
}

#[cfg(test)]
mod tests;
