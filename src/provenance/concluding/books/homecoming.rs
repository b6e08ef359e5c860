//! What comes home to who had shipped it: refused, withdrawn, lapsed, or received again without papers.
//!
//! A withdrawal needs no receipt, and a return needs no papers. So a receipt of his own goods by a sender may be
//! either, and the books say how much of the lot is where as an interval that holds both.

use std::collections::{HashMap, HashSet};

use super::{
    super::super::{
        amount::Exact,
        filing::{
            fact::Role,
            symbol::{BySymbol, Symbol},
        },
        gate::moments::CLOCK_SLACK,
    },
    Account, InTransit, Range,
    clerk::{Clerk, Shipment, Taking},
};

impl Clerk<'_> {
    /// Takes home what bears the number of an own shipment, or comes from whom some was sent that went back: out of
    /// what went back or did not arrive first. Returns how much that was.
    pub(super) fn take_home(&mut self, party: Symbol, takings: &[Taking]) -> Exact {
        let mut taken = Exact::zero();
        let home: Vec<&Taking> = takings.iter().filter(|taking| self.comes_home(taking)).collect();
        for taking in home {
            let Some(amount) = taking.amount.clone() else {
                continue;
            };
            let mut left = amount.clone();
            let own = |one: &&mut Shipment| one.from == party;
            for shipment in self.shipments.iter_mut().filter(own) {
                let went_back = shipment.back.clone().unwrap_or_default();
                let part = went_back.beyond(&shipment.home).min(left.clone());
                shipment.home += &part;
                left -= &part;
            }
            let numbered = |one: &&mut Shipment| {
                one.from == party && taking.reference.is_some() && one.reference == taking.reference
            };
            for shipment in self.shipments.iter_mut().filter(numbered) {
                let Some(sent) = &shipment.amount else { continue };
                let mut back = shipment.back.clone().unwrap_or_default();
                let part = sent.beyond(&back).beyond(&shipment.arrived).min(left.clone());
                back += &part;
                left -= &part;
                shipment.home += &part;
                shipment.back = Some(back);
            }
            let part = self.not_yet_home(party, i64::MAX).min(left.clone());
            left -= &part;
            self.returned.entry(party).or_default().add(Some(&part));
            taken += &amount.beyond(&left);
        }
        taken
    }

    /// Takes home up to `wanted` of what a party shipped. Returns how much came in as no new stock.
    pub(super) fn take_home_without_papers(
        &mut self,
        party: Symbol,
        wanted: &Exact,
        takings: &[Taking],
    ) -> Exact {
        if wanted.is_zero() {
            return Exact::zero();
        }
        // Of a lot that nobody made here a receipt may as well be the first that came in.
        let is_certain = !self.outside || self.history.is_serial;
        let mut wanted = wanted.clone();
        let mut last = i64::MAX;
        if !is_certain {
            wanted = wanted.min(self.not_first(party, takings));
            let booked = takings
                .iter()
                .map(|taking| self.gate.fact(taking.fact).event_time);
            last = booked.max().unwrap_or(i64::MIN);
        }
        let (refused, withdrawn) = self.went_back(party, takings, last);
        let out = self.not_yet_home(party, last);
        // What was refused has to come home; what was withdrawn is at home without a receipt. A receipt beyond what
        // was refused is of what was withdrawn, or it is a return.
        let home = wanted.clone().min(refused);
        let rest = wanted.beyond(&home);
        let returned = rest.clone().min(out);
        let at_home = rest.beyond(&returned).min(withdrawn.clone());
        let either = returned.clone().min(withdrawn.beyond(&at_home));
        // One thing is in one place: it came home as what it left as last.
        let either = if self.history.is_serial {
            Exact::zero()
        } else {
            either
        };
        self.bring_home(party, &home, last);
        let mut missing = either.clone();
        let least = if is_certain {
            returned.beyond(&either)
        } else {
            missing += &at_home;
            Exact::zero()
        };
        let mut taken = home;
        if is_certain {
            taken += &returned;
            taken += &at_home;
        }
        let account = self.accounts.entry(party).or_default();
        account.missing.join(&Range {
            at_least: Exact::zero(),
            at_most: Some(missing),
        });
        self.returned.entry(party).or_default().join(&Range {
            at_least: least,
            at_most: Some(returned),
        });
        taken
    }

    /// What went back to a party and he has not received again: refused, and withdrawn.
    fn went_back(&self, party: Symbol, takings: &[Taking], last: i64) -> (Exact, Exact) {
        let (mut refused, mut withdrawn) = (Exact::zero(), Exact::zero());
        let mut since = i64::MAX;
        for shipment in self
            .shipments
            .iter()
            .filter(|one| one.from == party && one.time <= last)
        {
            let went_back = shipment.back.clone().unwrap_or_default();
            withdrawn += &went_back.beyond(&shipment.home.clone().max(shipment.refused.clone()));
            refused += &shipment.refused.beyond(&shipment.home);
            since = since.min(shipment.refused_at.unwrap_or(i64::MAX));
        }
        // Nobody takes back what was refused only afterwards.
        let mut after = Exact::zero();
        for taking in takings {
            if self.gate.fact(taking.fact).event_time >= since.saturating_sub(CLOCK_SLACK) {
                after += taking.amount.as_ref().unwrap_or(&Exact::zero());
            }
        }
        (refused.min(after), withdrawn)
    }

    /// Notes that what was refused of a party's shipments was received by him again.
    fn bring_home(&mut self, party: Symbol, amount: &Exact, last: i64) {
        let mut left = amount.clone();
        for shipment in self
            .shipments
            .iter_mut()
            .filter(|one| one.from == party && one.time <= last)
        {
            let part = shipment.refused.beyond(&shipment.home).min(left.clone());
            left -= &part;
            shipment.home += &part;
        }
    }

    /// How much of what a party shipped did not go back, and was not received by him again.
    fn not_yet_home(&self, party: Symbol, last: i64) -> Exact {
        let mut out = Exact::zero();
        for shipment in self
            .shipments
            .iter()
            .filter(|one| one.from == party && one.time <= last)
        {
            if let Some(sent) = &shipment.amount {
                out += &sent.beyond(&shipment.back.clone().unwrap_or_default());
            }
        }
        let home = self
            .returned
            .get(&party)
            .and_then(|returned| returned.at_most.clone());
        out.beyond(&home.unwrap_or_default())
    }

    /// How much of a party's receipts is not needed for what he shipped: those after the ones that are.
    fn not_first(&self, party: Symbol, takings: &[Taking]) -> Exact {
        let booked = |taking: &Taking| self.gate.fact(taking.fact).event_time;
        let own = self.shipments.iter().filter(|one| one.from == party);
        let first = own.map(|one| one.time).min().unwrap_or(i64::MAX);
        let gone = self.not_yet_home(party, i64::MAX);
        let mut came = self
            .accounts
            .get(&party)
            .map(|account| account.total_in().at_least);
        let came = came.get_or_insert_with(Exact::zero);
        let mut in_order: Vec<&Taking> = takings.iter().collect();
        in_order.sort_by_key(|taking| booked(taking));
        let mut beyond = Exact::zero();
        for taking in in_order {
            let amount = taking.amount.clone().unwrap_or_default();
            if *came >= gone && booked(taking) >= first {
                beyond += &amount;
            } else {
                *came += &amount;
            }
        }
        beyond
    }

    /// Whether a receipt says that the receiver's own shipment came home.
    fn comes_home(&self, taking: &Taking) -> bool {
        let booked = self.gate.fact(taking.fact).event_time.saturating_add(CLOCK_SLACK);
        // Who brings it may have shipped some himself, or carried it.
        let shipments = self.shipments.iter().map(|one| (one.from, one.to));
        let relays = self.relays.iter().map(|one| (one.carrier, one.to));
        let is_delivery = shipments
            .chain(relays)
            .any(|(from, to)| Some(from) == taking.from && to == Some(taking.by));
        self.shipments.iter().any(|shipment| {
            let same_number = taking.reference.is_some() && shipment.reference == taking.reference;
            let brought_back = shipment.back.is_some() && taking.from.is_some() && taking.from == shipment.to;
            shipment.from == taking.by
                && shipment.time <= booked
                && (same_number || brought_back && !is_delivery)
        })
    }

    /// Books what came home as not gone out. What lapsed may never come.
    pub(super) fn book_home(&mut self) {
        let mut home: Vec<(Symbol, Exact)> = Vec::new();
        for shipment in &self.shipments {
            home.extend(shipment.back.clone().map(|back| (shipment.from, back)));
            if let Some(account) = self.accounts.get_mut(&shipment.from).filter(|_| shipment.lapsed) {
                account.missing.join(&Range {
                    at_least: Exact::zero(),
                    at_most: shipment.back.clone(),
                });
            }
        }
        if !self.outside || self.history.is_serial {
            let returned = self.returned.iter();
            home.extend(returned.filter_map(|(party, range)| Some((*party, range.at_most.clone()?))));
        }
        for (party, mut back) in home {
            let Some(account) = self.accounts.get_mut(&party) else {
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

    /// Takes what came back without papers out of the hands that it can have come from: what of the sender's
    /// shipments had not arrived, and what those still have to whom it came, from him or from one of them.
    pub(super) fn hand_back(&mut self, in_transit: &mut [InTransit]) {
        let returned = std::mem::take(&mut self.returned);
        let senders = returned.iter().filter(|(_, amount)| !amount.is_nothing());
        for sender in self.gate.symbols.by_name(senders.map(|(sender, _)| *sender)) {
            let returned = &returned[&sender];
            let mut hands = Vec::new();
            for party in self.got_it_from(sender) {
                hands.extend(
                    self.accounts
                        .get(&party)
                        .map(|account| (party, account.on_hand().at_most)),
                );
            }
            let rows = in_transit.iter().filter(|row| row.from == sender);
            let mut all = Range::nothing();
            for most in rows
                .map(|row| &row.amount.at_most)
                .chain(hands.iter().map(|(_, most)| most))
            {
                all.add(most.as_ref());
            }
            // At least what cannot have come from anywhere else, at most what there is.
            let part = |most: &Option<Exact>| {
                let others = all
                    .at_most
                    .as_ref()
                    .zip(most.as_ref())
                    .map(|(all, own)| all.beyond(own));
                let limit = |returned: &Exact| most.clone().unwrap_or_else(|| returned.clone());
                Range {
                    at_least: others.map_or_else(Exact::zero, |others| returned.at_least.beyond(&others)),
                    at_most: returned
                        .at_most
                        .as_ref()
                        .map(|returned| limit(returned).min(returned.clone())),
                }
            };
            for (party, most) in &hands {
                self.accounts.entry(*party).or_default().missing.join(&part(most));
            }
            for row in in_transit.iter_mut().filter(|row| row.from == sender) {
                row.amount = row.amount.less(&part(&row.amount.at_most));
            }
        }
    }

    /// Who may have pieces that a sender shipped: those he shipped to, and whoever got some of one of them.
    fn got_it_from(&self, sender: Symbol) -> Vec<Symbol> {
        let mut sent_by: HashMap<Symbol, HashSet<Option<Symbol>>, BySymbol> = HashMap::default();
        for shipment in &self.shipments {
            sent_by.entry(shipment.from).or_default().insert(shipment.to);
        }
        let takers = || self.takings.iter().map(|taking| taking.by);
        let mut open = vec![sender];
        let mut found: HashSet<Symbol, BySymbol> = HashSet::default();
        while let Some(from) = open.pop() {
            for to in sent_by.get(&from).into_iter().flatten() {
                let to: Vec<Symbol> = to.map_or_else(|| takers().collect(), |to| vec![to]);
                open.extend(to.into_iter().filter(|to| *to != sender && found.insert(*to)));
            }
        }
        let handed = |account: &Account| account.inflow.iter().any(|entry| entry.role == Role::Handed);
        let taken_over = self
            .accounts
            .iter()
            .filter(|(party, account)| **party != sender && handed(account));
        found.extend(taken_over.map(|(party, _)| *party));
        self.gate.symbols.by_name(found.into_iter())
    }
}
