//! The rule packs that verdicts are given under, loaded from a folder at start.
//!
//! Packs are the folder's own `*.toml` files; the list files that they name are read as well, so that a
//! broken one is found at start. Which names count is never taken from these files, though: a verdict reads
//! the editions that the authority published in the ledger.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result, ensure};
use lotproof::policy::{Mode, Pack, load_list, load_pack};

/// Packs by id and version.
#[derive(Debug)]
pub(crate) struct Rules {
    packs: BTreeMap<String, Pack>,
}

impl Rules {
    /// Loads a folder, for example the repository's `policies/`.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let mut packs = BTreeMap::new();
        let listing = std::fs::read_dir(folder)
            .with_context(|| format!("reading the folder of rule packs, {}", folder.display()))?;
        for file in listing {
            let path = file?.path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let name = path.display().to_string();
            let text = std::fs::read_to_string(&path).with_context(|| format!("reading {name}"))?;
            // Rows that rest on unverified knowledge are taken, and named in every verdict.
            let pack = load_pack(&name, &text, Mode::Lenient)?;
            for (list, file) in pack.lists() {
                let path = folder.join(file);
                let name = path.display().to_string();
                let text = std::fs::read_to_string(&path).with_context(|| format!("reading {name}"))?;
                let edition = load_list(&name, &text)?;
                ensure!(
                    edition.list == list,
                    "{name} is an edition of {}, not of {list}",
                    edition.list
                );
            }
            let earlier = packs.insert(pack.name(), pack);
            if let Some(earlier) = earlier {
                anyhow::bail!("{} comes twice", earlier.name());
            }
        }
        ensure!(!packs.is_empty(), "no rule pack in {}", folder.display());
        Ok(Self { packs })
    }

    /// All packs, by id and version.
    pub(crate) fn packs(&self) -> impl Iterator<Item = &Pack> {
        self.packs.values()
    }

    /// The pack named `id@version`, or the newest of that id.
    pub(crate) fn pack(&self, name: &str) -> Option<&Pack> {
        self.packs
            .get(name)
            .or_else(|| self.packs.values().rev().find(|pack| pack.id == name))
    }
}
