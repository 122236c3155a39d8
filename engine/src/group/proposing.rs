//! Updates that are proposed apart from the commit that covers them (RFC 9420 §12.1.2): what their
//! sender makes, and what everybody does who receives one in a public message.

use rand_core::Rng;

use super::commit::{CommitError, Protection};
use super::holdings::{OwnUpdate, StoredProposal};
use super::member::Member;
use super::public_group::{ApplyError, MembershipProof, PublicGroup, Verified};
use crate::codec::{decode, encode};
use crate::crypto::{Crypto, CryptoError, Digest, HpkeKeyPair, Seed, SignatureKeyPair};
use crate::treedem::{AuthenticatedContent, Content, FramedContent, MlsMessage, Sender};
use crate::treesync::{LeafNode, LeafNodeError, LeafNodeSource, Proposal};

/// An Update as its sender has it.
#[derive(Clone, Debug)]
pub struct ProposedUpdate {
    /// The encoded message.
    pub message: Vec<u8>,
    /// What it is for those who receive it.
    pub stored: StoredProposal,
    /// Its private half.
    pub own: OwnUpdate,
}

impl Member {
    /// A new leaf for the member itself, with a fresh key, as `change` would have it.
    pub(super) fn updated_leaf<E>(
        &self,
        crypto: &Crypto<'_>,
        signer: &SignatureKeyPair,
        change: impl FnOnce(&mut LeafNode) -> Result<(), E>,
        rng: &mut dyn Rng,
    ) -> Result<(LeafNode, HpkeKeyPair), E>
    where
        E: From<ApplyError> + From<CryptoError> + From<LeafNodeError>,
    {
        let mut seed = Seed::default();
        rng.fill_bytes(&mut seed);
        let pair = crypto.derive_key_pair(&seed.as_slice().into())?;
        let old = self.public.tree.leaf(self.leaf).ok_or(ApplyError::UnknownSender)?;
        let mut leaf = LeafNode::clone(old);
        change(&mut leaf)?;
        leaf.encryption_key = pair.public.clone();
        leaf.signature_key = signer.public.clone();
        leaf.leaf_node_source = LeafNodeSource::Update;
        let group_id = self.public.context.group_id.as_slice();
        leaf.sign(crypto, &signer.private, group_id, self.leaf)?;
        Ok((leaf, pair))
    }

    /// Signs and protects content; gives its reference and the message.
    pub(super) fn protect<E>(
        &self,
        crypto: &Crypto<'_>,
        content: Content,
        authenticated_data: Vec<u8>,
        protection: Protection<'_>,
        rng: &mut dyn Rng,
    ) -> Result<(Digest, MlsMessage), E>
    where
        E: From<LeafNodeError>
            + From<crate::codec::CodecError>
            + From<crate::treedem::PrivateMessageError>,
    {
        let content = FramedContent {
            group_id: self.public.context.group_id.clone(),
            epoch: self.epoch(),
            sender: Sender::Member(self.leaf),
            authenticated_data: authenticated_data.into(),
            content,
        };
        let context = self.public.context.encoded();
        let key = &self.signer.private;
        let format = protection.wire_format();
        let signed = AuthenticatedContent::sign(crypto, key, format, content, &context)?;
        let reference = signed.reference(crypto)?;
        let secrets = Some(&*self.secrets);
        Ok((reference, protection.protect(crypto, signed, secrets, &context, rng)?))
    }

    /// Proposes a fresh key for itself, in a public message.
    pub fn propose_update(
        &self,
        crypto: &Crypto<'_>,
        rng: &mut dyn Rng,
    ) -> Result<ProposedUpdate, CommitError> {
        let signer = self.signer.clone();
        let (leaf, pair) = self.updated_leaf(crypto, &signer, |_| Ok::<_, CommitError>(()), rng)?;
        let proposal = Proposal::Update(leaf);
        let content = Content::Proposal(proposal.clone());
        let (reference, message) =
            self.protect::<CommitError>(crypto, content, vec![], Protection::Public, rng)?;
        Ok(ProposedUpdate {
            message: encode(&message)?,
            stored: StoredProposal { reference, sender: Some(self.leaf), proposal },
            own: OwnUpdate { leaf: pair, signer },
        })
    }
}

impl PublicGroup {
    /// Takes in a proposal of a member in a public message: checks that it belongs here, and its
    /// signature. Whether it is valid shows when it is committed; that its sender is a member, by
    /// the proof.
    pub fn receive_proposal(
        &self,
        crypto: &Crypto<'_>,
        message: &[u8],
    ) -> Result<(StoredProposal, MembershipProof), ApplyError> {
        let MlsMessage::Public(message) = decode("an MLS message", message)? else {
            return Err(ApplyError::NotAProposal);
        };
        let (content, tag) = message.into_content();
        let Verified { content, tbs } = self.verify(crypto, content)?;
        let tag = tag.ok_or(ApplyError::MissingTag("membership tag"))?;
        let reference = content.reference(crypto)?;
        let (Sender::Member(leaf), Content::Proposal(proposal)) =
            (content.content.sender, content.content.content)
        else {
            return Err(ApplyError::NotAProposal);
        };
        let stored = StoredProposal { reference, sender: Some(leaf), proposal };
        Ok((stored, MembershipProof { tbs, signature: content.signature, tag }))
    }
}
