//! The key schedule (RFC 9420 §8).

use crate::crypto::{Crypto, CryptoError, Digest, HpkeKeyPair, Secret};

/// What both sides of an external commit export its init secret under (RFC 9420 §8.3).
pub const EXTERNAL_INIT_LABEL: &[u8] = b"MLS 1.0 external init secret";

/// `joiner_secret`: what a Welcome carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinerSecret(pub Secret);

/// The key and nonce that a Welcome's GroupInfo is encrypted under.
#[derive(Clone, Debug)]
pub struct WelcomeKey {
    /// `welcome_key`.
    pub key: Secret,
    /// `welcome_nonce`.
    pub nonce: Secret,
}

impl JoinerSecret {
    /// From the last epoch's init secret and this commit's secret, under the new context.
    pub fn derive(
        crypto: &Crypto<'_>,
        init_secret: &Secret,
        commit_secret: &Secret,
        group_context: &[u8],
    ) -> Result<Self, CryptoError> {
        let extracted = crypto.extract(init_secret, commit_secret);
        let length = crypto.provider().digest_length();
        Ok(Self(crypto.expand_with_label(&extracted, "joiner", group_context, length)?))
    }

    /// `welcome_secret`.
    pub fn welcome_secret(&self, crypto: &Crypto<'_>, psk_secret: &Secret) -> Secret {
        crypto.derive_secret(&crypto.extract(&self.0, psk_secret), "welcome")
    }

    /// The key and nonce of the Welcome.
    pub fn welcome_key(
        &self,
        crypto: &Crypto<'_>,
        psk_secret: &Secret,
    ) -> Result<WelcomeKey, CryptoError> {
        let secret = self.welcome_secret(crypto, psk_secret);
        let provider = crypto.provider();
        let expand = |label, length| crypto.expand_with_label(&secret, label, &[], length);
        Ok(WelcomeKey {
            key: expand("key", provider.aead_key_length())?,
            nonce: expand("nonce", provider.aead_nonce_length())?,
        })
    }

    /// The secrets of the epoch.
    pub fn epoch_secrets(
        &self,
        crypto: &Crypto<'_>,
        psk_secret: &Secret,
        group_context: &[u8],
    ) -> Result<EpochSecrets, CryptoError> {
        let extracted = crypto.extract(&self.0, psk_secret);
        let length = crypto.provider().digest_length();
        let epoch_secret = crypto.expand_with_label(&extracted, "epoch", group_context, length)?;
        Ok(EpochSecrets::derive(crypto, &epoch_secret))
    }
}

/// The secrets of one epoch (RFC 9420 §8, table "Epoch-Derived Secrets").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochSecrets {
    /// Encrypts sender data.
    pub sender_data_secret: Secret,
    /// The root of the secret tree.
    pub encryption_secret: Secret,
    /// For exported secrets.
    pub exporter_secret: Secret,
    /// For the external init key.
    pub external_secret: Secret,
    /// The key of the confirmation tag.
    pub confirmation_key: Secret,
    /// The key of membership tags.
    pub membership_key: Secret,
    /// A pre-shared key for later epochs and groups.
    pub resumption_psk: Secret,
    /// Shows that two members are in one epoch.
    pub epoch_authenticator: Secret,
    /// Goes into the next epoch.
    pub init_secret: Secret,
}

impl EpochSecrets {
    /// Everything that follows from an epoch secret.
    pub fn derive(crypto: &Crypto<'_>, epoch_secret: &Secret) -> Self {
        let derive = |label| crypto.derive_secret(epoch_secret, label);
        Self {
            sender_data_secret: derive("sender data"),
            encryption_secret: derive("encryption"),
            exporter_secret: derive("exporter"),
            external_secret: derive("external"),
            confirmation_key: derive("confirm"),
            membership_key: derive("membership"),
            resumption_psk: derive("resumption"),
            epoch_authenticator: derive("authentication"),
            init_secret: derive("init"),
        }
    }

    /// `MAC(confirmation_key, confirmed_transcript_hash)`.
    pub fn confirmation_tag(
        &self,
        crypto: &Crypto<'_>,
        confirmed_transcript_hash: &Digest,
    ) -> Digest {
        crypto.mac(&self.confirmation_key, confirmed_transcript_hash.as_slice())
    }

    /// The key pair that external commits encapsulate to.
    pub fn external_key_pair(&self, crypto: &Crypto<'_>) -> Result<HpkeKeyPair, CryptoError> {
        crypto.derive_key_pair(&self.external_secret)
    }

    /// `MLS-Exporter` (RFC 9420 §8.5).
    pub fn export(
        &self,
        crypto: &Crypto<'_>,
        label: &str,
        context: &[u8],
        length: usize,
    ) -> Result<Secret, CryptoError> {
        let secret = crypto.derive_secret(&self.exporter_secret, label);
        let context = crypto.hash(context);
        crypto.expand_with_label(&secret, "exported", context.as_slice(), length)
    }
}
