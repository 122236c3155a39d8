//! Application messages: who sends, what the Delivery Service relays at once and what it keeps, and what
//! becomes of every copy. Who is on the roster of the sender's view is meant to read a message, and
//! each such copy must come to one of the ends that [`Messages`](arboretum_results::Messages) counts:
//! the books are balanced when the run ends. Some who are not meant to try to read it, and must fail.
//!
//! Who is online is sent a copy, which may be late or lost. Who is offline finds its copies in its
//! mailbox, in the order of the service, for as long as `service.retention` keeps them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use arboretum_engine::protocol::{CaughtUp, ClientId, MessageId, ProtocolError, Reading, Sent};
use arboretum_results::{Distribution, Messages as Books, Recorder};
use arboretum_workloads::{Fidelity, Millis};

use super::events::Event;
use super::world::World;

/// Outsiders who try to read each message, and messages that a newcomer tries to read.
const PRIES: usize = 2;

/// How often an outsider is drawn for each that is wanted: most who are drawn are members.
const DRAWS: usize = 8;

/// A message at the Delivery Service.
#[derive(Clone, Copy, Debug)]
struct Letter {
    message: MessageId,
    sender: ClientId,
    epoch: u64,
    /// Members of that epoch.
    members: u64,
    /// When it reached the service.
    posted: Millis,
}

/// A time during which a client is in the group, in epochs.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: u64,
    /// The first epoch without it.
    until: Option<u64>,
}

/// What the Delivery Service has for a client.
#[derive(Clone, Debug, Default)]
pub(super) struct Mailbox {
    spans: Vec<Span>,
    /// Where it stopped being sent copies: what came since is in the log. It means nothing while the
    /// client is awake, and is set when that ends.
    cursor: usize,
    /// Letters that are on the way to it.
    coming: BTreeSet<usize>,
    /// It has lost what would open letters of epochs before this one.
    forgotten: u64,
}

impl Mailbox {
    fn is_for(&self, client: ClientId, letter: &Letter) -> bool {
        let in_span = |span: &Span| {
            span.from <= letter.epoch && span.until.is_none_or(|until| letter.epoch < until)
        };
        client != letter.sender && self.spans.iter().any(in_span)
    }

    /// Whether it has entered anew since, with nothing of what it held before.
    fn has_forgotten(&self, letter: &Letter) -> bool {
        letter.epoch < self.forgotten
            || self.spans.last().is_some_and(|span| letter.epoch < span.from)
    }

    pub(super) fn was_member_in(&self, epoch: u64) -> bool {
        let in_span = |span: &Span| span.from <= epoch && span.until.is_none_or(|it| epoch < it);
        self.spans.iter().any(in_span)
    }
}

/// All messages of a run.
#[derive(Default)]
pub(super) struct Mail {
    /// As sent, until they reach the service.
    on_the_way: BTreeMap<MessageId, Letter>,
    /// In the order of the service.
    log: Vec<Letter>,
    /// By client.
    boxes: Vec<Mailbox>,
    /// Members of the last epochs, ascending: of those in which somebody may still send.
    sizes: VecDeque<(u64, u64)>,
    /// Clients online that have been removed and may not know it yet, and until when.
    leaving: Vec<(Millis, ClientId)>,
    /// What has become of all of them.
    pub(super) books: Books,
    delay: Distribution,
    texts: u64,
}

impl Mail {
    pub(super) fn new(clients: usize) -> Self {
        Self { boxes: vec![Mailbox::default(); clients], ..Self::default() }
    }

    pub(super) fn mailbox(&self, client: ClientId) -> &Mailbox {
        &self.boxes[client.0 as usize]
    }

    /// All messages, the newest first: when each was sent, and in which epoch.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = (MessageId, u64, Millis)> {
        let all = self.on_the_way.values().rev().chain(self.log.iter().rev());
        all.map(|letter| (letter.message, letter.epoch, letter.posted))
    }

    /// The group has so many members from this epoch on.
    pub(super) fn note_size(&mut self, epoch: u64, members: u64) {
        self.sizes.push_back((epoch, members));
    }

    /// No member's view is an epoch before this one that could still send.
    pub(super) fn forget_sizes_before(&mut self, epoch: u64) {
        while self.sizes.get(1).is_some_and(|(next, _)| *next <= epoch) {
            self.sizes.pop_front();
        }
    }

    fn size_in(&self, epoch: u64) -> u64 {
        let after = self.sizes.partition_point(|(at, _)| *at <= epoch);
        after.checked_sub(1).and_then(|at| self.sizes.get(at)).map_or(0, |(_, size)| *size)
    }

    /// A client is a member from this epoch on, with nothing of what it held before.
    pub(super) fn enter(&mut self, client: ClientId, epoch: u64) {
        self.leave(client, epoch);
        self.forfeit(client);
        self.boxes[client.0 as usize].spans.push(Span { from: epoch, until: None });
    }

    /// A client is no member from this epoch on.
    pub(super) fn leave(&mut self, client: ClientId, epoch: u64) {
        if let Some(span) = self.boxes[client.0 as usize].spans.last_mut() {
            span.until.get_or_insert(epoch);
        }
    }

    /// What a client has not read by now it will never read. Of one that is awake the mailbox must have
    /// been closed.
    pub(super) fn forfeit(&mut self, client: ClientId) {
        self.books.forfeited += self.take_unread(client).len() as u64;
    }

    /// The letters for a client that it has not got, in the order of the service.
    fn take_unread(&mut self, client: ClientId) -> Vec<usize> {
        let mailbox = &mut self.boxes[client.0 as usize];
        let mut unread: Vec<usize> = std::mem::take(&mut mailbox.coming).into_iter().collect();
        let new = mailbox.cursor..self.log.len();
        mailbox.cursor = self.log.len();
        unread.extend(new.filter(|at| mailbox.is_for(client, &self.log[*at])));
        unread
    }

    /// How many letters a client has not got. Whoever is awake has been sent all others.
    fn unread(&self, client: ClientId, is_awake: bool) -> usize {
        let mailbox = self.mailbox(client);
        if is_awake {
            return mailbox.coming.len();
        }
        let new = self.log[mailbox.cursor..].iter();
        mailbox.coming.len() + new.filter(|letter| mailbox.is_for(client, letter)).count()
    }
}

impl World<'_, '_> {
    /// Whether messages are really sent.
    pub(super) fn has_mail(&self) -> bool {
        self.scenario.workload.messages.is_some()
    }

    /// Whether outsiders can try to read: with the counting provider everything opens.
    fn is_encrypted(&self) -> bool {
        self.scenario.group.fidelity != Fidelity::Counted
    }

    /// A member says something, and sends an attachment along with it now and then.
    pub(super) fn say(
        &mut self,
        client: ClientId,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        let Some(messages) = self.scenario.workload.messages else { return Ok(()) };
        let received = self.delivery.received(self.now, self.clients.get(client).delay);
        if self.bring_forward(client, received)?.removed {
            return self.find_oneself_removed(client);
        }
        if self.protocol.view(client).is_none() {
            return Ok(());
        }
        let mut stream = self.root_seed.stream("text", self.mail.texts, 0);
        self.mail.texts += 1;
        let has_attachment = stream.uniform() < messages.attachments;
        let text = stream.bytes(messages.bytes as usize);
        let sent = self.protocol.send(client, &text)?;
        self.note(recorder, "send", client);
        self.post(client, sent)?;
        if has_attachment {
            let content = stream.bytes(messages.attachment_bytes as usize);
            let sent = self.protocol.attach(client, &content)?;
            self.mail.books.attachments += 1;
            self.note(recorder, "attach", client);
            self.post(client, sent)?;
        }
        Ok(())
    }

    fn post(&mut self, sender: ClientId, sent: Sent) -> Result<(), ProtocolError> {
        self.have_thieves_read(&sent)?;
        let entry = self.clients.get_mut(sender);
        entry.tally.ledger += sent.ledger;
        entry.tally.bytes_sent += sent.bytes;
        entry.said += 1;
        let delay = entry.delay;
        self.mail.books.sent += 1;
        self.mail.books.bytes_sent += sent.bytes;
        let members = self.mail.size_in(sent.epoch);
        let (message, epoch, posted) = (sent.message, sent.epoch, self.now);
        let letter = Letter { message, sender, epoch, members, posted };
        self.mail.on_the_way.insert(sent.message, letter);
        self.schedule(self.later(delay), Event::Relay(sent.message));
        Ok(())
    }

    /// A message reaches the Delivery Service: a copy goes to everybody who is online and meant to
    /// read it.
    pub(super) fn relay(&mut self, message: MessageId) -> Result<(), ProtocolError> {
        let Some(mut letter) = self.mail.on_the_way.remove(&message) else { return Ok(()) };
        letter.posted = self.now;
        let at = self.mail.log.len();
        self.mail.log.push(letter);
        self.mail.books.due += letter.members.saturating_sub(1);
        self.services.relay(self.service_of(letter.sender));
        let now = self.now;
        self.mail.leaving.retain(|(until, _)| *until >= now);
        let leaving = self.mail.leaving.iter().map(|(_, client)| *client);
        let mut present: Vec<ClientId> = self.clients.online().to_vec();
        present.extend(leaving);
        present.retain(|client| self.clients.get(*client).is_awake());
        // Who was removed and has come back stands in both.
        present.sort_unstable();
        present.dedup();
        for client in present {
            let mailbox = self.mail.mailbox(client);
            if mailbox.is_for(client, &letter) && mailbox.has_forgotten(&letter) {
                self.mail.books.forfeited += 1;
            } else if mailbox.is_for(client, &letter) {
                self.copy(client, at, message);
            }
        }
        self.have_outsiders_try(&letter)
    }

    /// Sends a client its copy.
    fn copy(&mut self, client: ClientId, at: usize, message: MessageId) {
        let network = &self.scenario.network;
        let mut late = Millis(0);
        if network.loss > 0.0 || network.jitter.is_some() {
            let mut stream = self.root_seed.stream("copy", message.0, client.0.into());
            if stream.uniform() < network.loss {
                self.mail.books.lost += 1;
                return;
            }
            late = network.jitter.map_or(late, |it| it.sample(&mut stream).min(network.max_delay));
        }
        if self.mail.boxes[client.0 as usize].coming.insert(at) {
            let delay = Millis(self.clients.get(client).delay.0 + late.0);
            self.schedule(self.later(delay), Event::Receive(client, at as u32));
        }
    }

    /// A copy reaches a client, unless it has gone offline: then it stays in the mailbox.
    pub(super) fn receive(
        &mut self,
        client: ClientId,
        at: u32,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        let entry = self.clients.get(client);
        let delay = entry.delay;
        if !entry.is_awake() || !self.mail.boxes[client.0 as usize].coming.remove(&(at as usize)) {
            return Ok(());
        }
        let received = self.delivery.received(self.now, delay);
        let removed = self.bring_forward(client, received)?.removed;
        self.read(client, at as usize)?;
        self.note(recorder, "receive", client);
        if removed { self.find_oneself_removed(client) } else { Ok(()) }
    }

    /// A client that has come online reads what it finds in its mailbox, and follows what lies between.
    pub(super) fn fetch_mail(&mut self, client: ClientId) -> Result<CaughtUp, ProtocolError> {
        let mut caught = CaughtUp::default();
        for at in self.mail.take_unread(client) {
            let letter = self.mail.log[at];
            if self.is_expired(letter.posted) {
                self.mail.books.expired += 1;
                continue;
            }
            if self.mail.mailbox(client).has_forgotten(&letter) {
                self.mail.books.forfeited += 1;
                continue;
            }
            caught += self.bring_forward(client, letter.epoch)?;
            self.read(client, at)?;
        }
        Ok(caught)
    }

    /// Whether a mailbox does not keep any more what was put into it then.
    pub(super) fn is_expired(&self, posted: Millis) -> bool {
        let retention = self.scenario.service.retention;
        retention.is_some_and(|kept| self.now.0 - posted.0 > kept.0)
    }

    fn read(&mut self, client: ClientId, at: usize) -> Result<(), ProtocolError> {
        let letter = self.mail.log[at];
        let received = self.protocol.receive(client, letter.message)?;
        let tally = &mut self.clients.get_mut(client).tally;
        tally.ledger += received.ledger;
        tally.bytes_received += received.bytes;
        let books = &mut self.mail.books;
        books.bytes_received += received.bytes;
        match received.reading {
            Reading::Read => {
                books.read += 1;
                books.overtaken += u64::from(self.protocol.view(client) > Some(letter.epoch));
                self.mail.delay.record(self.now.0 - letter.posted.0);
                Ok(())
            }
            Reading::TooLate => {
                books.too_late += 1;
                Ok(())
            }
            Reading::NotForIt | Reading::Lost => Err(ProtocolError::Check(format!(
                "{client} was a member in epoch {} and cannot read message {} of it",
                letter.epoch, letter.message.0
            ))),
        }
    }

    /// Some who are not meant to read a message try to.
    fn have_outsiders_try(&mut self, letter: &Letter) -> Result<(), ProtocolError> {
        if !self.is_encrypted() {
            return Ok(());
        }
        let count = self.clients.iter().len() as u64;
        let mut stream = self.root_seed.stream("pry", letter.message.0, 0);
        let mut tried = 0;
        for _ in 0..PRIES * DRAWS {
            let client = ClientId(stream.below(count) as u32);
            let is_outside = !self.mail.mailbox(client).was_member_in(letter.epoch);
            if tried < PRIES && is_outside && self.authentication.knows(client) {
                self.try_in_vain(client, letter)?;
                tried += 1;
            }
        }
        Ok(())
    }

    /// Somebody who has just joined tries to read what was sent before.
    pub(super) fn have_newcomer_try(&mut self, client: ClientId) -> Result<(), ProtocolError> {
        if !self.is_encrypted() {
            return Ok(());
        }
        let last = self.mail.log.iter().rev().take(PRIES * DRAWS).copied();
        let before: Vec<_> = last
            .filter(|letter| !self.is_expired(letter.posted))
            .filter(|letter| !self.mail.mailbox(client).was_member_in(letter.epoch))
            .take(PRIES)
            .collect();
        before.iter().try_for_each(|letter| self.try_in_vain(client, letter))
    }

    fn try_in_vain(&mut self, client: ClientId, letter: &Letter) -> Result<(), ProtocolError> {
        self.mail.books.pried += 1;
        self.facts.invariants.checked += 1;
        if self.protocol.pries(client, letter.message)? {
            let Letter { message, epoch, .. } = letter;
            return Err(ProtocolError::Check(format!(
                "{client}, no member in epoch {epoch}, reads message {} of it",
                message.0
            )));
        }
        Ok(())
    }

    /// Somebody is removed while it is online: what was sent before may still reach it.
    pub(super) fn is_leaving(&mut self, client: ClientId) {
        if self.has_mail() && self.clients.get(client).is_awake() {
            let until = Millis(self.now.0 + 2 * self.longest_delay().0);
            self.mail.leaving.push((until, client));
        }
    }

    /// A client has lost what would open anything that was sent up to now.
    pub(super) fn forget_all(&mut self, client: ClientId) {
        self.mail.forfeit(client);
        self.mail.boxes[client.0 as usize].forgotten = self.protocol.epoch() + 1;
    }

    /// A client goes offline: from now on its letters stay in its mailbox.
    pub(super) fn close_mail(&mut self, client: ClientId) {
        self.mail.boxes[client.0 as usize].cursor = self.mail.log.len();
    }

    /// Messages that no mailbox keeps any more are forgotten.
    pub(super) fn clear_mail(&mut self) {
        if self.scenario.service.retention.is_some() {
            let expired = self.mail.log.iter().take_while(|letter| self.is_expired(letter.posted));
            let kept = expired.count();
            let rest = self.mail.log[kept..].iter().map(|letter| letter.message);
            let on_the_way = self.mail.on_the_way.keys().copied();
            if let Some(first) = rest.chain(on_the_way).min() {
                self.protocol.forget_messages_before(first);
            }
        }
    }

    /// What became of all messages. Every copy that was due must have come to one of its ends.
    pub(super) fn balance(&mut self) -> Result<(), ProtocolError> {
        let clients = (0..self.mail.boxes.len() as u32).map(ClientId);
        let unread = |it| self.mail.unread(it, self.clients.get(it).is_awake());
        let waiting: usize = clients.map(unread).sum();
        let delay_ms = self.mail.delay.five_figures();
        let books = &mut self.mail.books;
        (books.waiting, books.delay_ms) = (waiting as u64, delay_ms);
        let ends = books.read
            + books.lost
            + books.expired
            + books.too_late
            + books.forfeited
            + books.waiting;
        self.facts.invariants.checked += 1;
        if ends == books.due {
            return Ok(());
        }
        let due = books.due;
        Err(ProtocolError::Check(format!("{due} copies of messages were due, {ends} are known of")))
    }
}
