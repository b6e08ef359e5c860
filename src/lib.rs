//! Lotproof: a signed, append-only, provable ledger for battery lots.
//!
//! The life of one event, in reading order:
//!
//! 1. [`envelope`] *decodes* bytes into an envelope around a readable statement header;
//! 2. [`signature`] *verifies* who signed exactly these bytes; [`event`] checks what is in them;
//! 3. [`admission`] *decides*, against the [`register`] and the feed: an [`entry`], or an answer ([`code`]);
//! 4. [`log`] *appends*: tree, tiles, checkpoints, proofs;
//! 5. readers *project* what the entries add up to ([`projector`], [`provenance`]) and judge it ([`policy`]).
//!
//! Everything that decides is pure: no clock, no randomness, no I/O; times and keys are arguments. The
//! adapters behind features (`store`, `nats`, `http`) only translate. The bytes are specified in
//! `proto/README.md`, and [`wire`] is that specification compiled.

pub mod admission;
pub mod audit;
pub mod bytes;
pub mod code;
pub mod entry;
pub mod envelope;
pub mod epcis;
pub mod event;
pub mod gateway;
pub mod id;
pub mod identifier;
pub mod json_bounds;
pub mod log;
pub mod outbox;
pub mod policy;
pub mod port;
pub mod projector;
pub mod provenance;
pub mod publish;
pub mod quantity;
pub mod register;
pub mod sequencer;
pub mod shell;
pub mod signature;
pub mod simulate;
pub mod time;
pub mod trust;
pub mod vocabulary;
pub mod wire;
