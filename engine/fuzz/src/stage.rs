//! A group of eight, somebody who was removed from it, somebody who is to enter it, and every kind
//! of message that they send: made once, from one seed, and never changed. Whoever receives is
//! a clone.

use std::sync::OnceLock;

use arboretum_engine::codec::{decode, encode};
use arboretum_engine::crypto::{CipherSuite, Crypto, Provider, Seed, SignatureKeyPair, provider};
use arboretum_engine::group::{
    CommitPlan, Founding, Joining, OpenedWelcome, Outsider, Session, Settings, propose_from_outside,
};
use arboretum_engine::strategy::Strategy;
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::{AuthenticatedContent, Content, FramedContent, MlsMessage};
use arboretum_engine::treekem::{GroupInfo, GroupSecrets, PskStore};
use arboretum_engine::treesync::{
    Capabilities, Credential, Extension, ExtensionType, ExternalSender, KeyPackage,
    KeyPackageSecrets, LeafNode, Lifetime, ParentNode, Profile, Proposal, ProposalType,
    ProposedPath, ProtocolVersion, PskType, ReInit, ResumptionPskUsage,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// A proposal type and an extension that all clients support.
const CUSTOM: ProposalType = ProposalType(0xff02);
const EXTENSION: ExtensionType = ExtensionType(0xff01);

/// Members at the end.
pub(crate) const MEMBERS: u32 = 8;

/// Who attacks from inside, whose public and private messages everything is made of.
pub(crate) const INSIDER: u32 = 2;
const PRIVATE_INSIDER: u32 = 4;
/// Who is attacked.
const VICTIM: u32 = 5;
/// Who sends what must be accepted afterwards, in the clear and not.
const HONEST: u32 = 3;
const PRIVATE_HONEST: u32 = 6;
/// Who was removed.
const GONE: u32 = 8;

const PSK: &[u8] = b"a key of the application";

/// A client outside the group.
pub(crate) struct Client {
    pub(crate) signer: SignatureKeyPair,
    pub(crate) package: KeyPackage,
    pub(crate) secrets: KeyPackageSecrets,
}

pub(crate) struct Stage {
    /// The members, each at the leaf of its number.
    pub(crate) members: Vec<Session>,
    /// The member that is attacked.
    pub(crate) victim: Session,
    /// The same with a commit of its own on the way.
    pub(crate) waiting: Session,
    /// Every kind of message.
    pub(crate) messages: Vec<Vec<u8>>,
    /// What is in those that are public.
    pub(crate) signed: Vec<AuthenticatedContent>,
    /// The same without signatures.
    pub(crate) contents: Vec<FramedContent>,
    /// Every kind of proposal.
    pub(crate) proposals: Vec<Proposal>,
    /// Messages of others that the victim accepts, one of each.
    pub(crate) honest: Vec<Vec<u8>>,
    /// Somebody whom a Welcome adds.
    pub(crate) newcomer: Client,
    pub(crate) welcome: Vec<u8>,
    /// What the Welcome says.
    pub(crate) group_secrets: GroupSecrets,
    pub(crate) welcome_info: GroupInfo,
    /// For those who join by themselves.
    pub(crate) group_info: GroupInfo,
}

pub(crate) fn suite() -> &'static dyn Provider {
    provider(CipherSuite::ALL[0]).expect("suite 1 is built")
}

pub(crate) fn crypto() -> Crypto<'static> {
    Crypto::new(suite())
}

pub(crate) fn psks() -> PskStore {
    let mut psks = PskStore::default();
    psks.insert_external(PSK.to_vec(), PSK.into());
    psks
}

impl Client {
    fn new(rng: &mut ChaCha20Rng, name: u32) -> Self {
        let mut seed = || {
            let mut seed = Seed::default();
            rng.fill_bytes(&mut seed);
            seed
        };
        let signer = suite().signature_key_pair(&seed());
        let mut capabilities = Capabilities::basic(suite().cipher_suite());
        capabilities.extensions.extend([EXTENSION, ExtensionType::STRATEGY]);
        capabilities.proposals.push(CUSTOM);
        let extension = Extension { extension_type: EXTENSION, extension_data: vec![1].into() };
        let profile = Profile {
            credential: Credential::Basic(name.to_be_bytes().to_vec().into()),
            capabilities,
            lifetime: Lifetime { not_before: 0, not_after: 1_000 },
            leaf_extensions: vec![extension.clone()],
            package_extensions: vec![extension],
        };
        let (package, secrets) = KeyPackage::of_profile(&crypto(), &signer, profile, seed())
            .expect("a package of these keys can be made");
        Self { signer, package, secrets }
    }

    pub(crate) fn joining(&self) -> Joining<'_> {
        Joining { psks: psks(), ..Joining::new(self.signer.clone(), &self.package, &self.secrets) }
    }

    fn add(&self) -> Proposal {
        Proposal::Add(self.package.clone())
    }
}

/// The settings of a member.
fn settings(name: u32) -> Settings {
    let private_handshakes = [PRIVATE_INSIDER, PRIVATE_HONEST].contains(&name);
    Settings { private_handshakes, ..Settings::default() }
}

fn plan(proposals: Vec<Proposal>) -> CommitPlan {
    CommitPlan { proposals, now: 1, path: true, ..CommitPlan::default() }
}

/// A group that grows into the stage.
struct Making {
    rng: ChaCha20Rng,
    external: SignatureKeyPair,
    members: Vec<Session>,
}

const MADE: &str = "the stage is made of valid steps";

impl Making {
    /// A group of one that listens to an external sender.
    fn found() -> Self {
        let mut rng = ChaCha20Rng::from_seed([9; 32]);
        let external = suite().signature_key_pair(&[8; 32]);
        let sender = ExternalSender {
            signature_key: external.public.clone(),
            credential: Credential::Basic(b"outside".to_vec().into()),
        };
        let founding =
            Founding { group_id: b"the group".to_vec(), extensions: vec![listened_to(&[sender])] };
        let founder = Client::new(&mut rng, 0);
        let session = Session::create(&crypto(), founder.joining(), founding, &mut rng);
        Self { rng, external, members: vec![session.expect(MADE)] }
    }

    /// Adds everybody in one commit.
    fn fill(&mut self) {
        let clients: Vec<_> = (1..=GONE).map(|name| Client::new(&mut self.rng, name)).collect();
        let proposals = clients.iter().map(Client::add).collect();
        let made = self.members[0].commit(&crypto(), plan(proposals), &mut self.rng).expect(MADE);
        self.members[0].accept_pending().expect(MADE);
        for (client, name) in clients.iter().zip(1..) {
            let joining = Joining { settings: settings(name), ..client.joining() };
            let welcome = made.welcome.as_ref().expect(MADE);
            self.members.push(Session::join(&crypto(), welcome, joining).expect(MADE));
        }
    }

    /// One member commits, and all follow.
    fn commit(&mut self, name: u32, proposals: Vec<Proposal>) -> Vec<u8> {
        let committer = &mut self.members[name as usize];
        let made = committer.commit(&crypto(), plan(proposals), &mut self.rng).expect(MADE);
        for member in &mut self.members {
            member.receive(&crypto(), &made.message).expect(MADE);
        }
        made.message
    }

    /// What a member would say, by a clone of it: the group does not hear of it.
    fn aside<T>(&mut self, name: u32, say: impl FnOnce(&mut Session, &mut ChaCha20Rng) -> T) -> T {
        say(&mut self.members[name as usize].clone(), &mut self.rng)
    }

    fn say(&mut self, name: u32) -> Vec<u8> {
        self.aside(name, |it, rng| it.send(&crypto(), b"hello", b"aad", rng).expect(MADE))
    }

    fn committed(&mut self, name: u32, proposals: Vec<Proposal>) -> Vec<u8> {
        let plan = plan(proposals);
        self.aside(name, |it, rng| it.commit(&crypto(), plan, rng).expect(MADE).message)
    }

    fn proposed(&mut self, name: u32, proposal: Proposal) -> Vec<u8> {
        self.aside(name, |it, rng| it.propose(&crypto(), proposal, 1, rng).expect(MADE))
    }
}

fn listened_to(senders: &[ExternalSender]) -> Extension {
    Extension {
        extension_type: ExtensionType::EXTERNAL_SENDERS,
        extension_data: encode(&senders.to_vec()).expect("senders have an encoding").into(),
    }
}

/// A strategy that is not the group's.
fn kept_otherwise() -> Extension {
    let strategy = Strategy { unmerged: false, ..Strategy::default() };
    strategy.extension().expect(MADE).expect("it is not that of RFC 9420")
}

impl Stage {
    /// The stage.
    pub(crate) fn get() -> &'static Self {
        static STAGE: OnceLock<Stage> = OnceLock::new();
        STAGE.get_or_init(Self::make)
    }

    fn make() -> Self {
        let mut making = Making::found();
        making.fill();
        let old: Vec<_> = (0..MEMBERS).map(|name| making.commit(name, vec![])).collect();
        let gone = making.members[GONE as usize].clone();
        let late = making.say(INSIDER);
        making.commit(0, vec![Proposal::Remove(LeafIndex(GONE))]);
        making.members.truncate(MEMBERS as usize);
        let proposals = making.proposals();
        let honest = [HONEST, PRIVATE_HONEST]
            .map(|name| [making.say(name), making.committed(name, vec![])])
            .concat();
        let newcomer = Client::new(&mut making.rng, 20);
        let (messages, welcome) = making.messages(&proposals, &newcomer);
        let messages = [messages, vec![late, old[1].clone(), making.late_commit(gone)]].concat();
        let (welcome_info, group_secrets) = opened(&welcome, &newcomer);
        let victim = making.members[VICTIM as usize].clone();
        let waiting = making.aside(VICTIM, |it, rng| {
            it.commit(&crypto(), plan(vec![]), rng).expect(MADE);
            it.clone()
        });
        let signed: Vec<_> = messages.iter().filter_map(|bytes| public(bytes)).collect();
        let contents = signed.iter().map(|signed| signed.content.clone()).collect();
        let group_info = making.members[0].group_info(&crypto(), true).expect(MADE);
        let members = making.members;
        Self {
            members,
            victim,
            waiting,
            messages,
            signed,
            contents,
            proposals,
            honest,
            newcomer,
            welcome,
            group_secrets,
            welcome_info,
            group_info,
        }
    }

    pub(crate) fn insider(&self) -> &Session {
        &self.members[INSIDER as usize]
    }

    /// The keyed parents of the tree.
    pub(crate) fn parents(&self) -> Vec<ParentNode> {
        let path = self.victim.public().tree.direct_path(LeafIndex(VICTIM)).expect(MADE);
        let parents = path.iter().filter_map(|step| step.node.parent());
        parents.map(|parent| ParentNode::clone(parent)).collect()
    }

    /// The group's list of external senders, encoded.
    pub(crate) fn external_senders(&self) -> Vec<u8> {
        let data = self.victim.public().context.extension(ExtensionType::EXTERNAL_SENDERS);
        data.expect(MADE).to_vec()
    }
}

impl Making {
    /// One of each kind.
    fn proposals(&mut self) -> Vec<Proposal> {
        let rng = &mut self.rng;
        let add = Client::new(rng, 30).add();
        let public = self.members[INSIDER as usize].public();
        let group = public.context.group_id.clone();
        let psk = |psk_type, rng: &mut ChaCha20Rng| {
            Proposal::PreSharedKey(Session::psk_id(&crypto(), psk_type, rng))
        };
        let used = PskType::Resumption(ResumptionPskUsage::Application, group, public.epoch() - 1);
        let reinit = ReInit {
            group_id: b"the next group".to_vec().into(),
            version: ProtocolVersion::MLS10,
            cipher_suite: suite().cipher_suite(),
            extensions: vec![],
        };
        vec![
            add,
            Proposal::Update(self.update()),
            Proposal::Remove(LeafIndex(7)),
            psk(PskType::External(PSK.to_vec().into()), &mut self.rng),
            psk(used, &mut self.rng),
            Proposal::ReInit(reinit),
            Proposal::GroupContextExtensions(vec![listened_to(&[])]),
            Proposal::Custom(CUSTOM, b"custom".to_vec().into()),
            Proposal::ExternalInit(vec![4; 32].into()),
            Proposal::GroupContextExtensions(vec![kept_otherwise()]),
            Proposal::Path(self.path()),
        ]
    }

    /// A path as the insider would propose it, in a group whose strategy has that.
    fn path(&mut self) -> ProposedPath {
        let message = self.committed(INSIDER, vec![]);
        match public(&message).expect(MADE).content.content {
            Content::Commit(commit) => ProposedPath(commit.path.expect(MADE)),
            other => panic!("{other:?}"),
        }
    }

    /// A leaf that the insider may propose for itself.
    fn update(&mut self) -> LeafNode {
        let message = self
            .aside(INSIDER, |it, rng| it.propose_update(&crypto(), None, |_| (), rng).expect(MADE));
        match public(&message).expect(MADE).content.content {
            Content::Proposal(Proposal::Update(leaf)) => leaf,
            other => panic!("{other:?}"),
        }
    }

    /// Messages of every kind, and the Welcome among them.
    fn messages(&mut self, proposals: &[Proposal], newcomer: &Client) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut messages = vec![self.say(INSIDER), self.say(PRIVATE_INSIDER)];
        for proposal in &proposals[..8] {
            let is_own = matches!(proposal, Proposal::Update(_));
            messages.push(self.proposed(INSIDER, proposal.clone()));
            if !is_own {
                messages.push(self.proposed(PRIVATE_INSIDER, proposal.clone()));
            }
        }
        let mixed = [0, 2, 3, 4, 7].map(|at: usize| proposals[at].clone()).to_vec();
        for name in [INSIDER, PRIVATE_INSIDER] {
            messages.push(self.committed(name, vec![]));
            messages.push(self.committed(name, mixed.clone()));
            messages.push(self.committed(name, vec![proposals[6].clone()]));
        }
        messages.push(self.committed(INSIDER, vec![proposals[5].clone()]));
        messages.extend(self.messages_of_outsiders(newcomer));
        let adds = plan(vec![newcomer.add()]);
        let added = self.aside(INSIDER, |it, rng| it.commit(&crypto(), adds, rng).expect(MADE));
        let welcome = added.welcome.expect(MADE);
        messages.extend([added.message, welcome.clone()]);
        let package = MlsMessage::KeyPackage(newcomer.package.clone());
        let info = self.members[0].group_info(&crypto(), true).expect(MADE);
        messages.push(encode(&package).expect(MADE));
        messages.push(encode(&MlsMessage::GroupInfo(info)).expect(MADE));
        (messages, welcome)
    }

    /// Proposals of an external sender and of a client that asks to be added, and an external
    /// commit.
    fn messages_of_outsiders(&mut self, newcomer: &Client) -> Vec<Vec<u8>> {
        let public = self.members[0].public();
        let (group, epoch) = (public.context.group_id.as_slice().to_vec(), public.epoch());
        let propose = |who, proposal, key| {
            propose_from_outside(&crypto(), who, &group, epoch, proposal, key, 1).expect(MADE)
        };
        let removal = Proposal::Remove(LeafIndex(7));
        let removal = propose(Outsider::External(0), removal, &self.external.private);
        let asked = propose(Outsider::NewMember, newcomer.add(), &newcomer.signer.private);
        let info = self.members[0].group_info(&crypto(), true).expect(MADE);
        let joining = newcomer.joining();
        let joined = Session::join_external(&crypto(), &info, joining, None, vec![], &mut self.rng);
        vec![removal, asked, joined.expect(MADE).1]
    }

    /// A commit of somebody who was removed.
    fn late_commit(&mut self, mut gone: Session) -> Vec<u8> {
        gone.commit(&crypto(), plan(vec![]), &mut self.rng).expect(MADE).message
    }
}

/// The content of a public message.
fn public(message: &[u8]) -> Option<AuthenticatedContent> {
    match decode("a message", message) {
        Ok(MlsMessage::Public(message)) => Some(message.into_content().0),
        _ => None,
    }
}

/// What a Welcome says to the one it adds.
fn opened(welcome: &[u8], newcomer: &Client) -> (GroupInfo, GroupSecrets) {
    let Ok(MlsMessage::Welcome(welcome)) = decode("a message", welcome) else { panic!("{MADE}") };
    let Client { package, secrets, .. } = newcomer;
    let opened = OpenedWelcome::open(&crypto(), &welcome, package, secrets, &psks()).expect(MADE);
    (opened.group_info, opened.group_secrets)
}
