//! The register in a snapshot of the folded state.
//!
//! ```text
//! register    u64 threshold | log keys | parameters | parties | facilities | keys | acts
//! log keys    u32 n, n times key[32]
//! parameters  u32 len, Parameters
//! parties     u32 n, n times u32 len, PartyEnrolled         (facilities likewise)
//! keys        u32 n, n times key[32] | u32 len, party | u8 authority | u8 closed | last sequence | since
//! acts        u32 n, n times u64 leaf | u32 event | u8 effective | u32 len, Event | u32 n, n times key[32]
//! optional    u8 0, or 1 and eight bytes
//! ```
//!
//! Purpose and authority come from entry 0. Layout and rules are those of `admission::snapshot`.

use std::collections::BTreeSet;

use prost::Message as _;

use super::{Act, EventPlace, KeyRecord, Register};
use crate::{
    bytes::{BytesError, Read, Reader, Writer},
    id::{FeedId, FeedSequence, LeafIndex},
    wire::v1::{Event, FacilityRegistered, PartyEnrolled},
};

impl Register {
    pub(crate) fn write(&self, out: &mut Writer) {
        out.u64(self.threshold as u64);
        out.count(self.log_keys.len());
        for key in &self.log_keys {
            out.raw(key.as_bytes());
        }
        out.bytes(&self.parameters.encode_to_vec());
        out.count(self.parties.len());
        for party in self.parties.values() {
            out.bytes(&party.encode_to_vec());
        }
        out.count(self.facilities.len());
        for facility in self.facilities.values() {
            out.bytes(&facility.encode_to_vec());
        }
        out.count(self.keys.len());
        for (feed, record) in &self.keys {
            out.raw(feed.as_bytes());
            out.bytes(record.party.as_bytes());
            out.flag(record.authority);
            out.flag(record.closed);
            out.optional(record.last_sequence, |out, last| out.u64(last.get()));
            out.optional(record.compromised_since, Writer::i64);
        }
        out.count(self.acts.len());
        for (place, act) in &self.acts {
            out.u64(place.leaf_index.get());
            out.u32(place.event_number);
            out.flag(act.effective);
            out.bytes(&act.event.encode_to_vec());
            out.count(act.approvals.len());
            for key in &act.approvals {
                out.raw(key.as_bytes());
            }
        }
    }

    /// The register of a snapshot of the log whose genesis gave `base`.
    ///
    /// # Errors
    /// If the bytes are none.
    pub(crate) fn read(base: &Self, from: &mut Reader<'_>) -> Read<Self> {
        let threshold = from.u64("threshold")?;
        let field = "threshold";
        Ok(Self {
            purpose: base.purpose,
            authority: base.authority.clone(),
            threshold: usize::try_from(threshold).map_err(|_| BytesError::Value {
                field,
                got: threshold,
            })?,
            log_keys: read_keys(from, "log keys")?,
            parameters: from.message("parameters")?,
            parties: read_all(from, "parties", |from| {
                let party: PartyEnrolled = from.message("party")?;
                Ok((party.party.clone(), party))
            })?,
            facilities: read_all(from, "facilities", |from| {
                let facility: FacilityRegistered = from.message("facility")?;
                Ok((facility.facility.clone(), facility))
            })?,
            keys: read_all(from, "keys", |from| {
                Ok((from.feed("key")?, KeyRecord::read(from)?))
            })?,
            acts: read_all(from, "acts", read_act)?,
        })
    }
}

impl KeyRecord {
    fn read(from: &mut Reader<'_>) -> Read<Self> {
        Ok(Self {
            party: from.string("key's party")?,
            authority: from.flag("authority")?,
            closed: from.flag("closed")?,
            last_sequence: from.optional("last sequence", |from| {
                from.u64("last sequence").map(FeedSequence::new)
            })?,
            compromised_since: from.optional("since", |from| from.i64("since"))?,
        })
    }
}

fn read_act(from: &mut Reader<'_>) -> Read<(EventPlace, Act)> {
    let place = EventPlace {
        leaf_index: LeafIndex::new(from.u64("act's index")?),
        event_number: from.u32("act's event number")?,
    };
    let act = Act {
        effective: from.flag("effective")?,
        event: from.message::<Event>("act")?,
        approvals: read_keys(from, "approvals")?,
    };
    Ok((place, act))
}

/// A count and so many rows.
fn read_all<T, C: FromIterator<T>>(
    from: &mut Reader<'_>,
    field: &'static str,
    one: impl FnMut(&mut Reader<'_>) -> Read<T>,
) -> Read<C> {
    Ok(from.many(field, one)?.into_iter().collect())
}

fn read_keys(from: &mut Reader<'_>, field: &'static str) -> Read<BTreeSet<FeedId>> {
    read_all(from, field, |from| from.feed(field))
}
