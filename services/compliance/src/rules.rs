//! The rule packs that verdicts are given under, loaded from a folder at start.
//!
//! Packs are the folder's own `*.toml` files; the list files that they name are read as well, so that a
//! broken one is found at start. Which names count is never taken from these files, though: a verdict reads
//! the editions that the authority published in the ledger.
//!
//! A pack that does not load is kept with what is wrong with it, and stops nothing else.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result, ensure};
use lotproof::policy::{Fault, Mode, Pack, load_list, load_pack};
use serde::{Deserialize, Serialize};

/// Packs by id and version, and the files of which none could be made.
#[derive(Debug)]
pub(crate) struct Rules {
    packs: BTreeMap<String, Pack>,
    broken: Vec<BrokenPack>,
}

/// A file that should be a pack, and is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenPack {
    /// Name of the file in the folder of packs, without `.toml`: by custom the id of the pack.
    pub pack: String,
    /// What is wrong with it.
    pub faults: Vec<BrokenLine>,
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenLine {
    /// Name of the file: the pack's, or that of a list which it names.
    pub file: String,
    /// One-based line; left out where the file as a whole is at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// In words.
    pub message: String,
}

impl BrokenLine {
    fn of(file: &str, fault: &Fault) -> Self {
        Self {
            file: file.to_owned(),
            line: Some(fault.line),
            message: fault.what.to_string(),
        }
    }

    fn whole(file: &str, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            message: message.into(),
        }
    }
}

impl Rules {
    /// Loads a folder, for example the repository's `policies/`.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let mut rules = Self {
            packs: BTreeMap::new(),
            broken: Vec::new(),
        };
        let listing = std::fs::read_dir(folder)
            .with_context(|| format!("reading the folder of rule packs, {}", folder.display()))?;
        let mut names = Vec::new();
        for file in listing {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                names.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
            }
        }
        names.sort();
        ensure!(!names.is_empty(), "no rule pack in {}", folder.display());
        for name in names {
            if let Err(faults) = rules.take(folder, &name) {
                for fault in &faults {
                    let line = fault.line.map(|line| format!(":{line}")).unwrap_or_default();
                    tracing::error!(file = %fault.file, "a rule pack does not load: {}{line}: {}", fault.file, fault.message);
                }
                rules.broken.push(BrokenPack {
                    pack: name.strip_suffix(".toml").unwrap_or(&name).to_owned(),
                    faults,
                });
            }
        }
        Ok(rules)
    }

    /// Loads one pack and looks at its lists, or says all that is wrong with them.
    fn take(&mut self, folder: &Path, name: &str) -> Result<(), Vec<BrokenLine>> {
        // Rows that rest on unverified knowledge are taken, and named in every verdict.
        let pack = text_of(folder, name).and_then(|text| {
            load_pack(name, &text, Mode::Lenient).map_err(|error| lines(name, &error.faults))
        })?;
        let mut faults = Vec::new();
        for (list, file) in pack.lists() {
            let edition = text_of(folder, file)
                .and_then(|text| load_list(file, &text).map_err(|error| lines(file, &error.faults)));
            match edition {
                Ok(edition) if edition.list != list => {
                    let message = format!("is an edition of {}, not of {list}", edition.list);
                    faults.push(BrokenLine::whole(file, message));
                }
                Ok(_) => {}
                Err(more) => faults.extend(more),
            }
        }
        if self.packs.contains_key(&pack.name()) {
            faults.push(BrokenLine::whole(name, format!("{} comes twice", pack.name())));
        }
        if faults.is_empty() {
            self.packs.insert(pack.name(), pack);
            Ok(())
        } else {
            Err(faults)
        }
    }

    /// These packs alone.
    pub(crate) fn of(packs: Vec<Pack>, broken: Vec<BrokenPack>) -> Self {
        Self {
            packs: packs.into_iter().map(|pack| (pack.name(), pack)).collect(),
            broken,
        }
    }

    /// Files of which no pack could be made.
    pub(crate) fn broken(&self) -> &[BrokenPack] {
        &self.broken
    }

    /// The broken file of a pack that is asked for by `id` or `id@version`.
    pub(crate) fn broken_pack(&self, name: &str) -> Option<&BrokenPack> {
        let id = name.split_once('@').map_or(name, |(id, _)| id);
        self.broken.iter().find(|broken| broken.pack == id)
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

fn text_of(folder: &Path, file: &str) -> Result<String, Vec<BrokenLine>> {
    std::fs::read_to_string(folder.join(file))
        .map_err(|error| vec![BrokenLine::whole(file, format!("cannot be read: {error}"))])
}

fn lines(file: &str, faults: &[Fault]) -> Vec<BrokenLine> {
    faults.iter().map(|fault| BrokenLine::of(file, fault)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACK: &str = include_str!("../../../policies/us-ndaa-fy2024-s154.toml");
    const LIST: &str = include_str!("../../../policies/lists/us-ndaa-154.toml");

    #[test]
    fn a_pack_that_does_not_load_is_kept_with_its_faults_and_stops_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        std::fs::create_dir(folder.path().join("lists")).unwrap();
        write("lists/us-ndaa-154.toml", LIST);
        write("good.toml", PACK);
        write(
            "worded.toml",
            &PACK.replace("\"cell\", \"bms\"", "\"cel\", \"bmss\""),
        );
        write("listless.toml", &PACK.replace("us-ndaa-154.toml", "us-fasc.toml"));
        write("twice.toml", PACK);
        write("notes.txt", "no pack");
        let rules = Rules::read(folder.path()).unwrap();
        let loaded: Vec<String> = rules.packs().map(Pack::name).collect();
        assert_eq!(loaded, ["us-ndaa-fy2024-s154@2026-08-22"]);
        let broken: Vec<&str> = rules.broken().iter().map(|broken| broken.pack.as_str()).collect();
        assert_eq!(broken, ["listless", "twice", "worded"]);
        let worded = rules.broken_pack("worded@1").unwrap();
        assert_eq!(worded.faults.len(), 4, "{worded:?}");
        assert!(
            worded
                .faults
                .iter()
                .all(|fault| fault.line.is_some() && fault.file == "worded.toml")
        );
        let listless = rules.broken_pack("listless").unwrap();
        assert_eq!(listless.faults[0].file, "lists/us-fasc.toml");
        assert!(rules.broken_pack("good").is_none());
    }
}
