//! The clients' identities and key packages, drawn from addressed seeds. A package's private
//! half is not stored: it is derived again when its owner joins.

use super::{Abilities, ClientId, Joined, ProtocolError, Seeds};
use crate::codec::CodecError;
use crate::crypto::{Crypto, Provider, Seed, SignatureKeyPair, SignaturePublicKey};
use crate::group::{Founding, PublicGroup};
use crate::strategy::Strategy;
use crate::treesync::{
    Credential, ExtensionType, KeyPackage, KeyPackageSecrets, LeafNode, Lifetime, Profile,
    ProposalType, agreement,
};

use rand_core::Rng;
use tls_codec::Size;

/// Key packages are valid from the Unix epoch until the year 2100: expiry is not modelled.
const LIFETIME: Lifetime = Lifetime { not_before: 0, not_after: 4_102_444_800 };

/// What is kept of a client outside the group.
#[derive(Clone, Copy, Debug, Default)]
struct Published {
    registered: bool,
    /// Packages published so far.
    packages: u32,
    /// Packages taken from the directory so far: the number of the next one.
    taken: u32,
    /// Commits made so far.
    commits: u32,
    /// How often its signature key was replaced.
    rotations: u32,
    /// Whether its next commit replaces it.
    rotates: bool,
    /// What it can do.
    abilities: Abilities,
}

/// All clients that have registered.
pub(super) struct Clients<S> {
    seeds: S,
    strategy: Strategy,
    /// Whether their group may have ghosts.
    quarantine: bool,
    published: Vec<Published>,
}

impl<S: Seeds> Clients<S> {
    pub(super) fn new(seeds: S, strategy: Strategy) -> Self {
        Self { seeds, strategy, quarantine: false, published: vec![] }
    }

    /// Everybody agrees to ghosts.
    pub(super) fn allow_quarantine(&mut self) {
        self.quarantine = true;
    }

    /// A group with ghosts is not made anew: it would take in a ghost by a package whose private half
    /// its old state has.
    pub(super) fn check_rebuild(&self) -> Result<(), ProtocolError> {
        let what = "replace a group that may have ghosts";
        let refused = Err(ProtocolError::Unsupported { protocol: "treekem", what });
        if self.quarantine { refused } else { Ok(()) }
    }

    /// How their group keeps its tree.
    pub(super) fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// Their group's identifier, drawn from `rng`, and its extensions.
    pub(super) fn founding(&self, rng: &mut dyn Rng) -> Result<Founding, CodecError> {
        let mut group_id = Seed::default();
        rng.fill_bytes(&mut group_id);
        let mut extensions: Vec<_> = self.strategy.extension()?.into_iter().collect();
        if self.quarantine {
            extensions.push(agreement()?);
        }
        Ok(Founding { group_id: group_id.to_vec(), extensions })
    }

    pub(super) fn seeds(&self) -> &S {
        &self.seeds
    }

    /// The client's signature key pair.
    pub(super) fn signer(&self, provider: &dyn Provider, client: ClientId) -> SignatureKeyPair {
        self.signer_after(provider, client, self.rotations(client))
    }

    fn rotations(&self, client: ClientId) -> u32 {
        self.published.get(client.0 as usize).map_or(0, |published| published.rotations)
    }

    fn signer_after(
        &self,
        provider: &dyn Provider,
        client: ClientId,
        rotations: u32,
    ) -> SignatureKeyPair {
        let seed = self.seeds.seed("identity", client.0.into(), rotations.into());
        provider.signature_key_pair(&seed)
    }

    /// The client's next commit replaces its signature key.
    pub(super) fn rotate(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        self.published(client)?.rotates = true;
        Ok(())
    }

    /// The signature key that a commit which a client makes now gives its leaf, if another.
    pub(super) fn successor(
        &self,
        provider: &dyn Provider,
        client: ClientId,
    ) -> Option<SignatureKeyPair> {
        let published = self.published.get(client.0 as usize).filter(|it| it.rotates)?;
        Some(self.signer_after(provider, client, published.rotations + 1))
    }

    /// A client's commit is in effect, after which it signs with this key.
    pub(super) fn signs_with(
        &mut self,
        provider: &dyn Provider,
        client: ClientId,
        key: &SignaturePublicKey,
    ) {
        let is_new = self.successor(provider, client).is_some_and(|new| new.public == *key);
        if let (true, Ok(published)) = (is_new, self.published(client)) {
            published.rotations += 1;
            published.rotates = false;
        }
    }

    /// Says what a client can do, before it registers.
    pub(super) fn declare(&mut self, client: ClientId, abilities: Abilities) {
        let at = client.0 as usize;
        if self.published.len() <= at {
            self.published.resize(at + 1, Published::default());
        }
        self.published[at].abilities = abilities;
    }

    /// Makes an identity and the first packages.
    pub(super) fn register(
        &mut self,
        provider: &dyn Provider,
        client: ClientId,
        packages: u32,
    ) -> Result<Joined, ProtocolError> {
        self.enrol(client);
        self.publish(provider, client, packages)
    }

    /// Publishes packages: all cost the same.
    pub(super) fn publish(
        &mut self,
        provider: &dyn Provider,
        client: ClientId,
        packages: u32,
    ) -> Result<Joined, ProtocolError> {
        let crypto = Crypto::new(provider);
        let (package, _) = self.package(&crypto, client, 0)?;
        self.published(client)?.packages += packages;
        Ok(Joined {
            bytes: u64::from(packages) * package.tls_serialized_len() as u64,
            ledger: crypto.ledger() * u64::from(packages),
        })
    }

    /// From now on a client is known, and its packages can be taken.
    pub(super) fn enrol(&mut self, client: ClientId) {
        let at = client.0 as usize;
        if self.published.len() <= at {
            self.published.resize(at + 1, Published::default());
        }
        self.published[at].registered = true;
    }

    fn published(&mut self, client: ClientId) -> Result<&mut Published, ProtocolError> {
        let published = self.published.get_mut(client.0 as usize).filter(|p| p.registered);
        published.ok_or(ProtocolError::NoKeyPackage(client))
    }

    /// Takes a client's next package from the directory; gives its number.
    pub(super) fn take_package(&mut self, client: ClientId) -> Result<u32, ProtocolError> {
        let published = self.published(client)?;
        published.taken += 1;
        Ok(published.taken - 1)
    }

    /// How many packages a client has published.
    pub(super) fn packages(&self, client: ClientId) -> u32 {
        self.published.get(client.0 as usize).map_or(0, |published| published.packages)
    }

    /// How many of a client's packages have been taken.
    pub(super) fn taken(&self, client: ClientId) -> u32 {
        self.published.get(client.0 as usize).map_or(0, |published| published.taken)
    }

    /// Counts a commit of a client; gives its number.
    pub(super) fn next_commit(&mut self, client: ClientId) -> Result<u32, ProtocolError> {
        let published = self.published(client)?;
        published.commits += 1;
        Ok(published.commits - 1)
    }

    /// A client's package of this number, with its private half.
    pub(super) fn package(
        &self,
        crypto: &Crypto<'_>,
        client: ClientId,
        number: u32,
    ) -> Result<(KeyPackage, KeyPackageSecrets), ProtocolError> {
        let signer = self.signer(crypto.provider(), client);
        let credential = Credential::Basic(client.0.to_be_bytes().to_vec().into());
        let seed = self.seeds.seed("key package", client.0.into(), number.into());
        let abilities = self.published.get(client.0 as usize).map(|it| it.abilities);
        let mut capabilities = abilities.unwrap_or_default().capabilities(crypto.cipher_suite());
        if self.strategy != Strategy::default() {
            capabilities.extensions.push(ExtensionType::STRATEGY);
        }
        if self.strategy.counts_commits() {
            capabilities.extensions.push(ExtensionType::COMMITS);
        }
        if self.strategy.concurrent {
            capabilities.proposals.push(ProposalType::PATH);
        }
        if self.quarantine {
            capabilities.proposals.push(ProposalType::QUARANTINE);
        }
        let profile = Profile {
            credential,
            capabilities,
            lifetime: LIFETIME,
            leaf_extensions: vec![],
            package_extensions: vec![],
        };
        Ok(KeyPackage::of_profile(crypto, &signer, profile, seed)?)
    }
}

/// The clients in a group, in the order of their numbers; O(n).
pub(super) fn clients_of(public: &PublicGroup) -> Result<Vec<ClientId>, ProtocolError> {
    let leaves = public.tree.root().leaves();
    let client = |leaf: &LeafNode| match &leaf.credential {
        Credential::Basic(identity) => identity.as_slice().try_into().ok().map(u32::from_be_bytes),
        _ => None,
    };
    let clients: Option<Vec<_>> =
        leaves.into_iter().map(|(_, leaf)| client(leaf).map(ClientId)).collect();
    let mut clients =
        clients.ok_or(ProtocolError::Check("a leaf has the identity of no client".into()))?;
    clients.sort_unstable();
    Ok(clients)
}
