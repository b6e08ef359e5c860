//! What touches a lot: the facts that name it, those that move what contains it, those that name its members.
//!
//! ```text
//! lot ----------+-- facts that name it
//!               +-- facts that move a container or an assembly, while it is in it     (via)
//!               '-- of a class lot: the same for each serial that is a member of it   (member)
//! ```
//!
//! Collected twice: from everything that was said, to decide who has standing; and again from what counts.

use std::collections::{HashMap, HashSet};

use super::{
    super::filing::{
        fact::Role,
        span::{LotKey, Span, Touch},
        symbol::{BySymbol, Symbol},
    },
    Gate,
};

/// How deep containers in containers are followed.
const NESTING_MAX: usize = 8;

/// Which facts say that something came out of what contained it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::provenance) enum Pass {
    /// Those of whoever has standing over the container, voided or not; standing is judged in so many levels
    /// of containers around it, so that containers that are said to contain each other end somewhere.
    Said(u8),
    /// Those that count.
    Counting,
}

/// How far apart two parties' clocks, or one party's booking and its deed, may honestly be: a day of another
/// zone and the hour of daylight saving.
pub(in crate::provenance) const CLOCK_SLACK: i64 = 26 * 3_600_000_000_000;

/// One fact in the life of a lot.
#[derive(Clone, Copy, Debug)]
pub(in crate::provenance) struct Moment {
    pub(in crate::provenance) touch: Touch,
    pub(in crate::provenance) role: Role,
    /// The container or assembly through which it concerns the lot.
    pub(in crate::provenance) via: Option<LotKey>,
    /// Of the containers around the lot, the innermost.
    pub(in crate::provenance) inside: Option<LotKey>,
    /// The leg by which the lot went into `via`: whose word that is decides whether it moved along, and it
    /// says how much did.
    pub(in crate::provenance) packed: Option<Touch>,
    /// Of a class lot: the serials that the fact concerns. None: the lot as an amount.
    pub(in crate::provenance) member: Option<Span>,
    /// Of a member: the leg that made it one.
    pub(in crate::provenance) joined: Option<Touch>,
}

/// From when to when something was inside something else (event times), and by which facts it came in and out.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: i64,
    until: i64,
    /// The fact that put it in, and from when on before that the container was empty.
    entered: Option<(u32, i64)>,
    /// When something else was put into the container after it was emptied, if before this.
    loaded: i64,
    /// The fact that took it out, and when the container was filled after that.
    left: Option<(u32, i64)>,
    /// The receipt of who took it out, if he booked it only after that.
    late_receipt: Option<u32>,
}

impl Window {
    const ALWAYS: Self = Self {
        from: i64::MIN,
        until: i64::MAX,
        entered: None,
        loaded: i64::MAX,
        left: None,
        late_receipt: None,
    };
}

/// Where the search stands: around what, and how the lot came to be in it.
#[derive(Clone, Copy, Debug)]
struct Around {
    /// What the search is about.
    root: LotKey,
    key: LotKey,
    via: Option<LotKey>,
    inside: Option<LotKey>,
    packed: Option<Touch>,
    window: Window,
    depth: usize,
    pass: Pass,
}

impl Gate<'_> {
    /// Everything that touches a lot and, of a class lot, its members; in order.
    pub(in crate::provenance) fn moments(&self, root: LotKey, pass: Pass) -> Vec<Moment> {
        let mut moments = Vec::new();
        self.gather(root, pass, &mut moments);
        let joins: Vec<Touch> = moments
            .iter()
            .filter(|moment| moment.role == Role::Class)
            .map(|moment| moment.touch)
            .collect();
        let mut members: HashSet<(Span, u32)> = HashSet::new();
        for join in joins {
            for (leg, made) in (0..).zip(&self.fact(join.fact).reading.legs) {
                if !(made.serial && made.role.makes()) {
                    continue;
                }
                let joined = Touch { fact: join.fact, leg };
                for piece in self.tracks.pieces(made.span, |_| true) {
                    if members.insert((piece, join.fact)) {
                        self.gather_member(root, (piece, joined), pass, &mut moments);
                    }
                }
            }
        }
        self.sort(&mut moments);
        moments
    }

    /// Whether the moment moves some of the lot: by name, or with the container that it lies in. What is built into
    /// a parent does not move by itself; the parent has books of its own.
    pub(in crate::provenance) fn is_flow(&self, moment: &Moment) -> bool {
        moment.via.is_none()
            || moment
                .packed
                .is_some_and(|packed| self.leg(packed).role == Role::Packed)
    }

    fn sort(&self, moments: &mut [Moment]) {
        moments.sort_by(|a, b| {
            self.compare(a.touch.fact, b.touch.fact)
                .then_with(|| {
                    (a.role, a.via.is_some(), a.touch.leg).cmp(&(b.role, b.via.is_some(), b.touch.leg))
                })
                .then_with(|| {
                    let first = |moment: &Moment| moment.member.map(|span| span.first);
                    first(a).cmp(&first(b))
                })
                .then_with(|| match (a.packed, b.packed) {
                    (Some(one), Some(other)) => self
                        .compare(one.fact, other.fact)
                        .then_with(|| one.leg.cmp(&other.leg)),
                    _ => a.packed.is_some().cmp(&b.packed.is_some()),
                })
        });
    }

    /// What touches the serials of `piece`, which share their facts, from when they joined this class lot
    /// until they joined another.
    fn gather_member(
        &self,
        root: LotKey,
        (piece, joined): (Span, Touch),
        pass: Pass,
        moments: &mut Vec<Moment>,
    ) {
        let from = moments.len();
        self.gather(piece.key(), pass, moments);
        let entry = joined.fact;
        let next = moments
            .iter()
            .skip(from)
            .filter(|moment| moment.via.is_none() && moment.role.makes())
            .map(|moment| moment.touch.fact)
            .filter(|fact| {
                self.leg_in(*fact, Role::Class)
                    .is_some_and(|class| class.span.key() != root)
                    && self.compare(*fact, entry).is_gt()
            })
            .min_by(|a, b| self.compare(*a, *b));
        let moved_in = self
            .fact(entry)
            .reading
            .legs
            .iter()
            .any(|leg| leg.role.uses() && leg.span.contains(piece.key()));
        let sent: Vec<u32> = moments
            .iter()
            .skip(from)
            .filter(|moment| moment.role == Role::Sent)
            .map(|moment| moment.touch.fact)
            .collect();
        // Who sorts what he received may book the receipt after that: it is still of the lot that it came from,
        // unless he sent the serial away in between.
        let received_before = |moment: &Moment, sorted: u32| {
            let fact = moment.touch.fact;
            moment.role == Role::Taken
                && self.actor(fact) == self.actor(sorted)
                && !sent.iter().any(|sent| {
                    self.actor(*sent) == self.actor(sorted)
                        && self.compare(*sent, sorted).is_gt()
                        && self.compare(*sent, fact).is_lt()
                })
        };
        // What was used cannot be sorted any more, unless it came out again: who books both used it afterwards.
        let here = || moments.iter().skip(from);
        let is_out = |moment: &&Moment| matches!(moment.role, Role::Removed | Role::Dismantled);
        let outs = here().filter(is_out).count();
        let used: Vec<u32> = here()
            .filter(|moment| moment.role.uses() && moment.via.is_none())
            .map(|moment| moment.touch.fact)
            .filter(|fact| Some(*fact) != next && *fact != entry)
            .skip(outs)
            .collect();
        let used_after = |fact: u32, sorted: u32| {
            let sorts = self.fact(sorted).reading.legs.iter().any(|leg| leg.role.uses());
            sorts && used.contains(&fact) && self.actor(fact) == self.actor(sorted)
        };
        let mut at = 0;
        moments.retain_mut(|moment| {
            at += 1;
            if at <= from {
                return true;
            }
            let fact = moment.touch.fact;
            // What happened to a serial before it was sorted into this lot belongs to the lot it came from.
            let early = moved_in
                && (self.compare(fact, entry).is_lt()
                    || (fact == entry && moment.role.uses())
                    || received_before(moment, entry));
            let late = next.is_some_and(|next| {
                let after = self.compare(fact, next).is_gt() && !received_before(moment, next)
                    || used_after(fact, next);
                after || (fact == next && !moment.role.uses())
            });
            moment.member = Some(piece);
            moment.joined = Some(joined);
            !early && !late
        });
    }

    fn gather(&self, key: LotKey, pass: Pass, moments: &mut Vec<Moment>) {
        let start = Around {
            root: key,
            key,
            via: None,
            inside: None,
            packed: None,
            window: Window::ALWAYS,
            depth: 0,
            pass,
        };
        self.gather_around(start, moments);
    }

    /// Collects what touches `around.key`, and what moves its containers while the lot is in them.
    fn gather_around(&self, around: Around, moments: &mut Vec<Moment>) {
        let touches = self.tracks.of(around.key);
        let mut receipts: HashMap<Symbol, Vec<u32>, BySymbol> = HashMap::default();
        for touch in &touches {
            if self.leg(*touch).role == Role::Taken && self.is_own_word(touch.fact) {
                receipts
                    .entry(self.actor(touch.fact))
                    .or_default()
                    .push(touch.fact);
            }
        }
        for touch in touches {
            let role = self.leg(touch).role;
            if around.via.is_none() || (role.moves() && self.holds(around.window, touch.fact, role)) {
                moments.push(Moment {
                    touch,
                    role,
                    via: around.via,
                    inside: around.inside,
                    packed: around.packed,
                    member: None,
                    joined: None,
                });
            }
            let outer = match role {
                Role::Packed => Role::Container,
                Role::Child => Role::Parent,
                _ => continue,
            };
            let Some(outer) = self.leg_in(touch.fact, outer).map(|leg| leg.span.key()) else {
                continue;
            };
            // Nothing lies in itself, whoever says so.
            if outer == around.root || around.depth >= NESTING_MAX {
                continue;
            }
            let exits = [
                self.exit_in(around.pass, around.key, outer, touch.fact),
                self.received_without(around.pass, outer, touch.fact, &receipts),
            ];
            let exit = exits.into_iter().flatten().min_by(|a, b| self.compare(*a, *b));
            if let Some(exit) = exit
                && around.via.is_none()
            {
                moments.extend(self.emptying(exit, outer, touch));
            }
            let window = self.window_of(around.window, outer, touch.fact, exit);
            if window.from < window.until {
                let inner = Around {
                    root: around.root,
                    key: outer,
                    via: Some(outer),
                    inside: around.inside.or(Some(outer)),
                    packed: around.packed.or(Some(touch)),
                    window,
                    depth: around.depth + 1,
                    pass: around.pass,
                };
                self.gather_around(inner, moments);
            }
        }
    }

    /// Shipped in a container and received by itself: then the receipt took it out. The first receipt, by somebody
    /// to whom the container was shipped after the lot went into it, who did not receive the container.
    fn received_without(
        &self,
        pass: Pass,
        outer: LotKey,
        entered: u32,
        receipts: &HashMap<Symbol, Vec<u32>, BySymbol>,
    ) -> Option<u32> {
        if receipts.is_empty() {
            return None;
        }
        let from = self.fact(entered).event_time.saturating_sub(CLOCK_SLACK);
        let mut consignees = Vec::new();
        let mut received: HashMap<Symbol, Vec<i64>, BySymbol> = HashMap::default();
        self.tracks.visit(outer.into(), &mut |_, touch| {
            let fact = self.fact(touch.fact);
            match self.leg(touch).role {
                Role::Sent if fact.event_time >= from => {
                    let to = fact.reading.to.named();
                    consignees.extend(to.map(|to| (to, fact.event_time, touch.fact)));
                }
                Role::Taken => received
                    .entry(self.actor(touch.fact))
                    .or_default()
                    .push(fact.event_time),
                _ => {}
            }
        });
        consignees
            .iter()
            .filter_map(|(to, sent, shipment)| Some((to, *sent, *shipment, receipts.get(to)?)))
            .flat_map(|(to, sent, shipment, facts)| facts.iter().map(move |fact| (to, sent, shipment, *fact)))
            .filter(|(to, sent, shipment, fact)| {
                let time = self.fact(*fact).event_time;
                let of_another = self.names_another_shipment(*fact, *shipment);
                let with_container = received.get(to).is_some_and(|times| {
                    times
                        .iter()
                        .any(|at| at.abs_diff(time) <= CLOCK_SLACK.unsigned_abs())
                });
                time >= sent.saturating_sub(CLOCK_SLACK) && !with_container && !of_another
            })
            .filter(|(.., fact)| pass != Pass::Counting || self.counts(*fact))
            .min_by(|a, b| self.compare(a.3, b.3))
            .map(|(_, sent, _, receipt)| {
                let again = self.packed_again(outer, (entered, sent), receipt);
                again.unwrap_or(receipt)
            })
    }

    /// Whether a receipt names another number, or another consignor, than a shipment has.
    fn names_another_shipment(&self, receipt: u32, shipment: u32) -> bool {
        let (received, sent) = (&self.fact(receipt).reading, &self.fact(shipment).reading);
        let (number, other) = (received.reference, sent.reference);
        let brings = |party: Symbol| party == self.actor(shipment) || sent.carrier.named() == Some(party);
        number.is_some() && other.is_some() && number != other
            || received.from.named().is_some_and(|from| !brings(from))
    }

    /// Where the receiver packed the same container before he booked the receipt, it had come out by then.
    fn packed_again(&self, outer: LotKey, (entered, sent): (u32, i64), receipt: u32) -> Option<u32> {
        let receiver = self.actor(receipt);
        let mut packed = Vec::new();
        self.tracks.visit(outer.into(), &mut |_, touch| {
            let packs = self.leg(touch).role == Role::Container;
            let between = self.compare(touch.fact, entered).is_gt()
                && self.fact(touch.fact).event_time >= sent
                && self.compare(touch.fact, receipt).is_lt();
            if packs && between && self.actor(touch.fact) == receiver {
                packed.push(touch.fact);
            }
        });
        packed.into_iter().min_by(|a, b| self.compare(*a, *b))
    }

    /// From when to when the lot was in `outer`, within the time that it was in what is inside that.
    fn window_of(&self, inner: Window, outer: LotKey, entered: u32, exit: Option<u32>) -> Window {
        let time = self.fact(entered).event_time;
        let left = exit.map(|exit| self.fact(exit).event_time);
        let (mut emptied, mut filled) = (i64::MIN, i64::MAX);
        self.tracks.visit(outer.into(), &mut |_, touch| {
            let at = self.fact(touch.fact).event_time;
            match self.leg(touch).role {
                Role::Emptied if at < time && Some(touch.fact) != exit => emptied = emptied.max(at),
                Role::Container if left.is_some_and(|left| at > left) => filled = filled.min(at),
                _ => {}
            }
        });
        let mut loaded = i64::MAX;
        self.tracks.visit(outer.into(), &mut |_, touch| {
            let at = self.fact(touch.fact).event_time;
            if self.leg(touch).role == Role::Container && touch.fact != entered && at > emptied {
                loaded = loaded.min(at);
            }
        });
        Window {
            from: inner.from.max(time),
            until: inner.until.min(left.unwrap_or(i64::MAX)),
            entered: Some((entered, emptied)),
            loaded,
            left: exit.map(|exit| (exit, filled)),
            late_receipt: exit.and_then(|exit| self.late_receipt(outer, time, exit, filled)),
        }
    }

    /// Whether the lot was inside when a fact moved the container. Clocks and bookings honestly differ by up to
    /// a day: where one feed says that it packed before it shipped, or received before it emptied, that counts;
    /// and of another party, what cannot have been another filling.
    fn holds(&self, window: Window, moved: u32, role: Role) -> bool {
        let time = self.fact(moved).event_time;
        if window.from <= time && time < window.until {
            return true;
        }
        let actor = self.actor(moved);
        if let Some((entered, emptied)) = window.entered
            && time < window.from
            && time > emptied.max(window.from.saturating_sub(CLOCK_SLACK))
        {
            let packer = self.actor(entered) == actor;
            // Nothing else was in it that the packer could have shipped then.
            let only_this = packer && role == Role::Sent && time < window.loaded;
            return only_this
                || !packer && role != Role::Sent
                || role == Role::Sent && self.precedes_in_feed(entered, moved);
        }
        if let Some((left, filled)) = window.left
            && time >= window.until
            && time < filled.min(window.until.saturating_add(CLOCK_SLACK))
        {
            let shipped_by_packer = role == Role::Sent
                && window
                    .entered
                    .is_some_and(|(entered, _)| self.actor(entered) == actor)
                && self.actor(left) != actor;
            return shipped_by_packer || window.late_receipt == Some(moved);
        }
        window.late_receipt == Some(moved)
    }

    /// The receipt of a container that its receiver booked after he had emptied it, until it was filled again;
    /// none if he booked one in time. What one party books itself may come in any order.
    fn late_receipt(&self, outer: LotKey, entered: i64, exit: u32, filled: i64) -> Option<u32> {
        // Contents that were received by themselves were received without the container.
        self.leg_in(exit, Role::Emptied)
            .or_else(|| self.leg_in(exit, Role::Dismantled))?;
        let (receiver, emptied) = (self.actor(exit), self.fact(exit).event_time);
        let mut receipts = Vec::new();
        self.tracks.visit(outer.into(), &mut |_, touch| {
            if self.leg(touch).role == Role::Taken
                && self.actor(touch.fact) == receiver
                && self.fact(touch.fact).event_time >= entered.saturating_sub(CLOCK_SLACK)
            {
                receipts.push(touch.fact);
            }
        });
        let first = receipts.into_iter().min_by(|a, b| self.compare(*a, *b))?;
        let time = self.fact(first).event_time;
        (emptied <= time && time < filled).then_some(first)
    }

    /// A container that was emptied without naming what came out lets go of the lot too, and so does one whose
    /// contents were received by themselves.
    fn emptying(&self, exit: u32, outer: LotKey, packed: Touch) -> Option<Moment> {
        let legs = &self.fact(exit).reading.legs;
        let named = legs
            .iter()
            .any(|leg| matches!(leg.role, Role::Unpacked | Role::Removed));
        let emptied = (0..)
            .zip(legs)
            .find(|(_, leg)| matches!(leg.role, Role::Emptied | Role::Dismantled) || leg.role == Role::Taken);
        let (leg, found) = emptied.filter(|_| !named)?;
        Some(Moment {
            touch: Touch { fact: exit, leg },
            role: if found.role == Role::Taken {
                Role::Emptied
            } else {
                found.role
            },
            via: Some(outer),
            inside: Some(outer),
            packed: Some(packed),
            member: None,
            joined: None,
        })
    }

    /// When `inner`, which went into `outer` by the fact `entered`, first came out again, of what counts.
    pub(in crate::provenance) fn left(&self, inner: LotKey, outer: LotKey, entered: u32) -> Option<i64> {
        self.exit(inner, outer, entered)
            .map(|fact| self.fact(fact).event_time)
    }

    /// The fact by which it came out again, of those that count.
    pub(in crate::provenance) fn exit(&self, inner: LotKey, outer: LotKey, entered: u32) -> Option<u32> {
        self.exit_in(Pass::Counting, inner, outer, entered)
    }

    fn exit_in(&self, pass: Pass, inner: LotKey, outer: LotKey, entered: u32) -> Option<u32> {
        let mut exits: Vec<u32> = Vec::new();
        self.tracks.visit(outer.into(), &mut |_, touch| {
            let out = match self.leg(touch).role {
                Role::Emptied => Role::Unpacked,
                Role::Dismantled => Role::Removed,
                _ => return,
            };
            if !self.compare(touch.fact, entered).is_gt() {
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
            .filter(|exit| self.opens(pass, outer, *exit))
            .min_by(|a, b| self.compare(*a, *b))
    }

    /// Whether a fact says of `outer`, on a word that `pass` takes, that something came out of it.
    fn opens(&self, pass: Pass, outer: LotKey, exit: u32) -> bool {
        match pass {
            Pass::Said(0) => self.is_own_word(exit),
            Pass::Said(levels) => self.standing_in(outer, levels - 1).admits(exit),
            Pass::Counting => self.standing(outer).admits(exit) && self.counts(exit),
        }
    }
}
