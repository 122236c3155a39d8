//! The log of a group: announcements made, accepted, and followed by each member in its own view.

use super::*;

impl<S: Seeds> Party<S> {
    /// An announcement in its issuer's view; nothing to announce is a renewal.
    pub(in crate::baseline) fn draft(&mut self, order: Order) -> Result<Draft, ProtocolError> {
        let view = self.view_of(order.by)?;
        let adds = order.adds.iter().map(|client| self.card(*client)).collect::<Result<_, _>>()?;
        self.draft_of(order, view, adds)
    }

    pub(in crate::baseline) fn draft_of(
        &mut self,
        order: Order,
        view: u64,
        adds: Vec<Card>,
    ) -> Result<Draft, ProtocolError> {
        let crypto = Crypto::new(self.provider);
        let leaf = LeafIndex(order.by.0);
        let mut announced = Announced {
            announcement: None,
            removes: order.removes.clone(),
            adds: adds.iter().map(|card| (ClientId(card.client), card.registration)).collect(),
        };
        let (mut cost, mut ledger) = (CommitCost::default(), Ledger::default());
        if !order.removes.is_empty() || !adds.is_empty() {
            let bytes = self.announce(&crypto, &order, view, adds, &mut cost)?;
            ledger = crypto.ledger();
            announced.announcement = Some(bytes);
        }
        Ok(Draft { epoch: view, leaf, cost, ledger, inner: Opaque::new(announced), order })
    }

    /// The encoding of an announcement, and what it costs.
    fn announce(
        &self,
        crypto: &Crypto<'_>,
        order: &Order,
        view: u64,
        adds: Vec<Card>,
        cost: &mut CommitCost,
    ) -> Result<Vec<u8>, ProtocolError> {
        let removes: Vec<u32> = order.removes.iter().map(|client| client.0).collect();
        let bytes_proposals = (encode(&removes)?.len() + encode(&adds)?.len()) as u64;
        let content = Content {
            epoch: view + 1,
            previous: self.transcript(view),
            issuer: order.by.0,
            removes,
            adds,
            roster: Digest::EMPTY,
        };
        let signer = &self.client(order.by)?.identity.signer;
        let book = self.book(order.by);
        let bytes = encode(&Announcement::new(crypto, signer, book, content)?)?;
        cost.bytes = bytes.len() as u64;
        cost.bytes_proposals = bytes_proposals;
        cost.bytes_framing = cost.bytes - bytes_proposals;
        Ok(bytes)
    }

    /// A client announces itself: a newcomer, or a member that has lost its state.
    pub(in crate::baseline) fn enter(
        &mut self,
        client: ClientId,
        now: u64,
    ) -> Result<Entering, ProtocolError> {
        if !self.is_founded {
            return Err(ProtocolError::EpochGone(0));
        }
        let state = self.client(client)?;
        if state.standing != Standing::Outside {
            return Err(ProtocolError::IsAMember(client));
        }
        let (epoch, owed) = (self.epoch(), state.owed);
        let publisher = self.log.last().map(|entry| entry.by);
        let publisher = publisher.or(self.everyone.roster(epoch).first().copied());
        let order = Order { by: client, adds: vec![], removes: vec![], now };
        // It fetches the roster, with the announcement that vouches for it.
        let roster = encode(&self.everyone.cards())?.len();
        let vouching = self.log.iter().rev().find_map(|entry| entry.announcement.as_ref());
        let fetched = (roster + vouching.map_or(0, Vec::len)) as u64;
        let crypto = Crypto::new(self.provider);
        if let Some(vouching) = vouching {
            // The digests are of the newest roster, which renewals do not change.
            let roster = self.everyone.cards();
            Announcement::read(vouching)?.enter(&crypto, roster, Book::default())?;
        }
        let card = self.card(client)?;
        let mut draft = self.draft_of(order, epoch, vec![card])?;
        draft.ledger += crypto.ledger() + owed.ledger;
        draft.cost.bytes += owed.bytes;
        draft.cost.bytes_framing += owed.bytes;
        Ok(Entering {
            draft,
            fetched,
            publisher: publisher.ok_or(ProtocolError::EpochGone(epoch))?,
            published: Joined::default(),
        })
    }

    /// Puts an announcement into the log.
    pub(in crate::baseline) fn accept(&mut self, draft: Draft) -> Result<Accepted, ProtocolError> {
        let epoch = self.epoch();
        if draft.epoch != epoch {
            return Err(ProtocolError::Stale { made: draft.epoch, at: epoch });
        }
        let by = draft.order.by;
        let Announced { announcement, removes, adds } = draft.inner.open()?;
        let (crypto, before) = (Crypto::new(self.provider), self.transcript(epoch));
        let mut transcript = before;
        if let Some(bytes) = &announcement {
            let announcement = Announcement::read(bytes)?;
            announcement.follow(&crypto, epoch, &before, &mut self.everyone)?;
            transcript = Announcement::transcript(&crypto, &before, bytes);
        }
        let (roster, roster_bytes) = self.roster_for(&adds)?;
        let receiver = crypto.ledger();
        self.log.push(Entry {
            announcement,
            by,
            removes,
            adds,
            roster,
            roster_bytes,
            transcript,
            receiver,
        });
        self.settle(by, epoch + 1)?;
        Ok(Accepted {
            epoch: epoch + 1,
            receiver,
            // What a member holds of the log is one book for all: an audit would compare it with itself.
            audits: 0,
            checks: 1,
            predicted_ciphertexts: 0,
            excluded_ciphertexts: 0,
            tree_bytes: roster_bytes,
        })
    }

    /// The roster as a joiner fetches it, if there is one, and its length.
    pub(in crate::baseline) fn roster_for(
        &self,
        adds: &[(ClientId, u32)],
    ) -> Result<(Vec<u8>, u64), ProtocolError> {
        if adds.is_empty() {
            return Ok((vec![], 0));
        }
        let roster = encode(&self.everyone.cards())?;
        let length = roster.len() as u64;
        Ok((if self.sharing == Sharing::Full { roster } else { vec![] }, length))
    }

    /// The newest entry is in effect: its issuer is in the new epoch, who was added is invited.
    pub(in crate::baseline) fn settle(
        &mut self,
        by: ClientId,
        epoch: u64,
    ) -> Result<(), ProtocolError> {
        let Some(entry) = self.entry(epoch) else { return Ok(()) };
        let (adds, transcript) = (entry.adds.clone(), entry.transcript);
        for (client, _) in adds.iter().filter(|(client, _)| *client != by) {
            self.client_mut(*client)?.standing = Standing::Invited(epoch);
        }
        let full = self.sharing == Sharing::Full;
        if adds.iter().any(|(client, _)| *client == by) {
            let roster = self.everyone.cards();
            let state = self.client_mut(by)?;
            let before = state.book.take().unwrap_or_default();
            let book = full.then(|| before.resumed(epoch, roster));
            (state.lost, state.owed) = (false, Joined::default());
            state.comes(epoch);
            state.book = book;
        } else if full {
            // It made the announcement itself.
            let crypto = Crypto::new(self.provider);
            self.follow(&crypto, by, epoch - 1)?;
        }
        self.forget_old_registrations(by, &adds)?;
        let state = self.client_mut(by)?;
        (state.standing, state.transcript) = (Standing::Member(epoch), transcript);
        Ok(())
    }

    /// Nothing more is sent in the sessions with clients that have registered anew.
    pub(in crate::baseline) fn forget_old_registrations(
        &mut self,
        client: ClientId,
        adds: &[(ClientId, u32)],
    ) -> Result<(), ProtocolError> {
        let state = self.client_mut(client)?;
        for (peer, registration) in adds {
            if let Some(place) = state.pairs.get_mut(peer.0 as usize) {
                *place = place.take().map(|pair| Box::new(pair.renewed(*registration)));
            }
        }
        Ok(())
    }

    /// At `full`: a client follows the entry behind its view from its bytes.
    pub(in crate::baseline) fn follow(
        &mut self,
        crypto: &Crypto<'_>,
        client: ClientId,
        view: u64,
    ) -> Result<(), ProtocolError> {
        let Self { log, clients, .. } = self;
        let state = clients.get_mut(client.0 as usize).and_then(Option::as_mut);
        let state = state.ok_or(ProtocolError::NotAMember(client))?;
        let entry = log.get(view as usize).ok_or(ProtocolError::EpochGone(view + 1))?;
        let (Some(bytes), Some(book)) = (&entry.announcement, &mut state.book) else {
            return Ok(());
        };
        Announcement::read(bytes)?.follow(crypto, view, &state.transcript, book)?;
        state.transcript = Announcement::transcript(crypto, &state.transcript, bytes);
        Ok(())
    }

    /// One step of a client towards an epoch: it joins, or follows one entry. Gives what that came
    /// to and the epoch of its view after it, or which it is out of.
    pub(in crate::baseline) fn step(
        &mut self,
        client: ClientId,
        to: u64,
    ) -> Result<Option<(CaughtUp, u64)>, ProtocolError> {
        match at(&self.clients, client).map(|state| state.standing) {
            Some(Standing::Invited(epoch)) => Ok(Some((self.join(client, epoch)?, epoch))),
            Some(Standing::Member(view)) if view < to.min(self.epoch()) => {
                Ok(Some((self.follow_one(client, view)?, view + 1)))
            }
            _ => Ok(None),
        }
    }

    /// A client that was added comes.
    pub(in crate::baseline) fn join(
        &mut self,
        client: ClientId,
        epoch: u64,
    ) -> Result<CaughtUp, ProtocolError> {
        let entry = self.entry(epoch).ok_or(ProtocolError::EpochGone(epoch))?;
        let announcement = entry.announcement.as_ref().ok_or(ProtocolError::EpochGone(epoch))?;
        let bytes = announcement.len() as u64 + entry.roster_bytes;
        let (transcript, mut ledger) = (entry.transcript, entry.receiver);
        let mut book = None;
        if self.sharing == Sharing::Full {
            let crypto = Crypto::new(self.provider);
            let read = Announcement::read(announcement)?;
            let roster: Vec<Card> = decode("a roster", &entry.roster)?;
            let before = self.client(client)?.book.clone().unwrap_or_default();
            book = Some(read.enter(&crypto, roster, before)?);
            Announcement::transcript(&crypto, &read.content.previous, announcement);
            ledger = crypto.ledger();
        }
        let state = self.client_mut(client)?;
        let owed = std::mem::take(&mut state.owed);
        (state.standing, state.transcript, state.lost) =
            (Standing::Member(epoch), transcript, false);
        state.book = book;
        state.comes(epoch);
        Ok(CaughtUp { commits: 0, bytes, ledger: ledger + owed.ledger, removed: false })
    }

    pub(in crate::baseline) fn follow_one(
        &mut self,
        client: ClientId,
        view: u64,
    ) -> Result<CaughtUp, ProtocolError> {
        let entry = self.entry(view + 1).ok_or(ProtocolError::EpochGone(view + 1))?;
        let bytes = entry.announcement.as_ref().map_or(0, |bytes| bytes.len() as u64);
        let (mut ledger, transcript) = (entry.receiver, entry.transcript);
        let adds = entry.adds.clone();
        let stays = |entry: &Entry| entry.adds.iter().any(|(added, _)| *added == client);
        let removed = entry.removes.contains(&client) && !stays(entry);
        if self.sharing == Sharing::Full {
            let crypto = Crypto::new(self.provider);
            self.follow(&crypto, client, view)?;
            ledger = crypto.ledger();
        }
        self.forget_old_registrations(client, &adds)?;
        let state = self.client_mut(client)?;
        state.standing = if removed { Standing::Outside } else { Standing::Member(view + 1) };
        if removed {
            state.goes(view + 1);
        }
        state.transcript = transcript;
        Ok(CaughtUp { commits: 1, bytes, ledger, removed })
    }
}
