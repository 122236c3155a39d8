//! Creating a group (RFC 9420 §11) and entering one (§12.4.3, §13.4), each rule broken.

use arboretum_engine::codec::encode;
use arboretum_engine::crypto::{CipherSuite, Crypto, Digest, provider};
use arboretum_engine::group::{
    ApplyError, CommitPlan, Founding, JoinError, Session, SessionError, Settings,
    interim_transcript_hash,
};
use arboretum_engine::treesync::{
    Extension, ExtensionType, Proposal, ProposalError, ProposalType, RequiredCapabilities,
    TreeError, tree_hash,
};

use crate::world::{CUSTOM, EXTENSION, World};

fn extension(extension_type: ExtensionType) -> Extension {
    Extension { extension_type, extension_data: vec![].into() }
}

#[test]
fn a_group_begins_with_its_creator_alone() {
    let mut world = World::new(CipherSuite::ALL[0], 1, Settings::default());
    world.found();
    let (crypto, session) = (world.crypto(), world.session(0));
    let context = &session.public().context;
    assert_eq!((context.epoch, context.confirmed_transcript_hash), (0, Digest::EMPTY));
    assert_eq!(context.tree_hash, tree_hash(&crypto, &session.public().tree));
    assert_eq!((session.members().len(), session.public().tree.width()), (1, 1));
    let tag = session.member().secrets.confirmation_tag(&crypto, &Digest::EMPTY);
    let interim = interim_transcript_hash(&crypto, &Digest::EMPTY, &tag).unwrap();
    assert_eq!(session.public().interim_transcript_hash, interim);
    // The same client again: another first epoch.
    let mut other = world.session(0).epoch_authenticator().clone();
    for _ in 0..3 {
        let client = world.client();
        let founding = Founding { group_id: b"the group".to_vec(), extensions: vec![] };
        let joining = client.joining(world.settings);
        let again = Session::create(&crypto, joining, founding, &mut world.rng).unwrap();
        assert_ne!(*again.epoch_authenticator(), other);
        other = again.epoch_authenticator().clone();
    }
}

fn created(
    world: &mut World,
    crypto: &Crypto<'_>,
    extensions: Vec<Extension>,
) -> Result<(), SessionError> {
    let client = world.client();
    let founding = Founding { group_id: b"a group".to_vec(), extensions };
    let joining = client.joining(world.settings);
    Session::create(crypto, joining, founding, &mut world.rng).map(|_| ())
}

#[test]
fn a_creator_keeps_to_the_rules_of_its_group() {
    let mut world = World::new(CipherSuite::ALL[0], 1, Settings::default());
    let crypto = world.crypto();
    let unknown = ExtensionType(0xff07);
    let proposal_types = vec![ProposalType(0xff08)];
    let required = RequiredCapabilities { proposal_types, ..Default::default() };
    let required = Extension {
        extension_type: ExtensionType::REQUIRED_CAPABILITIES,
        extension_data: encode(&required).unwrap().into(),
    };
    for (extensions, error) in [
        (vec![extension(unknown)], TreeError::GroupExtension(unknown)),
        (vec![required], TreeError::RequiredCapability),
    ] {
        let refused = ApplyError::Proposals(ProposalError::Tree(error));
        assert_eq!(created(&mut world, &crypto, extensions), Err(refused.into()));
    }
    let twice = vec![extension(EXTENSION), extension(EXTENSION)];
    let refused = ApplyError::Tree(TreeError::DuplicateExtension(EXTENSION));
    assert_eq!(created(&mut world, &crypto, twice), Err(refused.into()));
    assert_eq!(created(&mut world, &crypto, vec![extension(EXTENSION)]), Ok(()));
    let other = Crypto::new(provider(CipherSuite::ALL[2]).unwrap());
    let refused = ApplyError::Proposals(ProposalError::WrongSuite);
    assert_eq!(created(&mut world, &other, vec![]), Err(refused.into()));
}

#[test]
fn a_welcome_to_a_group_that_the_client_is_in() {
    let mut world = World::of(2, 1, Settings::default());
    let client = world.client();
    let plan = CommitPlan { proposals: vec![client.add()], ..world.plan() };
    let welcome = world.commit(0, plan).unwrap();
    let (crypto, mut joining) = (world.crypto(), world.joining(&client));
    joining.groups.insert(b"the group".to_vec());
    let refused = Session::join(&crypto, &welcome, joining).map(|_| ());
    assert_eq!(refused, Err(JoinError::AlreadyIn.into()));
    world.join_all(&welcome, vec![client]);
}

/// Whoever joins by itself looks at what the group demands, as those who would add it do.
#[test]
fn a_group_that_demands_what_the_joiner_has_not() {
    let required = RequiredCapabilities { proposal_types: vec![CUSTOM], ..Default::default() };
    let required = Extension {
        extension_type: ExtensionType::REQUIRED_CAPABILITIES,
        extension_data: encode(&required).unwrap().into(),
    };
    for (extension, error) in [
        (extension(EXTENSION), TreeError::GroupExtension(EXTENSION)),
        (required, TreeError::RequiredCapability),
    ] {
        let mut world = World::of(3, 1, Settings::default());
        let proposals = vec![Proposal::GroupContextExtensions(vec![extension])];
        world.commit(0, CommitPlan { proposals, ..world.plan() });
        let client = world.client_with(|profile| {
            profile.capabilities.proposals.clear();
            profile.capabilities.extensions.clear();
        });
        let (crypto, info) = (world.crypto(), world.group_info(0));
        let joining = world.joining(&client);
        let made = Session::join_external(&crypto, &info, joining, None, vec![], &mut world.rng);
        assert_eq!(made.map(|_| ()).unwrap_err().to_string(), error.to_string());
    }
}

/// What nobody knows in a package is ignored, as long as its leaf lists it.
#[test]
fn unknown_extensions_of_a_package_are_ignored() {
    let mut world = World::of(2, 1, Settings::default());
    let unknown = ExtensionType(0x1a1a);
    let client = world.client_with(|profile| {
        profile.capabilities.extensions.push(unknown);
        profile.leaf_extensions.push(extension(unknown));
        profile.package_extensions.push(extension(unknown));
    });
    world.add_all(0, vec![client]);
    world.talk(2);
}

/// The root of the secret tree is consumed when the tree is made, and the tree's secrets when
/// they are used.
#[test]
fn the_secrets_of_an_epoch_are_consumed() {
    let mut world = World::of(3, 1, Settings { past_epochs: 0, ..Settings::default() });
    for name in 0..3 {
        assert!(world.session(name).member().secrets.encryption_secret.as_slice().is_empty());
    }
    let epoch = world.session(0).member().secrets.clone();
    world.talk(0);
    let crypto = world.crypto();
    let mut late = world.session(1).clone();
    let said = late.send(&crypto, b"late", b"", &mut world.rng).unwrap();
    world.commit(2, world.plan());
    for session in world.sessions.values() {
        assert_ne!(session.member().secrets.init_secret, epoch.init_secret);
    }
    let refused = world.session_mut(0).receive(&crypto, &said).unwrap_err();
    assert!(matches!(refused, SessionError::EpochNotKept { kept: 0, .. }), "{refused}");
}

/// No epoch follows the last that can be counted; nobody panics over it.
#[test]
fn the_last_epoch() {
    let mut world = World::of(2, 1, Settings::default());
    let (client, crypto) = (world.client(), world.crypto());
    let signer = world.session(0).member().signer.clone();
    let mut info = world.group_info(0);
    info.group_context.epoch = u64::MAX;
    info.sign(&crypto, &signer.private).unwrap();
    let joining = world.joining(&client);
    let made = Session::join_external(&crypto, &info, joining, None, vec![], &mut world.rng);
    let refused = made.map(|_| ()).unwrap_err();
    assert_eq!(refused.to_string(), ApplyError::LastEpoch.to_string());
}
