//! Which kinds of event each service publishes.

use std::{fmt, str::FromStr};

use crate::event::EventKind;

/// One of the two publishing services. Their kinds follow the sections of `event.proto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Makers, from their MES and ERP: what they say about themselves, and what they make, test and scrap.
    Manufacturing,
    /// Carriers and warehouses, from their WMS and TMS: what moves, changes hands, is packed, held, let go.
    Shipping,
}

impl Service {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Manufacturing, Self::Shipping];

    /// Its name, as in `services/`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manufacturing => "manufacturing",
            Self::Shipping => "shipping",
        }
    }

    /// Where its HTTP listens unless told otherwise, on loopback.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Manufacturing => 8471,
            Self::Shipping => 8472,
        }
    }

    /// Whether it publishes this kind. Recalls, observations, and corrections of one's own events are both's;
    /// the authority's acts are neither's. A warehouse packs and unpacks, counts, holds and releases too.
    pub fn takes(self, kind: EventKind) -> bool {
        self.takes_number(kind.number(), kind.name())
    }

    pub(super) fn takes_number(self, number: u32, name: &str) -> bool {
        let warehouse = ["aggregated", "disaggregated", "held", "released", "stock_counted"];
        match (self, number) {
            (_, 112..=115 | 120..=122) | (Self::Manufacturing, 48..=77) | (Self::Shipping, 96..=104) => true,
            (Self::Shipping, _) => warehouse.contains(&name),
            (Self::Manufacturing, _) => false,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Service {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|service| service.name() == name);
        found.ok_or_else(|| format!("{name} is neither manufacturing nor shipping"))
    }
}
