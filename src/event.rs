//! Events in the ledger's own vocabulary.

pub mod parts;
