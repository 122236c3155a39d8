//! What clients send to each other over pairs, and who opens it.

use super::*;

impl<S: Seeds> Party<S> {
    /// A client sends one text to each of others, who are in ascending order and whom its view has
    /// as members.
    pub(in crate::baseline) fn send_each(
        &mut self,
        client: ClientId,
        epoch: u64,
        to: &[ClientId],
        text: &[u8],
    ) -> Result<(Vec<Copy>, Ledger), ProtocolError> {
        let seed = self.draw(client)?;
        let mut bundles = vec![];
        for peer in to {
            let has_pair = self.pair(client, *peer).is_some_and(Pair::can_send);
            bundles.push(if has_pair { None } else { Some(self.take_bundle(*peer)?) });
        }
        let Self { clients, everyone, provider, .. } = self;
        let state = clients.get_mut(client.0 as usize).and_then(Option::as_mut);
        let state = state.ok_or(ProtocolError::NotAMember(client))?;
        let book = state.book.as_ref().unwrap_or(everyone);
        let most = to.last().map_or(0, |last| last.0 as usize + 1);
        if state.pairs.len() < most {
            state.pairs.resize_with(most, || None);
        }
        let mut out = Vec::with_capacity(to.len());
        let mut bundles = bundles.into_iter();
        let places = state.pairs.iter_mut().enumerate();
        let mut places = places.map(|(at, pair)| (ClientId(at as u32), pair));
        for peer in to {
            let pair = places.find_map(|(at, pair)| (at == *peer).then_some(pair));
            let (Some(pair), Some(keys)) = (pair, book.keys(*peer)) else {
                return Err(ProtocolError::NotAMember(*peer));
            };
            out.push(Outgoing { peer: *peer, keys, pair, bundle: bundles.next().flatten() });
        }
        let end = End { client, registration: state.registration, identity: &state.identity };
        Ok(seal_all(*provider, end, Letter { epoch, text, seed }, out)?)
    }

    pub(in crate::baseline) fn pair(&self, client: ClientId, peer: ClientId) -> Option<&Pair> {
        at(&self.clients, client)?.pairs.get(peer.0 as usize)?.as_deref()
    }

    /// The memory of all pairs at all ends: how many there are.
    pub(in crate::baseline) fn pairs(&self) -> usize {
        self.clients.iter().flatten().map(|state| state.pairs.iter().flatten().count()).sum()
    }

    /// A client opens a copy that is for it.
    pub(in crate::baseline) fn open(
        &mut self,
        client: ClientId,
        sender: ClientId,
        copy: &[u8],
    ) -> Result<(Vec<u8>, Ledger), ProtocolError> {
        let crypto = Crypto::new(self.provider);
        let envelope = Envelope::read(copy)?;
        self.check_sender(client, sender, envelope.outside.epoch)?;
        let state = self.client_mut(client)?;
        if state.pairs.len() <= sender.0 as usize {
            state.pairs.resize_with(sender.0 as usize + 1, || None);
        }
        let mut pair = state.pairs[sender.0 as usize].take();
        let opened = self.open_in(&crypto, client, sender, &mut pair, &envelope);
        let state = self.client_mut(client)?;
        state.pairs[sender.0 as usize] = pair;
        let (text, used) = opened?;
        state.used.extend(used);
        Ok((text, crypto.ledger()))
    }

    /// Who sends must have been a member in the epoch that it says, which the receiver must know.
    pub(in crate::baseline) fn check_sender(
        &self,
        client: ClientId,
        sender: ClientId,
        epoch: u64,
    ) -> Result<(), BaselineError> {
        if self.view(client).is_some_and(|view| epoch > view) {
            return Err(BaselineError::EpochToCome);
        }
        if !self.book(client).is_member(sender, epoch) {
            return Err(BaselineError::SenderWasNoMember);
        }
        Ok(())
    }

    pub(in crate::baseline) fn open_in(
        &self,
        crypto: &Crypto<'_>,
        client: ClientId,
        sender: ClientId,
        pair: &mut Option<Box<Pair>>,
        envelope: &Envelope,
    ) -> Result<(Vec<u8>, Option<u32>), ProtocolError> {
        let state = self.client(client)?;
        let book = state.book.as_ref().unwrap_or(&self.everyone);
        let keys = book.keys(sender).ok_or(ProtocolError::NotAMember(sender))?;
        let packages = at(&self.published, client).map_or(0, |published| published.packages);
        let one_time = |number| {
            if number >= packages || state.used.contains(&number) {
                return Err(BaselineError::BadOneTimePrekey(number));
            }
            let address = prekey_address(state.registration, number);
            // Making it was charged at registration.
            self.prekey(&Crypto::new(self.provider), "one-time prekey", client, address)
        };
        let prekeys = Prekeys { signed: &state.signed_prekey, one_time: &one_time };
        let end = End { client, registration: state.registration, identity: &state.identity };
        let opened = open(crypto, end, &prekeys, (sender, keys), pair, envelope)?;
        Ok((opened.text, opened.used))
    }

    /// What a client would read in a copy that waits for it. Nothing changes.
    pub(in crate::baseline) fn peek(
        &self,
        client: ClientId,
        sender: ClientId,
        copy: &[u8],
    ) -> Option<Vec<u8>> {
        let envelope = Envelope::read(copy).ok()?;
        let mut pair = self.pair(client, sender).cloned().map(Box::new);
        let crypto = Crypto::new(self.provider);
        Some(self.open_in(&crypto, client, sender, &mut pair, &envelope).ok()?.0)
    }

    /// The registration that a client is in.
    pub(in crate::baseline) fn registration(&self, client: ClientId) -> Option<u32> {
        at(&self.clients, client).map(|state| state.registration)
    }

    /// Whether a client can open a copy, whoever it is for, with everything that it holds: the
    /// sessions of its pair with the sender, whatever its prekeys agree on, and every message key
    /// that it holds or would come to next in any pair. Nothing changes.
    pub(in crate::baseline) fn pries(
        &self,
        client: ClientId,
        (sender, receiver): (ClientId, ClientId),
        copy: &[u8],
    ) -> Result<bool, ProtocolError> {
        let Some(state) = at(&self.clients, client) else { return Ok(false) };
        let envelope = Envelope::read(copy)?;
        let keys = |client| {
            let keys = self.everyone.keys(client);
            keys.map(|keys| &keys.exchange).ok_or(ProtocolError::NotAMember(client))
        };
        let crypto = Crypto::new(self.provider);
        let aad = envelope.associated(keys(sender)?, keys(receiver)?)?;
        let with_sender = self.pair(client, sender);
        if with_sender.is_some_and(|pair| pair.would_open(&crypto, &aad, &envelope)) {
            return Ok(true);
        }
        let number = envelope.outside.initial.as_ref().and_then(|initial| initial.one_time);
        // One that was used is erased.
        let number = number.filter(|number| !state.used.contains(number));
        let address = number.map(|number| prekey_address(state.registration, number));
        let one_time =
            address.map(|at| self.prekey(&crypto, "one-time prekey", client, at)).transpose()?;
        let own = Responder {
            identity: &state.identity.exchange,
            signed_prekey: &state.signed_prekey,
            one_time: one_time.as_ref(),
        };
        if envelope.would_open_first(&crypto, own, &aad) {
            return Ok(true);
        }
        let sessions = state.pairs.iter().flatten().flat_map(|pair| pair.sessions());
        let ciphertext = envelope.ciphertext.as_slice();
        let aad = associated(&aad, &envelope.header)?;
        Ok(sessions.into_iter().any(|session| session.any_key_opens(&crypto, &aad, ciphertext)))
    }
}
