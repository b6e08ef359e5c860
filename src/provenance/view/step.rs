//! Steps and their inputs, as the policy sees them.

use std::{collections::BTreeMap, sync::Arc};

use num_rational::BigRational;
use num_traits::{One as _, Zero as _};

use super::{Concluded, Product, agreed, complete, number, numbers, party::in_force, put, rational};
use crate::{
    policy::view::{Amounts, Assurance, Cost, EventNumber, Fact, InputFacts, Licence, Stated, StepFacts},
    provenance::{
        amount::{Amount, Exact, Tally},
        concluding::{
            graph,
            history::{self, History},
            party as parties, product as products,
        },
        filing::{
            fact::{Leg, Other, Role},
            span::{LotKey, Span},
            symbol::Symbol,
        },
        gate::{amend::Counted, assurance::Backing},
    },
    time::utc_date,
    vocabulary::vocabulary,
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

/// One event of a run, with what only its encoding has.
struct Told {
    fact: u32,
    details: Details,
    backing: Arc<Backing>,
}

impl Concluded<'_> {
    /// The steps that a lot came out of, as composed at `clock`, in order of (issuer, event id). All events of
    /// one run are one step.
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
        let step = |fact: u32| self.step_facts(history, &self.told(fact), product, clock);
        let mut steps: Vec<StepFacts> = self.by_run(by_role(Role::Output)).into_iter().map(step).collect();
        let composed: Vec<u32> = by_role(Role::Parent)
            .into_iter()
            .filter(|fact| self.fact(*fact).event_time < clock)
            .collect();
        if !composed.is_empty() {
            steps.extend(compose(composed.into_iter().map(step).collect()));
        }
        if steps.is_empty() {
            // Serials that were put out of a step are what their class lot is made of.
            steps = self.by_run(by_role(Role::Class)).into_iter().map(step).collect();
        }
        if steps.is_empty() {
            steps = by_role(Role::Made)
                .into_iter()
                .map(|fact| {
                    let mut made = step(fact);
                    self.take_from_class(history, fact, &mut made);
                    made
                })
                .collect();
        }
        if self.holds_more(history, &steps, clock) {
            for step in &mut steps {
                step.inputs_complete = None;
            }
        }
        self.unsettle(history, steps, product, clock)
    }

    /// Whether something was put into a made thing that may be a battery of its own, and that no step names as a
    /// part: then the steps do not tell all that is in it.
    fn holds_more(&self, history: &History, steps: &[StepFacts], clock: i64) -> bool {
        let before = |fact: u32| self.fact(fact).event_time < clock;
        let legs = |fact: u32, role: Role| {
            let legs = &self.fact(fact).reading.legs;
            legs.iter().filter(move |leg| leg.role == role)
        };
        let put_in = history
            .direct()
            .filter(|moment| moment.role == Role::Container && before(moment.touch.fact));
        for packed in put_in
            .flat_map(|moment| legs(moment.touch.fact, Role::Packed).map(move |leg| (moment.touch.fact, leg)))
        {
            let (fact, leg) = packed;
            let taken_out = history
                .direct()
                .filter(|moment| moment.role == Role::Emptied && before(moment.touch.fact))
                .filter(|moment| self.compare(fact, moment.touch.fact).is_lt())
                .any(|moment| {
                    let mut out = legs(moment.touch.fact, Role::Unpacked).peekable();
                    out.peek().is_none() || out.any(|out| out.span.contains(leg.span.key()))
                });
            let inside = history::of(self.0, leg.span.key());
            let kind = self.product_facts(&inside);
            let kind = kind.as_ref().and_then(|product| product.kind.as_deref());
            let class = inside.classes.last().copied().filter(|_| leg.serial);
            let name = self.name(class.unwrap_or_else(|| leg.span.key()));
            let is_named = steps
                .iter()
                .flat_map(|step| &step.inputs)
                .any(|input| input.lot == name);
            if !taken_out && !is_named && vocabulary().keeps(kind, Some("cell")) != Some(false) {
                return true;
            }
        }
        false
    }

    /// One fact of each run.
    fn by_run(&self, facts: Vec<u32>) -> Vec<u32> {
        let mut seen: Vec<u32> = Vec::new();
        facts
            .into_iter()
            .filter(|fact| {
                let fresh = !seen.contains(fact);
                seen.extend(self.run_of(*fact));
                fresh
            })
            .collect()
    }

    /// Where a making is contested, neither it nor what would take its place is known: the inputs are those of
    /// all versions, and nobody's claim that they are all counts.
    fn unsettle(
        &self,
        history: &History,
        mut steps: Vec<StepFacts>,
        product: Option<&Product>,
        clock: i64,
    ) -> Vec<StepFacts> {
        // Whether a part was taken out again may be contested like the making itself.
        let contested = history
            .direct()
            .filter(|moment| moment.role.makes() || moment.role == Role::Dismantled)
            .any(|moment| self.counted(moment.touch.fact) == Counted::Contested);
        if !contested {
            return steps;
        }
        for fact in &history.alternatives {
            steps.push(self.step_facts(history, &self.told(*fact), product, clock));
        }
        let mut unsettled: Vec<StepFacts> = compose(steps).into_iter().collect();
        for step in &mut unsettled {
            step.inputs_complete = None;
            step.share = None;
        }
        unsettled
    }

    fn told(&self, fact: u32) -> Vec<Told> {
        self.run_of(fact)
            .into_iter()
            .filter(|member| *member == fact || self.counts(*member))
            .map(|member| Told {
                fact: member,
                details: Details::of(self.event_of(member).and_then(|event| event.kind)),
                backing: self.backing(member),
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
            .leg_in(fact, Role::Class)
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
            titled_by: Vec::new(),
        }];
    }

    /// What the events of a run agree on: the value of all that state one, at the weakest assurance.
    fn common(&self, run: &[Told], path: &str, get: impl Fn(u32) -> Symbol) -> Stated<String> {
        agreed(run.iter().filter(|told| get(told.fact).is_some()).map(|told| {
            self.text(get(told.fact))
                .map(|text| Fact::new(text, told.backing.of(path)))
        }))
    }

    fn step_facts(
        &self,
        history: &History,
        run: &[Told],
        product: Option<&Product>,
        clock: i64,
    ) -> StepFacts {
        let Some(first) = run.first() else {
            return StepFacts::default();
        };
        let said = self.fact(first.fact);
        let own = run.iter().all(|told| self.is_own_word(told.fact));
        let weakest = |path: &str| run.iter().map(|told| told.backing.of(path)).min();
        let place = self.directory.facility(said.reading.facility, said.event_time);
        let operator = self.operator(first.fact);
        let facts: Vec<u32> = run.iter().map(|told| told.fact).collect();
        let principals: Vec<Other> = facts
            .iter()
            .map(|fact| self.fact(*fact).reading.principal)
            .collect();
        let named = principals.iter().find_map(|principal| principal.named());
        let principal = if principals.contains(&Other::Sealed) {
            None
        } else if named.is_some() {
            self.common(run, "step.principal", |fact| {
                self.fact(fact).reading.principal.named().unwrap_or_default()
            })
            .map(|fact| Fact::new(Some(fact.value), fact.assurance))
        } else {
            // That an imported document names nobody is not its party's word for anything.
            weakest("step.principal")
                .filter(|_| own)
                .map(|assurance| Fact::new(None, assurance))
        };
        let at_place = |symbol: Symbol| {
            let text = self.text(symbol)?;
            Some(Fact::new(text, weakest("step.facility")?))
        };
        StepFacts {
            step: self.common(run, "step.step", |fact| self.fact(fact).reading.step),
            // Who only imported a document did not work.
            operator: self.common(run, "step.operator", |fact| {
                let operator = self.operator(fact);
                // Who commissions something and does not say where gives a number to what he may only have.
                let is_numbering =
                    self.leg_in(fact, Role::Made).is_some() && !self.fact(fact).reading.facility.is_some();
                if parties::is_stated(self.0, fact, operator) && !is_numbering {
                    operator
                } else {
                    Symbol::NONE
                }
            }),
            principal,
            facility: self.common(run, "step.facility", |fact| self.fact(fact).reading.facility),
            country: place.and_then(|place| at_place(place.country)),
            subdivision: place.and_then(|place| at_place(place.subdivision)),
            date: run
                .iter()
                .filter_map(|told| utc_date(self.fact(told.fact).event_time))
                .max(),
            inputs: self.inputs(run, clock),
            inputs_complete: graph::complete(self.0, &facts)
                .filter(|_| own)
                .and_then(|complete| Some(Fact::new(complete, weakest("inputs_complete")?))),
            produced: self.produced(history, run, product),
            share: self.share(history, run),
            custody_model: agreed(
                run.iter()
                    .filter(|told| !told.details.custody_model.is_empty())
                    .map(|told| {
                        let assurance = told.backing.of("step.custody_model");
                        Some(Fact::new(told.details.custody_model.clone(), assurance))
                    }),
            ),
            licences: run
                .iter()
                .flat_map(|told| told.details.licences.iter().map(move |licence| (told, licence)))
                .map(|(told, licence)| {
                    let licence = self.licence(operator, licence, said.event_time);
                    Fact::new(licence, told.backing.of("licences"))
                })
                .collect(),
            licences_complete: run
                .iter()
                .filter_map(|told| told.details.licences_complete)
                .reduce(|one, other| one && other)
                .filter(|_| own)
                .and_then(|complete| Some(Fact::new(complete, weakest("licences_complete")?))),
            told_by: numbers(facts.iter().copied().chain(self.taken_out_by(&facts, clock))),
            licensed_by: numbers(
                run.iter()
                    .filter(|told| !told.details.licences.is_empty())
                    .filter_map(|told| {
                        let time = self.fact(told.fact).event_time;
                        Some(self.licences_of(operator, time.saturating_add(1))?.0)
                    }),
            ),
        }
    }

    /// Events that took something out again of what a run composed, or off it.
    fn taken_out_by(&self, run: &[u32], clock: i64) -> Vec<u32> {
        let parents = run
            .iter()
            .filter_map(|fact| self.leg_in(*fact, Role::Parent))
            .map(|leg| leg.span.key());
        let mut out = Vec::new();
        for parent in parents {
            let history = history::of(self.0, parent);
            let moments = history
                .direct()
                .filter(|moment| matches!(moment.role, Role::Dismantled | Role::Emptied))
                .map(|moment| moment.touch.fact);
            out.extend(moments.filter(|fact| self.fact(*fact).event_time < clock));
        }
        out
    }

    /// How much of the lot came out of a run.
    fn produced(&self, history: &History, run: &[Told], product: Option<&Product>) -> Amounts {
        let span = Span::from(history.key);
        let mut sums = Tally::default();
        let mut produced = Amounts::default();
        let mut outputs = 0;
        for told in run {
            for leg in &self.fact(told.fact).reading.legs {
                if leg.role.makes() && leg.span.contains(history.key) {
                    outputs += 1;
                    self.put_leg(&mut produced, leg, span, &told.details.outputs, &told.backing);
                    sums.add(self.amount(leg, span).as_ref());
                }
            }
        }
        let assurance = run
            .iter()
            .map(|told| told.backing.of("quantities"))
            .min()
            .unwrap_or(Assurance::Reported);
        if outputs > 1 {
            // Told in several events or items: together.
            produced = Amounts::default();
            for amount in sums.amounts().iter().filter(|_| !sums.unknown) {
                put(&mut produced, amount, assurance);
            }
        }
        if produced == Amounts::default() {
            // A class lot of which the events name the serials alone.
            let members: u64 = run
                .iter()
                .flat_map(|told| &self.fact(told.fact).reading.legs)
                .filter(|leg| leg.serial && leg.role.makes())
                .map(|leg| leg.span.count())
                .sum();
            if members > 0 && !history.is_serial {
                put(&mut produced, &Amount::pieces(members), assurance);
            }
        }
        complete(&mut produced, product);
        produced
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

    /// What went into a run and was still there at `clock`, by lot; serials of one class lot as so many of it.
    fn inputs(&self, run: &[Told], clock: i64) -> Vec<InputFacts> {
        let mut gathered: BTreeMap<String, (LotKey, Gathered, Amounts)> = BTreeMap::new();
        for told in run {
            self.gather_inputs(told, clock, &mut gathered);
        }
        gathered
            .into_iter()
            .map(|(lot, (key, input, mut consumed))| {
                let history = history::of(self.0, key);
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
                let (sellers, titles_complete, titled_by) = self.sellers(&history, run);
                InputFacts {
                    lot,
                    assurance: input.assurance.unwrap_or(Assurance::Reported),
                    consumed,
                    // Whoever sells it has the title to sell: nothing else says who owned it.
                    owners: sellers.clone(),
                    sellers,
                    titles_complete,
                    titled_by,
                }
            })
            .collect()
    }

    fn gather_inputs(
        &self,
        told: &Told,
        clock: i64,
        gathered: &mut BTreeMap<String, (LotKey, Gathered, Amounts)>,
    ) {
        let Told {
            fact: number,
            details,
            backing,
        } = told;
        let number = *number;
        let said = self.fact(number);
        let parent = self.leg_in(number, Role::Parent).map(|leg| leg.span.key());
        for leg in said.reading.legs.iter().filter(|leg| leg.role.uses()) {
            let cut = if leg.serial {
                history::pieces(self.0, leg.span)
            } else {
                vec![leg.span]
            };
            for piece in cut {
                let gone = parent.filter(|_| leg.role == Role::Child).is_some_and(|parent| {
                    self.exit(piece.key(), parent, number).is_some_and(|exit| {
                        let whole = leg.serial || self.leg_in(exit, Role::Removed).is_none();
                        whole && self.fact(exit).event_time < clock && self.counted(exit) == Counted::Surely
                    })
                });
                if gone {
                    continue;
                }
                let history = history::of(self.0, piece.key());
                let class = history.classes.last().copied().filter(|_| leg.serial);
                // Serials without a class lot are inputs each; a run of them shares one history, so it stands
                // for all of them as so many of the first.
                let key = class.unwrap_or_else(|| piece.key());
                let (_, input, amounts) = gathered
                    .entry(self.name(key))
                    .or_insert_with(|| (key, Gathered::default(), Amounts::default()));
                let assurance = backing.of("inputs");
                // A lot that stands twice counts with both its masses, and where one is missing with neither.
                let again = input.assurance.is_some();
                input.assurance = Some(input.assurance.map_or(assurance, |known| known.min(assurance)));
                input.amounts.add(self.amount(leg, piece).as_ref());
                input.quantities = Some(backing.of("quantities"));
                let item = (!leg.serial)
                    .then(|| details.inputs.get(usize::from(leg.item)))
                    .flatten();
                let mut stated = Amounts::default();
                if let Some(item) = item {
                    for quantity in [&item.mass, &item.energy].into_iter().flatten() {
                        if let Some(value) = crate::quantity::parse_decimal(&quantity.value) {
                            let amount = Amount::of(value, &quantity.unit);
                            put(&mut stated, &amount, backing.of("quantities"));
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
                if again {
                    add_stated(amounts, stated);
                } else {
                    *amounts = stated;
                }
            }
        }
        if let Some(parent) = parent {
            self.subtract_removed(parent, number, clock, gathered);
        }
    }

    /// Takes out of the inputs what was removed from the parent again, of lots that count in amounts.
    fn subtract_removed(
        &self,
        parent: LotKey,
        entered: u32,
        clock: i64,
        gathered: &mut BTreeMap<String, (LotKey, Gathered, Amounts)>,
    ) {
        for moment in history::of(self.0, parent).direct() {
            let taken_apart = moment.touch.fact;
            let fact = self.fact(taken_apart);
            if moment.role != Role::Dismantled
                || fact.event_time >= clock
                || self.compare(taken_apart, entered).is_lt()
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
                            *sum = sum.beyond(&amount.value);
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
    fn sellers(
        &self,
        history: &History,
        run: &[Told],
    ) -> (Vec<Fact<String>>, Stated<bool>, Vec<EventNumber>) {
        let mut consumers = Vec::new();
        let mut until = i64::MIN;
        for told in run {
            let step = told.fact;
            consumers.extend([self.actor(step), self.operator(step)]);
            consumers.extend(self.fact(step).reading.principal.named());
            until = until.max(self.fact(step).event_time);
        }
        let mut sellers: BTreeMap<String, Assurance> = BTreeMap::new();
        let mut complete: Stated<bool> = None;
        let mut events = Vec::new();
        for moment in &history.moments {
            let fact = moment.touch.fact;
            let transfer = self.fact(fact);
            if moment.role != Role::Sold
                || transfer.event_time > until
                || transfer
                    .reading
                    .to
                    .named()
                    .is_some_and(|buyer| !consumers.contains(&buyer))
            {
                continue;
            }
            let by_buyer = consumers.contains(&self.actor(fact));
            if !(self.is_own_word(fact) && by_buyer || history.admits(fact)) {
                continue;
            }
            events.push(fact);
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
        (sellers, complete, numbers(events))
    }

    /// Which part of the run's inputs belongs to the lot.
    fn share(&self, history: &History, run: &[Told]) -> Stated<BigRational> {
        let assurance = run.iter().map(|told| told.backing.of("quantities")).min()?;
        let key = history.key;
        let class = run
            .iter()
            .find_map(|told| self.leg_in(told.fact, Role::Class))
            .map(|leg| leg.span.key());
        let made: Vec<(&Told, &Leg)> = run
            .iter()
            .flat_map(|told| {
                self.fact(told.fact)
                    .reading
                    .legs
                    .iter()
                    .map(move |leg| (told, leg))
            })
            .filter(|(_, leg)| leg.role.makes())
            .collect();
        let serial_legs: Vec<&Leg> = made
            .iter()
            .filter(|(_, leg)| leg.serial)
            .map(|(_, leg)| *leg)
            .collect();
        let members: u64 = serial_legs.iter().map(|leg| leg.span.count()).sum();
        let items: Vec<(&Told, &Leg)> = made.iter().filter(|(_, leg)| !leg.serial).copied().collect();
        // The serials are one output: their class lot, which may be among the items.
        let is_class = |leg: &Leg| class == Some(leg.span.key());
        let class_among_items = items.iter().any(|(_, leg)| is_class(leg));
        let mut lots: Vec<LotKey> = items.iter().map(|(_, leg)| leg.span.key()).collect();
        lots.sort_by_key(|lot| lot.order());
        lots.dedup();
        let outputs = lots.len() + usize::from(members > 0 && !class_among_items);
        let is_member = serial_legs.iter().any(|leg| leg.span.contains(key));
        let of_output = |lot: Option<LotKey>| -> Option<BigRational> {
            if outputs == 1 {
                return Some(BigRational::one());
            }
            let named = |leg: &Leg| lot.is_some_and(|lot| leg.span.contains(lot));
            let stated: Option<Vec<BigRational>> = items
                .iter()
                .filter(|(_, leg)| named(leg))
                .map(|(told, leg)| number_of(&told.details.outputs.get(usize::from(leg.item))?.share))
                .collect();
            if let Some(stated) = stated.filter(|stated| !stated.is_empty()) {
                return Some(stated.iter().sum());
            }
            let (mut total, mut mine) = (Exact::zero(), Exact::zero());
            for (_, leg) in &items {
                let mass = self.kilograms(leg)?;
                total += &mass;
                if named(leg) {
                    mine += &mass;
                }
            }
            if !class_among_items {
                for leg in &serial_legs {
                    let mass = self.kilograms(leg)?;
                    total += &mass;
                    if lot.is_none() {
                        mine += &mass;
                    }
                }
            }
            let total = rational(&total);
            (!total.is_zero()).then(|| rational(&mine) / total)
        };
        let share = if is_member {
            let class_legs: Vec<&Leg> = items
                .iter()
                .filter(|(_, leg)| is_class(leg))
                .map(|(_, leg)| *leg)
                .collect();
            let mut pieces = BigRational::zero();
            for leg in &class_legs {
                if let Some(amount) = self.pieces_of(leg) {
                    pieces += rational(&amount.value);
                }
            }
            if pieces.is_zero() {
                pieces = BigRational::from_integer(members.into());
            }
            (!pieces.is_zero()).then_some(())?;
            of_output(class.filter(|_| class_among_items))? / pieces
        } else {
            let lot = items.iter().any(|(_, leg)| leg.span.contains(key)).then_some(key);
            of_output(lot)?
        };
        Some(Fact::new(share, assurance))
    }

    fn kilograms(&self, leg: &Leg) -> Option<Exact> {
        products::mass_of_leg(self.0, leg)
            .filter(|mass| mass.unit.is("KGM"))
            .map(|mass| mass.value)
    }
}

/// Adds what is stated of one item to what is stated of another of the same lot.
fn add_stated(sum: &mut Amounts, more: Amounts) {
    let add = |sum: &mut Stated<BigRational>, more: Stated<BigRational>| {
        *sum = match (sum.take(), more) {
            (Some(one), Some(other)) => Some(Fact::new(
                one.value + other.value,
                one.assurance.min(other.assurance),
            )),
            _ => None,
        };
    };
    add(&mut sum.mass, more.mass);
    add(&mut sum.energy, more.energy);
    add(&mut sum.volume, more.volume);
    add(&mut sum.count, more.count);
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
        told_by: numbers(parts.iter().flat_map(|part| &part.told_by).map(|event| event.0)),
        licensed_by: numbers(
            parts
                .iter()
                .flat_map(|part| &part.licensed_by)
                .map(|event| event.0),
        ),
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
