//! Copied states at fidelity `full`: the book of what follows from each, and beside it somebody who has it and really tries.
//! After each commit both must say the same.

use std::collections::{BTreeMap, BTreeSet};

use super::messages::Held;
use super::thief::{OwnDraft, Thief};
use super::{FullDraft, FullTreeKem};
use crate::crypto::{Crypto, Secret};
use crate::group::{PendingCommit, PublicGroup, Transition};
use crate::protocol::copied::{Entrant, Stolen, broken};
use crate::protocol::post::{Kind, open_attachment};
use crate::protocol::rebuild::Successor;
use crate::protocol::{ClientId, CopyId, Draft, MessageId, Protocol, ProtocolError, Seeds};
use crate::tree::LeafIndex;
use crate::treesync::RosterChange;

/// Whom a commit adds, and by which package.
pub(super) fn entrants(packages: &[(ClientId, u32)], leaves: &[LeafIndex]) -> Vec<Entrant> {
    let each = packages.iter().zip(leaves);
    each.map(|(&(client, package), &leaf)| Entrant { client, package, leaf }).collect()
}

impl<S: Seeds> FullTreeKem<S> {
    pub(super) fn steal(
        &mut self,
        client: ClientId,
        drafts: &[&Draft],
    ) -> Result<CopyId, ProtocolError> {
        let not_a_member = ProtocolError::NotAMember(client);
        let state = self.states.get(&client).filter(|state| !state.lost);
        let Some((state, leaf)) = state.and_then(|state| Some((state, state.leaf?))) else {
            return Err(not_a_member);
        };
        let invited = state.invitations.front().map(|invited| invited.epoch);
        let member = state.member.as_ref().map(|(member, _)| state.base + member.epoch());
        let view = member.or(invited).ok_or(not_a_member)?;
        let (newest, limit) = (self.epoch(), self.ghosts.limit(client));
        let own = drafts.iter().filter(|it| it.order.by == client && it.epoch == newest);
        let own: Vec<&FullDraft> = own.filter_map(|draft| draft.inner.look()).collect();
        let tree = &self.observer().ok_or(ProtocolError::EpochGone(0))?.tree;
        let on_the_way = own.iter().map(|it| (&it.pending, it.successor.as_ref(), &it.ghosts[..]));
        let epochs = (view, limit.map(|limit| limit + 1));
        let updates = self.waiting.own(client);
        let stolen = Stolen::of(client, (tree, leaf), epochs, updates, on_the_way)?;
        let mut thief = Thief { packages: self.clients.packages(client), ..Thief::default() };
        thief.drafts.extend(own.iter().map(|draft| OwnDraft {
            pending: draft.pending.clone(),
            founded: draft.successor.as_ref().map(|it| it.founded.clone()),
            ghosts: draft.ghosts.iter().map(|made| made.key.clone()).collect(),
        }));
        for update in self.waiting.own(client) {
            thief.proposed.push(update.leaf.clone());
            thief.proposed.extend(update.parents.iter().cloned());
        }
        self.bring_up(client, newest, &mut thief)?;
        let id = self.copies.copy(Stolen {
            packages: self.clients.packages(client),
            request: self.ghosts.request(client),
            ..stolen
        });
        self.thieves.insert(id, thief);
        self.check_thieves(None)?;
        Ok(id)
    }

    /// A thief does from the wire what the client has not done yet, of which nobody else is to know.
    fn bring_up(
        &mut self,
        client: ClientId,
        newest: u64,
        thief: &mut Thief,
    ) -> Result<(), ProtocolError> {
        let state = self.states.get(&client).ok_or(ProtocolError::NotAMember(client))?;
        let saved = state.clone();
        let brought = self.read_on(client, newest, &mut thief.mail);
        let brought = brought.and_then(|()| {
            let state = self.states.get(&client).ok_or(ProtocolError::NotAMember(client))?;
            let (member, _) = state.member.as_ref().ok_or(ProtocolError::NotAMember(client))?;
            thief.take_keys(&member.keys);
            let is_there = state.base + member.epoch() == newest;
            thief.secrets = is_there.then(|| member.secrets.clone());
            Ok(())
        });
        self.states.insert(client, saved);
        brought
    }

    /// Follows commit by commit, and keeps what opens the messages of each epoch.
    fn read_on(
        &mut self,
        client: ClientId,
        newest: u64,
        mail: &mut BTreeMap<u64, Held>,
    ) -> Result<(), ProtocolError> {
        loop {
            let state = self.states.get_mut(&client).ok_or(ProtocolError::NotAMember(client))?;
            // What comes first has been used; leaving an epoch would keep it anew.
            for (epoch, held) in std::mem::take(&mut state.mail.held) {
                mail.entry(epoch).or_insert(held);
            }
            let entry = state.invitations.front().map(|invited| invited.epoch);
            let at = state.member.as_ref().map(|(member, _)| {
                let at = state.base + member.epoch();
                mail.entry(at).or_insert_with(|| Held::of(member));
                at
            });
            let goal = entry.unwrap_or(newest);
            match at.filter(|at| *at < goal) {
                Some(at) => {
                    self.follow(client, at + 1)?;
                    let state = self.states.get(&client).and_then(|state| state.member.as_ref());
                    let (member, _) = state.ok_or(ProtocolError::NotAMember(client))?;
                    if member.epoch() + self.states[&client].base == at {
                        // Others have made its key, and it has not found it.
                        return Ok(());
                    }
                }
                None if entry.is_some() => {
                    // The last epoch of a group that is replaced has no messages.
                    mail.remove(&goal);
                    self.enter(client)?;
                }
                None => return Ok(()),
            }
        }
    }

    /// What a commit tells those with copies; and the group that replaces the one which it ends.
    pub(super) fn tell_thieves(
        &mut self,
        before: &PublicGroup,
        transition: &Transition,
        pending: &PendingCommit,
        packages: &[(ClientId, u32)],
        successor: Option<&Successor>,
    ) -> Result<(), ProtocolError> {
        if self.copies.is_empty() {
            return Ok(());
        }
        let crypto = Crypto::new(self.provider);
        let live: Vec<(CopyId, ClientId)> = self.copies.live().collect();
        let entrants = match successor {
            None => entrants(packages, &transition.applied.added),
            Some(successor) => entrants(packages, &successor.founded.applied.added),
        };
        let added = if successor.is_none() { &entrants[..] } else { &[] };
        self.copies.commit(&before.tree, transition, added)?;
        if let Some(successor) = successor {
            self.copies.succeed(&successor.founded, &entrants)?;
        }
        for (id, of) in live {
            let Some(thief) = self.thieves.get_mut(&id) else { continue };
            thief.follow(&crypto, before, transition, &pending.message)?;
            let psks = thief.resumption(&crypto, &transition.after);
            if let Some(successor) = successor {
                thief.leave_group(&successor.founded);
            }
            let made = successor.map_or(pending, |successor| &successor.founded);
            let Some(welcome) = &made.welcome else { continue };
            let opens = |it: &&Entrant| it.client == of && it.package < thief.packages;
            let Some(entrant) = entrants.iter().find(opens) else { continue };
            let (package, secrets) = self.clients.package(&crypto, of, entrant.package)?;
            let place = (&made.after.public.tree, made.after.leaf, entrant.leaf);
            thief.open_welcome(&crypto, welcome, (&package, &secrets), place, &psks)?;
        }
        Ok(())
    }

    /// The new epoch stands: the book is brought up to it and held to what those with copies really have; gives how many.
    /// `changes` led there, if it is not another group.
    pub(super) fn settle_copies(
        &mut self,
        changes: Option<&[RosterChange]>,
        authenticator: &Secret,
    ) -> Result<u32, ProtocolError> {
        if self.copies.is_empty() {
            return Ok(0);
        }
        let epoch = self.epoch();
        let (_, roster) = self.observer.as_ref().ok_or(ProtocolError::EpochGone(0))?;
        self.copies.close_requests(|ghost| self.ghosts.request(ghost));
        let live: BTreeSet<CopyId> = self.copies.live().map(|(id, _)| id).collect();
        self.copies.settle(epoch, roster, changes, |client| self.clients.taken(client));
        self.check_thieves(Some(authenticator))?;
        Ok(live.len() as u32)
    }

    /// Compares the book with what those with copies have.
    fn check_thieves(&mut self, authenticator: Option<&Secret>) -> Result<(), ProtocolError> {
        let (public, roster) = self.observer.as_ref().ok_or(ProtocolError::EpochGone(0))?;
        let epoch = self.base + public.epoch();
        for (id, of) in self.copies.recent() {
            let Some(thief) = self.thieves.get_mut(&id) else { continue };
            let wrong = |what| Err(broken(id, of, what));
            let found = if authenticator.is_some() {
                thief.settle(roster)
            } else {
                let stands = thief.ring.iter().map(|pair| &pair.public);
                stands.filter(|key| roster.has_encryption_key(key)).cloned().collect()
            };
            let book = self.copies.copied(id, |client| self.clients.taken(client));
            let knows = book.is_some_and(|book| book.knows_epoch);
            match &thief.secrets {
                None if knows => return wrong("it should lead to the newest epoch, and does not"),
                Some(_) if !knows => return wrong("it leads to the newest epoch, and should not"),
                Some(secrets)
                    if authenticator.is_some_and(|it| secrets.epoch_authenticator != *it) =>
                {
                    return wrong("it leads to another epoch than the others are in");
                }
                Some(secrets) => {
                    let held = || Held::new(public, secrets);
                    thief.mail.entry(epoch).or_insert_with(held);
                }
                None => {}
            }
            let none = BTreeSet::new();
            if found != *self.copies.keys(id).unwrap_or(&none) {
                return wrong("it leads to other keys of the tree than it should");
            }
        }
        Ok(())
    }

    /// A ghost has found its keys by the answers to a request; so has who copied its state since it asked.
    pub(super) fn recover_copies(&mut self, ghost: ClientId, request: u64) {
        let state = self.states.get(&ghost).and_then(|state| state.member.as_ref());
        let Some((member, _)) = state else { return };
        let pairs = std::iter::once(member.keys.leaf()).chain(member.keys.parents());
        let keys: Vec<_> = pairs.map(|pair| &pair.public).collect();
        let newest = self.epoch();
        for id in self.copies.recover(ghost, request, newest, &keys) {
            if let Some(thief) = self.thieves.get_mut(&id) {
                thief.take_keys(&member.keys);
                thief.secrets = Some(member.secrets.clone());
                thief.mail.insert(newest, Held::of(member));
            }
        }
    }

    /// Tries what somebody with a copy has on a message.
    pub(super) fn thief_reads(
        &self,
        copy: CopyId,
        message: MessageId,
    ) -> Result<bool, ProtocolError> {
        let posted = self.post.get(message)?;
        let held = self.thieves.get(&copy).and_then(|thief| thief.mail.get(&posted.epoch));
        let crypto = Crypto::new(self.provider);
        Ok(held.is_some_and(|held| match posted.kind {
            Kind::Text => held.messages.opens(&crypto, &posted.sealed),
            Kind::Attachment => {
                open_attachment(&crypto, &*held.secrets, message, &posted.sealed).is_ok()
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::RealProvider;
    use crate::protocol::Order;
    use crate::protocol::plain_seeds::Plain;
    use crate::strategy::Strategy;

    /// A group of three, of whom the second has been copied.
    fn copied() -> (FullTreeKem<Plain>, CopyId) {
        let mut group = FullTreeKem::new(&RealProvider, Plain, Strategy::default());
        for client in (0..3).map(ClientId) {
            group.register(client, 2).unwrap();
        }
        group.create(ClientId(0)).unwrap();
        commit(&mut group, vec![ClientId(1), ClientId(2)]).unwrap();
        let copy = group.copy_state(ClientId(1), &[]).unwrap();
        (group, copy)
    }

    fn commit(group: &mut FullTreeKem<Plain>, adds: Vec<ClientId>) -> Result<(), ProtocolError> {
        let draft = group.commit(Order { by: ClientId(0), adds, removes: vec![], now: 1 })?;
        group.accept(draft, &[]).map(|_| ())
    }

    fn told(group: &mut FullTreeKem<Plain>) -> String {
        commit(group, vec![]).unwrap_err().to_string()
    }

    #[test]
    fn a_book_that_says_too_much_is_found_out() {
        let (mut group, copy) = copied();
        commit(&mut group, vec![]).unwrap();
        let thief = group.thieves.get_mut(&copy).unwrap();
        (thief.ring, thief.secrets) = (vec![], None);
        let told = told(&mut group);
        assert!(told.contains("should lead to the newest epoch, and does not"), "{told}");
    }

    #[test]
    fn a_book_that_says_too_little_is_found_out() {
        let (mut group, copy) = copied();
        group.copies.deny(copy);
        let told = told(&mut group);
        assert!(told.contains("leads to the newest epoch, and should not"), "{told}");
    }

    #[test]
    fn a_key_that_is_not_in_the_book_is_found_out() {
        let (mut group, copy) = copied();
        let stranger = group.states[&ClientId(2)].leaf.unwrap();
        let (package, secrets) =
            group.clients.package(&Crypto::new(&RealProvider), ClientId(2), 0).unwrap();
        let stands = group.observer().unwrap().tree.leaf(stranger).unwrap();
        assert_eq!(stands.encryption_key, package.leaf_node.encryption_key);
        group.thieves.get_mut(&copy).unwrap().ring.push(secrets.encryption);
        let told = told(&mut group);
        assert!(told.contains("leads to other keys of the tree than it should"), "{told}");
    }

    #[test]
    fn another_epoch_is_found_out() {
        let (mut group, _) = copied();
        let other = Crypto::new(&RealProvider).zero();
        let told = group.settle_copies(Some(&[]), &other).unwrap_err().to_string();
        assert!(told.contains("another epoch than the others are in"), "{told}");
    }
}
