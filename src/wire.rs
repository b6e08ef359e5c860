//! The wire format as types: what `proto/` compiles to, and the table of what each field may hold.
//!
//! [`v1`] are plain data, as received; nothing in them is verified. Received bytes go through
//! [`shape::check`] first, which refuses every encoding but the canonical one, so that afterwards decoding
//! loses nothing and cannot fail. Spec: `proto/README.md`, "Canonical encoding".

pub mod form;
pub mod shape;

/// Protobuf package `lotproof.v1`, generated from `proto/lotproof/v1/`.
#[expect(
    missing_docs,
    clippy::pedantic,
    reason = "generated; the .proto files carry the documentation"
)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/lotproof.v1.rs"));
}

/// `payloadType` of a statement.
pub const STATEMENT_TYPE: &str = "application/vnd.lotproof.statement.v1+protobuf";
/// `payloadType` of the ledger's answer to a message that took no place.
pub const ANSWER_TYPE: &str = "application/vnd.lotproof.answer.v1+protobuf";
/// `payloadType` of the ledger's reply to a head query.
pub const HEAD_TYPE: &str = "application/vnd.lotproof.head.v1+protobuf";

/// Longest entry in bytes: tlog-tiles bundles have a two-byte length.
pub const ENTRY_LEN_MAX: usize = 65_535;
/// Longest statement in bytes, whatever a ledger's parameters say.
pub const STATEMENT_LEN_MAX: usize = 64_000;
/// Longest envelope in bytes. Leaves room for the evidence and entry headers below [`ENTRY_LEN_MAX`].
pub const ENVELOPE_LEN_MAX: usize = 65_000;
/// Most events in a statement, whatever a ledger's parameters say.
pub const STATEMENT_EVENTS_MAX: usize = 256;
/// Most parts of one event, whatever a ledger's parameters say.
pub const EVENT_PARTS_MAX: u32 = 4_096;
/// Most statements in one commit.
pub const COMMIT_STATEMENTS_MAX: usize = 4_096;
