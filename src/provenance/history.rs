//! The history of one lot: what was made of it, who held it when, and on whose word.
//!
//! Computed from the facts that touch the lot, those that move a container while the lot is in it, and those
//! that move its class lot. Custody spreads from whoever made the lot along shipments and receipts that fit
//! each other; *standing* custody does so on words that count all the way, *claimed* custody on anybody's.

use std::collections::HashMap;

use super::{
    Projection,
    fact::{Leg, Role},
    span::{LotKey, Touch},
    symbol::{BySymbol, Symbol},
};

/// How deep containers in containers are followed.
const NESTING_MAX: usize = 8;

/// One fact in the life of a lot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) touch: Touch,
    pub(super) role: Role,
    /// The container or class lot through which it concerns the lot.
    pub(super) via: Option<LotKey>,
    /// Of the containers around the lot, the innermost.
    pub(super) inside: Option<LotKey>,
}

/// A fact by which the lot came into being.
#[derive(Clone, Copy, Debug)]
pub(super) struct Making {
    pub(super) touch: Touch,
    pub(super) role: Role,
    /// Whether its signer may say so of this lot.
    pub(super) standing: bool,
}

/// Since when a party has held some of a lot (event times).
#[derive(Clone, Copy, Debug)]
struct Holding {
    claimed: i64,
    standing: Option<i64>,
}

/// A receipt, and whether a shipment fits it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    pub(super) moment: Moment,
    pub(super) shipped: bool,
}

/// The life of one lot.
#[derive(Debug)]
pub(super) struct History {
    pub(super) key: LotKey,
    /// Whether it is one thing and not an amount.
    pub(super) serial: bool,
    /// Facts that count, in order.
    pub(super) moments: Vec<Moment>,
    /// The makings that count: those with standing, or all if none has.
    pub(super) makings: Vec<Making>,
    /// Makings that others with better standing put aside.
    pub(super) put_aside: Vec<Making>,
    pub(super) receipts: Vec<Receipt>,
    /// Facts about the lot that are corrected, voided, or the lesser of conflicting reports.
    pub(super) out_of_count: Vec<Touch>,
    /// Who owns its identifier.
    pub(super) owner: Option<Symbol>,
    holders: HashMap<Symbol, Holding, BySymbol>,
}

impl History {
    /// Whether the party held some of the lot by then, on anybody's word.
    pub(super) fn held(&self, party: Symbol, time: i64) -> bool {
        self.holders
            .get(&party)
            .is_some_and(|holding| holding.claimed <= time)
    }

    /// Whether it did on words that count.
    pub(super) fn held_standing(&self, party: Symbol, time: i64) -> bool {
        self.holders
            .get(&party)
            .and_then(|holding| holding.standing)
            .is_some_and(|since| since <= time)
    }

    /// Returns whether something changed.
    fn hold(&mut self, party: Symbol, time: i64, standing: bool) -> bool {
        let holding = self.holders.entry(party).or_insert(Holding {
            claimed: i64::MAX,
            standing: None,
        });
        let before = (holding.claimed, holding.standing);
        holding.claimed = holding.claimed.min(time);
        if standing {
            holding.standing = Some(holding.standing.map_or(time, |since| since.min(time)));
        }
        before != (holding.claimed, holding.standing)
    }

    /// Whether anybody has said how the lot came into being.
    pub(super) fn is_made(&self) -> bool {
        !self.makings.is_empty()
    }
}

/// When the first shipment left, of all and of those whose sender held the lot on words that count.
#[derive(Clone, Copy, Debug)]
struct Departure {
    claimed: i64,
    standing: i64,
}

/// First departures by number of the shipment (outer `None`: of any number) and by consignee, so that a
/// receipt is matched without looking at every shipment of a lot that many have shipped.
#[derive(Debug, Default)]
struct Departures(HashMap<(Option<Symbol>, Option<Symbol>), Departure, BySymbol>);

impl Departures {
    fn note(&mut self, number: Symbol, consignee: Option<Symbol>, time: i64, standing: bool) {
        for number in [Some(number), None] {
            let first = self.0.entry((number, consignee)).or_insert(Departure {
                claimed: i64::MAX,
                standing: i64::MAX,
            });
            first.claimed = first.claimed.min(time);
            if standing {
                first.standing = first.standing.min(time);
            }
        }
    }

    /// Whether a shipment fits a receipt, and whether one of a sender with standing does: to this receiver or
    /// to nobody named, of this number or without one, and not later.
    fn fit(&self, number: Symbol, receiver: Symbol, time: i64) -> (bool, bool) {
        let numbers = if number.is_some() {
            [Some(number), Some(Symbol::NONE)]
        } else {
            [None, None]
        };
        let mut fits = (false, false);
        for number in numbers {
            for consignee in [None, Some(receiver)] {
                if let Some(first) = self.0.get(&(number, consignee)) {
                    fits.0 |= first.claimed <= time;
                    fits.1 |= first.standing <= time;
                }
            }
        }
        fits
    }
}

impl Projection {
    /// The life of one lot, from the facts; [`Self::history`] remembers it.
    pub(super) fn trace(&self, key: LotKey) -> History {
        let mut history = History {
            key,
            serial: self.is_serial(key),
            moments: Vec::new(),
            makings: Vec::new(),
            put_aside: Vec::new(),
            receipts: Vec::new(),
            out_of_count: Vec::new(),
            owner: self.directory.owner(&self.symbols, &self.name(key)),
            holders: HashMap::default(),
        };
        self.gather(key, None, None, (i64::MIN, i64::MAX), 0, &mut history);
        let mut moments = std::mem::take(&mut history.moments);
        moments.sort_by(|a, b| {
            let order = |moment: &Moment| {
                (
                    self.order(moment.touch.fact),
                    moment.role,
                    moment.via.is_some(),
                    moment.touch.leg,
                )
            };
            order(a).cmp(&order(b))
        });
        history.moments = moments;
        self.weigh_makings(&mut history);
        history
    }

    /// Collects what touches `key`, and what moves its containers while it is in them.
    fn gather(
        &self,
        key: LotKey,
        via: Option<LotKey>,
        inside: Option<LotKey>,
        window: (i64, i64),
        depth: usize,
        history: &mut History,
    ) {
        let touches = self.tracks.of(key);
        for touch in touches {
            let role = self.leg(touch).role;
            let time = self.fact(touch.fact).event_time;
            let within = via.is_none() || (role.moves() && window.0 <= time && time < window.1);
            let leads_on = matches!(role, Role::Packed | Role::Child)
                || (role.makes() && via.is_none() && self.leg(touch).serial);
            if !within && !leads_on {
                continue;
            }
            if !self.counts(touch.fact) {
                if via.is_none() {
                    history.out_of_count.push(touch);
                }
                continue;
            }
            if within {
                history.moments.push(Moment {
                    touch,
                    role,
                    via,
                    inside,
                });
            }
            if leads_on && depth < NESTING_MAX {
                let outer = match role {
                    Role::Packed => self.other_leg(touch.fact, Role::Container),
                    Role::Child => self.other_leg(touch.fact, Role::Parent),
                    _ => self.other_leg(touch.fact, Role::Class),
                };
                let Some(outer) = outer.map(|leg| leg.span.key()) else {
                    continue;
                };
                let exit = match role {
                    Role::Packed | Role::Child => self.exit(key, outer, touch.fact),
                    _ => None,
                };
                let until = exit.map_or(i64::MAX, |exit| self.fact(exit).event_time);
                let inside = if role.makes() {
                    None
                } else {
                    inside.or(Some(outer))
                };
                if let Some(exit) = exit
                    && via.is_none()
                {
                    self.note_emptying(exit, outer, history);
                }
                let window = (window.0.max(time), window.1.min(until));
                if window.0 < window.1 {
                    self.gather(outer, Some(outer), inside, window, depth + 1, history);
                }
            }
        }
    }

    /// A container that was emptied without naming what came out lets go of the lot too.
    fn note_emptying(&self, exit: u32, outer: LotKey, history: &mut History) {
        let legs = &self.fact(exit).reading.legs;
        let named = legs
            .iter()
            .any(|leg| matches!(leg.role, Role::Unpacked | Role::Removed));
        let emptied = (0..)
            .zip(legs)
            .find(|(_, leg)| matches!(leg.role, Role::Emptied | Role::Dismantled));
        if let Some((leg, found)) = emptied
            && !named
        {
            history.moments.push(Moment {
                touch: Touch { fact: exit, leg },
                role: found.role,
                via: Some(outer),
                inside: Some(outer),
            });
        }
    }

    /// The first leg of a fact in a role.
    pub(super) fn other_leg(&self, fact: u32, role: Role) -> Option<&Leg> {
        self.fact(fact).reading.legs.iter().find(|leg| leg.role == role)
    }

    /// When `inner`, which went into `outer` by the fact `entered`, first came out again.
    pub(super) fn left(&self, inner: LotKey, outer: LotKey, entered: u32) -> Option<i64> {
        self.exit(inner, outer, entered)
            .map(|fact| self.fact(fact).event_time)
    }

    /// The fact by which it came out again.
    pub(super) fn exit(&self, inner: LotKey, outer: LotKey, entered: u32) -> Option<u32> {
        let mut exits: Vec<u32> = Vec::new();
        self.tracks.visit(outer.into(), &mut |_, touch| {
            let out = match self.leg(touch).role {
                Role::Emptied => Role::Unpacked,
                Role::Dismantled => Role::Removed,
                _ => return,
            };
            if self.order(touch.fact) <= self.order(entered) {
                return;
            }
            let legs = &self.fact(touch.fact).reading.legs;
            let everything = !legs.iter().any(|leg| leg.role == out);
            if everything || legs.iter().any(|leg| leg.role == out && leg.span.contains(inner)) {
                exits.push(touch.fact);
            }
        });
        exits
            .into_iter()
            .filter(|exit| self.counts(*exit))
            .min_by(|a, b| self.order(*a).cmp(&self.order(*b)))
    }

    /// Decides which makings count, and follows custody from them.
    fn weigh_makings(&self, history: &mut History) {
        let mut makings: Vec<Making> = history
            .moments
            .iter()
            .filter(|moment| moment.via.is_none() && (moment.role.makes() || moment.role == Role::Class))
            .map(|moment| Making {
                touch: moment.touch,
                role: moment.role,
                standing: self.may_make(history.owner, moment.touch.fact),
            })
            .collect();
        loop {
            self.follow_custody(history, &makings, true);
            let mut changed = false;
            for making in &mut makings {
                if !making.standing {
                    let fact = making.touch.fact;
                    making.standing = self.is_own_word(fact)
                        && history.held_standing(self.actor(fact), self.fact(fact).event_time);
                    changed |= making.standing;
                }
            }
            if !changed {
                break;
            }
        }
        let (counted, mut aside): (Vec<Making>, Vec<Making>) =
            makings.into_iter().partition(|making| making.standing);
        if counted.is_empty() {
            // Nobody with standing has spoken: parties' own words before others' reports of them.
            let (own, others) = aside
                .into_iter()
                .partition(|making| self.is_own_word(making.touch.fact));
            aside = others;
            history.makings = own;
            if history.makings.is_empty() {
                history.makings = std::mem::take(&mut aside);
            }
        } else {
            history.makings = counted;
        }
        history.put_aside = aside;
        let counted = history.makings.clone();
        self.follow_custody(history, &counted, false);
    }

    /// Whether the signer may say how a lot of this owner came into being, whoever held it.
    fn may_make(&self, owner: Option<Symbol>, fact: u32) -> bool {
        self.is_own_word(fact)
            && owner.is_none_or(|owner| {
                owner == self.actor(fact) || owner == self.fact(fact).issuer || self.speaks_for(fact, owner)
            })
    }

    /// Spreads custody from the makings along the moments until nothing changes.
    fn follow_custody(&self, history: &mut History, makings: &[Making], standing_only: bool) {
        for making in makings {
            if standing_only && !making.standing {
                continue;
            }
            let time = self.fact(making.touch.fact).event_time;
            for party in [self.actor(making.touch.fact), self.operator(making.touch.fact)] {
                history.hold(party, time, making.standing);
            }
        }
        let moments = std::mem::take(&mut history.moments);
        // A container that nobody was seen to pack starts with whoever is first seen to ship it.
        let first_seen = moments
            .iter()
            .find(|moment| moment.via.is_none() && (moment.role == Role::Container || moment.role.moves()))
            .filter(|_| makings.is_empty() && self.is_logistic_unit(history.key))
            .map(|moment| moment.touch);
        let mut departures = Departures::default();
        loop {
            let mut changed = false;
            // In order of time, so that but for equal times one round is all it takes.
            for moment in &moments {
                let fact = moment.touch.fact;
                let reading = &self.fact(fact).reading;
                let (actor, time) = (self.actor(fact), self.fact(fact).event_time);
                let own = self.is_own_word(fact);
                changed |= match moment.role {
                    // Who packs a container has it in hand.
                    Role::Container => history.hold(actor, time, own),
                    Role::Removed => history.hold(actor, time, false),
                    Role::Sent => {
                        let first = first_seen == Some(moment.touch) && history.hold(actor, time, own);
                        let standing = own && history.held_standing(actor, time);
                        departures.note(reading.shipment, reading.to.named(), time, standing);
                        let carrier = reading.carrier.named();
                        first | carrier.is_some_and(|carrier| history.hold(carrier, time, standing))
                    }
                    Role::Taken => {
                        let (_, standing) = departures.fit(reading.shipment, actor, time);
                        history.hold(actor, time, own && standing)
                    }
                    Role::Handed => {
                        // Only who holds it can hand it over; a word of the taker alone is a claim.
                        let standing = own && history.held_standing(actor, time);
                        history.hold(reading.to.named().unwrap_or(actor), time, standing)
                    }
                    _ => false,
                };
            }
            if !changed {
                break;
            }
        }
        history.receipts = moments
            .iter()
            .filter(|moment| moment.role == Role::Taken)
            .map(|moment| {
                let fact = self.fact(moment.touch.fact);
                let receiver = self.actor(moment.touch.fact);
                let (shipped, _) = departures.fit(fact.reading.shipment, receiver, fact.event_time);
                Receipt {
                    moment: *moment,
                    shipped,
                }
            })
            .collect();
        history.moments = moments;
    }

    /// Whether the signer of a fact may speak about the lot then: by its identifier, by having made it, or by
    /// holding it.
    pub(super) fn has_standing(&self, history: &History, fact: u32) -> bool {
        if !self.is_own_word(fact) {
            return false;
        }
        let time = self.fact(fact).event_time;
        let actor = self.actor(fact);
        history.owner == Some(actor)
            || history
                .owner
                .is_some_and(|owner| owner == self.fact(fact).issuer || self.speaks_for(fact, owner))
            || history
                .makings
                .iter()
                .any(|making| making.standing && making.touch.fact == fact)
            || history.held_standing(actor, time)
    }

    /// Whether the lot was in the hands of whoever used it.
    pub(super) fn user_held(&self, history: &History, fact: u32) -> bool {
        let time = self.fact(fact).event_time;
        let principal = self.fact(fact).reading.principal.named();
        history.held(self.actor(fact), time)
            || history.held(self.operator(fact), time)
            || principal.is_some_and(|principal| history.held(principal, time))
    }

    /// Whether an identifier names a logistic unit or a returnable asset: a thing that contains others.
    pub(super) fn is_logistic_unit(&self, key: LotKey) -> bool {
        // What is cut off as a number begins after these.
        let stem = self.symbols.name(key.stem);
        [
            "https://id.gs1.org/00/",
            "https://id.gs1.org/8003/",
            "https://id.gs1.org/8004/",
        ]
        .iter()
        .any(|unit| stem.starts_with(unit))
    }
}
