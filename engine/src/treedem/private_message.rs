//! Private messages (RFC 9420 §6.3): content under a key of the secret tree, its sender under a
//! key that depends on the ciphertext.

use tls_codec::{
    DeserializeBytes, Serialize, TlsDeserializeBytes, TlsSerialize, TlsSize, VLByteSlice, VLBytes,
};

use super::content::{
    AuthenticatedContent, Content, ContentType, FramedContent, Sender, WireFormat,
};
use super::secret_tree::{RatchetType, SecretTree, SecretTreeError};
use crate::codec::{CodecError, decode};
use crate::crypto::{Crypto, CryptoError, Digest, Secret, Signature};
use crate::tree::LeafIndex;

/// `PrivateMessage`.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct PrivateMessage {
    /// The group.
    pub group_id: VLBytes,
    /// The epoch it is sent in.
    pub epoch: u64,
    /// What is inside.
    pub content_type: ContentType,
    /// What the application authenticates along with it, in the clear.
    pub authenticated_data: VLBytes,
    /// `SenderData`, encrypted.
    pub encrypted_sender_data: VLBytes,
    /// `PrivateMessageContent`, encrypted.
    pub ciphertext: VLBytes,
}

/// The rule that a private message breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrivateMessageError {
    /// Only members send private messages.
    #[error("a private message has a member as sender (RFC 9420 §6.3.2)")]
    NotAMember,
    /// The sender's leaf is blank.
    #[error("the sender's {0} is blank or outside the tree (RFC 9420 §6.3.2)")]
    BlankSender(LeafIndex),
    /// Padding holds something.
    #[error("the padding is not all zero (RFC 9420 §6.3.1)")]
    Padding,
    /// There is no key.
    #[error(transparent)]
    SecretTree(#[from] SecretTreeError),
    /// A primitive refused.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// Something has no encoding, or is none.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// What keeps a nonce from being used twice although state was lost.
pub type ReuseGuard = [u8; 4];

/// `SenderData`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
struct SenderData {
    leaf_index: LeafIndex,
    generation: u32,
    reuse_guard: ReuseGuard,
}

/// `SenderDataAAD`.
#[derive(TlsSize, TlsSerialize)]
struct SenderDataAad<'a> {
    group_id: VLByteSlice<'a>,
    epoch: u64,
    content_type: ContentType,
}

/// `PrivateContentAAD`.
#[derive(TlsSize, TlsSerialize)]
struct PrivateContentAad<'a> {
    group_id: VLByteSlice<'a>,
    epoch: u64,
    content_type: ContentType,
    authenticated_data: VLByteSlice<'a>,
}

fn encoded(value: &impl Serialize) -> Result<Vec<u8>, CodecError> {
    crate::codec::encode(value)
}

/// The nonce of a message with its reuse guard.
fn guarded(nonce: &Secret, guard: ReuseGuard) -> Secret {
    let mut bytes = nonce.as_slice().to_vec();
    bytes.iter_mut().zip(guard).for_each(|(byte, guard)| *byte ^= guard);
    bytes.into()
}

/// Key and nonce of the sender data of a ciphertext (RFC 9420 §6.3.2).
pub fn sender_data_key(
    crypto: &Crypto<'_>,
    sender_data_secret: &Secret,
    ciphertext: &[u8],
) -> Result<(Secret, Secret), CryptoError> {
    let provider = crypto.provider();
    let sample = &ciphertext[..ciphertext.len().min(provider.digest_length())];
    let expand =
        |label, length| crypto.expand_with_label(sender_data_secret, label, sample, length);
    Ok((expand("key", provider.aead_key_length())?, expand("nonce", provider.aead_nonce_length())?))
}

impl ContentType {
    /// The ratchet that encrypts this content.
    pub fn ratchet(self) -> RatchetType {
        match self {
            Self::Application => RatchetType::Application,
            Self::Proposal | Self::Commit => RatchetType::Handshake,
        }
    }
}

impl PrivateMessage {
    fn sender_data_aad(&self) -> Result<Vec<u8>, CodecError> {
        encoded(&SenderDataAad {
            group_id: VLByteSlice(self.group_id.as_slice()),
            epoch: self.epoch,
            content_type: self.content_type,
        })
    }

    fn content_aad(&self) -> Result<Vec<u8>, CodecError> {
        encoded(&PrivateContentAad {
            group_id: VLByteSlice(self.group_id.as_slice()),
            epoch: self.epoch,
            content_type: self.content_type,
            authenticated_data: VLByteSlice(self.authenticated_data.as_slice()),
        })
    }

    /// Encrypts signed content with the sender's next key, which is consumed. `padding` zeros
    /// are put after it.
    pub fn seal(
        crypto: &Crypto<'_>,
        content: &AuthenticatedContent,
        secrets: &mut SecretTree,
        sender_data_secret: &Secret,
        block: usize,
        reuse_guard: ReuseGuard,
    ) -> Result<Self, PrivateMessageError> {
        let framed = &content.content;
        let Sender::Member(leaf_index) = framed.sender else {
            return Err(PrivateMessageError::NotAMember);
        };
        let content_type = framed.content.content_type();
        let mut message = Self {
            group_id: framed.group_id.clone(),
            epoch: framed.epoch,
            content_type,
            authenticated_data: framed.authenticated_data.clone(),
            encrypted_sender_data: vec![].into(),
            ciphertext: vec![].into(),
        };
        let mut plaintext = framed.content.encoded_body()?;
        plaintext.extend(encoded(&content.signature)?);
        if let Some(tag) = &content.confirmation_tag {
            plaintext.extend(encoded(tag)?);
        }
        let length = plaintext.len();
        plaintext.resize(length.checked_next_multiple_of(block.max(1)).unwrap_or(length), 0);
        let plaintext = Secret::from(plaintext);
        let (generation, key, used) =
            secrets.next_key(crypto, leaf_index, content_type.ratchet())?;
        let nonce = guarded(&key.nonce, reuse_guard);
        let aad = message.content_aad()?;
        message.ciphertext = crypto.aead_seal(&key.key, &nonce, &aad, plaintext.as_slice())?.into();
        secrets.consume(used);
        let sender = encoded(&SenderData { leaf_index, generation, reuse_guard })?;
        let (key, nonce) =
            sender_data_key(crypto, sender_data_secret, message.ciphertext.as_slice())?;
        let aad = message.sender_data_aad()?;
        message.encrypted_sender_data = crypto.aead_seal(&key, &nonce, &aad, &sender)?.into();
        Ok(message)
    }

    fn sender_data(
        &self,
        crypto: &Crypto<'_>,
        sender_data_secret: &Secret,
    ) -> Result<SenderData, PrivateMessageError> {
        let (key, nonce) = sender_data_key(crypto, sender_data_secret, self.ciphertext.as_slice())?;
        let aad = self.sender_data_aad()?;
        let sealed = self.encrypted_sender_data.as_slice();
        Ok(decode("sender data", &crypto.aead_open(&key, &nonce, &aad, sealed)?)?)
    }

    /// Decrypts it. The signature is not checked here; the key is consumed by the caller, once
    /// it is. `is_member` says which leaves are not blank.
    pub fn open(
        &self,
        crypto: &Crypto<'_>,
        secrets: &SecretTree,
        sender_data_secret: &Secret,
        is_member: impl Fn(LeafIndex) -> bool,
    ) -> Result<(AuthenticatedContent, super::secret_tree::Consumption), PrivateMessageError> {
        let sender = self.sender_data(crypto, sender_data_secret)?;
        if !is_member(sender.leaf_index) {
            return Err(PrivateMessageError::BlankSender(sender.leaf_index));
        }
        let ratchet = self.content_type.ratchet();
        let (key, used) = secrets.key(crypto, sender.leaf_index, ratchet, sender.generation)?;
        let nonce = guarded(&key.nonce, sender.reuse_guard);
        let aad = self.content_aad()?;
        let plaintext = crypto.aead_open(&key.key, &nonce, &aad, self.ciphertext.as_slice())?;
        let plaintext = zeroize::Zeroizing::new(plaintext);
        let content = self.decode_content(sender.leaf_index, &plaintext)?;
        Ok((content, used))
    }

    /// `PrivateMessageContent`, its padding checked.
    fn decode_content(
        &self,
        sender: LeafIndex,
        plaintext: &[u8],
    ) -> Result<AuthenticatedContent, PrivateMessageError> {
        let malformed = |reason| CodecError::Malformed { what: "private message content", reason };
        let (content, rest) =
            Content::decode_body(self.content_type, plaintext).map_err(malformed)?;
        let (signature, rest) = Signature::tls_deserialize_bytes(rest).map_err(malformed)?;
        let (confirmation_tag, padding) = if self.content_type == ContentType::Commit {
            let (tag, rest) = Digest::tls_deserialize_bytes(rest).map_err(malformed)?;
            (Some(tag), rest)
        } else {
            (None, rest)
        };
        if padding.iter().any(|byte| *byte != 0) {
            return Err(PrivateMessageError::Padding);
        }
        let content = FramedContent {
            group_id: self.group_id.clone(),
            epoch: self.epoch,
            sender: Sender::Member(sender),
            authenticated_data: self.authenticated_data.clone(),
            content,
        };
        let wire_format = WireFormat::PRIVATE_MESSAGE;
        Ok(AuthenticatedContent { wire_format, content, signature, confirmation_tag })
    }
}
