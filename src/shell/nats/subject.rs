//! Subjects and names on the bus, as types: nobody else puts one together or takes one apart.
//!
//! ```text
//! lotproof.{log8}.statement.{feed}     stream EVENTS    envelopes, from publishers
//! lotproof.{log8}.head                 stream LEDGER    the newest checkpoint
//! lotproof.{log8}.receipt.{feed}       core message     receipts, to whoever publishes the feed
//! lotproof.{log8}.answer.{feed}        core message     signed answers to what took no place
//! lotproof.{log8}.ask.head             request          a feed's head, from the ledger
//! lotproof.{log8}.ask.receipts         request          receipts again, from the ledger
//! lotproof.{log8}.query.{name}         request          lots and verdicts, from a projector
//! ```
//!
//! `log8` is the first eight bytes of the log id as 16 lower-case hexadecimal digits, `feed` the 64 digits
//! of the feed. Eight bytes keep two ledgers on one bus apart; that a statement belongs to the ledger is
//! decided by the whole log id inside it, and that it belongs to the feed by its signature: a subject
//! proves nothing.

use std::{fmt, str::FromStr};

use crate::id::{FeedId, LogId};

/// What every subject begins with.
const ROOT: &str = "lotproof";

/// The names of one ledger's subjects, streams and bucket.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BusNames {
    log: [u8; 8],
}

impl BusNames {
    /// The names that the ledger with this identity uses.
    pub const fn new(log_id: &LogId) -> Self {
        match log_id.as_bytes().first_chunk() {
            Some(log) => Self { log: *log },
            None => unreachable!(),
        }
    }

    fn subject(self, rest: impl fmt::Display) -> String {
        format!("{ROOT}.{self}.{rest}")
    }

    /// Where statements of `feed` are published.
    pub fn statement(self, feed: &FeedId) -> String {
        Subject::Statement(*feed).of(self)
    }

    /// All statements of this ledger, as a subscription.
    pub fn statements(self) -> String {
        self.subject("statement.*")
    }

    /// Where the newest checkpoint is published.
    pub fn head(self) -> String {
        Subject::Head.of(self)
    }

    /// Where receipts for `feed` are sent.
    pub fn receipt(self, feed: &FeedId) -> String {
        Subject::Receipt(*feed).of(self)
    }

    /// Where answers to what `feed` published are sent.
    pub fn answer(self, feed: &FeedId) -> String {
        Subject::Answer(*feed).of(self)
    }

    /// Where the ledger is asked for a feed's head.
    pub fn ask_head(self) -> String {
        Subject::AskHead.of(self)
    }

    /// Where the ledger is asked for receipts again.
    pub fn ask_receipts(self) -> String {
        Subject::AskReceipts.of(self)
    }

    /// The group that the projector's query service lives under.
    pub fn query_group(self) -> String {
        self.subject("query")
    }

    /// The queue group that answers requests: one ledger answers, whoever asked.
    pub const fn ledger_queue(self) -> &'static str {
        "ledger"
    }

    /// The stream of statements on their way in.
    pub fn events_stream(self) -> String {
        self.name("EVENTS")
    }

    /// The stream that holds the newest checkpoint.
    pub fn ledger_stream(self) -> String {
        self.name("LEDGER")
    }

    /// The key-value bucket of the guard.
    pub fn guard_bucket(self) -> String {
        self.name("GUARD")
    }

    fn name(self, what: &str) -> String {
        format!("LOTPROOF_{self}_{what}")
    }
}

/// The 16 hexadecimal digits.
impl fmt::Display for BusNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.log))
    }
}

impl fmt::Debug for BusNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BusNames({self})")
    }
}

/// A subject of some ledger, without saying which.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A statement by this feed.
    Statement(FeedId),
    /// The newest checkpoint.
    Head,
    /// Receipts for this feed.
    Receipt(FeedId),
    /// Answers to this feed.
    Answer(FeedId),
    /// A request for a feed's head.
    AskHead,
    /// A request for receipts.
    AskReceipts,
    /// A request to a projector, by the name of its endpoint: letters, digits, `-` and `_`, tokens joined by
    /// dots.
    Query(String),
}

/// Why a text is not a subject of this bus.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseSubjectError {
    /// Does not begin with `lotproof` and 16 lower-case hexadecimal digits.
    #[error("subject {0:?} names no ledger")]
    Ledger(String),
    /// The feed is not 64 lower-case hexadecimal digits.
    #[error("subject {0:?} names no feed")]
    Feed(String),
    /// None of the kinds of subject.
    #[error("subject {0:?} is of no known kind")]
    Kind(String),
}

impl Subject {
    /// The subject's text for one ledger.
    pub fn of(&self, names: BusNames) -> String {
        names.subject(self)
    }

    /// Takes a subject apart.
    ///
    /// # Errors
    /// By what does not fit: the ledger, the kind, or the feed. Every subject has exactly one spelling.
    pub fn parse(text: &str) -> Result<(BusNames, Self), ParseSubjectError> {
        let ledger = || ParseSubjectError::Ledger(text.to_owned());
        let rest = text
            .strip_prefix(ROOT)
            .and_then(|rest| rest.strip_prefix('.'))
            .ok_or_else(ledger)?;
        let (log, rest) = rest.split_once('.').ok_or_else(ledger)?;
        let names = log.parse().map_err(|()| ledger())?;
        let kind = || ParseSubjectError::Kind(text.to_owned());
        let feed = |digits| FeedId::from_hex(digits).ok_or_else(|| ParseSubjectError::Feed(text.to_owned()));
        let subject = match rest.split_once('.') {
            None if rest == "head" => Self::Head,
            Some(("statement", digits)) => Self::Statement(feed(digits)?),
            Some(("receipt", digits)) => Self::Receipt(feed(digits)?),
            Some(("answer", digits)) => Self::Answer(feed(digits)?),
            Some(("ask", "head")) => Self::AskHead,
            Some(("ask", "receipts")) => Self::AskReceipts,
            Some(("query", name)) if is_endpoint(name) => Self::Query(name.to_owned()),
            _ => return Err(kind()),
        };
        Ok((names, subject))
    }
}

/// The part after the ledger.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Statement(feed) => write!(f, "statement.{feed}"),
            Self::Head => f.write_str("head"),
            Self::Receipt(feed) => write!(f, "receipt.{feed}"),
            Self::Answer(feed) => write!(f, "answer.{feed}"),
            Self::AskHead => f.write_str("ask.head"),
            Self::AskReceipts => f.write_str("ask.receipts"),
            Self::Query(name) => write!(f, "query.{name}"),
        }
    }
}

/// From the 16 hexadecimal digits.
impl FromStr for BusNames {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(());
        }
        let mut log = [0; 8];
        hex::decode_to_slice(text, &mut log).map_err(|_| ())?;
        Ok(Self { log })
    }
}

fn is_endpoint(name: &str) -> bool {
    name.split('.').all(|token| {
        !token.is_empty()
            && token
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::Hash;

    fn subjects() -> impl Strategy<Value = Subject> {
        let feed = any::<[u8; 32]>().prop_map(FeedId::new);
        prop_oneof![
            feed.clone().prop_map(Subject::Statement),
            Just(Subject::Head),
            feed.clone().prop_map(Subject::Receipt),
            feed.prop_map(Subject::Answer),
            Just(Subject::AskHead),
            Just(Subject::AskReceipts),
            "[a-z0-9_-]{1,8}(\\.[A-Z]{1,4}){0,2}".prop_map(Subject::Query),
        ]
    }

    proptest! {
        #[test]
        fn what_is_printed_is_parsed(log in any::<[u8; 32]>(), subject in subjects()) {
            let names = BusNames::new(&LogId::new(Hash::new(log)));
            prop_assert_eq!(Subject::parse(&subject.of(names)), Ok((names, subject)));
        }

        #[test]
        fn what_is_parsed_prints_the_same(text in "lotproof\\.[0-9a-f]{16}\\.(head|ask\\.head|query\\.[a-z.]{1,5}|x)") {
            if let Ok((names, subject)) = Subject::parse(&text) {
                prop_assert_eq!(subject.of(names), text);
            }
        }
    }

    #[test]
    fn spells_subjects_and_names_as_documented() {
        let names = BusNames::new(&LogId::new(Hash::new([0xab; 32])));
        let feed = FeedId::new([1; 32]);
        let digits = "01".repeat(32);
        assert_eq!(
            names.statement(&feed),
            format!("lotproof.abababababababab.statement.{digits}")
        );
        assert_eq!(
            names.receipt(&feed),
            format!("lotproof.abababababababab.receipt.{digits}")
        );
        assert_eq!(
            names.answer(&feed),
            format!("lotproof.abababababababab.answer.{digits}")
        );
        assert_eq!(names.statements(), "lotproof.abababababababab.statement.*");
        assert_eq!(names.head(), "lotproof.abababababababab.head");
        assert_eq!(names.ask_head(), "lotproof.abababababababab.ask.head");
        assert_eq!(names.ask_receipts(), "lotproof.abababababababab.ask.receipts");
        assert_eq!(names.query_group(), "lotproof.abababababababab.query");
        assert_eq!(names.events_stream(), "LOTPROOF_abababababababab_EVENTS");
        assert_eq!(names.ledger_stream(), "LOTPROOF_abababababababab_LEDGER");
        assert_eq!(names.guard_bucket(), "LOTPROOF_abababababababab_GUARD");
    }

    #[test]
    fn refuses_what_is_no_subject_of_ours() {
        let upper = format!("lotproof.abababababababab.statement.{}", "AB".repeat(32));
        assert!(matches!(Subject::parse(&upper), Err(ParseSubjectError::Feed(_))));
        for text in [
            "",
            "lotproof",
            "lotproof.abababababababab",
            "other.abababababababab.head",
        ] {
            assert!(
                matches!(Subject::parse(text), Err(ParseSubjectError::Ledger(_))),
                "{text}"
            );
        }
        for text in [
            "lotproof.ABABABABABABABAB.head",
            "lotproof.abab.head",
            "lotproofx.abababababababab.head",
        ] {
            assert!(
                matches!(Subject::parse(text), Err(ParseSubjectError::Ledger(_))),
                "{text}"
            );
        }
        for rest in [
            "",
            "head.",
            "ask",
            "ask.other",
            "query.",
            "query.a..b",
            "query.a*",
            "statements.x",
        ] {
            let text = format!("lotproof.abababababababab.{rest}");
            assert!(
                matches!(Subject::parse(&text), Err(ParseSubjectError::Kind(_))),
                "{text}"
            );
        }
    }
}
