//! What somebody can make who holds a member's secrets, and keeps to no rule: signatures over
//! anything, membership tags, private messages with anything in them.

use arboretum_engine::codec::encode;
use arboretum_engine::crypto::{Crypto, Digest, Signature, SignaturePrivateKey};
use arboretum_engine::group::Session;
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::{
    AuthenticatedContent, Content, ContentType, FramedContent, MAX_SKIP, MlsMessage,
    PrivateMessage, PublicMessage, Sender, WireFormat, sender_data_key,
};
use arboretum_engine::treesync::{KeyPackage, LeafNode};

use crate::choices::{Choices, mutate};

/// A member whose secrets are used.
pub(crate) struct Forger<'s> {
    pub(crate) session: &'s Session,
    pub(crate) crypto: &'s Crypto<'static>,
}

/// A tag that is right, or is not.
fn tag(right: Option<Digest>, choices: &mut Choices<'_>) -> Option<Digest> {
    match choices.byte() % 16 {
        0 => None,
        1 => Some([choices.byte(); 32].into()),
        2 => Digest::new(choices.bytes(64)),
        _ => right,
    }
}

impl Forger<'_> {
    fn key(&self) -> &SignaturePrivateKey {
        &self.session.member().signer.private
    }

    /// Signs content, mostly.
    fn sign(
        &self,
        format: WireFormat,
        content: FramedContent,
        confirmation_tag: Option<Digest>,
        choices: &mut Choices<'_>,
    ) -> Option<AuthenticatedContent> {
        let context = self.session.public().context.encoded();
        let signed = AuthenticatedContent::sign(self.crypto, self.key(), format, content, &context);
        let mut signed = signed.ok()?;
        if choices.one_in(16) {
            signed.signature = choices.bytes(64).into();
        }
        let is_commit = matches!(signed.content.content, Content::Commit(_));
        signed.confirmation_tag = tag(confirmation_tag, choices).filter(|_| is_commit);
        Some(signed)
    }

    /// Content in a public message.
    pub(crate) fn public(
        &self,
        content: FramedContent,
        confirmation_tag: Option<Digest>,
        choices: &mut Choices<'_>,
    ) -> Option<Vec<u8>> {
        let signed = self.sign(WireFormat::PUBLIC_MESSAGE, content, confirmation_tag, choices)?;
        let member = self.session.member();
        let (key, context) = (&member.secrets.membership_key, member.public.context.encoded());
        let message = PublicMessage::protect(self.crypto, signed, Some(key), &context).ok()?;
        let membership_tag = tag(message.membership_tag, choices);
        let message = PublicMessage { membership_tag, ..message };
        encode(&MlsMessage::Public(message)).ok()
    }

    /// Content in a private message, whose parts may all be wrong in themselves.
    pub(crate) fn private(
        &self,
        content: FramedContent,
        confirmation_tag: Option<Digest>,
        choices: &mut Choices<'_>,
    ) -> Option<Vec<u8>> {
        let (group_id, epoch) = (content.group_id.clone(), content.epoch);
        let authenticated_data = content.authenticated_data.clone();
        let mut content_type = content.content.content_type();
        let mut leaf = match content.sender {
            Sender::Member(leaf) => leaf,
            _ => self.session.leaf(),
        };
        let signed = self.sign(WireFormat::PRIVATE_MESSAGE, content, confirmation_tag, choices)?;
        let mut plaintext = plaintext(&signed)?;
        match choices.byte() % 16 {
            0 => mutate(&mut plaintext, &[], choices),
            1 => plaintext.extend(vec![0; choices.below(300)]),
            2 => content_type = *choices.pick(&KINDS),
            3 => leaf = LeafIndex(choices.number() as u32),
            _ => {}
        }
        let mut message = PrivateMessage {
            group_id,
            epoch,
            content_type,
            authenticated_data,
            encrypted_sender_data: vec![].into(),
            ciphertext: vec![].into(),
        };
        self.seal(&mut message, leaf, &plaintext, choices)?;
        encode(&MlsMessage::Private(message)).ok()
    }

    /// Encrypts what a private message carries, with the keys of its own leaf.
    fn seal(
        &self,
        message: &mut PrivateMessage,
        leaf: LeafIndex,
        plaintext: &[u8],
        choices: &mut Choices<'_>,
    ) -> Option<()> {
        let generation = match choices.byte() {
            0 => MAX_SKIP - 1 + u32::from(choices.byte() % 4),
            1 => choices.number() as u32,
            byte @ 2..16 => u32::from(byte),
            _ => 0,
        };
        let known = generation.min(MAX_SKIP);
        let kind = message.content_type.ratchet();
        let own = self.session.leaf();
        let (key, _) = self.session.messages().key(self.crypto, own, kind, known).ok()?;
        let epoch = message.epoch.to_be_bytes();
        let kind = encode(&message.content_type).ok()?;
        let sender_aad = [&encode(&message.group_id).ok()?[..], &epoch, &kind].concat();
        let aad = [&sender_aad[..], &encode(&message.authenticated_data).ok()?].concat();
        let sealed = self.crypto.aead_seal(&key.key, &key.nonce, &aad, plaintext).ok()?;
        message.ciphertext = sealed.into();
        let mut sender = [leaf.0.to_be_bytes(), generation.to_be_bytes(), [0; 4]].concat();
        if choices.one_in(64) {
            mutate(&mut sender, &[], choices);
        }
        let secret = &self.session.member().secrets.sender_data_secret;
        let (key, nonce) =
            sender_data_key(self.crypto, secret, message.ciphertext.as_slice()).ok()?;
        let sealed = self.crypto.aead_seal(&key, &nonce, &sender_aad, &sender).ok()?;
        message.encrypted_sender_data = sealed.into();
        Some(())
    }

    /// Signs a leaf in a place.
    pub(crate) fn sign_leaf(&self, leaf: &mut LeafNode, at: LeafIndex) {
        let group_id = self.session.public().context.group_id.clone();
        leaf.signature_key = self.session.member().signer.public.clone();
        // What cannot be signed keeps the signature that it had.
        let _ = leaf.sign(self.crypto, self.key(), group_id.as_slice(), at);
    }

    /// Signs a package and its leaf.
    pub(crate) fn sign_package(&self, package: &mut KeyPackage) {
        package.leaf_node.signature_key = self.session.member().signer.public.clone();
        let _ = package.leaf_node.sign(self.crypto, self.key(), &[], LeafIndex(0));
        let signed = package
            .signed()
            .map(|it| self.crypto.sign_with_label(self.key(), it.label, &it.content));
        if let Ok(Ok(signature)) = signed {
            package.signature = signature;
        }
    }
}

const KINDS: [ContentType; 3] =
    [ContentType::Application, ContentType::Proposal, ContentType::Commit];

/// `PrivateMessageContent` without padding.
fn plaintext(signed: &AuthenticatedContent) -> Option<Vec<u8>> {
    let mut plaintext = signed.content.content.encoded_body().ok()?;
    plaintext.extend(encode::<Signature>(&signed.signature).ok()?);
    if let Some(tag) = &signed.confirmation_tag {
        plaintext.extend(encode(tag).ok()?);
    }
    Some(plaintext)
}
