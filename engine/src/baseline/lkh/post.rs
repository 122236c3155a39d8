//! Messages to the group, under the keys of epochs.

use super::*;

impl<S: Seeds> KeyServerGroup<S> {
    /// The key that a client holds for an epoch's messages.
    pub(super) fn epoch_key(
        &self,
        client: ClientId,
        epoch: u64,
    ) -> Result<EpochKey, ProtocolError> {
        match &self.client(client)?.member {
            Some(member) => {
                member.epochs.get(&epoch).cloned().ok_or(ProtocolError::EpochGone(epoch))
            }
            None => Ok(self.at(epoch)?.key.clone()),
        }
    }

    /// What a client can make of a message, before it tries.
    pub(super) fn reading(
        &self,
        client: ClientId,
        posted: &Posted,
    ) -> Result<Reading, ProtocolError> {
        let Ok(state) = self.client(client) else { return Ok(Reading::NotForIt) };
        let at = match (state.standing, state.until) {
            (Standing::Outside, _) if state.lost => return Ok(Reading::Lost),
            (Standing::Member(view), _) => view,
            (_, Some(until)) => until,
            _ => return Ok(Reading::NotForIt),
        };
        let out = state.until.is_some_and(|until| posted.epoch >= until);
        let was_member = self.everyone.is_member(client, posted.epoch);
        if client == posted.sender || posted.epoch < state.since || out || !was_member {
            return Ok(Reading::NotForIt);
        }
        match at.checked_sub(posted.epoch) {
            None => Err(BaselineError::EpochToCome.into()),
            Some(late) if late > PAST_EPOCHS => Ok(Reading::TooLate),
            Some(_) => Ok(Reading::Read),
        }
    }

    /// Everything that a client holds, and the epoch that it is of.
    pub(super) fn holds(&self, client: ClientId) -> Result<Option<(Member, u64)>, ProtocolError> {
        let Ok(state) = self.client(client) else { return Ok(None) };
        let epoch = match (state.standing, state.until) {
            _ if state.lost => return Ok(None),
            (Standing::Member(view), _) => view,
            (_, Some(until)) => until - 1,
            _ => return Ok(None),
        };
        if let Some(member) = &state.member {
            return Ok(Some((member.clone(), epoch)));
        }
        let crypto = Crypto::new(self.provider);
        let tree = (&self.at(epoch)?.tree, epoch);
        let book = Book::default();
        let mut member = Member::of_tree(&crypto, client, state.leaf, tree, book)?;
        for past in epoch.saturating_sub(PAST_EPOCHS).max(state.since)..epoch {
            member.epochs.insert(past, self.at(past)?.key.clone());
        }
        Ok(Some((member, epoch)))
    }

    pub(super) fn send_text(
        &mut self,
        sender: ClientId,
        text: &[u8],
    ) -> Result<Sent, ProtocolError> {
        let epoch = self.view_of(sender)?;
        let key = self.epoch_key(sender, epoch)?;
        let crypto = Crypto::new(self.provider);
        let state = self.client_mut(sender)?;
        if state.sent.0 != epoch {
            state.sent = (epoch, 0);
        }
        let counter = state.sent.1;
        state.sent.1 = counter.checked_add(1).ok_or(BaselineError::ChainIsUsedUp)?;
        let head = Head { sender: sender.0, epoch, counter };
        let sealed = key.seal(&crypto, &state.identity.signer.private, head, text)?;
        let message = MessageId(self.first + self.posted.len() as u64);
        let bytes = sealed.len() as u64;
        let (text, sealed) = (text.into(), sealed.into());
        self.posted.push_back(Posted { sender, epoch, text, sealed, verified: false });
        Ok(Sent { message, epoch, bytes, ledger: crypto.ledger() })
    }
    pub(super) fn open_message(
        &mut self,
        client: ClientId,
        message: MessageId,
    ) -> Result<Received, ProtocolError> {
        let place = self.place(message)?;
        let posted = &self.posted[place];
        let reading = self.reading(client, posted)?;
        if reading != Reading::Read {
            return Ok(Received { reading, bytes: 0, ledger: Ledger::default() });
        }
        let (epoch, sender) = (posted.epoch, posted.sender);
        let own = self.client(client)?.member.as_ref().map(|member| &member.book);
        let book = own.unwrap_or(&self.everyone);
        if !book.is_member(sender, epoch) {
            return Err(BaselineError::SenderWasNoMember.into());
        }
        let crypto = Crypto::new(self.provider);
        let opened = if posted.verified && !self.is_full() {
            let mut ledger = Ledger::default();
            ledger.charge(Op::Verify, 1);
            crypto.charge(ledger);
            GroupMessage::read(&posted.sealed)?
        } else {
            let keys = book.keys(sender).ok_or(ProtocolError::NotAMember(sender))?;
            GroupMessage::verify(&crypto, &keys.signature, &posted.sealed)?
        };
        let head = opened.head;
        if head.sender != sender.0 || head.epoch != epoch {
            return Err(BaselineError::WrongSender.into());
        }
        let text = self.epoch_key(client, epoch)?.open(&crypto, &opened)?;
        if *text != *posted.text {
            return Err(self.fault(client, message));
        }
        let bytes = posted.sealed.len() as u64;
        self.posted[place].verified = true;
        let state = self.client_mut(client)?;
        if !state.seen.entry(epoch).or_default().insert((head.sender, head.counter)) {
            return Err(BaselineError::KeyIsGone.into());
        }
        if let Standing::Member(view) = state.standing {
            state.seen = state.seen.split_off(&view.saturating_sub(PAST_EPOCHS));
        }
        Ok(Received { reading, bytes, ledger: crypto.ledger() })
    }
    pub(super) fn pry(&self, client: ClientId, message: MessageId) -> Result<bool, ProtocolError> {
        let posted = &self.posted[self.place(message)?];
        let Some((member, epoch)) = self.holds(client)? else { return Ok(false) };
        let crypto = Crypto::new(self.provider);
        let sealed = GroupMessage::read(&posted.sealed)?;
        if member.epochs.values().any(|key| key.open(&crypto, &sealed).is_ok()) {
            return Ok(true);
        }
        let mut held: Vec<Secret> = member.keys.into_values().collect();
        for later in epoch + 1..=posted.epoch.min(epoch + PRIED_ENTRIES) {
            let rekey =
                message::Rekey::verify(&crypto, self.server.verifier(), &self.at(later)?.rekey)?;
            for wrapped in &rekey.wrapped {
                let opened = held.iter().find_map(|key| wrapped.open(&crypto, later, key).ok());
                held.extend(opened);
            }
        }
        let opens = |key: &Secret| {
            let key = EpochKey::new(&crypto, key, posted.epoch);
            key.is_ok_and(|key| key.open(&crypto, &sealed).is_ok())
        };
        Ok(held.iter().any(opens))
    }
}
