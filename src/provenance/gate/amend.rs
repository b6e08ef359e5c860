//! Which versions, corrections and voids count.
//!
//! Nothing is edited. What an issuer corrects or voids, he says again or takes back; whether that changes
//! anything for others is settled by cover, never by claimed times:
//!
//! - it counts at once if one feed said it before its issuer's statement of letting the thing go, or if nobody
//!   else relied on it;
//! - it counts if it leaves covered all that others took, and changes no input, maker, place or product of
//!   what they took;
//! - otherwise it waits until everybody who relied on the event seconds it (evidence that names the amendment),
//!   or an accredited laboratory, auditor or the authority does. Until then the event stands, and is contested.
//!
//! Of several reports under one id the first of a feed counts; reports of different keys stand beside each
//! other, contested.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{
    super::{
        amount::{Amount, Exact, Tally},
        filing::{
            fact::Role,
            span::{LotKey, Span},
            symbol::Symbol,
        },
    },
    Gate,
    moments::{CLOCK_SLACK, Moment, Pass},
};

/// Deepest chain of corrections of corrections that is followed.
const DEPTH_MAX: u32 = 8;

/// Most lots made of what an amended event made that are looked at for who relied on them.
const OFFSPRING_MAX: usize = 1_000;

/// Whether a fact counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::provenance) enum Counted {
    /// Nobody contests it.
    Surely,
    /// It stands, but something that does not count yet would change it.
    Contested,
    /// It was corrected, voided, or is the later of several reports; or a correction that would bring it in
    /// does not count.
    Not,
}

/// An amendment that would take from others what they relied on.
#[derive(Clone, Debug)]
pub(in crate::provenance) struct LateAmendment {
    /// The correction or void.
    pub(in crate::provenance) amendment: u32,
    /// What others did in reliance on the event, in order.
    pub(in crate::provenance) relied: Vec<u32>,
}

impl Gate<'_> {
    /// Whether a fact counts, contested or not.
    pub(in crate::provenance) fn counts(&self, number: u32) -> bool {
        self.counted(number) != Counted::Not
    }

    /// Whether a fact counts, and whether that is contested.
    pub(in crate::provenance) fn counted(&self, number: u32) -> Counted {
        if !self.fact(number).contested && !self.may_be_late(number) {
            return Counted::Surely;
        }
        self.memory.counted(number, || self.judge_counted(number, 0))
    }

    fn counted_within(&self, number: u32, depth: u32) -> Counted {
        if depth > DEPTH_MAX || !self.fact(number).contested {
            return Counted::Surely;
        }
        self.judge_counted(number, depth)
    }

    fn judge_counted(&self, number: u32, depth: u32) -> Counted {
        let fact = self.fact(number);
        let versions = self.versions(fact.issuer, fact.id());
        let preceded = |version: u32| {
            versions
                .iter()
                .any(|other| self.precedes_in_feed(*other, version))
        };
        if preceded(number) {
            return Counted::Not;
        }
        let announced = self.links.announcing(fact.issuer, fact.id());
        let held_back = announced.is_some_and(|corrections| {
            !corrections.iter().any(|correction| {
                self.fact(*correction)
                    .target
                    .is_some_and(|target| self.amends(*correction, target, depth))
            })
        });
        if held_back {
            return Counted::Not;
        }
        let mut contested = versions.iter().filter(|version| !preceded(**version)).count() > 1;
        for amendment in self.links.amendments_of(number) {
            if self.amends(*amendment, number, depth) {
                return Counted::Not;
            }
            contested |= self.counted_within(*amendment, depth + 1) != Counted::Not;
        }
        if self.may_be_late(number) {
            match self.undoes_what_others_took(number) {
                Counted::Not => return Counted::Not,
                Counted::Contested => contested = true,
                Counted::Surely => {}
            }
        }
        if contested {
            Counted::Contested
        } else {
            Counted::Surely
        }
    }

    /// Whether a correction or void of `target` takes effect.
    fn amends(&self, amendment: u32, target: u32, depth: u32) -> bool {
        self.counted_within(amendment, depth + 1) != Counted::Not
            && self.objections(amendment, target).is_none()
    }

    /// What others did in reliance on `target` that keeps an amendment of it from counting, if anything does.
    fn objections(&self, amendment: u32, target: u32) -> Option<Vec<u32>> {
        let relied = self.relied_on(target);
        if relied.is_empty()
            || self.is_vouched_for(amendment)
            || self.precedes_letting_go(amendment, target)
            || self.leaves_covered(amendment, target)
        {
            return None;
        }
        let seconded = |party: Symbol| {
            self.links
                .evidence_for(amendment)
                .iter()
                .any(|witness| self.is_own_word(*witness) && self.actor(*witness) == party)
        };
        relied
            .iter()
            .any(|fact| !seconded(self.actor(*fact)))
            .then_some(relied)
    }

    /// Corrections and voids of a fact that do not count because others relied on it.
    pub(in crate::provenance) fn late_amendments(&self, number: u32) -> Vec<LateAmendment> {
        self.links
            .amendments_of(number)
            .iter()
            .filter(|amendment| self.counted_within(**amendment, 1) != Counted::Not)
            .filter_map(|amendment| {
                Some(LateAmendment {
                    amendment: *amendment,
                    relied: self.objections(*amendment, number)?,
                })
            })
            .collect()
    }

    fn is_vouched_for(&self, amendment: u32) -> bool {
        self.links
            .evidence_for(amendment)
            .iter()
            .any(|witness| self.is_independent(*witness))
    }

    /// The lots whose makings, or movements, a fact is about: what it or its run made, else what it names.
    fn subjects(&self, fact: u32) -> Vec<Span> {
        let made: Vec<Span> = self
            .run_of(fact)
            .into_iter()
            .flat_map(|member| &self.fact(member).reading.legs)
            .filter(|leg| leg.role.makes() || leg.role == Role::Dismantled)
            .map(|leg| leg.span)
            .collect();
        if made.is_empty() {
            self.fact(fact).reading.legs.iter().map(|leg| leg.span).collect()
        } else {
            made
        }
    }

    /// The same, and what the signer himself made of these lots, and so on: others rely on all of it.
    fn subjects_and_offspring(&self, fact: u32) -> Vec<Span> {
        let signer = self.actor(fact);
        let mut all = self.subjects(fact);
        if !self
            .fact(fact)
            .reading
            .legs
            .iter()
            .any(|leg| leg.role.makes() || leg.role.uses())
        {
            return all;
        }
        let mut seen: HashSet<Span> = all.iter().copied().collect();
        let mut at = 0;
        while let Some(span) = all.get(at).copied().filter(|_| all.len() < OFFSPRING_MAX) {
            at += 1;
            let mut users = Vec::new();
            self.tracks.visit(span, &mut |_, touch| {
                if self.leg(touch).role.uses() && self.actor(touch.fact) == signer {
                    users.push(touch.fact);
                }
            });
            users.sort_by(|a, b| self.compare(*a, *b));
            for user in users {
                for member in self.run_of(user) {
                    let legs = self.fact(member).reading.legs.iter();
                    all.extend(
                        legs.filter(|leg| leg.role.makes())
                            .map(|leg| leg.span)
                            .filter(|span| seen.insert(*span)),
                    );
                }
            }
        }
        all
    }

    /// Every moment with standing of some lots, whether it counts or not.
    fn said_about(&self, subjects: &[Span]) -> Vec<(LotKey, Vec<Moment>)> {
        let mut roots = HashSet::new();
        let mut accounts = Vec::new();
        for span in subjects.iter().copied() {
            for piece in self.tracks.pieces(span, |_| true) {
                let classes = self.class_lots(piece.key());
                let all = if classes.is_empty() {
                    vec![piece.key()]
                } else {
                    classes
                };
                for root in all {
                    if roots.insert(root) {
                        let standing = self.standing(root);
                        let mut moments = self.moments(root, Pass::Said(1));
                        moments.retain(|moment| standing.admits_moment(moment));
                        accounts.push((root, moments));
                    }
                }
            }
        }
        accounts
    }

    /// What other parties with standing did with what a fact made or moved: the facts, in order.
    fn relied_on(&self, target: u32) -> Vec<u32> {
        let signer = self.actor(target);
        let subjects = self.subjects_and_offspring(target);
        let before = self.before_it_was_made(target);
        // Names of members alone: who took some of their lot by quantity did not take these.
        let concerns = |root: LotKey, moment: &Moment| match moment.member {
            Some(member) => subjects.iter().any(|span| span.overlap(member).is_some()),
            None => subjects.iter().any(|span| span.contains(root)),
        };
        let mut relied: Vec<u32> = self
            .said_about(&subjects)
            .iter()
            .flat_map(|(root, moments)| moments.iter().map(|moment| (*root, moment)))
            .filter(|(root, moment)| {
                let takes = matches!(
                    moment.role,
                    Role::Taken | Role::Sent | Role::Handed | Role::Consumed
                ) || moment.role.uses();
                takes && concerns(*root, moment) && !before(*root, moment)
            })
            .map(|(_, moment)| moment)
            .map(|moment| moment.touch.fact)
            .filter(|fact| *fact != target && self.actor(*fact) != signer && self.is_own_word(*fact))
            .filter(|fact| self.links.amendments_of(*fact).is_empty())
            .collect();
        relied.sort_by(|a, b| self.compare(*a, *b));
        relied.dedup();
        relied
    }

    /// Tells of a moment in the life of a lot whether it was before some of what `target` made went into it. Into a
    /// lot that was there before, some may go later: what left it by then was not of that.
    fn before_it_was_made(&self, target: u32) -> impl Fn(LotKey, &Moment) -> bool {
        let own = self.subjects(target);
        let made = self.fact(target).event_time.saturating_sub(CLOCK_SLACK);
        move |root, moment| {
            let time = self.fact(moment.touch.fact).event_time;
            time < made && !own.iter().any(|span| span.contains(root)) && self.is_made_by(root, time)
        }
    }

    /// Whether somebody says that he had made some of a lot by a time.
    fn is_made_by(&self, lot: LotKey, time: i64) -> bool {
        let touches = self.tracks.of(lot);
        touches
            .iter()
            .any(|touch| self.leg(*touch).role.makes() && self.fact(touch.fact).event_time <= time)
    }

    /// The signer's statements of letting go of what `target` is about.
    fn lettings_go(&self, target: u32) -> Vec<u32> {
        let signer = self.actor(target);
        let before = self.before_it_was_made(target);
        self.said_about(&self.subjects_and_offspring(target))
            .iter()
            .flat_map(|(root, moments)| moments.iter().map(|moment| (*root, moment)))
            .filter(|(_, moment)| matches!(moment.role, Role::Sent | Role::Handed))
            .filter(|(root, moment)| !before(*root, moment))
            .map(|(_, moment)| moment.touch.fact)
            .filter(|fact| self.actor(*fact) == signer)
            .collect()
    }

    /// Whether the feed that said the amendment said it before every statement of letting the thing go.
    fn precedes_letting_go(&self, amendment: u32, target: u32) -> bool {
        self.lettings_go(target)
            .iter()
            .all(|letting| self.precedes_in_feed(amendment, *letting))
    }

    /// Whether, without `target` and with what the amendment puts in its place, all that others took is still
    /// there, made of the same inputs by the same maker at the same place.
    fn leaves_covered(&self, amendment: u32, target: u32) -> bool {
        let issuer = self.fact(target).issuer;
        let correctives: HashSet<u32> = self
            .corrective_ids(amendment)
            .iter()
            .flat_map(|id| self.versions(issuer, id))
            .collect();
        let made = self.fact(target).reading.legs.iter().any(|leg| leg.role.makes());
        let role_remains = |role: Role| {
            if made {
                role.makes()
            } else {
                self.fact(target)
                    .reading
                    .legs
                    .first()
                    .is_some_and(|leg| leg.role == role)
            }
        };
        let takes = |role: Role| {
            if made {
                matches!(role, Role::Sent | Role::Handed)
            } else {
                matches!(role, Role::Taken)
            }
        };
        // What went in is an input of what they took.
        let legs = &self.fact(target).reading.legs;
        if !made && legs.iter().any(|leg| leg.role.uses()) {
            return false;
        }
        let signer = self.actor(target);
        let offspring = self.subjects_and_offspring(target);
        let is_said_twice = self.is_said_twice(target);
        for (_, moments) in self.said_about(&self.subjects(target)) {
            let (mut left, mut taken) = (Tally::default(), Tally::default());
            // Of shipments what their receivers took; what nobody received nobody relies on.
            let mut shipped: BTreeMap<u32, (Tally, Tally)> = BTreeMap::new();
            // What came back of them: nobody has it in hand.
            let mut came_back = Tally::default();
            let mut left_members: Vec<Span> = Vec::new();
            let mut taken_members: Vec<Span> = Vec::new();
            for moment in moments.iter().filter(|moment| self.is_flow(moment)) {
                let fact = moment.touch.fact;
                let own = self.actor(fact) == signer;
                let stays = fact != target
                    && (correctives.contains(&fact) || self.links.amendments_of(fact).is_empty());
                if role_remains(moment.role) && own && stays && moment.via.is_none() {
                    let same = is_said_twice
                        || self.is_made_alike(fact, target)
                        || self.is_put_back(fact, &offspring);
                    if made && !same {
                        return false;
                    }
                    left_members.extend(moment.member);
                    left.add(self.moment_amount(moment).as_ref());
                } else if made && own && moment.role == Role::Taken {
                    // What came back to the maker is there again.
                    left.add(self.moment_amount(moment).as_ref());
                } else if made && moment.role == Role::Returned {
                    came_back.add(self.moment_amount(moment).as_ref());
                } else if made && own && moment.role.uses() && moment.via.is_none() {
                    taken_members.extend(moment.member);
                    taken.add(self.moment_amount(moment).as_ref());
                } else if made && takes(moment.role) && own {
                    let to = self.fact(fact).reading.to.named();
                    let amount = self.moment_amount(moment);
                    match to {
                        Some(to) => shipped.entry(to.index()).or_default().0.add(amount.as_ref()),
                        None => taken.add(amount.as_ref()),
                    }
                } else if made && moment.role == Role::Taken && !own {
                    taken_members.extend(moment.member);
                    let by = self.actor(fact).index();
                    shipped
                        .entry(by)
                        .or_default()
                        .1
                        .add(self.moment_amount(moment).as_ref());
                } else if !made && takes(moment.role) && !own {
                    taken_members.extend(moment.member);
                    taken.add(self.moment_amount(moment).as_ref());
                }
            }
            let mut arrived = Tally::default();
            let mut left_for = Tally::default();
            for (sent, received) in shipped.values() {
                taken.unknown |= sent.unknown || received.unknown;
                for amount in sent.amounts() {
                    let got = received
                        .sums
                        .get(&amount.unit)
                        .cloned()
                        .unwrap_or_else(Exact::zero);
                    left_for.add(Some(&amount));
                    let value = amount.value.min(got);
                    arrived.add(Some(&Amount {
                        value,
                        unit: amount.unit,
                    }));
                }
            }
            for amount in arrived.amounts() {
                let back = came_back.sums.get(&amount.unit).cloned().unwrap_or_default();
                let most = left_for.sums.get(&amount.unit).map(|sent| sent.beyond(&back));
                let value = most.map_or_else(|| amount.value.clone(), |most| amount.value.clone().min(most));
                taken.add(Some(&Amount {
                    value,
                    unit: amount.unit,
                }));
            }
            let named = taken_members.iter().all(|taken| {
                left_members
                    .iter()
                    .any(|left| left.overlap(*taken).is_some_and(|common| common == *taken))
            });
            let nothing = Exact::zero();
            let enough = !taken.unknown
                && taken
                    .sums
                    .iter()
                    .all(|(unit, sum)| sum <= left.sums.get(unit).unwrap_or(&nothing));
            if !(enough && (named || left_members.is_empty() && taken_members.is_empty())) {
                return false;
            }
        }
        true
    }

    /// Whether the signer says the same again in an event that nobody amends: then one of both adds nothing.
    fn is_said_twice(&self, target: u32) -> bool {
        let said = self.fact(target);
        let amounts = |fact: u32| -> Vec<(Role, Span, Option<Amount>)> {
            let legs = self.fact(fact).reading.legs.iter();
            legs.map(|leg| (leg.role, leg.span, self.amount(leg, leg.span)))
                .collect()
        };
        let is_copy = |fact: u32| {
            let other = self.fact(fact);
            fact != target
                && (other.kind, other.event_time) == (said.kind, said.event_time)
                && self.actor(fact) == self.actor(target)
                && other.issuer == said.issuer
                && self.links.amendments_of(fact).is_empty()
                && self.is_made_alike(fact, target)
                && amounts(fact) == amounts(target)
        };
        let Some(span) = said.reading.legs.first().map(|leg| leg.span) else {
            return false;
        };
        let mut found = false;
        self.tracks
            .visit(span, &mut |_, touch| found |= is_copy(touch.fact));
        found
    }

    /// Whether all that went into a making was made of what it made, by the same signer: then it is no new making.
    fn is_put_back(&self, making: u32, offspring: &[Span]) -> bool {
        let run = self.run_of(making);
        let mut inputs = run
            .iter()
            .flat_map(|member| &self.fact(*member).reading.legs)
            .filter(|leg| leg.role.uses())
            .peekable();
        inputs.peek().is_some() && inputs.all(|input| offspring.contains(&input.span))
    }

    /// Whether two makings agree in everything but amounts: who, where, how, from what.
    fn is_made_alike(&self, one: u32, other: u32) -> bool {
        let way = |fact: u32| {
            let reading = &self.fact(fact).reading;
            let mut inputs: Vec<(u32, u8, u64, u64)> = self
                .run_of(fact)
                .into_iter()
                .flat_map(|member| &self.fact(member).reading.legs)
                .filter(|leg| leg.role.uses())
                .map(|leg| {
                    (
                        leg.span.stem.index(),
                        leg.span.width,
                        leg.span.first,
                        leg.span.last,
                    )
                })
                .collect();
            inputs.sort_unstable();
            inputs.dedup();
            let products: BTreeSet<u32> = reading
                .legs
                .iter()
                .filter(|leg| leg.role.makes())
                .map(|leg| leg.product.index())
                .collect();
            let who = (
                self.operator(fact),
                reading.facility,
                reading.step,
                reading.principal,
            );
            (who, inputs, products)
        };
        way(one) == way(other)
    }

    /// Whether a fact takes something out of an assembly that its signer has let go of, or puts more into it:
    /// whether it is late has to be asked although nobody contests it.
    fn may_be_late(&self, number: u32) -> bool {
        let legs = &self.fact(number).reading.legs;
        legs.iter().any(|leg| match leg.role {
            Role::Dismantled => true,
            Role::Parent => self.is_composed_again(number, leg.span),
            _ => false,
        })
    }

    /// Whether another event composed the same thing.
    fn is_composed_again(&self, number: u32, thing: Span) -> bool {
        let mut again = false;
        self.tracks.visit(thing, &mut |_, touch| {
            again |= touch.fact != number && self.leg(touch).role == Role::Parent;
        });
        again
    }

    /// What others did in reliance on a thing as it was when its signer let it go, where this fact takes it apart
    /// before that, but was surely said after it.
    pub(in crate::provenance) fn taken_apart_late(&self, number: u32) -> Option<Vec<u32>> {
        let is_late = self.may_be_late(number) && self.undoes_what_others_took(number) == Counted::Not;
        is_late.then(|| self.relied_on(number))
    }

    /// Whether a disassembly, or a further assembly, counts that claims to have happened before its signer let go
    /// of the thing, while others took the thing. A disassembly said after that in the same feed does not; said
    /// under another key, nobody knows which came first. Parts that are said to be in it too may be.
    fn undoes_what_others_took(&self, number: u32) -> Counted {
        let said = self.fact(number);
        let adds = said.reading.legs.iter().any(|leg| leg.role == Role::Parent);
        let composed_before = |letting: u32| {
            let things = said.reading.legs.iter().filter(|leg| leg.role == Role::Parent);
            things.map(|leg| leg.span).any(|thing| {
                let mut before = false;
                self.tracks.visit(thing, &mut |_, touch| {
                    before |=
                        self.leg(touch).role == Role::Parent && self.precedes_in_feed(touch.fact, letting);
                });
                before
            })
        };
        let mut counted = Counted::Surely;
        for letting in self.lettings_go(number) {
            if self.fact(letting).event_time <= said.event_time || self.precedes_in_feed(number, letting) {
                continue;
            }
            // The only telling of how it was made may come late.
            if adds && !composed_before(letting) {
                continue;
            }
            counted = Counted::Contested;
            if !adds && self.precedes_in_feed(letting, number) {
                counted = Counted::Not;
                break;
            }
        }
        if counted == Counted::Surely || self.relied_on(number).is_empty() || self.is_vouched_for(number) {
            return Counted::Surely;
        }
        counted
    }
}
