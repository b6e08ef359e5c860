//! The rule packs and lists that come with the program, so that a new ledger has something to judge by.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use lotproof::{
    policy::{Mode, Pack, load_pack},
    shell::durable,
};

/// Each file's path below a folder of policies, and its text.
const POLICIES: [(&str, &str); 2] = [
    (
        "us-ndaa-fy2024-s154.toml",
        include_str!("../../../policies/us-ndaa-fy2024-s154.toml"),
    ),
    (
        "lists/us-ndaa-154.toml",
        include_str!("../../../policies/lists/us-ndaa-154.toml"),
    ),
];

/// The rule packs among them.
pub(crate) fn packs() -> Result<Vec<Pack>> {
    let packs = POLICIES.iter().filter(|(name, _)| !name.contains('/'));
    packs
        .map(|(name, text)| Ok(load_pack(name, text, Mode::Lenient)?))
        .collect()
}

/// Writes the policies into a folder. A file that is there already stays as it is.
pub(crate) fn write_policies(folder: &Path) -> Result<()> {
    for (name, text) in POLICIES {
        let path = folder.join(name);
        if path.exists() {
            continue;
        }
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).with_context(|| format!("creating {}", above.display()))?;
        }
        durable::write(&path, text.as_bytes()).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
