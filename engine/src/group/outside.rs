//! Proposals from outside the group (RFC 9420 §12.1.8): of an external sender that the group
//! listens to, and of a client that asks to be added.

use super::public_group::ApplyError;
use super::session::SessionError;
use crate::codec::encode;
use crate::crypto::{Crypto, SignaturePrivateKey};
use crate::treedem::{
    AuthenticatedContent, Content, FramedContent, MlsMessage, PublicMessage, Sender, WireFormat,
};
use crate::treesync::{ExpectedSource, Proposal, check_source};

/// Who proposes from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outsider {
    /// An entry of the group's `external_senders`.
    External(u32),
    /// The client of the key package that is proposed to be added.
    NewMember,
}

/// A proposal for a group in an epoch, as an encoded public message, signed with `key`. An added
/// package must be one whose lifetime holds `now`, in seconds since the Unix epoch; what else
/// makes a proposal valid only a member can see.
pub fn propose_from_outside(
    crypto: &Crypto<'_>,
    outsider: Outsider,
    group_id: &[u8],
    epoch: u64,
    proposal: Proposal,
    key: &SignaturePrivateKey,
    now: u64,
) -> Result<Vec<u8>, SessionError> {
    if let Proposal::Add(package) = &proposal {
        check_source(&package.leaf_node, ExpectedSource::KeyPackage(Some(now)))
            .map_err(ApplyError::from)?;
    }
    let content = FramedContent {
        group_id: group_id.to_vec().into(),
        epoch,
        sender: match outsider {
            Outsider::External(index) => Sender::External(index),
            Outsider::NewMember => Sender::NewMemberProposal,
        },
        authenticated_data: vec![].into(),
        content: Content::Proposal(proposal),
    };
    // Neither of them signs the group context.
    let format = WireFormat::PUBLIC_MESSAGE;
    let signed = AuthenticatedContent::sign(crypto, key, format, content, &[])?;
    let message = PublicMessage::protect(crypto, signed, None, &[])?;
    Ok(encode(&MlsMessage::Public(message))?)
}
