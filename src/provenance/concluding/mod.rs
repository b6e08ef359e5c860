//! Concluding: what follows from the facts that count. It reads through the gate and changes nothing.
//!
//! ```text
//! history   the facts about one lot that count
//!   '- books    per holder what came in and went out       measure, making
//!        '- stock, origins                                 where it is; which makings a draw comes from
//!   '- judge, circle --> settled                           what does not fit; the list of it, kept up to date
//!   '- graph                                               from lot to lot
//!   '- summary, notice                                     one lot at a glance; held and recalled
//! ```

pub(super) mod anomaly;
pub(super) mod books;
mod circle;
pub(super) mod graph;
pub(super) mod history;
pub(super) mod judge;
mod lineage;
mod maker;
mod making;
mod measure;
mod notice;
mod origin;
pub(super) mod party;
pub(super) mod product;
mod repeated;
pub(super) mod settled;
pub(super) mod stock;
pub(super) mod summary;

use std::sync::Arc;

pub(super) use lineage::anomalies_of;
pub(super) use lineage::lineage_of;
pub use lineage::{Lineage, LineageRow};

use self::{books::Books, history::History, origin::Origins};
use super::gate::Gate;

pub(super) use origin::Origins as LotOrigins;

/// The books of a lot.
pub(super) fn books_of(gate: Gate<'_>, history: &History) -> Arc<Books> {
    gate.memory.books(history.key, || Books::of(gate, history))
}

/// Which of a lot's makings its draws come from.
pub(super) fn origins_of(gate: Gate<'_>, history: &History) -> Arc<Origins> {
    gate.memory.origins(history.key, || {
        Origins::of(gate, history, &books_of(gate, history))
    })
}
