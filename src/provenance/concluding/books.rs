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

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{
    super::{
        amount::{Amount, Exact, Unit},
        filing::{
            fact::Role,
            span::{LotKey, Span},
            symbol::{BySymbol, Symbol},
        },
        gate::{
            Gate,
            moments::{CLOCK_SLACK, Moment},
        },
    },
    history::History,
    making::{self, Made},
    measure::Measure,
    repeated,
};

/// An amount between two bounds, in the unit of the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::provenance) struct Range {
    pub(in crate::provenance) at_least: Exact,
    /// None: no bound is known.
    pub(in crate::provenance) at_most: Option<Exact>,
}

impl Range {
    pub(super) const fn nothing() -> Self {
        Self {
            at_least: Exact::zero(),
            at_most: Some(Exact::zero()),
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
    fn less(&self, taken: &Self) -> Self {
        let mut at_least = self.at_least.clone();
        match &taken.at_most {
            Some(most) => at_least -= most,
            None => at_least = Exact::zero(),
        }
        if at_least.is_negative() {
            at_least = Exact::zero();
        }
        let at_most = self.at_most.clone().map(|mut most| {
            most -= &taken.at_least;
            if most.is_negative() { Exact::zero() } else { most }
        });
        Self { at_least, at_most }
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
}

impl Default for Exact {
    fn default() -> Self {
        Self::zero()
    }
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
        let mut left = self.total_in().less(&self.total_out());
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
    /// What lies in a container: by container, how much and with whom; nobody while it is under way.
    pub(in crate::provenance) contained: BTreeMap<String, (LotKey, Option<Symbol>, Range)>,
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

    /// How much room they take, in entries.
    pub(in crate::provenance) fn weight(&self) -> usize {
        let entries = self
            .accounts
            .values()
            .map(|account| account.inflow.len() + account.outflow.len());
        entries.sum()
    }

    /// Holders of a class lot of whose pieces that went by quantity some may be named members: more went, in one of
    /// the given roles, than they had pieces without a name.
    pub(in crate::provenance) fn holders_who_took_named(
        &self,
        class: &History,
        takes: impl Fn(Role) -> bool,
    ) -> HashSet<Symbol, BySymbol> {
        let named = named_members(class);
        let passed_on = self.took_named(&named, |_| true, &HashSet::default());
        self.took_named(&named, takes, &passed_on)
    }

    /// What somebody got by number from one of `passed_on` may be named pieces too.
    fn took_named(
        &self,
        named: &Exact,
        takes: impl Fn(Role) -> bool,
        passed_on: &HashSet<Symbol, BySymbol>,
    ) -> HashSet<Symbol, BySymbol> {
        // Each holder's own: who was given named pieces alone has no others.
        let took_named = |party: Symbol, account: &Account| {
            let is_making =
                |entry: &&Entry| matches!(entry.role, Role::Made | Role::Output | Role::Class | Role::Parent);
            let from_others = passed_on.iter().any(|other| *other != party);
            let (mut made, mut other, mut gone) = (Range::nothing(), Range::nothing(), Range::nothing());
            for entry in &account.inflow {
                if is_making(&entry) {
                    made.add(entry.amount.as_ref());
                } else if !(entry.named || from_others && entry.role == Role::Taken) {
                    other.add(entry.amount.as_ref());
                }
            }
            let drawn = account
                .outflow
                .iter()
                .filter(|entry| !entry.named && takes(entry.role));
            for entry in drawn {
                gone.add(entry.amount.as_ref());
            }
            let mut without_name = difference(&made.at_least, named);
            without_name += &other.at_least;
            gone.at_most.is_none_or(|gone| gone > without_name)
        };
        self.accounts
            .iter()
            .filter(|(party, account)| took_named(**party, account))
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
        let measure = Measure::of(gate, history);
        let made = making::of(gate, history, &measure);
        let mut clerk = Clerk {
            gate,
            history,
            measure: &measure,
            outside: made.is_from_outside(history),
            carriers: carriers(gate, history),
            carried: Carried::of(gate, history),
            accounts: HashMap::default(),
            shipments: Vec::new(),
            takings: Vec::new(),
            relays: Vec::new(),
            returns: Vec::new(),
            taken_out: Vec::new(),
            late_withdrawals: Vec::new(),
            built_in: BTreeMap::new(),
            contained: BTreeMap::new(),
        };
        clerk.open(&made);
        clerk.open_thing_from_outside();
        clerk.post();
        let over_carried = clerk.over_carried();
        let (in_transit, over_receipts) = clerk.settle();
        let Clerk {
            accounts,
            late_withdrawals,
            built_in,
            contained,
            ..
        } = clerk;
        Self {
            unit: measure.unit,
            made,
            accounts,
            in_transit,
            over_receipts,
            over_carried,
            late_withdrawals,
            built_in,
            contained,
        }
    }
}

/// One shipment's share of the lot.
#[derive(Clone, Debug)]
struct Shipment {
    from: Symbol,
    member: Option<Span>,
    to: Option<Symbol>,
    reference: Symbol,
    amount: Option<Exact>,
    /// How much of it its receiver booked, as far as receipts can be put to shipments.
    arrived: Exact,
    time: i64,
    /// What of it came back to the sender: refused, withdrawn, lapsed, received again.
    back: Option<Exact>,
    /// On whose word it did: facts of the sender alone.
    withdrawn_by: Vec<u32>,
    /// Withdrawn by its number alone: that means what is still under way.
    as_a_whole: bool,
}

/// What was refused at the door, withdrawn or lapsed: the sender's again.
#[derive(Clone, Debug)]
struct Return {
    by: Symbol,
    member: Option<Span>,
    reference: Symbol,
    amount: Option<Exact>,
    fact: u32,
}

/// What passed through a carrier's hands.
#[derive(Clone, Debug)]
struct Relay {
    carrier: Symbol,
    /// To whom it went; none: into the carrier's hands.
    to: Option<Symbol>,
    amount: Option<Exact>,
    fact: u32,
}

/// One receipt's share of the lot.
#[derive(Clone, Debug)]
struct Taking {
    by: Symbol,
    member: Option<Span>,
    from: Option<Symbol>,
    reference: Symbol,
    amount: Option<Exact>,
    fact: u32,
    place: Symbol,
}

/// What came out of a parent.
#[derive(Clone, Debug)]
struct TakenOut {
    parent: Option<LotKey>,
    party: Symbol,
    /// Index among what came into the party's account.
    entry: usize,
}

/// Keeps the books.
struct Clerk<'a> {
    gate: Gate<'a>,
    history: &'a History,
    measure: &'a Measure,
    /// Whether nobody says that he made the lot, but for what was put back into it.
    outside: bool,
    /// Who carries the lot to others and has none of it himself: his movements are those of what he carries.
    carriers: HashSet<Symbol, BySymbol>,
    /// Who carried shipments of whom, and to whom: a trader may also carry what is not his.
    carried: Carried,
    accounts: HashMap<Symbol, Account, BySymbol>,
    shipments: Vec<Shipment>,
    takings: Vec<Taking>,
    relays: Vec<Relay>,
    returns: Vec<Return>,
    taken_out: Vec<TakenOut>,
    late_withdrawals: Vec<LateWithdrawal>,
    built_in: BTreeMap<String, (LotKey, Symbol, Range)>,
    contained: BTreeMap<String, (LotKey, Option<Symbol>, Range)>,
}

impl Clerk<'_> {
    /// Books what was made, and opens an account for everybody to whom some came.
    fn open(&mut self, made: &Made) {
        for entry in &made.entries {
            let account = self.accounts.entry(entry.maker).or_default();
            account.makes = true;
            account.not_compared |= entry.not_compared;
            account.inflow.push(Entry {
                fact: entry.fact,
                role: entry.role,
                amount: entry.amount.at_most.clone(),
                place: self.gate.fact(entry.fact).reading.facility,
                named: false,
            });
        }
        for moment in &self.history.moments {
            if self.is_flow(moment)
                && let Role::Taken | Role::Removed | Role::Opening = moment.role
            {
                self.open_for(self.gate.actor(moment.touch.fact));
            }
            if self.is_flow(moment) && moment.role == Role::Handed {
                let to = self.gate.fact(moment.touch.fact).reading.to.named();
                self.open_for(to.unwrap_or_else(|| self.gate.actor(moment.touch.fact)));
            }
        }
    }

    /// A thing that nobody made here, a tray, was with its sender whenever he ships it, however it came to him.
    fn open_thing_from_outside(&mut self) {
        if !self.outside || !self.history.is_serial {
            return;
        }
        let mut holder = None;
        for moment in &self.history.moments {
            let reading = &self.gate.fact(moment.touch.fact).reading;
            let actor = self.gate.actor(moment.touch.fact);
            if !self.is_flow(moment) || self.carriers.contains(&actor) {
                continue;
            }
            match moment.role {
                Role::Taken | Role::Opening | Role::Returned => holder = Some(actor),
                Role::Handed => holder = Some(reading.to.named().unwrap_or(actor)),
                Role::Sent => {
                    if holder != Some(actor) {
                        let had = Entry {
                            fact: moment.touch.fact,
                            role: Role::Opening,
                            amount: Some(Exact::whole(1)),
                            place: reading.facility,
                            named: true,
                        };
                        self.book(actor, true, had);
                    }
                    holder = None;
                }
                _ => {}
            }
        }
    }

    fn open_for(&mut self, party: Symbol) {
        if !self.carriers.contains(&party) {
            self.accounts.entry(party).or_default();
        }
    }

    /// Whether the moment moves some of the lot: by name, or with the container that it lies in. What is built
    /// into a parent has left the books; the parent has books of its own.
    fn is_flow(&self, moment: &Moment) -> bool {
        moment.via.is_none()
            || moment
                .packed
                .is_some_and(|packed| self.gate.leg(packed).role == Role::Packed)
    }

    /// Whose account a party's deeds are booked on.
    fn account_of(&self, party: Symbol) -> Symbol {
        if self.accounts.contains_key(&party) {
            return party;
        }
        if let Some(principal) = self
            .history
            .principal_of(party)
            .filter(|principal| self.accounts.contains_key(principal))
        {
            return principal;
        }
        // The owner of the number ships from where it was made for him.
        let mut makers = self.accounts.iter().filter(|(_, account)| account.makes);
        match (makers.next(), makers.next()) {
            (Some((maker, _)), None) if self.history.owner == Some(party) => *maker,
            _ => party,
        }
    }

    /// On whose account what a fact took out is booked: who acts, or for whom and where, whoever has some.
    fn charged(&self, fact: u32, amount: Option<&Exact>) -> Symbol {
        let actor = self.gate.actor(fact);
        let operator = self.gate.operator(fact);
        let principal = self.gate.fact(fact).reading.principal.named();
        let kept_for_actor = operator != actor
            && self.accounts.contains_key(&operator)
            && amount.is_none_or(|amount| self.available(self.account_of(actor)) < *amount)
            && self.shipments.iter().any(|shipment| {
                shipment.to == Some(operator)
                    && (shipment.from == actor || shipment.from == self.account_of(actor))
            });
        if kept_for_actor {
            return operator;
        }
        [Some(actor), principal, Some(operator)]
            .into_iter()
            .flatten()
            .find(|party| self.accounts.contains_key(party))
            .unwrap_or_else(|| self.account_of(actor))
    }

    /// What a party has as far as it is booked; what is not stated counts as nothing.
    fn available(&self, party: Symbol) -> Exact {
        let mut available = Exact::zero();
        if let Some(account) = self.accounts.get(&party) {
            available += &account.total_in().at_least;
            available -= &account.total_out().at_least;
        }
        let nothing = Exact::zero();
        for taking in self.takings.iter().filter(|taking| taking.by == party) {
            available += taking.amount.as_ref().unwrap_or(&nothing);
        }
        for shipment in self.shipments.iter().filter(|shipment| shipment.from == party) {
            available += shipment.back.as_ref().unwrap_or(&nothing);
        }
        let is_his = |one: &&Return| {
            one.by == party
                || self
                    .shipments
                    .iter()
                    .any(|shipment| shipment.from == party && shipment.to == Some(one.by))
        };
        for one in self.returns.iter().filter(is_his) {
            available += one.amount.as_ref().unwrap_or(&nothing);
        }
        available
    }

    fn book(&mut self, party: Symbol, inward: bool, entry: Entry) {
        let account = self.accounts.entry(party).or_default();
        if inward {
            account.inflow.push(entry);
        } else {
            account.outflow.push(entry);
        }
    }

    fn note_incomparable(&mut self, party: Symbol) {
        self.accounts.entry(party).or_default().not_compared = true;
    }

    /// Posts every moment.
    fn post(&mut self) {
        let repeated = repeated::of(self.gate, self.history, self.measure);
        for (index, moment) in self.history.moments.iter().enumerate() {
            if !repeated.contains(&index) {
                self.post_one(moment);
            }
        }
        self.bound_what_was_taken_out();
    }

    fn post_one(&mut self, moment: &Moment) {
        let gate = self.gate;
        let fact = moment.touch.fact;
        let reading = &gate.fact(fact).reading;
        let actor = gate.actor(fact);
        let read = self.measure.read(gate, moment);
        let amount = read.amount;
        let entry = Entry {
            fact,
            role: moment.role,
            amount: amount.clone(),
            place: reading.facility,
            named: moment.member.is_some(),
        };
        let flow = self.is_flow(moment);
        match moment.role {
            Role::Input | Role::Child | Role::Consumed if moment.via.is_none() => {
                let party = self.charged(fact, amount.as_ref());
                if read.not_compared {
                    self.note_incomparable(party);
                }
                self.book(party, false, entry);
                if moment.role == Role::Child
                    && let Some(parent) = gate.leg_in(fact, Role::Parent).map(|leg| leg.span.key())
                {
                    let row = self
                        .built_in
                        .entry(gate.name(parent))
                        .or_insert_with(|| (parent, actor, Range::nothing()));
                    row.2.add(amount.as_ref());
                }
            }
            Role::Removed if moment.via.is_none() => {
                let parent = gate.leg_in(fact, Role::Dismantled).map(|leg| leg.span.key());
                self.take_out(parent, actor, entry);
            }
            // A parent that was taken apart without naming what came out gives back all that was in it.
            Role::Dismantled if moment.via.is_some() => self.take_out(moment.via, actor, entry),
            Role::Opening if moment.via.is_none() => self.book_opening(moment, entry),
            Role::Sent | Role::Taken if flow && self.passes_on(moment) => {
                let to = reading.to.named().filter(|_| moment.role == Role::Sent);
                self.relays.push(Relay {
                    carrier: actor,
                    to,
                    amount,
                    fact,
                });
                self.move_contents(moment, None);
            }
            Role::Sent if flow => {
                let party = self.charged(fact, amount.as_ref());
                if read.not_compared {
                    self.note_incomparable(party);
                }
                let withdrawn = gate.came_back_whole(fact);
                if let Some(carrier) = reading.carrier.named() {
                    self.relays.push(Relay {
                        carrier,
                        to: None,
                        amount: amount.clone(),
                        fact,
                    });
                }
                self.shipments.push(Shipment {
                    from: party,
                    member: moment.member,
                    to: reading.to.named(),
                    reference: reading.reference,
                    back: withdrawn.and_then(|_| amount.clone()),
                    arrived: Exact::zero(),
                    time: gate.fact(fact).event_time,
                    as_a_whole: withdrawn.is_some(),
                    withdrawn_by: withdrawn.into_iter().collect(),
                    amount,
                });
                self.book(party, false, entry);
                self.move_contents(moment, None);
            }
            Role::Taken if flow => {
                if read.not_compared {
                    self.note_incomparable(actor);
                }
                self.takings.push(Taking {
                    by: actor,
                    member: moment.member,
                    from: reading.from.named(),
                    reference: reading.reference,
                    amount,
                    fact,
                    place: reading.facility,
                });
                self.move_contents(moment, Some(actor));
            }
            Role::Returned if flow => self.returns.push(Return {
                by: actor,
                member: moment.member,
                reference: reading.reference,
                amount,
                fact,
            }),
            Role::Handed if flow => {
                self.hand_over(moment, entry);
            }
            Role::Packed if moment.via.is_none() => {
                if let Some(container) = gate.leg_in(fact, Role::Container).map(|leg| leg.span.key()) {
                    let row = self
                        .contained
                        .entry(gate.name(container))
                        .or_insert_with(|| (container, Some(actor), Range::nothing()));
                    row.1 = Some(actor);
                    row.2.add(amount.as_ref());
                }
            }
            Role::Unpacked if moment.via.is_none() => {
                let container = gate.leg_in(fact, Role::Emptied).map(|leg| leg.span.key());
                self.unpack(container, amount.as_ref());
            }
            Role::Emptied if moment.via.is_some() => self.unpack(moment.via, amount.as_ref()),
            _ => {}
        }
    }

    /// Whether a shipment or receipt moves what its party only carries.
    fn passes_on(&self, moment: &Moment) -> bool {
        let fact = moment.touch.fact;
        let reading = &self.gate.fact(fact).reading;
        let party = self.gate.actor(fact);
        self.carriers.contains(&party)
            // A trader ships what is his, too: only the number says that this is not.
            || self.carried.numbers.contains(&(party, reading.reference))
    }

    fn books_receipts(&self, party: Symbol) -> bool {
        self.history
            .moments
            .iter()
            .any(|moment| moment.role == Role::Taken && self.gate.actor(moment.touch.fact) == party)
    }

    /// A hand-over moves what somebody holds to whoever takes it; of what a carrier carries, it moves nothing but
    /// the load, and the consignee's own word that he took it over is his receipt.
    fn hand_over(&mut self, moment: &Moment, entry: Entry) {
        let gate = self.gate;
        let fact = moment.touch.fact;
        let reading = &gate.fact(fact).reading;
        let actor = gate.actor(fact);
        let giver = reading.from.named().unwrap_or(actor);
        let to = reading.to.named().unwrap_or(actor);
        let given_by_carrier = self.carriers.contains(&giver) || self.carried.to.contains(&(giver, to));
        let taken_by_carrier = self.carriers.contains(&to) || self.carried.of.contains(&(giver, to));
        if given_by_carrier {
            self.relays.push(Relay {
                carrier: giver,
                to: (!taken_by_carrier).then_some(to),
                amount: entry.amount.clone(),
                fact,
            });
        }
        // Who has shipped it to him says the same again.
        let told_again = self.history.moments.iter().any(|other| {
            other.role == Role::Sent
                && gate.actor(other.touch.fact) == giver
                && gate.fact(other.touch.fact).reading.to.named() == Some(to)
        });
        let is_receipt = actor == to && !self.books_receipts(to);
        if !taken_by_carrier && is_receipt && (given_by_carrier || told_again) {
            self.takings.push(Taking {
                by: to,
                member: moment.member,
                from: Some(giver),
                reference: Symbol::NONE,
                amount: entry.amount,
                fact,
                place: entry.place,
            });
        } else if !given_by_carrier && !taken_by_carrier && !told_again {
            let from = reading.from.named().map_or_else(
                || self.charged(fact, entry.amount.as_ref()),
                |from| self.account_of(from),
            );
            self.book(from, false, entry.clone());
            // Who also books a receipt tells of one arrival twice.
            if self.books_receipts(to) {
                self.shipments.push(Shipment {
                    from,
                    member: moment.member,
                    to: Some(to),
                    reference: Symbol::NONE,
                    amount: entry.amount,
                    arrived: Exact::zero(),
                    time: gate.fact(fact).event_time,
                    back: None,
                    as_a_whole: false,
                    withdrawn_by: Vec::new(),
                });
            } else {
                self.book(to, true, entry);
            }
        }
        self.move_contents(moment, (!taken_by_carrier).then_some(to));
    }

    /// What contains the lot changed hands.
    fn move_contents(&mut self, moment: &Moment, to: Option<Symbol>) {
        if let Some(container) = moment.inside
            && let Some(row) = self.contained.get_mut(&self.gate.name(container))
        {
            row.1 = to;
        }
    }

    fn unpack(&mut self, container: Option<LotKey>, amount: Option<&Exact>) {
        let Some(container) = container else { return };
        if let Some(row) = self.contained.get_mut(&self.gate.name(container)) {
            let mut taken = Range::nothing();
            taken.add(amount);
            row.2 = row.2.less(&taken);
        }
    }

    fn take_out(&mut self, parent: Option<LotKey>, by: Symbol, entry: Entry) {
        let party = self.account_of(by);
        self.taken_out.push(TakenOut {
            parent,
            party,
            entry: self
                .accounts
                .get(&party)
                .map_or(0, |account| account.inflow.len()),
        });
        self.book(party, true, entry);
    }

    /// Of what is taken apart no more comes out than went in: the rest would be out of nothing. Of a parent that
    /// nobody here says he assembled, nobody knows what was in it.
    fn bound_what_was_taken_out(&mut self) {
        let gate = self.gate;
        for taken in std::mem::take(&mut self.taken_out) {
            let Some(account) = self.accounts.get_mut(&taken.party) else {
                continue;
            };
            let entry = &mut account.inflow[taken.entry];
            let Some(parent) = taken.parent else { continue };
            let name = gate.name(parent);
            let mut rows: Vec<&mut Range> = match self.built_in.get_mut(&name) {
                Some((_, _, inside)) => vec![inside],
                // A serial may be one of those that went in by number.
                None if self.history.is_serial || !is_assembled(gate, parent) => continue,
                // It lay deeper: in a part of the parent that names the lot.
                None => self.built_in.values_mut().map(|(_, _, inside)| inside).collect(),
            };
            let mut inside = Range::nothing();
            for row in &rows {
                inside.join(row);
            }
            if let (Some(out), Some(most)) = (&mut entry.amount, &inside.at_most)
                && *out > *most
            {
                let beyond = difference(out, most);
                if !self.measure.is_within_tolerance(&beyond, out) {
                    out.clone_from(most);
                }
            }
            let mut out = entry.amount.clone().unwrap_or_default();
            if let [row] = rows.as_mut_slice() {
                let mut taken = Range::nothing();
                taken.add(entry.amount.as_ref());
                **row = row.less(&taken);
                continue;
            }
            for row in rows {
                let part = row.at_least.clone().min(out.clone());
                let mut taken = Range::nothing();
                taken.add(Some(&part));
                *row = row.less(&taken);
                out -= &part;
            }
        }
    }

    /// An opening balance is what its holder had of which nothing else is said: what receipts and makings up to
    /// then explain is no second amount.
    fn book_opening(&mut self, moment: &Moment, mut entry: Entry) {
        let gate = self.gate;
        let party = gate.actor(moment.touch.fact);
        let time = gate.fact(moment.touch.fact).event_time;
        let mut explained = Range::nothing();
        let mut gone = Range::nothing();
        let account = self.accounts.entry(party).or_default();
        let before = |entry: &&Entry| gate.fact(entry.fact).event_time <= time;
        for known in account.inflow.iter().filter(before) {
            explained.add(known.amount.as_ref());
        }
        for known in account.outflow.iter().filter(before) {
            gone.add(known.amount.as_ref());
        }
        for taking in self.takings.iter().filter(|taking| taking.by == party) {
            explained.add(taking.amount.as_ref());
        }
        let left = explained.less(&gone);
        entry.amount = entry.amount.map(|mut stated| {
            stated -= &left.at_least;
            if stated.is_negative() {
                Exact::zero()
            } else {
                stated
            }
        });
        self.book(party, true, entry);
    }
}

impl Clerk<'_> {
    /// Compares what was shipped to each receiver with what he received, books receipts and what came back, and
    /// says what is still on its way.
    fn settle(&mut self) -> (Vec<InTransit>, Vec<OverReceipt>) {
        let receivers: BTreeSet<&str> = self
            .takings
            .iter()
            .map(|taking| self.gate.symbols.name(taking.by))
            .collect();
        let receivers: Vec<Symbol> = receivers
            .into_iter()
            .filter_map(|name| self.gate.symbols.get(name))
            .collect();
        self.put_receipts_to_shipments();
        self.give_back();
        let mut arrived: HashMap<Symbol, Range, BySymbol> = HashMap::default();
        let over_receipts = receivers
            .into_iter()
            .filter_map(|receiver| self.receive(receiver, &mut arrived))
            .collect();
        self.keep_what_arrived(&arrived);
        self.book_back();
        (self.in_transit(arrived), over_receipts)
    }

    /// Puts receipts to the shipments that they can be of: of the same number first, then from whom they name,
    /// then any to the receiver.
    fn put_receipts_to_shipments(&mut self) {
        for taking in &self.takings {
            let Some(mut left) = taking.amount.clone() else {
                continue;
            };
            let by_number = |one: &Shipment| taking.reference.is_some() && one.reference == taking.reference;
            let by_sender = |one: &Shipment| taking.from == Some(one.from);
            let by_member = |one: &Shipment| taking.member.is_some() && one.member == taking.member;
            let fits: [&dyn Fn(&Shipment) -> bool; 4] = [&by_member, &by_number, &by_sender, &|_| true];
            for fits in fits {
                let to_him = |one: &&mut Shipment| one.to.is_none_or(|to| to == taking.by) && fits(one);
                for shipment in self.shipments.iter_mut().filter(to_him) {
                    let Some(sent) = &shipment.amount else { continue };
                    let part = difference(sent, &shipment.arrived).min(left.clone());
                    shipment.arrived += &part;
                    left -= &part;
                }
            }
        }
    }

    /// Puts what was refused, withdrawn or lapsed to the shipments that it can be of: of the same number if both
    /// name one; first to what nobody received.
    fn give_back(&mut self) {
        for one in std::mem::take(&mut self.returns) {
            let numbered =
                |shipment: &Shipment| one.reference.is_some() && shipment.reference == one.reference;
            let any_numbered = self.shipments.iter().any(numbered);
            // Named pieces come back from where they were sent by name.
            let same = |shipment: &Shipment| one.member.is_some() && shipment.member == one.member;
            let any_same = self.shipments.iter().any(same);
            let by_carrier = self.carriers.contains(&one.by);
            let mut left = one.amount.clone();
            for not_received in [true, false] {
                for shipment in &mut self.shipments {
                    let concerns = (shipment.from == one.by
                        || shipment.to == Some(one.by)
                        || shipment.to.is_none()
                        || by_carrier)
                        && (!any_numbered || numbered(shipment))
                        && (!any_same || same(shipment));
                    if !concerns || left.as_ref().is_some_and(Exact::is_zero) {
                        continue;
                    }
                    let (Some(wanted), Some(sent)) = (&mut left, &shipment.amount) else {
                        // Some of it, nobody says how much: all of it may have come back.
                        shipment.back.clone_from(&shipment.amount);
                        continue;
                    };
                    let mut room = difference(sent, shipment.back.as_ref().unwrap_or(&Exact::zero()));
                    if not_received {
                        room = difference(&room, &shipment.arrived);
                    }
                    let part = room.min(wanted.clone());
                    if part.is_zero() {
                        continue;
                    }
                    if shipment.from == one.by {
                        shipment.withdrawn_by.push(one.fact);
                    }
                    let mut back = shipment.back.take().unwrap_or_else(Exact::zero);
                    back += &part;
                    *wanted -= &part;
                    shipment.back = Some(back);
                }
            }
        }
    }

    /// What its receiver has received cannot be withdrawn: of shipments to one receiver no more comes back than
    /// did not arrive.
    fn keep_what_arrived(&mut self, arrived: &HashMap<Symbol, Range, BySymbol>) {
        let mut receivers: Vec<(&str, Symbol)> = arrived
            .keys()
            .map(|receiver| (self.gate.symbols.name(*receiver), *receiver))
            .collect();
        receivers.sort_unstable_by_key(|(name, _)| *name);
        for (_, receiver) in receivers {
            let (mut sent, mut back) = (Some(Exact::zero()), Exact::zero());
            for shipment in self.shipments.iter().filter(|one| one.to == Some(receiver)) {
                match (&mut sent, &shipment.amount) {
                    (Some(sum), Some(amount)) => *sum += amount,
                    (sum, _) => *sum = None,
                }
                back += shipment.back.as_ref().unwrap_or(&Exact::zero());
            }
            let Some(sent) = sent else { continue };
            let mut gone = back;
            gone += arrived
                .get(&receiver)
                .map_or(&Exact::zero(), |range| &range.at_least);
            let beyond = difference(&gone, &sent);
            if beyond.is_zero() || self.measure.is_within_tolerance(&beyond, &sent) {
                continue;
            }
            let mut left = beyond.clone();
            let mut facts = Vec::new();
            let withdrawn = |one: &&mut Shipment| one.to == Some(receiver) && !one.withdrawn_by.is_empty();
            for shipment in self.shipments.iter_mut().filter(withdrawn) {
                if let Some(back) = &mut shipment.back {
                    let part = back.clone().min(left.clone());
                    *back -= &part;
                    left -= &part;
                    // By its number alone what was left of it was withdrawn, of whichever lots.
                    if !shipment.as_a_whole && !part.is_zero() {
                        facts.extend(&shipment.withdrawn_by);
                    }
                }
            }
            let kept = difference(&beyond, &left);
            if !kept.is_zero() && !facts.is_empty() {
                self.late_withdrawals.push(LateWithdrawal { facts, beyond: kept });
            }
        }
    }

    /// Carriers who handed on more than they took over, or than was shipped by them.
    fn over_carried(&self) -> Vec<OverCarried> {
        let mut names: Vec<(&str, Symbol)> = self
            .relays
            .iter()
            .map(|relay| (self.gate.symbols.name(relay.carrier), relay.carrier))
            // A trader who also carries hands on what is his, too: his account tells.
            .filter(|(_, carrier)| self.carriers.contains(carrier))
            .collect();
        names.sort_unstable_by_key(|(name, _)| *name);
        names.dedup();
        let mut over = Vec::new();
        for (_, carrier) in names {
            let (mut taken, mut shipped, mut sent) = (Range::nothing(), Range::nothing(), Range::nothing());
            let mut facts = Vec::new();
            for relay in self.relays.iter().filter(|relay| relay.carrier == carrier) {
                let own = self.gate.actor(relay.fact) == carrier;
                match (own, relay.to) {
                    (_, Some(_)) => {
                        sent.add(relay.amount.as_ref());
                        facts.push(relay.fact);
                    }
                    (true, None) => taken.add(relay.amount.as_ref()),
                    (false, None) => shipped.add(relay.amount.as_ref()),
                }
            }
            let (Some(taken), Some(shipped)) = (taken.at_most, shipped.at_most) else {
                continue;
            };
            let given = taken.max(shipped);
            let more = difference(&sent.at_least, &given);
            if !given.is_zero() && !more.is_zero() && !self.measure.is_within_tolerance(&more, &given) {
                over.push(OverCarried {
                    carrier,
                    facts,
                    sent: sent.at_least,
                    given,
                });
            }
        }
        over
    }

    /// Books one receiver's receipts; says if they exceed what was shipped to him.
    fn receive(
        &mut self,
        receiver: Symbol,
        arrived: &mut HashMap<Symbol, Range, BySymbol>,
    ) -> Option<OverReceipt> {
        let takings: Vec<Taking> = self
            .takings
            .iter()
            .filter(|taking| taking.by == receiver)
            .cloned()
            .collect();
        let mut received = Range::nothing();
        for taking in &takings {
            received.add(taking.amount.as_ref());
        }
        let mut offered = Range::nothing();
        for shipment in &self.shipments {
            if shipment.to == Some(receiver) || shipment.to.is_none() && shipment.from != receiver {
                offered.add(shipment.amount.as_ref());
            }
        }
        // What a carrier says that he brought is the carrier's to answer for, not the receiver's.
        let mut brought = Range::nothing();
        for relay in self.relays.iter().filter(|relay| relay.to == Some(receiver)) {
            brought.add(relay.amount.as_ref());
        }
        if let (Some(shipped), Some(brought)) = (&offered.at_most, &brought.at_most) {
            let more = difference(brought, shipped);
            offered.add(Some(&more));
        }
        // What bears the number of his own shipment, or comes from whom he sent some that came back, is his own;
        // so is what came beyond what was shipped to him, as far as he sent any.
        let mut home = Exact::zero();
        for taking in takings.iter().filter(|taking| self.comes_home(taking)) {
            home += taking.amount.as_ref().unwrap_or(&Exact::zero());
        }
        let mut own = self.take_back(receiver, &home, &takings);
        let beyond = match &offered.at_most {
            Some(offered) => difference(&difference(&received.at_least, &own), offered),
            None => Exact::zero(),
        };
        let more = self.take_back(receiver, &beyond, &takings);
        own += &more;
        let mut beyond = difference(&beyond, &more);
        beyond = beyond.max(self.over_by_number(receiver, &takings));
        let mut left_own = own.clone();
        let account = self.accounts.entry(receiver).or_default();
        for taking in &takings {
            let mut amount = taking.amount.clone();
            // What came back is no new stock: it lowers what went out.
            if let Some(amount) = &mut amount {
                let part = amount.clone().min(left_own.clone());
                *amount -= &part;
                left_own -= &part;
            }
            account.inflow.push(Entry {
                fact: taking.fact,
                role: Role::Taken,
                amount,
                place: taking.place,
                named: taking.member.is_some(),
            });
        }
        let mut from_others = received.clone();
        from_others.at_least -= &own;
        if let Some(most) = &mut from_others.at_most {
            *most -= &own;
        }
        arrived.insert(receiver, from_others);
        if beyond.is_zero() || self.outside || self.measure.is_within_tolerance(&beyond, &received.at_least) {
            return None;
        }
        account.beyond_shipped = beyond.clone();
        Some(OverReceipt {
            receiver,
            facts: takings.iter().map(|taking| taking.fact).collect(),
            shipped: difference(&received.at_least, &beyond),
            received: received.at_least,
        })
    }

    /// Whether a receipt says that the receiver's own shipment came home.
    fn comes_home(&self, taking: &Taking) -> bool {
        let booked = self.gate.fact(taking.fact).event_time.saturating_add(CLOCK_SLACK);
        self.shipments.iter().any(|shipment| {
            shipment.from == taking.by
                && shipment.time <= booked
                && (taking.reference.is_some() && shipment.reference == taking.reference
                    || shipment.back.is_some() && taking.from.is_some() && taking.from == shipment.to)
        })
    }

    /// Where both sides name the shipment: what was received of it beyond what left with it.
    fn over_by_number(&self, receiver: Symbol, takings: &[Taking]) -> Exact {
        let mut over = Exact::zero();
        let numbers: BTreeSet<u32> = takings
            .iter()
            .map(|taking| taking.reference)
            .filter(|number| number.is_some())
            .map(Symbol::index)
            .collect();
        for number in numbers {
            let mut sent = Range::nothing();
            let mut named = false;
            for shipment in &self.shipments {
                let concerns = shipment.to.is_none_or(|to| to == receiver) || shipment.from == receiver;
                if shipment.reference.index() == number && concerns {
                    named = true;
                    sent.add(shipment.amount.as_ref());
                }
            }
            let mut got = Range::nothing();
            for taking in takings.iter().filter(|taking| taking.reference.index() == number) {
                got.add(taking.amount.as_ref());
            }
            if let Some(sent) = sent.at_most.filter(|_| named) {
                over += &difference(&got.at_least, &sent);
            }
        }
        over
    }

    /// Takes back up to `wanted` of what a party shipped: it came home, as refused, withdrawn or without papers.
    /// Returns how much that was.
    fn take_back(&mut self, party: Symbol, wanted: &Exact, takings: &[Taking]) -> Exact {
        let booked = |taking: &Taking| self.gate.fact(taking.fact).event_time;
        // Of a lot that nobody made here a receipt may as well be the first that came in: then it came back only
        // if it was booked after some was sent.
        let mut wanted = wanted.clone();
        let mut last = i64::MAX;
        if self.outside {
            let sent = self.shipments.iter().filter(|shipment| shipment.from == party);
            let first = sent.map(|shipment| shipment.time).min().unwrap_or(i64::MAX);
            let mut after = Exact::zero();
            for taking in takings.iter().filter(|taking| booked(taking) >= first) {
                after += taking.amount.as_ref().unwrap_or(&Exact::zero());
            }
            wanted = wanted.min(after);
            last = takings.iter().map(booked).max().unwrap_or(i64::MIN);
        }
        let mut left = wanted.clone();
        // What was refused or withdrawn comes home first.
        let mut own: Vec<&mut Shipment> = self
            .shipments
            .iter_mut()
            .filter(|shipment| shipment.from == party && shipment.time <= last)
            .collect();
        own.sort_by_key(|shipment| shipment.back.is_none());
        for shipment in own {
            let Some(sent) = shipment.amount.clone() else {
                continue;
            };
            let back = shipment.back.clone().unwrap_or_else(Exact::zero);
            let part = if back.is_zero() { sent } else { back.clone() }.min(left.clone());
            left -= &part;
            shipment.back = Some(back.max(part));
            if left.is_zero() {
                break;
            }
        }
        difference(&wanted, &left)
    }

    /// Books what came back of shipments as not gone out.
    fn book_back(&mut self) {
        for shipment in &self.shipments {
            let Some(mut back) = shipment.back.clone() else {
                continue;
            };
            let Some(account) = self.accounts.get_mut(&shipment.from) else {
                continue;
            };
            for entry in account
                .outflow
                .iter_mut()
                .filter(|entry| entry.role == Role::Sent)
            {
                if let Some(amount) = &mut entry.amount {
                    let part = amount.clone().min(back.clone());
                    *amount -= &part;
                    back -= &part;
                }
            }
        }
    }

    /// What was shipped, did not come back and did not arrive, by receiver and sender.
    fn in_transit(&self, mut arrived: HashMap<Symbol, Range, BySymbol>) -> Vec<InTransit> {
        let mut rows: BTreeMap<(&str, &str), InTransit> = BTreeMap::new();
        for shipment in &self.shipments {
            let mut left = Range::nothing();
            left.add(shipment.amount.as_ref());
            let mut back = Range::nothing();
            back.add(Some(shipment.back.as_ref().unwrap_or(&Exact::zero())));
            let text = |symbol: Option<Symbol>| symbol.map_or("", |symbol| self.gate.symbols.name(symbol));
            rows.entry((text(shipment.to), text(Some(shipment.from))))
                .or_insert_with(|| InTransit {
                    from: shipment.from,
                    to: shipment.to,
                    amount: Range::nothing(),
                })
                .amount
                .join(&left.less(&back));
        }
        // Shipments to a named receiver first: what arrives beyond them was open to anybody.
        let (named, open): (Vec<InTransit>, Vec<InTransit>) =
            rows.into_values().partition(|row| row.to.is_some());
        named
            .into_iter()
            .chain(open)
            .filter_map(|mut row| {
                let mut receivers: Vec<Symbol> = row.to.into_iter().collect();
                if row.to.is_none() {
                    receivers.extend(arrived.keys().copied());
                }
                for receiver in receivers {
                    if let Some(arrived) = arrived.get_mut(&receiver) {
                        let before = row.amount.clone();
                        row.amount = row.amount.less(arrived);
                        *arrived = arrived.less(&before);
                    }
                }
                (!row.amount.is_nothing()).then_some(row)
            })
            .collect()
    }
}

/// How much more one amount is than another; nothing if it is not.
/// How many members of a class lot have names.
fn named_members(class: &History) -> Exact {
    let mut members: Vec<Span> = class
        .moments
        .iter()
        .filter(|moment| moment.role.makes())
        .filter_map(|moment| moment.member)
        .collect();
    members.sort_unstable_by_key(|span| (span.stem.index(), span.width, span.first));
    members.dedup();
    Exact::whole(members.iter().map(|span| span.count()).sum())
}

/// Whether anybody says that he assembled a parent.
fn is_assembled(gate: Gate<'_>, parent: LotKey) -> bool {
    let touches = gate.tracks.of(parent);
    touches
        .iter()
        .any(|touch| gate.leg(*touch).role == Role::Parent && gate.counts(touch.fact))
}

fn difference(one: &Exact, other: &Exact) -> Exact {
    let mut more = one.clone();
    more -= other;
    if more.is_negative() { Exact::zero() } else { more }
}

/// Which shipments named a carrier.
#[derive(Debug, Default)]
struct Carried {
    /// Sender and carrier.
    of: HashSet<(Symbol, Symbol)>,
    /// Carrier and consignee.
    to: HashSet<(Symbol, Symbol)>,
    /// Carrier and number.
    numbers: HashSet<(Symbol, Symbol)>,
}

impl Carried {
    fn of(gate: Gate<'_>, history: &History) -> Self {
        let mut carried = Self::default();
        for moment in history.moments.iter().filter(|moment| moment.role == Role::Sent) {
            let reading = &gate.fact(moment.touch.fact).reading;
            let Some(carrier) = reading.carrier.named() else {
                continue;
            };
            carried.of.insert((gate.actor(moment.touch.fact), carrier));
            if let Some(to) = reading.to.named().filter(|to| *to != carrier) {
                carried.to.insert((carrier, to));
            }
            if reading.reference.is_some() {
                carried.numbers.insert((carrier, reading.reference));
            }
        }
        carried
    }
}

/// Who carries the lot and has none of it himself: named as carrier, or taking over from one, and neither maker
/// nor consignee.
fn carriers(gate: Gate<'_>, history: &History) -> HashSet<Symbol, BySymbol> {
    let mut carriers: HashSet<Symbol, BySymbol> = HashSet::default();
    let mut owners: HashSet<Symbol, BySymbol> = HashSet::default();
    for making in &history.makings {
        owners.insert(gate.actor(making.touch.fact));
    }
    let moving = |role: Role| {
        history
            .moments
            .iter()
            .filter(move |moment| moment.role == role)
            .map(|moment| &gate.fact(moment.touch.fact).reading)
    };
    let mut receivers: HashSet<Symbol, BySymbol> = HashSet::default();
    for shipped in moving(Role::Sent) {
        carriers.extend(shipped.carrier.named());
        receivers.extend(shipped.to.named());
    }
    // Whom a consignee names as having delivered what another shipped to him carried it.
    let mut senders: HashMap<Symbol, HashSet<Symbol, BySymbol>, BySymbol> = HashMap::default();
    for moment in history.moments.iter().filter(|moment| moment.role == Role::Sent) {
        if let Some(to) = gate.fact(moment.touch.fact).reading.to.named() {
            senders
                .entry(to)
                .or_default()
                .insert(gate.actor(moment.touch.fact));
        }
    }
    for moment in history.moments.iter().filter(|moment| moment.role == Role::Taken) {
        let fact = moment.touch.fact;
        let (receiver, deliverer) = (gate.actor(fact), gate.fact(fact).reading.from.named());
        if let (Some(senders), Some(deliverer)) = (senders.get(&receiver), deliverer)
            && senders.iter().any(|sender| *sender != deliverer)
        {
            carriers.insert(deliverer);
        }
    }
    owners.extend(&receivers);
    let opened = history
        .moments
        .iter()
        .filter(|moment| moment.role == Role::Opening);
    owners.extend(opened.map(|moment| gate.actor(moment.touch.fact)));
    loop {
        let before = carriers.len();
        for handed in moving(Role::Handed) {
            if let (Some(from), Some(to)) = (handed.from.named(), handed.to.named())
                && carriers.contains(&from)
            {
                carriers.insert(to);
            }
        }
        if carriers.len() == before {
            break;
        }
    }
    carriers.retain(|party| !owners.contains(party));
    carriers
}
