//! The operators of a pack's classes and expressions: a closed set, read once into a type.

/// What a `class.*` or `expr.*` table may hold, exactly one of them each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// One is true.
    Any,
    /// All are true.
    All,
    /// It is false.
    Not,
    /// A selected node satisfies a condition.
    Exists,
    /// Every selected node does.
    Every,
    /// The part of a measure for which a condition holds.
    Share,
    /// Where the step's facility stands.
    Place,
    /// A party in a role is of a class.
    Party,
    /// A field of the asker's context.
    Context,
    /// A party of the asker's context is of a class.
    ContextParty,
    /// On an entity list.
    Listed,
    /// Country of organisation.
    OrganizedIn,
    /// Country of the principal place of business.
    PrincipalPlaceIn,
    /// Citizenship of a natural person.
    CitizenOf,
    /// Equity, votes, board or debt held.
    Owned,
    /// Under somebody's licence.
    Licensed,
    /// A document is there, in date, and well enough vouched for.
    Evidence,
    /// What holds as long as nothing is known.
    Presume,
    /// A stated attribute.
    Attr,
}

impl Operator {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Any,
        Self::All,
        Self::Not,
        Self::Exists,
        Self::Every,
        Self::Share,
        Self::Place,
        Self::Party,
        Self::Context,
        Self::ContextParty,
        Self::Listed,
        Self::OrganizedIn,
        Self::PrincipalPlaceIn,
        Self::CitizenOf,
        Self::Owned,
        Self::Licensed,
        Self::Evidence,
        Self::Presume,
        Self::Attr,
    ];

    /// Its key in a pack.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::All => "all",
            Self::Not => "not",
            Self::Exists => "exists",
            Self::Every => "every",
            Self::Share => "share",
            Self::Place => "place",
            Self::Party => "party",
            Self::Context => "context",
            Self::ContextParty => "context_party",
            Self::Listed => "listed",
            Self::OrganizedIn => "organized_in",
            Self::PrincipalPlaceIn => "principal_place_in",
            Self::CitizenOf => "citizen_of",
            Self::Owned => "owned",
            Self::Licensed => "licensed",
            Self::Evidence => "evidence",
            Self::Presume => "presume",
            Self::Attr => "attr",
        }
    }

    /// The operator of that key.
    pub(super) fn of_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.key() == key)
    }
}

#[cfg(test)]
mod tests {
    use super::Operator;

    #[test]
    fn every_operator_is_found_by_its_key() {
        for operator in Operator::ALL {
            assert_eq!(Operator::of_key(operator.key()), Some(operator));
        }
        assert_eq!(Operator::of_key("sum"), None);
    }
}
