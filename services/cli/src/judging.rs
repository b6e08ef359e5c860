//! `verdict`: whether a lot meets a rule pack, computed here from the log's own files, trusting no projector.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use lotproof::{
    audit::source::{CHECKPOINT, CHECKPOINT_LEN_MAX},
    id::TreeSize,
    log::{
        checkpoint::SignedCheckpoint,
        hash::leaf_hash,
        tree::{Frontier, LogHead},
    },
    policy::{CONTEXT_LEN_MAX, Mode, Pack, load_pack},
    time::utc_date,
};
use lotproof_compliance::{
    filed::{CopiedLog, Filed, verdicts, verdicts_again},
    request::VerdictsRequest,
};
use lotproof_ledger::Reading;

use crate::{
    Outcome,
    auditing::{open_source, read_trust},
    lots::each_entry,
    shipped,
};

/// `lotproof verdict`
#[derive(Debug, Args)]
pub(crate) struct Verdict {
    /// The lot or serial, in any spelling
    #[arg(value_name = "LOT", required_unless_present = "again")]
    lot: Option<String>,
    /// The rule pack: a file, or the id of one that comes with the program
    #[arg(long, value_name = "FILE|NAME")]
    pack: Vec<String>,
    /// The procurement, as JSON: who buys, when, for what
    #[arg(long, required_unless_present = "again")]
    context: Option<PathBuf>,
    /// A reading that the pack leaves open, as NAME=VALUE
    #[arg(long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// As of when it is asked, as 2027-11-01; today otherwise
    #[arg(long)]
    evaluation: Option<String>,
    /// The log: a URL, or the folder of a mirror
    #[arg(long)]
    log: String,
    /// Trust file: origin, log id and keys that you pinned
    #[arg(long)]
    trust: PathBuf,
    /// Openings of sealed fields, as `publish --openings` wrote them
    #[arg(long)]
    openings: Vec<PathBuf>,
    /// Compute an answer again that was filed, and compare it byte for byte
    #[arg(long, value_name = "FILE", conflicts_with_all = ["lot", "context", "params", "evaluation"])]
    again: Option<PathBuf>,
}

impl Verdict {
    pub(crate) fn run(self) -> Result<Outcome> {
        match &self.again {
            Some(path) => self.again(path),
            None => self.anew(),
        }
    }

    fn anew(&self) -> Result<Outcome> {
        let [named] = self.pack.as_slice() else {
            bail!("name one rule pack with --pack");
        };
        let pack = pack_of(named)?;
        let path = self.context.as_deref().context("a context")?;
        let context = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        ensure!(
            context.len() <= CONTEXT_LEN_MAX,
            "{} has {} bytes, at most {CONTEXT_LEN_MAX} are accepted",
            path.display(),
            context.len()
        );
        let mut params = BTreeMap::new();
        for param in &self.params {
            let (name, value) = param
                .split_once('=')
                .with_context(|| format!("--param {param} is not NAME=VALUE"))?;
            ensure!(
                params.insert(name.to_owned(), value.to_owned()).is_none(),
                "--param {name} is given twice"
            );
        }
        let request = VerdictsRequest {
            lot: self.lot.clone().unwrap_or_default(),
            pack: Some(pack.name()),
            context: serde_json::from_slice(&context)
                .with_context(|| format!("{} is no JSON object", path.display()))?,
            params,
            evaluation: self.evaluation.clone(),
        };
        let (log, _) = self.read(None, &[])?;
        let today = utc_date(Reading::now().wall_nanos).context("a date")?;
        let answer = verdicts(&log, vec![pack], &request, today)?;
        tell(&answer)?;
        outcome(&answer)
    }

    fn again(&self, path: &Path) -> Result<Outcome> {
        let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        // A line end that an editor or a shell put there is no part of the answer.
        let text = text.strip_suffix(b"\n").unwrap_or(&text);
        let filed = Filed::read(text).with_context(|| format!("{} is", path.display()))?;
        let mut packs = self
            .pack
            .iter()
            .map(|named| pack_of(named))
            .collect::<Result<Vec<_>>>()?;
        packs.extend(shipped::packs()?);
        let mut used: Vec<Pack> = Vec::new();
        for verdict in &filed.verdicts {
            let pack = packs.iter().find(|pack| pack.sha256 == verdict.pack_sha256);
            used.push(pack.cloned().with_context(|| {
                format!(
                    "the text of {} with the digest {} is not at hand: name its file with --pack",
                    verdict.pack, verdict.pack_sha256
                )
            })?);
        }
        let position = LogHead {
            size: filed.position.size,
            root: filed.position.root,
        };
        let heads: Vec<LogHead> = std::iter::once(position).chain(filed.said.proven_by).collect();
        let (log, found) = self.read(Some(position.size), &heads)?;
        if !found {
            eprintln!("the log does not begin with the entries that the answer rests on");
            return Ok(Outcome::Findings);
        }
        let answer = verdicts_again(&log, used, &filed)?;
        tell(&answer)?;
        if answer == text {
            eprintln!("the same, byte for byte");
            return Ok(Outcome::Clean);
        }
        let same = answer
            .iter()
            .zip(text)
            .take_while(|(one, other)| one == other)
            .count();
        let around = |text: &[u8]| {
            let end = text.len().min(same + 40);
            String::from_utf8_lossy(text.get(same..end).unwrap_or_default()).into_owned()
        };
        eprintln!(
            "not the same from byte {same} on: the file has {:?}, and it comes out {:?}",
            around(text),
            around(&answer)
        );
        Ok(Outcome::Findings)
    }

    /// Folds the first entries of the log, all of them hashed to the head that it signed, and says whether it has
    /// these heads.
    fn read(&self, upto: Option<TreeSize>, heads: &[LogHead]) -> Result<(CopiedLog, bool)> {
        let trust = read_trust(&self.trust)?;
        let source = open_source(&self.log)?;
        let note = source
            .read(CHECKPOINT, CHECKPOINT_LEN_MAX)?
            .context("the log has no checkpoint")?;
        let signed = SignedCheckpoint::verify(note, trust.origin(), trust.log_keys())?;
        let size = signed.head().size;
        let mut log = CopiedLog::begin(&self.openings)?;
        let mut frontier = Frontier::default();
        let mut found = heads.iter().filter(|head| head.size == TreeSize::EMPTY).count();
        each_entry(source.as_ref(), size, |entry| {
            if upto.is_none_or(|upto| log.head().size < upto) {
                log.take(entry)
                    .context("run `lotproof audit` to see what is wrong")?;
            }
            frontier.push(leaf_hash(entry));
            let here = frontier.head();
            found += heads.iter().filter(|head| **head == here).count();
            Ok(())
        })?;
        ensure!(
            frontier.head() == *signed.head(),
            "the entries are not those that the log signed: run `lotproof audit` to see where"
        );
        log.end();
        Ok((log, found == heads.len()))
    }
}

/// The pack in a file, or one that comes with the program.
pub(crate) fn pack_of(named: &str) -> Result<Pack> {
    let path = Path::new(named);
    if path.extension().is_some_and(|extension| extension == "toml") {
        let text = fs::read_to_string(path).with_context(|| format!("reading {named}"))?;
        return Ok(load_pack(named, &text, Mode::Lenient)?);
    }
    let shipped = shipped::packs()?;
    let found = shipped
        .iter()
        .find(|pack| pack.id == named || pack.name() == named);
    found.cloned().with_context(|| {
        let known: Vec<String> = shipped.iter().map(Pack::name).collect();
        format!(
            "no rule pack {named} comes with the program, only {}; a file ends in .toml",
            known.join(", ")
        )
    })
}

/// The answer as it is to standard output, and what a person wants to know of it beside.
fn tell(answer: &[u8]) -> Result<()> {
    std::io::stdout().write_all(answer)?;
    std::io::stdout().flush()?;
    for verdict in Filed::read(answer)?.verdicts {
        eprintln!("{}: {} ({})", verdict.pack, verdict.verdict, verdict.basis);
        for ask in verdict.ask {
            eprintln!("  ask {}:", ask.name.unwrap_or(ask.whom));
            for sentence in ask.sentences {
                eprintln!("    {sentence}");
            }
        }
    }
    Ok(())
}

/// Compliant, and nothing else, is clean.
fn outcome(answer: &[u8]) -> Result<Outcome> {
    let verdicts = Filed::read(answer)?.verdicts;
    let compliant = verdicts.iter().all(|verdict| verdict.verdict == "compliant");
    Ok(if compliant && !verdicts.is_empty() {
        Outcome::Clean
    } else {
        Outcome::Findings
    })
}
