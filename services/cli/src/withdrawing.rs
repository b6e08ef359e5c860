//! `withdraw`: gives up events that wait in an outbox.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use lotproof::{identifier, shell::key_file};

use crate::{Outcome, desk::Desk, publishing::Target};

/// `lotproof withdraw`
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    /// Ids of events that wait in the outbox: the ledger's register lacks something, or they were never signed
    #[arg(required = true, value_name = "ID")]
    events: Vec<String>,
    /// The party that speaks
    #[arg(long)]
    party: String,
    /// Its key file
    #[arg(long)]
    key: PathBuf,
    #[command(flatten)]
    target: Target,
}

impl Withdraw {
    pub(crate) async fn run(self) -> Result<Outcome> {
        let party = identifier::normalise(&self.party).with_context(|| format!("party {}", self.party))?;
        let key = key_file::read(&self.key).with_context(|| format!("reading {}", self.key.display()))?;
        let session = self.target.open().await?;
        let desk = Desk::open(&session, &party, key).await?;
        let mut outcome = Outcome::Clean;
        for id in &self.events {
            match desk.withdraw(&session, id).await? {
                Ok(()) => println!("{id} is withdrawn, and its id free"),
                Err(kept) => {
                    outcome = Outcome::Findings;
                    eprintln!("{id} is not withdrawn: {kept}");
                }
            }
        }
        desk.publisher.stop().await?;
        Ok(outcome)
    }
}
