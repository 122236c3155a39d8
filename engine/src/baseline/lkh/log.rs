//! Requests and the log of rekey messages that they lead to, which members follow.
//!
//! A request is made together with what the server would answer, and both are its cost: the rekey
//! message and the letters count as the requester's upload, and following them as its work, when it
//! asks. That holds as well for a request that comes too late, to which the server answers nothing.

use super::*;

impl<S: Seeds> KeyServerGroup<S> {
    /// A request, and what the server would make of it if it was made in the newest epoch.
    pub(super) fn ask(
        &mut self,
        order: Order,
        view: u64,
        adds: Vec<Card>,
        (renews, enters): (bool, bool),
    ) -> Result<Draft, ProtocolError> {
        let crypto = Crypto::new(self.provider);
        let by = order.by;
        let exchange = match renews {
            true => Some(crypto.derive_key_pair(&self.draw(by)?.as_slice().into())?),
            false => None,
        };
        let request = Request {
            client: by.0,
            epoch: view,
            removes: order.removes.iter().map(|client| client.0).collect(),
            adds: adds.iter().map(|card| card.client).collect(),
            exchange: exchange.as_ref().map(|pair| pair.public.clone()),
        };
        let request = request.sign(&crypto, &self.client(by)?.identity.signer.private)?;
        let bytes = request.len() as u64;
        let mut cost = CommitCost {
            public_keys: renews.into(),
            bytes,
            bytes_proposals: bytes,
            ..CommitCost::default()
        };
        let mut inner = KeyServerDraft {
            planned: None,
            removes: order.removes.clone(),
            exchange,
            enters,
            following: Ledger::default(),
        };
        let mut leaf = self.client(by)?.leaf;
        if view == self.epoch() {
            let card = self.card(by)?;
            let book = (&self.everyone, adds);
            let planned = self.server.plan(&self.seeds, &card, &request, book, view)?;
            cost.ciphertexts = planned.plan.wrapped.len() as u64;
            cost.bytes += planned.rekey.len() as u64;
            cost.bytes_path_ciphertexts = planned.wrapped_bytes;
            cost.bytes_framing = planned.rekey.len() as u64 - planned.wrapped_bytes;
            for letter in planned.letters.values() {
                cost.bytes_welcome += encode(letter)?.len() as u64;
            }
            let seated = planned.plan.seats.iter().find(|(client, _)| *client == by);
            let found = seated.map(|(_, leaf)| *leaf).or(self.leaf(by));
            leaf = found.ok_or(ProtocolError::NotAMember(by))?;
            let new_keys = self.new_keys(leaf, planned.plan.after.width(), &planned.plan.marked);
            inner.following = following(new_keys);
            if renews || enters {
                inner.following += opening();
            }
            inner.planned = Some(planned);
        }
        let ledger = crypto.ledger() + inner.following;
        Ok(Draft { order, epoch: view, leaf, cost, ledger, inner: Opaque::new(inner) })
    }

    /// A client enters by itself: a newcomer, or a member that has lost its state.
    pub(super) fn enter(&mut self, client: ClientId, now: u64) -> Result<Entering, ProtocolError> {
        let publisher = self.newest()?.by;
        if self.client(client)?.standing != Standing::Outside {
            return Err(ProtocolError::IsAMember(client));
        }
        let seated = self.everyone.card(client).is_some();
        let adds = if seated { vec![] } else { vec![self.card(client)?] };
        let order = Order { by: client, adds: vec![], removes: vec![], now };
        let draft = self.ask(order, self.epoch(), adds, (seated, true))?;
        let fetched = self.roster_bytes(&self.everyone.cards())?;
        Ok(Entering { draft, fetched, publisher, published: Joined::default() })
    }

    /// Every ciphertext opens, with the key its receivers hold, to the key that the tree has; and
    /// nobody who is removed holds a key that the tree still has.
    pub(super) fn check(
        &self,
        planned: &Planned,
        removes: &[LeafIndex],
    ) -> Result<u32, ProtocolError> {
        let (crypto, before) = (Crypto::new(self.provider), &self.server.tree);
        let (after, epoch) = (&planned.plan.after, self.epoch() + 1);
        for wrapped in &planned.plan.wrapped {
            let old = wrapped.under == wrapped.node;
            let with = key(if old { before } else { after }, wrapped.under);
            let with = with.ok_or(BaselineError::RekeyWithoutKey)?;
            let opened = wrapped.open(&crypto, epoch, &with)?;
            if key(after, wrapped.node).as_ref() != Some(&opened) {
                return Err(ProtocolError::Check("a rekey message tells another key".into()));
            }
        }
        for leaf in removes {
            let held = keys_of(before, *leaf);
            if held.iter().any(|(at, held)| key(after, *at).as_ref() == Some(held)) {
                let what = format!("who was at {leaf} knows a key of the new tree");
                return Err(ProtocolError::Check(what));
            }
        }
        Ok(1 + removes.len() as u32)
    }

    /// Clients of the old epoch follow from the bytes, with the keys they hold, and come to the
    /// newest epoch's key.
    pub(super) fn audit(&self, client: ClientId, old: &Book) -> Result<(), ProtocolError> {
        let crypto = Crypto::new(self.provider);
        let epoch = self.epoch();
        let (before, after) = (self.at(epoch - 1)?, self.at(epoch)?);
        let leaf = self.leaf(client).ok_or(ProtocolError::NotAMember(client))?;
        let tree = (&before.tree, epoch - 1);
        let mut member = Member::of_tree(&crypto, client, leaf, tree, old.clone())?;
        member.follow(&crypto, self.server.verifier(), &after.rekey, epoch)?;
        let roster = member.book.roster(epoch);
        let own = member.epochs.get(&epoch).map(|key| key.authenticator(&crypto, &roster));
        let theirs = after.key.authenticator(&crypto, &self.everyone.roster(epoch));
        if own == Some(theirs) { Ok(()) } else { Err(ProtocolError::Audit { client, epoch }) }
    }

    /// Who has asked is in the newest epoch.
    pub(super) fn settle(
        &mut self,
        by: ClientId,
        draft: &KeyServerDraft,
    ) -> Result<(), ProtocolError> {
        let epoch = self.epoch();
        let leaf = self.leaf(by).ok_or(ProtocolError::NotAMember(by))?;
        if self.is_full() {
            let crypto = Crypto::new(self.provider);
            let newest = self.newest()?;
            let (rekey, letter) = (newest.rekey.clone(), newest.letters.get(&by).cloned());
            let roster = self.everyone.cards();
            let (verifier, degree) = (self.server.verifier().clone(), self.degree);
            let state = self.client_mut(by)?;
            let exchange = draft.exchange.as_ref().unwrap_or(&state.identity.exchange);
            let individual =
                letter.map(|it| open_letter(&crypto, exchange, &it, epoch)).transpose()?;
            if let Some(individual) = individual.clone().filter(|_| draft.enters) {
                let before = state.member.take().map(|member| member.book);
                let book = before.unwrap_or_default().resumed(epoch, roster);
                let mut member = Member::new(by, (degree, leaf), book, individual);
                member.enter(&crypto, &verifier, &rekey, epoch)?;
                state.member = Some(member);
            } else if let Some(member) = &mut state.member {
                individual.into_iter().for_each(|individual| member.renew(individual));
                member.follow(&crypto, &verifier, &rekey, epoch)?;
            }
            if crypto.ledger() != draft.following {
                let what = "following an own request took another work than was charged";
                return Err(ProtocolError::Check(what.into()));
            }
        }
        let state = self.client_mut(by)?;
        (state.standing, state.leaf) = (Standing::Member(epoch), leaf);
        if draft.enters {
            (state.since, state.until, state.lost) = (epoch, None, false);
        }
        Ok(())
    }

    /// A client that was added comes.
    pub(super) fn come(&mut self, client: ClientId, epoch: u64) -> Result<CaughtUp, ProtocolError> {
        let entry = self.at(epoch)?;
        let letter = entry.letters.get(&client).ok_or(BaselineError::RekeyWithoutKey)?.clone();
        let seat = entry.adds.iter().find(|(added, _)| *added == client);
        let (_, leaf) = *seat.ok_or(ProtocolError::NotAMember(client))?;
        let bytes = entry.rekey.len() + encode(&letter)?.len();
        let bytes = bytes as u64 + entry.roster_bytes;
        let new_keys = self.new_keys(leaf, entry.tree.width(), &entry.marked);
        let mut ledger = following(new_keys) + opening();
        let mut member = None;
        if self.is_full() {
            let crypto = Crypto::new(self.provider);
            let exchange = &self.client(client)?.identity.exchange;
            let individual = open_letter(&crypto, exchange, &letter, epoch)?;
            let before = self.client(client)?.member.as_ref().map(|member| member.book.clone());
            let book = before.unwrap_or_default().resumed(epoch, entry.roster.clone());
            let mut comer = Member::new(client, (self.degree, leaf), book, individual);
            comer.enter(&crypto, self.server.verifier(), &entry.rekey, epoch)?;
            ledger = crypto.ledger();
            member = Some(comer);
        }
        let state = self.client_mut(client)?;
        (state.standing, state.leaf, state.member) = (Standing::Member(epoch), leaf, member);
        (state.since, state.until, state.lost) = (epoch, None, false);
        Ok(CaughtUp { commits: 0, bytes, ledger, removed: false })
    }

    pub(super) fn follow_one(
        &mut self,
        client: ClientId,
        view: u64,
    ) -> Result<CaughtUp, ProtocolError> {
        let (epoch, leaf) = (view + 1, self.client(client)?.leaf);
        let entry = self.at(epoch)?;
        let stays = entry.adds.iter().any(|(added, _)| *added == client);
        let removed = entry.removes.contains(&client) && !stays;
        let bytes = entry.rekey.len() as u64;
        let mut ledger = Ledger::default();
        ledger.charge(Op::Verify, 1);
        if !removed {
            ledger = following(self.new_keys(leaf, entry.tree.width(), &entry.marked));
        }
        if self.is_full() {
            let crypto = Crypto::new(self.provider);
            let (rekey, verifier) = (entry.rekey.clone(), self.server.verifier().clone());
            let state = self.client_mut(client)?;
            let member = state.member.as_mut().ok_or(ProtocolError::NotAMember(client))?;
            member.follow(&crypto, &verifier, &rekey, epoch)?;
            ledger = crypto.ledger();
        }
        let state = self.client_mut(client)?;
        state.standing = if removed { Standing::Outside } else { Standing::Member(epoch) };
        state.until = removed.then_some(epoch);
        Ok(CaughtUp { commits: 1, bytes, ledger, removed })
    }

    pub(super) fn step(
        &mut self,
        client: ClientId,
        to: u64,
    ) -> Result<Option<CaughtUp>, ProtocolError> {
        match self.client(client).map(|state| state.standing) {
            Ok(Standing::Invited(epoch)) => self.come(client, epoch).map(Some),
            Ok(Standing::Member(view)) if view < to.min(self.epoch()) => {
                self.follow_one(client, view).map(Some)
            }
            _ => Ok(None),
        }
    }
}
