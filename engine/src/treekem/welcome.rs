//! Welcome messages (RFC 9420 §12.4.3.1).

use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize, VLBytes};

use crate::codec::{CodecError, decode, encode};
use crate::crypto::{
    CipherSuite, Crypto, CryptoError, Digest, HpkeCiphertext, HpkeKeyPair, Secret,
};
use crate::treesync::PreSharedKeyId;

const LABEL: &str = "Welcome";

/// `GroupSecrets`: what a Welcome tells each new member under its init key.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct GroupSecrets {
    /// Leads to the epoch's secrets.
    pub joiner_secret: Secret,
    /// The path secret of the lowest node above both the committer and the new member.
    pub path_secret: Option<Secret>,
    /// Pre-shared keys that went into the epoch.
    pub psks: Vec<PreSharedKeyId>,
}

/// `EncryptedGroupSecrets`.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct EncryptedGroupSecrets {
    /// The reference of the recipient's key package.
    pub new_member: Digest,
    /// The group secrets under its init key.
    pub encrypted_group_secrets: HpkeCiphertext,
}

/// `Welcome`.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct Welcome {
    /// The suite.
    pub cipher_suite: CipherSuite,
    /// One entry for each new member.
    pub secrets: Vec<EncryptedGroupSecrets>,
    /// The group info under the welcome key.
    pub encrypted_group_info: VLBytes,
}

/// Why group secrets could not be had from a Welcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WelcomeError {
    /// The Welcome names another key package.
    #[error("the Welcome is not for this key package (RFC 9420 §12.4.3.1)")]
    NotForMe,
    /// A primitive refused.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// What was decrypted is not what it should be.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl GroupSecrets {
    /// The label that group secrets are encrypted under.
    pub const LABEL: &'static str = LABEL;

    /// The encoding that is encrypted.
    pub fn plaintext(&self) -> Result<Secret, CodecError> {
        Ok(Secret::from(encode(self)?))
    }
}

impl EncryptedGroupSecrets {
    /// Opens the entry with the private init key of the package it names.
    pub fn open(
        &self,
        crypto: &Crypto<'_>,
        init: &HpkeKeyPair,
        encrypted_group_info: &[u8],
    ) -> Result<GroupSecrets, WelcomeError> {
        let ciphertext = &self.encrypted_group_secrets;
        let plaintext = crypto.decrypt_with_label(init, LABEL, encrypted_group_info, ciphertext)?;
        Ok(decode("group secrets", plaintext.as_slice())?)
    }
}

impl Welcome {
    /// The entry for a key package.
    pub fn entry(&self, reference: &Digest) -> Result<&EncryptedGroupSecrets, WelcomeError> {
        self.secrets
            .iter()
            .find(|entry| entry.new_member == *reference)
            .ok_or(WelcomeError::NotForMe)
    }
}
