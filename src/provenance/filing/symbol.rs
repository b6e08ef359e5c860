//! Names as small numbers: each text is kept once, facts hold its number.
//!
//! ```text
//! text     urn:party:minehttps://id.gs1.org/01/09523008000014/10/L...     all names, end to end
//! ends     0, 14, 52 ...                                                  where symbols 0, 1, 2 ... end
//! ```
//!
//! Numbers follow arrival, so they must never reach an output or decide an order; whatever is compared or
//! printed goes through [`Symbols::name`]. That is why [`Symbol`] has no `Ord`.

use std::hash::{BuildHasherDefault, Hasher};

use super::index::Index;

/// A text that [`Symbols`] knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::provenance) struct Symbol(u32);

impl Symbol {
    /// The empty text: *not stated*.
    pub(in crate::provenance) const NONE: Self = Self(0);

    /// Whether there is a text.
    pub(in crate::provenance) fn is_some(self) -> bool {
        self != Self::NONE
    }

    /// The bare number, for grouping alone.
    pub(in crate::provenance) fn index(self) -> u32 {
        self.0
    }
}

/// Hashes symbols by a multiplication: nobody outside chooses their numbers, so nobody can make them collide.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::provenance) struct SymbolHasher(u64);

/// For maps whose keys are symbols and nothing else.
pub(in crate::provenance) type BySymbol = BuildHasherDefault<SymbolHasher>;

impl Hasher for SymbolHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_isize(&mut self, variant: isize) {
        self.write_u64(variant.cast_unsigned() as u64);
    }

    fn write_u64(&mut self, number: u64) {
        // 2^64 over the golden ratio spreads neighbours over the whole word; a map looks at both its ends.
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The table of all texts met.
#[derive(Debug)]
pub(in crate::provenance) struct Symbols {
    numbers: Index,
    text: String,
    ends: Vec<usize>,
}

impl Default for Symbols {
    fn default() -> Self {
        Self {
            numbers: Index::default(),
            text: String::new(),
            ends: vec![0],
        }
    }
}

impl Symbols {
    /// The symbol of `name`, new if need be.
    pub(in crate::provenance) fn intern(&mut self, name: &str) -> Symbol {
        if name.is_empty() {
            return Symbol::NONE;
        }
        let hash = self.numbers.hash(name);
        if let Some(symbol) = self.find(hash, name) {
            return symbol;
        }
        let number = u32::try_from(self.ends.len()).expect("fewer than four billion names fit in memory");
        self.text.push_str(name);
        self.ends.push(self.text.len());
        self.numbers.insert(hash, number);
        Symbol(number)
    }

    /// The symbol of `name`, if it was ever met.
    pub(in crate::provenance) fn get(&self, name: &str) -> Option<Symbol> {
        if name.is_empty() {
            return Some(Symbol::NONE);
        }
        self.find(self.numbers.hash(name), name)
    }

    fn find(&self, hash: u64, name: &str) -> Option<Symbol> {
        self.numbers
            .find(hash, |number| self.name(Symbol(number)) == name)
            .map(Symbol)
    }

    /// Each of them once, in order of their names.
    pub(in crate::provenance) fn by_name(&self, symbols: impl Iterator<Item = Symbol>) -> Vec<Symbol> {
        let mut symbols: Vec<Symbol> = symbols.collect();
        symbols.sort_unstable_by_key(|symbol| self.name(*symbol));
        symbols.dedup();
        symbols
    }

    /// The text.
    pub(in crate::provenance) fn name(&self, symbol: Symbol) -> &str {
        let end = symbol.0 as usize;
        let start = end.checked_sub(1).and_then(|before| self.ends.get(before));
        start
            .zip(self.ends.get(end))
            .and_then(|(start, end)| self.text.get(*start..*end))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_symbol_and_a_symbol_its_name() {
        let mut symbols = Symbols::default();
        let names: Vec<String> = (0..1_000)
            .map(|number| format!("urn:n\u{e4}me:{number}"))
            .collect();
        let first: Vec<Symbol> = names.iter().map(|name| symbols.intern(name)).collect();
        for (name, symbol) in names.iter().zip(&first) {
            assert_eq!(symbols.intern(name), *symbol);
            assert_eq!(symbols.get(name), Some(*symbol));
            assert_eq!(symbols.name(*symbol), name);
        }
        assert_eq!(symbols.get("urn:n\u{e4}me:"), None);
        assert_eq!(symbols.intern(""), Symbol::NONE);
        assert_eq!(symbols.get(""), Some(Symbol::NONE));
        assert_eq!(symbols.name(Symbol::NONE), "");
    }
}
