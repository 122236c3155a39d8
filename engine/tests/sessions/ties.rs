//! Groups that replace a group (RFC 9420 §11.2) and groups that branch off one (§11.3).

use arboretum_engine::crypto::{CipherSuite, Crypto, provider};
use arboretum_engine::group::{
    CommitPlan, CommitRequest, Committed, Ended, Founding, Holdings, JoinError, Member, Protection,
    Session, SessionError, Settings, SuccessorError,
};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treesync::{
    Extension, KeyPackage, Proposal, ProtocolVersion, PskType, Purpose, ReInit, ResumptionPskUsage,
    Roster,
};

use crate::world::{Client, EXTENSION, World};

const NEW: &[u8] = b"the new group";

fn extensions() -> Vec<Extension> {
    vec![Extension { extension_type: EXTENSION, extension_data: vec![1].into() }]
}

/// A group of three that a ReInit has ended, the new one to be of this suite.
fn ended(cipher_suite: CipherSuite) -> World {
    let mut world = World::of(3, 1, Settings::default());
    let reinit = ReInit {
        group_id: NEW.to_vec().into(),
        version: ProtocolVersion::MLS10,
        cipher_suite,
        extensions: extensions(),
    };
    world.propose(2, Proposal::ReInit(reinit));
    world.commit(0, world.plan());
    world
}

/// New packages of the group's members for a suite.
fn packages(world: &mut World, suite: CipherSuite) -> Vec<Client> {
    let before = world.provider;
    world.provider = provider(suite).unwrap();
    let names: Vec<_> = world.sessions.keys().copied().collect();
    let clients = names.into_iter().map(|name| {
        let seed = world.seed();
        let signer = world.provider.signature_key_pair(&seed);
        world.client_named(name, signer)
    });
    let clients = clients.collect();
    world.provider = before;
    clients
}

fn others(clients: &[Client]) -> Vec<KeyPackage> {
    clients[1..].iter().map(|client| client.package.clone()).collect()
}

fn succeed(
    world: &mut World,
    crypto: &Crypto<'_>,
    clients: &[Client],
) -> Result<(Session, Committed), SessionError> {
    let joining = clients[0].joining(Settings::default());
    let old = world.session(0).clone();
    old.create_successor(crypto, joining, others(clients), 1, &mut world.rng)
}

#[test]
fn a_group_is_replaced_by_one_of_another_suite() {
    for suite in [CipherSuite::ALL[0], CipherSuite::ALL[1]] {
        let mut world = ended(suite);
        let crypto = Crypto::new(provider(suite).unwrap());
        let clients = packages(&mut world, suite);
        let (first, committed) = succeed(&mut world, &crypto, &clients).unwrap();
        assert_eq!(first.public().context.group_id.as_slice(), NEW);
        assert_eq!(first.public().context.extensions, extensions());
        for client in &clients[1..] {
            let joining = client.joining(Settings::default());
            let old = world.session(client.name);
            let welcome = committed.welcome.as_ref().unwrap();
            let session = old.join_successor(&crypto, welcome, joining.clone()).unwrap();
            assert_eq!(session.epoch_authenticator(), first.epoch_authenticator());
            // It is no ordinary group, and no branch.
            let refused = old.join_branch(&crypto, welcome, joining).map(|_| ());
            assert_eq!(refused, Err(JoinError::NotTied.into()));
        }
    }
}

#[test]
fn a_group_that_has_ended_is_silent() {
    let mut world = ended(CipherSuite::ALL[0]);
    let (crypto, plan) = (world.crypto(), world.plan());
    let session = world.sessions.get_mut(&1).unwrap();
    let over = || SessionError::Reinitialized;
    assert_eq!(session.send(&crypto, b"", b"", &mut world.rng), Err(over()));
    assert_eq!(session.commit(&crypto, plan, &mut world.rng), Err(over()));
    let remove = Proposal::Remove(LeafIndex(0));
    assert_eq!(session.propose(&crypto, remove, 1, &mut world.rng), Err(over()));
    assert_eq!(session.receive(&crypto, b""), Err(over()));
}

#[test]
fn a_group_that_has_not_ended_is_not_replaced() {
    let mut world = World::of(3, 1, Settings::default());
    let crypto = world.crypto();
    let clients = packages(&mut world, CipherSuite::ALL[0]);
    let refused = succeed(&mut world, &crypto, &clients).map(|_| ());
    assert_eq!(refused, Err(SessionError::NotReinitialized));
}

fn broken(what: &'static str) -> Result<(), SessionError> {
    Err(JoinError::TieBroken(what).into())
}

#[test]
fn a_successor_has_the_same_members() {
    let mut world = ended(CipherSuite::ALL[0]);
    let crypto = world.crypto();
    let clients = packages(&mut world, CipherSuite::ALL[0]);
    let expected = broken("its members are not those of the old group");
    let fewer = succeed(&mut world, &crypto, &clients[..2]).map(|_| ());
    assert_eq!(fewer, expected);
    let mut more = clients;
    more.push(world.client());
    assert_eq!(succeed(&mut world, &crypto, &more).map(|_| ()), expected);
}

/// How a tied group is made that need not keep to its tie.
struct ByHand {
    group_id: &'static [u8],
    extensions: Vec<Extension>,
    usage: ResumptionPskUsage,
    /// How many epochs the key that ties them is old.
    age: u64,
    /// How many commits come before the one that ties.
    commits: u64,
}

impl ByHand {
    /// As a ReInit of these tests says.
    fn successor() -> Self {
        let usage = ResumptionPskUsage::Reinit;
        Self { group_id: NEW, extensions: extensions(), usage, age: 0, commits: 0 }
    }

    fn branch() -> Self {
        Self { usage: ResumptionPskUsage::Branch, extensions: vec![], ..Self::successor() }
    }

    /// The Welcome of the group of these clients, made by the first, tied to the world's.
    fn welcome(self, world: &mut World, crypto: &Crypto<'_>, clients: &[Client]) -> Vec<u8> {
        let old = world.session(0);
        let group_id = old.public().context.group_id.clone();
        let tie = PskType::Resumption(self.usage, group_id, old.epoch() - self.age);
        let psks = old.holdings().psks.clone();
        let founding = Founding { group_id: self.group_id.to_vec(), extensions: self.extensions };
        let Client { signer, package, secrets, .. } = &clients[0];
        let rng = &mut world.rng;
        let signer = signer.clone();
        let mut member =
            Member::create_with(crypto, signer, package, secrets, founding, rng).unwrap();
        let mut roster = Roster::of(&member.public.tree).unwrap();
        for _ in 0..self.commits {
            let request = CommitRequest::default();
            let pending = member.commit(crypto, &roster, request, rng).unwrap();
            roster.advance(&pending.roster_changes);
            member = pending.after;
        }
        let mut proposals: Vec<_> = others(clients).into_iter().map(Proposal::Add).collect();
        proposals.push(Proposal::PreSharedKey(Session::psk_id(crypto, tie, rng)));
        let purpose = match self.usage {
            ResumptionPskUsage::Reinit => Purpose::Reinit,
            _ => Purpose::Branch,
        };
        let request = CommitRequest {
            proposals,
            tree_in_welcome: true,
            purpose,
            now: 1,
            ..CommitRequest::default()
        };
        let holdings = Holdings { psks, ..Holdings::default() };
        let made = member.commit_with(crypto, &roster, request, &holdings, Protection::Public, rng);
        made.unwrap().welcome.unwrap()
    }

    /// What the second client says to it.
    fn joined(
        self,
        world: &mut World,
        crypto: &Crypto<'_>,
        clients: &[Client],
    ) -> Result<(), SessionError> {
        let usage = self.usage;
        let welcome = self.welcome(world, crypto, clients);
        let joining = clients[1].joining(Settings::default());
        let old = world.session(1);
        let joined = match usage {
            ResumptionPskUsage::Reinit => old.join_successor(crypto, &welcome, joining),
            _ => old.join_branch(crypto, &welcome, joining),
        };
        joined.map(|_| ())
    }
}

/// What is said to a successor of the same suite.
fn successor(
    make: ByHand,
    members: impl FnOnce(&mut World, &mut Vec<Client>),
) -> Result<(), SessionError> {
    let suite = CipherSuite::ALL[0];
    let mut world = ended(suite);
    let mut clients = packages(&mut world, suite);
    members(&mut world, &mut clients);
    let crypto = world.crypto();
    make.joined(&mut world, &crypto, &clients)
}

/// One whose creator does not keep to the ReInit is not joined.
#[test]
fn a_successor_is_what_the_reinit_says() {
    assert_eq!(successor(ByHand::successor(), |_, _| ()), Ok(()));
    let another = ByHand { group_id: b"another", ..ByHand::successor() };
    let what = "the group identifier is not that of the ReInit";
    assert_eq!(successor(another, |_, _| ()), broken(what));
    let plain = ByHand { extensions: vec![], ..ByHand::successor() };
    let what = "the extensions are not those of the ReInit";
    assert_eq!(successor(plain, |_, _| ()), broken(what));
    let late = ByHand { commits: 1, ..ByHand::successor() };
    assert_eq!(successor(late, |_, _| ()), broken("its epoch is not 1"));
    // Tied to an epoch before the ReInit was committed, or as a branch.
    let old = ByHand { age: 1, ..ByHand::successor() };
    assert_eq!(successor(old, |_, _| ()), Err(JoinError::NotTied.into()));
    let what = "its members are not those of the old group";
    let fewer = successor(ByHand::successor(), |_, clients| drop(clients.pop()));
    assert_eq!(fewer, broken(what));
    let more = successor(ByHand::successor(), |world, clients| clients.push(world.client()));
    assert_eq!(more, broken(what));
}

#[test]
fn a_tied_group_of_another_suite_than_it_should_be() {
    let (first, second) = (CipherSuite::ALL[0], CipherSuite::ALL[2]);
    let crypto = Crypto::new(provider(second).unwrap());
    let mut world = ended(first);
    let clients = packages(&mut world, second);
    let refused = ByHand::successor().joined(&mut world, &crypto, &clients);
    assert_eq!(refused, broken("the version or cipher suite is not that of the ReInit"));
    let mut world = World::of(3, 1, Settings::default());
    let clients = packages(&mut world, second);
    let refused = ByHand::branch().joined(&mut world, &crypto, &clients);
    let what = "the version or cipher suite is not that of the group it branches off";
    assert_eq!(refused, broken(what));
    // Nor is such a successor made.
    let mut world = ended(first);
    let clients = packages(&mut world, second);
    let refused = succeed(&mut world, &crypto, &clients).map(|_| ());
    assert_eq!(refused, Err(JoinError::WrongSuite.into()));
}

/// A ReInit to a version that is not known here is followed, and the new group is not made.
#[test]
fn a_successor_of_another_version() {
    let mut world = World::of(3, 1, Settings::default());
    let reinit = ReInit {
        group_id: NEW.to_vec().into(),
        version: ProtocolVersion(2),
        cipher_suite: CipherSuite::ALL[0],
        extensions: vec![],
    };
    world.propose(2, Proposal::ReInit(reinit));
    world.commit(0, world.plan());
    let crypto = world.crypto();
    let clients = packages(&mut world, CipherSuite::ALL[0]);
    let refused = succeed(&mut world, &crypto, &clients).map(|_| ());
    assert_eq!(refused, Err(JoinError::WrongSuite.into()));
    let made = ByHand { extensions: vec![], ..ByHand::successor() };
    let what = "the version or cipher suite is not that of the ReInit";
    assert_eq!(made.joined(&mut world, &crypto, &clients), broken(what));
}

#[test]
fn a_branch_is_what_it_should_be() {
    let three = || World::of(3, 1, Settings::default());
    let branch = |make: ByHand, members: fn(&mut World, &mut Vec<Client>)| {
        let mut world = three();
        let mut clients = packages(&mut world, CipherSuite::ALL[0]);
        members(&mut world, &mut clients);
        let crypto = world.crypto();
        make.joined(&mut world, &crypto, &clients)
    };
    assert_eq!(branch(ByHand::branch(), |_, _| ()), Ok(()));
    assert_eq!(branch(ByHand { age: 1, ..ByHand::branch() }, |_, _| ()), Ok(()));
    let late = branch(ByHand { commits: 1, ..ByHand::branch() }, |_, _| ());
    assert_eq!(late, broken("its epoch is not 1"));
    let more = branch(ByHand::branch(), |world, clients| clients.push(world.client()));
    assert_eq!(more, broken("it has members that the old group has not"));
}

/// A tied group is joined by naming the old one, whatever keys the client holds.
#[test]
fn a_tie_is_not_joined_as_if_there_were_none() {
    let mut world = World::of(3, 1, Settings::default());
    let crypto = world.crypto();
    let clients = packages(&mut world, CipherSuite::ALL[0]);
    let welcome = ByHand::branch().welcome(&mut world, &crypto, &clients);
    let mut joining = clients[1].joining(Settings::default());
    joining.psks = world.session(1).holdings().psks.clone();
    let refused = Session::join(&crypto, &welcome, joining).map(|_| ());
    assert_eq!(refused, Err(JoinError::Tied.into()));
    // The group is not over: what branches off it does not replace it.
    let joining = clients[1].joining(Settings::default());
    let refused = world.session(1).join_successor(&crypto, &welcome, joining).map(|_| ());
    assert_eq!(refused, Err(SessionError::NotReinitialized));
}

#[test]
fn a_branch_of_some_members() {
    let mut world = World::of(4, 1, Settings::default());
    let crypto = world.crypto();
    let clients = packages(&mut world, CipherSuite::ALL[0]);
    let parent = world.session(0).clone();
    let joining = || clients[0].joining(Settings::default());
    let founding = || Founding { group_id: NEW.to_vec(), extensions: extensions() };
    let some = vec![clients[2].package.clone()];
    let branched = parent.create_branch(&crypto, joining(), founding(), some, 1, &mut world.rng);
    let (first, committed) = branched.unwrap();
    assert_eq!(first.public().context.extensions, extensions());
    let welcome = committed.welcome.unwrap();
    let two = clients[2].joining(Settings::default());
    let second = world.session(2).join_branch(&crypto, &welcome, two.clone()).unwrap();
    assert_eq!(first.epoch_authenticator(), second.epoch_authenticator());
    // Whoever does not name the group it branches off does not have its key.
    let alone = Session::join(&crypto, &welcome, two).map(|_| ());
    assert!(matches!(alone, Err(SessionError::Join(JoinError::Psk(_)))), "{alone:?}");
    // The old group goes on.
    world.talk(1);
    // Strangers are not of it.
    let stranger = world.client();
    let refused = parent.create_branch(
        &crypto,
        joining(),
        founding(),
        vec![stranger.package],
        1,
        &mut world.rng,
    );
    let expected = broken("it has members that the old group has not");
    assert_eq!(refused.map(|_| ()), expected);
}

#[test]
fn a_group_that_is_not_tied() {
    let mut world = World::of(3, 1, Settings::default());
    let crypto = world.crypto();
    let client = world.client();
    let plan = CommitPlan { proposals: vec![client.add()], ..world.plan() };
    let welcome = world.commit(0, plan).unwrap();
    let joining = client.joining(Settings::default());
    let refused = world.session(1).join_branch(&crypto, &welcome, joining).map(|_| ());
    assert_eq!(refused, Err(JoinError::NotTied.into()));
}

/// A key that is forgotten ties nothing.
#[test]
fn resumption_keys_are_kept_for_a_while() {
    let settings = Settings { resumption_epochs: 2, ..Settings::default() };
    let mut world = World::of(2, 1, settings);
    let at = world.session(0).epoch();
    for _ in 0..3 {
        world.commit(0, world.plan());
    }
    let context = &world.session(1).public().context;
    let held = |epoch: u64| {
        let usage = ResumptionPskUsage::Application;
        let group = context.group_id.clone();
        let psk = PskType::Resumption(usage, group, epoch);
        world.session(1).holdings().psks.find(&psk).is_some()
    };
    let kept: Vec<_> = (at..=at + 3).map(held).collect();
    assert_eq!(kept, [false, false, true, true]);
}

/// The same for a member's state alone: what it finds in the Welcome is what the ReInit asked for.
#[test]
fn a_members_state_is_enough() {
    let suite = CipherSuite::ALL[0];
    let mut world = ended(suite);
    let clients = packages(&mut world, suite);
    let crypto = world.crypto();
    let reinit = match world.session(0).ended() {
        Some(Ended::Reinit(reinit)) => reinit.clone(),
        other => panic!("{other:?}"),
    };
    let maker = world.session(0).member().clone();
    let own = world.client_named(0, maker.signer.clone());
    let own = (&own.package, &own.secrets);
    let mut found =
        |packages| maker.found_successor(&crypto, &reinit, own, packages, 1, &mut world.rng);
    let founded = found(others(&clients)).unwrap();
    let few = found(others(&clients)[1..].to_vec()).unwrap_err();
    let missing = JoinError::TieBroken("its members are not those of the old group");
    assert_eq!(few, SuccessorError::Join(missing));
    let welcome = founded.welcome.unwrap();
    let Client { signer, package, secrets, .. } = &clients[1];
    let join = |old: &Member, reinit: &ReInit| {
        let joined = old.join_successor(
            &crypto,
            reinit,
            &welcome,
            Some(founded.after.public.tree.clone()),
            signer.clone(),
            package,
            secrets,
        );
        joined.map(|(member, _)| member.secrets.epoch_authenticator.clone())
    };
    let old = world.session(1).member().clone();
    let authenticator = founded.after.secrets.epoch_authenticator.clone();
    assert_eq!(join(&old, &reinit), Ok(authenticator));
    let group_id = b"another".to_vec().into();
    let another = ReInit { group_id, ..reinit.clone() };
    let told = join(&old, &another).unwrap_err().to_string();
    assert!(told.contains("the group identifier is not that of the ReInit"), "{told}");
    let other = ReInit { extensions: vec![], ..reinit.clone() };
    let told = join(&old, &other).unwrap_err().to_string();
    assert!(told.contains("the extensions are not those of the ReInit"), "{told}");
    // Whoever does not hold the last epoch's key of the old group opens nothing.
    let stranger = World::of(3, 2, Settings::default());
    let told = join(stranger.session(1).member(), &reinit).unwrap_err().to_string();
    assert!(told.contains("is not held"), "{told}");
}
