//! Why a pack or a list file is refused: always with the file, and the key at fault.

/// Longest file accepted, in bytes.
pub const PACK_LEN_MAX: usize = 1 << 20;

/// Why a pack or a list file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Longer than [`PACK_LEN_MAX`].
    #[error("{file}: {got} bytes, at most {PACK_LEN_MAX} are accepted")]
    TooLong {
        /// File.
        file: String,
        /// Its length in bytes.
        got: usize,
    },
    /// Not TOML.
    #[error("{file}: not TOML: {message}")]
    Syntax {
        /// File.
        file: String,
        /// What the parser says, with line and column.
        message: String,
    },
    /// A key that means nothing here.
    #[error("{file}: unknown key {key}")]
    UnknownKey {
        /// File.
        file: String,
        /// Full key.
        key: String,
    },
    /// A key that must be there is not.
    #[error("{file}: {key} is missing")]
    MissingKey {
        /// File.
        file: String,
        /// Full key.
        key: String,
    },
    /// A value of the wrong type or out of its range.
    #[error("{file}: {key} must be {expected}")]
    WrongValue {
        /// File.
        file: String,
        /// Full key.
        key: String,
        /// What is accepted.
        expected: String,
    },
    /// A class or expression without exactly one operator.
    #[error("{file}: {key} must have exactly one operator, has {got}")]
    Operators {
        /// File.
        file: String,
        /// The definition.
        key: String,
        /// How many it has.
        got: usize,
    },
    /// A name that resolves to nothing.
    #[error("{file}: {key} names {name}, which is not defined")]
    Unresolved {
        /// File.
        file: String,
        /// Who names it.
        key: String,
        /// The full name that is missing.
        name: String,
    },
    /// Definitions that refer to each other in a circle.
    #[error("{file}: {} refer to each other in a circle", names.join(" -> "))]
    Cycle {
        /// File.
        file: String,
        /// The circle, first and last the same.
        names: Vec<String>,
    },
    /// A test about one node, used where no node is given.
    #[error("{file}: {key} is about one node of the graph, and {used_by} gives it none")]
    NoNode {
        /// File.
        file: String,
        /// The test.
        key: String,
        /// The rule that uses it.
        used_by: String,
    },
    /// Part of the rule model that this engine does not implement.
    #[error("{file}: {key} is not implemented")]
    NotImplemented {
        /// File.
        file: String,
        /// Full key.
        key: String,
    },
    /// A row that rests on unverified knowledge, in strict mode.
    #[error("{file}: {key} is not verified, and strict mode takes only verified rows")]
    Unverified {
        /// File.
        file: String,
        /// Full key.
        key: String,
    },
}

pub(super) type Loaded<T> = Result<T, LoadError>;
