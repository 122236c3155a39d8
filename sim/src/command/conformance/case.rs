//! A case of a vector file: its fields, read with the name of whatever is missing.

use arboretum_engine::codec::vector_length;
use arboretum_engine::crypto::{Crypto, Digest, Secret};
use serde_json::Value;

/// A JSON object whose fields are asked for by name.
#[derive(Clone, Copy)]
pub(super) struct Case<'v>(&'v Value);

impl<'v> Case<'v> {
    pub(super) fn new(value: &'v Value) -> Self {
        Self(value)
    }

    fn value(&self, field: &str) -> Result<&'v Value, String> {
        self.0.get(field).ok_or_else(|| format!("field `{field}` is missing"))
    }

    pub(super) fn object(&self, field: &str) -> Result<Case<'v>, String> {
        self.value(field).map(Case)
    }

    pub(super) fn list(&self, field: &str) -> Result<&'v [Value], String> {
        let list = self.value(field)?.as_array();
        list.map(Vec::as_slice).ok_or_else(|| format!("field `{field}` is not a list"))
    }

    pub(super) fn cases(&self, field: &str) -> Result<Vec<Case<'v>>, String> {
        Ok(self.list(field)?.iter().map(Case).collect())
    }

    pub(super) fn optional_number(&self, field: &str) -> Option<u64> {
        self.0.get(field)?.as_u64()
    }

    pub(super) fn number(&self, field: &str) -> Result<u64, String> {
        let number = self.value(field)?.as_u64();
        number.ok_or_else(|| format!("field `{field}` is not a whole number"))
    }

    pub(super) fn index(&self, field: &str) -> Result<u32, String> {
        u32::try_from(self.number(field)?).map_err(|_| format!("field `{field}` is too large"))
    }

    pub(super) fn text(&self, field: &str) -> Result<&'v str, String> {
        self.value(field)?.as_str().ok_or_else(|| format!("field `{field}` is not a text"))
    }

    pub(super) fn bytes(&self, field: &str) -> Result<Vec<u8>, String> {
        hex::decode(self.text(field)?).map_err(|error| format!("field `{field}`: {error}"))
    }

    /// A field that may be missing or null.
    pub(super) fn optional_bytes(&self, field: &str) -> Result<Option<Vec<u8>>, String> {
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.bytes(field).map(Some),
        }
    }

    pub(super) fn secret(&self, field: &str) -> Result<Secret, String> {
        self.bytes(field).map(Secret::from)
    }

    pub(super) fn digest(&self, field: &str) -> Result<Digest, String> {
        let bytes = self.bytes(field)?;
        Digest::new(&bytes).ok_or_else(|| format!("field `{field}` is longer than any hash"))
    }

    /// Compares what was computed with a field.
    pub(super) fn expect(&self, field: &str, found: &[u8]) -> Result<(), String> {
        let expected = self.bytes(field)?;
        if found == expected {
            return Ok(());
        }
        Err(format!("`{field}` is {}, expected {}", hex::encode(found), hex::encode(expected)))
    }
}

/// Bytes in hexadecimal that stand in a list.
pub(super) fn hex_item(value: &Value) -> Result<Vec<u8>, String> {
    let text = value.as_str().ok_or("an entry of a list is not a text")?;
    hex::decode(text).map_err(|error| error.to_string())
}

/// deserialization: the header of a variable-size vector.
pub(super) fn check_header(_: &Crypto<'_>, case: &Case<'_>) -> Result<(), String> {
    let header = case.bytes("vlbytes_header")?;
    let length = vector_length(&header).map_err(|error| error.to_string())?;
    let expected = case.number("length")?;
    if length == expected { Ok(()) } else { Err(format!("length {length}, expected {expected}")) }
}
