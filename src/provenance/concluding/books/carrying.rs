//! What is only carried: by carriers, and by traders who also carry. It is in nobody's account while it is carried.

use std::collections::{HashMap, HashSet};

use super::{
    super::{
        super::{
            amount::Exact,
            filing::{
                fact::Role,
                span::Span,
                symbol::{BySymbol, Symbol},
            },
            gate::{Gate, moments::Moment},
        },
        history::History,
    },
    clerk::Clerk,
};

/// Who carries to whom; of a class lot, which serials, if they have names.
pub(super) type Load = (Symbol, Symbol, Option<Span>);

impl Clerk<'_> {
    /// Works out what a trader who also carries took over to carry, by his receipt of a shipment that names him as
    /// its carrier: under its number, or from its sender. He may pass it on under a number of his own.
    pub(super) fn load(&mut self) {
        let gate = self.gate;
        let mut by_number: HashMap<(Symbol, Symbol), Symbol> = HashMap::new();
        let mut by_sender: HashMap<(Symbol, Symbol), Symbol> = HashMap::new();
        for moment in self.history.moments.iter().filter(|one| one.role == Role::Sent) {
            let reading = &gate.fact(moment.touch.fact).reading;
            if let (Some(carrier), Some(to)) = (reading.carrier.named(), reading.to.named())
                && carrier != to
            {
                if reading.reference.is_some() {
                    by_number.insert((carrier, reading.reference), to);
                }
                by_sender.insert((carrier, gate.actor(moment.touch.fact)), to);
            }
        }
        if by_sender.is_empty() {
            return;
        }
        for moment in &self.history.moments {
            let fact = moment.touch.fact;
            let reading = &gate.fact(fact).reading;
            let actor = gate.actor(fact);
            if self.carriers.contains(&actor) || !self.gate.is_flow(moment) {
                continue;
            }
            let amount = self.measure.read(gate, moment).amount.unwrap_or_default();
            let numbered = by_number.get(&(actor, reading.reference)).copied();
            let from = self.carried_from(moment);
            let from = from.and_then(|sender| by_sender.get(&(actor, sender)).copied());
            let (to, takes_over) = match moment.role {
                Role::Taken => (numbered.or(from), true),
                Role::Sent => (numbered, false),
                Role::Handed => (reading.to.named(), false),
                _ => continue,
            };
            let Some(to) = to else { continue };
            let load = self.loads.entry((actor, to, moment.member)).or_default();
            if takes_over {
                *load += &amount;
            } else {
                *load = load.beyond(&amount);
            }
        }
    }

    /// How much of a shipment is a load that its sender took over to carry there; it is the sender's no longer.
    pub(super) fn unload(&mut self, moment: &Moment, amount: Option<&Exact>) -> Option<Exact> {
        let fact = moment.touch.fact;
        let to = self.gate.fact(fact).reading.to.named()?;
        let load = self.loads.get_mut(&(self.gate.actor(fact), to, moment.member))?;
        let part = load.clone().min(amount?.clone());
        *load -= &part;
        (!part.is_zero()).then_some(part)
    }

    /// Whether a shipment or receipt moves what its party only carries.
    pub(super) fn passes_on(&self, moment: &Moment) -> bool {
        let fact = moment.touch.fact;
        let reading = &self.gate.fact(fact).reading;
        let party = self.gate.actor(fact);
        self.carriers.contains(&party)
            // A trader ships what is his, too: only the number says that this is not.
            || self.carried.numbers.contains(&(party, reading.reference))
            || moment.role == Role::Taken && self.carried_from(moment).is_some()
    }

    /// Of a receipt without a number: its consignor, if he had the receiver carry and shipped nothing to him.
    fn carried_from(&self, moment: &Moment) -> Option<Symbol> {
        let reading = &self.gate.fact(moment.touch.fact).reading;
        let pair = (reading.from.named()?, self.gate.actor(moment.touch.fact));
        let only_carried = self.carried.of.contains(&pair) && !self.carried.shipped.contains(&pair);
        (only_carried && !reading.reference.is_some()).then_some(pair.0)
    }
}

/// Who shipped to whom, and which shipments named a carrier.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Sender and consignee, whoever carried it.
    pub(super) shipped: HashSet<(Symbol, Symbol)>,
    /// Sender and carrier.
    pub(super) of: HashSet<(Symbol, Symbol)>,
    /// Carrier and consignee.
    pub(super) to: HashSet<(Symbol, Symbol)>,
    /// Carrier and number.
    pub(super) numbers: HashSet<(Symbol, Symbol)>,
}

impl Carried {
    pub(super) fn of(gate: Gate<'_>, history: &History) -> Self {
        let mut carried = Self::default();
        for moment in history.moments.iter().filter(|moment| moment.role == Role::Sent) {
            let reading = &gate.fact(moment.touch.fact).reading;
            let sender = gate.actor(moment.touch.fact);
            carried.shipped.extend(reading.to.named().map(|to| (sender, to)));
            let Some(carrier) = reading.carrier.named() else {
                continue;
            };
            carried.of.insert((sender, carrier));
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
pub(super) fn carriers(gate: Gate<'_>, history: &History) -> HashSet<Symbol, BySymbol> {
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
