//! Posts the facts about one lot to the accounts of its holders: each moment is an entry on one side, a shipment, a
//! receipt, a return or a load of a carrier.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::OnceLock,
};

use super::{
    super::{
        super::{
            amount::Exact,
            filing::{
                fact::Role,
                span::{LotKey, Span},
                symbol::{BySymbol, Symbol},
                uses::SHIPMENT_LAPSED,
            },
            gate::{Gate, moments::Moment},
        },
        history::History,
        making::{self, Made},
        measure::Measure,
        repeated,
    },
    Account, Books, Contained, Entry, LateWithdrawal, Range,
    carrying::{Carried, Load, carriers},
};

/// Keeps the books of a lot.
pub(super) fn keep(gate: Gate<'_>, history: &History) -> Books {
    let measure = Measure::of(gate, history);
    let made = making::of(gate, history, &measure);
    let mut clerk = Clerk {
        gate,
        history,
        measure: &measure,
        outside: made.is_from_outside(history),
        carriers: carriers(gate, history),
        book_receipts: history
            .moments
            .iter()
            .filter(|moment| moment.role == Role::Taken)
            .map(|moment| gate.actor(moment.touch.fact))
            .collect(),
        carried: Carried::of(gate, history),
        loads: HashMap::new(),
        accounts: HashMap::default(),
        shipments: Vec::new(),
        takings: Vec::new(),
        relays: Vec::new(),
        returns: Vec::new(),
        returned: HashMap::default(),
        taken_out: Vec::new(),
        late_withdrawals: Vec::new(),
        built_in: BTreeMap::new(),
        contained: BTreeMap::new(),
    };
    clerk.open(&made);
    clerk.open_thing_from_outside();
    clerk.load();
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
    Books {
        unit: measure.unit,
        made,
        accounts,
        in_transit,
        over_receipts,
        over_carried,
        late_withdrawals,
        built_in,
        contained,
        took_named: OnceLock::new(),
    }
}

/// One shipment's share of the lot.
#[derive(Clone, Debug)]
pub(super) struct Shipment {
    pub(super) from: Symbol,
    pub(super) member: Option<Span>,
    pub(super) to: Option<Symbol>,
    pub(super) reference: Symbol,
    pub(super) amount: Option<Exact>,
    /// How much of it its receiver booked, as far as receipts can be put to shipments.
    pub(super) arrived: Exact,
    pub(super) time: i64,
    /// What of it went back to the sender: refused, withdrawn, lapsed.
    pub(super) back: Option<Exact>,
    /// How much of that its receiver refused.
    pub(super) refused: Exact,
    /// When he first did.
    pub(super) refused_at: Option<i64>,
    /// How much of it the sender has received again.
    pub(super) home: Exact,
    /// On whose word it did: facts of the sender alone.
    pub(super) withdrawn_by: Vec<u32>,
    /// Withdrawn by its number alone: that means what is still under way.
    pub(super) as_a_whole: bool,
    /// It never arrived, and its sender does not say that he found it again.
    pub(super) lapsed: bool,
}

/// What was refused at the door, withdrawn or lapsed: the sender's again.
#[derive(Clone, Debug)]
pub(super) struct Return {
    pub(super) by: Symbol,
    pub(super) member: Option<Span>,
    pub(super) reference: Symbol,
    pub(super) amount: Option<Exact>,
    pub(super) fact: u32,
}

/// What passed through a carrier's hands.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    pub(super) carrier: Symbol,
    /// To whom it went; none: into the carrier's hands.
    pub(super) to: Option<Symbol>,
    pub(super) amount: Option<Exact>,
    pub(super) fact: u32,
}

/// One receipt's share of the lot.
#[derive(Clone, Debug)]
pub(super) struct Taking {
    pub(super) by: Symbol,
    pub(super) member: Option<Span>,
    pub(super) from: Option<Symbol>,
    pub(super) reference: Symbol,
    pub(super) amount: Option<Exact>,
    pub(super) fact: u32,
    pub(super) place: Symbol,
}

/// What came out of a parent.
#[derive(Clone, Debug)]
pub(super) struct TakenOut {
    parent: LotKey,
    party: Symbol,
    /// Index among what came into the party's account.
    entry: usize,
}

/// Keeps the books.
pub(super) struct Clerk<'a> {
    pub(super) gate: Gate<'a>,
    pub(super) history: &'a History,
    pub(super) measure: &'a Measure,
    /// Whether nobody says that he made the lot, but for what was put back into it.
    pub(super) outside: bool,
    /// Who carries the lot to others and has none of it himself: his movements are those of what he carries.
    pub(super) carriers: HashSet<Symbol, BySymbol>,
    /// Who books receipts of it.
    pub(super) book_receipts: HashSet<Symbol, BySymbol>,
    /// Who carried shipments of whom, and to whom: a trader may also carry what is not his.
    pub(super) carried: Carried,
    /// What traders took over to carry, and have not passed on under the number that it came with.
    pub(super) loads: HashMap<Load, Exact>,
    pub(super) accounts: HashMap<Symbol, Account, BySymbol>,
    pub(super) shipments: Vec<Shipment>,
    pub(super) takings: Vec<Taking>,
    pub(super) relays: Vec<Relay>,
    pub(super) returns: Vec<Return>,
    /// What senders received again without papers: out of the lorry, or from whoever has it.
    pub(super) returned: HashMap<Symbol, Range, BySymbol>,
    pub(super) taken_out: Vec<TakenOut>,
    pub(super) late_withdrawals: Vec<LateWithdrawal>,
    pub(super) built_in: BTreeMap<String, (LotKey, Symbol, Range)>,
    pub(super) contained: BTreeMap<String, Contained>,
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
            if self.gate.is_flow(moment)
                && let Role::Taken | Role::Removed | Role::Opening = moment.role
            {
                self.open_for(self.gate.actor(moment.touch.fact));
            }
            if self.gate.is_flow(moment) && moment.role == Role::Handed {
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
            if !self.gate.is_flow(moment) || self.carriers.contains(&actor) {
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

    /// Whose account a party's deeds are booked on.
    pub(super) fn account_of(&self, party: Symbol) -> Symbol {
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
        let flow = self.gate.is_flow(moment);
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
                let (mut amount, mut entry) = (amount, entry);
                if let Some(load) = self.unload(moment, amount.as_ref()) {
                    let rest = amount.as_ref().map(|amount| amount.beyond(&load));
                    self.relays.push(Relay {
                        carrier: actor,
                        to: reading.to.named(),
                        amount: Some(load),
                        fact,
                    });
                    if rest.as_ref().is_some_and(Exact::is_zero) {
                        self.move_contents(moment, None);
                        return;
                    }
                    entry.amount.clone_from(&rest);
                    amount = rest;
                }
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
                    refused: Exact::zero(),
                    refused_at: None,
                    home: Exact::zero(),
                    time: gate.fact(fact).event_time,
                    as_a_whole: withdrawn.is_some(),
                    lapsed: withdrawn.is_some_and(|word| gate.fact(word).kind == SHIPMENT_LAPSED),
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
                        .or_insert_with(|| Contained {
                            holder: None,
                            amount: Range::nothing(),
                            by_number: Range::nothing(),
                        });
                    row.holder = Some(actor);
                    row.amount.add(amount.as_ref());
                    if moment.member.is_none() {
                        row.by_number.add(amount.as_ref());
                    }
                }
            }
            Role::Unpacked if moment.via.is_none() => {
                let container = gate.leg_in(fact, Role::Emptied).map(|leg| leg.span.key());
                self.unpack(container, moment, amount.as_ref());
            }
            Role::Emptied if moment.via.is_some() => self.unpack(moment.via, moment, amount.as_ref()),
            _ => {}
        }
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
        let told_again = self.carried.shipped.contains(&(giver, to));
        let is_receipt = actor == to && !self.book_receipts.contains(&to);
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
            if self.book_receipts.contains(&to) {
                self.shipments.push(Shipment {
                    from,
                    member: moment.member,
                    to: Some(to),
                    reference: Symbol::NONE,
                    amount: entry.amount,
                    arrived: Exact::zero(),
                    refused: Exact::zero(),
                    refused_at: None,
                    home: Exact::zero(),
                    time: gate.fact(fact).event_time,
                    back: None,
                    as_a_whole: false,
                    lapsed: false,
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
            row.holder = to;
        }
    }

    fn unpack(&mut self, container: Option<LotKey>, moment: &Moment, amount: Option<&Exact>) {
        let Some(container) = container else { return };
        if let Some(row) = self.contained.get_mut(&self.gate.name(container)) {
            row.amount = row.amount.less(&Range::of(amount));
            if moment.member.is_none() {
                row.by_number = row.by_number.less(&Range::of(amount));
            }
        }
    }

    fn take_out(&mut self, parent: Option<LotKey>, by: Symbol, entry: Entry) {
        let party = self.account_of(by);
        let inflow = &mut self.accounts.entry(party).or_default().inflow;
        self.taken_out.extend(parent.map(|parent| TakenOut {
            parent,
            party,
            entry: inflow.len(),
        }));
        inflow.push(entry);
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
            let mut rows: Vec<&mut Range> = match self.built_in.get_mut(&gate.name(taken.parent)) {
                Some((_, _, inside)) => vec![inside],
                // A serial may be one of those that went in by number.
                None if self.history.is_serial || !is_assembled(gate, taken.parent) => continue,
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
                let beyond = out.beyond(most);
                if !self.measure.is_within_tolerance(&beyond, out) {
                    out.clone_from(most);
                }
            }
            if let [row] = rows.as_mut_slice() {
                **row = row.less(&Range::of(entry.amount.as_ref()));
                continue;
            }
            let mut out = entry.amount.clone().unwrap_or_default();
            for row in rows {
                let part = row.at_least.clone().min(out.clone());
                *row = row.less(&Range::of(Some(&part)));
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
        entry.amount = entry.amount.map(|stated| stated.beyond(&left.at_least));
        self.book(party, true, entry);
    }
}

/// Whether anybody says that he assembled a parent.
fn is_assembled(gate: Gate<'_>, parent: LotKey) -> bool {
    let touches = gate.tracks.of(parent);
    touches
        .iter()
        .any(|touch| gate.leg(*touch).role == Role::Parent && gate.counts(touch.fact))
}
