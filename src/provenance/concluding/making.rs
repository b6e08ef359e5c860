//! How much of a lot was made, by whom.
//!
//! The same number again is normal: put back, topped up, made again after it was used up. Each adds to one lot.
//! Three styles tell one making twice, and must not count twice: a lot commissioned and also put out of a step;
//! a lot with a quantity and serials that are its members; a thing commissioned and also assembled.

use std::collections::{BTreeMap, HashMap};

use super::{
    super::{
        amount::Exact,
        filing::{
            fact::Role,
            span::{LotKey, Span},
            symbol::{BySymbol, Symbol},
        },
        gate::{
            Gate,
            moments::{CLOCK_SLACK, Moment},
        },
    },
    books::Range,
    history::History,
    measure::Measure,
    repeated,
};

/// How far apart the two tellings of one making may be: an hour.
const TOLD_TOGETHER: i64 = 3_600_000_000_000;

/// One making's share.
#[derive(Debug)]
pub(super) struct MadeEntry {
    pub(super) fact: u32,
    pub(super) role: Role,
    pub(super) maker: Symbol,
    pub(super) amount: Range,
    /// Whether it is some of the lot that comes back: put back, reworked, sorted.
    pub(super) comes_back: bool,
    pub(super) not_compared: bool,
}

/// What was made of a lot.
#[derive(Debug)]
pub(in crate::provenance) struct Made {
    pub(super) entries: Vec<MadeEntry>,
    /// How much ever came into being.
    pub(in crate::provenance) total: Range,
    /// The same, and what came back out of steps that it had gone into.
    pub(in crate::provenance) came_in: Range,
}

/// What was made of a lot, on the makings that count.
pub(super) fn of(gate: Gate<'_>, history: &History, measure: &Measure) -> Made {
    let entries = if history.is_serial {
        one_thing(gate, history)
    } else {
        let mut entries = by_quantity(gate, history, measure);
        add_members(gate, history, measure, &mut entries);
        entries
    };
    let (mut total, mut came_in) = (Range::nothing(), Range::nothing());
    for entry in &entries {
        came_in.join(&entry.amount);
        if !entry.comes_back {
            total.join(&entry.amount);
        }
    }
    Made {
        entries,
        total,
        came_in,
    }
}

/// One piece each time that the thing came to be while it was not there: gone for more than clocks differ.
fn one_thing(gate: Gate<'_>, history: &History) -> Vec<MadeEntry> {
    let mut entries = Vec::new();
    for making in &history.makings {
        let fact = making.touch.fact;
        if making.role == Role::Class || entries.iter().any(|known: &MadeEntry| known.fact == fact) {
            continue;
        }
        let time = gate.fact(fact).event_time;
        let reworked = reworks(gate, fact, history.key);
        let fresh = entries.iter().filter(|entry| !entry.comes_back).count();
        if !reworked && gone_by(gate, &history.moments, history.key, time) < fresh {
            continue;
        }
        entries.push(MadeEntry {
            fact,
            role: making.role,
            maker: gate.actor(fact),
            amount: Range::of(Some(&Exact::whole(1))),
            comes_back: reworked,
            not_compared: false,
        });
    }
    entries
}

/// Whether the run that a fact belongs to used the thing itself.
fn reworks(gate: Gate<'_>, fact: u32, thing: LotKey) -> bool {
    let run = gate.run_of(fact);
    let mut legs = run.iter().flat_map(|member| &gate.fact(*member).reading.legs);
    legs.any(|leg| leg.role.uses() && leg.span.contains(thing))
}

/// How often a thing had surely been used and not taken out again by a time, whatever clocks differ by. What reworks
/// it gives it back.
fn gone_by<'m>(
    gate: Gate<'_>,
    moments: impl IntoIterator<Item = &'m Moment>,
    thing: LotKey,
    time: i64,
) -> usize {
    let (surely, perhaps) = (time.saturating_sub(CLOCK_SLACK), time.saturating_add(CLOCK_SLACK));
    let (mut gone, mut back) = (0_usize, 0_usize);
    for moment in moments {
        let at = gate.fact(moment.touch.fact).event_time;
        let is_back = match moment.role {
            Role::Dismantled => moment.via.is_some(),
            Role::Removed => moment.via.is_none(),
            _ => false,
        };
        let is_gone = moment.via.is_none() && (moment.role.uses() || moment.role == Role::Consumed);
        back += usize::from(is_back && at <= perhaps);
        gone += usize::from(is_gone && at <= surely && !reworks(gate, moment.touch.fact, thing));
    }
    gone.saturating_sub(back)
}

/// Makings that name the lot itself.
fn by_quantity(gate: Gate<'_>, history: &History, measure: &Measure) -> Vec<MadeEntry> {
    let mut entries: Vec<MadeEntry> = Vec::new();
    let reported_again = repeated::reported_again(gate, history);
    let legs = history.direct().filter(|moment| {
        !reported_again.contains(&moment.touch.fact)
            && matches!(moment.role, Role::Made | Role::Output | Role::Parent)
            && history.makings.iter().any(|making| making.touch == moment.touch)
    });
    for moment in legs {
        let read = measure.read(gate, moment);
        entries.push(MadeEntry {
            fact: moment.touch.fact,
            role: moment.role,
            maker: gate.actor(moment.touch.fact),
            amount: Range::of(read.amount.as_ref()),
            comes_back: comes_back(gate, history, moment.touch.fact),
            not_compared: read.not_compared,
        });
    }
    told_twice(gate, &mut entries);
    entries
}

/// Whether all that went into the run is the lot itself, or was taken out of it by one step before.
fn comes_back(gate: Gate<'_>, history: &History, fact: u32) -> bool {
    let inputs = |fact: u32| -> Vec<Span> {
        let run = gate.run_of(fact).into_iter();
        run.flat_map(|member| &gate.fact(member).reading.legs)
            .filter(|leg| leg.role.uses())
            .map(|leg| leg.span)
            .collect()
    };
    let is_of_lot = |span: &Span| {
        span.contains(history.key)
            || (span.count() == 1 && gate.class_lots(span.key()).contains(&history.key))
            || gate.tracks.of(span.key()).iter().any(|touch| {
                gate.leg(*touch).role == Role::Output
                    && gate.counts(touch.fact)
                    && inputs(touch.fact).iter().any(|input| input.contains(history.key))
            })
    };
    let went_in = inputs(fact);
    !went_in.is_empty() && went_in.iter().all(is_of_lot)
}

/// Who commissions a lot and also reports the step that made it speaks of one amount, if both say the same
/// amount at about the same time. Said far apart it may as well be two: then the amount is open between both.
fn told_twice(gate: Gate<'_>, entries: &mut [MadeEntry]) {
    let mut steps: HashMap<Symbol, (Exact, i64, bool), BySymbol> = HashMap::default();
    for entry in entries.iter().filter(|entry| entry.role == Role::Output) {
        let time = gate.fact(entry.fact).event_time;
        let (sum, last, known) = steps
            .entry(entry.maker)
            .or_insert_with(|| (Exact::zero(), time, true));
        *sum += &entry.amount.at_least;
        *last = time.max(*last);
        *known &= entry.amount.at_most.is_some();
    }
    for entry in entries.iter_mut().filter(|entry| entry.role == Role::Made) {
        let Some((sum, last, known)) = steps.get(&entry.maker) else {
            continue;
        };
        if *known && *sum != entry.amount.at_least && entry.amount.at_most.is_some() {
            continue;
        }
        let near = gate.fact(entry.fact).event_time.abs_diff(*last) <= TOLD_TOGETHER.unsigned_abs();
        entry.amount.at_least = Exact::zero();
        if near || !*known || entry.amount.at_most.is_none() {
            entry.amount.at_most = Some(Exact::zero());
        }
    }
}

/// Serials of a class lot: they are what its quantity counts; of a lot without a quantity they are all of it.
fn add_members(gate: Gate<'_>, history: &History, measure: &Measure, entries: &mut Vec<MadeEntry>) {
    let mut pieces: BTreeMap<(u32, u8, u64), (Span, Vec<&Moment>)> = BTreeMap::new();
    for moment in &history.moments {
        if let Some(member) = moment.member {
            let key = member.key().order();
            pieces
                .entry(key)
                .or_insert_with(|| (member, Vec::new()))
                .1
                .push(moment);
        }
    }
    let stated = entries.iter().any(|entry| {
        matches!(entry.role, Role::Made | Role::Output) && entry.amount.at_most != Some(Exact::zero())
    });
    let mut fresh: HashMap<Symbol, (u64, u32), BySymbol> = HashMap::default();
    for (member, moments) in pieces.values() {
        let (mut here, thing) = (0_usize, member.key());
        for moment in moments {
            if moment.via.is_some() || !moment.role.makes() {
                continue;
            }
            let fact = moment.touch.fact;
            // A name that is given to a piece of a stated amount is no piece of its own.
            if stated && moment.role == Role::Made {
                continue;
            }
            if reworks(gate, fact, thing) {
                push_members(gate, measure, entries, moment, member.count());
            } else if gone_by(gate, moments.iter().copied(), thing, gate.fact(fact).event_time) >= here {
                here += 1;
                let row = fresh.entry(gate.actor(fact)).or_insert((0, fact));
                row.0 += member.count();
            }
        }
    }
    let mut fresh: Vec<(Symbol, (u64, u32))> = fresh.into_iter().collect();
    fresh.sort_by(|a, b| gate.compare(a.1.1, b.1.1));
    for (maker, (count, fact)) in fresh {
        let own: Exact =
            entries
                .iter()
                .filter(|entry| entry.maker == maker)
                .fold(Exact::zero(), |mut sum, entry| {
                    sum += &entry.amount.at_least;
                    sum
                });
        // Somebody's serials for what another made are names, and add nothing.
        if stated && own.is_zero() {
            continue;
        }
        let members = measure.pieces(count);
        let more = members.beyond(&own);
        if more.is_zero() {
            continue;
        }
        // More members than the stated amount has pieces: the amount may count some of them, or others.
        let at_most = if own.is_zero() { more.clone() } else { members };
        entries.push(MadeEntry {
            fact,
            role: Role::Class,
            maker,
            amount: Range {
                at_least: more,
                at_most: Some(at_most),
            },
            comes_back: false,
            not_compared: false,
        });
    }
}

fn push_members(
    gate: Gate<'_>,
    measure: &Measure,
    entries: &mut Vec<MadeEntry>,
    moment: &Moment,
    count: u64,
) {
    entries.push(MadeEntry {
        fact: moment.touch.fact,
        role: moment.role,
        maker: gate.actor(moment.touch.fact),
        amount: Range::of(Some(&measure.pieces(count))),
        comes_back: true,
        not_compared: false,
    });
}

impl Made {
    /// Whether nobody says as his own word that he made any of the lot, but for what came back into it.
    pub(super) fn is_from_outside(&self, history: &History) -> bool {
        let mut own = history.makings.iter().filter(|making| making.own_word);
        own.all(|making| self.comes_back(making.touch.fact))
    }

    /// Whether nobody says where the lot comes from: nobody made it, or it was only put back into itself.
    pub(super) fn is_unknown(&self, history: &History) -> bool {
        history
            .makings
            .iter()
            .all(|making| self.comes_back(making.touch.fact))
    }

    /// Whether a fact only put some of the lot back into it.
    fn comes_back(&self, fact: u32) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.fact == fact && entry.comes_back)
    }

    /// Whether a fact brought some of it into being, and did not only name again what was there.
    pub(super) fn counts(&self, fact: u32) -> bool {
        self.entries.iter().any(|entry| entry.fact == fact)
    }
}
