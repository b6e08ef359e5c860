//! Files besides those that an audit reads as the log's.

use std::collections::BTreeMap;

use super::{
    finding::{FindingKind, Findings},
    source::{LogSource, SourceError, len_max},
    static_log::widest,
};
use crate::{id::TreeSize, log::tile::TilePath};

/// Files besides those that were read: what a smaller log had left behind must agree, all else is surplus.
/// Findings are in the order of the names, so that they do not depend on the source.
pub(super) fn check<S: LogSource + ?Sized>(
    source: &S,
    size: TreeSize,
    findings: &mut Findings,
) -> Result<(), SourceError> {
    let mut wrong = BTreeMap::new();
    let mut unread = None;
    source.list(&mut |name| {
        if unread.is_some() {
            return;
        }
        match judge(source, name, size) {
            Ok(None) => {}
            Ok(Some(found)) => {
                wrong.insert(name.to_owned(), found);
                if wrong.len() > findings.max {
                    wrong.pop_last();
                }
            }
            Err(error) => unread = Some(error),
        }
    })?;
    if let Some(error) = unread {
        return Err(error);
    }
    for (name, (kind, detail)) in wrong {
        findings.in_file(kind, name, detail);
    }
    Ok(())
}

/// What is wrong with a file that is there, unless it is one of those that were read.
fn judge<S: LogSource + ?Sized>(
    source: &S,
    name: &str,
    size: TreeSize,
) -> Result<Option<(FindingKind, String)>, SourceError> {
    let wide = name.parse().ok().map(|path: TilePath| (path, widest(path, size)));
    let Some((path, Some(wide))) = wide else {
        let detail = format!("a log of {size} entries has no such file");
        return Ok(Some((FindingKind::SurplusFile, detail)));
    };
    if path == wide {
        return Ok(None);
    }
    let narrow = source.read(&path.to_string(), len_max(path))?.unwrap_or_default();
    let is_whole = match path {
        TilePath::Hashes(tile) => tile.hashes(&narrow).is_ok(),
        TilePath::Entries(bundle) => bundle.entries(&narrow).is_ok(),
    };
    let begins = source
        .read(&wide.to_string(), len_max(wide))?
        .is_none_or(|bytes| bytes.starts_with(&narrow));
    let detail = match (is_whole, begins) {
        (true, true) => return Ok(None),
        (true, false) => format!("is not the beginning of {wide}"),
        (false, _) => "its length or framing is not that of its name".to_owned(),
    };
    Ok(Some((FindingKind::TileMismatch, detail)))
}
