//! Chunk rows: pieces of the ledger's folded state, in namespaces of its choosing.
//!
//! ```text
//! key   | 4 | namespace len u8 | namespace | key bytes |
//! value | up to 4,096 bytes |
//! ```

use crate::{
    bytes::{Reader, Writer},
    port::StoreError,
};

/// The longest namespace, in bytes.
pub(crate) const NAMESPACE_LEN_MAX: usize = 255;
/// The longest key within a namespace, in bytes.
pub(crate) const KEY_LEN_MAX: usize = 1024;
/// The longest value, in bytes.
pub(crate) const CHUNK_LEN_MAX: usize = 4096;

/// The key of a row.
///
/// # Errors
/// If the namespace or key is too long.
pub(crate) fn key(namespace: &str, key: &[u8]) -> Result<Vec<u8>, StoreError> {
    let too_long = || StoreError::Index(format!("a chunk's name in {namespace} is too long"));
    if namespace.len() > NAMESPACE_LEN_MAX || key.len() > KEY_LEN_MAX {
        return Err(too_long());
    }
    let mut bytes = Writer::with_capacity(2 + namespace.len() + key.len());
    bytes.u8(super::CHUNK);
    bytes.u8(namespace.len().try_into().map_err(|_| too_long())?);
    bytes.raw(namespace.as_bytes());
    bytes.raw(key);
    Ok(bytes.into_vec())
}

/// The part of a row's key that the ledger gave, if the row is in the namespace.
pub(crate) fn key_within<'a>(namespace: &str, row: &'a [u8]) -> Option<&'a [u8]> {
    let mut from = Reader::new(row);
    from.literal(&[super::CHUNK], "kind of key").ok()?;
    let len = from.u8("length").ok()?;
    let found = from.raw(len.into(), "namespace").ok()?;
    (found == namespace.as_bytes()).then(|| from.rest())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn key_round_trips_and_keeps_order(
            namespace in "[a-z/]{0,20}", other in "[a-z/]{0,20}",
            a in prop::collection::vec(any::<u8>(), 0..40), b in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let [x, y] = [&a, &b].map(|bytes| key(&namespace, bytes).unwrap());
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(key_within(&namespace, &x), Some(&a[..]));
            if other != namespace {
                prop_assert_eq!(key_within(&other, &x), None);
            }
        }
    }

    #[test]
    fn refuses_names_that_do_not_fit() {
        assert!(key(&"n".repeat(256), b"").is_err());
        assert!(key("n", &[0; KEY_LEN_MAX + 1]).is_err());
    }
}
