//! Updates that are proposed apart from the commit that covers them (RFC 9420 §12.1.2): what their
//! sender makes, and what everybody does who receives one in a public message.

use rand_core::Rng;

use super::commit::{CommitError, Protection};
use super::holdings::{OwnUpdate, ProposalStore, StoredProposal};
use super::member::{FollowError, Member};
use super::public_group::{ApplyError, PublicGroup, Transition};
use crate::codec::{decode, encode};
use crate::crypto::{Crypto, CryptoError, Digest, HpkeKeyPair, Seed, SignatureKeyPair};
use crate::treedem::{
    AuthenticatedContent, Content, FramedContent, MlsMessage, PublicMessage, Sender,
};
use crate::treekem::EpochSecrets;
use crate::treesync::{LeafNode, LeafNodeError, LeafNodeSource, Proposal, Roster};

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
    /// Takes in a proposal in a public message: checks that it belongs here, and its signature.
    /// Whether it is valid shows when it is committed.
    pub fn receive_proposal(
        &self,
        crypto: &Crypto<'_>,
        message: &[u8],
    ) -> Result<StoredProposal, ApplyError> {
        let content = self.verify(crypto, public_message(message)?.into_content().0)?.content;
        let reference = content.reference(crypto)?;
        match (content.content.sender, content.content.content) {
            (Sender::Member(leaf), Content::Proposal(proposal)) => {
                Ok(StoredProposal { reference, sender: Some(leaf), proposal })
            }
            _ => Err(ApplyError::NotACommit),
        }
    }

    /// Checks the membership tag of a public message of this epoch.
    pub fn check_membership(
        &self,
        crypto: &Crypto<'_>,
        secrets: &EpochSecrets,
        message: &[u8],
    ) -> Result<(), FollowError> {
        let (content, tag) =
            public_message(message).map_err(|_| FollowError::MembershipTag)?.into_content();
        let key = Some(&secrets.membership_key);
        let context = self.context.encoded();
        let expected = PublicMessage::protect(crypto, content, key, &context)?.membership_tag;
        if tag.is_some() && tag == expected { Ok(()) } else { Err(FollowError::MembershipTag) }
    }

    /// Follows a commit in a public message that may refer to proposals received before.
    pub fn apply_with(
        &self,
        crypto: &Crypto<'_>,
        roster: &Roster,
        proposals: &ProposalStore,
        message: &[u8],
    ) -> Result<Transition, ApplyError> {
        self.apply_public(crypto, roster, proposals, public_message(message)?)
    }
}

fn public_message(message: &[u8]) -> Result<PublicMessage, ApplyError> {
    match decode("an MLS message", message)? {
        MlsMessage::Public(message) => Ok(message),
        _ => Err(ApplyError::NotACommit),
    }
}
