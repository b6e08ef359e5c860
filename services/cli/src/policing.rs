//! `policy`: rule packs as files, before anybody is judged by them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use lotproof::policy::{Cases, Mode, Pack, in_words, load_list, load_pack, needs, view::ListEdition};

use crate::Outcome;

/// `lotproof policy`
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Say everything that is wrong with a rule pack and the lists that it names
    Check(OneFile),
    /// Put the cases of a rule pack to it, and name the rules that they do not show
    Test(Test),
    /// Tell the rules in words
    Explain(OneFile),
    /// List which facts the rules need, by whom to ask
    Questionnaire(OneFile),
}

#[derive(Debug, Args)]
pub(crate) struct OneFile {
    /// The rule pack
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The rule pack
    file: PathBuf,
    /// Its cases; beside the pack, as NAME.cases.json, unless given
    #[arg(long)]
    cases: Option<PathBuf>,
}

impl Policy {
    pub(crate) fn run(self) -> Result<Outcome> {
        match self {
            Self::Check(one) => check(&one.file),
            Self::Test(test) => test.run(),
            Self::Explain(one) => {
                print!("{}", in_words(&read(&one.file)?));
                Ok(Outcome::Clean)
            }
            Self::Questionnaire(one) => {
                for (whom, facts) in needs(&read(&one.file)?) {
                    println!("{whom}");
                    for fact in facts {
                        println!("  {fact}");
                    }
                }
                Ok(Outcome::Clean)
            }
        }
    }
}

fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

fn read(path: &Path) -> Result<Pack> {
    Ok(load_pack(
        &path.display().to_string(),
        &text(path)?,
        Mode::Lenient,
    )?)
}

/// The list files that a pack names, beside it, and what is wrong with them.
fn lists(path: &Path, pack: &Pack) -> (Vec<ListEdition>, Vec<String>) {
    let folder = path.parent().unwrap_or(Path::new("."));
    let (mut editions, mut faults) = (Vec::new(), Vec::new());
    for (list, file) in pack.lists() {
        let path = folder.join(file);
        let name = path.display().to_string();
        match text(&path).and_then(|text| Ok(load_list(&name, &text)?)) {
            Ok(edition) if edition.list == list => editions.push(edition),
            Ok(edition) => faults.push(format!("{name}: an edition of {}, not of {list}", edition.list)),
            Err(error) => faults.push(format!("{error:#}")),
        }
    }
    (editions, faults)
}

fn check(path: &Path) -> Result<Outcome> {
    let name = path.display().to_string();
    let pack = match load_pack(&name, &text(path)?, Mode::Lenient) {
        Ok(pack) => pack,
        Err(error) => {
            println!("{error}");
            return Ok(Outcome::Findings);
        }
    };
    let (_, faults) = lists(path, &pack);
    for fault in &faults {
        println!("{fault}");
    }
    if !faults.is_empty() {
        return Ok(Outcome::Findings);
    }
    let verified = if pack.text_verified { "" } else { "not " };
    println!(
        "{} loads; {verified}checked against the text of the law; sha256 {}",
        pack.name(),
        pack.sha256
    );
    for row in &pack.unverified {
        println!("not verified: {row}");
    }
    Ok(Outcome::Clean)
}

impl Test {
    fn run(self) -> Result<Outcome> {
        let pack = read(&self.file)?;
        let (editions, faults) = lists(&self.file, &pack);
        for fault in &faults {
            println!("{fault}");
        }
        let path = self
            .cases
            .unwrap_or_else(|| self.file.with_extension("cases.json"));
        let cases = Cases::read(&text(&path)?).with_context(|| path.display().to_string())?;
        let mut different = 0;
        for found in cases.run(&pack, &editions)? {
            for difference in &found.differs {
                println!("case {}: {difference}", found.case);
            }
            different += usize::from(!found.differs.is_empty());
        }
        let gaps = cases.gaps(&pack)?;
        for (rule, gap) in &gaps {
            println!("rule {rule}: no case in which it {gap}");
        }
        println!(
            "{} cases, {different} come out otherwise than by hand",
            cases.len()
        );
        Ok(if different == 0 && gaps.is_empty() && faults.is_empty() {
            Outcome::Clean
        } else {
            Outcome::Findings
        })
    }
}
