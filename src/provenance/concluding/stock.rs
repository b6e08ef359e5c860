//! What of a lot is where: stock by (holder, place, parent), in bounds where nobody says how much.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use super::{
    super::{
        amount::{Amount, Exact},
        filing::{
            span::LotKey,
            symbol::{BySymbol, Symbol},
        },
        gate::Gate,
    },
    books::{Account, Books, Range},
    history::{self, History},
};

/// How deep assemblies in assemblies are followed to who holds the outermost.
const NESTING_MAX: u32 = 8;

/// Some of a lot, in one place. The amount is an interval where a movement did not say how much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StockRow {
    /// Who holds it; nobody while it is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Where, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What contains it, or what it is built into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Of what is under way: who sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Of what is under way: to whom, if somebody is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// At least this much.
    pub at_least: Amount,
    /// At most this much.
    pub at_most: Amount,
}

/// Where the lot is now, in the unit of its books.
pub(in crate::provenance) fn of(gate: Gate<'_>, history: &History, books: &Books) -> Vec<StockRow> {
    let mut rows = Vec::new();
    let mut loose: BTreeMap<&str, (Symbol, Range)> = BTreeMap::new();
    for (party, account) in &books.accounts {
        loose.insert(gate.symbols.name(*party), (*party, account.on_hand()));
    }
    // A serial of a lot of which its holder also moves or uses pieces by quantity may have gone along unnamed.
    let unsure = moved_unnamed(gate, history);
    for (container, contained) in &books.contained {
        // What is under way in a container is told as under way.
        let Some(holder) = contained.holder.filter(|_| !contained.amount.is_nothing()) else {
            continue;
        };
        let mut amount = contained.amount.clone();
        if let Some((_, left)) = loose.get_mut(gate.symbols.name(holder)) {
            // No more lies in there than its holder has: who used it did not always say that he unpacked it.
            if let Some(most) = &left.at_most {
                amount.at_least = amount.at_least.min(most.clone());
                amount.at_most = Some(
                    amount
                        .at_most
                        .map_or(most.clone(), |inside| inside.min(most.clone())),
                );
            }
            *left = left.less(&Range::of(Some(&amount.at_least)));
        }
        if amount.is_nothing() {
            continue;
        }
        let place = books.accounts.get(&holder).and_then(place_of);
        rows.push(row(
            gate,
            books,
            (Some(holder), place),
            Some(container.clone()),
            &amount,
        ));
    }
    for (parent, (key, by, amount)) in &books.built_in {
        if !amount.is_nothing() {
            let holder = holder_of(gate, *key, NESTING_MAX).unwrap_or(*by);
            // Of what somebody built in beyond what he had, nobody knows how much is there.
            let mut amount = amount.clone();
            if books.accounts.get(by).is_some_and(Account::is_overdrawn) {
                amount.at_least = Exact::zero();
            }
            rows.push(row(
                gate,
                books,
                (Some(holder), None),
                Some(parent.clone()),
                &amount,
            ));
        }
    }
    for (party, left) in loose.into_values() {
        if left.is_nothing() {
            continue;
        }
        let place = books.accounts.get(&party).and_then(place_of);
        rows.push(row(gate, books, (Some(party), place), None, &left));
    }
    for under_way in &books.in_transit {
        let mut under_way_row = row(gate, books, (None, None), None, &under_way.amount);
        under_way_row.from = gate.text(under_way.from);
        under_way_row.to = under_way.to.and_then(|to| gate.text(to));
        rows.push(under_way_row);
    }
    for row in &mut rows {
        let holder = row.holder.as_deref().and_then(|holder| gate.symbols.get(holder));
        if holder.is_some_and(|holder| unsure.contains(&holder)) {
            row.at_least.value = Exact::zero();
        }
    }
    rows.sort_by_cached_key(|row| {
        (
            row.holder.clone(),
            row.place.clone(),
            row.parent.clone(),
            row.from.clone(),
            row.to.clone(),
        )
    });
    rows
}

fn row(
    gate: Gate<'_>,
    books: &Books,
    (holder, place): (Option<Symbol>, Option<Symbol>),
    parent: Option<String>,
    amount: &Range,
) -> StockRow {
    // Nowhere is more than there ever was, whoever says so.
    let ever = books.made.total.at_most.clone().filter(|ever| !ever.is_zero());
    let most = match (amount.at_most.clone(), ever) {
        (Some(most), Some(ever)) => most.min(ever),
        (Some(most), None) => most,
        (None, ever) => ever.unwrap_or_else(|| amount.at_least.clone()),
    };
    StockRow {
        holder: holder.and_then(|holder| gate.text(holder)),
        place: place.and_then(|place| gate.text(place)),
        parent,
        from: None,
        to: None,
        at_least: books.amount(amount.at_least.clone().min(most.clone())),
        at_most: books.amount(most),
    }
}

/// The one place at which an account's stock can be: where all that came in came in, and nothing says that it
/// went elsewhere.
fn place_of(account: &Account) -> Option<Symbol> {
    let mut balance: HashMap<Symbol, (Exact, bool), BySymbol> = HashMap::default();
    for entry in &account.inflow {
        let row = balance
            .entry(entry.place)
            .or_insert_with(|| (Exact::zero(), true));
        match &entry.amount {
            Some(amount) => row.0 += amount,
            None => row.1 = false,
        }
    }
    if balance.len() > 1 {
        for entry in &account.outflow {
            let row = balance.get_mut(&entry.place)?;
            row.0 -= entry.amount.as_ref()?;
        }
        balance.retain(|_, (left, known)| !*known || !left.is_zero());
    }
    let mut places = balance.into_keys();
    let only = places.next().filter(|place| place.is_some())?;
    places.next().is_none().then_some(only)
}

/// Who holds all of a thing, through what it is built into.
fn holder_of(gate: Gate<'_>, key: LotKey, depth: u32) -> Option<Symbol> {
    let depth = depth.checked_sub(1)?;
    let history = history::of(gate, key);
    let books = super::books_of(gate, &history);
    if let Some((outer, by, _)) = books
        .built_in
        .values()
        .find(|(_, _, amount)| !amount.is_nothing())
    {
        return holder_of(gate, *outer, depth).or(Some(*by));
    }
    let mut holders = books
        .accounts
        .iter()
        .filter(|(_, account)| !account.on_hand().is_nothing());
    let (holder, _) = holders.next()?;
    holders.next().is_none().then_some(*holder)
}

/// Of a serial, the holders who moved or used so many pieces of its class lot by quantity that nobody says whether
/// the serial went along.
fn moved_unnamed(gate: Gate<'_>, history: &History) -> HashSet<Symbol, BySymbol> {
    match history.classes.last() {
        Some(class) if history.is_serial => {
            let class = history::of(gate, *class);
            super::books_of(gate, &class)
                .took_named(gate, &class)
                .moved
                .clone()
        }
        _ => HashSet::default(),
    }
}
