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

use prost::Message as _;

use super::{Act, EventPlace, KeyRecord, Register};
use crate::{
    admission::snapshot::{Reader, Writer},
    id::{FeedSequence, LeafIndex},
    wire::v1,
};

fn write_optional(out: &mut Writer, value: Option<[u8; 8]>) {
    out.u8(u8::from(value.is_some()));
    if let Some(value) = value {
        out.raw(&value);
    }
}

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
            out.u8(u8::from(record.authority));
            out.u8(u8::from(record.closed));
            write_optional(out, record.last_sequence.map(|last| last.get().to_be_bytes()));
            write_optional(out, record.compromised_since.map(i64::to_be_bytes));
        }
        out.count(self.acts.len());
        for (place, act) in &self.acts {
            out.u64(place.leaf_index.get());
            out.u32(place.event_number);
            out.u8(u8::from(act.effective));
            out.bytes(&act.event.encode_to_vec());
            out.count(act.approvals.len());
            for key in &act.approvals {
                out.raw(key.as_bytes());
            }
        }
    }

    /// The register of a snapshot of the log whose genesis gave `base`.
    pub(crate) fn read(base: &Self, from: &mut Reader<'_>) -> Option<Self> {
        let optional = |from: &mut Reader<'_>| Some(if from.flag()? { Some(from.u64()?) } else { None });
        Some(Self {
            purpose: base.purpose,
            authority: base.authority.clone(),
            threshold: usize::try_from(from.u64()?).ok()?,
            log_keys: from.many(Reader::feed)?.into_iter().collect(),
            parameters: v1::Parameters::decode(from.bytes()?).ok()?,
            parties: from
                .many(|from| {
                    let party = v1::PartyEnrolled::decode(from.bytes()?).ok()?;
                    Some((party.party.clone(), party))
                })?
                .into_iter()
                .collect(),
            facilities: from
                .many(|from| {
                    let facility = v1::FacilityRegistered::decode(from.bytes()?).ok()?;
                    Some((facility.facility.clone(), facility))
                })?
                .into_iter()
                .collect(),
            keys: from
                .many(|from| {
                    let feed = from.feed()?;
                    let record = KeyRecord {
                        party: from.string()?,
                        authority: from.flag()?,
                        closed: from.flag()?,
                        last_sequence: optional(from)?.map(FeedSequence::new),
                        compromised_since: optional(from)?.map(u64::cast_signed),
                    };
                    Some((feed, record))
                })?
                .into_iter()
                .collect(),
            acts: from
                .many(|from| {
                    let place = EventPlace {
                        leaf_index: LeafIndex::new(from.u64()?),
                        event_number: from.u32()?,
                    };
                    let act = Act {
                        effective: from.flag()?,
                        event: v1::Event::decode(from.bytes()?).ok()?,
                        approvals: from.many(Reader::feed)?.into_iter().collect(),
                    };
                    Some((place, act))
                })?
                .into_iter()
                .collect(),
        })
    }
}
