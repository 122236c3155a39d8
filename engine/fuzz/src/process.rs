//! Messages to a member. A few of them come one after the other: messages that were changed on
//! the way, and messages that an insider made, who signs and encrypts whatever it likes. On an
//! error nothing has changed, and whatever came, the next honest message is accepted, as long
//! as the member is still in the epoch that it was sent in.

use arboretum_engine::group::{Received, Session};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::{AuthenticatedContent, Commit, Content, FramedContent, Sender};
use arboretum_engine::treekem::UpdatePath;
use arboretum_engine::treesync::{LeafNodeSource, Proposal, ProposalOrRef};

use crate::Target;
use crate::choices::{Choices, change_encoding, mutate};
use crate::forge::Forger;
use crate::limits::within;
use crate::stage::{INSIDER, MEMBERS, Stage, crypto};

/// The most messages of one input.
const MOST_MESSAGES: usize = 4;

/// How often one proposal is put into a commit at most.
const MOST_COPIES: usize = 1 << 5;

pub(crate) fn targets() -> Vec<Target> {
    vec![Target { name: "process", run: process, seeds: Vec::new, one_in: 1 }]
}

fn process(input: &[u8]) {
    let (stage, crypto) = (Stage::get(), crypto());
    let mut choices = Choices::new(input);
    let mut victim = if choices.one_in(8) { stage.waiting.clone() } else { stage.victim.clone() };
    let mut before = victim.digest(&crypto).expect("a state has a digest");
    for _ in 0..=choices.below(MOST_MESSAGES) {
        let message = message(stage, &victim, &mut choices);
        let received = within(message.len(), || victim.receive(&crypto, &message));
        let after = victim.digest(&crypto).expect("a state has a digest");
        match received {
            Err(error) => assert_eq!(after, before, "changed by a message refused: {error}"),
            Ok(Received::Application { .. } | Received::Proposal { .. }) => before = after,
            Ok(Received::Commit { .. } | Received::Removed { .. }) => return,
        }
    }
    let next = choices.pick(&stage.honest);
    let received = within(next.len(), || victim.receive(&crypto, next));
    assert!(received.is_ok(), "an honest message is refused: {received:?}");
}

/// A message, changed on the way or made by an insider.
fn message(stage: &Stage, victim: &Session, choices: &mut Choices<'_>) -> Vec<u8> {
    let mut message = match choices.byte() % 8 {
        0 => choices.pick(&stage.messages).clone(),
        1 => changed(stage, choices),
        _ => made(stage, victim, choices).unwrap_or_else(|| changed(stage, choices)),
    };
    if choices.one_in(32) {
        mutate(&mut message, &[], choices);
    }
    message
}

fn changed(stage: &Stage, choices: &mut Choices<'_>) -> Vec<u8> {
    let mut message = choices.pick(&stage.messages).clone();
    let other = choices.pick(&stage.messages);
    for _ in 0..=choices.below(3) {
        mutate(&mut message, other, choices);
    }
    message
}

/// A message of an insider, who changes content of its own and protects it again.
fn made(stage: &Stage, victim: &Session, choices: &mut Choices<'_>) -> Option<Vec<u8>> {
    let crypto = crypto();
    let forger = Forger { session: stage.insider(), crypto: &crypto };
    let AuthenticatedContent { mut content, confirmation_tag, .. } =
        choices.pick(&stage.signed).clone();
    if choices.one_in(4) {
        content.content = Content::Application(choices.bytes(100).to_vec().into());
    }
    for _ in 0..choices.below(4) {
        change(&mut content, stage, victim, &forger, choices);
    }
    if choices.one_in(3) {
        forger.private(content, confirmation_tag, choices)
    } else {
        forger.public(content, confirmation_tag, choices)
    }
}

/// One change of content.
fn change(
    content: &mut FramedContent,
    stage: &Stage,
    victim: &Session,
    forger: &Forger<'_>,
    choices: &mut Choices<'_>,
) {
    match choices.byte() % 16 {
        0 => content.epoch = choices.number(),
        1 => {
            content.epoch =
                content.epoch.wrapping_add(u64::from(choices.byte() % 5)).wrapping_sub(2);
        }
        2 => content.sender = sender(choices),
        3 => content.group_id = choices.bytes(20).to_vec().into(),
        4 => content.authenticated_data = choices.bytes(40).to_vec().into(),
        5 => change_encoding(content, choices),
        6 => content.content = Content::Proposal(proposal(stage, forger, choices)),
        _ => match &mut content.content {
            Content::Commit(commit) => change_commit(commit, stage, victim, forger, choices),
            Content::Proposal(it) => *it = proposal(stage, forger, choices),
            Content::Application(data) => *data = choices.bytes(100).to_vec().into(),
        },
    }
}

fn sender(choices: &mut Choices<'_>) -> Sender {
    match choices.byte() % 6 {
        0 => Sender::External(choices.number() as u32),
        1 => Sender::NewMemberProposal,
        2 => Sender::NewMemberCommit,
        3 => Sender::Member(LeafIndex(choices.number() as u32)),
        _ => Sender::Member(LeafIndex(choices.below(MEMBERS as usize) as u32)),
    }
}

/// A proposal of any kind, which may be changed and signed again.
fn proposal(stage: &Stage, forger: &Forger<'_>, choices: &mut Choices<'_>) -> Proposal {
    let mut proposal = choices.pick(&stage.proposals).clone();
    if choices.one_in(2) {
        change_encoding(&mut proposal, choices);
    }
    match &mut proposal {
        Proposal::Add(package) if choices.one_in(2) => forger.sign_package(package),
        Proposal::Update(leaf) if choices.one_in(2) => forger.sign_leaf(leaf, LeafIndex(INSIDER)),
        Proposal::Path(path) if choices.one_in(2) => {
            forger.sign_leaf(&mut path.0.leaf_node, LeafIndex(INSIDER));
        }
        Proposal::Remove(leaf) if choices.one_in(2) => leaf.0 = choices.number() as u32,
        _ => {}
    }
    proposal
}

fn change_commit(
    commit: &mut Commit,
    stage: &Stage,
    victim: &Session,
    forger: &Forger<'_>,
    choices: &mut Choices<'_>,
) {
    let list = &mut commit.proposals;
    let at = choices.below(list.len() + 1);
    match choices.byte() % 8 {
        0 => list.insert(at, ProposalOrRef::Proposal(proposal(stage, forger, choices))),
        1 => {
            // One that the victim holds, so that others' proposals are committed.
            let stored = victim.holdings().proposals.iter().map(|stored| stored.reference);
            let any = [choices.byte(); 32].into();
            list.insert(at, ProposalOrRef::Reference(stored.last().unwrap_or(any)));
        }
        2 if at < list.len() => drop(list.remove(at)),
        3 if at < list.len() => {
            let copies = vec![list[at].clone(); choices.below(MOST_COPIES)];
            list.splice(at..at, copies);
        }
        4 => commit.path = None,
        5 => list.clear(),
        _ => {
            if let Some(path) = &mut commit.path {
                change_path(path, stage, forger, choices);
            }
        }
    }
}

fn change_path(
    path: &mut UpdatePath,
    stage: &Stage,
    forger: &Forger<'_>,
    choices: &mut Choices<'_>,
) {
    let at = choices.below(path.nodes.len().max(1));
    match choices.byte() % 8 {
        0 => drop(path.nodes.pop()),
        1 => path.nodes.extend(path.nodes.get(at).cloned()),
        2 => path.nodes.reverse(),
        3 => change_encoding(path, choices),
        4 => {
            if let Some(node) = path.nodes.get_mut(at) {
                change_encoding(node, choices);
            }
        }
        5 => {
            if let Some(node) = path.nodes.get_mut(at)
                && let Some(first) = node.encrypted_path_secret.get(0)
            {
                node.encrypted_path_secret.push(&first).expect("it was in a message");
            }
        }
        6 => {
            let member = choices.below(MEMBERS as usize);
            let source = path.leaf_node.leaf_node_source.clone();
            let other = stage.victim.public().tree.leaf(LeafIndex(member as u32));
            if let Some(other) = other {
                path.leaf_node = other.as_ref().clone();
                path.leaf_node.leaf_node_source = source;
            }
        }
        _ => {
            let hash = [choices.byte(); 32].into();
            path.leaf_node.leaf_node_source = LeafNodeSource::Commit(hash);
        }
    }
    if choices.one_in(2) {
        forger.sign_leaf(&mut path.leaf_node, LeafIndex(INSIDER));
    }
}
