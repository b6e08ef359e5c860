//! Which makings of a lot a draw comes from.
//!
//! A lot may be filled and drawn from many times: topped up, put back, a tank with a heel. What is drawn at a
//! time descends from what entered up to then, and from the next entries as far as these were short (bookings
//! come late). An account that was emptied forgets what was in it before. Each holder's account is followed by
//! itself; what a holder received descends from what the sender's account held when he sent it.
//!
//! ```text
//! entries   0      1              2        3          draws of d1: 0, of d2: 0 1 (short of 2's amount: 0 1 2)
//! time  ----+--d1--+-------d2-----+--(0)---+--d3-->   after (0), where the account is empty, d3: 3
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{
    super::{
        amount::Exact,
        filing::{
            fact::Role,
            symbol::{BySymbol, Symbol},
        },
        gate::{Gate, moments::CLOCK_SLACK},
    },
    books::{Account, Books},
    history::History,
};

/// Longest chain of custody that is followed; beyond it, what was received may come from anything.
const HOLDERS_MAX: usize = 256;

/// Positions in [`Origins::entries`], ascending.
pub(in crate::provenance) type Entries = BTreeSet<usize>;

/// The makings that something comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::provenance) struct Behind {
    /// As everything said puts it.
    pub(in crate::provenance) surely: Entries,
    /// As far as the log says: bookings whose claimed times and whose order in their feed disagree, receipts that
    /// do not say of which shipment they are.
    pub(in crate::provenance) possibly: Entries,
}

impl Behind {
    fn surely(entries: Entries) -> Self {
        Self {
            surely: entries,
            possibly: Entries::new(),
        }
    }

    fn possibly(entries: Entries) -> Self {
        Self {
            surely: Entries::new(),
            possibly: entries,
        }
    }

    fn extend(&mut self, other: &Self) {
        self.surely.extend(&other.surely);
        self.possibly.extend(&other.possibly);
    }

    /// Whether any of these entries is behind it.
    pub(in crate::provenance) fn meets(&self, entries: &Entries) -> bool {
        !(self.surely.is_disjoint(entries) && self.possibly.is_disjoint(entries))
    }
}

/// The makings of one lot in order, and which of them each draw comes from.
#[derive(Debug)]
pub(in crate::provenance) struct Origins {
    /// The facts that made some of the lot, in order.
    pub(in crate::provenance) entries: Vec<u32>,
    /// By what took some out of an account.
    draws: HashMap<u32, Behind>,
    /// Makings that brought no new amount: they tell again, or add parts to, what another one made.
    again: Entries,
}

impl Origins {
    /// Works out where draws of a lot come from.
    pub(super) fn of(gate: Gate<'_>, history: &History, books: &Books) -> Self {
        let mut entries: Vec<u32> = history.makings.iter().map(|making| making.touch.fact).collect();
        entries.extend(&history.alternatives);
        entries.sort_by(|a, b| gate.compare(*a, *b));
        entries.dedup();
        let mut origins = Self {
            entries,
            draws: HashMap::new(),
            again: Entries::new(),
        };
        if origins.entries.len() > 1 {
            let mut lines = Lines::new(gate, history, books, &origins.entries);
            // By name: where goods went round, it matters with whom one begins.
            for (party, _) in books.holders(gate) {
                lines.follow(party);
            }
            origins.draws = lines.draws;
            let filled: HashSet<u32> = books
                .accounts
                .values()
                .flat_map(|account| &account.inflow)
                .map(|entry| entry.fact)
                .collect();
            origins.again = (0..)
                .zip(&origins.entries)
                .filter(|(_, entry)| !filled.contains(entry))
                .map(|(at, _)| at)
                .collect();
            origins.add_told_again(gate);
        }
        origins
    }

    /// A making that brings no amount belongs to what was there: said up to a day after a draw it may still have
    /// been before it, said long before the filling it was of an earlier one.
    fn add_told_again(&mut self, gate: Gate<'_>) {
        if self.again.is_empty() {
            return;
        }
        let time = |entry: usize| {
            self.entries
                .get(entry)
                .map_or(i64::MIN, |fact| gate.fact(*fact).event_time)
        };
        for (draw, from) in &mut self.draws {
            let until = gate.fact(*draw).event_time.saturating_add(CLOCK_SLACK);
            let since = from
                .surely
                .first()
                .map_or(i64::MIN, |first| time(*first).saturating_sub(CLOCK_SLACK));
            let told = self.again.iter().copied();
            from.surely
                .extend(told.filter(|entry| (since..=until).contains(&time(*entry))));
        }
    }

    /// The entries that a draw comes from.
    pub(in crate::provenance) fn behind(&self, draw: u32) -> Behind {
        let all = || (0..self.entries.len()).collect();
        match self.draws.get(&draw) {
            Some(behind) => behind.clone(),
            None if self.entries.len() <= 1 => Behind::surely(all()),
            None => Behind::possibly(all()),
        }
    }

    /// The entries up to a time, at least the first.
    pub(in crate::provenance) fn up_to(&self, gate: Gate<'_>, time: i64) -> Entries {
        let until = time.saturating_add(CLOCK_SLACK);
        let end = self
            .entries
            .partition_point(|entry| gate.fact(*entry).event_time <= until);
        (0..end.max(1).min(self.entries.len())).collect()
    }
}

/// What one entry on a line brings in.
#[derive(Clone, Debug)]
struct Filling {
    fact: u32,
    from: Behind,
    /// None: not stated.
    amount: Option<Exact>,
}

/// Follows each holder's account along time.
struct Lines<'a> {
    gate: Gate<'a>,
    books: &'a Books,
    position: HashMap<u32, usize>,
    /// Shipments and hand-overs by receiver, in order; none: to nobody named.
    sent_to: HashMap<Option<Symbol>, Vec<u32>>,
    /// Entries of a class lot all of whose pieces have names: what is drawn by quantity is sooner something else.
    named: Entries,
    /// What a lot's own fact uses besides its books: parts of a run that feeds itself.
    feeds_itself: HashSet<u32>,
    followed: HashMap<Symbol, bool, BySymbol>,
    under_way: usize,
    draws: HashMap<u32, Behind>,
}

impl<'a> Lines<'a> {
    fn new(gate: Gate<'a>, history: &'a History, books: &'a Books, entries: &[u32]) -> Self {
        let mut sent_to: HashMap<Option<Symbol>, Vec<u32>> = HashMap::new();
        let mut uses = HashSet::new();
        for moment in &history.moments {
            let fact = moment.touch.fact;
            match moment.role {
                Role::Sent | Role::Handed => sent_to
                    .entry(gate.fact(fact).reading.to.named())
                    .or_default()
                    .push(fact),
                role if role.uses() => {
                    uses.insert(fact);
                }
                _ => {}
            }
        }
        let feeds_itself = entries
            .iter()
            .copied()
            .filter(|entry| gate.run_of(*entry).iter().any(|fact| uses.contains(fact)))
            .collect();
        let named = named_entries(gate, history, books, entries);
        Self {
            gate,
            books,
            named,
            position: entries.iter().copied().zip(0..).collect(),
            sent_to,
            feeds_itself,
            followed: HashMap::default(),
            under_way: 0,
            draws: HashMap::new(),
        }
    }

    fn all(&self) -> Entries {
        (0..self.position.len()).collect()
    }

    /// Follows a holder's account, after those from which he received.
    fn follow(&mut self, party: Symbol) {
        if self.followed.contains_key(&party) || self.under_way >= HOLDERS_MAX {
            return;
        }
        let books = self.books;
        let Some(account) = books.accounts.get(&party) else {
            return;
        };
        self.followed.insert(party, false);
        self.under_way += 1;
        let mut fillings: BTreeMap<usize, Filling> = BTreeMap::new();
        for (at, entry) in account.inflow.iter().enumerate() {
            let from = match self.position.get(&entry.fact) {
                Some(position) if entry.role != Role::Taken => Behind::surely(Entries::from([*position])),
                _ => self.received(party, entry.fact),
            };
            let amount = entry.amount.clone();
            let fact = entry.fact;
            fillings.insert(at, Filling { fact, from, amount });
        }
        self.draw(account, &fillings);
        self.under_way -= 1;
        self.followed.insert(party, true);
    }

    /// The makings that a receipt comes from: those behind the shipments that it can be of.
    fn received(&mut self, party: Symbol, receipt: u32) -> Behind {
        let gate = self.gate;
        let reference = gate.fact(receipt).reading.reference;
        let until = gate.fact(receipt).event_time.saturating_add(CLOCK_SLACK);
        let mut shipments: Vec<u32> = [Some(party), None]
            .iter()
            .filter_map(|to| self.sent_to.get(to))
            .flatten()
            .copied()
            .filter(|sent| gate.fact(*sent).event_time <= until)
            .collect();
        let numbered = |sent: &u32| reference.is_some() && gate.fact(*sent).reading.reference == reference;
        if shipments.iter().any(numbered) {
            shipments.retain(numbered);
        }
        let mut each: Vec<Behind> = Vec::new();
        for sent in &shipments {
            let sender = self.account_behind(*sent);
            if self.followed.get(&sender) != Some(&false) {
                self.follow(sender);
            }
            match self.draws.get(sent) {
                Some(drawn) => each.push(drawn.clone()),
                // Sent round in a circle: from which making it comes is open as far as the log says.
                None => return Behind::possibly(self.all()),
            }
        }
        let Some(mut from) = each.first().cloned() else {
            return Behind::possibly(self.all());
        };
        // What all shipments have in common is sure, whichever it was.
        for other in &each {
            from.surely = &from.surely & &other.surely;
            from.possibly.extend(other.surely.iter().chain(&other.possibly));
        }
        from.possibly.extend(each.iter().flat_map(|one| &one.surely));
        from.possibly = &from.possibly - &from.surely;
        from
    }

    /// On whose account a shipment was booked.
    fn account_behind(&self, sent: u32) -> Symbol {
        let actor = self.gate.actor(sent);
        if self.books.accounts.contains_key(&actor) {
            return actor;
        }
        self.books
            .accounts
            .iter()
            .filter(|(_, account)| account.outflow.iter().any(|entry| entry.fact == sent))
            .map(|(party, _)| *party)
            .min_by_key(|party| self.gate.symbols.name(*party))
            .unwrap_or(actor)
    }

    /// Puts an account's fillings and draws in order of time, and says of each draw where it comes from.
    fn draw(&mut self, account: &Account, fillings: &BTreeMap<usize, Filling>) {
        let gate = self.gate;
        // At one time: what enters, what is drawn, what enters out of a run that draws.
        let mut line: Vec<(i64, u8, u32, usize)> = Vec::new();
        for (at, entry) in account.inflow.iter().enumerate() {
            let rank = if self.feeds_itself.contains(&entry.fact) {
                2
            } else {
                0
            };
            line.push((gate.fact(entry.fact).event_time, rank, entry.fact, at));
        }
        for (at, entry) in account.outflow.iter().enumerate() {
            line.push((gate.fact(entry.fact).event_time, 1, entry.fact, at));
        }
        line.sort_by(|a, b| {
            (a.0, a.1)
                .cmp(&(b.0, b.1))
                .then_with(|| gate.compare(a.2, b.2))
                .then_with(|| a.3.cmp(&b.3))
        });
        let order: Vec<&Filling> = line
            .iter()
            .filter(|(_, rank, ..)| *rank != 1)
            .filter_map(|(.., at)| fillings.get(at))
            .collect();
        // What entered up to `end`, and what was drawn; nothing if some of it is not stated.
        let (mut start, mut end, mut entered) = (0, 0, 0);
        let (mut filled, mut drawn) = (Some(Exact::zero()), Some(Exact::zero()));
        let fill = |filled: &mut Option<Exact>, end: &mut usize| {
            match (
                filled.as_mut(),
                order.get(*end).and_then(|filling| filling.amount.as_ref()),
            ) {
                (Some(sum), Some(amount)) => *sum += amount,
                _ => *filled = None,
            }
            *end += 1;
        };
        for (_, rank, fact, at) in &line {
            if *rank != 1 {
                entered += 1;
                while end < entered {
                    fill(&mut filled, &mut end);
                }
                continue;
            }
            match (
                drawn.as_mut(),
                account.outflow.get(*at).and_then(|entry| entry.amount.as_ref()),
            ) {
                (Some(sum), Some(amount)) => *sum += amount,
                _ => drawn = None,
            }
            while end < order.len()
                && (end == start
                    || matches!((&filled, &drawn), (Some(filled), Some(drawn)) if filled < drawn))
            {
                fill(&mut filled, &mut end);
            }
            // What is drawn after the account was emptied for good comes from its last filling.
            let first = start.min(end.saturating_sub(1));
            let from = order.get(first..end).unwrap_or_default();
            // What claims to have entered later, but was told before in the same feed, may have been there.
            let until = gate.fact(*fact).event_time.saturating_add(CLOCK_SLACK);
            let told_before = order
                .get(end..)
                .unwrap_or_default()
                .iter()
                .take_while(|filling| gate.fact(filling.fact).event_time <= until);
            let mut behind = self.draws.remove(fact).unwrap_or_default();
            for filling in from {
                behind.extend(&filling.from);
            }
            for filling in told_before {
                if gate.precedes_in_feed(filling.fact, *fact) {
                    behind
                        .possibly
                        .extend(filling.from.surely.iter().chain(&filling.from.possibly));
                }
            }
            let by_name = &behind.surely & &self.named;
            if by_name.len() < behind.surely.len() {
                behind.surely = &behind.surely - &by_name;
                behind.possibly.extend(by_name);
            }
            behind.possibly = &behind.possibly - &behind.surely;
            self.draws.insert(*fact, behind);
            if filled.is_some() && filled == drawn {
                start = end;
            }
        }
    }
}

/// The makings of a class lot all of whose pieces had names before the next one: as many members were named by
/// then as it had pieces.
fn named_entries(gate: Gate<'_>, history: &History, books: &Books, entries: &[u32]) -> Entries {
    let mut named: Vec<(i64, u64)> = history
        .moments
        .iter()
        .filter(|moment| moment.role.makes() && moment.via.is_none())
        .filter_map(|moment| Some((gate.fact(moment.joined?.fact).event_time, moment.member?.count())))
        .collect();
    if named.is_empty() {
        return Entries::new();
    }
    named.sort_unstable();
    let made = |fact: u32| {
        let mut sum = Exact::zero();
        let inflow = books.accounts.values().flat_map(|account| &account.inflow);
        for entry in inflow.filter(|entry| entry.fact == fact && entry.role != Role::Taken) {
            sum += entry.amount.as_ref().unwrap_or(&Exact::zero());
        }
        sum
    };
    let mut pieces = Exact::zero();
    let mut all_named = Entries::new();
    for (at, entry) in entries.iter().enumerate() {
        pieces += &made(*entry);
        let next = entries
            .get(at + 1)
            .map_or(i64::MAX, |next| gate.fact(*next).event_time);
        let names: u64 = named
            .iter()
            .filter(|(time, _)| *time < next)
            .map(|(_, count)| count)
            .sum();
        if !pieces.is_zero() && pieces <= Exact::whole(names) {
            all_named.extend(0..=at);
        }
    }
    all_named
}
