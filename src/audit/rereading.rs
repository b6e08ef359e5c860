//! A statement of which the replay has let the row go, read again from the files.

use super::{
    bundle::{self, Bundle, Checked},
    finding::Findings,
    older::Statement,
    place,
    slot::{self, Slot},
    source::{LogSource, SourceError},
    tree::TreeCheck,
};
use crate::{
    admission::FeedRow,
    envelope::Envelope,
    id::{LeafIndex, TreeSize},
    log::tile::EntryBundle,
};

/// Reads an entry again as it was read when its bundle's turn was: nothing if no statement stands there.
///
/// If the files are not those any more of which nothing was wrong, that is an error and no finding.
pub(super) fn read<S: LogSource + ?Sized>(
    source: &S,
    tree: &TreeCheck<'_, S>,
    size: TreeSize,
    index: LeafIndex,
    findings: &Findings,
) -> Result<Option<Statement>, SourceError> {
    let Some(name) = EntryBundle::covering(index, size) else {
        return Ok(None);
    };
    let Some(bundle) = bundle::check(vec![Bundle::read(source, name)?]).pop() else {
        return Ok(None);
    };
    let mut findings_again = Findings::new(findings.max);
    let counting = place::judge(&bundle, &mut tree.aside(), &mut findings_again)?;
    // What is wrong with files may keep them from leading up; nothing passes for sound by it, as that was found.
    if findings.list.is_empty() && !(findings_again.list.is_empty() && tree.confirms(&bundle, &counting)?) {
        let why = "not what it was when the audit read it first";
        return Err(SourceError::new(&name.to_string(), why));
    }
    let mut slots = slot::slots(bundle, &counting).into_iter();
    let Some((
        _,
        Slot::Sound(
            _,
            Checked::Statement {
                recorded_at,
                outcome,
                envelope,
                ..
            },
        ),
    )) = slots.find(|(place, _)| *place == index)
    else {
        return Ok(None);
    };
    Ok(Envelope::decode(envelope).ok().map(|envelope| Statement {
        header: envelope.header().clone(),
        row: FeedRow {
            index,
            hash: envelope.hash(),
            recorded_at,
            outcome,
        },
    }))
}
