//! Standing: who may speak about a lot, and so which facts are facts about it at all.
//!
//! A least fixpoint over what was said, in this order:
//!
//! 1. the owner of the identifier's namespace, and those he delegated, say how a lot came into being; where
//!    nobody owns the namespace, whoever made it. An owner who takes in what another made under his number
//!    agrees to that making.
//! 2. custody is handed on: by a shipment to a named consignee or carrier and his receipt, by a hand-over of
//!    who holds it, back to who sent it. Whoever holds some may say what became of it.
//! 3. where nobody with standing says that he made or shipped it, a receipt or an opening balance is an entry
//!    from outside, and begins custody.
//! 4. what was imported from another's document counts if the importer has standing, or if nobody has.
//!
//! Corrections and voids change none of this. A fact without standing is absent from every answer about the
//! lot: it is kept in a list of what strangers said, and weighs on its signer.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use super::{
    super::filing::{
        fact::Role,
        span::{LotKey, Span},
        symbol::{BySymbol, Symbol},
    },
    Gate,
    moments::{Moment, Pass},
};

/// How many levels of containers standing over a container is judged in.
const LEVELS: u8 = 3;

/// Who may speak about a lot.
#[derive(Debug)]
pub(in crate::provenance) struct Standing {
    /// Who owns the identifier.
    pub(in crate::provenance) owner: Option<Symbol>,
    /// Facts about it whose signer may say so.
    admitted: HashSet<u32>,
    /// Of a class lot: facts about members whose signer may say so, each with the serials that it concerns.
    admitted_members: HashMap<u32, Vec<Span>>,
    /// Facts about it whose signer may not, in order.
    pub(in crate::provenance) strangers: Vec<(u32, Role)>,
    /// Parties that speak for another's stock: by having made it for him, or by running the place where it lies.
    deputies: HashMap<Symbol, Symbol, BySymbol>,
}

impl Standing {
    /// Whether the fact is one about this lot.
    pub(in crate::provenance) fn admits(&self, fact: u32) -> bool {
        self.admitted.contains(&fact)
    }

    /// Whether the fact is one about this member.
    pub(in crate::provenance) fn admits_member(&self, fact: u32, member: LotKey) -> bool {
        self.admitted_members
            .get(&fact)
            .is_some_and(|spans| spans.iter().any(|span| span.contains(member)))
    }

    /// Whether the fact is one about what a moment concerns.
    pub(in crate::provenance) fn admits_moment(&self, moment: &Moment) -> bool {
        match moment.member {
            Some(member) => self.admits_member(moment.touch.fact, member.key()),
            None => self.admits(moment.touch.fact),
        }
    }

    /// How much room it takes, in facts.
    pub(in crate::provenance) fn weight(&self) -> usize {
        self.admitted.len() + self.admitted_members.len() + self.strangers.len()
    }

    /// The party for whose stock another speaks.
    pub(in crate::provenance) fn principal_of(&self, deputy: Symbol) -> Option<Symbol> {
        self.deputies.get(&deputy).copied()
    }
}

impl Gate<'_> {
    /// Who may speak about a lot.
    pub(in crate::provenance) fn standing(&self, root: LotKey) -> Arc<Standing> {
        self.standing_in(root, LEVELS)
    }

    pub(super) fn standing_in(&self, root: LotKey, levels: u8) -> Arc<Standing> {
        self.memory
            .standing((root, levels), || self.judge_standing(root, levels))
    }

    fn judge_standing(&self, root: LotKey, levels: u8) -> Standing {
        let moments = self.moments(root, Pass::Said(levels));
        let owner = self.directory.owner(&self.symbols, &self.name(root));
        let contains = moments
            .iter()
            .any(|moment| moment.via.is_none() && moment.role == Role::Container);
        let is_unit = contains || self.is_logistic_unit(root);
        let mut closure = Closure::new(self, owner, is_unit, &moments);
        closure.run();
        closure.finish()
    }

    /// Whether an identifier names a logistic unit or a returnable asset: a thing that contains others.
    pub(in crate::provenance) fn is_logistic_unit(&self, key: LotKey) -> bool {
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

    /// Whether the signer of a fact speaks with the owner's voice.
    pub(in crate::provenance) fn is_owners_word(&self, owner: Symbol, fact: u32) -> bool {
        self.is_own_word(fact)
            && (owner == self.actor(fact) || owner == self.fact(fact).issuer || self.speaks_for(fact, owner))
    }
}

/// Of a class lot, the serials that a fact concerns; none: the lot as an amount.
type Part = Option<Span>;

/// Who has, or was offered, what.
#[derive(Debug, Default)]
struct Shares {
    /// Some of the lot, nobody says which.
    any: HashSet<Symbol, BySymbol>,
    /// These serials.
    named: HashSet<(Symbol, Span)>,
    /// Any of both.
    all: HashSet<Symbol, BySymbol>,
}

impl Shares {
    /// Returns whether that is new.
    fn add(&mut self, party: Symbol, part: Part) -> bool {
        let fresh = match part {
            None => self.any.insert(party),
            Some(part) => self.named.insert((party, part)),
        };
        self.all.insert(party);
        fresh
    }

    /// Whether the party has some of what a fact concerns. Who has any of a lot may have any serial of it; who
    /// has a serial has some of the lot.
    fn has(&self, party: Symbol, part: Part) -> bool {
        match part {
            None => self.all.contains(&party),
            Some(part) => self.any.contains(&party) || self.named.contains(&(party, part)),
        }
    }
}

/// To whom something was offered, and under which number.
#[derive(Debug, Default)]
struct Offers {
    /// By party named as consignee, carrier or taker.
    named: Shares,
    /// Shipments that name no consignee, by their number, if they have one.
    open: HashSet<Symbol, BySymbol>,
    /// Parties that shipped or handed over some: what they sent may come back without papers.
    senders: HashSet<Symbol, BySymbol>,
    /// Parties that a receiver to whom something was offered names as the one who delivered it.
    deliverers: HashSet<Symbol, BySymbol>,
}

/// The fixpoint while it grows.
struct Closure<'a> {
    gate: &'a Gate<'a>,
    owner: Option<Symbol>,
    is_unit: bool,
    moments: &'a [Moment],
    /// Moments that wait for their actor to gain standing, or for their fact to be admitted.
    waiting: HashMap<Symbol, Vec<usize>, BySymbol>,
    queue: VecDeque<Symbol>,
    admitted: HashSet<u32>,
    admitted_members: HashMap<u32, Vec<Span>>,
    holders: Shares,
    titled: HashSet<Symbol, BySymbol>,
    deputies: HashMap<Symbol, Symbol, BySymbol>,
    offers: Offers,
    is_made: bool,
}

impl<'a> Closure<'a> {
    fn new(gate: &'a Gate<'a>, owner: Option<Symbol>, is_unit: bool, moments: &'a [Moment]) -> Self {
        let mut waiting: HashMap<Symbol, Vec<usize>, BySymbol> = HashMap::default();
        for (at, moment) in moments.iter().enumerate() {
            waiting.entry(gate.actor(moment.touch.fact)).or_default().push(at);
        }
        Self {
            gate,
            owner,
            is_unit,
            moments,
            waiting,
            queue: VecDeque::new(),
            admitted: HashSet::new(),
            admitted_members: HashMap::new(),
            holders: Shares::default(),
            titled: HashSet::default(),
            deputies: HashMap::default(),
            offers: Offers::default(),
            is_made: false,
        }
    }

    fn run(&mut self) {
        self.admit_owner();
        self.spread();
        self.admit_agreed();
        self.spread();
        if self.is_unit {
            self.admit_packers();
            self.spread();
        }
        if self.holders.all.is_empty() {
            self.admit_from_outside();
            self.spread();
        }
        self.admit_reports();
        self.spread();
    }

    fn finish(self) -> Standing {
        let mut strangers: Vec<(u32, Role)> = self
            .moments
            .iter()
            // What was said about a member is judged at the member: whoever says so said nothing of this class lot.
            .filter(|moment| moment.via.is_none() && moment.member.is_none())
            .filter(|moment| !self.admitted.contains(&moment.touch.fact))
            .map(|moment| (moment.touch.fact, moment.role))
            .collect();
        strangers.dedup();
        Standing {
            owner: self.owner,
            admitted: self.admitted,
            admitted_members: self.admitted_members,
            strangers,
            deputies: self.deputies,
        }
    }

    /// Stage 1: the owner of the namespace and those he delegated; where nobody owns it, every maker.
    fn admit_owner(&mut self) {
        for moment in self.moments {
            let fact = moment.touch.fact;
            if moment.via.is_some() || moment.member.is_some() {
                continue;
            }
            let may = match self.owner {
                Some(owner) => self.gate.is_owners_word(owner, fact),
                None => moment.role.makes() && self.gate.is_own_word(fact) && self.is_nobodys(moment),
            };
            // The owner of the number speaks about making, product and recall; of custody only who has some.
            if may
                && (moment.role.makes()
                    || matches!(moment.role, Role::Class | Role::Recalled | Role::RecallEnded))
            {
                self.admit(moment);
            }
        }
        if let Some(owner) = self.owner
            && (self.is_made || self.moments.iter().any(|moment| self.says(moment, owner)))
        {
            self.hold(owner, None);
        }
    }

    /// Whether a maker under a number that nobody owns is believed: not if others speak of having received it or
    /// had it before, and nobody has ever received any from the maker.
    fn is_nobodys(&self, making: &Moment) -> bool {
        let maker = self.gate.actor(making.touch.fact);
        let own = |moment: &&Moment| moment.via.is_none() && self.gate.is_own_word(moment.touch.fact);
        let (his, came_in): (Vec<&Moment>, Vec<&Moment>) = self
            .moments
            .iter()
            .filter(own)
            .filter(|moment| matches!(moment.role, Role::Taken | Role::Opening))
            .partition(|moment| self.gate.actor(moment.touch.fact) == maker);
        // Who had received some, and sent none before, puts back what others made.
        if !his.is_empty()
            && !self
                .moments
                .iter()
                .filter(own)
                .any(|moment| moment.role == Role::Sent)
        {
            return false;
        }
        let sent_to = |party: Symbol| {
            self.moments.iter().any(|moment| {
                matches!(moment.role, Role::Sent | Role::Handed)
                    && self.gate.actor(moment.touch.fact) == maker
                    && self
                        .gate
                        .fact(moment.touch.fact)
                        .reading
                        .to
                        .named()
                        .is_none_or(|to| to == party)
            })
        };
        came_in.is_empty()
            || came_in
                .iter()
                .any(|moment| moment.role == Role::Taken && sent_to(self.gate.actor(moment.touch.fact)))
    }

    /// Whether the moment is the party's own word about the lot by name.
    fn says(&self, moment: &Moment, party: Symbol) -> bool {
        moment.via.is_none()
            && self.gate.is_own_word(moment.touch.fact)
            && self.gate.actor(moment.touch.fact) == party
    }

    /// Stage 1, second half: the owner makes nothing of it himself, but takes in what another says he made.
    fn admit_agreed(&mut self) {
        let Some(owner) = self.owner.filter(|_| !self.is_made) else {
            return;
        };
        let taken: Vec<Option<Symbol>> = self
            .moments
            .iter()
            .filter(|moment| moment.role == Role::Taken && self.says(moment, owner))
            .map(|moment| self.gate.fact(moment.touch.fact).reading.from.named())
            .collect();
        if taken.is_empty() {
            return;
        }
        for moment in self.moments {
            let fact = moment.touch.fact;
            let maker = self.gate.actor(fact);
            let agreed = taken.iter().any(|from| from.is_none_or(|from| from == maker));
            if moment.via.is_none() && moment.role.makes() && agreed && self.gate.is_own_word(fact) {
                self.admit(moment);
            }
        }
    }

    /// A container that nobody was seen to make starts with its packers, or else with who is first seen to
    /// move it.
    fn admit_packers(&mut self) {
        let own = |moment: &&Moment| moment.via.is_none() && self.gate.is_own_word(moment.touch.fact);
        let packers: Vec<&Moment> = self
            .moments
            .iter()
            .filter(own)
            .filter(|moment| moment.role == Role::Container)
            .filter(|moment| {
                let packer = self.gate.actor(moment.touch.fact);
                self.owner.is_none_or(|owner| owner == packer)
            })
            .collect();
        let first: Vec<&Moment> = if packers.is_empty() && self.holders.all.is_empty() {
            let moves = |moment: &&Moment| moment.role == Role::Container || moment.role.moves();
            self.moments.iter().filter(own).find(moves).into_iter().collect()
        } else {
            packers
        };
        for moment in first {
            self.hold(self.gate.actor(moment.touch.fact), None);
        }
    }

    /// Stage 3: receipts and opening balances of what nobody says he made; failing these, whoever used it.
    fn admit_from_outside(&mut self) {
        let entries: [fn(Role) -> bool; 2] = [
            |role| matches!(role, Role::Taken | Role::Opening),
            |role| role.uses() || matches!(role, Role::Sent | Role::Handed | Role::Consumed),
        ];
        for is_entry in entries {
            for moment in self.moments {
                if is_entry(moment.role) && self.gate.is_own_word(moment.touch.fact) {
                    self.admit(moment);
                }
            }
            if !self.holders.all.is_empty() {
                return;
            }
        }
    }

    /// Stage 4: imported events, where the importer has standing or nobody has.
    fn admit_reports(&mut self) {
        let nobody = self.holders.all.is_empty();
        for moment in self.moments {
            let fact = moment.touch.fact;
            let importer = self.gate.fact(fact).issuer;
            if !self.gate.is_own_word(fact) && (nobody || self.holders.has(importer, moment.member)) {
                self.admit(moment);
            }
        }
    }

    /// Looks again at what those say who gained standing, until nothing changes.
    fn spread(&mut self) {
        while let Some(party) = self.queue.pop_front() {
            let waiting = self.waiting.get(&party).cloned().unwrap_or_default();
            let mut left = Vec::new();
            for at in waiting {
                let Some(moment) = self.moments.get(at) else {
                    continue;
                };
                if !self.may_say(moment) {
                    left.push(at);
                    continue;
                }
                self.admit(moment);
            }
            self.waiting.insert(party, left);
        }
    }

    /// Whether custody, so far, lets the actor of a moment say it.
    fn may_say(&self, moment: &Moment) -> bool {
        let gate = self.gate;
        let fact = moment.touch.fact;
        if !gate.is_own_word(fact) || !self.moved_along(moment) {
            return false;
        }
        let actor = gate.actor(fact);
        let reading = &gate.fact(fact).reading;
        let holds = self.holders.has(actor, moment.member);
        match moment.role {
            Role::Taken => {
                self.offers.named.has(actor, moment.member)
                    || self.offers.senders.contains(&actor)
                    || self.offers.deliverers.contains(&actor)
                    || (!self.offers.open.is_empty()
                        && (self.offers.open.contains(&reading.reference)
                            || self.offers.open.contains(&Symbol::NONE)))
            }
            Role::Returned => holds || self.offers.named.has(actor, moment.member),
            Role::Sold => holds || self.titled.contains(&actor),
            Role::Sent => holds || self.offers.deliverers.contains(&actor),
            Role::About => holds || gate.is_independent(fact),
            // Whoever a container was shipped to may have received its contents one by one.
            Role::Container | Role::Emptied if self.is_unit => {
                holds || self.offers.named.has(actor, moment.member)
            }
            // Who holds some may add to it, name its members, use it; a first making is for stage 1.
            _ => holds,
        }
    }

    /// Whether those who put the lot into what moved, and who made its members, may say so.
    fn moved_along(&self, moment: &Moment) -> bool {
        let admitted = |touch: Option<super::super::filing::span::Touch>| {
            touch.is_none_or(|touch| self.admitted.contains(&touch.fact))
        };
        admitted(moment.packed) && admitted(moment.joined)
    }

    fn admit(&mut self, moment: &Moment) {
        let fact = moment.touch.fact;
        let part = moment.member;
        let newly = self.admitted.insert(fact);
        if let Some(member) = part {
            let members = self.admitted_members.entry(fact).or_default();
            if !members.contains(&member) {
                members.push(member);
            }
        }
        let gate = self.gate;
        let actor = gate.actor(fact);
        let reading = &gate.fact(fact).reading;
        let own = gate.is_own_word(fact);
        match moment.role {
            Role::Made | Role::Output | Role::Parent => {
                self.is_made |= own;
                // Who made some of the lot may have any of it.
                self.hold(actor, None);
                self.depute(gate.operator(fact), actor, None);
                if let Some(principal) = reading.principal.named() {
                    self.depute(principal, actor, None);
                }
            }
            Role::Opening | Role::Container => self.hold(actor, part),
            Role::Taken => {
                self.hold(actor, part);
                self.depute(gate.operator(fact), actor, part);
                if let Some(from) = reading.from.named()
                    && self.offers.named.has(actor, part)
                    && self.offers.deliverers.insert(from)
                {
                    self.queue.push_back(from);
                }
            }
            Role::Sent => {
                self.offer(reading.to.named(), part, reading.reference);
                if let Some(carrier) = reading.carrier.named() {
                    self.offer(Some(carrier), part, reading.reference);
                    self.hold(carrier, part);
                }
                self.sent_by(actor);
            }
            Role::Handed => {
                if let Some(to) = reading.to.named() {
                    self.offer(Some(to), part, reading.reference);
                    self.hold(to, part);
                }
                self.sent_by(actor);
            }
            Role::Sold => {
                if let Some(buyer) = reading.to.named()
                    && self.titled.insert(buyer)
                {
                    self.queue.push_back(buyer);
                }
            }
            // Before anybody has standing, whoever used what nobody made is all that is known of it.
            _ if self.holders.all.is_empty() => self.hold(actor, part),
            _ => {}
        }
        if newly {
            // A fact may stand for others that wait: members that it made, contents that it packed.
            self.wake_dependents(moment);
        }
    }

    /// Wakes those who moved what a fact packed, or members that it made.
    fn wake_dependents(&mut self, moment: &Moment) {
        if matches!(
            moment.role,
            Role::Packed | Role::Child | Role::Class | Role::Made | Role::Output
        ) {
            let parties: Vec<Symbol> = self.holders.all.iter().copied().collect();
            if matches!(moment.role, Role::Packed | Role::Child) || moment.role == Role::Class {
                self.queue.extend(parties);
                self.queue.extend(self.offers.named.all.iter().copied());
            }
        }
    }

    fn sent_by(&mut self, party: Symbol) {
        if self.offers.senders.insert(party) {
            self.queue.push_back(party);
        }
    }

    fn offer(&mut self, to: Option<Symbol>, part: Part, reference: Symbol) {
        match to {
            Some(to) => {
                if self.offers.named.add(to, part) {
                    self.queue.push_back(to);
                }
            }
            None => {
                if self.offers.open.insert(reference) {
                    let receivers: HashSet<Symbol, BySymbol> = self
                        .moments
                        .iter()
                        .filter(|moment| moment.role == Role::Taken)
                        .map(|moment| self.gate.actor(moment.touch.fact))
                        .collect();
                    self.queue.extend(receivers);
                }
            }
        }
    }

    fn hold(&mut self, party: Symbol, part: Part) {
        if party.is_some() && self.holders.add(party, part) {
            self.titled.insert(party);
            self.queue.push_back(party);
        }
    }

    /// `deputy` speaks for the stock of `party`, who named him.
    fn depute(&mut self, deputy: Symbol, party: Symbol, part: Part) {
        if deputy != party && deputy.is_some() {
            self.deputies.entry(deputy).or_insert(party);
            self.hold(deputy, part);
        }
    }
}
