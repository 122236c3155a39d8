//! Extended Triple Diffie-Hellman: a secret with somebody who is offline, from the prekeys that it
//! has published (The X3DH Key Agreement Protocol, revision 1, Signal 2016).
//!
//! | published | what it is |
//! |---|---|
//! | identity | a Diffie-Hellman key and a signature key, for good |
//! | signed prekey | one for each registration, signed together with the identity |
//! | one-time prekeys | taken one by one; where none is left the agreement goes without (§3.2) |
//!
//! `SK = HKDF(F ‖ DH1 ‖ DH2 ‖ DH3 ‖ DH4)` with DH1 of the initiator's identity and the signed
//! prekey, DH2 of its ephemeral key and the identity, DH3 of that and the signed prekey, DH4 of
//! that and the one-time prekey (§2.2, §3.3). Where the specification signs with the identity's
//! Diffie-Hellman key (XEdDSA), a signature key of the cipher suite stands here, and the signature
//! covers the identity too. Signed prekeys are not rotated.

use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};

use super::BaselineError;
use super::chain::{KEY, Key};
use crate::codec::encode;
use crate::crypto::{
    CipherSuite, Crypto, HpkeKeyPair, HpkePublicKey, Secret, Seed, Signature, SignatureKeyPair,
    SignaturePublicKey,
};

/// What separates these agreements from others.
const INFO: &[u8] = b"Arboretum X3DH";
const SIGNED_PREKEY: &str = "BaselineSignedPrekey";

/// Who somebody is, in public.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct IdentityKeys {
    /// Verifies what it signs.
    pub signature: SignaturePublicKey,
    /// What others agree with: IK.
    pub exchange: HpkePublicKey,
}

/// The private halves.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Signs.
    pub signer: SignatureKeyPair,
    /// Agrees.
    pub exchange: HpkeKeyPair,
}

impl Identity {
    /// Made from a seed each.
    pub fn new(crypto: &Crypto<'_>, signer: &Seed, exchange: &Seed) -> Result<Self, BaselineError> {
        Ok(Self {
            signer: crypto.provider().signature_key_pair(signer),
            exchange: crypto.derive_key_pair(&exchange.as_slice().into())?,
        })
    }

    /// The public halves.
    pub fn keys(&self) -> IdentityKeys {
        IdentityKeys {
            signature: self.signer.public.clone(),
            exchange: self.exchange.public.clone(),
        }
    }

    /// Signs a signed prekey.
    pub fn sign_prekey(
        &self,
        crypto: &Crypto<'_>,
        prekey: &HpkePublicKey,
    ) -> Result<Signature, BaselineError> {
        let content = signed(&self.keys(), prekey)?;
        Ok(crypto.sign_with_label(&self.signer.private, SIGNED_PREKEY, &content)?)
    }
}

fn signed(identity: &IdentityKeys, prekey: &HpkePublicKey) -> Result<Vec<u8>, BaselineError> {
    let mut content = encode(identity)?;
    content.extend(encode(prekey)?);
    Ok(content)
}

/// A one-time prekey, by its number.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct OneTime {
    /// Its number among its owner's.
    pub number: u32,
    /// The key.
    pub key: HpkePublicKey,
}

/// A prekey bundle: what the server gives to whoever wants to write to somebody (§3.2).
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct Bundle {
    /// Which of its owner's registrations it is of: another one each time that it loses its state.
    pub registration: u32,
    /// Who it is of.
    pub identity: IdentityKeys,
    /// SPK.
    pub signed_prekey: HpkePublicKey,
    /// By the identity, over itself and the signed prekey.
    pub signature: Signature,
    /// OPK, unless none was left.
    pub one_time: Option<OneTime>,
}

/// What an initiator sends along until it is answered, so that the other end comes to the same
/// secret (§3.3).
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct Initial {
    /// IK of the initiator.
    pub identity: HpkePublicKey,
    /// EK of the initiator.
    pub ephemeral: HpkePublicKey,
    /// The number of the one-time prekey it took.
    pub one_time: Option<u32>,
}

/// The initiator's half: the secret, and what the other end needs for it.
pub(super) fn initiate(
    crypto: &Crypto<'_>,
    own: &HpkeKeyPair,
    bundle: &Bundle,
    ephemeral: &Seed,
) -> Result<(Key, Initial), BaselineError> {
    let Bundle { identity, signed_prekey, signature, one_time, .. } = bundle;
    let content = signed(identity, signed_prekey)?;
    crypto
        .verify_with_label(&identity.signature, SIGNED_PREKEY, &content, signature)
        .map_err(|_| BaselineError::BadPrekeySignature)?;
    let ephemeral = crypto.derive_key_pair(&ephemeral.as_slice().into())?;
    let mut agreed = vec![
        crypto.dh(own, signed_prekey)?,
        crypto.dh(&ephemeral, &identity.exchange)?,
        crypto.dh(&ephemeral, signed_prekey)?,
    ];
    if let Some(one_time) = one_time {
        agreed.push(crypto.dh(&ephemeral, &one_time.key)?);
    }
    let initial = Initial {
        identity: own.public.clone(),
        ephemeral: ephemeral.public,
        one_time: one_time.as_ref().map(|one_time| one_time.number),
    };
    Ok((derive(crypto, &agreed)?, initial))
}

/// The private halves of a responder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Responder<'k> {
    pub(super) identity: &'k HpkeKeyPair,
    pub(super) signed_prekey: &'k HpkeKeyPair,
    pub(super) one_time: Option<&'k HpkeKeyPair>,
}

/// The responder's half.
pub(super) fn respond(
    crypto: &Crypto<'_>,
    own: Responder<'_>,
    initial: &Initial,
) -> Result<Key, BaselineError> {
    let mut agreed = vec![
        crypto.dh(own.signed_prekey, &initial.identity)?,
        crypto.dh(own.identity, &initial.ephemeral)?,
        crypto.dh(own.signed_prekey, &initial.ephemeral)?,
    ];
    if let Some(one_time) = own.one_time {
        agreed.push(crypto.dh(one_time, &initial.ephemeral)?);
    }
    derive(crypto, &agreed)
}

/// `KDF(F ‖ KM)` (§2.2).
fn derive(crypto: &Crypto<'_>, agreed: &[Secret]) -> Result<Key, BaselineError> {
    let f = match crypto.cipher_suite() {
        CipherSuite::X448_AES256GCM_SHA512_ED448
        | CipherSuite::X448_CHACHA20POLY1305_SHA512_ED448 => 57,
        _ => 32,
    };
    let mut ikm = zeroize::Zeroizing::new(vec![0xff; f]);
    agreed.iter().for_each(|agreed| ikm.extend_from_slice(agreed.as_slice()));
    let extracted = crypto.extract(&crypto.zero(), &ikm.as_slice().into());
    Ok(Key::new(crypto.expand(&extracted, INFO, KEY)?.as_slice())?)
}

#[cfg(test)]
pub(super) mod tests;
