//! Settles the posted books: compares what was shipped to each receiver with what he received, finds what came
//! back, and says what is left on its way.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{
    super::super::{
        amount::Exact,
        filing::{
            fact::Role,
            symbol::{BySymbol, Symbol},
            uses::DELIVERY_REFUSED,
        },
        gate::moments::CLOCK_SLACK,
    },
    Entry, InTransit, LateWithdrawal, OverCarried, OverReceipt, Range,
    clerk::{Clerk, Shipment, Taking},
};

/// Which shipments something is put to, and whether only what nobody received of them.
type Fit<'a> = (&'a dyn Fn(&Shipment) -> bool, bool);

impl Clerk<'_> {
    /// Compares what was shipped to each receiver with what he received, books receipts and what came back, and
    /// says what is still on its way.
    pub(super) fn settle(&mut self) -> (Vec<InTransit>, Vec<OverReceipt>) {
        let symbols = &self.gate.filing.symbols;
        let receivers = symbols.by_name(self.takings.iter().map(|taking| taking.by));
        self.put_receipts_to_shipments();
        self.give_back();
        self.keep_what_had_arrived();
        let mut arrived: HashMap<Symbol, Range, BySymbol> = HashMap::default();
        let over_receipts = receivers
            .into_iter()
            .filter_map(|receiver| self.receive(receiver, &mut arrived))
            .collect();
        self.keep_what_arrived(&arrived);
        self.book_home();
        let mut in_transit = self.in_transit(arrived);
        self.hand_back(&mut in_transit);
        in_transit.retain(|row| !row.amount.is_nothing());
        (in_transit, over_receipts)
    }

    /// Puts receipts to the shipments that they can be of: of the same number first, then from whom they name,
    /// then any to the receiver.
    fn put_receipts_to_shipments(&mut self) {
        for taking in &self.takings {
            let Some(mut left) = taking.amount.clone() else {
                continue;
            };
            // A receipt is booked late, but not before the goods left.
            let booked = self.gate.fact(taking.fact).event_time.saturating_add(CLOCK_SLACK);
            let by_number = |one: &Shipment| taking.reference.is_some() && one.reference == taking.reference;
            let by_sender = |one: &Shipment| taking.from == Some(one.from);
            let by_member = |one: &Shipment| taking.member.is_some() && one.member == taking.member;
            // What was withdrawn as a whole had not arrived, if the receipt can be of anything else.
            let by_sender_kept = |one: &Shipment| by_sender(one) && !one.as_a_whole;
            let kept = |one: &Shipment| !one.as_a_whole;
            let fits: [&dyn Fn(&Shipment) -> bool; 6] = [
                &by_member,
                &by_number,
                &by_sender_kept,
                &kept,
                &by_sender,
                &|_| true,
            ];
            for fits in fits {
                if left.is_zero() {
                    break;
                }
                let to_him = |one: &&mut Shipment| {
                    one.to.is_none_or(|to| to == taking.by) && one.time <= booked && fits(one)
                };
                for shipment in self.shipments.iter_mut().filter(to_him) {
                    let Some(sent) = &shipment.amount else { continue };
                    let part = sent.beyond(&shipment.arrived).min(left.clone());
                    shipment.arrived += &part;
                    left -= &part;
                    if left.is_zero() {
                        break;
                    }
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
            // Who refuses was to get it, who withdraws had sent it; a carrier may say either.
            let by_carrier = self.carriers.contains(&one.by);
            let is_refusal = self.gate.fact(one.fact).kind == DELIVERY_REFUSED;
            let sender = self.account_of(one.by);
            let is_his = |shipment: &Shipment| {
                if is_refusal {
                    shipment.to == Some(one.by)
                } else {
                    shipment.from == sender
                }
            };
            let may_be_his = |shipment: &Shipment| {
                by_carrier || shipment.to.is_none() || shipment.from == one.by || shipment.to == Some(one.by)
            };
            // The very amount that left, first; then what did not arrive; then anything.
            let is_all = |shipment: &Shipment| {
                is_his(shipment)
                    && one.amount.is_some()
                    && shipment.amount == one.amount
                    && shipment.back.is_none()
                    && Some(&shipment.arrived) != one.amount.as_ref()
            };
            let is_all_untouched = |shipment: &Shipment| is_all(shipment) && shipment.arrived.is_zero();
            let fits: [Fit<'_>; 6] = [
                (&is_all_untouched, true),
                (&is_all, false),
                (&is_his, true),
                (&is_his, false),
                (&may_be_his, true),
                (&may_be_his, false),
            ];
            // Nobody sends back, or calls off, what leaves later.
            let booked = self.gate.fact(one.fact).event_time.saturating_add(CLOCK_SLACK);
            let mut left = one.amount.clone();
            for (fits, not_received) in fits {
                if left.as_ref().is_some_and(Exact::is_zero) {
                    break;
                }
                for shipment in &mut self.shipments {
                    let concerns = fits(shipment)
                        && shipment.time <= booked
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
                    let mut room = sent.beyond(shipment.back.as_ref().unwrap_or(&Exact::zero()));
                    if not_received {
                        room = room.beyond(&shipment.arrived);
                    }
                    let part = room.min(wanted.clone());
                    if part.is_zero() {
                        continue;
                    }
                    if shipment.from == one.by {
                        shipment.withdrawn_by.push(one.fact);
                    }
                    if is_refusal {
                        shipment.refused += &part;
                        let time = self.gate.fact(one.fact).event_time;
                        shipment.refused_at = Some(shipment.refused_at.map_or(time, |at| at.min(time)));
                    }
                    let mut back = shipment.back.take().unwrap_or_else(Exact::zero);
                    back += &part;
                    *wanted -= &part;
                    shipment.back = Some(back);
                }
            }
        }
    }

    /// Withdrawn by its number alone is what had not arrived of all that left under it, if there was any.
    fn keep_what_had_arrived(&mut self) {
        let is_short = |one: &Shipment| {
            let sent = one.amount.as_ref();
            sent.is_some_and(|sent| one.as_a_whole && one.arrived < *sent)
        };
        let short: HashSet<(Symbol, Symbol)> = self
            .shipments
            .iter()
            .filter(|one| is_short(one))
            .map(|one| (one.from, one.reference))
            .collect();
        for shipment in self.shipments.iter_mut().filter(|one| one.as_a_whole) {
            if let Some(sent) = &shipment.amount
                && short.contains(&(shipment.from, shipment.reference))
            {
                shipment.back = Some(sent.beyond(&shipment.arrived));
            }
        }
    }

    /// What its receiver has received cannot be withdrawn: of shipments to one receiver no more comes back than
    /// did not arrive.
    fn keep_what_arrived(&mut self, arrived: &HashMap<Symbol, Range, BySymbol>) {
        for receiver in self.gate.symbols.by_name(arrived.keys().copied()) {
            let (mut sent, mut back, mut came) = (Some(Exact::zero()), Exact::zero(), Exact::zero());
            for shipment in self.shipments.iter().filter(|one| one.to == Some(receiver)) {
                match (&mut sent, &shipment.amount) {
                    (Some(sum), Some(amount)) => *sum += amount,
                    (sum, _) => *sum = None,
                }
                back += shipment.back.as_ref().unwrap_or(&Exact::zero());
                came += &shipment.arrived;
            }
            let Some(sent) = sent else { continue };
            let mut gone = back;
            // What came home to the receiver himself was not of these.
            gone += &arrived
                .get(&receiver)
                .map_or_else(Exact::zero, |range| range.at_least.clone().min(came));
            let beyond = gone.beyond(&sent);
            if beyond.is_zero() || self.measure.is_within_tolerance(&beyond, &sent) {
                continue;
            }
            let mut left = beyond.clone();
            let mut facts = Vec::new();
            let withdrawn = |one: &&mut Shipment| one.to == Some(receiver) && !one.withdrawn_by.is_empty();
            for shipment in self.shipments.iter_mut().filter(withdrawn) {
                if let Some(back) = &mut shipment.back {
                    let part = back.clone().min(left.clone());
                    // By its number alone what was left of it was withdrawn, of whichever lots: too late only if
                    // nothing was.
                    let nothing_left =
                        part == *back && self.gate.is_shipped_alone(shipment.reference, self.history.key);
                    *back -= &part;
                    left -= &part;
                    if !part.is_zero() && (!shipment.as_a_whole || nothing_left) {
                        facts.extend(&shipment.withdrawn_by);
                    }
                }
            }
            let kept = beyond.beyond(&left);
            if !kept.is_zero() && !facts.is_empty() {
                self.late_withdrawals.push(LateWithdrawal { facts, beyond: kept });
            }
        }
    }

    /// Carriers who handed on more than they took over, or than was shipped by them.
    pub(super) fn over_carried(&self) -> Vec<OverCarried> {
        // A trader who also carries hands on what is his, too: his account tells.
        let carriers = self.relays.iter().map(|relay| relay.carrier);
        let carriers = carriers.filter(|carrier| self.carriers.contains(carrier));
        let mut over = Vec::new();
        for carrier in self.gate.symbols.by_name(carriers) {
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
            let more = sent.at_least.beyond(&given);
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
        // What went back was not received, unless more was received than the rest.
        let (mut offered, mut went_back) = (Range::nothing(), Exact::zero());
        for shipment in &self.shipments {
            if shipment.to == Some(receiver) || shipment.to.is_none() && shipment.from != receiver {
                let back = shipment.back.clone().unwrap_or_default();
                let rest = shipment.amount.as_ref().map(|amount| amount.beyond(&back));
                offered.add(rest.as_ref());
                went_back += &back;
            }
        }
        // What a carrier says that he brought is the carrier's to answer for, not the receiver's.
        let mut brought = Range::nothing();
        for relay in self.relays.iter().filter(|relay| relay.to == Some(receiver)) {
            brought.add(relay.amount.as_ref());
        }
        if let (Some(shipped), Some(brought)) = (&offered.at_most, &brought.at_most) {
            let more = brought.beyond(shipped);
            offered.add(Some(&more));
        }
        // What bears the number of his own shipment, or comes from whom he sent some that came back, is his own;
        // so is what came beyond what was shipped to him, as far as he sent any.
        let mut own = self.take_home(receiver, &takings);
        let beyond = match &offered.at_most {
            Some(offered) => received.at_least.beyond(&own).beyond(offered),
            None => Exact::zero(),
        };
        let more = self.take_home_without_papers(receiver, &beyond, &takings);
        own += &more;
        let mut beyond = beyond.beyond(&more).beyond(&went_back);
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
            shipped: received.at_least.beyond(&beyond),
            received: received.at_least,
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
                over += &got.at_least.beyond(&sent);
            }
        }
        over
    }

    /// What was shipped, did not come back and did not arrive, by receiver and sender.
    fn in_transit(&self, mut arrived: HashMap<Symbol, Range, BySymbol>) -> Vec<InTransit> {
        let mut rows: BTreeMap<(&str, &str), InTransit> = BTreeMap::new();
        for shipment in &self.shipments {
            let left = Range::of(shipment.amount.as_ref());
            let back = Range::of(Some(shipment.back.as_ref().unwrap_or(&Exact::zero())));
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
                    receivers = self.gate.symbols.by_name(arrived.keys().copied());
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
