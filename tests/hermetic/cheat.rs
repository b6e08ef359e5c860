//! The cheat: cells of a listed maker on their way into a pack, through any sequence of events that accomplices can
//! sign. Whatever they say, the pack is not *compliant*, unless the verdict names every lie that it reads.
//!
//! What happens to the cells is the truth of a world; what is said of it is the history, and each event is marked
//! that states what only its signer can know to be false. A world is a function of its seed; `LOTPROOF_CHEAT_SEED=n`
//! tells one of them alone and prints it.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
};

use lotproof::simulate::Random;

use crate::chain::Chain;

/// Worlds of one run; `LOTPROOF_CHEAT_COUNT` asks for another number.
const WORLDS: u64 = 1_000;

/// Who may have a hand in it, the maker of the pack included. Each signs whatever helps.
const ACCOMPLICES: [&str; 5] = ["cell", "rec", "car", "mine", "pack"];

/// Steps of which the cheat hopes that they make a maker.
const WORDS: [&str; 15] = [
    "relabel",
    "repack",
    "sort",
    "sieve",
    "wrap",
    "form",
    "grade",
    "age",
    "rework",
    "eol_test",
    "fill",
    "seal",
    "degas",
    "remanufacture",
    "polish",
];

/// What an assembly may be called.
const COMPOSING: [&str; 6] = [
    "",
    "step=assemble_module ",
    "step=assemble_pack ",
    "step=relabel ",
    "step=wrap ",
    "step=grade ",
];

/// What a thing full of cells may be declared to be.
const KINDS: [&str; 8] = [
    "cell",
    "module",
    "cell_dry",
    "pack_hardware",
    "bms",
    "kit",
    "sample",
    "widget",
];

/// Cells under one number, or what was made of them.
#[derive(Clone, Debug)]
struct Cargo {
    name: String,
    holder: &'static str,
    /// Pieces under this number; each holds an equal part of the cells.
    pieces: u64,
    cells: u64,
    /// Cells of the listed maker among them, as far as the history says so.
    listed: u64,
    /// And behind a lie.
    hidden: u64,
    /// The lies by which they are hidden: signer and event.
    lies: BTreeSet<(&'static str, String)>,
    /// The event that made the number, so that it can be taken back.
    made_by: Option<(&'static str, String)>,
    has_left: bool,
}

impl Cargo {
    /// They have another number, by an event of their holder.
    fn numbered(&mut self, name: String, pieces: u64, made: String) {
        self.name = name;
        self.pieces = pieces;
        self.made_by = Some((self.holder, made));
        self.has_left = false;
    }
}

struct Scheme {
    random: Random,
    lines: Vec<String>,
    hours: u64,
    products: BTreeMap<&'static str, u64>,
    /// How often each trick was played.
    played: Vec<&'static str>,
}

impl Scheme {
    fn new(seed: u64) -> (Self, Cargo) {
        let mut world = Self {
            random: Random::from_seed(seed),
            lines: Vec::new(),
            hours: 0,
            products: BTreeMap::new(),
            played: Vec::new(),
        };
        for party in ["tnt", "cell", "rec", "car", "mine", "pack", "cam"] {
            world.say(
                party,
                &format!("ownership_declared party={party} owners= ownership_complete=true certified"),
            );
        }
        let listed = world.cells_made("tnt", 60);
        (world, listed)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.next_bits() % bound
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let place = self.below(from.len() as u64);
        from[usize::try_from(place).expect("a place")]
    }

    /// One event; its id.
    fn say(&mut self, party: &str, what: &str) -> String {
        self.hours += 1;
        let id = format!("e{}", self.lines.len());
        let (day, hour) = (self.hours / 24, self.hours % 24);
        let (month, day) = (1 + day / 28, 1 + day % 28);
        self.lines
            .push(format!("{party} {id} {month:02}-{day:02}T{hour:02} {what}"));
        id
    }

    /// A new lot of a new product of a party that declares it.
    fn lot(&mut self, party: &'static str, kind: &str) -> String {
        let number = self.products.entry(party).or_default();
        *number += 1;
        let product = format!("{party}{number}");
        self.say(
            party,
            &format!("product_declared product={product} kind={kind} certified"),
        );
        format!("{product}/L")
    }

    fn cells_made(&mut self, maker: &'static str, cells: u64) -> Cargo {
        let name = self.lot(maker, "cell");
        let made = self.say(
            maker,
            &format!("commissioned facility={maker} operator={maker} items={name}:{cells} certified"),
        );
        Cargo {
            name,
            holder: maker,
            pieces: cells,
            cells,
            listed: if maker == "tnt" { cells } else { 0 },
            hidden: 0,
            lies: BTreeSet::new(),
            made_by: Some((maker, made)),
            has_left: false,
        }
    }

    fn send(&mut self, goods: &mut Cargo, to: &'static str) {
        let (from, item) = (goods.holder, item(goods));
        if from == to {
            return;
        }
        self.say(
            from,
            &format!("shipped items={item} from_facility={from} consignee={to}"),
        );
        self.say(
            to,
            &format!("received items={item} facility={to} consignor={from}"),
        );
        self.say(
            to,
            &format!(
                "title_transferred seller={from} buyer={to} items={item} titles_complete=true certified"
            ),
        );
        goods.holder = to;
        goods.has_left = true;
    }

    /// Another number, after a step of some word that names all its inputs.
    fn renumber(&mut self, goods: &mut Cargo, word: &str, kind: &str, pieces: u64, in_two_events: bool) {
        let holder = goods.holder;
        let (old, name) = (item(goods), self.lot(holder, kind));
        let step = format!("transformed step={word} facility={holder} operator={holder}");
        let made = if in_two_events {
            let run = format!("run=R{}", self.lines.len());
            self.say(
                holder,
                &format!("{step} {run} inputs={old} inputs_complete=true certified"),
            );
            self.say(
                holder,
                &format!("{step} {run} outputs={name}:{pieces} inputs_complete=true certified"),
            )
        } else {
            self.say(
                holder,
                &format!("{step} inputs={old} outputs={name}:{pieces} inputs_complete=true certified"),
            )
        };
        goods.numbered(name, pieces, made);
    }

    /// A number whose making is a lie: the cells came from elsewhere.
    fn lie(&mut self, goods: &mut Cargo, what: &dyn Fn(&str, &str, &str) -> String) {
        let holder = goods.holder;
        let name = self.lot(holder, "cell");
        let new = format!("{name}:{}", goods.cells);
        let event = self.say(holder, &what(holder, &item(goods), &new));
        goods.lies = BTreeSet::from([(holder, event.clone())]);
        goods.hidden += goods.listed;
        goods.listed = 0;
        let cells = goods.cells;
        goods.numbered(name, cells, event);
    }

    /// One trick.
    fn play(&mut self, goods: &mut Cargo) {
        let holder = goods.holder;
        let trick = self.below(17);
        let played = match trick {
            0 | 1 => {
                let to = self.pick(&ACCOMPLICES);
                self.send(goods, to);
                "sent on"
            }
            2 => {
                let word = self.pick(&WORDS);
                let pieces = goods.pieces;
                self.renumber(goods, word, "cell", pieces, false);
                "another number by any word"
            }
            3 => {
                let word = self.pick(&WORDS);
                let pieces = goods.pieces;
                self.renumber(goods, word, "cell", pieces, true);
                "a run told in two events"
            }
            4 => {
                let (kind, word) = (self.pick(&KINDS), self.pick(&WORDS));
                let word = if self.below(2) == 0 {
                    "assemble_module"
                } else {
                    word
                };
                let pieces = goods.pieces.div_ceil(self.pick(&[2, 10, 60]));
                self.renumber(goods, word, kind, pieces, false);
                "modules declared as anything"
            }
            5 => {
                let (kind, word) = (self.pick(&KINDS), self.pick(&COMPOSING));
                let name = self.lot(holder, kind);
                let parent = name.replace("/L", "#M");
                let made = self.say(
                    holder,
                    &format!(
                        "assembled {word}parent={parent} items={} facility={holder} operator={holder} inputs_complete=true certified",
                        item(goods)
                    ),
                );
                goods.numbered(parent, 1, made);
                "built into something declared as anything"
            }
            6 => {
                let cells = goods.cells;
                self.renumber(goods, "dismantle", "cell", cells, false);
                "taken apart"
            }
            7 => self.mix(goods),
            8 => {
                self.lie(goods, &|holder, _, new| {
                    format!("commissioned facility={holder} operator={holder} items={new} certified")
                });
                "lie: commissioned as its own"
            }
            9 => {
                self.lie(goods, &|holder, _, new| {
                    format!("transformed step=form facility={holder} operator={holder} outputs={new} inputs_complete=true certified")
                });
                "lie: made of nothing else"
            }
            10 => {
                let name = self.lot(holder, "cell");
                let (word, cells) = (
                    self.pick(&["opening_balance_declared", "stock_counted"]),
                    goods.cells,
                );
                let said = self.say(
                    holder,
                    &format!("{word} facility={holder} items={name}:{cells} certified"),
                );
                goods.numbered(name, cells, said);
                "it was there"
            }
            11 => {
                let product = goods.name.split(['/', '#']).next().expect("a product").to_owned();
                let owner = ACCOMPLICES.iter().find(|party| product.starts_with(**party));
                let Some(owner) = owner else {
                    return self.played.push("nothing");
                };
                let kind = self.pick(&KINDS);
                self.say(
                    owner,
                    &format!("product_declared product={product} kind={kind} certified"),
                );
                "declared as something else"
            }
            12 => {
                let (name, cells) = (self.lot(holder, "cell"), goods.cells);
                let made = self.say(
                    holder,
                    &format!("transformed step=form facility={holder} operator={holder} inputs={} outputs={name}:{cells} inputs_complete=true certified", goods.name),
                );
                goods.numbered(name, cells, made);
                "nobody says of how many"
            }
            13 => {
                let (name, cells) = (self.lot(holder, "cell"), goods.cells);
                let made = self.say(
                    holder,
                    &format!("transformed step=form facility=cam operator=cam inputs={} outputs={name}:{cells} inputs_complete=true certified", item(goods)),
                );
                goods.numbered(name, cells, made);
                "said to be another's work"
            }
            14 => {
                // Ten are bought, and sixty used: whatever is said of the sixty, it contradicts itself.
                let mut bought = self.cells_made("cam", 10);
                self.send(&mut bought, holder);
                let (name, cells) = (self.lot(holder, "cell"), goods.cells.max(20));
                let made = self.say(
                    holder,
                    &format!("transformed step=form facility={holder} operator={holder} inputs={}:{cells} outputs={name}:{cells} inputs_complete=true certified", bought.name),
                );
                goods.cells = cells;
                goods.numbered(name, cells, made);
                "more of clean ones than there were"
            }
            15 => {
                let mut bought = self.cells_made("cam", 10);
                self.send(&mut bought, holder);
                let clean = item(&bought);
                self.lie(goods, &|holder, _, new| {
                    format!("transformed step=form facility={holder} operator={holder} inputs={clean} outputs={new} inputs_complete=true certified")
                });
                "lie: made of ten clean ones"
            }
            _ => match goods.made_by.clone() {
                // Taken back before it left would count: that is no trick.
                Some((maker, event)) if goods.has_left && !goods.lies.contains(&(maker, event.clone())) => {
                    self.say(maker, &format!("voided event={event} reason=mistake"));
                    "taken back afterwards"
                }
                _ => "nothing",
            },
        };
        self.played.push(played);
    }

    /// Mixed with clean cells of another maker; then drawn by number.
    fn mix(&mut self, goods: &mut Cargo) -> &'static str {
        if goods.pieces != goods.cells {
            return "nothing";
        }
        let holder = goods.holder;
        let clean = 10 + 10 * self.below(8);
        let mut bought = self.cells_made("cam", clean);
        self.send(&mut bought, holder);
        let name = self.lot(holder, "cell");
        let all = goods.cells + clean;
        let made = self.say(
            holder,
            &format!(
                "merged from={},{} lot={name} quantity={all} facility={holder} certified",
                item(goods),
                item(&bought)
            ),
        );
        goods.numbered(name, all, made);
        goods.cells = all;
        "mixed with clean ones"
    }

    /// The pack, of some of the goods and a board.
    fn pack(&mut self, mut goods: Cargo) -> CheatedPack {
        self.send(&mut goods, "pack");
        let board = self.lot("pack", "bms");
        self.say(
            "pack",
            &format!("transformed step=assemble_bms facility=pack operator=pack outputs={board}:1 inputs_complete=true certified"),
        );
        let pack = self.lot("pack", "pack").replace("/L", "#P");
        let drawn = if goods.pieces > 1 && self.below(3) == 0 {
            goods.pieces.div_ceil(2)
        } else {
            goods.pieces
        };
        self.say(
            "pack",
            &format!(
                "assembled step=assemble_pack parent={pack} items={}:{drawn},{board}:1 facility=pack operator=pack inputs_complete=true certified",
                goods.name
            ),
        );
        let cells = goods.cells * drawn / goods.pieces;
        // Of the parts that were drawn by number, any may be the listed maker's.
        let majority = |bad: u64| 2 * bad.min(cells) > cells + 1;
        CheatedPack {
            name: pack,
            must_not: majority(goods.listed),
            must_name: majority(goods.listed + goods.hidden),
            lies: goods.lies,
        }
    }
}

/// What the goods are called where they are moved or used.
fn item(goods: &Cargo) -> String {
    format!("{}:{}", goods.name, goods.pieces)
}

/// What came of it.
struct CheatedPack {
    name: String,
    /// Whether most of its parts may be the listed maker's by what is said.
    must_not: bool,
    /// Whether most of its parts may be the listed maker's.
    must_name: bool,
    lies: BTreeSet<(&'static str, String)>,
}

/// Plays a world; the tricks that were played, and whether the cheat got a verdict that names his lies.
fn play(seed: u64) -> (Vec<&'static str>, bool) {
    let (mut world, mut goods) = Scheme::new(seed);
    let to = world.pick(&ACCOMPLICES);
    world.send(&mut goods, to);
    for _ in 0..=world.below(4) {
        world.play(&mut goods);
    }
    let pack = world.pack(goods);
    let lines: Vec<&str> = world.lines.iter().map(String::as_str).collect();
    let told = || format!("seed {seed}:\n{}", world.lines.join("\n"));
    let chain = Chain::told(&lines);
    assert!(chain.refused.is_empty(), "{:?} in {}", chain.refused, told());
    let rests_on = chain.compliant_on_the_word_of(&pack.name);
    if env::var_os("LOTPROOF_CHEAT_SEED").is_some() {
        println!("{}\n{rests_on:?}", told());
    }
    let Some(rests_on) = rests_on else {
        return (world.played, false);
    };
    assert!(
        !pack.must_not,
        "compliant, though nobody lied about whose cells these are; {}",
        told()
    );
    if pack.must_name {
        for (signer, event) in &pack.lies {
            let named = rests_on.contains(&(signer.to_string(), event.clone()));
            assert!(
                named,
                "compliant, and does not rest on {event} of {signer}; {}",
                told()
            );
        }
    }
    (world.played, pack.must_name)
}

#[test]
fn no_sequence_of_events_makes_a_listed_makers_cells_compliant() {
    let asked = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match asked("LOTPROOF_CHEAT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..asked("LOTPROOF_CHEAT_COUNT").unwrap_or(WORLDS),
    };
    let is_whole = seeds.end - seeds.start >= WORLDS;
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut pairs: BTreeSet<(&str, &str)> = BTreeSet::new();
    let (mut worlds, mut named) = (0_u64, 0_u64);
    for seed in seeds {
        let (played, is_named) = play(seed);
        worlds += 1;
        named += u64::from(is_named);
        for trick in &played {
            *counts.entry(trick).or_default() += 1;
        }
        pairs.extend(played.windows(2).map(|pair| (pair[0], pair[1])));
    }
    println!(
        "{worlds} worlds, {named} compliant with every lie named; {} pairs of tricks; {counts:#?}",
        pairs.len()
    );
    if is_whole {
        // A test in which no cheat ever gets so far shows nothing, and neither does one in which a trick is missing.
        assert!(named * 20 >= worlds, "{named} of {worlds}");
        assert!(
            counts.len() >= 16 && counts.values().all(|count| count * 100 >= worlds),
            "{counts:?}"
        );
    }
}
