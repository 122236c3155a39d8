//! What makes a list of proposals valid (RFC 9420 §12.2), as far as the list shows it by itself.
//! What depends on the tree is found out by applying it, [`super::apply`].

use std::collections::BTreeSet;

use super::apply::ProposalError;
use super::leaf_node::ProtocolVersion;
use super::paths::MAX_PATHS;
use super::proposal::{PreSharedKeyId, Proposal, PskType, ResumptionPskUsage};
use super::quarantine::QuarantineError;
use super::validate::check_distinct;
use crate::tree::LeafIndex;

/// A proposal as a commit lists it.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// The proposal.
    pub proposal: &'a Proposal,
    /// The member who sent it; nobody if it came from outside the group.
    pub sender: Option<LeafIndex>,
}

/// What a commit is part of, which decides over the usages of resumption keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// The life of a group.
    #[default]
    Ordinary,
    /// The first commit of a group that replaces another (RFC 9420 §11.2).
    Reinit,
    /// The first commit of a subgroup (RFC 9420 §11.3).
    Branch,
}

/// What a list is measured by.
#[derive(Clone, Copy, Debug)]
pub struct ListRules {
    /// The committing member; none for an external commit.
    pub committer: Option<LeafIndex>,
    /// What the commit is part of.
    pub purpose: Purpose,
    /// `KDF.Nh`.
    pub nonce_length: usize,
    /// The group's version.
    pub version: ProtocolVersion,
}

/// Checks a list.
pub fn check_list(list: &[Listed<'_>], rules: &ListRules) -> Result<(), ProposalError> {
    match rules.committer {
        Some(committer) => check_regular(list, committer)?,
        None => check_external(list)?,
    }
    check_psks(list, rules)?;
    for listed in list {
        if let Proposal::ReInit(reinit) = listed.proposal {
            if reinit.version < rules.version {
                return Err(ProposalError::ReInitVersion);
            }
            check_distinct(&reinit.extensions)?;
        }
    }
    Ok(())
}

fn count(list: &[Listed<'_>], wanted: impl Fn(&Proposal) -> bool) -> usize {
    list.iter().filter(|listed| wanted(listed.proposal)).count()
}

/// The rules for a commit by a member.
fn check_regular(list: &[Listed<'_>], committer: LeafIndex) -> Result<(), ProposalError> {
    if list.len() > 1 && count(list, |p| matches!(p, Proposal::ReInit(_))) > 0 {
        return Err(ProposalError::ReInitWithOthers);
    }
    if count(list, |p| matches!(p, Proposal::ExternalInit(_))) > 0 {
        return Err(ProposalError::ExternalInit);
    }
    if count(list, |p| matches!(p, Proposal::GroupContextExtensions(_))) > 1 {
        return Err(ProposalError::ManyExtensions);
    }
    if count(list, |p| matches!(p, Proposal::Path(_))) > MAX_PATHS {
        return Err(ProposalError::ManyPaths);
    }
    let mut touched = BTreeSet::new();
    for listed in list {
        let leaf = match listed.proposal {
            Proposal::Remove(leaf) if *leaf == committer => {
                return Err(ProposalError::RemovesCommitter);
            }
            Proposal::Remove(leaf) => *leaf,
            Proposal::Update(_) => {
                let sender = listed.sender.ok_or(ProposalError::UpdateFromOutside)?;
                if sender == committer {
                    return Err(ProposalError::UpdatesCommitter);
                }
                sender
            }
            Proposal::Path(_) => {
                let sender = listed.sender.ok_or(ProposalError::PathFromOutside)?;
                if sender == committer {
                    return Err(ProposalError::PathOfCommitter);
                }
                sender
            }
            Proposal::Quarantine(_) if listed.sender != Some(committer) => {
                return Err(QuarantineError::NotByCommitter.into());
            }
            Proposal::Quarantine(quarantine) if quarantine.ghost == committer => {
                return Err(QuarantineError::Oneself.into());
            }
            Proposal::Quarantine(quarantine) => quarantine.ghost,
            _ => continue,
        };
        if !touched.insert(leaf) {
            return Err(ProposalError::SameLeafTwice(leaf));
        }
    }
    Ok(())
}

/// The rules for a commit by somebody who joins.
fn check_external(list: &[Listed<'_>]) -> Result<(), ProposalError> {
    let inits = count(list, |p| matches!(p, Proposal::ExternalInit(_)));
    if inits != 1 {
        return Err(ProposalError::ExternalInits(inits));
    }
    if count(list, |p| matches!(p, Proposal::Remove(_))) > 1 {
        return Err(ProposalError::ExternalRemoves);
    }
    let allowed = |proposal: &Proposal| {
        matches!(
            proposal,
            Proposal::ExternalInit(_) | Proposal::Remove(_) | Proposal::PreSharedKey(_)
        )
    };
    match list.iter().find(|listed| !allowed(listed.proposal)) {
        Some(listed) => Err(ProposalError::NotInExternal(listed.proposal.name())),
        None => Ok(()),
    }
}

/// Pre-shared keys: each once, with a nonce, and used for what they are for (RFC 9420 §12.1.4).
fn check_psks(list: &[Listed<'_>], rules: &ListRules) -> Result<(), ProposalError> {
    let mut seen: BTreeSet<&PreSharedKeyId> = BTreeSet::new();
    for listed in list {
        let Proposal::PreSharedKey(id) = listed.proposal else { continue };
        if id.psk_nonce.as_slice().len() != rules.nonce_length {
            return Err(ProposalError::PskNonce);
        }
        if let PskType::Resumption(usage, ..) = id.psk_type {
            let wanted = match usage {
                ResumptionPskUsage::Application => None,
                ResumptionPskUsage::Reinit => Some(Purpose::Reinit),
                ResumptionPskUsage::Branch => Some(Purpose::Branch),
            };
            if wanted.is_some_and(|wanted| wanted != rules.purpose) {
                return Err(ProposalError::PskUsage);
            }
        }
        if !seen.insert(id) {
            return Err(ProposalError::SamePskTwice);
        }
    }
    Ok(())
}
