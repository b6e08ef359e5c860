//! What the authority has to say before anything happens, and what the parties say about themselves.

use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256};

use crate::{
    id::{FeedId, Hash},
    wire::v1::{self, event::Kind},
};

use super::{
    Simulation,
    cast::{DeclaredProduct, PACK_MODULES, PartyIndex, at, made, who},
    scene::{Draft, HOUR, MINUTE, kilograms, kilowatt_hours, pieces},
};

/// Domain tag of the parties' keys.
const KEY_TAG: &[u8] = b"lotproof/v1/simulation-key\0";
/// The list on which the fixture company stands: that of NDAA FY2024 s.154.
pub const FIXTURE_LIST: &str = "us-ndaa-154";
/// Its edition.
pub const FIXTURE_EDITION: &str = "fixture-1";

impl Simulation {
    /// The Ed25519 seed with which a party signs: SHA-256 over a domain tag, the simulation's seed and the
    /// party's place (both big-endian, 64 bits).
    ///
    /// **For simulations only.** Whoever knows the simulation's seed knows every key; ledgers that enrol one
    /// are demo, test or sandbox.
    ///
    /// # Panics
    /// On machines whose pointers are longer than 64 bits.
    pub fn key_seed(&self, party: PartyIndex) -> [u8; 32] {
        let place = u64::try_from(party.get()).expect("a place fits 64 bits");
        let seed = Hash::of(&[KEY_TAG, &self.config.seed.to_be_bytes(), &place.to_be_bytes()]);
        *seed.as_bytes()
    }

    /// The feed that a party's statements are on: its public key.
    pub fn feed(&self, party: PartyIndex) -> FeedId {
        let key = SigningKey::from_bytes(&self.key_seed(party));
        FeedId::new(key.verifying_key().to_bytes())
    }

    /// The authority's events that enrol everybody: parties, facilities, keys, then the fixture list. To be
    /// signed by the authority of the ledger, in this order, before anybody speaks.
    pub fn governance(&self) -> Vec<v1::Event> {
        let cast = &self.cast;
        let parties = cast.parties.iter().map(|party| {
            Kind::PartyEnrolled(v1::PartyEnrolled {
                party: party.identifier.clone(),
                legal_name: party.name.to_owned(),
                organized_in: party.country.to_owned(),
                principal_place: party.country.to_owned(),
                namespaces: party.namespaces.clone(),
                roles: party.roles.iter().map(|role| (*role).to_owned()).collect(),
                accreditations: party
                    .accreditations
                    .iter()
                    .map(|text| (*text).to_owned())
                    .collect(),
                fixture: true,
                ..Default::default()
            })
        });
        let facilities = cast.facilities.iter().map(|facility| {
            Kind::FacilityRegistered(v1::FacilityRegistered {
                facility: facility.identifier.clone(),
                name: facility.name.to_owned(),
                country: facility.country.to_owned(),
                subdivision: facility.subdivision.to_owned(),
                operator: cast.party(facility.operator).identifier.clone(),
                ..Default::default()
            })
        });
        let keys = cast.indices().map(|index| {
            Kind::KeyAuthorised(v1::KeyAuthorised {
                party: cast.party(index).identifier.clone(),
                key: self.feed(index).as_bytes().to_vec(),
                replaces: Vec::new(),
            })
        });
        let list = std::iter::once_with(|| Kind::ListPublished(self.fixture_list()));
        let acts = parties.chain(facilities).chain(keys).chain(list);
        let start = self.config.start.as_nanos();
        (0_i64..)
            .zip(acts)
            .map(|(number, kind)| v1::Event {
                id: format!("simulation-{number:04}"),
                event_time: start + number * 1_000_000,
                kind: Some(kind),
                ..Default::default()
            })
            .collect()
    }

    /// The edition of the list that names the tainting company, and nobody else.
    fn fixture_list(&self) -> v1::ListPublished {
        let company = self.cast.party(who::FIXTURE);
        v1::ListPublished {
            list: FIXTURE_LIST.to_owned(),
            edition: FIXTURE_EDITION.to_owned(),
            effective_from: self.config.start.as_nanos(),
            sha256: Sha256::digest(format!("{}\n", company.name).as_bytes()).to_vec(),
            complete: true,
            fixture: true,
            entries: vec![v1::ListEntry {
                name: company.name.to_owned(),
                parties: vec![company.identifier.clone()],
                ..Default::default()
            }],
        }
    }

    /// What the parties say about themselves first: owners, licences, products.
    pub(super) fn declarations(&self) -> Vec<Draft> {
        let silent = [who::FIXTURE, who::TRADER, who::RIVAL];
        let mut said = Vec::new();
        for index in self.cast.indices() {
            let party = self.cast.party(index).identifier.clone();
            if !silent.contains(&index) {
                said.push((
                    index,
                    Kind::OwnershipDeclared(v1::OwnershipDeclared {
                        party: party.clone(),
                        owners: self.owners(index),
                        ownership_complete: Some(true),
                    }),
                ));
                said.push((
                    index,
                    Kind::LicencesDeclared(v1::LicencesDeclared {
                        party,
                        licences: Vec::new(),
                        licences_complete: Some(true),
                    }),
                ));
            }
            let products = self.cast.products.iter().filter(|product| product.owner == index);
            said.extend(products.map(|product| (index, Kind::ProductDeclared(self.declared(product)))));
        }
        let start = self.config.start.as_nanos() + HOUR * MINUTE;
        (0_i64..)
            .zip(said)
            .map(|(number, (party, kind))| Draft {
                time: start + number * MINUTE,
                party,
                utc_offset_minutes: 0,
                certified: !silent.contains(&party),
                kind,
            })
            .collect()
    }

    /// Everybody is wholly owned by a foundation, which nobody owns.
    fn owners(&self, index: PartyIndex) -> Vec<v1::Share> {
        if index == who::FOUNDATION {
            return Vec::new();
        }
        vec![v1::Share {
            party: self.cast.party(who::FOUNDATION).identifier.clone(),
            equity: "1".to_owned(),
            votes: "1".to_owned(),
            debt: "0".to_owned(),
        }]
    }

    fn declared(&self, product: &DeclaredProduct) -> v1::ProductDeclared {
        let grams = Some(product.mass_per_piece_g).filter(|grams| *grams > 0);
        let watt_hours = Some(product.energy_per_piece_wh).filter(|energy| *energy > 0);
        let is_pack = product.kind == "pack";
        let parts = [(made::MODULE, PACK_MODULES), (made::BMS, 1), (made::ENCLOSURE, 1)];
        let composition = parts
            .into_iter()
            .filter(|_| is_pack)
            .map(|(part, count)| v1::Item {
                lot: self.cast.product(part).identifier.clone(),
                quantity: Some(pieces(count)),
                mass: Some(kilograms(count * self.cast.product(part).mass_per_piece_g)),
                ..Default::default()
            });
        v1::ProductDeclared {
            product: product.identifier.clone(),
            kind: product.kind.to_owned(),
            chemistry: product.chemistry.to_owned(),
            model: product.model.to_owned(),
            mass_per_piece: grams.map(kilograms),
            energy_per_piece: watt_hours.map(kilowatt_hours),
            composition: composition.collect(),
            composition_complete: is_pack.then_some(true),
        }
    }

    /// The two lines on which the cell maker makes the same part number: in Korea and in China.
    pub fn parallel_lines(&self) -> [&str; 2] {
        [at::CELLS_KR, at::CELLS_CN].map(|line| self.cast.facility(line).identifier.as_str())
    }
}
