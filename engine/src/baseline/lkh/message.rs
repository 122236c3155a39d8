//! What goes over between members and the key server, and among members.

use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize, VLBytes};

use super::key_tree::{NodeAt, Wrapped};
use crate::baseline::BaselineError;
use crate::baseline::book::Card;
use crate::codec::{decode, encode};
use crate::crypto::{
    Crypto, HpkePublicKey, Secret, Signature, SignaturePrivateKey, SignaturePublicKey,
};
use crate::protocol::ClientId;

const REQUEST: &str = "BaselineKeyServerRequest";
const REKEY: &str = "BaselineRekey";
const MESSAGE: &str = "BaselineGroupKeyMessage";

/// What a client asks of the server.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub(super) struct Request {
    pub(super) client: u32,
    pub(super) epoch: u64,
    pub(super) removes: Vec<u32>,
    pub(super) adds: Vec<u32>,
    /// What a new individual key is to be encrypted to, if the client renews its own.
    pub(super) exchange: Option<HpkePublicKey>,
}

/// What the server tells everybody: who comes, who goes, and the new keys.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub(super) struct Rekey {
    /// The epoch that it leads to.
    pub(super) epoch: u64,
    /// The leaves of the tree after it.
    pub(super) width: u32,
    pub(super) removes: Vec<u32>,
    pub(super) adds: Vec<Card>,
    pub(super) wrapped: Vec<Wrapped>,
}

/// Something signed.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub(super) struct Signed {
    content: VLBytes,
    signature: Signature,
}

impl Signed {
    /// Signs something; gives the encoding of both.
    fn made(
        crypto: &Crypto<'_>,
        label: &str,
        key: &SignaturePrivateKey,
        content: Vec<u8>,
    ) -> Result<Vec<u8>, BaselineError> {
        let signature = crypto.sign_with_label(key, label, &content)?;
        Ok(encode(&Self { content: content.into(), signature })?)
    }

    fn open(
        crypto: &Crypto<'_>,
        label: &str,
        key: &SignaturePublicKey,
        bytes: &[u8],
    ) -> Result<Vec<u8>, BaselineError> {
        let signed: Self = decode("something signed", bytes)?;
        let content = signed.content.as_slice();
        crypto
            .verify_with_label(key, label, content, &signed.signature)
            .map_err(|_| BaselineError::BadMessageSignature)?;
        Ok(content.to_vec())
    }
}

impl Request {
    pub(super) fn sign(
        &self,
        crypto: &Crypto<'_>,
        key: &SignaturePrivateKey,
    ) -> Result<Vec<u8>, BaselineError> {
        Signed::made(crypto, REQUEST, key, encode(self)?)
    }

    pub(super) fn verify(
        crypto: &Crypto<'_>,
        key: &SignaturePublicKey,
        bytes: &[u8],
    ) -> Result<Self, BaselineError> {
        Ok(decode("a request", &Signed::open(crypto, REQUEST, key, bytes)?)?)
    }
}

impl Rekey {
    pub(super) fn sign(
        &self,
        crypto: &Crypto<'_>,
        key: &SignaturePrivateKey,
    ) -> Result<Vec<u8>, BaselineError> {
        Signed::made(crypto, REKEY, key, encode(self)?)
    }

    pub(super) fn verify(
        crypto: &Crypto<'_>,
        key: &SignaturePublicKey,
        bytes: &[u8],
    ) -> Result<Self, BaselineError> {
        let content = Signed::open(crypto, REKEY, key, bytes)?;
        Ok(decode("a rekey message", &content)?)
    }

    /// The ciphertext that a member opens at a node: under the node's old key if it holds that,
    /// else under the child's on its path.
    pub(super) fn for_member(
        &self,
        node: NodeAt,
        child: NodeAt,
        holds: impl Fn(NodeAt) -> bool,
    ) -> Option<&Wrapped> {
        let mut here = self.wrapped.iter().filter(|wrapped| wrapped.node == node);
        let old = here.clone().find(|wrapped| wrapped.under == node && holds(node));
        old.or_else(|| here.find(|wrapped| wrapped.under == child))
    }
}

/// What of a message to the group anybody can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub(super) struct Head {
    pub(super) sender: u32,
    pub(super) epoch: u64,
    /// How many messages its sender had sent in the epoch.
    pub(super) counter: u32,
}

/// The key of an epoch, which messages are encrypted under by way of a subkey for each sender.
#[derive(Clone)]
pub(super) struct EpochKey(Secret);

impl EpochKey {
    /// Of the group's key.
    pub(super) fn new(
        crypto: &Crypto<'_>,
        group: &Secret,
        epoch: u64,
    ) -> Result<Self, BaselineError> {
        let info = [&b"epoch"[..], &epoch.to_be_bytes()].concat();
        Ok(Self(crypto.expand(group, &info, super::key_tree::KEY)?))
    }

    /// The subkey of a sender, and the nonce of a message: its counter.
    fn of(&self, crypto: &Crypto<'_>, head: Head) -> Result<(Secret, Secret), BaselineError> {
        let info = [&b"sender"[..], &head.sender.to_be_bytes()].concat();
        let key = crypto.expand(&self.0, &info, crypto.provider().aead_key_length())?;
        let mut nonce = vec![0; crypto.provider().aead_nonce_length()];
        let at = nonce.len() - 4;
        nonce[at..].copy_from_slice(&head.counter.to_be_bytes());
        Ok((key, nonce.into()))
    }

    /// What those who are in the epoch agree on.
    pub(super) fn authenticator(&self, crypto: &Crypto<'_>, roster: &[ClientId]) -> Secret {
        let numbers: Vec<u8> = roster.iter().flat_map(|client| client.0.to_be_bytes()).collect();
        let roster = crypto.hash(&numbers);
        crypto.mac(&self.0, roster.as_slice()).as_slice().into()
    }

    /// Encrypts and signs a message.
    pub(super) fn seal(
        &self,
        crypto: &Crypto<'_>,
        signer: &SignaturePrivateKey,
        head: Head,
        text: &[u8],
    ) -> Result<Vec<u8>, BaselineError> {
        let (key, nonce) = self.of(crypto, head)?;
        let ciphertext = crypto.aead_seal(&key, &nonce, &encode(&head)?, text)?;
        let content = encode(&GroupMessage { head, ciphertext: ciphertext.into() })?;
        Signed::made(crypto, MESSAGE, signer, content)
    }

    pub(super) fn open(
        &self,
        crypto: &Crypto<'_>,
        message: &GroupMessage,
    ) -> Result<Vec<u8>, BaselineError> {
        let (key, nonce) = self.of(crypto, message.head)?;
        let aad = encode(&message.head)?;
        Ok(crypto.aead_open(&key, &nonce, &aad, message.ciphertext.as_slice())?)
    }
}

/// A message to the group.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub(super) struct GroupMessage {
    pub(super) head: Head,
    ciphertext: VLBytes,
}

impl GroupMessage {
    pub(super) fn verify(
        crypto: &Crypto<'_>,
        key: &SignaturePublicKey,
        bytes: &[u8],
    ) -> Result<Self, BaselineError> {
        Ok(decode("a message", &Signed::open(crypto, MESSAGE, key, bytes)?)?)
    }

    /// Without asking whose it is.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, BaselineError> {
        let signed: Signed = decode("something signed", bytes)?;
        Ok(decode("a message", signed.content.as_slice())?)
    }
}
