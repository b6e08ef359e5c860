//! The books of one lot: per holder what came in and what went out, and what is on its way.
//!
//! ```text
//! made, received, handed over, taken out of a parent, given back  --in-->  a holder's account
//! shipped, handed over, used, built in, scrapped                 <--out--
//! shipped and not received, refused, withdrawn or lapsed                   on its way
//! ```
//!
//! A class lot and its serials, kilograms and pounds are one lot with one set of books. Sums are compared,
//! never single receipts, and never by claimed times: while one party books both sides, only totals can
//! contradict each other. So what one holder overdraws touches nobody else's account.

mod carrying;
mod clerk;
mod homecoming;
mod settle;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::OnceLock,
};

use super::{
    super::{
        amount::{Amount, Exact, Unit},
        filing::{
            fact::Role,
            span::{LotKey, Span},
            symbol::{BySymbol, Symbol},
        },
        gate::Gate,
    },
    history::History,
    making::Made,
};

/// An amount between two bounds, in the unit of the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::provenance) struct Range {
    pub(in crate::provenance) at_least: Exact,
    /// None: no bound is known.
    pub(in crate::provenance) at_most: Option<Exact>,
}

impl Default for Range {
    fn default() -> Self {
        Self::nothing()
    }
}

impl Range {
    pub(super) const fn nothing() -> Self {
        Self {
            at_least: Exact::zero(),
            at_most: Some(Exact::zero()),
        }
    }

    /// One amount; one that is not stated may be anything.
    pub(super) fn of(amount: Option<&Exact>) -> Self {
        Self {
            at_least: amount.cloned().unwrap_or_default(),
            at_most: amount.cloned(),
        }
    }

    /// Adds an amount; one that is not stated may be anything.
    pub(super) fn add(&mut self, amount: Option<&Exact>) {
        match (amount, &mut self.at_most) {
            (Some(amount), at_most) => {
                self.at_least += amount;
                if let Some(at_most) = at_most {
                    *at_most += amount;
                }
            }
            (None, at_most) => *at_most = None,
        }
    }

    /// What is left of it after `taken` went out of it.
    pub(super) fn less(&self, taken: &Self) -> Self {
        let at_least = taken.at_most.as_ref().map(|most| self.at_least.beyond(most));
        Self {
            at_least: at_least.unwrap_or_default(),
            at_most: self.at_most.as_ref().map(|most| most.beyond(&taken.at_least)),
        }
    }

    /// Adds a range.
    pub(super) fn join(&mut self, other: &Self) {
        self.at_least += &other.at_least;
        self.at_most = match (self.at_most.take(), &other.at_most) {
            (Some(mut sum), Some(most)) => {
                sum += most;
                Some(sum)
            }
            _ => None,
        };
    }

    pub(in crate::provenance) fn is_nothing(&self) -> bool {
        self.at_least.is_zero() && self.at_most.as_ref().is_some_and(Exact::is_zero)
    }
}

/// One entry on a side of an account.
#[derive(Clone, Debug)]
pub(in crate::provenance) struct Entry {
    pub(in crate::provenance) fact: u32,
    pub(in crate::provenance) role: Role,
    /// Not stated, or not comparable: none.
    pub(in crate::provenance) amount: Option<Exact>,
    /// Where it happened, if stated.
    pub(in crate::provenance) place: Symbol,
    /// Whether it names the pieces.
    pub(in crate::provenance) named: bool,
}

impl Entry {
    /// Whether it is a making, and no receipt of what was made before.
    fn is_making(&self) -> bool {
        matches!(self.role, Role::Made | Role::Output | Role::Class | Role::Parent)
    }
}

/// One holder's account.
#[derive(Debug, Default)]
pub(in crate::provenance) struct Account {
    pub(in crate::provenance) inflow: Vec<Entry>,
    pub(in crate::provenance) outflow: Vec<Entry>,
    /// Whether the holder made the lot, or some of it.
    pub(in crate::provenance) makes: bool,
    /// Whether a quantity on either side cannot be compared with the others.
    pub(in crate::provenance) not_compared: bool,
    /// How much came in beyond what was shipped: out of nothing, as far as the log says.
    pub(in crate::provenance) beyond_shipped: Exact,
    /// What nobody books out of the account, and may be gone from it: returned without papers, or lost on its way.
    pub(in crate::provenance) missing: Range,
}

fn total(entries: &[Entry]) -> Range {
    let mut sum = Range::nothing();
    for entry in entries {
        sum.add(entry.amount.as_ref());
    }
    sum
}

impl Account {
    /// What came in.
    pub(in crate::provenance) fn total_in(&self) -> Range {
        let mut total = total(&self.inflow);
        total.at_least -= &self.beyond_shipped;
        total
    }

    /// What went out.
    pub(in crate::provenance) fn total_out(&self) -> Range {
        total(&self.outflow)
    }

    /// Whether more went out than came in.
    pub(in crate::provenance) fn is_overdrawn(&self) -> bool {
        let most = self.total_in().at_most;
        most.is_some_and(|most| self.total_out().at_least > most)
    }

    /// What is left.
    pub(in crate::provenance) fn on_hand(&self) -> Range {
        let mut left = self.total_in().less(&self.total_out()).less(&self.missing);
        if self.not_compared {
            left.at_least = Exact::zero();
        }
        left
    }
}

/// What left for a receiver and did not arrive, by (sender, receiver).
#[derive(Clone, Debug)]
pub(in crate::provenance) struct InTransit {
    pub(in crate::provenance) from: Symbol,
    pub(in crate::provenance) to: Option<Symbol>,
    pub(in crate::provenance) amount: Range,
}

/// More received than was shipped to the receiver.
#[derive(Clone, Debug)]
pub(in crate::provenance) struct OverReceipt {
    pub(in crate::provenance) receiver: Symbol,
    pub(in crate::provenance) facts: Vec<u32>,
    pub(in crate::provenance) received: Exact,
    pub(in crate::provenance) shipped: Exact,
}

/// More handed on by a carrier than he was given.
#[derive(Clone, Debug)]
pub(in crate::provenance) struct OverCarried {
    pub(in crate::provenance) carrier: Symbol,
    pub(in crate::provenance) facts: Vec<u32>,
    pub(in crate::provenance) sent: Exact,
    pub(in crate::provenance) given: Exact,
}

/// Withdrawn by the sender, although the receiver had received it.
#[derive(Clone, Debug)]
pub(in crate::provenance) struct LateWithdrawal {
    pub(in crate::provenance) facts: Vec<u32>,
    /// How much of it had been received.
    pub(in crate::provenance) beyond: Exact,
}

/// What lies in a container.
#[derive(Clone, Debug)]
pub(in crate::provenance) struct Contained {
    /// With whom; nobody while it is under way.
    pub(in crate::provenance) holder: Option<Symbol>,
    pub(in crate::provenance) amount: Range,
    /// What of it was put in by quantity, not by name.
    pub(in crate::provenance) by_number: Range,
}

/// Holders of a class lot of whose pieces that went by quantity some may be named members.
#[derive(Debug)]
pub(in crate::provenance) struct TookNamed {
    /// They used or scrapped such pieces.
    pub(in crate::provenance) used: HashSet<Symbol, BySymbol>,
    /// They used, scrapped or moved them.
    pub(in crate::provenance) moved: HashSet<Symbol, BySymbol>,
    /// They let go of them in any way.
    pub(in crate::provenance) let_go: HashSet<Symbol, BySymbol>,
}

/// The books of one lot.
#[derive(Debug)]
pub(in crate::provenance) struct Books {
    /// What the lot is counted in; pieces if nothing says otherwise.
    pub(in crate::provenance) unit: Unit,
    pub(in crate::provenance) made: Made,
    pub(in crate::provenance) accounts: HashMap<Symbol, Account, BySymbol>,
    pub(in crate::provenance) in_transit: Vec<InTransit>,
    pub(in crate::provenance) over_receipts: Vec<OverReceipt>,
    pub(in crate::provenance) over_carried: Vec<OverCarried>,
    pub(in crate::provenance) late_withdrawals: Vec<LateWithdrawal>,
    /// What is built into a parent: by parent, how much and by whom.
    pub(in crate::provenance) built_in: BTreeMap<String, (LotKey, Symbol, Range)>,
    took_named: OnceLock<TookNamed>,
    /// What lies in containers, by the name of each.
    pub(in crate::provenance) contained: BTreeMap<String, Contained>,
}

impl Books {
    /// An amount of the books' unit.
    pub(in crate::provenance) fn amount(&self, value: Exact) -> Amount {
        Amount {
            value,
            unit: self.unit.clone(),
        }
    }

    /// Whether anybody still has some of the lot, or it is on its way.
    pub(in crate::provenance) fn is_anywhere(&self) -> bool {
        !self.in_transit.is_empty()
            || self
                .accounts
                .values()
                .any(|account| !account.on_hand().is_nothing())
    }

    /// The holders by name: what one looks at first must not depend on whom the log named first.
    pub(super) fn holders(&self, gate: Gate<'_>) -> Vec<(Symbol, &Account)> {
        gate.symbols
            .by_name(self.accounts.keys().copied())
            .into_iter()
            .filter_map(|party| Some((party, self.accounts.get(&party)?)))
            .collect()
    }

    /// How much room they take, in entries.
    pub(in crate::provenance) fn weight(&self) -> usize {
        let entries = self
            .accounts
            .values()
            .map(|account| account.inflow.len() + account.outflow.len());
        entries.sum()
    }

    /// Of a class lot, by its history: who may have taken named members by quantity. Worked out once, however many
    /// of its members ask.
    pub(in crate::provenance) fn took_named(&self, gate: Gate<'_>, class: &History) -> &TookNamed {
        self.took_named.get_or_init(|| {
            let named = named_members(class);
            let passed_on = self.who_took_named(gate, &named, &HashSet::default());
            let let_go = self.who_took_named(gate, &named, &passed_on);
            let who = |takes: &dyn Fn(Role) -> bool| {
                let takes = |entry: &Entry| !entry.named && takes(entry.role);
                let took = |party: &&Symbol| {
                    self.accounts
                        .get(party)
                        .is_some_and(|account| account.outflow.iter().any(takes))
                };
                let_go.iter().filter(took).copied().collect()
            };
            let uses = |role: Role| role.uses() || role == Role::Consumed;
            TookNamed {
                used: who(&uses),
                moved: who(&|role| role.moves() || uses(role)),
                let_go,
            }
        })
    }

    /// Holders of whom at some time more had gone by quantity than they had got pieces without a name. What
    /// somebody got by number from one of `passed_on` may be named pieces too.
    fn who_took_named(
        &self,
        gate: Gate<'_>,
        named: &Exact,
        passed_on: &HashSet<Symbol, BySymbol>,
    ) -> HashSet<Symbol, BySymbol> {
        let took_named = |party: &Symbol, account: &Account| {
            // Each holder's own: who was given named pieces alone has no others.
            let from_others = passed_on.iter().any(|other| other != party);
            let is_unnamed = |entry: &&Entry| {
                entry.is_making() || !(entry.named || from_others && entry.role == Role::Taken)
            };
            let time = |entry: &&Entry| gate.fact(entry.fact).event_time;
            let mut came: Vec<&Entry> = account.inflow.iter().filter(is_unnamed).collect();
            let mut gone: Vec<&Entry> = account.outflow.iter().filter(|entry| !entry.named).collect();
            came.sort_by_key(time);
            gone.sort_by_key(time);
            let (mut made, mut other) = (Exact::zero(), Exact::zero());
            // What lies in a container was not at hand for anything else.
            let mut out = account.missing.clone();
            for contained in self.contained.values() {
                if contained.holder == Some(*party) {
                    out.join(&contained.by_number);
                }
            }
            let mut came = came.into_iter().peekable();
            gone.iter().any(|draw| {
                out.add(draw.amount.as_ref());
                // Bookings come late: what more was drawn than had come, came with the next entries.
                let is_short = |made: &Exact, other: &Exact| {
                    let mut had = made.clone();
                    had += other;
                    out.at_most.as_ref().is_none_or(|out| had < *out)
                };
                while let Some(entry) =
                    came.next_if(|entry| time(entry) <= time(draw) || is_short(&made, &other))
                {
                    let sum = if entry.is_making() { &mut made } else { &mut other };
                    *sum += entry.amount.as_ref().unwrap_or(&Exact::zero());
                }
                let mut without_name = made.beyond(named);
                without_name += &other;
                out.at_most.as_ref().is_none_or(|out| *out > without_name)
            })
        };
        self.accounts
            .iter()
            .filter(|(party, account)| took_named(party, account))
            .map(|(party, _)| *party)
            .collect()
    }

    /// Who has, or may have got by number, the one thing that these books are about: somebody has it of whom
    /// others got pieces of its class by number.
    pub(in crate::provenance) fn may_be_with(
        &self,
        party: Symbol,
        passed_on: &HashSet<Symbol, BySymbol>,
    ) -> bool {
        self.accounts.contains_key(&party)
            || self.accounts.iter().any(|(holder, account)| {
                *holder != party && passed_on.contains(holder) && !account.on_hand().is_nothing()
            })
    }

    /// Which flows went into something, were built in (and not taken out) or used up.
    pub(in crate::provenance) fn used(&self) -> Range {
        let mut used = Range::nothing();
        let mut back = Range::nothing();
        for account in self.accounts.values() {
            for entry in &account.outflow {
                if entry.role.uses() || entry.role == Role::Consumed {
                    used.add(entry.amount.as_ref());
                }
            }
            for entry in &account.inflow {
                if matches!(entry.role, Role::Removed | Role::Dismantled) {
                    back.add(entry.amount.as_ref());
                }
            }
        }
        used.less(&back)
    }

    /// Keeps the books of a lot.
    pub(in crate::provenance) fn of(gate: Gate<'_>, history: &History) -> Self {
        clerk::keep(gate, history)
    }
}

/// How many members of a class lot have names.
fn named_members(class: &History) -> Exact {
    let mut members: Vec<Span> = class
        .moments
        .iter()
        .filter(|moment| moment.role.makes())
        .filter_map(|moment| moment.member)
        .collect();
    members.sort_unstable_by_key(|span| span.key().order());
    members.dedup();
    Exact::whole(members.iter().map(|span| span.count()).sum())
}
