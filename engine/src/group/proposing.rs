//! Updates that are proposed apart from the commit that covers them (RFC 9420 §12.1.2), and whole paths
//! (`treekem/concurrent`): what their sender makes, and what everybody does who receives one in a
//! public message.

use rand_core::Rng;

use super::commit::{CommitError, Protection};
use super::holdings::{OwnUpdate, StoredProposal};
use super::member::Member;
use super::public_group::{ApplyError, MembershipProof, PublicGroup, Verified};
use crate::codec::{decode, encode};
use crate::crypto::{
    Crypto, CryptoError, Digest, HpkeKeyPair, HpkePublicKey, Seed, SignatureKeyPair,
};
use crate::treedem::{AuthenticatedContent, Content, FramedContent, MlsMessage, Sender};
use crate::treekem::{NewPath, UpdatePath};
use crate::treesync::{LeafNode, LeafNodeError, LeafNodeSource, Proposal, ProposedPath};

/// An Update or a path as its sender has it.
#[derive(Clone, Debug)]
pub struct ProposedUpdate {
    /// The encoded message.
    pub message: Vec<u8>,
    /// What it is for those who receive it.
    pub stored: StoredProposal,
    /// Its private half.
    pub own: OwnUpdate,
    /// The path that was drawn, if it is one.
    pub path: Option<NewPath>,
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
        Ok((self.leaf_with(crypto, signer, &pair.public, change)?, pair))
    }

    /// The same with a key that is at hand.
    fn leaf_with<E>(
        &self,
        crypto: &Crypto<'_>,
        signer: &SignatureKeyPair,
        key: &HpkePublicKey,
        change: impl FnOnce(&mut LeafNode) -> Result<(), E>,
    ) -> Result<LeafNode, E>
    where
        E: From<ApplyError> + From<LeafNodeError>,
    {
        let old = self.public.tree.leaf(self.leaf).ok_or(ApplyError::UnknownSender)?;
        let mut leaf = LeafNode::clone(old);
        change(&mut leaf)?;
        leaf.encryption_key = key.clone();
        leaf.signature_key = signer.public.clone();
        leaf.leaf_node_source = LeafNodeSource::Update;
        let group_id = self.public.context.group_id.as_slice();
        leaf.sign(crypto, &signer.private, group_id, self.leaf)?;
        Ok(leaf)
    }

    /// A whole path for the member itself, as it would propose it, in the tree of its epoch.
    pub(super) fn drawn_path(
        &self,
        crypto: &Crypto<'_>,
        rng: &mut dyn Rng,
    ) -> Result<(ProposedPath, NewPath), CommitError> {
        let tree = &self.public.tree;
        let length = tree.filtered_direct_path(self.leaf)?.len();
        let mut seed = Seed::default();
        rng.fill_bytes(&mut seed);
        let drawn = NewPath::generate(crypto, length, &seed)?;
        let unchanged = |_: &mut LeafNode| Ok::<_, CommitError>(());
        let leaf_node = self.leaf_with(crypto, &self.signer, &drawn.leaf.public, unchanged)?;
        let context = self.public.context.encoded();
        let nodes = drawn.encrypt(crypto, tree, self.leaf, &[], &context, rng)?;
        Ok((ProposedPath(UpdatePath { leaf_node, nodes }), drawn))
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
        let own = OwnUpdate { leaf: pair, parents: vec![], signer };
        self.send_proposal(crypto, Proposal::Update(leaf), own, None, rng)
    }

    /// Proposes a whole path for itself, in a public message.
    pub fn propose_path(
        &self,
        crypto: &Crypto<'_>,
        rng: &mut dyn Rng,
    ) -> Result<ProposedUpdate, CommitError> {
        let (path, drawn) = self.drawn_path(crypto, rng)?;
        let own = OwnUpdate::of_path(&drawn, &self.signer);
        self.send_proposal(crypto, Proposal::Path(path), own, Some(drawn), rng)
    }

    fn send_proposal(
        &self,
        crypto: &Crypto<'_>,
        proposal: Proposal,
        own: OwnUpdate,
        path: Option<NewPath>,
        rng: &mut dyn Rng,
    ) -> Result<ProposedUpdate, CommitError> {
        let content = Content::Proposal(proposal.clone());
        let (reference, message) =
            self.protect::<CommitError>(crypto, content, vec![], Protection::Public, rng)?;
        Ok(ProposedUpdate {
            message: encode(&message)?,
            stored: StoredProposal { reference, sender: Some(self.leaf), proposal },
            own,
            path,
        })
    }
}

impl OwnUpdate {
    /// What the sender of a path keeps of it.
    pub(super) fn of_path(drawn: &NewPath, signer: &SignatureKeyPair) -> Self {
        let (leaf, parents) = (drawn.leaf.clone(), drawn.key_pairs.clone());
        Self { leaf, parents, signer: signer.clone() }
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
