//! Rounds: some members propose, one commits, and everybody follows from the wire.

use std::collections::BTreeMap;

use arboretum_engine::crypto::{CountingProvider, Crypto, HpkePublicKey, Provider, RealProvider};
use arboretum_engine::group::{
    CommitError, CommitRequest, Followed, Holdings, Member, PendingCommit, ProposedUpdate,
    Protection, Transition,
};
use arboretum_engine::strategy::Strategy;
use arboretum_engine::tree::{LeafIndex, Subtree};
use arboretum_engine::treesync::{
    Proposal, RatchetData, RatchetTree, decode_tree_of, encode_tree, tree_hash, validate_tree,
};

use crate::common::client::Client;
use crate::common::{Group, Plan};

pub(crate) const REAL: RealProvider = RealProvider::new();
pub(crate) const COUNTING: CountingProvider = CountingProvider::new();

pub(crate) fn concurrent() -> Strategy {
    Strategy::parse("concurrent-2025").unwrap()
}

/// So many members, of whom the first has added all others, and each has committed once.
pub(crate) fn warm(strategy: Strategy, members: u32) -> Group<'static> {
    let mut group = Group::under(&REAL, 1, strategy);
    group.commit(Plan { adds: members as usize - 1, ..Plan::default() });
    for by in 0..members {
        group.commit(Plan { by: LeafIndex(by), ..Plan::default() });
    }
    group
}

/// What happens in an epoch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Epoch {
    pub(crate) by: u32,
    pub(crate) paths: Vec<u32>,
    pub(crate) updates: Vec<u32>,
    pub(crate) removes: Vec<u32>,
    pub(crate) adds: usize,
}

/// What has been proposed in an epoch, and the commit that covers it.
pub(crate) struct Done {
    /// Everybody as it was before.
    pub(crate) before: BTreeMap<LeafIndex, Member>,
    pub(crate) proposed: Vec<(LeafIndex, ProposedUpdate)>,
    pub(crate) pending: PendingCommit,
    pub(crate) transition: Transition,
}

pub(crate) fn tree_of<'g>(group: &'g Group<'_>) -> &'g RatchetTree {
    let (_, live) = group.live.first_key_value().expect("somebody is left");
    &live.member.public.tree
}

/// What a member holds that has received these proposals and may have sent one.
pub(crate) fn holdings(
    crypto: &Crypto<'_>,
    member: &Member,
    proposed: &[(LeafIndex, ProposedUpdate)],
) -> Holdings {
    let mut holdings = Holdings::default();
    for (sender, proposal) in proposed {
        let (stored, proof) = member.public.receive_proposal(crypto, &proposal.message).unwrap();
        proof.verify(crypto, &member.secrets, None).unwrap();
        assert_eq!(stored, proposal.stored);
        holdings.proposals.insert(stored).unwrap();
        if *sender == member.leaf {
            holdings.updates.push(proposal.own.clone());
        }
    }
    holdings
}

/// What these members propose.
pub(crate) fn propose(group: &mut Group<'_>, epoch: &Epoch) -> Vec<(LeafIndex, ProposedUpdate)> {
    let crypto = group.crypto();
    let mut proposed = vec![];
    for (leaves, whole) in [(&epoch.paths, true), (&epoch.updates, false)] {
        for leaf in leaves.iter().copied().map(LeafIndex) {
            let (member, rng) = (&group.live[&leaf].member, &mut group.rng);
            let made = match whole {
                true => member.propose_path(&crypto, rng),
                false => member.propose_update(&crypto, rng),
            };
            proposed.push((leaf, made.unwrap()));
        }
    }
    proposed
}

/// The commit of an epoch, which nobody has followed yet.
pub(crate) fn commit(
    group: &mut Group<'_>,
    epoch: &Epoch,
    proposed: &[(LeafIndex, ProposedUpdate)],
    clients: &[Client],
) -> Result<PendingCommit, CommitError> {
    let crypto = group.crypto();
    let removes = epoch.removes.iter().map(|leaf| Proposal::Remove(LeafIndex(*leaf)));
    let adds = clients.iter().map(|client| Proposal::Add(client.package.clone()));
    let request = CommitRequest {
        proposals: removes.chain(adds).collect(),
        references: proposed.iter().map(|(_, proposal)| proposal.stored.reference).collect(),
        path: true,
        now: 1,
        ..CommitRequest::default()
    };
    let live = &group.live[&LeafIndex(epoch.by)];
    let holdings = holdings(&crypto, &live.member, proposed);
    let (roster, plain) = (&live.roster, Protection::Public);
    live.member.commit_with(&crypto, roster, request, &holdings, plain, &mut group.rng)
}

/// Proposes and commits, and lets everybody follow or join.
pub(crate) fn round(group: &mut Group<'_>, epoch: &Epoch) -> Done {
    let (done, clients) = make(group, epoch);
    follow(group, epoch, &done, clients);
    done
}

/// Proposes and commits; nobody has followed yet.
pub(crate) fn make(group: &mut Group<'_>, epoch: &Epoch) -> (Done, Vec<Client>) {
    let members = group.live.iter().map(|(leaf, live)| (*leaf, live.member.clone()));
    let before = members.collect();
    let proposed = propose(group, epoch);
    let clients: Vec<Client> = (0..epoch.adds).map(|_| group.client()).collect();
    let pending = commit(group, epoch, &proposed, &clients).unwrap();
    let by = &group.live[&LeafIndex(epoch.by)];
    let crypto = group.crypto();
    let received = holdings(&crypto, &by.member, &proposed).proposals;
    let (public, message) = (&by.member.public, &pending.message);
    let transition = public.apply_with(&crypto, &by.roster, &received, message).unwrap();
    (Done { before, proposed, pending, transition }, clients)
}

/// Lets everybody follow or join.
pub(crate) fn follow(group: &mut Group<'_>, epoch: &Epoch, done: &Done, clients: Vec<Client>) {
    let Done { proposed, pending, .. } = done;
    let crypto = group.crypto();
    for (leaf, live) in &mut group.live {
        if leaf.0 == epoch.by {
            live.member = pending.after.clone();
            live.roster.advance(&pending.roster_changes);
            continue;
        }
        let holdings = holdings(&crypto, &live.member, proposed);
        let (received, roster) = (&holdings.proposals, &live.roster);
        let public = &live.member.public;
        let seen = public.apply_with(&crypto, roster, received, &pending.message).unwrap();
        let followed = live.member.follow_with(&crypto, &seen, &holdings).unwrap();
        let expected =
            if epoch.removes.contains(&leaf.0) { Followed::Removed } else { Followed::Advanced };
        assert_eq!(followed, expected, "{leaf}");
        live.roster.advance(&seen.roster_changes);
    }
    group.live.retain(|leaf, _| !epoch.removes.contains(&leaf.0));
    for (client, leaf) in clients.into_iter().zip(&pending.applied.added) {
        join(group, client, *leaf, pending);
    }
    check(group, done);
}

fn join(group: &mut Group<'_>, client: Client, leaf: LeafIndex, pending: &PendingCommit) {
    let welcome = pending.welcome.as_ref().expect("there are joiners");
    let fetched = encode_tree(&pending.after.public.tree).unwrap();
    let tree = decode_tree_of(group.strategy, &fetched).unwrap();
    let Client { signer, package, secrets } = client;
    let crypto = group.crypto();
    let (member, roster) =
        Member::join(&crypto, welcome, Some(tree), signer, &package, &secrets).unwrap();
    assert_eq!(member.leaf, leaf);
    let live = crate::common::Live { member, roster, held: vec![] };
    assert!(group.live.insert(leaf, live).is_none());
}

/// All are in one state, the tree is valid and comes back from its bytes, and everybody holds the keys
/// above its leaf where it is merged, and no others.
fn check(group: &Group<'_>, done: &Done) {
    let after = &done.pending.after;
    let (tree, context) = (&after.public.tree, &after.public.context);
    let crypto = group.crypto();
    assert!(tree.root().recount());
    let decoded = decode_tree_of(group.strategy, &encode_tree(tree).unwrap()).unwrap();
    assert_eq!(tree_hash(&crypto, &decoded), context.tree_hash);
    let rules = context.leaf_rules().unwrap();
    let roster = validate_tree(&crypto, &decoded, context.group_id.as_slice(), &rules).unwrap();
    for (leaf, live) in &group.live {
        assert_eq!(live.member.secrets, after.secrets, "{leaf}");
        assert_eq!(live.member.public.context, *context, "{leaf}");
        assert_eq!(live.roster, roster, "{leaf}");
        let path = tree.direct_path(*leaf).unwrap();
        let parents = path.iter().filter_map(|step| step.node.parent());
        let merged = parents.filter(|parent| !parent.unmerged_leaves.contains(leaf));
        let keys = merged.map(|parent| &parent.encryption_key);
        let held = live.member.keys.parents().iter().map(|pair| &pair.public);
        assert!(held.eq(keys), "{leaf}");
    }
}

/// Whose key each parent has, level by level from the lowest: the number of the leaf whose path it is
/// from, `=` as before, `.` blank; and in brackets who is unmerged there.
pub(crate) fn owners(done: &Done) -> String {
    let mut drawn: BTreeMap<&HpkePublicKey, LeafIndex> = BTreeMap::new();
    for (leaf, proposal) in &done.proposed {
        let path = proposal.path.iter().flat_map(|path| &path.key_pairs);
        drawn.extend(path.map(|pair| (&pair.public, *leaf)));
    }
    let own = done.pending.path.iter().flat_map(|path| &path.key_pairs);
    drawn.extend(own.map(|pair| (&pair.public, done.transition.committer)));
    let mut levels: Vec<Vec<String>> = vec![];
    collect(done.pending.after.public.tree.root(), &drawn, &mut levels);
    levels.iter().map(|level| level.join(" ")).collect::<Vec<_>>().join(" | ")
}

fn collect(
    at: Subtree<'_, RatchetData>,
    drawn: &BTreeMap<&HpkePublicKey, LeafIndex>,
    levels: &mut Vec<Vec<String>>,
) {
    let height = usize::from(at.aggregates().height);
    if height == 0 {
        return;
    }
    at.children().for_each(|child| collect(child, drawn, levels));
    levels.resize(levels.len().max(height), vec![]);
    let told = at.parent().map(|parent| {
        let owner = drawn.get(&parent.encryption_key);
        let owner = owner.map_or("=".to_owned(), |leaf| leaf.0.to_string());
        let unmerged: Vec<_> = parent.unmerged_leaves.iter().map(|l| l.0.to_string()).collect();
        if unmerged.is_empty() { owner } else { format!("{owner}({})", unmerged.join(",")) }
    });
    levels[height - 1].push(told.unwrap_or_else(|| ".".into()));
}

/// A group of random members under a strategy and a provider.
pub(crate) fn random<'p>(provider: &'p dyn Provider, seed: u64, strategy: Strategy) -> Group<'p> {
    let mut group = Group::under(provider, seed, strategy);
    let adds = 2 + (seed % 15) as usize;
    group.commit(Plan { adds, ..Plan::default() });
    group
}
