//! `init` and `keys`: what comes before a ledger runs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use lotproof::{
    id::{FeedId, LogId},
    identifier,
    log::{
        checkpoint::{Checkpoint, Origin},
        note::{Note, VerifierKey},
    },
    shell::{durable, key_file},
    time::RecordedAt,
    trust::TrustFile,
    wire::v1,
};
use lotproof_ledger::{Folder, Identity, InitOptions, Reading, default_parameters, init};

use crate::{Outcome, running::POLICIES_FOLDER, shipped::write_policies};

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Purpose {
    Production,
    Demo,
    Test,
    Sandbox,
}

/// `lotproof init`
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Data folder to create
    folder: PathBuf,
    /// Name of the log, as `ledger.example/batteries`: origin and key name of its checkpoints
    #[arg(long)]
    origin: String,
    /// What the ledger is for; fixtures are taken by all but production
    #[arg(long, value_enum)]
    purpose: Purpose,
    /// Identifier of the authority, a URI
    #[arg(long)]
    authority: String,
    /// A public key of the authority, in hexadecimal; give each once
    #[arg(long = "authority-key", required = true)]
    authority_keys: Vec<String>,
    /// How many of the authority's keys make an act
    #[arg(long)]
    threshold: u32,
    /// Signed checkpoint of the log that this one follows, with `--after-log-id`
    #[arg(long, requires = "after_log_id")]
    after: Option<PathBuf>,
    /// Identity of the log that this one follows, with `--after`
    #[arg(long, requires = "after")]
    after_log_id: Option<String>,
}

impl Init {
    pub(crate) fn run(self) -> Result<Outcome> {
        let authority = identifier::normalise(&self.authority)
            .with_context(|| format!("authority {}", self.authority))?;
        let keys = self.authority_keys.iter().map(|key| {
            FeedId::from_hex(key).with_context(|| {
                format!(
                    "{key} is not 64 lower-case hexadecimal digits; `lotproof keys show FILE` prints a key's"
                )
            })
        });
        let keys = keys.collect::<Result<Vec<_>>>()?;
        for (place, key) in keys.iter().enumerate() {
            ensure!(
                !keys.iter().take(place).any(|before| before == key),
                "authority key {key} is given twice"
            );
        }
        let purpose = match self.purpose {
            Purpose::Production => v1::Purpose::Production,
            Purpose::Demo => v1::Purpose::Demo,
            Purpose::Test => v1::Purpose::Test,
            Purpose::Sandbox => v1::Purpose::Sandbox,
        };
        let follows = match (self.after, self.after_log_id) {
            (Some(path), Some(log_id)) => Some(v1::Predecessor {
                log_id: LogId::from_hex(&log_id)
                    .context("--after-log-id is not a log id")?
                    .as_bytes()
                    .to_vec(),
                checkpoint: read_head(&path)?,
            }),
            _ => None,
        };
        let options = InitOptions {
            origin: Origin::new(&self.origin).context("the origin")?,
            purpose,
            authority,
            authority_keys: keys,
            threshold: self.threshold,
            parameters: default_parameters(),
            follows,
            created_at: RecordedAt::from_nanos(Reading::now().wall_nanos),
        };
        let folder = Folder::new(&self.folder);
        let identity = init(&folder, &options)?;
        let trust_path = self.folder.join("trust.json");
        durable::write(&trust_path, trust_file(&identity)?.to_json().as_bytes())?;
        let policies = self.folder.join(POLICIES_FOLDER);
        write_policies(&policies)?;
        println!("created log {}", identity.log_id);
        println!("its key     {}", identity.log_key);
        println!("give auditors and publishers {}", trust_path.display());
        println!("rule packs  {}", policies.display());
        Ok(Outcome::Clean)
    }
}

/// A signed checkpoint, as it is. By which key it is signed is for those to say who knew the earlier log.
fn read_head(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let no_checkpoint = || format!("{} is not a signed checkpoint", path.display());
    let note = Note::parse(&bytes).with_context(no_checkpoint)?;
    Checkpoint::parse(note.text()).with_context(no_checkpoint)?;
    Ok(bytes)
}

/// What auditors and publishers pin.
pub(crate) fn trust_file(identity: &Identity) -> Result<TrustFile> {
    let key: VerifierKey = identity.log_key.parse().context("the log's key")?;
    TrustFile::new(identity.origin.clone(), identity.log_id, vec![key]).context("the trust file")
}

/// `lotproof keys`
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a new private key in a file that does not exist yet
    New {
        /// The file
        file: PathBuf,
    },
    /// Print the public key of a private key's file
    Show {
        /// The file
        file: PathBuf,
    },
}

impl Keys {
    pub(crate) fn run(self) -> Result<Outcome> {
        let key = match &self {
            Self::New { file } => {
                if file.exists() {
                    bail!("{} exists already; keys are never overwritten", file.display());
                }
                let key = key_file::generate()?;
                key_file::write(file, &key).with_context(|| format!("writing {}", file.display()))?;
                key
            }
            Self::Show { file } => {
                key_file::read(file).with_context(|| format!("reading {}", file.display()))?
            }
        };
        println!("{}", key.feed());
        Ok(Outcome::Clean)
    }
}
