//! The policy's view of a projection: [`View`] as evaluation wants it.
//!
//! What the evaluator sees of a lot is what counts of it: makings with standing before others, events that
//! were corrected left out, parts that were in the parent at the clock. What nobody said, or is sealed, is
//! not stated; where several steps that composed one thing disagree, neither is.

mod party;
mod step;

use std::{collections::BTreeMap, sync::Arc};

use num_rational::BigRational;
use time::Date;

use super::{
    Projection,
    amount::{Amount, Exact},
    concluding::{
        anomalies_of,
        anomaly::Weight,
        books_of,
        history::{self, History},
        product as products,
    },
    filing::{
        fact::Role,
        reading::may_state,
        symbol::Symbol,
        uses::{COMMISSIONED, TITLE_TRANSFERRED},
    },
    gate::Gate,
    memory::Declared,
};
use crate::{
    id::TreeSize,
    policy::view::{
        Amounts, Assurance, Attribute, Contradiction, EventNumber, Evidence, Fact, ListEdition, LotFacts,
        PartyFacts, Purpose, SignedEvent, Stated, View, WaiverFacts,
    },
    quantity::units::JOULE,
    time::{EventTime, RecordedAt, utc_date},
    wire::v1::{self, event::Kind},
};

/// A projection as policies see it, with what is known of the log around it.
#[derive(Clone, Copy, Debug)]
pub struct ProjectionView<'a> {
    gate: Gate<'a>,
    position: TreeSize,
    purpose: Purpose,
}

impl Projection {
    /// The view for evaluation. `position` is the size of the log whose events were applied, `purpose` what
    /// its genesis says it is for.
    pub fn view(&self, position: TreeSize, purpose: Purpose) -> ProjectionView<'_> {
        ProjectionView {
            gate: self.gate(),
            position,
            purpose,
        }
    }
}

impl View for ProjectionView<'_> {
    fn position(&self) -> u64 {
        self.position.get()
    }

    fn purpose(&self) -> Purpose {
        self.purpose
    }

    fn lot(&self, lot: &str, clock: Option<Date>) -> Option<Arc<LotFacts>> {
        Concluded(self.gate).lot(lot, clock.map_or(i64::MAX, day_end))
    }

    fn party(&self, party: &str, at: Date) -> Option<PartyFacts> {
        Concluded(self.gate).party_facts(party, day_end(at))
    }

    fn editions(&self, list: &str) -> Vec<ListEdition> {
        Concluded(self.gate).editions(list)
    }

    fn waivers(&self, lot: &str) -> Vec<WaiverFacts> {
        Concluded(self.gate).waivers(lot)
    }

    fn event(&self, number: EventNumber) -> SignedEvent {
        let fact = self.gate.fact(number.0);
        SignedEvent {
            leaf_index: fact.place.leaf_index.get(),
            signer: self.gate.issuer_of(number.0).to_owned(),
            event_id: self.gate.event_id_of(number.0).to_owned(),
            event_time: EventTime::from_nanos(fact.event_time),
            recorded_at: RecordedAt::from_nanos(fact.recorded_at),
        }
    }

    fn backing(&self, number: EventNumber, claim: &str) -> Assurance {
        self.gate.backing(number.0).of(claim)
    }
}

/// The first instant after a UTC day, in nanoseconds since the epoch.
fn day_end(date: Date) -> i64 {
    date.next_day()
        .map(|next| next.midnight().assume_utc().unix_timestamp_nanos())
        .and_then(|nanos| i64::try_from(nanos).ok())
        .unwrap_or(i64::MAX)
}

/// The last day that ends no later than the instant up to which something holds.
fn last_day(until: i64) -> Option<Date> {
    utc_date(until.saturating_sub(1))
}

/// A number of a party's declaration, exactly.
fn number(text: &str) -> Option<BigRational> {
    let value = crate::quantity::parse_decimal(text)?;
    Some(Amount::of(value, "").value.to_rational())
}

/// What policies see of an amount: energy in kilowatt hours, everything else in its base unit.
fn seen(amount: &Amount) -> BigRational {
    let value = amount.value.to_rational();
    if amount.unit.is(JOULE) {
        value / BigRational::from_integer(3_600_000.into())
    } else {
        value
    }
}

/// Puts an amount where it belongs by its unit; others are not asked for.
fn put(amounts: &mut Amounts, amount: &Amount, assurance: Assurance) {
    let place = match amount.unit.code() {
        "KGM" => &mut amounts.mass,
        JOULE => &mut amounts.energy,
        "LTR" => &mut amounts.volume,
        "" => &mut amounts.count,
        _ => return,
    };
    *place = Some(Fact::new(seen(amount), assurance));
}

/// Mass, energy and pieces follow from each other through the declared product.
fn complete(amounts: &mut Amounts, product: Option<&Product>) {
    let Some(product) = product else { return };
    if amounts.count.is_none()
        && let (Some(mass), Some(each)) = (&amounts.mass, &product.mass)
        && !each.value.is_zero()
    {
        let pieces = &mass.value / each.value.to_rational();
        amounts.count = Some(Fact::new(pieces, mass.assurance.min(product.assurance)));
    }
    let Some(count) = amounts.count.clone() else {
        return;
    };
    for (place, each, unit) in [
        (&mut amounts.mass, &product.mass, "KGM"),
        (&mut amounts.energy, &product.energy, JOULE),
    ] {
        if place.is_none()
            && let Some(each) = each.as_ref().filter(|each| each.unit.is(unit))
        {
            let total = &count.value * seen(each);
            *place = Some(Fact::new(total, count.assurance.min(product.assurance)));
        }
    }
}

/// What is declared of a lot's product.
#[derive(Debug)]
struct Product {
    fact: u32,
    declared: Arc<v1::ProductDeclared>,
    /// None: declared as one thing and, when it had left its maker, as another.
    kind: Option<String>,
    mass: Option<Amount>,
    energy: Option<Amount>,
    assurance: Assurance,
}

/// What the policy sees, put together from conclusions.
#[derive(Clone, Copy, Debug)]
struct Concluded<'a>(Gate<'a>);

impl<'a> std::ops::Deref for Concluded<'a> {
    type Target = Gate<'a>;

    fn deref(&self) -> &Gate<'a> {
        &self.0
    }
}

impl Concluded<'_> {
    fn product_facts(&self, history: &History) -> Option<Product> {
        let newest = products::declared(self.0, products::of_lot(self.0, history)?)?;
        let kind = products::has_one_kind(self.0, history, &newest).then(|| newest.declared.kind.clone());
        let Declared { fact, declared } = newest;
        let amount = |quantity: &Option<v1::Quantity>| {
            let quantity = quantity.as_ref()?;
            Some(Amount::of(
                crate::quantity::parse_decimal(&quantity.value)?,
                &quantity.unit,
            ))
        };
        // The owner of the product's identifier or the lot's maker describes it; others only report.
        let issuer = self.fact(fact).issuer;
        let owner = self.directory.owner(&self.symbols, &declared.product);
        let its_own = owner == Some(issuer) || self.makers(history).contains(&issuer);
        let backing = self.backing(fact).of("product");
        Some(Product {
            fact,
            kind,
            mass: amount(&declared.mass_per_piece),
            energy: amount(&declared.energy_per_piece),
            declared,
            assurance: if its_own || backing > Assurance::SupplierCertified {
                backing
            } else {
                Assurance::Reported
            },
        })
    }

    /// Who made a lot: those who acted and those who worked.
    fn makers(&self, history: &History) -> Vec<Symbol> {
        history
            .makings
            .iter()
            .flat_map(|making| [self.actor(making.touch.fact), self.operator(making.touch.fact)])
            .collect()
    }

    /// What the policy sees of a lot as composed at a clock.
    fn lot(&self, lot: &str, clock: i64) -> Option<Arc<LotFacts>> {
        let key = self.known(lot)?;
        Some(self.memory.lot_facts((key, clock), || {
            self.conclude_lot(lot, &history::of(self.0, key), clock)
        }))
    }

    fn conclude_lot(&self, lot: &str, history: &History, clock: i64) -> LotFacts {
        let product = self.product_facts(history);
        let mut produced = Amounts::default();
        let books = books_of(self.0, history);
        let made = &books.made.total;
        if history.is_made() && made.at_most.as_ref() == Some(&made.at_least) {
            let assurance = history
                .makings
                .iter()
                .map(|making| self.backing(making.touch.fact).of("quantities"))
                .min()
                .unwrap_or(Assurance::Reported);
            put(&mut produced, &books.amount(made.at_least.clone()), assurance);
            complete(&mut produced, product.as_ref());
        }
        LotFacts {
            kind: product
                .as_ref()
                .and_then(|product| Some(Fact::new(product.kind.clone()?, product.assurance))),
            produced,
            productions: self.productions(history, product.as_ref(), clock),
            attributes: self.attributes(history, product.as_ref(), clock),
            evidence: self.evidence_about(lot, &self.makers(history), Some(history)),
            contradictions: self.contradictions(lot),
            declared_by: product.iter().map(|product| EventNumber(product.fact)).collect(),
            counted_by: counted_by(history),
            attributed_by: self.attributed_by(history, product.as_ref(), clock),
        }
    }

    /// The events behind the attributes of [`Self::attributes`].
    fn attributed_by(
        &self,
        history: &History,
        product: Option<&Product>,
        clock: i64,
    ) -> BTreeMap<String, Vec<EventNumber>> {
        let declared = || product.map(|product| product.fact).into_iter();
        let makings = || history.makings.iter().map(|making| making.touch.fact);
        let titles = || {
            let sold = history.moments.iter().filter(|moment| moment.role == Role::Sold);
            sold.map(|moment| moment.touch.fact)
                .filter(|fact| self.fact(*fact).event_time < clock && history.admits(*fact))
        };
        [
            ("product.id", numbers(declared())),
            ("product.chemistry", numbers(declared())),
            ("product.model", numbers(declared())),
            ("country_of_origin", numbers(makings())),
            ("title.binding_contract_date", numbers(titles())),
        ]
        .into_iter()
        .filter(|(_, events)| !events.is_empty())
        .map(|(path, events)| (path.to_owned(), events))
        .collect()
    }

    /// The kinds of what weighs on a lot.
    fn contradictions(&self, lot: &str) -> Vec<Contradiction> {
        let mut found: Vec<Contradiction> = anomalies_of(self.0, lot)
            .into_iter()
            // Found at an input of a step, it weighs on what came out.
            .filter(|anomaly| anomaly.lot != lot || anomaly.weighs_on == Weight::Lot)
            .map(|anomaly| {
                let of_kind = Contradiction::of(anomaly.kind.as_str());
                Contradiction {
                    // What its maker took too much of was another lot.
                    opens_takers: of_kind.opens_takers && anomaly.lot == lot,
                    ..of_kind
                }
            })
            .collect();
        found.sort();
        found.dedup();
        found
    }

    fn attributes(
        &self,
        history: &History,
        product: Option<&Product>,
        clock: i64,
    ) -> BTreeMap<String, Fact<Attribute>> {
        const COUNTRY_OF_ORIGIN: u32 = 6;
        const CONTRACT_DATE: u32 = 5;
        let mut attributes = BTreeMap::new();
        if let Some(product) = product {
            for (path, value) in [
                ("product.id", &product.declared.product),
                ("product.chemistry", &product.declared.chemistry),
                ("product.model", &product.declared.model),
            ] {
                if !value.is_empty() {
                    let value = Attribute::Text(value.clone());
                    attributes.insert(path.to_owned(), Fact::new(value, product.assurance));
                }
            }
        }
        for making in &history.makings {
            let encoded = &self.fact(making.touch.fact).encoded;
            if may_state(encoded, COMMISSIONED, COUNTRY_OF_ORIGIN)
                && let Some(Kind::Commissioned(event)) =
                    self.event_of(making.touch.fact).and_then(|event| event.kind)
                && !event.country_of_origin.is_empty()
            {
                let value = Attribute::Text(event.country_of_origin);
                let assurance = self.backing(making.touch.fact).of("step.facility");
                attributes.insert("country_of_origin".to_owned(), Fact::new(value, assurance));
            }
        }
        for moment in &history.moments {
            let fact = moment.touch.fact;
            if moment.role == Role::Sold
                && self.fact(fact).event_time < clock
                && may_state(&self.fact(fact).encoded, TITLE_TRANSFERRED, CONTRACT_DATE)
                && history.admits(fact)
                && let Some(Kind::TitleTransferred(event)) = self.event_of(fact).and_then(|event| event.kind)
                && let Some(date) = event.contract_date.and_then(utc_date)
            {
                let assurance = self.backing(fact).of("titles");
                attributes.insert(
                    "title.binding_contract_date".to_owned(),
                    Fact::new(Attribute::Date(date), assurance),
                );
            }
        }
        attributes
    }

    /// Certificates about an identifier. What is said about a lot by who holds it is its own word as well.
    fn evidence_about(&self, id: &str, subjects: &[Symbol], history: Option<&History>) -> Vec<Evidence> {
        const CERTIFIED: u32 = 73;
        let mut witnesses: Vec<u32> = self
            .directory
            .about(CERTIFIED, id)
            .iter()
            .copied()
            .filter(|witness| self.counts(*witness))
            .collect();
        witnesses.sort_by(|a, b| self.compare(*a, *b));
        witnesses
            .into_iter()
            .filter_map(|witness| {
                let certified = self.certificate(witness)?;
                let mut own = subjects.to_vec();
                if history.is_some_and(|history| history.admits(witness)) {
                    own.push(self.actor(witness));
                }
                Some(Evidence {
                    assurance: self.certificate_assurance(witness, &own),
                    kind: certified.kind,
                    document: hex::encode(certified.document),
                    claims: certified.claims,
                    valid_from: certified.valid_from.and_then(utc_date),
                    valid_to: certified.valid_to.and_then(last_day),
                    told_by: EventNumber(witness),
                })
            })
            .collect()
    }
}

/// The events that say how much of a lot there is.
fn counted_by(history: &History) -> Vec<EventNumber> {
    let mut facts: Vec<u32> = history.makings.iter().map(|making| making.touch.fact).collect();
    if facts.is_empty() {
        let openings = history.direct().filter(|moment| moment.role == Role::Opening);
        facts.extend(
            openings
                .map(|moment| moment.touch.fact)
                .filter(|fact| history.admits(*fact)),
        );
    }
    numbers(facts)
}

/// Facts as events that the policy can name, each once.
fn numbers(facts: impl IntoIterator<Item = u32>) -> Vec<EventNumber> {
    let mut numbers: Vec<EventNumber> = facts.into_iter().map(EventNumber).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// The common value of several statements, at the weakest assurance; nothing if they differ or one is missing.
fn agreed<T: PartialEq>(mut stated: impl Iterator<Item = Stated<T>>) -> Stated<T> {
    let mut common = stated.next()??;
    for one in stated {
        let one = one?;
        if one.value != common.value {
            return None;
        }
        common.assurance = common.assurance.min(one.assurance);
    }
    Some(common)
}

fn rational(exact: &Exact) -> BigRational {
    exact.to_rational()
}

#[cfg(test)]
mod tests;
