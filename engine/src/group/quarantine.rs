//! Quarantine from the side of those who take part in it (`treesync/quarantine.rs` has the rules, and
//! what it trades): the *maker* draws a ghost's key and shares its secret out, *holders* keep their
//! shares, and the *ghost* asks for them when it is back.
//!
//! The secret is of `KDF.Nh` bytes; the key pair follows from it by `DeriveKeyPair`. It is shared out
//! to [`HOLDERS`] members, any [`THRESHOLD`] of whom find it: three are the fewest that the paper allows,
//! two the fewest of whom none knows the key alone, and one holder may be away. Of each share its
//! holder gets `EncryptWithLabel(leaf key, "QuarantineShare", ShareContext, share)`, where
//! `ShareContext` has the group, the epoch of the commit, the ghost and its key. The maker erases secret
//! and shares with the [`NewGhost`] that has them.
//!
//! A holder keeps the shares of **every** key that the ghost has been given, until its quarantine
//! ends. Less would be of no use: a commit is followed from the epoch before, so that whoever cannot
//! open the one that made it a ghost can open none of those that renewed it. With all of them it
//! follows every commit that it missed, and reads what was sent in all epochs. Together with the state
//! that the ghost last had, two holders' shares open those epochs to a thief as well, later than
//! any other member's state would; without that state they open nothing.
//!
//! The ghost's [`ShareRequest`] has a fresh key and its signature. A holder who believes it answers
//! with its shares from the ghost's epoch on, encrypted to that key. Answers are not signed: the ghost
//! knows the right shares by the key in the tree. From then on it is a member who lags; its next commit
//! ends the quarantine, and holders erase their shares. Whoever finds no quorum enters anew by an
//! external commit (RFC 9420 §12.4.3.2), and reads nothing of the time between.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::Rng;
use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize, VLBytes};
use zeroize::Zeroizing;

use super::commit::CommitError;
use super::member::Member;
use super::public_group::{ApplyError, Transition};
use crate::codec::{CodecError, encode};
use crate::crypto::{
    Crypto, CryptoError, HpkeCiphertext, HpkeKeyPair, HpkePublicKey, Sealed, Secret, Seed,
    Signature, combine, share,
};
use crate::tree::LeafIndex;
use crate::treesync::{
    GhostSource, HOLDERS, LeafNode, LeafNodeSource, ProposalError, Quarantine, QuarantineError,
    RatchetTree, THRESHOLD,
};

const SHARE_LABEL: &str = "QuarantineShare";
const REQUEST_LABEL: &str = "QuarantineRequest";
const ANSWER_LABEL: &str = "QuarantineAnswer";

/// How often a holder is drawn for each that is missing, before the tree is gone through.
const DRAWS: usize = 32;

/// A ghost's new key as its maker has it, for as long as it takes to commit it.
#[derive(Clone, Debug)]
pub struct NewGhost {
    /// What is proposed.
    pub proposal: Quarantine,
    /// The key pair.
    pub key: HpkeKeyPair,
    /// The shares, in the order of their holders.
    pub shares: Vec<Secret>,
}

/// A share that a holder keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldShare {
    /// Whose key it is of.
    pub ghost: LeafIndex,
    /// The epoch whose commit gave the ghost that key.
    pub epoch: u64,
    /// The share.
    pub share: Secret,
}

/// What a share is bound to.
#[derive(Clone, Debug, TlsSize, TlsSerialize)]
struct ShareContext {
    group_id: VLBytes,
    epoch: u64,
    ghost: LeafIndex,
    key: HpkePublicKey,
}

/// What a ghost asks holders for.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub struct ShareRequest {
    /// The group.
    pub group_id: VLBytes,
    /// The ghost's leaf.
    pub ghost: LeafIndex,
    /// The epoch that it has come to: it needs the keys of commits from here on.
    pub epoch: u64,
    /// The key that answers go to.
    pub key: HpkePublicKey,
    /// The owner's signature of all of it.
    pub signature: Signature,
}

/// Why shares are not given, or lead nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareExchangeError {
    /// It is for another group.
    #[error("a request for shares is for another group")]
    WrongGroup,
    /// Nobody is quarantined there.
    #[error("{0} asks for shares and is no ghost")]
    NotAGhost(LeafIndex),
    /// The holder has none.
    #[error("no share is held of a key that {0} needs")]
    NoShare(LeafIndex),
    /// An answer is not a list of shares.
    #[error("an answer is not a list of shares")]
    NotShares,
    /// A primitive refused: the request is not signed by the ghost, or an answer not for it.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// Something has no encoding.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl From<QuarantineError> for CommitError {
    fn from(error: QuarantineError) -> Self {
        Self::Apply(ApplyError::Proposals(ProposalError::Quarantine(error)))
    }
}

impl Quarantine {
    fn context(&self, group_id: &VLBytes, epoch: u64) -> Result<Vec<u8>, CodecError> {
        let (group_id, ghost) = (group_id.clone(), self.ghost);
        encode(&ShareContext { group_id, epoch, ghost, key: self.leaf_node.encryption_key.clone() })
    }

    /// What makes its leaf a ghost's; the rules of a proposal in effect see to it that there is one.
    pub fn source(&self) -> Result<&GhostSource, QuarantineError> {
        self.leaf_node.ghost().ok_or(QuarantineError::NotAGhost)
    }
}

/// Chooses who is to hold the shares of a ghost: those who do already, where they may stay, and
/// others at random; ascending. Fewer than [`HOLDERS`], if there are not so many. `goes` may not: the
/// committer, and who goes, is quarantined or updated by the same commit.
pub fn choose_holders(
    tree: &RatchetTree,
    ghost: LeafIndex,
    goes: &BTreeSet<LeafIndex>,
    rng: &mut dyn Rng,
) -> Vec<LeafIndex> {
    let is_fit = |leaf: &LeafIndex| {
        let member = tree.leaf(*leaf).filter(|member| member.ghost().is_none());
        member.is_some() && *leaf != ghost && !goes.contains(leaf)
    };
    let before = tree.leaf(ghost).and_then(|leaf| leaf.ghost());
    let before = before.map_or(&[][..], |source| &source.holders);
    let mut chosen: BTreeSet<LeafIndex> = before.iter().copied().filter(is_fit).collect();
    let bound = u64::from(tree.bound().max(1));
    for _ in 0..HOLDERS * DRAWS {
        if chosen.len() >= HOLDERS {
            break;
        }
        chosen.extend(Some(LeafIndex((rng.next_u64() % bound) as u32)).filter(is_fit));
    }
    if chosen.len() < HOLDERS {
        // A sparse tree, or few who may: a random place to start from, and round.
        let leaves = tree.root().leaves();
        let start = (rng.next_u64() % leaves.len().max(1) as u64) as usize;
        let round = leaves.iter().cycle().skip(start).take(leaves.len());
        let fit = round.map(|(leaf, _)| *leaf).filter(is_fit);
        for leaf in fit {
            if chosen.len() >= HOLDERS {
                break;
            }
            chosen.insert(leaf);
        }
    }
    chosen.into_iter().collect()
}

impl Member {
    /// Makes a new key for a silent member, and shares its secret out to `holders`, which ascend. The
    /// proposal goes into the member's next commit, in this epoch.
    pub fn quarantine(
        &self,
        crypto: &Crypto<'_>,
        ghost: LeafIndex,
        holders: &[LeafIndex],
        rng: &mut dyn Rng,
    ) -> Result<NewGhost, CommitError> {
        let tree = &self.public.tree;
        let missing = |leaf| ApplyError::Proposals(ProposalError::NoSuchMember(leaf));
        let old = tree.leaf(ghost).ok_or(missing(ghost))?;
        let own = tree.leaf(self.leaf).ok_or(ApplyError::UnknownSender)?;
        let mut secret = vec![0; crypto.provider().digest_length()];
        rng.fill_bytes(&mut secret);
        let secret = Secret::from(secret);
        let key = crypto.derive_key_pair(&secret)?;
        let count = u8::try_from(holders.len()).unwrap_or(u8::MAX);
        let shares = share(&secret, THRESHOLD, count, rng)
            .map_err(|_| QuarantineError::Holders(holders.len()))?;
        let mut leaf_node = LeafNode::clone(old);
        leaf_node.encryption_key = key.public.clone();
        leaf_node.leaf_node_source = LeafNodeSource::Ghost(Box::new(GhostSource {
            owner_key: old.as_owned().encryption_key,
            owner_source: old.owner_source(),
            owner_signature: old.as_owned().signature,
            since: old.ghost().map_or(self.epoch(), |before| before.since),
            maker: self.leaf,
            maker_credential: own.credential.clone(),
            maker_key: own.signature_key.clone(),
            threshold: THRESHOLD,
            holders: holders.to_vec(),
        }));
        let group_id = &self.public.context.group_id;
        leaf_node.sign(crypto, &self.signer.private, group_id.as_slice(), ghost)?;
        let mut proposal = Quarantine { ghost, leaf_node, shares: vec![] };
        let context = proposal.context(group_id, self.epoch())?;
        let mut items = Vec::with_capacity(shares.len());
        for (holder, share) in holders.iter().zip(&shares) {
            let mut seed = Seed::default();
            rng.fill_bytes(&mut seed);
            let to = &tree.leaf(*holder).ok_or(missing(*holder))?.encryption_key;
            items.push(Sealed { to, plaintext: share.as_slice(), seed });
        }
        proposal.shares = crypto.encrypt_all_with_label(SHARE_LABEL, &context, &items)?;
        drop(items);
        Ok(NewGhost { proposal, key, shares })
    }

    /// The shares that a commit brings this member, before it follows it. One that does not open, or is
    /// none, is not kept: its maker has done wrong, and the ghost has the others.
    pub fn open_shares(
        &self,
        crypto: &Crypto<'_>,
        transition: &Transition,
    ) -> Result<Vec<HeldShare>, CodecError> {
        let (group_id, epoch) = (&self.public.context.group_id, self.epoch());
        let length = 1 + crypto.provider().digest_length();
        let mut held = vec![];
        for it in &transition.applied.quarantined {
            let holders = it.leaf_node.ghost().map_or(&[][..], |source| &source.holders);
            let Ok(at) = holders.binary_search(&self.leaf) else { continue };
            let Some(sealed) = it.shares.get(at) else { continue };
            let context = it.context(group_id, epoch)?;
            let opened = crypto.decrypt_with_label(self.keys.leaf(), SHARE_LABEL, &context, sealed);
            if let Ok(share) = opened
                && share.as_slice().len() == length
            {
                held.push(HeldShare { ghost: it.ghost, epoch, share });
            }
        }
        Ok(held)
    }

    /// Asks for shares, as a ghost that has followed all it can. The private half opens the answers.
    pub fn ask_for_shares(
        &self,
        crypto: &Crypto<'_>,
        rng: &mut dyn Rng,
    ) -> Result<(ShareRequest, HpkeKeyPair), ShareExchangeError> {
        let mut seed = Seed::default();
        rng.fill_bytes(&mut seed);
        let pair = crypto.derive_key_pair(&seed.as_slice().into())?;
        let mut request = ShareRequest {
            group_id: self.public.context.group_id.clone(),
            ghost: self.leaf,
            epoch: self.epoch(),
            key: pair.public.clone(),
            signature: vec![].into(),
        };
        let tbs = encode(&request)?;
        request.signature = crypto.sign_with_label(&self.signer.private, REQUEST_LABEL, &tbs)?;
        Ok((request, pair))
    }

    /// Answers a ghost's request with the shares that it needs of those held.
    pub fn answer(
        &self,
        crypto: &Crypto<'_>,
        request: &ShareRequest,
        held: &[HeldShare],
        rng: &mut dyn Rng,
    ) -> Result<HpkeCiphertext, ShareExchangeError> {
        if request.group_id != self.public.context.group_id {
            return Err(ShareExchangeError::WrongGroup);
        }
        let ghost = request.ghost;
        let leaf = self.public.tree.leaf(ghost).filter(|leaf| leaf.ghost().is_some());
        let leaf = leaf.ok_or(ShareExchangeError::NotAGhost(ghost))?;
        let tbs = request.tbs()?;
        let signature = &request.signature;
        crypto.verify_with_label(&leaf.signature_key, REQUEST_LABEL, &tbs, signature)?;
        let needed = held.iter().filter(|it| it.ghost == ghost && it.epoch >= request.epoch);
        let each = |it: &HeldShare| size_of::<u64>() + it.share.as_slice().len();
        // A vector that grows leaves copies behind.
        let length = needed.clone().map(each).sum();
        let mut plaintext = Zeroizing::new(Vec::with_capacity(length));
        for it in needed {
            plaintext.extend(it.epoch.to_be_bytes());
            plaintext.extend(it.share.as_slice());
        }
        if plaintext.is_empty() {
            return Err(ShareExchangeError::NoShare(ghost));
        }
        let mut seed = Seed::default();
        rng.fill_bytes(&mut seed);
        let (key, context) = (&request.key, encode(request)?);
        Ok(crypto.encrypt_with_label(key, ANSWER_LABEL, &context, &plaintext, &seed)?)
    }
}

impl ShareRequest {
    fn tbs(&self) -> Result<Vec<u8>, CodecError> {
        encode(&Self { signature: vec![].into(), ..self.clone() })
    }

    /// Opens an answer with the private half of the request: one share an epoch, the first, as a
    /// holder has no more of one key.
    pub fn open_answer(
        &self,
        crypto: &Crypto<'_>,
        pair: &HpkeKeyPair,
        answer: &HpkeCiphertext,
    ) -> Result<Vec<HeldShare>, ShareExchangeError> {
        let opened = crypto.decrypt_with_label(pair, ANSWER_LABEL, &encode(self)?, answer)?;
        let (each, length) = (opened.as_slice(), 9 + crypto.provider().digest_length());
        if each.is_empty() || !each.len().is_multiple_of(length) {
            return Err(ShareExchangeError::NotShares);
        }
        let mut held = BTreeMap::new();
        for one in each.chunks_exact(length) {
            let (epoch, share) = one.split_first_chunk().ok_or(ShareExchangeError::NotShares)?;
            let (ghost, epoch) = (self.ghost, u64::from_be_bytes(*epoch));
            held.entry(epoch).or_insert_with(|| HeldShare { ghost, epoch, share: share.into() });
        }
        Ok(held.into_values().collect())
    }
}

/// The key pair that a ghost was given by a proposal, if among these shares are enough of the right
/// ones.
pub fn ghost_key(
    crypto: &Crypto<'_>,
    proposal: &Quarantine,
    shares: &[&Secret],
) -> Option<HpkeKeyPair> {
    let enough = usize::from(proposal.leaf_node.ghost()?.threshold);
    let expected = &proposal.leaf_node.encryption_key;
    let mut chosen: Vec<usize> = (0..enough).collect();
    while chosen.last().is_some_and(|last| *last < shares.len()) {
        let taken: Vec<&Secret> = chosen.iter().map(|at| shares[*at]).collect();
        let pair = combine(&taken).ok().and_then(|secret| crypto.derive_key_pair(&secret).ok());
        if let Some(pair) = pair.filter(|pair| pair.public == *expected) {
            return Some(pair);
        }
        // The next combination: the last index that can still move on does, and those after it follow.
        let moves = |at: &usize| chosen[*at] < shares.len() - enough + at;
        let at = (0..enough).rev().find(moves)?;
        let from = chosen[at] + 1;
        chosen[at..].iter_mut().zip(from..).for_each(|(index, next)| *index = next);
    }
    None
}
