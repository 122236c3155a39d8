//! A group whose members each hold their own state and follow every commit from its bytes.

// Each test crate uses the part it needs.
#![allow(dead_code)]

pub(crate) mod client;

use std::collections::BTreeMap;

use arboretum_engine::crypto::{Crypto, HpkeKeyPair, Ledger, Provider};
use arboretum_engine::group::{
    CommitRequest, Followed, Founding, Member, PendingCommit, PublicGroup, Transition,
};
use arboretum_engine::strategy::Strategy;
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treesync::{Proposal, Roster, decode_tree_of, encode_tree};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use client::Client;

/// A member, its roster, and every HPKE key it has ever held in this group.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) member: Member,
    pub(crate) roster: Roster,
    pub(crate) held: Vec<HpkeKeyPair>,
}

impl Live {
    fn new(member: Member, roster: Roster, client: Client) -> Self {
        let mut live = Self { member, roster, held: vec![client.secrets.init] };
        live.note_keys();
        live
    }

    fn note_keys(&mut self) {
        let keys = &self.member.keys;
        for pair in std::iter::once(keys.leaf()).chain(keys.parents()) {
            if !self.held.contains(pair) {
                self.held.push(pair.clone());
            }
        }
    }

    /// Follows a commit from its bytes.
    pub(crate) fn follow(&mut self, crypto: &Crypto<'_>, message: &[u8]) -> (Followed, Transition) {
        let transition = self.member.public.apply(crypto, &self.roster, message).unwrap();
        let followed = self.member.follow(crypto, &transition).unwrap();
        if followed == Followed::Advanced {
            self.roster.advance(&transition.roster_changes);
            self.note_keys();
        }
        (followed, transition)
    }
}

/// What is to be committed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) by: LeafIndex,
    pub(crate) adds: usize,
    pub(crate) removes: Vec<LeafIndex>,
    pub(crate) path: bool,
    pub(crate) tree_in_welcome: bool,
}

/// A commit that everybody has followed.
pub(crate) struct Round {
    pub(crate) plan: Plan,
    pub(crate) before: PublicGroup,
    pub(crate) pending: PendingCommit,
    pub(crate) transition: Transition,
    /// What it cost: the committer, the followers by their leaves, the joiners.
    pub(crate) ledgers: Vec<Ledger>,
}

/// The group.
pub(crate) struct Group<'p> {
    pub(crate) provider: &'p dyn Provider,
    pub(crate) strategy: Strategy,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) live: BTreeMap<LeafIndex, Live>,
    pub(crate) gone: Vec<Live>,
    names: u64,
}

impl<'p> Group<'p> {
    /// A group of one.
    pub(crate) fn new(provider: &'p dyn Provider, seed: u64) -> Self {
        Self::under(provider, seed, Strategy::default())
    }

    /// A group of one that keeps its tree by a strategy.
    pub(crate) fn under(provider: &'p dyn Provider, seed: u64, strategy: Strategy) -> Self {
        let mut group = Self {
            provider,
            strategy,
            rng: ChaCha20Rng::seed_from_u64(seed),
            live: BTreeMap::new(),
            gone: vec![],
            names: 0,
        };
        let creator = group.client();
        let crypto = group.crypto();
        let (signer, rng) = (creator.signer.clone(), &mut group.rng);
        let mut group_id = vec![0; 32];
        rng.fill_bytes(&mut group_id);
        let extensions = strategy.extension().unwrap().into_iter().collect();
        let founding = Founding { group_id, extensions };
        let Client { package, secrets, .. } = &creator;
        let member = Member::create_with(&crypto, signer, package, secrets, founding, rng).unwrap();
        let roster = Roster::of(&member.public.tree).unwrap();
        group.live.insert(member.leaf, Live::new(member, roster, creator));
        group
    }

    /// A group of `members`, all added at once, in which each of `committers` has committed.
    pub(crate) fn of(
        provider: &'p dyn Provider,
        seed: u64,
        members: usize,
        committers: &[u32],
    ) -> Self {
        let mut group = Self::new(provider, seed);
        group.commit(Plan { adds: members - 1, path: true, ..Plan::default() });
        for by in committers {
            group.commit(Plan { by: LeafIndex(*by), ..Plan::default() });
        }
        group
    }

    pub(crate) fn crypto(&self) -> Crypto<'p> {
        Crypto::new(self.provider)
    }

    pub(crate) fn client(&mut self) -> Client {
        self.names += 1;
        Client::under(&self.crypto(), self.names, self.strategy, &mut self.rng)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.rng.next_u64() % n as u64) as usize
    }

    /// A member's leaf, at random.
    pub(crate) fn anybody(&mut self) -> LeafIndex {
        let at = self.below(self.live.len());
        *self.live.keys().nth(at).expect("the group has members")
    }

    pub(crate) fn member(&self, leaf: u32) -> &Live {
        &self.live[&LeafIndex(leaf)]
    }

    /// Makes a commit that nobody has followed yet.
    pub(crate) fn propose(
        &mut self,
        crypto: &Crypto<'_>,
        plan: &Plan,
        clients: &[Client],
    ) -> PendingCommit {
        let removes = plan.removes.iter().copied().map(Proposal::Remove);
        let adds = clients.iter().map(|client| Proposal::Add(client.package.clone()));
        let request = CommitRequest {
            proposals: removes.chain(adds).collect(),
            path: plan.path,
            tree_in_welcome: plan.tree_in_welcome,
            now: 1,
            ..CommitRequest::default()
        };
        let Live { member, roster, .. } = &self.live[&plan.by];
        member.commit(crypto, roster, request, &mut self.rng).unwrap()
    }

    /// Commits, and lets everybody follow or join.
    pub(crate) fn commit(&mut self, plan: Plan) -> Round {
        let clients: Vec<Client> = (0..plan.adds).map(|_| self.client()).collect();
        let before = self.live[&plan.by].member.public.clone();
        let crypto = self.crypto();
        let pending = self.propose(&crypto, &plan, &clients);
        let mut ledgers = vec![crypto.ledger()];
        let roster = &self.live[&plan.by].roster;
        let transition = before.apply(&self.crypto(), roster, &pending.message).unwrap();
        self.follow(&plan, &pending, &mut ledgers);
        self.join(&plan, &pending, clients, &mut ledgers);
        Round { plan, before, pending, transition, ledgers }
    }

    fn follow(&mut self, plan: &Plan, pending: &PendingCommit, ledgers: &mut Vec<Ledger>) {
        let crypto = || Crypto::new(self.provider);
        for (leaf, live) in &mut self.live {
            if *leaf == plan.by {
                live.member = pending.after.clone();
                live.roster.advance(&pending.roster_changes);
                live.note_keys();
                continue;
            }
            let crypto = crypto();
            let (followed, _) = live.follow(&crypto, &pending.message);
            let removed = plan.removes.contains(leaf);
            let expected = if removed { Followed::Removed } else { Followed::Advanced };
            assert_eq!(followed, expected, "{leaf}");
            ledgers.push(crypto.ledger());
        }
        let removed = plan.removes.iter().filter_map(|leaf| self.live.remove(leaf));
        self.gone.extend(removed);
    }

    fn join(
        &mut self,
        plan: &Plan,
        pending: &PendingCommit,
        clients: Vec<Client>,
        ledgers: &mut Vec<Ledger>,
    ) {
        assert_eq!(pending.welcome.is_some(), !clients.is_empty());
        for (client, leaf) in clients.into_iter().zip(&pending.applied.added) {
            let welcome = pending.welcome.as_ref().expect("there are joiners");
            let fetched = encode_tree(&pending.after.public.tree).unwrap();
            let tree =
                (!plan.tree_in_welcome).then(|| decode_tree_of(self.strategy, &fetched).unwrap());
            let crypto = self.crypto();
            let Client { signer, package, secrets } = &client;
            let (member, roster) =
                Member::join(&crypto, welcome, tree, signer.clone(), package, secrets).unwrap();
            assert_eq!(member.leaf, *leaf);
            ledgers.push(crypto.ledger());
            let before = self.live.insert(*leaf, Live::new(member, roster, client));
            assert!(before.is_none());
        }
    }
}
