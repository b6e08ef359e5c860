//! Policy: whether a lot meets a rule pack, in a procurement context, at a date.
//!
//! ```text
//! pack.toml --loader--> Pack --.
//! list.toml --list--> edition --> (authority publishes it in the ledger)
//! ledger ----View--------------+--> evaluate --> Verdict --> JSON
//! context.json --context-------'
//! ```
//!
//! In reading order: `view` (what evaluation may look at), `pack` and `loader` (the rules as data), `truth`
//! (three values and shares), `leaf` (what is missing), `recall` (asking once), `ground`, `likeness`, `party`,
//! `ownership`, `walk`, `makers`, `doubts` and `contribution` (rules put to a lot), `quick` and `settle` (an outcome from
//! what is known and what is not), `evaluate`, `explain`, `rests` (whose word it is), `verdict`.
//!
//! Everything here is pure. Deliberately absent: the lists and packs themselves (`policies/`), and any
//! opinion about a party that is not on a list, an ownership edge or a place.

mod asks;
mod cases;
mod check;
pub mod context;
mod contribution;
mod doubts;
mod evaluate;
mod explain;
mod ground;
mod keys;
mod leaf;
mod likeness;
mod list;
mod load_error;
mod loader;
mod makers;
mod operands;
mod operator;
mod ownership;
mod pack;
mod party;
mod quick;
mod recall;
mod rests;
mod settle;
mod telling;
mod total;
mod truth;
mod verdict;
pub mod view;
mod walk;
mod words;
mod world;

#[cfg(test)]
mod tests;

pub use cases::{CASES_LEN_MAX, CaseFound, Cases, CasesError, Shown};
pub use context::{CONTEXT_LEN_MAX, Context, ContextError, ContextFault};
pub use evaluate::{EvaluateError, Question, evaluate, questionnaire};
pub use list::{LIST_SCHEMA, load_list};
pub use load_error::{FAULTS_MAX, Fault, FaultKind, LoadError, PACK_LEN_MAX};
pub use loader::{Mode, SCHEMA, load_pack};
pub use operator::Operator;
pub use pack::{Pack, Param};
pub use telling::{in_words, needs};
pub use truth::Truth;
pub use verdict::{
    Ask, Basis, Because, ClocksUsed, EditionUsed, Missing, NODES_MAX, NodeSeen, Outcome, RestsOn, ShareSeen,
    SignedWord, Verdict, WaiverUsed,
};
