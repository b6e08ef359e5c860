//! Why a pack or a list file is refused: everything that is wrong with it, each by file, line and key.

use std::{cell::RefCell, collections::BTreeMap, fmt};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Longest file accepted, in bytes.
pub const PACK_LEN_MAX: usize = 1 << 20;

/// Most faults that are listed of one file; how many more there are is said.
pub const FAULTS_MAX: usize = 100;

/// Everything that is wrong with a pack or a list file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// File, as the caller calls it.
    pub file: String,
    /// The faults in order of lines, at most [`FAULTS_MAX`]; never none.
    pub faults: Vec<Fault>,
    /// How many more there are.
    pub more: usize,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.faults.iter().enumerate() {
            let separator = if number == 0 { "" } else { "\n" };
            write!(f, "{separator}{}:{}: {}", self.file, fault.line, fault.what)?;
        }
        if self.more > 0 {
            write!(f, "\n{}: and {} more faults", self.file, self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// One-based line on which it stands, or the table that lacks it begins.
    pub line: usize,
    /// What is wrong there.
    pub what: FaultKind,
}

/// What may be wrong with a pack or a list file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// Longer than [`PACK_LEN_MAX`].
    #[error("{got} bytes, at most {PACK_LEN_MAX} are accepted")]
    TooLong {
        /// Its length in bytes.
        got: usize,
    },
    /// Not TOML.
    #[error("not TOML: {message}")]
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// A key that means nothing here.
    #[error("unknown key {key}")]
    UnknownKey {
        /// Full key.
        key: String,
    },
    /// A key that must be there is not.
    #[error("{key} is missing")]
    MissingKey {
        /// Full key.
        key: String,
    },
    /// A value of the wrong type or out of its range.
    #[error("{key} must be {expected}")]
    WrongValue {
        /// Full key.
        key: String,
        /// What is accepted.
        expected: String,
    },
    /// A word that the vocabulary does not have.
    #[error(
        "{key} says {word}, which is no {sort} of the vocabulary{}",
        in_brackets(accepted)
    )]
    UnknownWord {
        /// Full key.
        key: String,
        /// The word.
        word: String,
        /// What it should be: a kind, a step, a field of the context, a list ...
        sort: &'static str,
        /// What could stand there, the nearest first; empty if that is too much to list.
        accepted: Vec<String>,
    },
    /// A class or expression without exactly one operator.
    #[error("{key} must have exactly one operator, has {got}")]
    Operators {
        /// The definition.
        key: String,
        /// How many it has.
        got: usize,
    },
    /// A name that resolves to nothing.
    #[error("{key} names {name}, which is not defined")]
    Unresolved {
        /// Who names it.
        key: String,
        /// The full name that is missing.
        name: String,
    },
    /// Definitions that refer to each other in a circle.
    #[error("{} refer to each other in a circle", names.join(" -> "))]
    Cycle {
        /// The circle, first and last the same.
        names: Vec<String>,
    },
    /// A test about one node, used where no node is given.
    #[error("{key} is about one node of the graph, and {used_by} gives it none")]
    NoNode {
        /// The test.
        key: String,
        /// The rule that uses it.
        used_by: String,
    },
    /// Part of the rule model that this engine does not implement.
    #[error("{key} is not implemented")]
    NotImplemented {
        /// Full key.
        key: String,
    },
    /// A row that rests on unverified knowledge, in strict mode.
    #[error("{key} is not verified, and strict mode takes only verified rows")]
    Unverified {
        /// Full key.
        key: String,
    },
}

fn in_brackets(words: &[String]) -> String {
    if words.is_empty() {
        String::new()
    } else {
        format!(" ({})", words.join(", "))
    }
}

impl FaultKind {
    /// The key that it is about; empty for a fault of the whole file.
    pub fn key(&self) -> &str {
        match self {
            Self::TooLong { .. } | Self::Syntax { .. } => "",
            Self::UnknownKey { key }
            | Self::MissingKey { key }
            | Self::WrongValue { key, .. }
            | Self::UnknownWord { key, .. }
            | Self::Operators { key, .. }
            | Self::Unresolved { key, .. }
            | Self::NoNode { key, .. }
            | Self::NotImplemented { key }
            | Self::Unverified { key } => key,
            Self::Cycle { names } => names.first().map_or("", String::as_str),
        }
    }
}

/// Collects what is wrong with one file, and knows on which line each of its keys stands.
pub(super) struct Faults {
    file: String,
    lines: BTreeMap<String, usize>,
    found: RefCell<Vec<Fault>>,
}

impl Faults {
    /// Parses a file of bounded length. Its lines are those of the text.
    ///
    /// # Errors
    /// Too long, or not TOML: then nothing else can be said of it.
    pub(super) fn parse(file: &str, text: &str) -> Result<(Self, toml::Table), LoadError> {
        let whole = |faults: Vec<Fault>| LoadError {
            file: file.to_owned(),
            faults,
            more: 0,
        };
        if text.len() > PACK_LEN_MAX {
            let what = FaultKind::TooLong { got: text.len() };
            return Err(whole(vec![Fault { line: 1, what }]));
        }
        let starts = Lines::of(text);
        let syntax = |error: &toml::de::Error| Fault {
            line: starts.line(error.span().map_or(0, |span| span.start)),
            what: FaultKind::Syntax {
                message: error.message().to_owned(),
            },
        };
        let (spanned, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let mut faults: Vec<Fault> = errors.iter().take(FAULTS_MAX).map(syntax).collect();
            faults.sort_by_key(|fault| fault.line);
            return Err(whole(faults));
        }
        let table = text
            .parse::<toml::Table>()
            .map_err(|error| whole(vec![syntax(&error)]))?;
        let mut lines = BTreeMap::new();
        lines_of_table("", spanned.get_ref(), &starts, &mut lines);
        let faults = Self {
            file: file.to_owned(),
            lines,
            found: RefCell::default(),
        };
        Ok((faults, table))
    }

    /// Takes note of a fault. A wrong value follows from an earlier fault at the same key.
    pub(super) fn add(&self, what: FaultKind) {
        let mut found = self.found.borrow_mut();
        let follows = found.iter().any(|earlier| {
            earlier.what == what
                || (matches!(what, FaultKind::WrongValue { .. }) && earlier.what.key() == what.key())
        });
        if !follows {
            let line = self.line(what.key());
            found.push(Fault { line, what });
        }
    }

    /// Where a key stands, or else the nearest table around it that there is.
    fn line(&self, key: &str) -> usize {
        let mut key = key;
        loop {
            if let Some(line) = self.lines.get(key) {
                return *line;
            }
            match key.rfind(['.', '[']) {
                Some(end) => key = key.get(..end).unwrap_or_default(),
                None => return 1,
            }
        }
    }

    /// `made`, if nothing is wrong.
    ///
    /// # Errors
    /// All faults, in order of lines.
    pub(super) fn none<T>(self, made: T) -> Result<T, LoadError> {
        let mut faults = self.found.into_inner();
        if faults.is_empty() {
            return Ok(made);
        }
        faults.sort_by_key(|fault| fault.line);
        let more = faults.len().saturating_sub(FAULTS_MAX);
        faults.truncate(FAULTS_MAX);
        Err(LoadError {
            file: self.file,
            faults,
            more,
        })
    }
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at + 1).collect())
    }

    /// One-based line of a position.
    fn line(&self, position: usize) -> usize {
        1 + self.0.partition_point(|start| *start <= position)
    }
}

fn lines_of_table(path: &str, table: &DeTable<'_>, starts: &Lines, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let path = if path.is_empty() {
            key.get_ref().to_string()
        } else {
            format!("{path}.{}", key.get_ref())
        };
        lines.insert(path.clone(), starts.line(key.span().start));
        lines_of_value(&path, value, starts, lines);
    }
}

fn lines_of_value(
    path: &str,
    value: &Spanned<DeValue<'_>>,
    starts: &Lines,
    lines: &mut BTreeMap<String, usize>,
) {
    match value.get_ref() {
        DeValue::Table(table) => lines_of_table(path, table, starts, lines),
        DeValue::Array(array) => {
            for (index, value) in array.iter().enumerate() {
                let path = format!("{path}[{index}]");
                lines.insert(path.clone(), starts.line(value.span().start));
                lines_of_value(&path, value, starts, lines);
            }
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => {}
    }
}
