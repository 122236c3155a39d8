//! One test for each rule of `treesync/quarantine.rs`: break it, everything else in order and signed
//! again, and expect its error, from the sender and from a receiver.

use arboretum_engine::codec::{decode, encode};
use arboretum_engine::crypto::{Crypto, CryptoError, RealProvider};
use arboretum_engine::group::{
    ApplyError, CommitError, CommitRequest, FollowError, Founding, Holdings, Member, NewGhost,
    ProposalStore, Protection, StoredProposal,
};
use arboretum_engine::strategy::{Compaction, Strategy};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::{
    Content, FramedContentTbs, MlsMessage, PublicMessage, WireFormat, membership_tag,
};
use arboretum_engine::treesync::{
    Credential, ExpectedSource, GhostSource, LeafNodeSource, LeafRules, OwnerSource, Proposal,
    ProposalError, ProposalOrRef, Quarantine, QuarantineError, Roster, TreeError, agreement,
    check_source, validate_tree,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::common::client::Client;

const REAL: RealProvider = RealProvider::new();

const MAKER: LeafIndex = LeafIndex(0);
const GHOST: LeafIndex = LeafIndex(5);
const HOLDERS: [LeafIndex; 3] = [LeafIndex(1), LeafIndex(2), LeafIndex(6)];

fn crypto() -> Crypto<'static> {
    Crypto::new(&REAL)
}

/// A group of eight that has agreed to ghosts, or not: its first member makes all commits, and
/// the others are what it has in common with them.
struct Group {
    member: Member,
    roster: Roster,
    others: Vec<(Member, Roster)>,
    rng: ChaCha20Rng,
}

impl Group {
    fn new() -> Self {
        Self::under(Strategy::default(), true)
    }

    fn under(strategy: Strategy, agreed: bool) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut extensions: Vec<_> = strategy.extension().unwrap().into_iter().collect();
        if agreed {
            extensions.push(agreement().unwrap());
        }
        let clients: Vec<Client> =
            (0..8).map(|name| Client::of_quarantine(&crypto(), name, strategy, &mut rng)).collect();
        let Client { signer, package, secrets } = clients[0].clone();
        let founding = Founding { group_id: vec![7; 32], extensions };
        let member =
            Member::create_with(&crypto(), signer, &package, &secrets, founding, &mut rng).unwrap();
        let roster = Roster::of(&member.public.tree).unwrap();
        let mut group = Self { member, roster, others: vec![], rng };
        let adds = clients[1..].iter().map(|client| Proposal::Add(client.package.clone()));
        let pending = group.commit(adds.collect()).unwrap();
        let welcome = pending.welcome.as_ref().unwrap();
        for client in &clients[1..] {
            let Client { signer, package, secrets } = client.clone();
            let tree = Some(pending.after.public.tree.clone());
            let joined = Member::join(&crypto(), welcome, tree, signer, &package, &secrets);
            group.others.push(joined.unwrap());
        }
        group.roster.advance(&pending.roster_changes);
        group.member = pending.after;
        group
    }

    fn commit(
        &mut self,
        proposals: Vec<Proposal>,
    ) -> Result<arboretum_engine::group::PendingCommit, CommitError> {
        let request = CommitRequest { proposals, path: true, now: 1, ..CommitRequest::default() };
        self.member.commit(&crypto(), &self.roster, request, &mut self.rng)
    }

    fn made(&mut self, ghost: LeafIndex, holders: &[LeafIndex]) -> NewGhost {
        self.member.quarantine(&crypto(), ghost, holders, &mut self.rng).unwrap()
    }

    /// A ghost, and everybody who can goes on; gives what it was before.
    fn with_ghost() -> (Self, NewGhost) {
        let mut group = Self::new();
        let made = group.made(GHOST, &HOLDERS);
        group.take(vec![proposal(&made)]);
        (group, made)
    }

    /// The commit is made, and followed by all but those whom it shuts out.
    fn take(&mut self, proposals: Vec<Proposal>) {
        let pending = self.commit(proposals).unwrap();
        for (member, roster) in &mut self.others {
            if member.epoch() + 1 != pending.after.epoch() {
                continue;
            }
            let public = &member.public;
            let transition = public.apply(&crypto(), roster, &pending.message).unwrap();
            if member.follow(&crypto(), &transition).is_ok() {
                roster.advance(&transition.roster_changes);
            }
        }
        self.roster.advance(&pending.roster_changes);
        self.member = pending.after;
    }

    fn sign(&self, it: &mut Quarantine) {
        let group_id = self.member.public.context.group_id.as_slice();
        it.leaf_node.sign(&crypto(), &self.member.signer.private, group_id, it.ghost).unwrap();
    }

    /// What sender and receiver say of a list of proposals.
    fn refused(&mut self, proposals: Vec<Proposal>) -> ProposalError {
        let refused = match self.commit(proposals.clone()).map(|_| ()).unwrap_err() {
            CommitError::Apply(ApplyError::Proposals(error)) => error,
            other => panic!("{other} is not about the proposals"),
        };
        let honest = self.commit(vec![]).unwrap().message;
        let message = self.forge(&honest, proposals);
        let (member, roster) = &self.others[0];
        let told = member.public.apply(&crypto(), roster, &message).map(|_| ()).unwrap_err();
        assert_eq!(told, ApplyError::Proposals(refused.clone()));
        refused
    }

    /// The same commit with other proposals, signed and tagged again.
    fn forge(&self, message: &[u8], proposals: Vec<Proposal>) -> Vec<u8> {
        let MlsMessage::Public(mut message) = decode("a message", message).unwrap() else {
            panic!("not a public message");
        };
        let Content::Commit(commit) = &mut message.content.content else { panic!("no commit") };
        commit.proposals = proposals.into_iter().map(ProposalOrRef::Proposal).collect();
        self.sign_message(&mut message);
        encode(&MlsMessage::Public(message)).unwrap()
    }

    fn sign_message(&self, message: &mut PublicMessage) {
        let context = self.member.public.context.encoded();
        let content = encode(&message.content).unwrap();
        let sender = message.content.sender;
        let tbs = || FramedContentTbs::new(WireFormat::PUBLIC_MESSAGE, sender, &content, &context);
        let key = &self.member.signer.private;
        let signature = crypto().sign_with_label(key, "FramedContentTBS", tbs().as_slice());
        message.signature = signature.unwrap();
        let (key, signature) = (&self.member.secrets.membership_key, &message.signature);
        let confirmation = message.confirmation_tag.as_ref();
        let tag = membership_tag(&crypto(), key, &tbs(), signature, confirmation);
        message.membership_tag = Some(tag.unwrap());
    }

    /// What is said of a Quarantine that has been changed and signed again.
    fn changed(change: impl FnOnce(&mut Quarantine, &mut Self)) -> ProposalError {
        let mut group = Self::new();
        let mut it = group.made(GHOST, &HOLDERS).proposal;
        change(&mut it, &mut group);
        group.sign(&mut it);
        group.refused(vec![Proposal::Quarantine(Box::new(it))])
    }
}

fn proposal(made: &NewGhost) -> Proposal {
    Proposal::Quarantine(Box::new(made.proposal.clone()))
}

fn source(it: &mut Quarantine) -> &mut GhostSource {
    match &mut it.leaf_node.leaf_node_source {
        LeafNodeSource::Ghost(source) => source,
        other => panic!("{other:?}"),
    }
}

fn broken(error: QuarantineError) -> ProposalError {
    ProposalError::Quarantine(error)
}

fn in_tree(error: QuarantineError) -> ProposalError {
    ProposalError::Tree(TreeError::Quarantine(error))
}

#[test]
fn a_group_that_has_not_agreed() {
    let mut group = Group::under(Strategy::default(), false);
    let made = group.made(GHOST, &HOLDERS);
    assert_eq!(group.refused(vec![proposal(&made)]), in_tree(QuarantineError::NotRequired));
}

#[test]
fn trees_without_ghosts() {
    let scoot_over = Strategy { compaction: Compaction::ScootOver, ..Strategy::default() };
    let tainted = Strategy::parse("tainted-2021").unwrap();
    for (strategy, name) in [(scoot_over, "compaction=scoot-over"), (tainted, "removal=taint")] {
        let mut group = Group::under(strategy, true);
        let made = group.made(GHOST, &HOLDERS);
        let told = group.commit(vec![proposal(&made)]).map(|_| ()).unwrap_err();
        let told = told.to_string();
        assert!(told.contains(&format!("there are no ghosts under {name}")), "{told}");
    }
}

#[test]
fn the_committer_or_nobody_there() {
    let mut group = Group::new();
    let made = group.made(MAKER, &HOLDERS);
    assert_eq!(group.refused(vec![proposal(&made)]), broken(QuarantineError::Oneself));
    let mut made = group.made(GHOST, &HOLDERS);
    made.proposal.ghost = LeafIndex(9);
    let nobody = group.refused(vec![proposal(&made)]);
    assert_eq!(nobody, ProposalError::NoSuchMember(LeafIndex(9)));
}

#[test]
fn twice_or_removed_as_well() {
    let mut group = Group::new();
    let made = group.made(GHOST, &HOLDERS);
    let twice = ProposalError::SameLeafTwice(GHOST);
    assert_eq!(group.refused(vec![proposal(&made), proposal(&made)]), twice);
    assert_eq!(group.refused(vec![proposal(&made), Proposal::Remove(GHOST)]), twice);
}

#[test]
fn proposed_by_another() {
    let mut group = Group::new();
    let (other, _) = group.others[2].clone();
    let made = other.quarantine(&crypto(), GHOST, &HOLDERS[..1], &mut group.rng);
    // A single holder is no sharing.
    assert!(made.is_err());
    let made = other.quarantine(&crypto(), GHOST, &HOLDERS, &mut group.rng).unwrap();
    let mut proposals = ProposalStore::default();
    let reference = crypto().hash(b"a reference");
    let proposal = Proposal::Quarantine(Box::new(made.proposal));
    proposals.insert(StoredProposal { reference, sender: Some(other.leaf), proposal }).unwrap();
    let holdings = Holdings { proposals, ..Holdings::default() };
    assert_eq!(holdings.proposals.choose(MAKER, &holdings.psks).len(), 0, "nobody chooses it");
    let request = CommitRequest { references: vec![reference], now: 1, ..CommitRequest::default() };
    let Group { member, roster, rng, .. } = &mut group;
    let (crypto, plain) = (crypto(), Protection::Public);
    let told = member.commit_with(&crypto, roster, request, &holdings, plain, rng).map(|_| ());
    let expected = ApplyError::Proposals(broken(QuarantineError::NotByCommitter));
    assert_eq!(told, Err(CommitError::Apply(expected)));
}

#[test]
fn another_source() {
    let refused = Group::changed(|it, _| it.leaf_node.leaf_node_source = LeafNodeSource::Update);
    assert_eq!(refused, in_tree(QuarantineError::NotAGhost));
    // Nor is a ghost's leaf of use elsewhere.
    let mut group = Group::new();
    let leaf = group.made(GHOST, &HOLDERS).proposal.leaf_node;
    for expected in
        [ExpectedSource::KeyPackage(None), ExpectedSource::Update, ExpectedSource::Commit]
    {
        assert!(matches!(check_source(&leaf, expected), Err(TreeError::Source { .. })));
    }
}

#[test]
fn something_else_of_the_owners() {
    let other = |what| broken(QuarantineError::NotTheOwners { ghost: GHOST, what });
    let key = Group::changed(|it, group| {
        it.leaf_node.signature_key = group.others[0].0.signer.public.clone();
    });
    assert_eq!(key, other("signature key"));
    let credential =
        Group::changed(|it, _| it.leaf_node.credential = Credential::Basic(vec![1].into()));
    assert_eq!(credential, other("credential"));
    let capabilities = Group::changed(|it, _| it.leaf_node.capabilities.cipher_suites.clear());
    assert_eq!(capabilities, other("list of capabilities"));
    let before = Group::changed(|it, _| source(it).owner_key = vec![9; 32].into());
    assert_eq!(before, other("key before"));
    let came = Group::changed(|it, _| source(it).owner_source = OwnerSource::Update);
    assert_eq!(came, other("source"));
    let signature = Group::changed(|it, _| source(it).owner_signature = vec![9; 64].into());
    assert_eq!(signature, other("signature"));
}

#[test]
fn another_time_or_maker() {
    let refused = Group::changed(|it, _| source(it).since = 7);
    let since = QuarantineError::Since { ghost: GHOST, expected: 1, found: 7 };
    assert_eq!(refused, broken(since));
    let maker = broken(QuarantineError::Maker(GHOST));
    assert_eq!(Group::changed(|it, _| source(it).maker = LeafIndex(1)), maker);
    let credential = Credential::Basic(vec![1].into());
    assert_eq!(Group::changed(|it, _| source(it).maker_credential = credential), maker);
    let key = |it: &mut Quarantine, group: &mut Group| {
        source(it).maker_key = group.others[0].0.signer.public.clone();
    };
    assert_eq!(Group::changed(key), maker);
    // A renewal keeps the time of the first.
    let (mut group, _) = Group::with_ghost();
    let mut it = group.made(GHOST, &HOLDERS).proposal;
    source(&mut it).since = 2;
    group.sign(&mut it);
    let since = QuarantineError::Since { ghost: GHOST, expected: 1, found: 2 };
    assert_eq!(group.refused(vec![Proposal::Quarantine(Box::new(it))]), broken(since));
}

#[test]
fn holders_that_do_not_hold() {
    let few = Group::changed(|it, _| _ = source(it).holders.pop());
    assert_eq!(few, in_tree(QuarantineError::Holders(2)));
    // A ghost would have to try every combination of many.
    let many = Group::changed(|it, _| source(it).holders.push(LeafIndex(7)));
    assert_eq!(many, in_tree(QuarantineError::Holders(4)));
    for threshold in [0, 1, 3, 255] {
        let refused = Group::changed(|it, _| source(it).threshold = threshold);
        assert_eq!(refused, in_tree(QuarantineError::Threshold(threshold)));
    }
    for holders in [[1, 1, 2], [2, 1, 6]] {
        let holders = holders.map(LeafIndex).to_vec();
        let refused = Group::changed(|it, _| source(it).holders = holders);
        assert_eq!(refused, in_tree(QuarantineError::Order));
    }
    let shares = Group::changed(|it, _| _ = it.shares.pop());
    assert_eq!(shares, broken(QuarantineError::Shares { expected: 3, found: 2 }));
    let holds = |holder: u32, what| {
        let mut group = Group::new();
        let mut holders = [1, 2, holder].map(LeafIndex);
        holders.sort_unstable();
        let made = if group.member.public.tree.leaf(LeafIndex(holder)).is_some() {
            group.made(GHOST, &holders)
        } else {
            let mut made = group.made(GHOST, &HOLDERS);
            source(&mut made.proposal).holders = holders.to_vec();
            group.sign(&mut made.proposal);
            made
        };
        let expected = QuarantineError::Holder { holder: LeafIndex(holder), what };
        assert_eq!(group.refused(vec![proposal(&made)]), broken(expected));
    };
    holds(0, "the committer");
    holds(5, "a ghost");
    holds(9, "no member");
    // Who is removed by the same commit holds nothing either.
    let mut group = Group::new();
    let made = group.made(GHOST, &HOLDERS);
    let gone = group.refused(vec![proposal(&made), Proposal::Remove(HOLDERS[0])]);
    let expected = QuarantineError::Holder { holder: HOLDERS[0], what: "no member" };
    assert_eq!(gone, broken(expected));
}

#[test]
fn a_key_that_is_none_or_not_new() {
    let none = Group::changed(|it, _| it.leaf_node.encryption_key = vec![0; 32].into());
    assert_eq!(none, ProposalError::Tree(TreeError::NotAKey));
    let same = Group::changed(|it, group| {
        let tree = &group.member.public.tree;
        it.leaf_node.encryption_key = tree.leaf(GHOST).unwrap().encryption_key.clone();
    });
    assert_eq!(same, ProposalError::SameLeafKey(GHOST));
    let anothers = Group::changed(|it, group| {
        let tree = &group.member.public.tree;
        it.leaf_node.encryption_key = tree.leaf(LeafIndex(3)).unwrap().encryption_key.clone();
    });
    assert_eq!(anothers, ProposalError::Tree(TreeError::DuplicateEncryptionKey));
}

#[test]
fn a_leaf_that_its_maker_has_not_signed() {
    let mut group = Group::new();
    let mut made = group.made(GHOST, &HOLDERS);
    let other = group.others[1].0.signer.private.clone();
    let group_id = group.member.public.context.group_id.as_slice();
    made.proposal.leaf_node.sign(&crypto(), &other, group_id, GHOST).unwrap();
    let refused = group.refused(vec![proposal(&made)]);
    assert_eq!(refused, ProposalError::Crypto(CryptoError::BadSignature));
}

/// Who goes takes no key along: makers and holders, whether they are removed or become ghosts.
#[test]
fn a_keeper_that_goes() {
    for keeper in HOLDERS {
        let (mut group, _) = Group::with_ghost();
        let goes = broken(QuarantineError::KeeperGoes(keeper));
        assert_eq!(group.refused(vec![Proposal::Remove(keeper)]), goes);
        let others: Vec<_> = [1, 2, 3, 6, 7].map(LeafIndex).to_vec();
        let others: Vec<_> = others.into_iter().filter(|it| *it != keeper).take(3).collect();
        let ghost = group.made(keeper, &others);
        assert_eq!(group.refused(vec![proposal(&ghost)]), goes);
        // With the ghost renewed, or gone as well, it may.
        let renewed = group.made(GHOST, &others);
        group.commit(vec![Proposal::Remove(keeper), proposal(&renewed)]).unwrap();
        group.commit(vec![Proposal::Remove(keeper), Proposal::Remove(GHOST)]).unwrap();
        group.commit(vec![proposal(&ghost), proposal(&renewed)]).unwrap();
    }
    // The maker cannot remove itself; another does.
    let (mut group, _) = Group::with_ghost();
    let (other, roster) = group.others[2].clone();
    let request = CommitRequest {
        proposals: vec![Proposal::Remove(MAKER)],
        path: true,
        now: 1,
        ..CommitRequest::default()
    };
    let told = other.commit(&crypto(), &roster, request, &mut group.rng).map(|_| ());
    let goes = ApplyError::Proposals(broken(QuarantineError::KeeperGoes(MAKER)));
    assert_eq!(told, Err(CommitError::Apply(goes)));
}

/// The ghost itself follows a commit with its key, and not without.
#[test]
fn a_ghost_without_its_key() {
    let mut group = Group::new();
    let made = group.made(GHOST, &HOLDERS);
    let pending = group.commit(vec![proposal(&made)]).unwrap();
    let (mut ghost, roster) = group.others[GHOST.0 as usize - 1].clone();
    assert_eq!(ghost.leaf, GHOST);
    let transition = ghost.public.apply(&crypto(), &roster, &pending.message).unwrap();
    assert_eq!(ghost.follow(&crypto(), &transition), Err(FollowError::Ghost));
    assert_eq!(ghost.epoch() + 1, pending.after.epoch(), "nothing has changed");
    let own = arboretum_engine::group::OwnUpdate {
        leaf: made.key,
        parents: vec![],
        signer: ghost.signer.clone(),
    };
    let holdings = Holdings { updates: vec![own], ..Holdings::default() };
    ghost.follow_with(&crypto(), &transition, &holdings).unwrap();
    let expected = &pending.after.secrets.epoch_authenticator;
    assert_eq!(ghost.secrets.epoch_authenticator, *expected);
}

/// What a joiner sees of a ghost's leaf it checks: both signatures, and that the group has agreed.
#[test]
fn a_ghost_in_a_tree_from_outside() {
    let (group, _) = Group::with_ghost();
    let public = &group.member.public;
    let group_id = public.context.group_id.as_slice();
    let rules = public.context.leaf_rules().unwrap();
    let verdict = |change: &dyn Fn(&mut GhostSource), rules: &LeafRules| {
        let mut tree = public.tree.clone();
        let mut leaf = tree.leaf(GHOST).unwrap().as_ref().clone();
        if let LeafNodeSource::Ghost(source) = &mut leaf.leaf_node_source {
            change(source);
        }
        leaf.sign(&crypto(), &group.member.signer.private, group_id, GHOST).unwrap();
        // With every parent blank no parent hash speaks for the leaf.
        for at in (0..8).map(LeafIndex) {
            let stays = tree.leaf(at).unwrap().clone();
            tree.replace(at, if at == GHOST { leaf.clone().into() } else { stays }).unwrap();
        }
        validate_tree(&crypto(), &tree, group_id, rules).map(|_| ())
    };
    assert_eq!(verdict(&|_| (), &rules), Ok(()));
    let refused = verdict(&|source| source.owner_signature = vec![7; 64].into(), &rules);
    assert_eq!(refused, Err(TreeError::Crypto(CryptoError::BadSignature)));
    let refused = verdict(&|source| source.owner_key = vec![7; 32].into(), &rules);
    assert_eq!(refused, Err(TreeError::Crypto(CryptoError::BadSignature)));
    let other = group.others[0].0.signer.public.clone();
    let refused = verdict(&|source| source.maker_key = other.clone(), &rules);
    assert_eq!(refused, Err(TreeError::Crypto(CryptoError::BadSignature)));
    let refused = verdict(&|source| source.holders.truncate(2), &rules);
    assert_eq!(refused, Err(TreeError::Quarantine(QuarantineError::Holders(2))));
    let not_agreed = LeafRules { required: Default::default(), ..rules.clone() };
    let refused = verdict(&|_| (), &not_agreed);
    assert_eq!(refused, Err(TreeError::Quarantine(QuarantineError::NotRequired)));
}

/// A ghost's leaf and its proposal survive their encodings.
#[test]
fn encodings() {
    let (mut group, made) = Group::with_ghost();
    let encoded = encode(&proposal(&made)).unwrap();
    assert_eq!(encoded[..2], [0xf7, 0xe6]);
    assert_eq!(decode::<Proposal>("a proposal", &encoded).unwrap(), proposal(&made));
    let renewed = group.made(GHOST, &HOLDERS).proposal;
    assert_eq!(renewed.leaf_node.as_owned(), made.proposal.leaf_node.as_owned());
    let owned = renewed.leaf_node.as_owned();
    assert_eq!((owned.ghost(), owned.as_owned()), (None, owned.clone()));
    for length in 0..encoded.len() {
        assert!(decode::<Proposal>("a proposal", &encoded[..length]).is_err());
    }
}
