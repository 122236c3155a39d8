//! A client of OpenMLS as a [`Peer`].

use openmls::prelude::tls_codec::{Deserialize, Serialize};
use openmls::prelude::*;
use openmls::schedule::psk::{ExternalPsk, PreSharedKeyId, Psk};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;

use crate::{Commit, Event, Habits, Peer, PeerError, Result, refusal};

const KIND: &str = "openmls";

/// How far application messages may be out of order, and how many may be skipped.
const OUT_OF_ORDER: u32 = 32;
const FORWARD: u32 = 1_000;

/// A client of OpenMLS over RustCrypto.
pub struct OpenMls {
    provider: OpenMlsRustCrypto,
    suite: Ciphersuite,
    signer: SignatureKeyPair,
    credential: CredentialWithKey,
    policy: WireFormatPolicy,
    always_path: bool,
    group: Option<MlsGroup>,
}

fn no_group() -> PeerError {
    PeerError { kind: KIND, what: "not in a group".into() }
}

fn unexpected(what: &str) -> PeerError {
    PeerError { kind: KIND, what: format!("the message is no {what}") }
}

impl OpenMls {
    /// A client of this name and these habits.
    pub fn new(name: &[u8], suite: u16, habits: Habits) -> Result<Self> {
        let provider = OpenMlsRustCrypto::default();
        let suite = Ciphersuite::try_from(suite).map_err(refusal(KIND))?;
        let signer = SignatureKeyPair::new(suite.signature_algorithm()).map_err(refusal(KIND))?;
        signer.store(provider.storage()).map_err(refusal(KIND))?;
        let credential = CredentialWithKey {
            credential: BasicCredential::new(name.to_vec()).into(),
            signature_key: signer.to_public_vec().into(),
        };
        let policy = if habits.private_handshakes {
            MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY
        } else {
            MIXED_PLAINTEXT_WIRE_FORMAT_POLICY
        };
        let always_path = habits.always_path;
        Ok(Self { provider, suite, signer, credential, policy, always_path, group: None })
    }

    fn group(&self) -> Result<&MlsGroup> {
        self.group.as_ref().ok_or_else(no_group)
    }

    fn capabilities(&self) -> Capabilities {
        let basic = [CredentialType::Basic];
        Capabilities::new(None, Some(&[self.suite]), Some(&[]), Some(&[]), Some(&basic))
    }

    fn ratchets() -> SenderRatchetConfiguration {
        SenderRatchetConfiguration::new(OUT_OF_ORDER, FORWARD)
    }

    fn join_config(&self) -> MlsGroupJoinConfig {
        MlsGroupJoinConfig::builder()
            .wire_format_policy(self.policy)
            .use_ratchet_tree_extension(true)
            .sender_ratchet_configuration(Self::ratchets())
            .build()
    }

    /// The package inside a message, validated.
    fn package(&self, message: &[u8]) -> Result<KeyPackage> {
        let MlsMessageBodyIn::KeyPackage(package) = body(message)? else {
            return Err(unexpected("key package"));
        };
        package.validate(self.provider.crypto(), ProtocolVersion::Mls10).map_err(refusal(KIND))
    }
}

fn body(message: &[u8]) -> Result<MlsMessageBodyIn> {
    let message = MlsMessageIn::tls_deserialize_exact(message).map_err(refusal(KIND))?;
    Ok(message.extract())
}

fn bytes(message: &MlsMessageOut) -> Result<Vec<u8>> {
    message.tls_serialize_detached().map_err(refusal(KIND))
}

impl Peer for OpenMls {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn key_package(&mut self) -> Result<Vec<u8>> {
        let bundle = KeyPackage::builder().leaf_node_capabilities(self.capabilities()).build(
            self.suite,
            &self.provider,
            &self.signer,
            self.credential.clone(),
        );
        let package = bundle.map_err(refusal(KIND))?.key_package().clone();
        bytes(&MlsMessageOut::from(package))
    }

    fn create(&mut self, group_id: &[u8]) -> Result<()> {
        let config = MlsGroupCreateConfig::builder()
            .wire_format_policy(self.policy)
            .use_ratchet_tree_extension(true)
            .sender_ratchet_configuration(Self::ratchets())
            .capabilities(self.capabilities())
            .ciphersuite(self.suite)
            .build();
        let group = MlsGroup::new_with_group_id(
            &self.provider,
            &self.signer,
            &config,
            GroupId::from_slice(group_id),
            self.credential.clone(),
        );
        self.group = Some(group.map_err(refusal(KIND))?);
        Ok(())
    }

    fn join(&mut self, welcome: &[u8]) -> Result<()> {
        let MlsMessageBodyIn::Welcome(welcome) = body(welcome)? else {
            return Err(unexpected("Welcome"));
        };
        let config = self.join_config();
        let staged = StagedWelcome::new_from_welcome(&self.provider, &config, welcome, None);
        let group = staged.map_err(refusal(KIND))?.into_group(&self.provider);
        self.group = Some(group.map_err(refusal(KIND))?);
        Ok(())
    }

    fn group_info(&mut self) -> Result<Vec<u8>> {
        let crypto = self.provider.crypto();
        let info = self.group()?.export_group_info(crypto, &self.signer, true);
        bytes(&info.map_err(refusal(KIND))?)
    }

    fn join_external(&mut self, group_info: &[u8]) -> Result<Vec<u8>> {
        let MlsMessageBodyIn::GroupInfo(info) = body(group_info)? else {
            return Err(unexpected("group info"));
        };
        let leaf = LeafNodeParameters::builder().with_capabilities(self.capabilities()).build();
        let (group, commit) = MlsGroup::external_commit_builder()
            .with_config(self.join_config())
            .build_group(&self.provider, info, self.credential.clone())
            .map_err(refusal(KIND))?
            .leaf_node_parameters(leaf)
            .load_psks(self.provider.storage())
            .map_err(refusal(KIND))?
            .build(self.provider.rand(), self.provider.crypto(), &self.signer, |_| true)
            .map_err(refusal(KIND))?
            .finalize(&self.provider)
            .map_err(refusal(KIND))?;
        self.group = Some(group);
        bytes(&commit.into_commit())
    }

    fn propose_add(&mut self, key_package: &[u8]) -> Result<Vec<u8>> {
        let package = self.package(key_package)?;
        let group = self.group.as_mut().ok_or_else(no_group)?;
        let proposed = group.propose_add_member(&self.provider, &self.signer, &package);
        bytes(&proposed.map_err(refusal(KIND))?.0)
    }

    fn propose_remove(&mut self, leaf: u32) -> Result<Vec<u8>> {
        let group = self.group.as_mut().ok_or_else(no_group)?;
        let leaf = LeafNodeIndex::new(leaf);
        if leaf == group.own_leaf_index() {
            let left = group.leave_group(&self.provider, &self.signer);
            return bytes(&left.map_err(refusal(KIND))?);
        }
        let proposed = group.propose_remove_member(&self.provider, &self.signer, leaf);
        bytes(&proposed.map_err(refusal(KIND))?.0)
    }

    fn propose_update(&mut self) -> Result<Vec<u8>> {
        let leaf = LeafNodeParameters::default();
        let group = self.group.as_mut().ok_or_else(no_group)?;
        let proposed = group.propose_self_update(&self.provider, &self.signer, leaf);
        bytes(&proposed.map_err(refusal(KIND))?.0)
    }

    fn store_psk(&mut self, id: &[u8], psk: &[u8]) -> Result<()> {
        let id = self.psk_id(id)?;
        id.store(&self.provider, psk).map_err(refusal(KIND))
    }

    fn propose_psk(&mut self, id: &[u8]) -> Result<Vec<u8>> {
        let id = self.psk_id(id)?;
        let group = self.group.as_mut().ok_or_else(no_group)?;
        let proposed = group.propose_pre_shared_key(&self.provider, &self.signer, id);
        bytes(&proposed.map_err(refusal(KIND))?.0)
    }

    fn commit(&mut self, adds: &[Vec<u8>], removes: &[u32]) -> Result<Commit> {
        let adds: Vec<_> = adds.iter().map(|add| self.package(add)).collect::<Result<_>>()?;
        let removes = removes.iter().copied().map(LeafNodeIndex::new);
        let (provider, signer) = (&self.provider, &self.signer);
        let group = self.group.as_mut().ok_or_else(no_group)?;
        let bundle = group
            .commit_builder()
            .propose_adds(adds)
            .propose_removals(removes)
            .force_self_update(self.always_path)
            .load_psks(provider.storage())
            .map_err(refusal(KIND))?
            .build(provider.rand(), provider.crypto(), signer, |_| true)
            .map_err(refusal(KIND))?
            .stage_commit(provider)
            .map_err(refusal(KIND))?;
        let (commit, welcome, _) = bundle.into_messages();
        Ok(Commit { message: bytes(&commit)?, welcome: welcome.as_ref().map(bytes).transpose()? })
    }

    fn accept_commit(&mut self) -> Result<()> {
        let group = self.group.as_mut().ok_or_else(no_group)?;
        group.merge_pending_commit(&self.provider).map_err(refusal(KIND))
    }

    fn discard_commit(&mut self) -> Result<()> {
        let group = self.group.as_mut().ok_or_else(no_group)?;
        group.clear_pending_commit(self.provider.storage()).map_err(refusal(KIND))
    }

    fn send(&mut self, data: &[u8]) -> Result<Vec<u8>> {
        let group = self.group.as_mut().ok_or_else(no_group)?;
        let sent = group.create_message(&self.provider, &self.signer, data);
        bytes(&sent.map_err(refusal(KIND))?)
    }

    fn receive(&mut self, message: &[u8]) -> Result<Event> {
        let message = MlsMessageIn::tls_deserialize_exact(message).map_err(refusal(KIND))?;
        let message = message.try_into_protocol_message().map_err(refusal(KIND))?;
        let group = self.group.as_mut().ok_or_else(no_group)?;
        let processed = group.process_message(&self.provider, message).map_err(refusal(KIND))?;
        let sender = processed.sender().clone();
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(data) => {
                let Sender::Member(leaf) = sender else { return Err(unexpected("member's")) };
                Ok(Event::Application { sender: leaf.u32(), data: data.into_bytes() })
            }
            ProcessedMessageContent::ProposalMessage(proposal)
            | ProcessedMessageContent::ExternalJoinProposalMessage(proposal) => {
                let stored = group.store_pending_proposal(self.provider.storage(), *proposal);
                stored.map(|()| Event::Proposal).map_err(refusal(KIND))
            }
            ProcessedMessageContent::StagedCommitMessage(commit) => {
                let removed = commit.self_removed();
                let merged = group.merge_staged_commit(&self.provider, *commit);
                merged.map_err(refusal(KIND))?;
                Ok(if removed { Event::Removed } else { Event::Commit })
            }
            #[allow(unreachable_patterns, reason = "more content with more features")]
            _ => Err(unexpected("message that is handled here")),
        }
    }

    fn epoch(&self) -> u64 {
        self.group.as_ref().map_or(0, |group| group.epoch().as_u64())
    }

    fn epoch_authenticator(&self) -> Result<Vec<u8>> {
        Ok(self.group()?.epoch_authenticator().as_slice().to_vec())
    }

    fn export(&self, label: &str, context: &[u8], length: usize) -> Result<Vec<u8>> {
        let crypto = self.provider.crypto();
        self.group()?.export_secret(crypto, label, context, length).map_err(refusal(KIND))
    }

    fn roster(&self) -> Vec<(u32, Vec<u8>)> {
        let Some(group) = &self.group else { return vec![] };
        let name = |credential: Credential| {
            BasicCredential::try_from(credential).map(|basic| basic.identity().to_vec())
        };
        group
            .members()
            .map(|member| (member.index.u32(), name(member.credential).unwrap_or_default()))
            .collect()
    }

    fn leaf(&self) -> u32 {
        self.group.as_ref().map_or(0, |group| group.own_leaf_index().u32())
    }
}

impl OpenMls {
    fn psk_id(&self, id: &[u8]) -> Result<PreSharedKeyId> {
        let psk = Psk::External(ExternalPsk::new(id.to_vec()));
        PreSharedKeyId::new(self.suite, self.provider.rand(), psk).map_err(refusal(KIND))
    }
}
