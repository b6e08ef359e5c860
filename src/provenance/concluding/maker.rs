//! Who made a lot, and who only handled it.
//!
//! A step that puts out nothing of a higher stage than it took in has made nothing new: whoever made what went in
//! stays a maker. If its word says so too (`relabel`, `split`, `merge` ...), who ran it is a handler. What stages
//! there are, and which words only handle, is in [`crate::vocabulary`]; where a kind is not declared, the step's
//! word stands for it.

use std::collections::{BTreeSet, HashSet};

use super::{
    super::{
        filing::{
            fact::Role,
            span::{LotKey, Span},
            symbol::Symbol,
        },
        gate::Gate,
        memory::Declared,
    },
    history::{self, History, Making},
    party, product,
};
use crate::vocabulary::{Step, vocabulary};

/// Who had a part in how a lot came to be what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hands {
    /// Who made it, as steps or documents say.
    pub(super) makers: Vec<String>,
    /// Who gave it another number, divided it or put it together, and made nothing of it.
    pub(super) handlers: Vec<String>,
    /// Whether it was only handled out of something of which nobody says who made it.
    pub(super) makers_open: bool,
}

/// What one making says of makers.
struct Told {
    operator: Symbol,
    is_handling: bool,
    /// What went in and keeps its makers.
    kept: Vec<LotKey>,
}

/// Who made a lot: the operators of the steps that it came out of, by their own word, and the makers of what
/// these did not raise. Of what was only reported the claimed ones, if the report names any; who imported a
/// document is never a maker by it.
pub(super) fn of(gate: Gate<'_>, history: &History) -> Hands {
    let root_kind = kind(gate, history);
    let (mut makers, mut handlers) = (BTreeSet::new(), BTreeSet::new());
    let mut open = false;
    let mut seen = HashSet::from([history.key]);
    let mut stack: Vec<LotKey> = Vec::new();
    let mut take = |history: &History, stack: &mut Vec<LotKey>| {
        for making in &history.makings {
            let told = tell(gate, history, *making, root_kind.as_deref());
            let fact = making.touch.fact;
            if party::is_stated(gate, fact, told.operator) {
                let name = gate.symbols.name(told.operator).to_owned();
                if told.is_handling {
                    handlers.insert(name);
                } else {
                    makers.insert(name);
                }
            }
            stack.extend(told.kept);
        }
    };
    take(history, &mut stack);
    while let Some(key) = stack.pop() {
        if seen.insert(key) {
            let behind = history::of(gate, key);
            open |= !behind.is_made();
            take(&behind, &mut stack);
        }
    }
    handlers.retain(|handler| !makers.contains(handler));
    Hands {
        makers: makers.into_iter().collect(),
        handlers: handlers.into_iter().collect(),
        makers_open: open,
    }
}

fn tell(gate: Gate<'_>, history: &History, making: Making, root_kind: Option<&str>) -> Told {
    let fact = making.touch.fact;
    let operator = gate.operator(fact);
    let made = Told {
        operator,
        is_handling: false,
        kept: Vec::new(),
    };
    let leg = gate.leg(making.touch);
    if making.role == Role::Made && leg.serial {
        // A number for a piece of what was made before.
        let named_again = gate
            .fact(fact)
            .reading
            .legs
            .iter()
            .filter(|leg| leg.role == Role::Class)
            .map(|leg| leg.span.key())
            .find(|class| *class != history.key && is_made_itself(gate, *class));
        return named_again.map_or(made, |class| Told {
            operator,
            is_handling: true,
            kept: vec![class],
        });
    }
    let said = gate.symbols.name(gate.fact(fact).reading.step);
    let word = vocabulary().step(said);
    let inputs: HashSet<Span> = gate
        .run_of(fact)
        .into_iter()
        .filter(|member| *member == fact || gate.counts(*member))
        .flat_map(|member| &gate.fact(member).reading.legs)
        .filter(|leg| leg.role.uses())
        .map(|leg| leg.span)
        .collect();
    let mut raises = false;
    let mut kept = Vec::new();
    for key in inputs
        .into_iter()
        .flat_map(|span| history::pieces(gate, span))
        .map(Span::key)
    {
        let used = kind(gate, &history::of(gate, key));
        let by_word = word.map(Step::keeps_stage);
        let keeps = vocabulary().keeps(used.as_deref(), root_kind).or(by_word);
        raises |= keeps == Some(false);
        if keeps == Some(true) {
            kept.push(key);
        }
    }
    Told {
        operator,
        is_handling: word.is_some_and(|word| word.handles) && !raises && !kept.is_empty(),
        kept,
    }
}

/// Whether somebody says of a class lot how it was made, and not only of its serials.
fn is_made_itself(gate: Gate<'_>, class: LotKey) -> bool {
    let history = history::of(gate, class);
    history
        .makings
        .iter()
        .any(|making| making.role != Role::Class && making.own_word)
}

/// The declared kind of a lot, if it is one of the vocabulary.
fn kind(gate: Gate<'_>, history: &History) -> Option<String> {
    let Declared { declared, .. } = product::declared(gate, product::of_lot(gate, history)?)?;
    vocabulary().stage(&declared.kind).map(|_| declared.kind.clone())
}
