//! Signed notes: a text, and below it lines by which named keys sign it.
//!
//! ```text
//! ledger.example/acme                                             text, ends with a newline
//! 7
//! gTvaOkIAD4KUtqlU6oN5LC3vrmUkbvdgr5/dU699Rjg=
//!                                                                 the last blank line of the note
//! — ledger.example/acme 8djhUb1QLK...                             U+2014, name, base64(key id | signature)
//!
//! key id    first 4 bytes of SHA-256( name | 0A | type | public key )
//! vkey      name+8 hex digits of the key id+base64( type | public key )
//! ```
//!
//! Of the types only 01, Ed25519, can be trusted or sign here. Lines of other keys are kept and ignored, so
//! that witnesses, future algorithms and "grease" do not break a reader; but what a *known* key says must
//! hold: if its line is wrong, or comes twice, the whole note is refused. Valid means `verify_strict`, on
//! every side, so that no two verifiers differ. Spec: C2SP signed-note; the private key's text form is that
//! of Go's `sumdb/note`.
//!
//! Deliberately absent: what a text means (see [`super::checkpoint`]); cosignatures, whose signed bytes
//! are not the text; making keys, which needs randomness: a seed is an argument.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::id::Hash;

/// The longest note that is read, in bytes.
pub const NOTE_LEN_MAX: usize = 64 * 1024;
/// The most signature lines that a note may have.
pub const SIGNATURES_MAX: usize = 64;
/// The longest name of a key that can be trusted or sign here, in bytes.
pub const KEY_NAME_LEN_MAX: usize = 255;

/// Algorithm byte of Ed25519 over the note's text.
const TYPE_ED25519: u8 = 0x01;
/// What every signature line begins with: U+2014 and a space.
const LINE_PREFIX: &str = "\u{2014} ";
/// What the text form of a private key begins with.
const PRIVATE_PREFIX: &str = "PRIVATE+KEY+";

/// Why text is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Empty, too long, or with a space, a plus sign or a control character.
    #[error(
        "key name is empty, longer than {KEY_NAME_LEN_MAX} bytes, or has a space, plus or control character"
    )]
    BadName,
    /// Not `name+id+base64`.
    #[error("key is not of the form name+id+base64")]
    BadForm,
    /// The id is not the one of this name and key.
    #[error("key id {got} is not that of the key, {expected}")]
    WrongId {
        /// What name and key give.
        expected: KeyId,
        /// What the text says.
        got: KeyId,
    },
    /// An algorithm that is not Ed25519.
    #[error("keys of type {0:#04x} are not supported")]
    UnsupportedType(u8),
    /// The bytes are no Ed25519 public key in its one encoding, or one of small order, under which
    /// signatures mean nothing.
    #[error("not a sound ed25519 public key")]
    BadKey,
}

/// Why a note is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than is read.
    #[error("a note has at most {NOTE_LEN_MAX} bytes, got {got}")]
    TooLong {
        /// Bytes given.
        got: usize,
    },
    /// Not UTF-8, or a control character other than the newline.
    #[error("a note is utf-8 without control characters")]
    BadCharacter,
    /// No text that ends with a newline, then a blank line, then at least one whole line.
    #[error("a note is a text, a blank line and signature lines")]
    BadForm,
    /// A line after the blank one is no signature.
    #[error("line {line} of the signatures is malformed")]
    BadSignatureLine {
        /// Which, counted from zero.
        line: usize,
    },
    /// More lines than are read.
    #[error("a note has at most {SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// Two of the given keys have one name and id.
    #[error("two known keys are called {name}+{id}")]
    AmbiguousKey {
        /// The key's name.
        name: String,
        /// The key's id.
        id: KeyId,
    },
    /// A known key's signature does not hold.
    #[error("the signature of {name}+{id} does not verify")]
    InvalidSignature {
        /// The key's name.
        name: String,
        /// The key's id.
        id: KeyId,
    },
    /// A known key has a second line.
    #[error("{name}+{id} signed more than once")]
    RepeatedSignature {
        /// The key's name.
        name: String,
        /// The key's id.
        id: KeyId,
    },
    /// None of the given keys signed.
    #[error("no signature by a known key")]
    NoKnownSignature,
}

/// Four bytes that tell keys of one name apart; a hint to find the key, never an identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

impl KeyId {
    /// The id of a key whose algorithm byte and public bytes are these.
    pub fn of(name: &str, key_type: u8, public_key: &[u8]) -> Self {
        let hash = Hash::of(&[name.as_bytes(), b"\n", &[key_type], public_key]);
        let [a, b, c, d, ..] = *hash.as_bytes();
        Self([a, b, c, d])
    }

    /// The four bytes.
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }

    fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 4];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes)).filter(|id| id.to_string() == text)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// Whether signature lines may carry this name: not empty, no Unicode space, no plus.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c == '+' || c.is_whitespace())
}

/// As [`is_name`], and fit for a key that is trusted or signs here: short, no control characters.
pub(super) fn is_key_name(name: &str) -> bool {
    is_name(name) && name.len() <= KEY_NAME_LEN_MAX && !name.chars().any(char::is_control)
}

/// A named public key that is trusted to sign notes (a *vkey*).
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: KeyId,
    key: VerifyingKey,
}

impl VerifierKey {
    /// The key called `name` with these public bytes.
    ///
    /// # Errors
    /// If the name cannot stand in a note, or the bytes are no sound key.
    pub fn new(name: &str, public_key: &[u8; 32]) -> Result<Self, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::BadName);
        }
        let key = VerifyingKey::from_bytes(public_key).map_err(|_| KeyError::BadKey)?;
        let canonical = key.to_edwards().compress().to_bytes() == *public_key;
        if !canonical || key.is_weak() {
            return Err(KeyError::BadKey);
        }
        Ok(Self {
            name: name.to_owned(),
            id: KeyId::of(name, TYPE_ED25519, public_key),
            key,
        })
    }

    /// The name on its signature lines.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id on its signature lines.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The 32 public bytes.
    pub fn public_key(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(text.as_bytes(), &signature).is_ok())
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[TYPE_ED25519], self.public_key().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, self.id, BASE64_STANDARD.encode(typed))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(vkey: &str) -> Result<Self, KeyError> {
        let (name, id, public_key) = split_key(vkey)?;
        let key = Self::new(name, &public_key)?;
        if key.id == id {
            Ok(key)
        } else {
            Err(KeyError::WrongId {
                expected: key.id,
                got: id,
            })
        }
    }
}

/// Name, id and the 32 bytes behind the type byte of `name+id+base64(type | bytes)`.
fn split_key(text: &str) -> Result<(&str, KeyId, Zeroizing<[u8; 32]>), KeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(typed)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::BadForm);
    };
    let id = KeyId::from_hex(id).ok_or(KeyError::BadForm)?;
    let typed = Zeroizing::new(BASE64_STANDARD.decode(typed).map_err(|_| KeyError::BadForm)?);
    match typed.split_first() {
        Some((&TYPE_ED25519, key)) => {
            let key = key.try_into().map_err(|_| KeyError::BadKey)?;
            Ok((name, id, Zeroizing::new(key)))
        }
        Some((&other, _)) => Err(KeyError::UnsupportedType(other)),
        None => Err(KeyError::BadForm),
    }
}

/// A named private key that signs notes. Never printed; its memory is cleared when it is dropped.
pub struct NoteSigner {
    verifier_key: VerifierKey,
    key: SigningKey,
}

impl NoteSigner {
    /// The key called `name` with this Ed25519 seed.
    ///
    /// # Errors
    /// If the name cannot stand in a note.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let key = SigningKey::from_bytes(seed);
        let verifier_key = VerifierKey::new(name, key.verifying_key().as_bytes())?;
        Ok(Self { verifier_key, key })
    }

    /// The key in `PRIVATE+KEY+name+id+base64(01 | seed)`.
    ///
    /// # Errors
    /// If the text has another form, or its id is not that of the key.
    pub fn from_private_text(text: &str) -> Result<Self, KeyError> {
        let (name, id, seed) = split_key(text.strip_prefix(PRIVATE_PREFIX).ok_or(KeyError::BadForm)?)?;
        let signer = Self::from_seed(name, &seed)?;
        let expected = signer.verifier_key.id;
        if expected == id {
            Ok(signer)
        } else {
            Err(KeyError::WrongId { expected, got: id })
        }
    }

    /// The text form of the private key, for its file. Whoever has it can sign in this name.
    pub fn to_private_text(&self) -> Zeroizing<String> {
        let mut typed = Zeroizing::new([TYPE_ED25519; 33]);
        typed[1..].copy_from_slice(self.key.as_bytes());
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(*typed));
        let VerifierKey { name, id, .. } = &self.verifier_key;
        Zeroizing::new(format!("{PRIVATE_PREFIX}{name}+{id}+{}", *encoded))
    }

    /// The public half.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.verifier_key
    }

    /// The signature of a note with this text. Deterministic, as Ed25519 is.
    fn sign(&self, text: &str) -> NoteSignature {
        let VerifierKey { name, id, .. } = &self.verifier_key;
        let signature = self.key.sign(text.as_bytes());
        NoteSignature {
            name: name.clone(),
            id: *id,
            bytes: signature.to_bytes().to_vec(),
        }
    }
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "NoteSigner({}+{}, private key redacted)",
            self.verifier_key.name, self.verifier_key.id
        )
    }
}

/// A signature line, of whatever kind of key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    id: KeyId,
    bytes: Vec<u8>,
}

impl NoteSignature {
    /// Who signed, as the line says.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Under which key, as the line says.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What follows the key id: 64 bytes of an Ed25519 signature, or what another kind of key puts there.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads a line without its newline; nothing unless it is in its one spelling.
    fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(LINE_PREFIX)?.split_once(' ')?;
        if !is_name(name) {
            return None;
        }
        let decoded = BASE64_STANDARD.decode(encoded).ok()?;
        let (id, signature) = decoded.split_first_chunk::<4>()?;
        if signature.is_empty() {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            id: KeyId(*id),
            bytes: signature.to_vec(),
        })
    }
}

impl fmt::Display for NoteSignature {
    /// The line without its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = [self.id.0.as_slice(), &self.bytes].concat();
        write!(f, "{LINE_PREFIX}{} {}", self.name, BASE64_STANDARD.encode(field))
    }
}

/// A note that was parsed or made, its signatures *not* verified: see [`Note::verify`].
///
/// Printing gives back the bytes that were parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// Reads a note from its bytes, without trusting anything in it.
    ///
    /// # Errors
    /// If the bytes are too many, or not a text, a blank line and signature lines in their one spelling.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_LEN_MAX {
            return Err(NoteError::TooLong { got: bytes.len() });
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::BadCharacter)?;
        check_characters(note)?;
        // The text may have blank lines of its own; the signatures cannot.
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::BadForm)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::BadForm)?;
        let mut signatures = Vec::new();
        for (number, line) in lines.split('\n').enumerate() {
            if number == SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures);
            }
            let signature = NoteSignature::parse(line);
            signatures.push(signature.ok_or(NoteError::BadSignatureLine { line: number })?);
        }
        Ok(Self {
            text: format!("{text}\n"),
            signatures,
        })
    }

    /// Signs a text, one line for each signer in the order given. Deterministic.
    ///
    /// # Errors
    /// If the text does not end with a newline or has control characters, there are no or too many signers,
    /// or the note becomes too long.
    pub fn sign(text: &str, signers: &[&NoteSigner]) -> Result<Self, NoteError> {
        check_characters(text)?;
        if !text.ends_with('\n') || signers.is_empty() {
            return Err(NoteError::BadForm);
        }
        if signers.len() > SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        let signatures = signers.iter().map(|signer| signer.sign(text)).collect();
        let note = Self {
            text: text.to_owned(),
            signatures,
        };
        match note.to_string().len() {
            got if got > NOTE_LEN_MAX => Err(NoteError::TooLong { got }),
            _ => Ok(note),
        }
    }

    /// What is signed: the text with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, of known and unknown keys alike.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Verifies the lines of the keys given and returns those that signed, in the order of their lines.
    ///
    /// # Errors
    /// If one of the keys signed wrongly or twice, none signed, or two keys cannot be told apart.
    pub fn verify<'keys>(&self, keys: &'keys [VerifierKey]) -> Result<Vec<&'keys VerifierKey>, NoteError> {
        let mut signed: Vec<&VerifierKey> = Vec::new();
        for line in &self.signatures {
            let named = || (line.name.clone(), line.id);
            let mut matching = keys
                .iter()
                .filter(|key| key.name == line.name && key.id == line.id);
            let Some(key) = matching.next() else {
                continue;
            };
            if matching.any(|other| other != key) {
                let (name, id) = named();
                return Err(NoteError::AmbiguousKey { name, id });
            }
            if signed.contains(&key) {
                let (name, id) = named();
                return Err(NoteError::RepeatedSignature { name, id });
            }
            if !key.verifies(&self.text, &line.bytes) {
                let (name, id) = named();
                return Err(NoteError::InvalidSignature { name, id });
            }
            signed.push(key);
        }
        if signed.is_empty() {
            Err(NoteError::NoKnownSignature)
        } else {
            Ok(signed)
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(NoteError::BadCharacter);
    }
    Ok(())
}

#[cfg(test)]
#[path = "note_tests.rs"]
mod tests;
