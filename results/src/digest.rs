//! The running digest of a run: SHA-256 over every record in order, in one canonical encoding.
//!
//! Integers are little-endian at their full width, a bool is one byte, a list or a text is its
//! length as `u64` followed by its items. Each record starts with a tag byte, so two kinds of
//! record never encode alike. The encoding does not change with output options.

use sha2::{Digest as _, Sha256};

/// A SHA-256 in progress.
#[derive(Debug, Clone)]
pub(crate) struct RunDigest(Sha256);

impl RunDigest {
    /// Starts with the name of the encoding and the names of the counted operations, which give
    /// the numbers in each record their meaning.
    pub(crate) fn new(op_names: &[&str]) -> Self {
        let mut digest = Self(Sha256::new());
        digest.text("arboretum run digest 1");
        digest.u64(op_names.len() as u64);
        for name in op_names {
            digest.text(name);
        }
        digest
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn u64s(&mut self, values: &[u64]) {
        self.u64(values.len() as u64);
        for &value in values {
            self.u64(value);
        }
    }

    fn text(&mut self, text: &str) {
        self.u64(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    /// The digest so far, in lower-case hexadecimal.
    pub(crate) fn hex(&self) -> String {
        hex::encode(self.0.clone().finalize())
    }
}
