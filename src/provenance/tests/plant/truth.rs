//! The truth: what is where, and which state of which thing came from which.
//!
//! ```text
//! account = (lot, where)            a chain of states, one for each entry; forgotten where it was emptied
//! node    = one state, or one batch of pieces; labelled with its lot
//! edge    = sure: this matter is in that one          possible: a ledger may think so, and cannot know better
//! ```
//!
//! Bulk blends: what is drawn comes from the newest state, and that from all states before it and all that
//! entered. Pieces do not blend: what is drawn comes from batches, of which the world knows which ones and a
//! ledger does not, so that edges from the account's state are possible ones. A lot is an ancestor of another
//! if one of its nodes reaches one of the other's. *Must* follows sure edges, *may* follows all.

use std::collections::{BTreeMap, BTreeSet};

use super::dice::Dice;

/// A lot, a serial or a container, by its number in the world.
pub(super) type Lot = usize;
/// A party, by its number in the world.
pub(super) type Party = usize;
type Node = usize;
/// From, to, and whether it is surely so.
type Edge = (Node, Node, bool);

/// Where some of a lot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Where {
    /// Loose, with somebody.
    Held(Party),
    /// Under way. Shipments that the two parties tell apart have a number of their own.
    Way(u32),
    /// On a pallet or in a tote.
    On(Lot),
    /// Built into something.
    In(Lot),
}

/// One account.
pub(super) type Spot = (Lot, Where);

/// When somebody says that something happened, and in which event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub(super) claimed: i64,
    pub(super) event: usize,
}

/// Some matter between two accounts, as the nodes that it comes from.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    sure: Vec<Node>,
    possible: Vec<Node>,
}

impl Flow {
    /// A ledger may think that it comes from this as well.
    pub(super) fn maybe(&mut self, other: &Flow) {
        self.possible.extend(other.sure.iter().chain(&other.possible));
    }

    pub(super) fn add(&mut self, other: &Flow) {
        self.sure.extend(&other.sure);
        self.possible.extend(&other.possible);
    }
}

#[derive(Clone, Debug, Default)]
struct Account {
    amount: i64,
    /// Newest last.
    states: Vec<Node>,
    batches: Vec<(Node, i64)>,
    /// Every state and every batch that ever was.
    all: Vec<Node>,
    touched: Vec<At>,
}

/// Everything that is so.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth {
    bulk: Vec<bool>,
    labels: Vec<Option<Lot>>,
    edges: Vec<Edge>,
    accounts: BTreeMap<Spot, Account>,
    /// Lots of which a ledger cannot tell when an account was empty.
    blurred: BTreeSet<Lot>,
    /// Pieces or matter that came into the world less what left it, by lot.
    pub(super) born: BTreeMap<Lot, i64>,
}

impl Truth {
    /// A lot more.
    pub(super) fn add_lot(&mut self, bulk: bool) -> Lot {
        self.bulk.push(bulk);
        self.bulk.len() - 1
    }

    pub(super) fn amount(&self, spot: Spot) -> i64 {
        self.accounts.get(&spot).map_or(0, |account| account.amount)
    }

    /// All accounts with something in them.
    pub(super) fn stock(&self) -> impl Iterator<Item = (Spot, i64)> {
        self.accounts
            .iter()
            .filter(|(_, account)| account.amount > 0)
            .map(|(spot, account)| (*spot, account.amount))
    }

    pub(super) fn blur(&mut self, lot: Lot) {
        self.blurred.insert(lot);
    }

    fn node(&mut self, label: Option<Lot>) -> Node {
        self.labels.push(label);
        self.labels.len() - 1
    }

    fn edges(&mut self, flow: &Flow, to: Node) {
        let sure = flow.sure.iter().map(|from| (*from, to, true));
        let possible = flow.possible.iter().map(|from| (*from, to, false));
        self.edges.extend(sure.chain(possible));
    }

    /// Takes some out of an account: of one batch, if it is one that can be told apart.
    pub(super) fn draw(
        &mut self,
        spot: Spot,
        amount: i64,
        which: Option<usize>,
        at: At,
        dice: &mut Dice,
    ) -> Flow {
        let blends = self.blends(spot);
        let account = self.accounts.get_mut(&spot).expect("something is there");
        assert!(
            0 < amount && amount <= account.amount,
            "{amount} of {} at {spot:?}",
            account.amount
        );
        account.touched.push(at);
        account.amount -= amount;
        *self.born.entry(spot.0).or_default() -= amount;
        let state = *account.states.last().expect("an entry before");
        if blends {
            return Flow {
                sure: vec![state],
                possible: vec![],
            };
        }
        let mut flow = Flow {
            sure: vec![],
            possible: vec![state],
        };
        let mut wanted = amount;
        while wanted > 0 {
            let place = which.map_or_else(
                || dice.place(account.batches.len()),
                |which| {
                    let found = account.batches.iter().position(|(node, _)| *node == which);
                    found.expect("that batch is there")
                },
            );
            let (node, left) = &mut account.batches[place];
            let taken = wanted.min(*left);
            flow.sure.push(*node);
            *left -= taken;
            wanted -= taken;
            if *left == 0 {
                account.batches.remove(place);
            }
        }
        flow
    }

    /// What a ledger may think to have come out of an account, of which nothing did.
    pub(super) fn seen(&self, spot: Spot) -> Flow {
        let states = self
            .accounts
            .get(&spot)
            .and_then(|account| account.states.last().copied());
        Flow {
            sure: vec![],
            possible: states.into_iter().collect(),
        }
    }

    /// Puts some into an account. Returns the batch.
    pub(super) fn enter(&mut self, spot: Spot, amount: i64, flow: &Flow, at: At) -> Node {
        assert!(amount > 0, "nothing enters {spot:?}");
        let state = self.node(Some(spot.0));
        let blends = self.blends(spot);
        let account = self.accounts.entry(spot).or_default();
        account.touched.push(at);
        let before = account.states.last().copied().filter(|_| account.amount > 0);
        account.states.push(state);
        account.all.push(state);
        account.amount += amount;
        *self.born.entry(spot.0).or_default() += amount;
        self.edges.extend(before.map(|before| (before, state, blends)));
        if blends {
            self.edges(flow, state);
            return state;
        }
        let batch = self.node(Some(spot.0));
        self.edges(flow, batch);
        self.edges.push((batch, state, false));
        let account = self.accounts.get_mut(&spot).expect("entered above");
        account.batches.push((batch, amount));
        account.all.push(batch);
        batch
    }

    fn blends(&self, (lot, place): Spot) -> bool {
        self.bulk[lot] && matches!(place, Where::Held(_))
    }

    /// What was put into a run comes out of it with everything else, before or after.
    pub(super) fn run(&mut self, run: Option<usize>, inputs: &Flow) -> (usize, Flow) {
        let state = self.node(None);
        if let Some(before) = run {
            self.edges.push((before, state, true));
            self.edges.push((state, before, false));
        }
        self.edges(inputs, state);
        let flow = Flow {
            sure: vec![state],
            possible: vec![],
        };
        (state, flow)
    }

    /// The edges and labels as a ledger knows them. Where the claimed times of an account are not in the order of
    /// the truth it may think of any of its states, and knows for sure that the lot went there, not which of it.
    fn finished(&self) -> (Vec<Edge>, Vec<Option<Lot>>) {
        let (mut edges, mut labels) = (self.edges.clone(), self.labels.clone());
        let mut unsure: BTreeMap<Node, Node> = BTreeMap::new();
        for ((lot, _), account) in &self.accounts {
            let follows = |pair: &[At]| pair[0].claimed < pair[1].claimed || pair[0].event == pair[1].event;
            if account.touched.windows(2).all(follows) && !self.blurred.contains(lot) {
                continue;
            }
            for pair in account.states.windows(2) {
                edges.push((pair[0], pair[1], false));
                edges.push((pair[1], pair[0], false));
            }
            if account.states.len() > 1 {
                labels.push(Some(*lot));
                let some = labels.len() - 1;
                unsure.extend(account.all.iter().map(|state| (*state, some)));
            }
        }
        for place in 0..edges.len() {
            let (from, to, sure) = edges[place];
            if let Some(some) = unsure.get(&from).filter(|_| sure) {
                edges[place].2 = false;
                edges.push((*some, to, true));
            }
        }
        (edges, labels)
    }

    /// For every lot, the lots that it comes from: surely, and possibly.
    pub(super) fn ancestry(&self) -> Ancestry {
        let (edges, labels) = self.finished();
        let lots = self.bulk.len();
        let reach = |all: bool| {
            let mut next: Vec<Vec<Node>> = vec![Vec::new(); labels.len()];
            for (from, to, _) in edges.iter().filter(|(_, _, sure)| all || *sure) {
                next[*from].push(*to);
            }
            let mut up: Vec<BTreeSet<Lot>> = vec![BTreeSet::new(); lots];
            for start in 0..lots {
                let mut seen = vec![false; labels.len()];
                let mut open: Vec<Node> = (0..labels.len())
                    .filter(|node| labels[*node] == Some(start))
                    .collect();
                while let Some(node) = open.pop() {
                    if std::mem::replace(&mut seen[node], true) {
                        continue;
                    }
                    if let Some(lot) = labels[node] {
                        up[lot].insert(start);
                    }
                    open.extend(&next[node]);
                }
            }
            up
        };
        Ancestry {
            must: reach(false),
            may: reach(true),
        }
    }

    /// Whether what is there is what came in less what went out.
    pub(super) fn conserves(&self) -> bool {
        let mut there: BTreeMap<Lot, i64> = BTreeMap::new();
        for ((lot, place), account) in &self.accounts {
            *there.entry(*lot).or_default() += account.amount;
            let batches: i64 = account.batches.iter().map(|(_, amount)| amount).sum();
            if account.amount < 0 || (!self.blends((*lot, *place)) && batches != account.amount) {
                return false;
            }
        }
        self.born
            .iter()
            .all(|(lot, amount)| there.get(lot).copied().unwrap_or(0) == *amount)
    }
}

/// For every lot, the lots that it comes from, itself among them.
#[derive(Clone, Debug)]
pub(super) struct Ancestry {
    pub(super) must: Vec<BTreeSet<Lot>>,
    pub(super) may: Vec<BTreeSet<Lot>>,
}
