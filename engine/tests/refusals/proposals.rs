//! Lists of proposals (RFC 9420 §10.1, §12.1, §12.2). The sender refuses what the receiver
//! refuses.

use arboretum_engine::codec::encode;
use arboretum_engine::crypto::{CipherSuite, CryptoError};
use arboretum_engine::group::{ApplyError, CommitError, CommitRequest, Member};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treesync::{
    Credential, CredentialType, Extension, ExtensionType, KeyPackage, LeafNodeSource,
    PreSharedKeyId, Proposal, ProposalError, ProposalOrRef, ProposalType, ProtocolVersion, PskType,
    ReInit, RequiredCapabilities, ResumptionPskUsage, TreeError,
};

use crate::common::client::{Client, LAST_SECOND};
use crate::common::{Group, Live};
use crate::forge::{
    BLANK, OUTSIDE, SENDER, commit_of, crypto, forged, honest, package_with, package_with_leaf,
    refusal, six,
};

fn request(proposals: Vec<Proposal>, now: u64) -> CommitRequest {
    CommitRequest { proposals, path: true, now, ..CommitRequest::default() }
}

/// Asks the sender for a commit, and makes one behind its back for the receiver.
fn both(group: &mut Group<'_>, proposals: Vec<Proposal>) -> ApplyError {
    let Live { member, roster, .. } = group.live[&SENDER].clone();
    let made = member.commit(&crypto(), &roster, request(proposals.clone(), 1), &mut group.rng);
    let Err(CommitError::Apply(at_sender)) = made.map(|_| ()) else {
        panic!("the sender commits {proposals:?}");
    };
    let message = honest(group);
    let message = forged(&group.live[&SENDER], &message, |message| {
        let commit = commit_of(message);
        // The path fits the tree without these proposals; where it may, it is left out.
        commit.path.take_if(|_| !proposals.iter().any(Proposal::requires_path));
        commit.proposals = proposals.into_iter().map(ProposalOrRef::Proposal).collect();
    });
    let at_receiver = refusal(group, &message);
    assert_eq!(at_sender, at_receiver);
    at_receiver
}

fn list(group: &mut Group<'_>, proposals: Vec<Proposal>) -> ProposalError {
    match both(group, proposals) {
        ApplyError::Proposals(error) => error,
        other => panic!("{other} is not about the proposals"),
    }
}

fn add(package: &KeyPackage) -> Proposal {
    Proposal::Add(package.clone())
}

fn adding(make: impl FnOnce(&Group<'_>, &Client) -> KeyPackage) -> ProposalError {
    let mut group = six();
    let client = group.client();
    let package = make(&group, &client);
    list(&mut group, vec![add(&package)])
}

#[test]
fn removing_nobody() {
    for leaf in [BLANK, OUTSIDE, LeafIndex(u32::MAX)] {
        let refused = list(&mut six(), vec![Proposal::Remove(leaf)]);
        assert_eq!(refused, ProposalError::NoSuchMember(leaf));
    }
}

#[test]
fn removing_somebody_twice() {
    let one = LeafIndex(1);
    let refused = list(&mut six(), vec![Proposal::Remove(one), Proposal::Remove(one)]);
    assert_eq!(refused, ProposalError::SameLeafTwice(one));
}

#[test]
fn removing_oneself() {
    let refused = list(&mut six(), vec![Proposal::Remove(SENDER)]);
    assert_eq!(refused, ProposalError::RemovesCommitter);
}

#[test]
fn updating_oneself() {
    let mut group = six();
    let leaf = group.client().package.leaf_node;
    let refused = list(&mut group, vec![Proposal::Update(leaf)]);
    assert_eq!(refused, ProposalError::UpdatesCommitter);
}

fn psk(psk_type: PskType, nonce: usize) -> Proposal {
    Proposal::PreSharedKey(PreSharedKeyId { psk_type, psk_nonce: vec![3; nonce].into() })
}

fn external_psk() -> PskType {
    PskType::External(vec![1].into())
}

#[test]
fn a_psk_with_a_nonce_of_another_length() {
    for length in [0, 31, 33] {
        let refused = list(&mut six(), vec![psk(external_psk(), length)]);
        assert_eq!(refused, ProposalError::PskNonce);
    }
}

#[test]
fn a_psk_twice() {
    let twice = vec![psk(external_psk(), 32), psk(external_psk(), 32)];
    assert_eq!(list(&mut six(), twice), ProposalError::SamePskTwice);
}

#[test]
fn a_resumption_key_that_is_not_for_this() {
    for usage in [ResumptionPskUsage::Reinit, ResumptionPskUsage::Branch] {
        let key = PskType::Resumption(usage, vec![1].into(), 1);
        assert_eq!(list(&mut six(), vec![psk(key, 32)]), ProposalError::PskUsage);
    }
}

fn re_init(version: ProtocolVersion) -> Proposal {
    Proposal::ReInit(ReInit {
        group_id: vec![2].into(),
        version,
        cipher_suite: CipherSuite(1),
        extensions: vec![],
    })
}

#[test]
fn a_reinit_with_something_else() {
    let one = || re_init(ProtocolVersion::MLS10);
    for others in [vec![one(), one()], vec![Proposal::Remove(LeafIndex(1)), one()]] {
        assert_eq!(list(&mut six(), others), ProposalError::ReInitWithOthers);
    }
}

#[test]
fn a_reinit_to_an_older_version() {
    let refused = list(&mut six(), vec![re_init(ProtocolVersion(0))]);
    assert_eq!(refused, ProposalError::ReInitVersion);
}

#[test]
fn a_reinit_with_an_extension_twice() {
    let mut reinit = re_init(ProtocolVersion::MLS10);
    if let Proposal::ReInit(reinit) = &mut reinit {
        reinit.extensions = vec![extension(PRIVATE), extension(PRIVATE)];
    }
    let twice = ProposalError::Tree(TreeError::DuplicateExtension(PRIVATE));
    assert_eq!(list(&mut six(), vec![reinit]), twice);
}

#[test]
fn an_external_init_of_a_member() {
    let refused = list(&mut six(), vec![Proposal::ExternalInit(vec![4].into())]);
    assert_eq!(refused, ProposalError::ExternalInit);
}

#[test]
fn extensions_replaced_twice() {
    let empty = || Proposal::GroupContextExtensions(vec![]);
    assert_eq!(list(&mut six(), vec![empty(), empty()]), ProposalError::ManyExtensions);
}

#[test]
fn extensions_that_members_do_not_support() {
    let replace = |extension| vec![Proposal::GroupContextExtensions(vec![extension])];
    let refused = list(&mut six(), replace(extension(PRIVATE)));
    assert_eq!(refused, ProposalError::Tree(TreeError::GroupExtension(PRIVATE)));
    let required = RequiredCapabilities {
        credential_types: vec![CredentialType::X509],
        ..RequiredCapabilities::default()
    };
    let required = Extension {
        extension_type: ExtensionType::REQUIRED_CAPABILITIES,
        extension_data: encode(&required).unwrap().into(),
    };
    let refused = list(&mut six(), replace(required));
    assert_eq!(refused, ProposalError::Tree(TreeError::RequiredCapability));
}

#[test]
fn extensions_that_are_none() {
    let twice = vec![extension(PRIVATE), extension(PRIVATE)];
    let refused = both(&mut six(), vec![Proposal::GroupContextExtensions(twice)]);
    assert_eq!(refused, ApplyError::Tree(TreeError::DuplicateExtension(PRIVATE)));
    for kind in [ExtensionType::EXTERNAL_SENDERS, ExtensionType::REQUIRED_CAPABILITIES] {
        let garbage = Extension { extension_type: kind, extension_data: vec![1].into() };
        let refused = both(&mut six(), vec![Proposal::GroupContextExtensions(vec![garbage])]);
        assert!(matches!(refused, ApplyError::Codec(_)), "{refused}");
    }
}

/// The new extensions are in force for the packages of the same commit.
#[test]
fn a_newcomer_who_does_not_support_the_new_extensions() {
    let mut group = six();
    let client = group.client();
    let list_of =
        vec![add(&client.package), Proposal::GroupContextExtensions(vec![extension(PRIVATE)])];
    assert_eq!(list(&mut group, list_of), ProposalError::Tree(TreeError::GroupExtension(PRIVATE)));
}

#[test]
fn a_proposal_type_that_members_do_not_support() {
    let kind = ProposalType(0xff03);
    let refused = list(&mut six(), vec![Proposal::Custom(kind, vec![1].into())]);
    assert_eq!(refused, ProposalError::NotSupportedByAll { leaf: LeafIndex(0), kind });
}

#[test]
fn a_package_for_another_suite_or_version() {
    let suite = adding(|_, client| package_with(client, |p| p.cipher_suite = CipherSuite(2)));
    assert_eq!(suite, ProposalError::WrongSuite);
    let version = adding(|_, client| package_with(client, |p| p.version = ProtocolVersion(2)));
    assert_eq!(version, ProposalError::WrongSuite);
}

#[test]
fn one_key_for_init_and_leaf() {
    let refused = adding(|_, client| {
        package_with(client, |package| {
            package.init_key = package.leaf_node.encryption_key.clone();
        })
    });
    assert_eq!(refused, ProposalError::InitKeyIsLeafKey);
}

#[test]
fn a_key_that_is_none() {
    let error = ProposalError::Tree(TreeError::NotAKey);
    for key in [vec![], vec![9; 31], vec![0; 32]] {
        let in_leaf = key.clone();
        let init = adding(|_, client| package_with(client, |p| p.init_key = key.into()));
        assert_eq!(init, error);
        let leaf = adding(|_, client| {
            package_with_leaf(client, |leaf| leaf.encryption_key = in_leaf.into())
        });
        assert_eq!(leaf, error);
    }
    // Of a signature key the signature tells.
    for key in [vec![], vec![9; 31]] {
        let refused =
            adding(|_, client| package_with_leaf(client, |leaf| leaf.signature_key = key.into()));
        assert!(matches!(refused, ProposalError::Crypto(_)), "{refused}");
    }
}

#[test]
fn a_leaf_of_another_source() {
    let refused = adding(|_, client| {
        package_with_leaf(client, |leaf| leaf.leaf_node_source = LeafNodeSource::Update)
    });
    assert_eq!(refused, ProposalError::Tree(TreeError::Source { expected: "key_package" }));
}

#[test]
fn a_package_outside_its_lifetime_at_the_sender() {
    let mut group = six();
    let client = group.client();
    let Live { member, roster, .. } = group.live[&SENDER].clone();
    let mut made = |now| {
        let request = request(vec![add(&client.package)], now);
        member.commit(&crypto(), &roster, request, &mut group.rng).map(|_| ())
    };
    assert_eq!(made(LAST_SECOND), Ok(()));
    let now = LAST_SECOND + 1;
    let expired = TreeError::Lifetime { not_before: 0, not_after: LAST_SECOND, now };
    let refused = ApplyError::Proposals(ProposalError::Tree(expired));
    assert_eq!(made(now), Err(CommitError::Apply(refused)));
}

#[test]
fn signatures_of_a_package() {
    let bad = ProposalError::Crypto(CryptoError::BadSignature);
    let package = adding(|_, client| {
        let mut package = client.package.clone();
        package.init_key = vec![9; 32].into();
        package
    });
    assert_eq!(package, bad);
    let leaf = adding(|_, client| {
        package_with(client, |package| package.leaf_node.encryption_key = vec![9; 32].into())
    });
    assert_eq!(leaf, bad);
}

#[test]
fn an_encryption_key_that_is_taken() {
    let duplicate = ProposalError::Tree(TreeError::DuplicateEncryptionKey);
    let of_leaf = |group: &Group<'_>| group.member(1).member.keys.leaf().public.clone();
    let of_parent = |group: &Group<'_>| group.member(1).member.keys.parents()[0].public.clone();
    for key in [of_leaf(&six()), of_parent(&six())] {
        let refused =
            adding(|_, client| package_with_leaf(client, |leaf| leaf.encryption_key = key));
        assert_eq!(refused, duplicate);
    }
    // One package twice.
    let mut group = six();
    let package = group.client().package;
    assert_eq!(list(&mut group, vec![add(&package), add(&package)]), duplicate);
}

#[test]
fn a_signature_key_that_is_taken() {
    let duplicate = ProposalError::Tree(TreeError::DuplicateSignatureKey);
    let mut group = six();
    let mut client = group.client();
    client.signer = group.member(1).member.signer.clone();
    let key = client.signer.public.clone();
    let package = package_with_leaf(&client, |leaf| leaf.signature_key = key);
    assert_eq!(list(&mut group, vec![add(&package)]), duplicate);
    // Two packages of one client.
    let (first, mut second) = (group.client(), group.client());
    second.signer = first.signer.clone();
    let key = first.signer.public.clone();
    let again = package_with_leaf(&second, |leaf| leaf.signature_key = key);
    assert_eq!(list(&mut group, vec![add(&first.package), add(&again)]), duplicate);
}

/// Whoever is removed in the same commit may come back in it.
#[test]
fn a_client_that_is_replaced_is_not_a_duplicate() {
    let mut group = six();
    let mut client = group.client();
    client.signer = group.member(1).member.signer.clone();
    let key = client.signer.public.clone();
    let package = package_with_leaf(&client, |leaf| leaf.signature_key = key);
    let Live { member, roster, .. } = group.live[&SENDER].clone();
    for proposals in [
        vec![Proposal::Remove(LeafIndex(1)), add(&package)],
        vec![add(&package), Proposal::Remove(LeafIndex(1))],
    ] {
        let request = request(proposals, 1);
        let pending = member.commit(&crypto(), &roster, request, &mut group.rng).unwrap();
        assert_eq!(pending.applied.added, [LeafIndex(1)]);
        group.live.get_mut(&LeafIndex(5)).unwrap().clone().follow(&crypto(), &pending.message);
    }
}

#[test]
fn a_credential_that_not_all_support() {
    let mut group = six();
    let credential = Credential::X509(vec![]);
    let client = Client::with_credential(&crypto(), credential, &mut group.rng);
    let package = package_with_leaf(&client, |leaf| {
        leaf.capabilities.credentials.push(CredentialType::X509);
    });
    assert_eq!(
        both(&mut group, vec![add(&package)]),
        ApplyError::Tree(TreeError::CredentialNotSupportedByAll(CredentialType::X509))
    );
    // Nor may the newcomer leave out what the others use.
    let client = group.client();
    let x509 = vec![CredentialType::X509];
    let package = package_with_leaf(&client, |leaf| leaf.capabilities.credentials = x509);
    assert_eq!(
        list(&mut group, vec![add(&package)]),
        ProposalError::Tree(TreeError::OwnCredential(CredentialType::BASIC))
    );
}

/// Whoever is added must support what the others use, as they must what it uses.
#[test]
fn a_newcomer_who_does_not_support_the_credentials_in_use() {
    let mut group = six();
    let client = Client::with_credential(&crypto(), Credential::X509(vec![]), &mut group.rng);
    let package = package_with_leaf(&client, |leaf| {
        leaf.capabilities.credentials = vec![CredentialType::X509];
    });
    assert_eq!(
        both(&mut group, vec![add(&package)]),
        ApplyError::Tree(TreeError::CredentialNotSupportedByAll(CredentialType::BASIC))
    );
}

const PRIVATE: ExtensionType = ExtensionType(0xff01);

fn extension(extension_type: ExtensionType) -> Extension {
    Extension { extension_type, extension_data: vec![].into() }
}

#[test]
fn extensions_of_a_leaf() {
    let unlisted = adding(|_, client| {
        package_with_leaf(client, |leaf| leaf.extensions.push(extension(PRIVATE)))
    });
    assert_eq!(unlisted, ProposalError::Tree(TreeError::OwnExtension(PRIVATE)));
    let twice = ProposalError::Tree(TreeError::DuplicateExtension(PRIVATE));
    let in_leaf = adding(|_, client| {
        package_with_leaf(client, |leaf| {
            leaf.capabilities.extensions.push(PRIVATE);
            leaf.extensions = vec![extension(PRIVATE), extension(PRIVATE)];
        })
    });
    assert_eq!(in_leaf, twice);
    let in_package = adding(|_, client| {
        package_with(client, |p| p.extensions = vec![extension(PRIVATE), extension(PRIVATE)])
    });
    assert_eq!(in_package, twice);
}

/// A group of one, with an extension in its context.
fn demanding(extension: Extension) -> (Member, Live, Group<'static>) {
    let group = Group::new(&crate::forge::REAL, 1);
    let mut creator = group.member(0).clone();
    creator.member.public.context.extensions.push(extension);
    (creator.member.clone(), creator, group)
}

/// What the creator of such a group says to a newcomer with these capabilities.
fn demanded(
    extension: Extension,
    offered: impl FnOnce(&mut arboretum_engine::treesync::Capabilities),
) -> Result<(), CommitError> {
    let (member, creator, mut group) = demanding(extension);
    let client = group.client();
    let package = package_with_leaf(&client, |leaf| offered(&mut leaf.capabilities));
    // The creator has not what its group demands either, but only the newcomer is looked at.
    let request = CommitRequest { path: false, ..request(vec![add(&package)], 1) };
    member.commit(&crypto(), &creator.roster, request, &mut group.rng).map(|_| ())
}

#[test]
fn what_a_group_demands() {
    let refused = |error| Err(CommitError::Apply(ApplyError::Proposals(error)));
    let missing = || refused(ProposalError::Tree(TreeError::RequiredCapability));
    let proposal_type = ProposalType(0xff02);
    let required = |required: RequiredCapabilities| Extension {
        extension_type: ExtensionType::REQUIRED_CAPABILITIES,
        extension_data: encode(&required).unwrap().into(),
    };
    let kinds = |extension_types| RequiredCapabilities { extension_types, ..Default::default() };
    let extensions = || required(kinds(vec![PRIVATE, ExtensionType::EXTERNAL_PUB]));
    assert_eq!(demanded(extensions(), |_| ()), missing());
    assert_eq!(demanded(extensions(), |offered| offered.extensions.push(PRIVATE)), Ok(()));
    let proposals = || {
        let proposal_types = vec![proposal_type, ProposalType::ADD];
        required(RequiredCapabilities { proposal_types, ..Default::default() })
    };
    assert_eq!(demanded(proposals(), |_| ()), missing());
    assert_eq!(demanded(proposals(), |offered| offered.proposals.push(proposal_type)), Ok(()));
    let credentials = || {
        let credential_types = vec![CredentialType::X509];
        required(RequiredCapabilities { credential_types, ..Default::default() })
    };
    assert_eq!(demanded(credentials(), |_| ()), missing());
    let x509 = CredentialType::X509;
    assert_eq!(demanded(credentials(), |offered| offered.credentials.push(x509)), Ok(()));
}

#[test]
fn an_extension_of_the_group_that_the_newcomer_does_not_support() {
    let unsupported = ProposalError::Tree(TreeError::GroupExtension(PRIVATE));
    let refused = Err(CommitError::Apply(ApplyError::Proposals(unsupported)));
    assert_eq!(demanded(extension(PRIVATE), |_| ()), refused);
    assert_eq!(demanded(extension(PRIVATE), |offered| offered.extensions.push(PRIVATE)), Ok(()));
    assert_eq!(demanded(extension(ExtensionType::EXTERNAL_SENDERS), |_| ()), Ok(()));
}
