//! What does not fit at one lot: custody, makings, order in time, contested facts, yields.
//!
//! Balances of amounts are next door, in `account`; lots among their own ancestors in `cycle`.

use std::collections::BTreeSet;

use super::{
    Anomaly, AnomalyKind, Projection, Weight,
    amount::{Exact, Tally, Unit},
    fact::Role,
    history::History,
    span::{LotKey, Span},
    usage::Use,
};

impl Projection {
    /// Everything but cycles that does not fit at the members of one piece, which share their history.
    pub(super) fn judge_lot(&self, history: &History, piece: Span) -> Vec<Anomaly> {
        let mut report = Report {
            projection: self,
            history,
            piece,
            found: Vec::new(),
        };
        let uses = self.uses(history);
        report.custody(&uses);
        report.balance(&uses);
        report.holdings();
        report.makings();
        report.order(&uses);
        report.contested();
        report.yields();
        report.found.sort();
        report.found.dedup();
        report.found
    }

    /// How much more came out of a step than went in, in words; nothing if it did not, or if that is not known.
    fn exceeded_yield(&self, fact: u32) -> Option<String> {
        let (mut masses_in, mut masses_out) = (Tally::default(), Tally::default());
        for leg in &self.fact(fact).reading.legs {
            let tally = match leg.role {
                Role::Input => &mut masses_in,
                Role::Output => &mut masses_out,
                _ => continue,
            };
            tally.add(self.mass(leg).as_ref());
        }
        let kilograms = |tally: &Tally| {
            tally
                .sums
                .get(&Unit::of("KGM"))
                .cloned()
                .unwrap_or_else(Exact::zero)
        };
        let (went_in, came_out) = (kilograms(&masses_in), kilograms(&masses_out));
        (!masses_in.unknown && came_out > went_in).then(|| format!("{came_out} KGM out of {went_in} KGM"))
    }
}

/// Collects the anomalies of one piece.
pub(super) struct Report<'a> {
    pub(super) projection: &'a Projection,
    pub(super) history: &'a History,
    pub(super) piece: Span,
    pub(super) found: Vec<Anomaly>,
}

impl Report<'_> {
    pub(super) fn anomaly(
        &self,
        kind: AnomalyKind,
        blamed: u32,
        mut facts: Vec<u32>,
        detail: String,
    ) -> Anomaly {
        let projection = self.projection;
        facts.sort_by(|a, b| projection.order(*a).cmp(&projection.order(*b)));
        facts.dedup();
        let mut outputs: Vec<String> = facts
            .iter()
            .filter(|fact| {
                let legs = &projection.fact(**fact).reading.legs;
                legs.iter()
                    .any(|leg| leg.role.uses() && leg.span.contains(self.history.key))
            })
            .flat_map(|fact| &projection.fact(*fact).reading.legs)
            .filter(|leg| leg.role.makes())
            .map(|leg| projection.name(leg.span.key()))
            .collect();
        outputs.sort();
        outputs.dedup();
        let last = LotKey {
            number: self.piece.last,
            ..self.piece.key()
        };
        Anomaly {
            lot: projection.name(self.piece.key()),
            last: (self.piece.count() > 1).then(|| projection.name(last)),
            kind,
            weighs_on: if projection.has_standing(self.history, blamed) {
                Weight::Lot
            } else {
                Weight::Signer
            },
            signer: projection.issuer_of(blamed).to_owned(),
            facts: facts.iter().map(|fact| projection.key_of(*fact)).collect(),
            outputs,
            detail,
        }
    }

    pub(super) fn add(&mut self, kind: AnomalyKind, blamed: u32, facts: Vec<u32>, detail: String) {
        let anomaly = self.anomaly(kind, blamed, facts, detail);
        self.found.push(anomaly);
    }

    /// Who used, shipped or received what he had no part in; and lots that nobody made.
    fn custody(&mut self, uses: &[Use]) {
        let projection = self.projection;
        let history = self.history;
        let is_unit = projection.is_logistic_unit(history.key)
            || history
                .moments
                .iter()
                .any(|moment| moment.role == Role::Container && moment.via.is_none());
        let known = history.is_made() || is_unit;
        for used in uses {
            if !known {
                self.add(
                    AnomalyKind::UnknownInput,
                    used.fact,
                    vec![used.fact],
                    "nobody has said how this lot was made".to_owned(),
                );
            } else if !used.held {
                self.add(
                    AnomalyKind::ConsumedWithoutCustody,
                    used.fact,
                    vec![used.fact],
                    format!(
                        "{} had never held any of it",
                        projection.symbols.name(projection.actor(used.fact))
                    ),
                );
            }
        }
        for moment in &history.moments {
            if moment.via.is_some() || !matches!(moment.role, Role::Sent | Role::Handed) {
                continue;
            }
            let fact = moment.touch.fact;
            let reading = &projection.fact(fact).reading;
            let time = projection.fact(fact).event_time;
            let actor = projection.actor(fact);
            // A taker may sign the hand-over that makes him the holder: then the giver has to have held it.
            let giver = reading
                .from
                .named()
                .filter(|_| moment.role == Role::Handed)
                .unwrap_or(actor);
            if !known {
                self.add(
                    AnomalyKind::UnknownInput,
                    fact,
                    vec![fact],
                    "nobody has said how this lot was made".to_owned(),
                );
            } else if !history.held(giver, time) {
                let giver = projection.symbols.name(giver).to_owned();
                self.add(
                    AnomalyKind::ShippedWithoutCustody,
                    fact,
                    vec![fact],
                    format!("{giver} had never held any of it"),
                );
            }
        }
        for receipt in &history.receipts {
            if !receipt.shipped && receipt.moment.via.is_none() {
                let fact = receipt.moment.touch.fact;
                let receiver = projection.symbols.name(projection.actor(fact)).to_owned();
                self.add(
                    AnomalyKind::ReceivedNeverShipped,
                    fact,
                    vec![fact],
                    format!("no shipment to {receiver} fits"),
                );
            }
        }
    }

    /// Who made it, and whether he may.
    fn makings(&mut self) {
        let projection = self.projection;
        let history = self.history;
        let all: Vec<_> = history.makings.iter().chain(&history.put_aside).collect();
        // Commissioned or put out of a step; what is assembled is often commissioned as well.
        let origins: Vec<_> = all
            .iter()
            .filter(|making| matches!(making.role, Role::Made | Role::Output))
            .collect();
        let serial = history.serial;
        for making in &origins {
            let fact = making.touch.fact;
            let others: Vec<u32> = origins
                .iter()
                .filter(|other| {
                    let other_fact = other.touch.fact;
                    let same_party = projection.actor(other_fact) == projection.actor(fact);
                    other_fact != fact && (!same_party || (serial && other.role == making.role))
                })
                .map(|other| other.touch.fact)
                .collect();
            // Whoever has standing is not blamed for what others without it said.
            let blamed = making.standing
                && others.iter().all(|other| {
                    !origins
                        .iter()
                        .any(|origin| origin.touch.fact == *other && origin.standing)
                });
            if !others.is_empty() && !blamed {
                let mut facts = others;
                facts.push(fact);
                self.add(
                    AnomalyKind::CommissionedTwice,
                    fact,
                    facts,
                    "made more than once".to_owned(),
                );
            }
        }
        for making in &all {
            let fact = making.touch.fact;
            if making.role == Role::Class {
                continue;
            }
            let actor = projection.actor(fact);
            let outside = match history.owner {
                Some(owner) => {
                    owner != actor
                        && owner != projection.fact(fact).issuer
                        && !projection.speaks_for(fact, owner)
                }
                None => projection.directory.has_namespaces(actor),
            };
            if outside && making.role != Role::Parent {
                let owner = history
                    .owner
                    .map_or("nobody", |owner| projection.symbols.name(owner));
                let detail = format!("the identifier belongs to {owner}");
                self.add(
                    AnomalyKind::CommissionedOutsideNamespace,
                    fact,
                    vec![fact],
                    detail,
                );
            }
            let operator = projection.operator(fact);
            let issuer = projection.fact(fact).issuer;
            if operator != issuer && operator != actor && !projection.speaks_for(fact, operator) {
                let detail = format!("the operator is {}", projection.symbols.name(operator));
                self.add(AnomalyKind::IssuerNotOperator, fact, vec![fact], detail);
            }
        }
    }

    /// Used before it was made.
    fn order(&mut self, uses: &[Use]) {
        let projection = self.projection;
        let made = self
            .history
            .makings
            .iter()
            .map(|making| projection.fact(making.touch.fact).event_time)
            .min();
        let Some(made) = made else { return };
        for used in uses {
            if used.role.uses() && projection.fact(used.fact).event_time < made {
                self.add(
                    AnomalyKind::MadeBeforeInputs,
                    used.fact,
                    vec![used.fact],
                    format!("used before {}", crate::time::rfc3339(made)),
                );
            }
        }
    }

    /// Late corrections, and reports that differ.
    fn contested(&mut self) {
        let projection = self.projection;
        let mut facts: Vec<u32> = self
            .history
            .moments
            .iter()
            .filter(|moment| moment.via.is_none())
            .map(|moment| moment.touch.fact)
            .chain(self.history.out_of_count.iter().map(|touch| touch.fact))
            .filter(|fact| projection.fact(*fact).contested)
            .collect();
        facts.sort_unstable();
        facts.dedup();
        let mut conflicts = BTreeSet::new();
        for fact in facts {
            let makes = projection
                .fact(fact)
                .reading
                .legs
                .iter()
                .any(|leg| leg.role.makes() && leg.span.contains(self.history.key));
            if makes {
                for (amendment, uses) in projection.late_amendments(fact) {
                    let mut facts = uses;
                    facts.extend([fact, amendment]);
                    self.add(
                        AnomalyKind::VoidedAfterUse,
                        fact,
                        facts,
                        "the correction has no effect until somebody independent vouches for it".to_owned(),
                    );
                }
            }
            let variants = projection.variants(projection.fact(fact).issuer, projection.event_id_of(fact));
            if variants.len() > 1 && conflicts.insert(projection.key_of(fact)) {
                let counted = variants
                    .iter()
                    .copied()
                    .find(|variant| projection.counts(*variant));
                let detail = format!("{} different reports under one id", variants.len());
                self.add(
                    AnomalyKind::ConflictingReport,
                    counted.unwrap_or(fact),
                    vec![counted.unwrap_or(fact)],
                    detail,
                );
            }
        }
    }

    /// More mass out than in, where the list of inputs is complete.
    fn yields(&mut self) {
        let projection = self.projection;
        for making in &self.history.makings {
            let fact = making.touch.fact;
            let reading = &projection.fact(fact).reading;
            // What a split leaves in its parent is no loss, and a merge adds nothing: both balance by lots.
            if making.role != Role::Output
                || reading.inputs_complete != Some(true)
                || !projection.is_own_word(fact)
            {
                continue;
            }
            let exceeded = projection
                .recall
                .step_yield(fact, || projection.exceeded_yield(fact));
            if let Some(detail) = exceeded {
                self.add(AnomalyKind::YieldExceeded, fact, vec![fact], detail);
            }
        }
    }
}
