//! Pre-shared keys (RFC 9420 §8.4): the ones a client holds, and the secret that a list of them
//! gives.

use std::collections::BTreeMap;

use crate::codec::{CodecError, encode};
use crate::crypto::{Crypto, CryptoError, Secret};
use crate::treesync::{PreSharedKeyId, PskType};

/// A pre-shared key that is asked for cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PskError {
    /// It is not held.
    #[error("the pre-shared key {0} is not held (RFC 9420 §12.4.2)")]
    NotHeld(String),
    /// More keys than a label can count.
    #[error("{0} pre-shared keys are more than can be counted (RFC 9420 §8.4)")]
    TooMany(usize),
    /// A primitive refused.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// Something has no encoding.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// The pre-shared keys that a client holds: those of the application by their identifiers,
/// those of epochs by group and epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PskStore {
    external: BTreeMap<Vec<u8>, Secret>,
    resumption: BTreeMap<(Vec<u8>, u64), Secret>,
}

impl PskStore {
    /// Puts in a key of the application.
    pub fn insert_external(&mut self, id: Vec<u8>, psk: Secret) {
        self.external.insert(id, psk);
    }

    /// Puts in the `resumption_psk` of an epoch of a group.
    pub fn insert_resumption(&mut self, group_id: Vec<u8>, epoch: u64, psk: Secret) {
        self.resumption.insert((group_id, epoch), psk);
    }

    /// Erases the resumption keys of a group's epochs before this one.
    pub fn forget_before(&mut self, group_id: &[u8], epoch: u64) {
        self.resumption.retain(|(group, at), _| group != group_id || *at >= epoch);
    }

    /// The key of an identifier.
    pub fn find(&self, id: &PskType) -> Option<&Secret> {
        match id {
            PskType::External(id) => self.external.get(id.as_slice()),
            PskType::Resumption(_, group, epoch) => {
                self.resumption.get(&(group.as_slice().to_vec(), *epoch))
            }
        }
    }

    /// `psk_secret` of a list of identifiers, in its order; all zero for an empty one.
    pub fn psk_secret(
        &self,
        crypto: &Crypto<'_>,
        ids: &[PreSharedKeyId],
    ) -> Result<Secret, PskError> {
        let count = u16::try_from(ids.len()).map_err(|_| PskError::TooMany(ids.len()))?;
        let length = crypto.provider().digest_length();
        let mut secret = crypto.zero();
        for (index, id) in (0_u16..).zip(ids) {
            let psk = self.find(&id.psk_type);
            let psk = psk.ok_or_else(|| PskError::NotHeld(id.psk_type.to_string()))?;
            let extracted = crypto.extract(&crypto.zero(), psk);
            let mut label = encode(id)?;
            label.extend_from_slice(&index.to_be_bytes());
            label.extend_from_slice(&count.to_be_bytes());
            let input = crypto.expand_with_label(&extracted, "derived psk", &label, length)?;
            secret = crypto.extract(&input, &secret);
        }
        Ok(secret)
    }
}
