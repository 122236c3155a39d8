//! Welcomes and group infos to a client that enters: changed on the way, and made by members who
//! sign, encrypt and confirm whatever they like. Whoever is in afterwards goes on from there.

use arboretum_engine::codec::{decode, encode};
use arboretum_engine::crypto::Digest;
use arboretum_engine::group::{CommitPlan, Session};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::MlsMessage;
use arboretum_engine::treekem::{
    EncryptedGroupSecrets, GroupInfo, GroupSecrets, JoinerSecret, Welcome,
};
use arboretum_engine::treesync::{Proposal, RatchetTree};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::Target;
use crate::choices::{Choices, change_encoding, mutate};
use crate::limits::within;
use crate::stage::{Client, Stage, crypto, psks};
use crate::trees::{change_info, change_tree};

pub(crate) fn targets() -> Vec<Target> {
    vec![
        Target { name: "join", run: join, seeds: Vec::new, one_in: 4 },
        Target { name: "join_external", run: join_external, seeds: Vec::new, one_in: 4 },
    ]
}

/// A Welcome to somebody who holds the keys of the package that it names.
fn join(input: &[u8]) {
    let (stage, mut choices) = (Stage::get(), Choices::new(input));
    let welcome = match choices.byte() % 4 {
        0 => raw(&stage.welcome, &stage.messages, &mut choices),
        _ => made(stage, &mut choices).unwrap_or_default(),
    };
    let tree = apart(stage, &mut choices);
    let joining = || {
        let mut joining = stage.newcomer.joining();
        joining.tree.clone_from(&tree);
        joining
    };
    let crypto = crypto();
    let joined = within(welcome.len(), || Session::join(&crypto, &welcome, joining()));
    if let Ok(session) = joined {
        goes_on(session, &mut choices);
    }
    if choices.one_in(8) {
        let honest = Session::join(&crypto, &stage.welcome, joining());
        assert!(honest.is_ok(), "an honest Welcome is refused: {:?}", honest.map(|_| ()));
    }
}

fn raw(bytes: &[u8], others: &[Vec<u8>], choices: &mut Choices<'_>) -> Vec<u8> {
    let (mut bytes, other) = (bytes.to_vec(), choices.pick(others));
    for _ in 0..=choices.below(3) {
        mutate(&mut bytes, other, choices);
    }
    bytes
}

/// A tree that was fetched apart.
fn apart(stage: &Stage, choices: &mut Choices<'_>) -> Option<RatchetTree> {
    let tree = stage.welcome_info.tree().ok().flatten()?;
    if choices.one_in(8) { change_tree(stage, &tree, choices) } else { Some(tree) }
}

/// A Welcome of members who keep to no rule.
fn made(stage: &Stage, choices: &mut Choices<'_>) -> Option<Vec<u8>> {
    let crypto = crypto();
    let mut secrets = stage.group_secrets.clone();
    if choices.one_in(4) {
        change_encoding(&mut secrets, choices);
    }
    if choices.one_in(8) {
        secrets.path_secret = None;
    }
    let psk_secret = psks().psk_secret(&crypto, &secrets.psks).unwrap_or_else(|_| crypto.zero());
    let joiner = JoinerSecret(secrets.joiner_secret.clone());
    let mut info = stage.welcome_info.clone();
    change_info(stage, &mut info, choices, |info| {
        let context = info.group_context.encoded();
        let epoch = joiner.epoch_secrets(&crypto, &psk_secret, &context);
        let confirmed = &info.group_context.confirmed_transcript_hash;
        if let Ok(epoch) = epoch {
            info.confirmation_tag = epoch.confirmation_tag(&crypto, confirmed);
        }
    });
    let mut plaintext = encode(&info).ok()?;
    if choices.one_in(16) {
        mutate(&mut plaintext, &[], choices);
    }
    let key = joiner.welcome_key(&crypto, &psk_secret).ok()?;
    let encrypted = crypto.aead_seal(&key.key, &key.nonce, &[], &plaintext).ok()?;
    sealed(&stage.newcomer, &secrets, encrypted, choices)
}

/// The message, with the secrets under the newcomer's init key.
fn sealed(
    newcomer: &Client,
    secrets: &GroupSecrets,
    encrypted_group_info: Vec<u8>,
    choices: &mut Choices<'_>,
) -> Option<Vec<u8>> {
    let (crypto, package) = (crypto(), &newcomer.package);
    let mut plaintext = encode(secrets).ok()?;
    if choices.one_in(16) {
        mutate(&mut plaintext, &[], choices);
    }
    let label = GroupSecrets::LABEL;
    let to = &package.init_key;
    let encrypted_group_secrets =
        crypto.encrypt_with_label(to, label, &encrypted_group_info, &plaintext, &[7; 32]).ok()?;
    let new_member: Digest = package.reference(&crypto).ok()?;
    let entry = EncryptedGroupSecrets { new_member, encrypted_group_secrets };
    let mut welcome = Welcome {
        cipher_suite: package.cipher_suite,
        secrets: vec![entry; 1 + choices.below(3)],
        encrypted_group_info: encrypted_group_info.into(),
    };
    if choices.one_in(32) {
        change_encoding(&mut welcome, choices);
    }
    encode(&MlsMessage::Welcome(welcome)).ok()
}

/// A client in a group that attackers have made up commits to it; this may be refused.
fn goes_on(mut session: Session, choices: &mut Choices<'_>) {
    let crypto = crypto();
    let mut rng = ChaCha20Rng::from_seed([5; 32]);
    session.digest(&crypto).expect("a state has a digest");
    assert!(session.public().tree.root().recount());
    let removal = Proposal::Remove(LeafIndex(choices.below(20) as u32));
    let proposals = if choices.one_in(2) { vec![removal] } else { vec![] };
    let plan = CommitPlan { proposals, path: true, now: 1, ..CommitPlan::default() };
    if session.commit(&crypto, plan, &mut rng).is_ok() {
        session.accept_pending().expect("a commit is on its way");
        session.digest(&crypto).expect("a state has a digest");
        let _ = session.send(&crypto, b"hello", b"", &mut rng);
    }
}

/// A group info that was changed, somebody who joins by it, and a member who is told.
fn join_external(input: &[u8]) {
    let (stage, mut choices) = (Stage::get(), Choices::new(input));
    let mut info = stage.group_info.clone();
    change_info(stage, &mut info, &mut choices, |_| ());
    let Some(info) = on_the_wire(info, &mut choices) else { return };
    let length = encode(&info).map_or(0, |encoded| encoded.len());
    let removing = choices.one_in(8).then(|| LeafIndex(choices.number() as u32));
    let (crypto, joining) = (crypto(), stage.newcomer.joining());
    let mut rng = ChaCha20Rng::from_seed([6; 32]);
    let joined = within(length, || {
        Session::join_external(&crypto, &info, joining, removing, vec![], &mut rng)
    });
    let Ok((session, message)) = joined else { return };
    session.digest(&crypto).expect("a state has a digest");
    let mut victim = stage.victim.clone();
    let before = victim.digest(&crypto);
    if within(message.len(), || victim.receive(&crypto, &message)).is_err() {
        assert_eq!(victim.digest(&crypto), before, "changed by a commit that was refused");
    }
}

/// The group info as it arrives, if it does.
fn on_the_wire(info: GroupInfo, choices: &mut Choices<'_>) -> Option<GroupInfo> {
    let mut bytes = encode(&info).ok()?;
    if choices.one_in(16) {
        mutate(&mut bytes, &[], choices);
    }
    within(bytes.len(), || decode("a group info", &bytes)).ok()
}
