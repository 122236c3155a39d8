//! A client of `mls-rs` as a [`Peer`].

use mls_rs::client_builder::PaddingMode;
use mls_rs::client_builder::{BaseConfig, WithCryptoProvider, WithIdentityProvider, WithMlsRules};
use mls_rs::group::{CommitEffect, ReceivedMessage};
use mls_rs::identity::SigningIdentity;
use mls_rs::identity::basic::{BasicCredential, BasicIdentityProvider};
use mls_rs::mls_rules::{CommitOptions, DefaultMlsRules, EncryptionOptions};
use mls_rs::psk::{ExternalPskId, PreSharedKey};
use mls_rs::{
    CipherSuite, CipherSuiteProvider, Client, CryptoProvider, ExtensionList, Group, MlsMessage,
};
use mls_rs_crypto_awslc::AwsLcCryptoProvider;

use crate::{Commit, Event, Habits, Peer, PeerError, Result, refusal};

const KIND: &str = "mls-rs";

type Config = WithIdentityProvider<
    BasicIdentityProvider,
    WithMlsRules<DefaultMlsRules, WithCryptoProvider<AwsLcCryptoProvider, BaseConfig>>,
>;

/// A client of `mls-rs` over aws-lc.
pub struct MlsRs {
    client: Client<Config>,
    group: Option<Group<Config>>,
}

fn no_group() -> PeerError {
    PeerError { kind: KIND, what: "not in a group".into() }
}

impl MlsRs {
    /// A client of this name and these habits.
    pub fn new(name: &[u8], suite: u16, habits: Habits) -> Result<Self> {
        let suite = CipherSuite::from(suite);
        let crypto = AwsLcCryptoProvider::new();
        let provider = crypto.cipher_suite_provider(suite).ok_or_else(no_suite)?;
        let (secret, public) = provider.signature_key_generate().map_err(refusal(KIND))?;
        let credential = BasicCredential::new(name.to_vec()).into_credential();
        let identity = SigningIdentity::new(credential, public);
        let rules = DefaultMlsRules::new()
            .with_commit_options(
                CommitOptions::new()
                    .with_ratchet_tree_extension(true)
                    .with_path_required(habits.always_path),
            )
            .with_encryption_options(EncryptionOptions::new(
                habits.private_handshakes,
                PaddingMode::StepFunction,
            ));
        let client = Client::builder()
            .crypto_provider(crypto)
            .mls_rules(rules)
            .identity_provider(BasicIdentityProvider::new())
            .signing_identity(identity, secret, suite)
            .build();
        Ok(Self { client, group: None })
    }

    fn group(&self) -> Result<&Group<Config>> {
        self.group.as_ref().ok_or_else(no_group)
    }

    fn group_mut(&mut self) -> Result<&mut Group<Config>> {
        self.group.as_mut().ok_or_else(no_group)
    }
}

impl MlsRs {
    /// The ratchet tree of the epoch, encoded.
    pub fn ratchet_tree(&self) -> Result<Vec<u8>> {
        self.group()?.export_tree().to_bytes().map_err(refusal(KIND))
    }
}

fn no_suite() -> PeerError {
    PeerError { kind: KIND, what: "the cipher suite is not supported".into() }
}

fn message(bytes: &[u8]) -> Result<MlsMessage> {
    MlsMessage::from_bytes(bytes).map_err(refusal(KIND))
}

fn bytes(message: &MlsMessage) -> Result<Vec<u8>> {
    message.to_bytes().map_err(refusal(KIND))
}

impl Peer for MlsRs {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn key_package(&mut self) -> Result<Vec<u8>> {
        let none = ExtensionList::new;
        let package = self.client.generate_key_package_message(none(), none(), None);
        bytes(&package.map_err(refusal(KIND))?)
    }

    fn create(&mut self, group_id: &[u8]) -> Result<()> {
        let none = ExtensionList::new;
        let group = self.client.create_group_with_id(group_id.to_vec(), none(), none(), None);
        self.group = Some(group.map_err(refusal(KIND))?);
        Ok(())
    }

    fn join(&mut self, welcome: &[u8]) -> Result<()> {
        let joined = self.client.join_group(None, &message(welcome)?, None);
        self.group = Some(joined.map_err(refusal(KIND))?.0);
        Ok(())
    }

    fn group_info(&mut self) -> Result<Vec<u8>> {
        let info = self.group()?.group_info_message_allowing_ext_commit(true);
        bytes(&info.map_err(refusal(KIND))?)
    }

    fn join_external(&mut self, group_info: &[u8]) -> Result<Vec<u8>> {
        let joined = self.client.commit_external(message(group_info)?);
        let (group, commit) = joined.map_err(refusal(KIND))?;
        self.group = Some(group);
        bytes(&commit)
    }

    fn propose_add(&mut self, key_package: &[u8]) -> Result<Vec<u8>> {
        let package = message(key_package)?;
        bytes(&self.group_mut()?.propose_add(package, vec![]).map_err(refusal(KIND))?)
    }

    fn propose_remove(&mut self, leaf: u32) -> Result<Vec<u8>> {
        bytes(&self.group_mut()?.propose_remove(leaf, vec![]).map_err(refusal(KIND))?)
    }

    fn propose_update(&mut self) -> Result<Vec<u8>> {
        bytes(&self.group_mut()?.propose_update(vec![]).map_err(refusal(KIND))?)
    }

    fn store_psk(&mut self, id: &[u8], psk: &[u8]) -> Result<()> {
        let mut store = self.client.secret_store();
        store.insert(ExternalPskId::new(id.to_vec()), PreSharedKey::from(psk.to_vec()));
        Ok(())
    }

    fn propose_psk(&mut self, id: &[u8]) -> Result<Vec<u8>> {
        let id = ExternalPskId::new(id.to_vec());
        bytes(&self.group_mut()?.propose_external_psk(id, vec![]).map_err(refusal(KIND))?)
    }

    fn commit(&mut self, adds: &[Vec<u8>], removes: &[u32]) -> Result<Commit> {
        let mut builder = self.group_mut()?.commit_builder();
        for package in adds {
            builder = builder.add_member(message(package)?).map_err(refusal(KIND))?;
        }
        for leaf in removes {
            builder = builder.remove_member(*leaf).map_err(refusal(KIND))?;
        }
        let output = builder.build().map_err(refusal(KIND))?;
        let welcome = output.welcome_messages.first().map(bytes).transpose()?;
        Ok(Commit { message: bytes(&output.commit_message)?, welcome })
    }

    fn accept_commit(&mut self) -> Result<()> {
        self.group_mut()?.apply_pending_commit().map(|_| ()).map_err(refusal(KIND))
    }

    fn discard_commit(&mut self) -> Result<()> {
        self.group_mut()?.clear_pending_commit();
        Ok(())
    }

    fn send(&mut self, data: &[u8]) -> Result<Vec<u8>> {
        let sent = self.group_mut()?.encrypt_application_message(data, vec![]);
        bytes(&sent.map_err(refusal(KIND))?)
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<Event> {
        let received = self.group_mut()?.process_incoming_message(message(bytes)?);
        Ok(match received.map_err(refusal(KIND))? {
            ReceivedMessage::ApplicationMessage(received) => {
                Event::Application { sender: received.sender_index, data: received.data().to_vec() }
            }
            ReceivedMessage::Commit(commit) => match commit.effect {
                CommitEffect::Removed { .. } => Event::Removed,
                _ => Event::Commit,
            },
            ReceivedMessage::Proposal(_) => Event::Proposal,
            other => {
                let what = format!("not for the members of a group: {other:?}");
                return Err(PeerError { kind: KIND, what });
            }
        })
    }

    fn epoch(&self) -> u64 {
        self.group.as_ref().map_or(0, Group::current_epoch)
    }

    fn epoch_authenticator(&self) -> Result<Vec<u8>> {
        Ok(self.group()?.epoch_authenticator().map_err(refusal(KIND))?.to_vec())
    }

    fn export(&self, label: &str, context: &[u8], length: usize) -> Result<Vec<u8>> {
        let exported = self.group()?.export_secret(label.as_bytes(), context, length);
        Ok(exported.map_err(refusal(KIND))?.to_vec())
    }

    fn roster(&self) -> Vec<(u32, Vec<u8>)> {
        let members = self.group.as_ref().map(|group| group.roster().members());
        let name = |identity: &SigningIdentity| {
            identity.credential.as_basic().map(|basic| basic.identifier.clone())
        };
        let members = members.unwrap_or_default().into_iter();
        members
            .map(|member| (member.index, name(&member.signing_identity).unwrap_or_default()))
            .collect()
    }

    fn leaf(&self) -> u32 {
        self.group.as_ref().map_or(0, Group::current_member_index)
    }
}
