//! Steps and their inputs, as the policy sees them.

use std::collections::BTreeMap;

use num_rational::BigRational;
use num_traits::{One as _, Zero as _};

use super::{Product, agreed, complete, number, party::in_force, put, rational};
use crate::{
    policy::view::{Amounts, Assurance, Cost, Fact, InputFacts, Licence, Stated, StepFacts},
    provenance::{
        Projection,
        amount::{Amount, Exact, Tally, Unit},
        assurance::Backing,
        fact::{self, Leg, Other, Role},
        history::History,
        span::{LotKey, Span},
        symbol::Symbol,
    },
    time::utc_date,
    wire::v1::{self, event::Kind},
};

/// An input while it is being put together: how much of one lot, on which statements.
#[derive(Default)]
struct Gathered {
    assurance: Option<Assurance>,
    amounts: Tally,
    costs: Vec<Fact<Cost>>,
    quantities: Option<Assurance>,
}

/// The lists that only the encoded event has.
#[derive(Default)]
struct Details {
    inputs: Vec<v1::Item>,
    outputs: Vec<v1::Item>,
    licences: Vec<String>,
    licences_complete: Option<bool>,
    custody_model: String,
}

impl Details {
    fn of(kind: Option<Kind>) -> Self {
        match kind {
            Some(Kind::Transformed(event)) => Self {
                inputs: event.inputs,
                outputs: event.outputs,
                licences: event.licences,
                licences_complete: event.licences_complete,
                custody_model: event.custody_model,
            },
            Some(Kind::Assembled(event)) => Self {
                inputs: event.items,
                licences: event.licences,
                licences_complete: event.licences_complete,
                custody_model: event.custody_model,
                ..Self::default()
            },
            Some(Kind::Recycled(event)) => Self {
                inputs: event.inputs,
                outputs: event.outputs,
                licences: event.licences,
                licences_complete: event.licences_complete,
                custody_model: event.custody_model,
            },
            Some(Kind::Split(event)) => Self {
                outputs: event.into,
                ..Self::default()
            },
            Some(Kind::Merged(event)) => Self {
                inputs: event.from,
                ..Self::default()
            },
            _ => Self::default(),
        }
    }
}

impl Projection {
    /// The steps that a lot came out of, as composed at `clock`, in order of (issuer, event id).
    pub(super) fn productions(
        &self,
        history: &History,
        product: Option<&Product>,
        clock: i64,
    ) -> Vec<StepFacts> {
        let by_role = |role: Role| {
            let mut facts: Vec<u32> = history
                .makings
                .iter()
                .filter(|making| making.role == role)
                .map(|making| making.touch.fact)
                .collect();
            facts.sort_by(|a, b| {
                let key = |fact: u32| (self.issuer_of(fact), self.event_id_of(fact));
                key(*a).cmp(&key(*b))
            });
            facts.dedup();
            facts
        };
        let mut steps: Vec<StepFacts> = by_role(Role::Output)
            .into_iter()
            .map(|fact| self.step_facts(history, fact, product, clock))
            .collect();
        let composed: Vec<u32> = by_role(Role::Parent)
            .into_iter()
            .filter(|fact| self.fact(*fact).event_time < clock)
            .collect();
        if !composed.is_empty() {
            let parts = composed
                .into_iter()
                .map(|fact| self.step_facts(history, fact, product, clock))
                .collect();
            steps.extend(compose(parts));
        }
        if !steps.is_empty() {
            return steps;
        }
        // Serials that were put out of a step are what their class lot is made of.
        let classes = by_role(Role::Class);
        if !classes.is_empty() {
            return classes
                .into_iter()
                .map(|fact| self.step_facts(history, fact, product, clock))
                .collect();
        }
        by_role(Role::Made)
            .into_iter()
            .map(|fact| {
                let mut step = self.step_facts(history, fact, product, clock);
                self.take_from_class(history, fact, &mut step);
                step
            })
            .collect()
    }

    /// A serial that was only commissioned is a piece split off its class lot.
    fn take_from_class(&self, history: &History, fact: u32, step: &mut StepFacts) {
        let member = history
            .makings
            .iter()
            .any(|making| making.touch.fact == fact && self.leg(making.touch).serial);
        let Some(class) = self
            .other_leg(fact, Role::Class)
            .map(|leg| leg.span.key())
            .filter(|class| member && *class != history.key)
        else {
            return;
        };
        let assurance = self.backing(fact).of("inputs");
        let one = Some(Fact::new(BigRational::one(), assurance));
        step.step = Some(Fact::new("split".to_owned(), assurance));
        step.inputs_complete = Some(Fact::new(true, assurance));
        step.share.clone_from(&one);
        step.inputs = vec![InputFacts {
            lot: self.name(class),
            assurance,
            consumed: Amounts {
                count: one,
                ..Amounts::default()
            },
            sellers: Vec::new(),
            owners: Vec::new(),
            titles_complete: None,
        }];
    }

    fn step_facts(&self, history: &History, number: u32, product: Option<&Product>, clock: i64) -> StepFacts {
        let said = self.fact(number);
        let reading = &said.reading;
        let backing = self.backing(number);
        let own = self.is_own_word(number);
        let stated =
            |symbol: Symbol, path: &str| self.text(symbol).map(|text| Fact::new(text, backing.of(path)));
        let place = self.directory.facility(reading.facility, said.event_time);
        let details = Details::of(self.event_of(number).and_then(|event| event.kind));
        let operator = self.operator(number);
        let licences_assurance = backing.of("licences");
        let mut produced = Amounts::default();
        let span = Span::from(history.key);
        let outputs = reading
            .legs
            .iter()
            .filter(|leg| leg.role.makes() && leg.span.contains(history.key));
        for leg in outputs {
            self.put_leg(&mut produced, leg, span, &details.outputs, &backing);
        }
        if produced == Amounts::default() {
            // A class lot of which the event names the serials alone.
            let members: u64 = reading
                .legs
                .iter()
                .filter(|leg| leg.serial && leg.role.makes())
                .map(|leg| leg.span.count())
                .sum();
            if members > 0 {
                put(&mut produced, &Amount::pieces(members), backing.of("quantities"));
            }
        }
        complete(&mut produced, product);
        StepFacts {
            step: stated(reading.step, "step.step"),
            operator: stated(operator, "step.operator"),
            principal: match reading.principal {
                Other::Named(party) => {
                    stated(party, "step.principal").map(|fact| Fact::new(Some(fact.value), fact.assurance))
                }
                // That an imported document names nobody is not its party's word for anything.
                Other::Not if own => Some(Fact::new(None, backing.of("step.principal"))),
                Other::Not | Other::Sealed => None,
            },
            facility: stated(reading.facility, "step.facility"),
            country: place.and_then(|place| stated(place.country, "step.facility")),
            subdivision: place.and_then(|place| stated(place.subdivision, "step.facility")),
            date: utc_date(said.event_time),
            inputs: self.inputs(number, &details, &backing, clock),
            inputs_complete: reading
                .inputs_complete
                .filter(|_| own)
                .map(|complete| Fact::new(complete, backing.of("inputs_complete"))),
            produced,
            share: self.share(history, number, &details, &backing),
            custody_model: (!details.custody_model.is_empty())
                .then(|| Fact::new(details.custody_model.clone(), backing.of("step.custody_model"))),
            licences: details
                .licences
                .iter()
                .map(|licence| {
                    let licence = self.licence(operator, licence, said.event_time);
                    Fact::new(licence, licences_assurance)
                })
                .collect(),
            licences_complete: details
                .licences_complete
                .filter(|_| own)
                .map(|complete| Fact::new(complete, backing.of("licences_complete"))),
        }
    }

    /// What the operator declared of a licence that the step names.
    fn licence(&self, operator: Symbol, licence: &str, time: i64) -> Licence {
        let declared = self.licences_of(operator, time.saturating_add(1));
        declared
            .and_then(|(_, declared)| {
                declared
                    .licences
                    .into_iter()
                    .find(|one| one.licence == licence && in_force(one, time))
            })
            .map_or_else(
                || Licence {
                    licence: licence.to_owned(),
                    licensor: None,
                    effective_control: None,
                },
                |one| Licence {
                    licence: one.licence,
                    licensor: (!one.licensor.is_empty()).then_some(one.licensor),
                    effective_control: one.effective_control,
                },
            )
    }

    fn put_leg(&self, amounts: &mut Amounts, leg: &Leg, span: Span, items: &[v1::Item], backing: &Backing) {
        let assurance = backing.of("quantities");
        if let Some(amount) = self.amount(leg, span) {
            put(amounts, &amount, assurance);
        }
        let item = (!leg.serial).then(|| items.get(usize::from(leg.item))).flatten();
        for quantity in item
            .into_iter()
            .flat_map(|item| [&item.mass, &item.energy])
            .flatten()
        {
            if let Some(value) = crate::quantity::parse_decimal(&quantity.value) {
                put(amounts, &Amount::of(value, &quantity.unit), assurance);
            }
        }
    }

    /// What went into a step and was still there at `clock`, by lot; serials of one class lot as so many of it.
    fn inputs(&self, number: u32, details: &Details, backing: &Backing, clock: i64) -> Vec<InputFacts> {
        let mut gathered: BTreeMap<String, (LotKey, Gathered, Amounts)> = BTreeMap::new();
        let said = self.fact(number);
        let parent = self.other_leg(number, Role::Parent).map(|leg| leg.span.key());
        for leg in said.reading.legs.iter().filter(|leg| leg.role.uses()) {
            let cut = if leg.serial {
                self.tracks.pieces(leg.span, |touch| {
                    let role = self.leg(touch).role;
                    role.makes() || role == Role::Removed
                })
            } else {
                vec![leg.span]
            };
            for piece in cut {
                let gone = parent.filter(|_| leg.role == Role::Child).is_some_and(|parent| {
                    self.exit(piece.key(), parent, number).is_some_and(|exit| {
                        let whole = leg.serial || self.other_leg(exit, Role::Removed).is_none();
                        whole && self.fact(exit).event_time < clock
                    })
                });
                if gone {
                    continue;
                }
                let history = self.history(piece.key());
                let class = self.class_of(&history).filter(|_| leg.serial);
                // Serials without a class lot are inputs each; a run of them shares one history, so it stands
                // for all of them as so many of the first.
                let key = class.unwrap_or_else(|| piece.key());
                let (_, input, amounts) = gathered
                    .entry(self.name(key))
                    .or_insert_with(|| (key, Gathered::default(), Amounts::default()));
                let assurance = backing.of("inputs");
                input.assurance = Some(input.assurance.map_or(assurance, |known| known.min(assurance)));
                input.amounts.add(self.amount(leg, piece).as_ref());
                input.quantities = Some(backing.of("quantities"));
                if !leg.serial
                    && let Some(item) = details.inputs.get(usize::from(leg.item))
                {
                    for quantity in [&item.mass, &item.energy].into_iter().flatten() {
                        if let Some(value) = crate::quantity::parse_decimal(&quantity.value) {
                            put(
                                amounts,
                                &Amount::of(value, &quantity.unit),
                                backing.of("quantities"),
                            );
                        }
                    }
                    input.costs.extend(item.cost.as_ref().and_then(|cost| {
                        let cost = Cost {
                            value: number_of(&cost.value)?,
                            currency: cost.currency.clone(),
                            basis: cost.basis.clone(),
                        };
                        Some(Fact::new(cost, backing.of("costs")))
                    }));
                }
            }
        }
        if let Some(parent) = parent {
            self.subtract_removed(parent, number, clock, &mut gathered);
        }
        gathered
            .into_iter()
            .map(|(lot, (key, input, mut consumed))| {
                let history = self.history(key);
                if !input.amounts.unknown {
                    for amount in input.amounts.amounts() {
                        put(
                            &mut consumed,
                            &amount,
                            input.quantities.unwrap_or(Assurance::Reported),
                        );
                    }
                    complete(&mut consumed, self.product_facts(&history).as_ref());
                }
                consumed.costs = input.costs;
                let (sellers, titles_complete) = self.sellers(&history, number);
                InputFacts {
                    lot,
                    assurance: input.assurance.unwrap_or(Assurance::Reported),
                    consumed,
                    // Whoever sells it has the title to sell: nothing else says who owned it.
                    owners: sellers.clone(),
                    sellers,
                    titles_complete,
                }
            })
            .collect()
    }

    /// Takes out of the inputs what was removed from the parent again, of lots that count in amounts.
    fn subtract_removed(
        &self,
        parent: LotKey,
        entered: u32,
        clock: i64,
        gathered: &mut BTreeMap<String, (LotKey, Gathered, Amounts)>,
    ) {
        for touch in self.tracks.of(parent) {
            let fact = self.fact(touch.fact);
            if self.leg(touch).role != Role::Dismantled
                || fact.event_time >= clock
                || self.order(touch.fact) < self.order(entered)
                || !self.counts(touch.fact)
            {
                continue;
            }
            for leg in fact
                .reading
                .legs
                .iter()
                .filter(|leg| leg.role == Role::Removed && !leg.serial)
            {
                let Some((_, input, amounts)) = gathered.get_mut(&self.name(leg.span.key())) else {
                    continue;
                };
                match self.amount(leg, leg.span) {
                    Some(amount) => {
                        if let Some(sum) = input.amounts.sums.get_mut(&amount.unit) {
                            *sum -= &amount.value;
                            if sum.is_negative() {
                                *sum = Exact::zero();
                            }
                        }
                        // What else was stated was stated of all of it.
                        *amounts = Amounts::default();
                    }
                    None => input.amounts.unknown = true,
                }
            }
        }
    }

    /// Who sold a lot into a step: the transfers of title to its parties, signed by somebody who may.
    fn sellers(&self, history: &History, step: u32) -> (Vec<Fact<String>>, Stated<bool>) {
        let said = self.fact(step);
        let mut consumers = vec![self.actor(step), self.operator(step)];
        consumers.extend(said.reading.principal.named());
        let mut sellers: BTreeMap<String, Assurance> = BTreeMap::new();
        let mut complete: Stated<bool> = None;
        for moment in &history.moments {
            let fact = moment.touch.fact;
            let transfer = self.fact(fact);
            if moment.role != Role::Sold
                || transfer.event_time > said.event_time
                || transfer
                    .reading
                    .to
                    .named()
                    .is_some_and(|buyer| !consumers.contains(&buyer))
            {
                continue;
            }
            let by_buyer = consumers.contains(&self.actor(fact));
            if !(self.is_own_word(fact) && by_buyer || self.has_standing(history, fact)) {
                continue;
            }
            let assurance = self.backing(fact).of("titles");
            if let Some(seller) = transfer.reading.from.named() {
                let known = sellers
                    .entry(self.symbols.name(seller).to_owned())
                    .or_insert(assurance);
                *known = assurance.max(*known);
            }
            // Only the buyer knows from whom else he bought.
            if by_buyer
                && let Some(Kind::TitleTransferred(event)) = self.event_of(fact).and_then(|event| event.kind)
                && let Some(claimed) = event.titles_complete
            {
                let sealed = transfer.reading.from == Other::Sealed;
                complete = Some(Fact::new(claimed && !sealed, assurance));
            }
        }
        let sellers = sellers
            .into_iter()
            .map(|(seller, assurance)| Fact::new(seller, assurance))
            .collect();
        (sellers, complete)
    }

    /// Which part of the step's inputs belongs to the lot.
    fn share(
        &self,
        history: &History,
        number: u32,
        details: &Details,
        backing: &Backing,
    ) -> Stated<BigRational> {
        let reading = &self.fact(number).reading;
        let assurance = backing.of("quantities");
        let key = history.key;
        let class = self.other_leg(number, Role::Class).map(|leg| leg.span.key());
        let serial_legs: Vec<&Leg> = reading
            .legs
            .iter()
            .filter(|leg| leg.serial && leg.role.makes())
            .collect();
        let members: u64 = serial_legs.iter().map(|leg| leg.span.count()).sum();
        let items: Vec<&Leg> = reading
            .legs
            .iter()
            .filter(|leg| !leg.serial && leg.role.makes())
            .collect();
        // The serials are one output: their class lot, which may be among the items.
        let class_item = items.iter().position(|leg| class == Some(leg.span.key()));
        let outputs = items.len() + usize::from(members > 0 && class_item.is_none());
        let is_member = serial_legs.iter().any(|leg| leg.span.contains(key));
        let of_output = |leg: Option<&Leg>| -> Option<BigRational> {
            if outputs == 1 {
                return Some(BigRational::one());
            }
            if let Some(stated) = leg
                .and_then(|leg| details.outputs.get(usize::from(leg.item)))
                .and_then(|item| number_of(&item.share))
            {
                return Some(stated);
            }
            let mut total = Exact::zero();
            for leg in &items {
                total += &self.kilograms(leg)?;
            }
            if class_item.is_none() {
                for leg in &serial_legs {
                    total += &self.kilograms(leg)?;
                }
            }
            let mut mine = Exact::zero();
            match leg {
                Some(leg) => mine += &self.kilograms(leg)?,
                None => {
                    for leg in &serial_legs {
                        mine += &self.kilograms(leg)?;
                    }
                }
            }
            let total = rational(&total);
            (!total.is_zero()).then(|| rational(&mine) / total)
        };
        let share = if is_member {
            let class_leg = class_item.and_then(|at| items.get(at)).copied();
            let pieces = class_leg
                .and_then(|leg| self.amount(leg, leg.span))
                .filter(|amount| amount.unit == Unit::Pieces)
                .map_or_else(
                    || BigRational::from_integer(members.into()),
                    |amount| rational(&amount.value),
                );
            (!pieces.is_zero()).then_some(())?;
            of_output(class_leg)? / pieces
        } else {
            of_output(items.iter().find(|leg| leg.span.contains(key)).copied())?
        };
        Some(Fact::new(share, assurance))
    }

    fn kilograms(&self, leg: &fact::Leg) -> Option<Exact> {
        self.mass(leg)
            .filter(|mass| mass.unit.is("KGM"))
            .map(|mass| mass.value)
    }
}

fn number_of(text: &str) -> Option<BigRational> {
    number(text)
}

/// Several events that composed one thing are one step: with all their parts, and the rest as far as they
/// agree.
fn compose(parts: Vec<StepFacts>) -> Option<StepFacts> {
    if parts.len() < 2 {
        return parts.into_iter().next();
    }
    let each = |get: fn(&StepFacts) -> Stated<String>| agreed(parts.iter().map(get));
    let complete = agreed(parts.iter().map(|part| part.inputs_complete.clone()));
    let mut step = StepFacts {
        step: each(|part| part.step.clone()),
        operator: each(|part| part.operator.clone()),
        principal: agreed(parts.iter().map(|part| part.principal.clone())),
        facility: each(|part| part.facility.clone()),
        country: each(|part| part.country.clone()),
        subdivision: each(|part| part.subdivision.clone()),
        date: parts.iter().filter_map(|part| part.date).max(),
        inputs_complete: complete,
        custody_model: each(|part| part.custody_model.clone()),
        licences_complete: agreed(parts.iter().map(|part| part.licences_complete.clone())),
        ..StepFacts::default()
    };
    for part in parts {
        step.produced = part.produced;
        step.share = part.share;
        step.inputs.extend(part.inputs);
        step.licences.extend(part.licences);
    }
    Some(step)
}
