//! Welcomes (RFC 9420 §12.4.3.1).

use arboretum_engine::codec::{CodecError, decode, encode};
use arboretum_engine::crypto::{CipherSuite, CryptoError, Digest, Secret};
use arboretum_engine::group::{JoinError, Member, OpenedWelcome, PendingCommit};
use arboretum_engine::tree::{LeafIndex, NotATree};
use arboretum_engine::treedem::MlsMessage;
use arboretum_engine::treekem::{
    GroupInfo, GroupSecrets, JoinerSecret, PathError, PskError, PskStore, Welcome, WelcomeError,
};
use arboretum_engine::treesync::{
    DecodeTreeError, Extension, ExtensionType, LeafNodeError, PreSharedKeyId, ProtocolVersion,
    PskType, RatchetTree, ResumptionPskUsage, TreeError, decode_tree, encode_tree, tree_hash,
};

use crate::common::client::Client;
use crate::common::{Group, Plan};
use crate::forge::{BLANK, OUTSIDE, SENDER, crypto, honest, six};

/// A group, the commit that adds a client, and the client.
struct Invitation {
    group: Group<'static>,
    client: Client,
    pending: PendingCommit,
    welcome: Welcome,
    opened: OpenedWelcome,
}

fn welcome_of(message: &[u8]) -> Welcome {
    match decode("a message", message).unwrap() {
        MlsMessage::Welcome(welcome) => welcome,
        other => panic!("{other:?} is not a Welcome"),
    }
}

impl Invitation {
    fn new() -> Self {
        let mut group = six();
        let client = group.client();
        let plan = Plan { by: SENDER, path: true, tree_in_welcome: true, ..Plan::default() };
        let pending = group.propose(&crypto(), &plan, std::slice::from_ref(&client));
        let welcome = welcome_of(pending.welcome.as_ref().unwrap());
        let Client { package, secrets, .. } = &client;
        let opened =
            OpenedWelcome::open(&crypto(), &welcome, package, secrets, &PskStore::default())
                .unwrap();
        Self { group, client, pending, welcome, opened }
    }

    fn join_bytes(&self, message: &[u8], tree: Option<RatchetTree>) -> Result<(), JoinError> {
        let Client { signer, package, secrets } = &self.client;
        Member::join(&crypto(), message, tree, signer.clone(), package, secrets).map(|_| ())
    }

    fn join(&self, welcome: Welcome) -> Result<(), JoinError> {
        self.join_bytes(&encode(&MlsMessage::Welcome(welcome)).unwrap(), None)
    }

    /// The Welcome with its plaintexts changed, signed by the committer and sealed again.
    fn forged(
        &self,
        info: impl FnOnce(&mut GroupInfo),
        secrets: impl FnOnce(&mut GroupSecrets),
    ) -> Welcome {
        let mut group_info = self.opened.group_info.clone();
        info(&mut group_info);
        let signer = &self.group.live[&SENDER].member.signer;
        group_info.sign(&crypto(), &signer.private).unwrap();
        let mut group_secrets = self.opened.group_secrets.clone();
        secrets(&mut group_secrets);
        let plaintext = group_secrets.plaintext().unwrap();
        self.sealed(&self.pending.joiner, &encode(&group_info).unwrap(), &plaintext)
    }

    fn with_info(&self, change: impl FnOnce(&mut GroupInfo)) -> Result<(), JoinError> {
        self.join(self.forged(change, |_| ()))
    }

    fn sealed(&self, joiner: &JoinerSecret, info: &[u8], secrets: &Secret) -> Welcome {
        let crypto = crypto();
        let key = joiner.welcome_key(&crypto, &crypto.zero()).unwrap();
        let info = crypto.aead_seal(&key.key, &key.nonce, &[], info).unwrap();
        let mut welcome = self.welcome.clone();
        let (to, secrets) = (&self.client.package.init_key, secrets.as_slice());
        let label = GroupSecrets::LABEL;
        welcome.secrets[0].encrypted_group_secrets =
            crypto.encrypt_with_label(to, label, &info, secrets, &[3; 32]).unwrap();
        welcome.encrypted_group_info = info.into();
        welcome
    }

    /// A group info that speaks of another tree, and carries it.
    fn with_tree(&self, change: impl FnOnce(&mut RatchetTree)) -> Result<(), JoinError> {
        let mut tree = self.pending.after.public.tree.clone();
        change(&mut tree);
        self.with_info(|info| {
            info.group_context.tree_hash = tree_hash(&crypto(), &tree);
            info.extensions = vec![tree_extension(encode_tree(&tree).unwrap())];
        })
    }
}

fn tree_extension(bytes: Vec<u8>) -> Extension {
    Extension { extension_type: ExtensionType::RATCHET_TREE, extension_data: bytes.into() }
}

#[test]
fn a_forgery_that_changes_nothing_is_joined() {
    let invitation = Invitation::new();
    assert_eq!(invitation.join_bytes(invitation.pending.welcome.as_ref().unwrap(), None), Ok(()));
    assert_eq!(invitation.with_info(|_| ()), Ok(()));
    assert_eq!(invitation.with_tree(|_| ()), Ok(()));
}

#[test]
fn another_message() {
    let mut invitation = Invitation::new();
    let commit = honest(&mut invitation.group);
    assert_eq!(invitation.join_bytes(&commit, None), Err(JoinError::NotAWelcome));
}

#[test]
fn bytes_left_over() {
    let invitation = Invitation::new();
    let long = [invitation.pending.welcome.as_ref().unwrap(), &[0][..]].concat();
    let trailing = CodecError::Trailing { what: "an MLS message", left: 1 };
    assert_eq!(invitation.join_bytes(&long, None), Err(JoinError::Codec(trailing)));
}

#[test]
fn bytes_missing() {
    let invitation = Invitation::new();
    let welcome = invitation.pending.welcome.as_ref().unwrap();
    for length in 0..welcome.len() {
        let refused = invitation.join_bytes(&welcome[..length], None);
        assert!(matches!(refused, Err(JoinError::Codec(CodecError::Malformed { .. }))));
    }
    let tree = encode_tree(&invitation.pending.after.public.tree).unwrap();
    for length in 0..tree.len() {
        let refused = decode_tree(&tree[..length]);
        assert!(matches!(refused, Err(DecodeTreeError::Codec(CodecError::Malformed { .. }))));
    }
}

#[test]
fn another_suite() {
    let invitation = Invitation::new();
    let mut welcome = invitation.welcome.clone();
    welcome.cipher_suite = CipherSuite(2);
    assert_eq!(invitation.join(welcome), Err(JoinError::WrongSuite));
    let refused = invitation.with_info(|info| info.group_context.cipher_suite = CipherSuite(2));
    assert_eq!(refused, Err(JoinError::WrongSuite));
}

#[test]
fn another_clients_welcome() {
    let mut invitation = Invitation::new();
    invitation.client = invitation.group.client();
    let refused = invitation.join(invitation.welcome.clone());
    assert_eq!(refused, Err(JoinError::Welcome(WelcomeError::NotForMe)));
}

#[test]
fn group_secrets_that_do_not_open() {
    let error = JoinError::Welcome(WelcomeError::Crypto(CryptoError::BadCiphertext));
    let mut invitation = Invitation::new();
    // They are bound to the encrypted group info.
    let mut welcome = invitation.welcome.clone();
    let mut info = welcome.encrypted_group_info.as_slice().to_vec();
    info[0] ^= 1;
    welcome.encrypted_group_info = info.into();
    assert_eq!(invitation.join(welcome), Err(error.clone()));
    // Another private key.
    invitation.client.secrets.init = invitation.group.client().secrets.init;
    assert_eq!(invitation.join(invitation.welcome.clone()), Err(error));
}

#[test]
fn group_secrets_that_are_none() {
    let invitation = Invitation::new();
    let joiner = &invitation.pending.joiner;
    let info = encode(&invitation.opened.group_info).unwrap();
    let mut secrets = encode(&invitation.opened.group_secrets).unwrap();
    secrets.push(0);
    let refused = invitation.join(invitation.sealed(joiner, &info, &secrets.into()));
    let trailing = CodecError::Trailing { what: "group secrets", left: 1 };
    assert_eq!(refused, Err(JoinError::Welcome(WelcomeError::Codec(trailing))));
}

#[test]
fn a_group_info_that_does_not_open_or_is_none() {
    let invitation = Invitation::new();
    let info = encode(&invitation.opened.group_info).unwrap();
    let secrets = invitation.opened.group_secrets.plaintext().unwrap();
    let other = JoinerSecret([1; 32].as_slice().into());
    let refused = invitation.join(invitation.sealed(&other, &info, &secrets));
    assert_eq!(refused, Err(JoinError::Crypto(CryptoError::BadCiphertext)));
    let long = [&info, &[0][..]].concat();
    let sealed = invitation.sealed(&invitation.pending.joiner, &long, &secrets);
    let trailing = CodecError::Trailing { what: "a group info", left: 1 };
    assert_eq!(invitation.join(sealed), Err(JoinError::Codec(trailing)));
}

/// What the client says to a Welcome that asks for these keys.
fn asking_for(psks: &[PskType]) -> Result<(), JoinError> {
    let invitation = Invitation::new();
    let nonce = |psk_type: &PskType| PreSharedKeyId {
        psk_type: psk_type.clone(),
        psk_nonce: vec![2; 32].into(),
    };
    let add = |secrets: &mut GroupSecrets| secrets.psks.extend(psks.iter().map(nonce));
    invitation.join(invitation.forged(|_| (), add)).map(|_| ())
}

#[test]
fn a_pre_shared_key_that_is_not_held() {
    let refused = asking_for(&[PskType::External(vec![1].into())]);
    assert_eq!(refused, Err(JoinError::Psk(PskError::NotHeld("01".into()))));
}

#[test]
fn ties_to_two_groups() {
    let tie = |epoch| PskType::Resumption(ResumptionPskUsage::Branch, vec![1].into(), epoch);
    assert_eq!(asking_for(&[tie(1), tie(2)]), Err(JoinError::ManyTies));
}

#[test]
fn no_tree() {
    let invitation = Invitation::new();
    let refused = invitation.with_info(|info| info.extensions.clear());
    assert_eq!(refused, Err(JoinError::NoTree));
}

#[test]
fn a_tree_that_is_none() {
    let invitation = Invitation::new();
    let with_tree = |bytes: Vec<u8>| match invitation
        .with_info(|info| info.extensions = vec![tree_extension(bytes)])
    {
        Err(JoinError::DecodeTree(error)) => error,
        other => panic!("{other:?}"),
    };
    let honest = encode_tree(&invitation.pending.after.public.tree).unwrap();
    let long = [&honest, &[0][..]].concat();
    let trailing = CodecError::Trailing { what: "a ratchet tree", left: 1 };
    assert_eq!(with_tree(long), DecodeTreeError::Codec(trailing));
    assert_eq!(with_tree(vec![0]), DecodeTreeError::NotATree(NotATree::Empty));
    assert_eq!(with_tree(vec![1, 0]), DecodeTreeError::TrailingBlank);
}

#[test]
fn another_tree_than_the_group_infos() {
    let invitation = Invitation::new();
    let before = &invitation.group.member(0).member.public.tree;
    let refused = invitation
        .with_info(|info| info.extensions = vec![tree_extension(encode_tree(before).unwrap())]);
    assert_eq!(refused, Err(JoinError::TreeHash));
    // The same if it was fetched.
    let welcome = invitation.forged(|info| info.extensions.clear(), |_| ());
    let message = encode(&MlsMessage::Welcome(welcome)).unwrap();
    let fetched = |tree: &RatchetTree| decode_tree(&encode_tree(tree).unwrap()).unwrap();
    let refused = invitation.join_bytes(&message, Some(fetched(before)));
    assert_eq!(refused, Err(JoinError::TreeHash));
    let after = fetched(&invitation.pending.after.public.tree);
    assert_eq!(invitation.join_bytes(&message, Some(after)), Ok(()));
}

#[test]
fn an_invalid_tree() {
    let refused = Invitation::new().with_tree(|tree| {
        tree.edit(LeafIndex(0), &mut |leaf| leaf, &mut |_, parent| {
            if let Some(value) = parent {
                let mut changed = value.as_ref().clone();
                changed.encryption_key = vec![changed.encryption_key.as_slice()[0]; 32].into();
                *parent = Some(changed.into());
            }
        })
        .unwrap();
    });
    assert!(matches!(refused, Err(JoinError::Tree(TreeError::ParentHash { .. }))));
}

#[test]
fn a_group_with_an_extension_that_the_joiner_does_not_support() {
    let extension_type = ExtensionType(0xff01);
    let refused = Invitation::new().with_info(|info| {
        let extension_data = vec![].into();
        info.group_context.extensions.push(Extension { extension_type, extension_data });
    });
    let error = TreeError::GroupExtension(extension_type);
    assert_eq!(refused, Err(JoinError::Tree(error)));
}

/// What nobody knows in a group info is ignored; one type twice is not.
#[test]
fn extensions_of_a_group_info() {
    let unknown = || Extension {
        extension_type: ExtensionType(0x1a1a),
        extension_data: vec![1, 2, 3].into(),
    };
    let invitation = Invitation::new();
    assert_eq!(invitation.with_info(|info| info.extensions.push(unknown())), Ok(()));
    let twice = JoinError::Tree(TreeError::DuplicateExtension(unknown().extension_type));
    let refused = invitation.with_info(|info| info.extensions.extend([unknown(), unknown()]));
    assert_eq!(refused, Err(twice.clone()));
    let refused =
        invitation.with_info(|info| info.group_context.extensions.extend([unknown(), unknown()]));
    assert_eq!(refused, Err(twice));
}

#[test]
fn a_group_info_of_another_version() {
    let invitation = Invitation::new();
    let refused = invitation.with_info(|info| info.group_context.version = ProtocolVersion(2));
    assert_eq!(refused, Err(JoinError::WrongSuite));
}

#[test]
fn a_signer_that_is_not_a_member() {
    for leaf in [BLANK, OUTSIDE] {
        let refused = Invitation::new().with_info(|info| info.signer = leaf);
        assert_eq!(refused, Err(JoinError::UnknownSigner));
    }
}

#[test]
fn a_group_info_that_its_signer_did_not_sign() {
    let refused = Invitation::new().with_info(|info| info.signer = LeafIndex(0));
    let error = LeafNodeError::Crypto(CryptoError::BadSignature);
    assert_eq!(refused, Err(JoinError::GroupInfo(error)));
}

#[test]
fn a_tree_without_the_joiner() {
    let invitation = Invitation::new();
    // Everybody's tree before the commit: valid, but the joiner is not there.
    let before = invitation.group.member(0).member.public.tree.clone();
    let refused = invitation.with_tree(|tree| *tree = before);
    assert_eq!(refused, Err(JoinError::NotInTree));
}

#[test]
fn a_path_secret_of_another_node() {
    let invitation = Invitation::new();
    let refused = |secret: Option<Secret>| {
        invitation.join(invitation.forged(|_| (), |secrets| secrets.path_secret = secret))
    };
    let other = Some(Secret::from([1; 32].as_slice()));
    // The joiner stands at leaf 6: the root is the only node above both.
    assert_eq!(refused(other), Err(JoinError::Path(PathError::PublicKey(2))));
    let path = invitation.pending.path.as_ref().unwrap();
    let lower = Some(path.secrets[0].0.clone());
    assert_eq!(refused(lower), Err(JoinError::Path(PathError::PublicKey(2))));
    assert_eq!(refused(Some(path.secrets[2].0.clone())), Ok(()));
}

#[test]
fn another_confirmation_tag() {
    let invitation = Invitation::new();
    let refused = invitation.with_info(|info| info.confirmation_tag = Digest::from([1; 32]));
    assert_eq!(refused, Err(JoinError::ConfirmationTag));
    let refused = invitation.with_info(|info| info.group_context.epoch += 1);
    assert_eq!(refused, Err(JoinError::ConfirmationTag));
}
