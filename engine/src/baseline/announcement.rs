//! Announcements: how members tell each other who is one. The group's log consists of them.
//!
//! An announcement names whom it removes and adds, and is signed by its issuer: a member, or
//! somebody who announces itself. It carries the digest of the roster it leads to, so that members
//! agree and a joiner is told the roster that its announcer means, and follows the one before by the
//! digest of all of them. A joiner takes the announcer's key from that same roster, and members take
//! the keys in a card as they come: the server is trusted for identities, until people compare them.
//! An announcement is sent once and fetched by everybody; it is not encrypted, as the membership of a
//! group is known to the server that delivers it.

use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};

use super::BaselineError;
use super::book::{Book, Card};
use crate::codec::{decode, encode};
use crate::crypto::{Crypto, Digest, Signature, SignatureKeyPair};
use crate::protocol::ClientId;

const LABEL: &str = "BaselineAnnouncement";

/// What is announced.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub(super) struct Content {
    /// The epoch that it leads to.
    pub(super) epoch: u64,
    /// The digest of all announcements before it.
    pub(super) previous: Digest,
    pub(super) issuer: u32,
    pub(super) removes: Vec<u32>,
    pub(super) adds: Vec<Card>,
    /// The digest of the roster that it leads to.
    pub(super) roster: Digest,
}

/// An announcement.
#[derive(Clone, Debug, PartialEq, Eq, TlsSize, TlsSerialize, TlsDeserializeBytes)]
pub(super) struct Announcement {
    pub(super) content: Content,
    signature: Signature,
}

/// The digest of a roster.
fn digest(crypto: &Crypto<'_>, roster: &[Card]) -> Result<Digest, BaselineError> {
    Ok(crypto.hash(&encode(&roster.to_vec())?))
}

/// Puts changes into a book.
pub(super) fn apply(book: &mut Book, epoch: u64, removes: &[u32], adds: &[Card]) {
    removes.iter().for_each(|client| book.leave(epoch, ClientId(*client)));
    for card in adds {
        // Somebody who registers anew is no member in between.
        book.leave(epoch, ClientId(card.client));
        book.enter(epoch, card.clone());
    }
}

impl Announcement {
    /// Announces changes of a book.
    pub(super) fn new(
        crypto: &Crypto<'_>,
        signer: &SignatureKeyPair,
        book: &Book,
        mut content: Content,
    ) -> Result<Self, BaselineError> {
        let mut after = book.clone();
        apply(&mut after, content.epoch, &content.removes, &content.adds);
        content.roster = digest(crypto, &after.cards())?;
        let signature = crypto.sign_with_label(&signer.private, LABEL, &encode(&content)?)?;
        Ok(Self { content, signature })
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, BaselineError> {
        Ok(decode("an announcement", bytes)?)
    }

    /// The digest of all announcements, this the last.
    pub(super) fn transcript(crypto: &Crypto<'_>, previous: &Digest, bytes: &[u8]) -> Digest {
        crypto.hash_parts(&[previous.as_slice(), bytes])
    }

    /// A member follows it: the book changes, unless it is refused.
    pub(super) fn follow(
        &self,
        crypto: &Crypto<'_>,
        epoch: u64,
        transcript: &Digest,
        book: &mut Book,
    ) -> Result<(), BaselineError> {
        let Content { previous, issuer, removes, adds, roster, .. } = &self.content;
        if self.content.epoch != epoch + 1 {
            return Err(BaselineError::WrongEpoch);
        }
        if previous != transcript {
            return Err(BaselineError::WrongTranscript);
        }
        let issuer = ClientId(*issuer);
        check_changes(book, issuer, removes, adds)?;
        self.verify(crypto, book.card(issuer).or(adds.first()))?;
        let mut after = book.clone();
        apply(&mut after, epoch + 1, removes, adds);
        if digest(crypto, &after.cards())? != *roster {
            return Err(BaselineError::WrongRoster);
        }
        *book = after;
        Ok(())
    }

    /// A joiner takes the roster that the server gives it; `before` is what it remembers.
    pub(super) fn enter(
        &self,
        crypto: &Crypto<'_>,
        roster: Vec<Card>,
        before: Book,
    ) -> Result<Book, BaselineError> {
        let issuer = roster.iter().find(|card| card.client == self.content.issuer);
        self.verify(crypto, issuer)?;
        if digest(crypto, &roster)? != self.content.roster {
            return Err(BaselineError::WrongRoster);
        }
        Ok(before.resumed(self.content.epoch, roster))
    }

    fn verify(&self, crypto: &Crypto<'_>, issuer: Option<&Card>) -> Result<(), BaselineError> {
        let issuer = issuer.ok_or(BaselineError::NotAnIssuer)?;
        let content = encode(&self.content)?;
        crypto
            .verify_with_label(&issuer.keys.signature, LABEL, &content, &self.signature)
            .map_err(|_| BaselineError::BadAnnouncementSignature)
    }
}

/// Who may announce what.
fn check_changes(
    book: &Book,
    issuer: ClientId,
    removes: &[u32],
    adds: &[Card],
) -> Result<(), BaselineError> {
    let announces_itself = removes.is_empty() && adds.len() == 1 && adds[0].client == issuer.0;
    if announces_itself {
        // A newcomer, or a member that has lost its state and is the same as before.
        return match book.card(issuer) {
            Some(known) if known.registration >= adds[0].registration => Err(BaselineError::BadAdd),
            Some(known) if known.keys != adds[0].keys => Err(BaselineError::WrongIdentity),
            _ => Ok(()),
        };
    }
    let adds: Vec<u32> = adds.iter().map(|card| card.client).collect();
    check_members(book, issuer, removes, &adds)
}

/// Whether a member changes who is one: it removes other members, and adds who is none or removed by
/// the same, nobody twice.
pub(super) fn check_members(
    book: &Book,
    issuer: ClientId,
    removes: &[u32],
    adds: &[u32],
) -> Result<(), BaselineError> {
    if book.card(issuer).is_none() {
        return Err(BaselineError::NotAnIssuer);
    }
    let is_member = |client: u32| book.card(ClientId(client)).is_some();
    for (at, client) in removes.iter().enumerate() {
        if *client == issuer.0 || removes[..at].contains(client) || !is_member(*client) {
            return Err(BaselineError::BadRemove);
        }
    }
    for (at, client) in adds.iter().enumerate() {
        let stays = is_member(*client) && !removes.contains(client);
        if stays || adds[..at].contains(client) {
            return Err(BaselineError::BadAdd);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
