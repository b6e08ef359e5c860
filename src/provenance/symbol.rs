//! Names as small numbers: each text is kept once, facts hold its number.
//!
//! Numbers follow arrival, so they must never reach an output or decide an order; whatever is compared or
//! printed goes through [`Symbols::name`]. That is why [`Symbol`] has no `Ord`.

use std::{collections::HashMap, sync::Arc};

/// A text that [`Symbols`] knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Symbol(u32);

impl Symbol {
    /// The empty text: *not stated*.
    pub(super) const NONE: Self = Self(0);

    /// Whether there is a text.
    pub(super) fn is_some(self) -> bool {
        self != Self::NONE
    }

    /// The bare number, for grouping alone.
    pub(super) fn index(self) -> u32 {
        self.0
    }
}

/// The table of all texts met.
#[derive(Debug)]
pub(super) struct Symbols {
    numbers: HashMap<Arc<str>, Symbol>,
    names: Vec<Arc<str>>,
}

impl Default for Symbols {
    fn default() -> Self {
        let none: Arc<str> = Arc::from("");
        Self {
            numbers: HashMap::from([(Arc::clone(&none), Symbol::NONE)]),
            names: vec![none],
        }
    }
}

impl Symbols {
    /// The symbol of `name`, new if need be.
    pub(super) fn intern(&mut self, name: &str) -> Symbol {
        if name.is_empty() {
            return Symbol::NONE;
        }
        if let Some(symbol) = self.numbers.get(name) {
            return *symbol;
        }
        let number = u32::try_from(self.names.len()).expect("fewer than four billion names fit in memory");
        let name: Arc<str> = Arc::from(name);
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, Symbol(number));
        Symbol(number)
    }

    /// The symbol of `name`, if it was ever met.
    pub(super) fn get(&self, name: &str) -> Option<Symbol> {
        self.numbers.get(name).copied()
    }

    /// The text.
    pub(super) fn name(&self, symbol: Symbol) -> &str {
        self.names.get(symbol.0 as usize).map_or("", |name| name)
    }
}
