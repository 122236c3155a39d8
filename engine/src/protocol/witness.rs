//! The witness of departures. It records of the clients that it watches the public halves of all
//! private keys of the tree that they hold: their leaves', those of paths they sent or followed, what a
//! Welcome told them; at `shared` those of commits, too, that they have not received yet and could
//! follow, at `full` once they do. It forgets none, whatever the clients erase.
//!
//! A *membership* ends with the commit that removes its client, whether the client ever hears of it,
//! and whether or not the same commit adds or enters it anew; that of a member that moves to another
//! leaf ends there and begins here; and all end with a group that is replaced. From that commit on, no key of a membership that has ended
//!
//! * stands in the tree,
//! * is one that a ciphertext of a path is encrypted to.
//!
//! A ghost's membership ends with the commit that makes it one, and with each that renews its key, until
//! it has found its keys: whoever stole what it had is out like one who was removed. And of each ghost's
//! key in the tree it is recorded who has made it and who holds a share: of all those whose memberships
//! have ended since, none has made one that still stands, and no quorum holds the shares of one.
//!
//! So whoever is out can derive no secret of a path, and with that no epoch, and whoever has come back
//! owes what it derives to what it was given since. Which keys a removal must spare and which not is
//! the strategy's affair; none may break this.

use std::collections::{BTreeMap, BTreeSet};

use super::quarantine::Given;
use super::{ClientId, ProtocolError, Seeds};
use crate::crypto::HpkePublicKey;
use crate::group::Transition;
use crate::tree::OutsideTree;
use crate::treekem::{NewPath, PrivateKeys, key_of, recipients};
use crate::treesync::{Roster, RosterChange, THRESHOLD};

/// How many clients are watched where not all are: a commit costs each O(log n), and its keys stay.
pub(super) const SAMPLE: usize = 16;

/// The end of a public key, which tells keys apart: in every suite it is a part of a curve point or of
/// its coordinate.
type Mark = [u8; 16];

fn mark(key: &HpkePublicKey) -> Mark {
    let mut mark = Mark::default();
    mark.iter_mut().rev().zip(key.as_slice().iter().rev()).for_each(|(to, from)| *to = *from);
    mark
}

/// What a member has seen.
#[derive(Debug, Default)]
struct Seen {
    /// All keys of its membership.
    keys: Vec<Mark>,
    /// Those that it held when it was last looked at.
    last: Vec<Mark>,
}

/// What is known of those who are watched.
#[derive(Debug)]
pub(super) struct Witness {
    /// The clients watched; all of them, where there is no sample.
    sample: Option<Vec<ClientId>>,
    /// How often somebody has entered the group.
    entered: u64,
    /// The watched clients that are in the tree.
    members: BTreeMap<ClientId, Seen>,
    /// The keys of memberships that have ended, and whose they were last.
    ended: BTreeMap<Mark, ClientId>,
    /// Whose memberships have ended.
    out: BTreeSet<ClientId>,
    /// Whether one has ended since the tree was last looked at as a whole.
    to_sweep: bool,
    /// Ghosts' keys, and who knows of them; of all clients, not of the sample.
    made: BTreeMap<HpkePublicKey, Known>,
}

/// Who knows of a ghost's key.
#[derive(Debug)]
struct Known {
    maker: ClientId,
    holders: Vec<ClientId>,
    /// Those among them who are out.
    out: BTreeSet<ClientId>,
}

impl Known {
    /// Whether those who are out know the key together.
    fn is_lost(&self) -> bool {
        let holders = self.holders.iter().filter(|it| self.out.contains(it)).count();
        self.out.contains(&self.maker) || holders >= usize::from(THRESHOLD)
    }
}

impl Witness {
    /// Watches everybody.
    pub(super) fn of_all() -> Self {
        let (members, ended, out) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let made = BTreeMap::new();
        Self { sample: None, entered: 0, members, ended, out, to_sweep: false, made }
    }

    /// Watches a sample of those who enter: each of them that ever have is in it alike.
    pub(super) fn of_sample() -> Self {
        Self { sample: Some(vec![]), ..Self::of_all() }
    }

    /// A client is in the tree by the commit at hand, or has made the group.
    pub(super) fn enter(&mut self, client: ClientId, seeds: &impl Seeds) {
        self.entered += 1;
        let Some(sample) = &mut self.sample else {
            self.members.insert(client, Seen::default());
            return;
        };
        if !sample.contains(&client) {
            if sample.len() < SAMPLE {
                sample.push(client);
            } else {
                let [a, b, c, d, e, f, g, h, ..] = seeds.seed("witness", self.entered, 0);
                let drawn = u64::from_le_bytes([a, b, c, d, e, f, g, h]) % self.entered;
                let place = usize::try_from(drawn).ok().and_then(|drawn| sample.get_mut(drawn));
                let Some(place) = place else { return };
                self.members.remove(&std::mem::replace(place, client));
            }
        }
        self.members.insert(client, Seen::default());
    }

    /// A client is not in the tree any more where it was; whether it is watched.
    pub(super) fn end(&mut self, client: ClientId) -> bool {
        let Some(seen) = self.members.remove(&client) else { return false };
        self.ended.extend(seen.keys.into_iter().map(|key| (key, client)));
        self.out.insert(client);
        self.to_sweep = true;
        true
    }

    /// By the commit at hand clients are `removed`, and others get keys from its sender: they are ghosts
    /// from then on. Whoever is either is out, with what it knows of keys made before.
    pub(super) fn keys_made<E>(
        &mut self,
        removed: &[ClientId],
        maker: ClientId,
        keys: &[(ClientId, Given<E>)],
    ) {
        let gone = removed.iter().copied().chain(keys.iter().map(|(ghost, _)| *ghost));
        for client in gone {
            let known = self.made.values_mut();
            known.for_each(|known| _ = known.out.insert(client));
        }
        for (ghost, given) in keys {
            self.end(*ghost);
            let key = given.made.key.public.clone();
            let (holders, out) = (given.holders.clone(), BTreeSet::new());
            self.made.insert(key, Known { maker, holders, out });
        }
    }

    /// A ghost has found its keys, and holds what they lead to.
    pub(super) fn returns(&mut self, client: ClientId) {
        if self.sample.as_ref().is_none_or(|sample| sample.contains(&client)) {
            self.members.insert(client, Seen::default());
        }
    }

    /// No ghost's key stands in the tree that those who are out know together.
    fn check_made(&mut self, roster: &Roster) -> Result<(), ProtocolError> {
        self.made.retain(|key, _| roster.has_encryption_key(key));
        if self.made.values().any(Known::is_lost) {
            let what = "those who are out know a ghost's key of the new tree together";
            return Err(ProtocolError::Check(what.into()));
        }
        Ok(())
    }

    /// A client gives up its leaf for another.
    pub(super) fn moves(&mut self, client: ClientId) {
        if self.end(client) {
            self.members.insert(client, Seen::default());
        }
    }

    /// The watched clients that are in the tree.
    pub(super) fn members(&self) -> impl Iterator<Item = ClientId> {
        self.members.keys().copied()
    }

    /// What a client holds now. Who is out already may still follow what it had not received; `roster`
    /// is that of the newest epoch.
    pub(super) fn note(
        &mut self,
        client: ClientId,
        keys: &PrivateKeys,
        roster: &Roster,
    ) -> Result<(), ProtocolError> {
        if !self.members.contains_key(&client) {
            return self.note_past(client, keys, roster);
        }
        self.holds(client, held(keys));
        Ok(())
    }

    /// The keys that a member in the tree holds now.
    pub(super) fn holds<'k>(
        &mut self,
        client: ClientId,
        keys: impl Iterator<Item = &'k HpkePublicKey>,
    ) {
        if let Some(seen) = self.members.get_mut(&client) {
            let held: Vec<Mark> = keys.map(mark).collect();
            seen.keys.extend(held.iter().filter(|key| !seen.last.contains(key)));
            seen.last = held;
        }
    }

    /// The sender of a commit, or who has made a group, has drawn all keys of its path, under a strategy
    /// that taints those of parents that it is not below among them, which it does not hold and may
    /// have kept.
    pub(super) fn draws(&mut self, client: ClientId, path: Option<&NewPath>) {
        if let (Some(seen), Some(path)) = (self.members.get_mut(&client), path) {
            seen.keys.extend(path.key_pairs.iter().map(|pair| mark(&pair.public)));
        }
    }

    /// What a client holds from a membership that has ended, or is in a group that has been replaced.
    pub(super) fn note_past(
        &mut self,
        client: ClientId,
        keys: &PrivateKeys,
        roster: &Roster,
    ) -> Result<(), ProtocolError> {
        if self.sample.is_none() {
            for key in held(keys) {
                if roster.has_encryption_key(key) {
                    return Err(stands(client));
                }
                self.ended.insert(mark(key), client);
            }
        }
        Ok(())
    }

    /// Checks a commit, once who ends and enters by it is told; `roster` is that of the new epoch.
    /// Gives how many clients' past keys that was a check of.
    pub(super) fn check(
        &mut self,
        transition: &Transition,
        roster: &Roster,
    ) -> Result<u32, ProtocolError> {
        if self.to_sweep {
            self.check_tree(roster)?;
        }
        self.check_made(roster)?;
        let entering = transition.roster_changes.iter().filter_map(RosterChange::entering);
        self.find(entering).map_or(Ok(()), |client| Err(stands(client)))?;
        match self.find_recipient(transition)? {
            Some(client) => Err(ProtocolError::Check(format!(
                "a ciphertext of the commit is for a key that {client} has from a membership that has ended"
            ))),
            None => Ok(self.out.len() as u32),
        }
    }

    /// Checks every key of a tree.
    pub(super) fn check_tree(&mut self, roster: &Roster) -> Result<u32, ProtocolError> {
        self.to_sweep = false;
        let found = self.find(roster.encryption_keys());
        found.map_or(Ok(self.out.len() as u32), |client| Err(stands(client)))
    }

    /// Whose key of an ended membership is among these.
    fn find<'k>(&self, mut keys: impl Iterator<Item = &'k HpkePublicKey>) -> Option<ClientId> {
        if self.ended.is_empty() {
            return None;
        }
        keys.find_map(|key| self.ended.get(&mark(key)).copied())
    }

    fn find_recipient(&self, transition: &Transition) -> Result<Option<ClientId>, OutsideTree> {
        let Some(path) = transition.path.as_ref().filter(|_| !self.ended.is_empty()) else {
            return Ok(None);
        };
        if let Some(set) = transition.refresh_set() {
            let new = |at: usize| &path.update_path.nodes[at].encryption_key;
            let keys = set.recipients(new, |child| {
                Ok::<_, OutsideTree>(child.resolution().iter().map(key_of).collect())
            })?;
            return Ok(self.find(keys.into_iter().flatten()));
        }
        let steps = path.tree_before.filtered_direct_path(transition.committer)?;
        let found = |step| self.find(recipients(step, &transition.added).iter().map(key_of));
        Ok(steps.iter().find_map(found))
    }
}

fn held(keys: &PrivateKeys) -> impl Iterator<Item = &HpkePublicKey> {
    std::iter::once(keys.leaf()).chain(keys.parents()).map(|pair| &pair.public)
}

fn stands(client: ClientId) -> ProtocolError {
    ProtocolError::Check(format!(
        "{client} has a key of the new tree from a membership that has ended"
    ))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::super::clients::Clients;
    use super::super::plain_seeds::Plain;
    use super::*;
    use crate::crypto::{CountingProvider, Crypto, Seed};
    use crate::group::{CommitRequest, Member, PendingCommit};
    use crate::strategy::Strategy;
    use crate::tree::LeafIndex;
    use crate::treesync::{KeyPackageSecrets, Proposal};

    const GONE: ClientId = ClientId(1);

    /// A group of four whose first member makes every commit, and who has been told of all.
    struct Watched {
        member: Member,
        roster: Roster,
        witness: Witness,
        clients: Clients<Plain>,
    }

    impl Watched {
        fn new() -> Self {
            let mut clients = Clients::new(Plain, Strategy::default());
            let crypto = Crypto::new(&CountingProvider);
            for client in (0..4).map(ClientId) {
                clients.register(&CountingProvider, client, 2).unwrap();
            }
            let (package, secrets) = clients.package(&crypto, ClientId(0), 0).unwrap();
            let signer = clients.signer(&CountingProvider, ClientId(0));
            let mut rng = ChaCha20Rng::seed_from_u64(1);
            let member = Member::create(&crypto, signer, &package, &secrets, &mut rng).unwrap();
            let roster = Roster::of(&member.public.tree).unwrap();
            let mut witness = Witness::of_all();
            witness.enter(ClientId(0), &Plain);
            witness.note(ClientId(0), &member.keys, &roster).unwrap();
            let mut watched = Self { member, roster, witness, clients };
            let adds: Vec<_> = (1..4).map(|number| watched.package(number, 0)).collect();
            let proposals = adds.iter().map(|(package, _)| Proposal::Add(package.clone()));
            let (pending, transition) = watched.commit(proposals.collect());
            for (client, (_, secrets)) in (1..4).map(ClientId).zip(&adds) {
                watched.joins(client, &pending, secrets);
            }
            assert_eq!(watched.check(&transition).unwrap(), 0);
            watched
        }

        fn package(
            &self,
            client: u32,
            number: u32,
        ) -> (crate::treesync::KeyPackage, KeyPackageSecrets) {
            let crypto = Crypto::new(&CountingProvider);
            self.clients.package(&crypto, ClientId(client), number).unwrap()
        }

        fn commit(&mut self, proposals: Vec<Proposal>) -> (PendingCommit, Transition) {
            let crypto = Crypto::new(&CountingProvider);
            let request =
                CommitRequest { proposals, path: true, now: 1, ..CommitRequest::default() };
            let mut rng = ChaCha20Rng::seed_from_u64(2 + self.member.epoch());
            let pending = self.member.commit(&crypto, &self.roster, request, &mut rng).unwrap();
            let public = &self.member.public;
            let transition = public.apply(&crypto, &self.roster, &pending.message).unwrap();
            self.roster.advance(&transition.roster_changes);
            self.member = pending.after.clone();
            self.witness.note(ClientId(0), &self.member.keys, &self.roster).unwrap();
            (pending, transition)
        }

        fn joins(
            &mut self,
            client: ClientId,
            pending: &PendingCommit,
            secrets: &KeyPackageSecrets,
        ) {
            let path = pending.path.as_ref().unwrap();
            let mut keys = PrivateKeys::of_leaf(secrets.encryption.clone());
            keys.extend(path.key_pairs.last().cloned());
            self.witness.enter(client, &Plain);
            self.witness.note(client, &keys, &self.roster).unwrap();
        }

        /// The client goes, by a commit that it may follow or not.
        fn removed(&mut self) -> Transition {
            let (_, transition) = self.commit(vec![Proposal::Remove(LeafIndex(GONE.0))]);
            assert!(self.witness.end(GONE));
            transition
        }

        fn check(&mut self, transition: &Transition) -> Result<u32, ProtocolError> {
            self.witness.check(transition, &self.roster)
        }
    }

    fn told(refused: Result<u32, ProtocolError>) -> String {
        refused.unwrap_err().to_string()
    }

    #[test]
    fn nothing_of_who_is_gone_is_left() {
        let mut watched = Watched::new();
        let transition = watched.removed();
        assert_eq!(watched.check(&transition).unwrap(), 1);
        let (_, later) = watched.commit(vec![]);
        assert_eq!(watched.check(&later).unwrap(), 1);
        assert!(!watched.witness.end(GONE), "once");
    }

    #[test]
    fn a_key_that_survives_a_removal_is_seen() {
        let mut watched = Watched::new();
        let survives = watched.roster.clone();
        let transition = watched.removed();
        let told = told(watched.witness.check(&transition, &survives));
        assert!(told.contains("client 1 has a key of the new tree"), "{told}");
    }

    /// A key for a ghost, as its maker has made it; two holders are enough for the witness.
    fn made(watched: &Watched, ghost: u32, holders: [u32; 2]) -> (ClientId, Given<()>) {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let (crypto, leaves) = (Crypto::new(&CountingProvider), holders.map(LeafIndex));
        let made = watched.member.quarantine(&crypto, LeafIndex(ghost), &leaves, &mut rng).unwrap();
        let at = |leaf: LeafIndex| Some(ClientId(leaf.0));
        super::super::quarantine::given(1, (), made, at).unwrap()
    }

    #[test]
    fn what_a_ghost_held_before_counts_as_of_one_who_is_gone() {
        let mut watched = Watched::new();
        let (_, transition) = watched.commit(vec![]);
        assert!(watched.check(&transition).is_ok());
        let key = made(&watched, GONE.0, [2, 3]);
        watched.witness.keys_made(&[], ClientId(0), &[key]);
        // Its old key still stands: nobody has put the new one there.
        let told = told(watched.check(&transition));
        assert!(told.contains("client 1 has a key of the new tree"), "{told}");
        // Once it has found its keys it holds what it holds.
        let (_, transition) = watched.commit(vec![Proposal::Remove(LeafIndex(GONE.0))]);
        assert!(watched.check(&transition).is_ok());
        watched.witness.returns(GONE);
        assert!(watched.witness.members().any(|client| client == GONE));
    }

    #[test]
    fn a_ghosts_key_that_those_who_are_out_know_together_is_seen() {
        let gone = |out: &[&[u32]]| {
            let mut watched = Watched::new();
            let key = made(&watched, GONE.0, [2, 3]);
            let public = key.1.made.key.public.clone();
            watched.witness.keys_made(&[], ClientId(0), &[key]);
            watched.roster.advance(&[RosterChange::ParentIn(public.clone())]);
            for clients in out {
                let clients: Vec<_> = clients.iter().copied().map(ClientId).collect();
                watched.witness.keys_made::<()>(&clients, ClientId(0), &[]);
            }
            let seen = watched.witness.check_made(&watched.roster);
            // A key that does not stand any more is nobody's business.
            watched.roster.advance(&[RosterChange::ParentOut(public)]);
            assert!(watched.witness.check_made(&watched.roster).is_ok());
            seen.is_err()
        };
        assert!(!gone(&[]) && !gone(&[&[2]]) && !gone(&[&[3], &[3]]), "one holder alone");
        assert!(gone(&[&[2, 3]]) && gone(&[&[2], &[3]]), "a quorum");
        assert!(gone(&[&[0]]), "the maker");
    }

    #[test]
    fn a_ciphertext_for_who_is_gone_is_seen() {
        let mut watched = Watched::new();
        let tree = watched.member.public.tree.clone();
        let mut transition = watched.removed();
        transition.path.as_mut().unwrap().tree_before = tree;
        let told = told(watched.check(&transition));
        assert!(told.contains("a ciphertext of the commit is for a key that client 1"), "{told}");
    }

    #[test]
    fn a_key_that_comes_back_is_seen_whoever_has_come_back() {
        let mut watched = Watched::new();
        let old = watched.package(GONE.0, 0).0.leaf_node.encryption_key;
        let transition = watched.removed();
        watched.check(&transition).unwrap();
        let (package, secrets) = watched.package(GONE.0, 1);
        let (pending, mut transition) = watched.commit(vec![Proposal::Add(package)]);
        watched.joins(GONE, &pending, &secrets);
        assert_eq!(watched.check(&transition).unwrap(), 1, "it lives by new keys");
        transition.roster_changes.push(RosterChange::ParentIn(old));
        let told = told(watched.check(&transition));
        assert!(told.contains("client 1 has a key of the new tree"), "{told}");
    }

    #[test]
    fn what_is_followed_late_is_looked_at_as_well() {
        let mut watched = Watched::new();
        let transition = watched.removed();
        watched.check(&transition).unwrap();
        let stale = PrivateKeys::of_leaf(watched.package(GONE.0, 0).1.encryption);
        assert!(watched.witness.note(GONE, &stale, &watched.roster).is_ok());
        let keys = watched.member.keys.clone();
        let told = watched.witness.note(GONE, &keys, &watched.roster).unwrap_err().to_string();
        assert!(told.contains("client 1 has a key of the new tree"), "{told}");
    }

    #[test]
    fn who_moves_leaves_its_keys_behind() {
        let mut watched = Watched::new();
        watched.witness.moves(GONE);
        let (_, transition) = watched.commit(vec![]);
        let told = told(watched.check(&transition));
        assert!(told.contains("client 1 has a key of the new tree"), "{told}");
        assert!(watched.witness.members().any(|client| client == GONE), "and goes on");
    }

    /// A sample stays as large as it is and follows those who come; who was in it is remembered.
    #[test]
    fn a_sample_follows_churn() {
        let mut witness = Witness::of_sample();
        let sampled = |witness: &Witness| witness.members().collect::<Vec<_>>();
        (0..1_000).map(ClientId).for_each(|client| witness.enter(client, &Plain));
        let first = sampled(&witness);
        assert_eq!(first.len(), SAMPLE);
        assert!(first.iter().any(|client| client.0 >= SAMPLE as u32), "not the first who came");
        for client in (0..1_000).map(ClientId) {
            assert_eq!(witness.end(client), first.contains(&client));
        }
        assert!(sampled(&witness).is_empty());
        // Who comes back is watched again.
        witness.enter(first[3], &Plain);
        assert_eq!(sampled(&witness), [first[3]]);
        (1_000..9_000).map(ClientId).for_each(|client| witness.enter(client, &Plain));
        let second = sampled(&witness);
        assert!(second.len() > SAMPLE / 2 && second.iter().all(|client| !first.contains(client)));
        assert_eq!(witness.out.len(), SAMPLE);
    }

    #[test]
    fn what_somebody_drew_far_from_itself_is_remembered() {
        let crypto = Crypto::new(&CountingProvider);
        let path = NewPath::generate(&crypto, 3, &Seed::default()).unwrap();
        let mut witness = Witness::of_all();
        witness.enter(GONE, &Plain);
        witness.draws(GONE, Some(&path));
        let drawn = || path.key_pairs.iter().map(|pair| &pair.public);
        assert_eq!(witness.find(drawn()), None, "a member may know what it drew");
        witness.end(GONE);
        assert!(drawn().all(|key| witness.find(std::iter::once(key)) == Some(GONE)));
    }
}
