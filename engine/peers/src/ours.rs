//! A client of our engine as a [`Peer`].

use arboretum_engine::codec::{decode, encode};
use arboretum_engine::crypto::{CipherSuite, Crypto, Provider, Seed, SignatureKeyPair, provider};
use arboretum_engine::group::{CommitPlan, Founding, Joining, Received, Session, Settings};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::MlsMessage;
use arboretum_engine::treekem::PskStore;
use arboretum_engine::treesync::{
    Capabilities, Credential, KeyPackage, KeyPackageSecrets, Lifetime, Profile, Proposal, PskType,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::{Commit, Event, Habits, Peer, PeerError, Result, refusal};

const KIND: &str = "arboretum";

/// Key packages are valid from an hour ago for four weeks.
const HOUR: u64 = 3_600;
const VALID: u64 = 28 * 24 * HOUR;

/// A client of our engine.
pub struct Ours {
    provider: &'static dyn Provider,
    rng: ChaCha20Rng,
    name: Vec<u8>,
    signer: SignatureKeyPair,
    settings: Settings,
    always_path: bool,
    packages: Vec<(KeyPackage, KeyPackageSecrets)>,
    psks: PskStore,
    session: Option<Session>,
}

#[allow(clippy::disallowed_types, reason = "key packages are checked against the real time")]
pub(crate) fn now() -> u64 {
    use std::time::{SystemTime, UNIX_EPOCH};
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The first and the last second of a key package that is made now.
pub(crate) fn validity() -> (u64, u64) {
    let not_before = now() - HOUR;
    (not_before, not_before + VALID)
}

fn no_group() -> PeerError {
    PeerError { kind: KIND, what: "not in a group".into() }
}

impl Ours {
    /// A client of this name and these habits.
    pub fn new(name: &[u8], suite: u16, habits: Habits, seed: Seed) -> Result<Self> {
        let provider = provider(CipherSuite(suite)).ok_or_else(|| PeerError {
            kind: KIND,
            what: format!("cipher suite {suite} is not built"),
        })?;
        let mut rng = ChaCha20Rng::from_seed(seed);
        let mut signer = Seed::default();
        rng.fill_bytes(&mut signer);
        Ok(Self {
            provider,
            rng,
            name: name.to_vec(),
            signer: provider.signature_key_pair(&signer),
            settings: Settings {
                private_handshakes: habits.private_handshakes,
                ..Settings::default()
            },
            always_path: habits.always_path,
            packages: vec![],
            psks: PskStore::default(),
            session: None,
        })
    }

    fn crypto(&self) -> Crypto<'static> {
        Crypto::new(self.provider)
    }

    fn session(&self) -> Result<&Session> {
        self.session.as_ref().ok_or_else(no_group)
    }

    /// The session and what else it works with.
    fn working(&mut self) -> Result<(&mut Session, Crypto<'static>, &mut ChaCha20Rng)> {
        let crypto = self.crypto();
        let session = self.session.as_mut().ok_or_else(no_group)?;
        Ok((session, crypto, &mut self.rng))
    }

    fn generate(&mut self) -> Result<(KeyPackage, KeyPackageSecrets)> {
        let crypto = self.crypto();
        let mut seed = Seed::default();
        self.rng.fill_bytes(&mut seed);
        let (not_before, not_after) = validity();
        let profile = Profile {
            credential: Credential::Basic(self.name.clone().into()),
            capabilities: Capabilities::basic(crypto.cipher_suite()).with_grease(&mut self.rng),
            lifetime: Lifetime { not_before, not_after },
            leaf_extensions: vec![],
            package_extensions: vec![],
        };
        KeyPackage::of_profile(&crypto, &self.signer, profile, seed).map_err(refusal(KIND))
    }

    fn joining<'p>(&self, package: &'p (KeyPackage, KeyPackageSecrets)) -> Joining<'p> {
        Joining {
            psks: self.psks.clone(),
            settings: self.settings,
            ..Joining::new(self.signer.clone(), &package.0, &package.1)
        }
    }

    fn propose(&mut self, proposal: Proposal) -> Result<Vec<u8>> {
        let (session, crypto, rng) = self.working()?;
        session.propose(&crypto, proposal, now(), rng).map_err(refusal(KIND))
    }
}

/// The package inside a message.
fn package_of(message: &[u8]) -> Result<KeyPackage> {
    match decode("an MLS message", message).map_err(refusal(KIND))? {
        MlsMessage::KeyPackage(package) => Ok(package),
        _ => Err(PeerError { kind: KIND, what: "the message is no key package".into() }),
    }
}

impl Peer for Ours {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn key_package(&mut self) -> Result<Vec<u8>> {
        let (package, secrets) = self.generate()?;
        let message = encode(&MlsMessage::KeyPackage(package.clone())).map_err(refusal(KIND))?;
        self.packages.push((package, secrets));
        Ok(message)
    }

    fn create(&mut self, group_id: &[u8]) -> Result<()> {
        let (package, crypto) = (self.generate()?, self.crypto());
        let founding = Founding { group_id: group_id.to_vec(), extensions: vec![] };
        let joining = self.joining(&package);
        let session = Session::create(&crypto, joining, founding, &mut self.rng);
        self.session = Some(session.map_err(refusal(KIND))?);
        Ok(())
    }

    fn join(&mut self, welcome: &[u8]) -> Result<()> {
        let crypto = self.crypto();
        let mut last = no_group();
        for package in &self.packages {
            match Session::join(&crypto, welcome, self.joining(package)) {
                Ok(session) => {
                    self.session = Some(session);
                    self.packages.clear();
                    return Ok(());
                }
                Err(error) => last = refusal(KIND)(error),
            }
        }
        Err(last)
    }

    fn group_info(&mut self) -> Result<Vec<u8>> {
        let (session, crypto, _) = self.working()?;
        let info = session.group_info(&crypto, true).map_err(refusal(KIND))?;
        encode(&MlsMessage::GroupInfo(info)).map_err(refusal(KIND))
    }

    fn join_external(&mut self, group_info: &[u8]) -> Result<Vec<u8>> {
        let MlsMessage::GroupInfo(info) =
            decode("an MLS message", group_info).map_err(refusal(KIND))?
        else {
            return Err(PeerError { kind: KIND, what: "the message is no group info".into() });
        };
        let (package, crypto) = (self.generate()?, self.crypto());
        let joining = self.joining(&package);
        let made = Session::join_external(&crypto, &info, joining, None, vec![], &mut self.rng);
        let (session, message) = made.map_err(refusal(KIND))?;
        self.session = Some(session);
        Ok(message)
    }

    fn propose_add(&mut self, key_package: &[u8]) -> Result<Vec<u8>> {
        let package = package_of(key_package)?;
        self.propose(Proposal::Add(package))
    }

    fn propose_remove(&mut self, leaf: u32) -> Result<Vec<u8>> {
        self.propose(Proposal::Remove(LeafIndex(leaf)))
    }

    fn propose_update(&mut self) -> Result<Vec<u8>> {
        let (session, crypto, rng) = self.working()?;
        session.propose_update(&crypto, None, |_| (), rng).map_err(refusal(KIND))
    }

    fn store_psk(&mut self, id: &[u8], psk: &[u8]) -> Result<()> {
        self.psks.insert_external(id.to_vec(), psk.into());
        if let Some(session) = &mut self.session {
            session.insert_psk(id.to_vec(), psk.into());
        }
        Ok(())
    }

    fn propose_psk(&mut self, id: &[u8]) -> Result<Vec<u8>> {
        let crypto = self.crypto();
        let psk = PskType::External(id.to_vec().into());
        let id = Session::psk_id(&crypto, psk, &mut self.rng);
        self.propose(Proposal::PreSharedKey(id))
    }

    fn commit(&mut self, adds: &[Vec<u8>], removes: &[u32]) -> Result<Commit> {
        let adds = adds.iter().map(|package| package_of(package).map(Proposal::Add));
        let mut proposals: Vec<_> =
            removes.iter().map(|leaf| Proposal::Remove(LeafIndex(*leaf))).collect();
        proposals.extend(adds.collect::<Result<Vec<_>>>()?);
        let path = self.always_path;
        let plan = CommitPlan { proposals, path, now: now(), ..CommitPlan::default() };
        let (session, crypto, rng) = self.working()?;
        let committed = session.commit(&crypto, plan, rng).map_err(refusal(KIND))?;
        Ok(Commit { message: committed.message, welcome: committed.welcome })
    }

    fn accept_commit(&mut self) -> Result<()> {
        let (session, ..) = self.working()?;
        session.accept_pending().map(|_| ()).map_err(refusal(KIND))
    }

    fn discard_commit(&mut self) -> Result<()> {
        self.working()?.0.discard_pending();
        Ok(())
    }

    fn send(&mut self, data: &[u8]) -> Result<Vec<u8>> {
        let (session, crypto, rng) = self.working()?;
        session.send(&crypto, data, &[], rng).map_err(refusal(KIND))
    }

    fn receive(&mut self, message: &[u8]) -> Result<Event> {
        let (session, crypto, _) = self.working()?;
        Ok(match session.receive(&crypto, message).map_err(refusal(KIND))? {
            Received::Application { sender, data, .. } => {
                Event::Application { sender: sender.0, data }
            }
            Received::Proposal { .. } => Event::Proposal,
            Received::Commit { .. } => Event::Commit,
            Received::Removed { .. } => Event::Removed,
        })
    }

    fn epoch(&self) -> u64 {
        self.session.as_ref().map_or(0, Session::epoch)
    }

    fn epoch_authenticator(&self) -> Result<Vec<u8>> {
        Ok(self.session()?.epoch_authenticator().as_slice().to_vec())
    }

    fn export(&self, label: &str, context: &[u8], length: usize) -> Result<Vec<u8>> {
        let exported = self.session()?.export(&self.crypto(), label, context, length);
        Ok(exported.map_err(refusal(KIND))?.as_slice().to_vec())
    }

    fn roster(&self) -> Vec<(u32, Vec<u8>)> {
        let members = self.session.as_ref().map(Session::members).unwrap_or_default();
        let name = |credential: &Credential| match credential {
            Credential::Basic(name) => name.as_slice().to_vec(),
            _ => vec![],
        };
        members.iter().map(|(leaf, node)| (leaf.0, name(&node.credential))).collect()
    }

    fn leaf(&self) -> u32 {
        self.session.as_ref().map_or(0, |session| session.leaf().0)
    }
}
