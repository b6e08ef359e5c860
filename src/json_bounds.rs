//! How many values JSON from outside may hold, and how deep they may lie, found before a parser makes them.
//!
//! A parsed value takes some hundred bytes of memory however short it was written: bytes alone bound nothing.

/// Bounds on the values of one JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonBounds {
    /// Most values: objects, arrays and what is in them.
    pub values_max: usize,
    /// Most arrays and objects around one value.
    pub depth_max: usize,
}

impl JsonBounds {
    /// What one document or list of events may hold: a year of a plant's serials, and room.
    pub const DOCUMENT: Self = Self {
        values_max: 1_000_000,
        depth_max: 64,
    };

    /// Counts the values of a JSON text without parsing it. The count is exact but for empty arrays and objects,
    /// which count twice. Of bytes that are no JSON, it is never less than what a parser makes before it stops.
    ///
    /// # Errors
    /// What is beyond its bound.
    pub fn count(&self, text: &[u8]) -> Result<usize, JsonExcess> {
        // One value, one more after each comma, and the first of each array or object.
        let mut values = 1_usize;
        let mut depth = 0_usize;
        let mut bytes = text.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => {
                    while let Some(byte) = bytes.next() {
                        match byte {
                            b'\\' => drop(bytes.next()),
                            b'"' => break,
                            _ => {}
                        }
                    }
                    continue;
                }
                b'[' | b'{' => {
                    depth += 1;
                    if depth > self.depth_max {
                        return Err(JsonExcess::Depth(self.depth_max));
                    }
                    values += 1;
                }
                b']' | b'}' => {
                    depth = depth.saturating_sub(1);
                    continue;
                }
                b',' => values += 1,
                _ => continue,
            }
            if values > self.values_max {
                return Err(JsonExcess::Values(self.values_max));
            }
        }
        Ok(values)
    }
}

/// Why a JSON text is not parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonExcess {
    /// Too many values.
    #[error("more than {0} JSON values: send fewer at a time")]
    Values(usize),
    /// Too deep.
    #[error("JSON nested deeper than {0} arrays and objects")]
    Depth(usize),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const ANY: JsonBounds = JsonBounds {
        values_max: usize::MAX,
        depth_max: usize::MAX,
    };

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            r#"[\[\]{},:"\\a-c ]{0,8}"#.prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((r#"[\[{,"\\a-c]{0,4}"#, inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Values, empty containers among them, and the depth.
    fn measure(value: &Value) -> (usize, usize, usize) {
        let children: Vec<&Value> = match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(members) => members.values().collect(),
            _ => return (1, 0, 0),
        };
        let empty = usize::from(children.is_empty());
        children
            .into_iter()
            .map(measure)
            .fold((1, empty, 1), |sum, child| {
                (sum.0 + child.0, sum.1 + child.1, sum.2.max(child.2 + 1))
            })
    }

    proptest! {
        #[test]
        fn the_count_is_that_of_the_parsed_value(value in json()) {
            let (values, empty, depth) = measure(&value);
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                prop_assert_eq!(ANY.count(text.as_bytes()), Ok(values + empty));
                let exact = JsonBounds { values_max: values + empty, depth_max: depth };
                prop_assert!(exact.count(text.as_bytes()).is_ok());
                let fewer = JsonBounds { values_max: exact.values_max - 1, ..exact };
                if values > 1 || empty > 0 {
                    prop_assert_eq!(fewer.count(text.as_bytes()), Err(JsonExcess::Values(fewer.values_max)));
                }
                if depth > 0 {
                    let flatter = JsonBounds { depth_max: depth - 1, ..exact };
                    prop_assert_eq!(flatter.count(text.as_bytes()), Err(JsonExcess::Depth(depth - 1)));
                }
            }
        }

        #[test]
        fn bytes_that_are_no_json_are_counted_too(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(ANY.count(&bytes).unwrap() <= bytes.len() + 1);
        }
    }
}
