//! What does not fit at one lot: balances, custody, makings, order in time, contested facts, yields.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    super::{
        amount::{Amount, Exact, Tally, Unit},
        filing::{fact::Role, span::Span, symbol::Symbol},
        gate::{Gate, moments::CLOCK_SLACK},
    },
    anomaly::{Anomaly, AnomalyKind, Weight},
    books::{Account, Books, Entry},
    graph,
    history::{self, History},
    measure, product,
};

/// Everything but circles that does not fit at the members of one piece, which share their history.
pub(in crate::provenance) fn of(gate: Gate<'_>, piece: Span) -> Arc<[Anomaly]> {
    gate.memory.judged(piece, || {
        let history = history::of(gate, piece.key());
        let books = super::books_of(gate, &history);
        let mut report = Report {
            gate,
            history: &history,
            books: &books,
            piece,
            found: Vec::new(),
        };
        report.balances();
        report.over_receipts();
        report.over_carried();
        report.late_withdrawals();
        report.makings();
        report.order();
        report.contested();
        report.yields();
        report.strangers();
        report.found.sort();
        report.found.dedup();
        report.found
    })
}

/// Collects the anomalies of one piece.
pub(super) struct Report<'a> {
    pub(super) gate: Gate<'a>,
    pub(super) history: &'a History,
    pub(super) books: &'a Books,
    pub(super) piece: Span,
    pub(super) found: Vec<Anomaly>,
}

impl Report<'_> {
    /// An anomaly at this piece. It names the facts, in order; `blamed` is whose word it rests on.
    pub(super) fn anomaly(
        &self,
        kind: AnomalyKind,
        blamed: u32,
        mut facts: Vec<u32>,
        detail: String,
    ) -> Anomaly {
        let gate = self.gate;
        facts.sort_by(|a, b| gate.compare(*a, *b));
        facts.dedup();
        let outputs = self.outputs_of(&facts);
        let (lot, last) = graph::names(gate, self.piece);
        let by_stranger = !self.history.admits(blamed);
        Anomaly {
            lot,
            last,
            kind,
            weighs_on: if by_stranger { Weight::Signer } else { Weight::Lot },
            signer: gate.issuer_of(blamed).to_owned(),
            facts: facts.iter().map(|fact| gate.key_of(*fact)).collect(),
            outputs,
            amounts: Vec::new(),
            detail,
            by_stranger,
        }
    }

    /// The lots that facts made out of this one.
    fn outputs_of(&self, facts: &[u32]) -> Vec<String> {
        let gate = self.gate;
        let key = self.history.key;
        let takes = |fact: u32| {
            let legs = &gate.fact(fact).reading.legs;
            legs.iter().any(|leg| {
                leg.role.uses()
                    && (leg.span.contains(key)
                        || (leg.serial && gate.class_lots(leg.span.key()).contains(&key)))
            })
        };
        let mut outputs: Vec<String> = facts
            .iter()
            .filter(|fact| takes(**fact))
            .flat_map(|fact| gate.run_of(*fact))
            .flat_map(|fact| &gate.fact(fact).reading.legs)
            .filter(|leg| leg.role.makes() && !leg.span.contains(key))
            .map(|leg| gate.name(leg.span.key()))
            .collect();
        outputs.sort();
        outputs.dedup();
        outputs
    }

    fn add(&mut self, kind: AnomalyKind, blamed: u32, facts: Vec<u32>, detail: String) {
        let anomaly = self.anomaly(kind, blamed, facts, detail);
        self.found.push(anomaly);
    }

    /// What one holder used and let go of beyond what came to him.
    fn balances(&mut self) {
        let (gate, books) = (self.gate, self.books);
        let shares_a_class = !self.history.classes.is_empty();
        let accounts = books.holders(gate);
        if self.history.is_serial && shares_a_class {
            // Which of its holders had this piece is only known where every movement names it: so what counts
            // is whether it was used more often than it came to be.
            self.spent_twice(&accounts);
            return;
        }
        for (party, account) in accounts {
            let unexplained = account.inflow.is_empty() && self.books.made.is_from_outside(self.history);
            if account.not_compared || unexplained {
                continue;
            }
            let Some(had) = account.total_in().at_most else {
                continue;
            };
            // What came in beyond what was shipped is named as that already.
            let mut had = had;
            had += &account.beyond_shipped;
            self.overdraft(party, account, &account.outflow, &had);
        }
    }

    fn spent_twice(&mut self, accounts: &[(Symbol, &Account)]) {
        let Some(mut had) = self.books.made.came_in.at_most.clone() else {
            return;
        };
        let mut uses: Vec<Entry> = Vec::new();
        for (_, account) in accounts {
            uses.extend(account.outflow.iter().filter(|entry| entry.role.uses()).cloned());
            for entry in &account.inflow {
                if matches!(entry.role, Role::Removed | Role::Dismantled) {
                    had += entry.amount.as_ref().unwrap_or(&Exact::zero());
                }
            }
        }
        if !self.history.is_made() {
            return;
        }
        let gate = self.gate;
        uses.sort_by(|a, b| gate.compare(a.fact, b.fact));
        let maker = accounts
            .iter()
            .find(|(_, account)| account.makes)
            .or_else(|| accounts.first());
        if let Some((party, account)) = maker {
            self.overdraft(*party, account, &uses, &had);
        }
    }

    fn overdraft(&mut self, party: Symbol, account: &Account, outflow: &[Entry], had: &Exact) {
        let gate = self.gate;
        let mut left = had.clone();
        let mut gone = Exact::zero();
        let mut beyond = Vec::new();
        // Scrapped is a state: what is shipped, shredded or scrapped again later may be what was scrapped before.
        let scraps = |entry: &&Entry| entry.role == Role::Consumed;
        let scrapped_more = |entry: &&Entry| entry.amount.as_ref().is_some_and(|amount| amount > had);
        let mut ordered: Vec<&Entry> = outflow
            .iter()
            .filter(|entry| !scraps(entry) || scrapped_more(entry))
            .collect();
        ordered.sort_by(|a, b| gate.compare(a.fact, b.fact));
        for entry in ordered {
            let Some(amount) = &entry.amount else { continue };
            left -= amount;
            gone += amount;
            if left.is_negative() && !amount.is_zero() {
                beyond.push(entry.fact);
            }
        }
        let mut over = gone.clone();
        over -= had;
        let Some(first) = beyond.first().copied() else {
            return;
        };
        if measure::is_within_tolerance(&self.books.unit, &over, had) {
            return;
        }
        // What was taken out of a parent again is told as never used.
        let back = account
            .inflow
            .iter()
            .filter(|entry| matches!(entry.role, Role::Removed | Role::Dismantled))
            .filter_map(|entry| entry.amount.as_ref());
        let mut had = had.clone();
        for amount in back {
            gone -= amount;
            had -= amount;
        }
        let (gone, had) = (self.books.amount(gone), self.books.amount(had));
        let name = gate.symbols.name(party);
        // The maker's account is the lot's own; another's touches only what he made and passed on.
        let (kind, weighs_on, detail) = if account.makes {
            let detail = format!("used {gone} of {had}");
            (AnomalyKind::ConsumedMoreThanMade, Weight::Lot, detail)
        } else {
            let detail = format!("{name} used and let go of {gone}, and had {had}");
            (AnomalyKind::UsedMoreThanHeld, Weight::Signer, detail)
        };
        let mut anomaly = self.anomaly(kind, first, beyond, detail);
        anomaly.weighs_on = weighs_on;
        if !account.makes {
            anomaly.outputs = self.outputs_behind(party);
        }
        anomaly.amounts = vec![gone, had];
        self.found.push(anomaly);
    }

    /// The lots made out of what came from a holder's account: by himself, and by those to whom he passed it on.
    fn outputs_behind(&self, party: Symbol) -> Vec<String> {
        let gate = self.gate;
        let mut reached = vec![party];
        let mut at = 0;
        while let Some(holder) = reached.get(at).copied() {
            at += 1;
            for moment in &self.history.moments {
                let fact = moment.touch.fact;
                if matches!(moment.role, Role::Sent | Role::Handed)
                    && gate.actor(fact) == holder
                    && let Some(to) = gate.fact(fact).reading.to.named()
                    && !reached.contains(&to)
                    && !self.books.accounts.get(&to).is_some_and(|account| account.makes)
                {
                    reached.push(to);
                }
            }
        }
        let facts: Vec<u32> = self
            .history
            .moments
            .iter()
            .filter(|moment| moment.role.uses() && moment.via.is_none())
            .map(|moment| moment.touch.fact)
            .filter(|fact| reached.contains(&gate.actor(*fact)))
            .collect();
        self.outputs_of(&facts)
    }

    /// Carriers who handed on more than they were given.
    fn over_carried(&mut self) {
        for over in &self.books.over_carried {
            let Some(first) = over.facts.first().copied() else {
                continue;
            };
            let carrier = self.gate.symbols.name(over.carrier);
            let (sent, given) = (
                self.books.amount(over.sent.clone()),
                self.books.amount(over.given.clone()),
            );
            let detail = format!("{carrier} handed on {sent}, and was given {given} to carry");
            let mut anomaly = self.anomaly(AnomalyKind::UsedMoreThanHeld, first, over.facts.clone(), detail);
            anomaly.weighs_on = Weight::Signer;
            anomaly.outputs = self.outputs_behind(over.carrier);
            anomaly.amounts = vec![sent, given];
            self.found.push(anomaly);
        }
    }

    /// Shipments withdrawn after they had arrived.
    fn late_withdrawals(&mut self) {
        for late in &self.books.late_withdrawals {
            let Some(first) = late.facts.first().copied() else {
                continue;
            };
            let beyond = self.books.amount(late.beyond.clone());
            let detail = format!("{beyond} of what was withdrawn had been received: it stays where it is");
            let mut anomaly = self.anomaly(AnomalyKind::VoidedAfterUse, first, late.facts.clone(), detail);
            anomaly.amounts = vec![beyond];
            self.found.push(anomaly);
        }
    }

    /// More received than was shipped.
    fn over_receipts(&mut self) {
        if self.history.is_serial && !self.history.classes.is_empty() {
            return;
        }
        for over in &self.books.over_receipts {
            let Some(first) = over.facts.first().copied() else {
                continue;
            };
            let receiver = self.gate.symbols.name(over.receiver);
            let beyond = over.received.beyond(&over.shipped);
            let (received, shipped) = (
                self.books.amount(over.received.clone()),
                self.books.amount(over.shipped.clone()),
            );
            let beyond = self.books.amount(beyond);
            let (kind, detail) = if over.shipped.is_zero() {
                (
                    AnomalyKind::ReceivedNeverShipped,
                    format!("{receiver} received {received}; no shipment to {receiver} fits"),
                )
            } else {
                (
                    AnomalyKind::ReceivedMoreThanShipped,
                    format!(
                        "{receiver} received {received} of {shipped} that were shipped: {beyond} out of nothing"
                    ),
                )
            };
            let mut anomaly = self.anomaly(kind, first, over.facts.clone(), detail);
            anomaly.weighs_on = Weight::Signer;
            anomaly.outputs = self.outputs_behind(over.receiver);
            anomaly.amounts = vec![received, shipped];
            self.found.push(anomaly);
        }
    }

    /// Who made it, and whether he may.
    fn makings(&mut self) {
        let gate = self.gate;
        let history = self.history;
        let first_makers: Vec<(Symbol, u32)> = history
            .makings
            .iter()
            .filter(|making| matches!(making.role, Role::Made | Role::Output) && making.own_word)
            .map(|making| (gate.actor(making.touch.fact), making.touch.fact))
            // Who was given some may add to it; only who says that he made it without having had any made it first.
            .filter(|(actor, _)| !self.received_some(*actor))
            .collect();
        let makers: BTreeSet<&str> = first_makers
            .iter()
            .map(|(actor, _)| gate.symbols.name(*actor))
            .collect();
        if makers.len() > 1 {
            let facts: Vec<u32> = first_makers.iter().map(|(_, fact)| *fact).collect();
            for (_, fact) in &first_makers {
                self.add(
                    AnomalyKind::CommissionedTwice,
                    *fact,
                    facts.clone(),
                    "made by more than one party".to_owned(),
                );
            }
        }
        if history.is_serial {
            self.thing_made_twice();
        }
        for making in &history.makings {
            let fact = making.touch.fact;
            if making.role == Role::Class {
                continue;
            }
            let actor = gate.actor(fact);
            let outside = history.owner.is_none()
                && gate.directory.has_namespaces(actor)
                && !self.books.made.is_from_outside(history);
            if outside && making.role != Role::Parent {
                self.add(
                    AnomalyKind::CommissionedOutsideNamespace,
                    fact,
                    vec![fact],
                    "the identifier belongs to nobody".to_owned(),
                );
            }
            let operator = gate.operator(fact);
            let issuer = gate.fact(fact).issuer;
            let for_himself = gate.fact(fact).reading.principal.named() == Some(actor);
            if operator != issuer && operator != actor && !for_himself && !gate.speaks_for(fact, operator) {
                let detail = format!("the operator is {}", gate.symbols.name(operator));
                self.add(AnomalyKind::IssuerNotOperator, fact, vec![fact], detail);
            }
        }
    }

    fn received_some(&self, party: Symbol) -> bool {
        self.books
            .accounts
            .get(&party)
            .is_some_and(|account| account.inflow.iter().any(|entry| entry.role == Role::Taken))
    }

    /// A thing commissioned again while it was there, by its maker, under another event.
    fn thing_made_twice(&mut self) {
        let gate = self.gate;
        for role in [Role::Made, Role::Output] {
            let facts: Vec<u32> = self
                .history
                .makings
                .iter()
                .filter(|making| making.role == role && making.own_word)
                .map(|making| making.touch.fact)
                .filter(|fact| {
                    // Reworked in place, or sorted into another lot, it comes out of a step that it went into.
                    !gate.run_of(*fact).iter().any(|other| {
                        let legs = &gate.fact(*other).reading.legs;
                        legs.iter()
                            .any(|leg| leg.role.uses() && leg.span.contains(self.history.key))
                    })
                })
                .filter(|fact| {
                    role == Role::Output
                        || self.books.made.counts(*fact)
                        || gate.leg_in(*fact, Role::Class).is_none()
                })
                .collect();
            let extra = facts
                .iter()
                .filter(|fact| !self.books.made.counts(**fact))
                .count();
            if facts.len() > 1 && extra > 0 {
                for fact in &facts {
                    self.add(
                        AnomalyKind::CommissionedTwice,
                        *fact,
                        facts.clone(),
                        "made more than once while it was there".to_owned(),
                    );
                }
            }
        }
    }

    /// Used by one party long before another made it. Of one party's bookings only totals can contradict.
    fn order(&mut self) {
        let gate = self.gate;
        let first = self
            .history
            .makings
            .iter()
            .map(|making| making.touch.fact)
            .min_by(|a, b| gate.compare(*a, *b));
        // What was only put back had come from somewhere.
        let Some(first) = first.filter(|_| !self.books.made.is_unknown(self.history)) else {
            return;
        };
        let made = gate.fact(first).event_time;
        let makers: Vec<Symbol> = self
            .history
            .makings
            .iter()
            .flat_map(|making| [gate.actor(making.touch.fact), gate.operator(making.touch.fact)])
            .collect();
        for moment in &self.history.moments {
            let fact = moment.touch.fact;
            if moment.role.uses()
                && moment.via.is_none()
                && !makers.contains(&gate.actor(fact))
                && gate.fact(fact).event_time < made.saturating_sub(CLOCK_SLACK)
            {
                self.add(
                    AnomalyKind::MadeBeforeInputs,
                    fact,
                    vec![first, fact],
                    format!("used before {}", crate::time::rfc3339(made)),
                );
            }
        }
    }

    /// Late corrections, and reports that differ.
    fn contested(&mut self) {
        let gate = self.gate;
        let mut facts: Vec<u32> = self
            .history
            .direct()
            .map(|moment| moment.touch.fact)
            .chain(self.history.out_of_count.iter().copied())
            .filter(|fact| gate.fact(*fact).contested)
            .collect();
        facts.sort_unstable();
        facts.dedup();
        let taken_apart: Vec<u32> = self
            .history
            .direct()
            .filter(|moment| moment.role == Role::Dismantled)
            .map(|moment| moment.touch.fact)
            .chain(self.history.out_of_count.iter().copied())
            .collect();
        for fact in taken_apart {
            if gate.leg_in(fact, Role::Dismantled).is_some()
                && let Some(mut facts) = gate.taken_apart_late(fact)
            {
                facts.push(fact);
                self.add(
                    AnomalyKind::VoidedAfterUse,
                    fact,
                    facts,
                    "others had taken it as it was: that it had been taken apart before waits until all of them \
                     second it, or somebody independent does"
                        .to_owned(),
                );
            }
        }
        let mut conflicts = BTreeSet::new();
        for fact in facts {
            for late in gate.late_amendments(fact) {
                let mut facts = late.relied;
                facts.extend([fact, late.amendment]);
                self.add(
                    AnomalyKind::VoidedAfterUse,
                    fact,
                    facts,
                    "others had relied on it: the correction waits until all of them second it, or somebody independent does"
                        .to_owned(),
                );
            }
            let versions = gate.versions(gate.fact(fact).issuer, gate.event_id_of(fact));
            if versions.len() > 1 && conflicts.insert(gate.key_of(fact)) {
                let counted = versions.iter().copied().find(|version| gate.counts(*version));
                let detail = format!("{} different reports under one id", versions.len());
                let counted = counted.unwrap_or(fact);
                self.add(AnomalyKind::ConflictingReport, counted, vec![counted], detail);
            }
        }
    }

    /// More mass out than in, where the list of inputs is complete.
    fn yields(&mut self) {
        let gate = self.gate;
        for making in &self.history.makings {
            let fact = making.touch.fact;
            let run = gate.run_of(fact);
            // What a split leaves in its parent is no loss, and a merge adds nothing: both balance by lots.
            let complete = run
                .iter()
                .any(|member| gate.fact(*member).reading.inputs_complete == Some(true));
            if making.role != Role::Output || !complete || !gate.is_own_word(fact) {
                continue;
            }
            let first = run.first().copied().unwrap_or(fact);
            let exceeded = gate.memory.step_yield(first, || exceeded_yield(gate, &run));
            if let Some(detail) = exceeded {
                self.add(AnomalyKind::YieldExceeded, fact, run, detail);
            }
        }
    }

    /// What parties without any part in the lot did with it. It is no fact about the lot.
    fn strangers(&mut self) {
        let gate = self.gate;
        for (fact, role) in self.history.strangers.clone() {
            // Who only imports what another says of himself does nothing with the lot.
            if !gate.counts(fact) || !gate.is_own_word(fact) {
                continue;
            }
            let party = gate.symbols.name(gate.actor(fact)).to_owned();
            let never = format!("{party} had never held any of it");
            match role {
                Role::Input | Role::Child | Role::Consumed => {
                    self.add(AnomalyKind::ConsumedWithoutCustody, fact, vec![fact], never);
                }
                Role::Sent | Role::Handed => {
                    self.add(AnomalyKind::ShippedWithoutCustody, fact, vec![fact], never);
                }
                Role::Taken => {
                    let detail = format!("no shipment to {party} fits");
                    self.add(AnomalyKind::ReceivedNeverShipped, fact, vec![fact], detail);
                }
                Role::Made | Role::Output | Role::Parent => {
                    let owner = self
                        .history
                        .owner
                        .map_or("nobody", |owner| gate.symbols.name(owner));
                    let detail = format!("the identifier belongs to {owner}");
                    self.add(
                        AnomalyKind::CommissionedOutsideNamespace,
                        fact,
                        vec![fact],
                        detail,
                    );
                    if self.history.is_made() {
                        self.add(
                            AnomalyKind::CommissionedTwice,
                            fact,
                            vec![fact],
                            "made by somebody else already".to_owned(),
                        );
                    }
                }
                Role::Packed
                | Role::Unpacked
                | Role::Emptied
                | Role::Removed
                | Role::Dismantled
                | Role::Returned
                | Role::Held
                | Role::Released
                | Role::Recalled
                | Role::RecallEnded => {
                    self.add(AnomalyKind::ActedWithoutStanding, fact, vec![fact], never);
                }
                Role::Opening
                | Role::Class
                | Role::Container
                | Role::Sold
                | Role::Crossed
                | Role::Seen
                | Role::About => {}
            }
        }
    }
}

/// How much more came out of a run than went in, in words; nothing if it did not, or if that is not known.
fn exceeded_yield(gate: Gate<'_>, run: &[u32]) -> Option<String> {
    let (mut masses_in, mut masses_out) = (Tally::default(), Tally::default());
    let legs = run
        .iter()
        .filter(|fact| gate.counts(**fact))
        .flat_map(|fact| &gate.fact(*fact).reading.legs);
    let mut has_inputs = false;
    for leg in legs {
        let tally = match leg.role {
            Role::Input => {
                has_inputs = true;
                &mut masses_in
            }
            Role::Output => &mut masses_out,
            _ => continue,
        };
        tally.add(product::mass_of_leg(gate, leg).as_ref());
    }
    let kilograms = |tally: &Tally| Amount {
        value: tally
            .sums
            .get(&Unit::of("KGM"))
            .cloned()
            .unwrap_or_else(Exact::zero),
        unit: Unit::of("KGM"),
    };
    let (went_in, came_out) = (kilograms(&masses_in), kilograms(&masses_out));
    let more = came_out.value.beyond(&went_in.value);
    let exceeds = !more.is_zero() && !measure::is_within_tolerance(&went_in.unit, &more, &went_in.value);
    // A mine has no inputs.
    (has_inputs && !masses_in.unknown && exceeds).then(|| format!("{came_out} out of {went_in}"))
}
