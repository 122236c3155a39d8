//! The clients' identities and key packages, drawn from addressed seeds. A package's private
//! half is not stored: it is derived again when its owner joins.

use super::{ClientId, Joined, ProtocolError, Seeds};
use crate::codec::CodecError;
use crate::crypto::{Crypto, Provider, Seed, SignatureKeyPair};
use crate::group::{Founding, PublicGroup};
use crate::strategy::Strategy;
use crate::treesync::{
    Capabilities, Credential, ExtensionType, KeyPackage, KeyPackageSecrets, LeafNode, Lifetime,
    Profile,
};

use rand_core::Rng;
use tls_codec::Size;

/// Key packages are valid from the Unix epoch until the year 2100: expiry is not modelled.
const LIFETIME: Lifetime = Lifetime { not_before: 0, not_after: 4_102_444_800 };

/// What is kept of a client outside the group.
#[derive(Clone, Copy, Debug, Default)]
struct Published {
    registered: bool,
    /// Packages taken from the directory so far: the number of the next one.
    taken: u32,
    /// Commits made so far.
    commits: u32,
}

/// All clients that have registered.
pub(super) struct Clients<S> {
    seeds: S,
    strategy: Strategy,
    published: Vec<Published>,
}

impl<S: Seeds> Clients<S> {
    pub(super) fn new(seeds: S, strategy: Strategy) -> Self {
        Self { seeds, strategy, published: vec![] }
    }

    /// How their group keeps its tree.
    pub(super) fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// Their group's identifier, drawn from `rng`, and its extensions.
    pub(super) fn founding(&self, rng: &mut dyn Rng) -> Result<Founding, CodecError> {
        let mut group_id = Seed::default();
        rng.fill_bytes(&mut group_id);
        let extensions = self.strategy.extension()?.into_iter().collect();
        Ok(Founding { group_id: group_id.to_vec(), extensions })
    }

    pub(super) fn seeds(&self) -> &S {
        &self.seeds
    }

    /// The client's signature key pair.
    pub(super) fn signer(&self, provider: &dyn Provider, client: ClientId) -> SignatureKeyPair {
        provider.signature_key_pair(&self.seeds.seed("identity", client.0.into(), 0))
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

    /// What publishing packages takes: all cost the same.
    pub(super) fn publish(
        &self,
        provider: &dyn Provider,
        client: ClientId,
        packages: u32,
    ) -> Result<Joined, ProtocolError> {
        let crypto = Crypto::new(provider);
        let (package, _) = self.package(&crypto, client, 0)?;
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
        let mut capabilities = Capabilities::basic(crypto.cipher_suite());
        if self.strategy != Strategy::default() {
            capabilities.extensions.push(ExtensionType::STRATEGY);
        }
        if self.strategy.counts_commits() {
            capabilities.extensions.push(ExtensionType::COMMITS);
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
