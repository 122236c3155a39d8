//! The key server: it holds the whole tree, checks who asks for what, and makes every key.

use std::collections::BTreeMap;

use super::key_tree::{Change, KEY, KeyTree, Plan, Seat};
use super::message::{Rekey, Request};
use crate::baseline::BaselineError;
use crate::baseline::announcement::check_members;
use crate::baseline::book::{Book, Card};
use crate::codec::encode;
use crate::crypto::{
    Crypto, HpkeCiphertext, HpkePublicKey, Ledger, Provider, Secret, Seed, SignatureKeyPair,
    SignaturePublicKey,
};
use crate::protocol::{ClientId, Seeds};
use crate::tree::{Ary, LeafIndex, Tree};

/// What an individual key is encrypted for.
pub(super) const INDIVIDUAL: &str = "BaselineIndividualKey";

/// What the server makes of a request.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) cards: Vec<Card>,
    pub(super) rekey: Vec<u8>,
    /// The length of the list of new keys in it.
    pub(super) wrapped_bytes: u64,
    /// The individual keys of those who get one, each encrypted to its owner.
    pub(super) letters: BTreeMap<ClientId, HpkeCiphertext>,
    pub(super) ledger: Ledger,
}

/// The server.
pub(super) struct KeyServer {
    provider: &'static dyn Provider,
    signer: SignatureKeyPair,
    pub(super) tree: KeyTree,
    pub(super) seats: BTreeMap<ClientId, LeafIndex>,
    /// What its own work has taken.
    pub(super) ledger: Ledger,
    draws: u64,
}

impl KeyServer {
    pub(super) fn new(provider: &'static dyn Provider, seeds: &impl Seeds, degree: u8) -> Self {
        Self {
            provider,
            signer: provider.signature_key_pair(&seeds.seed("key server", 0, 0)),
            tree: Tree::new(Ary(degree)),
            seats: BTreeMap::new(),
            ledger: Ledger::default(),
            draws: 0,
        }
    }

    /// What its messages are verified with.
    pub(super) fn verifier(&self) -> &SignaturePublicKey {
        &self.signer.public
    }

    fn draw(&mut self, seeds: &impl Seeds) -> Seed {
        self.draws += 1;
        seeds.seed("key server", 1, self.draws)
    }

    /// Seats the first member: its individual key, which is the group's as long as it is alone.
    pub(super) fn found(
        &mut self,
        seeds: &impl Seeds,
        creator: ClientId,
    ) -> Result<Secret, BaselineError> {
        let key: Secret = self.draw(seeds).as_slice().into();
        let seat = std::sync::Arc::new(Seat { key: key.clone() });
        self.tree.edit(LeafIndex(0), &mut |_| Some(seat.clone()), &mut |_, _| {})?;
        self.seats.insert(creator, LeafIndex(0));
        Ok(key)
    }

    /// Works out what a request of `card`'s owner leads to; nothing is in effect yet.
    pub(super) fn plan(
        &mut self,
        seeds: &impl Seeds,
        card: &Card,
        request: &[u8],
        (book, cards): (&Book, Vec<Card>),
        epoch: u64,
    ) -> Result<Planned, BaselineError> {
        let crypto = Crypto::new(self.provider);
        let request = Request::verify(&crypto, &card.keys.signature, request)?;
        check(book, card, &request, epoch)?;
        let seat = |client: &u32| self.seats.get(&ClientId(*client)).copied();
        let removes: Option<Vec<_>> = request.removes.iter().map(seat).collect();
        let renews = request.exchange.as_ref().and_then(|_| seat(&card.client));
        let removes = removes.ok_or(BaselineError::BadRemove)?;
        let mut change = Change { removes, ..Change::default() };
        let mut letters = BTreeMap::new();
        for card in &cards {
            let key = self.letter(
                seeds,
                &crypto,
                (card.client, &card.keys.exchange),
                epoch + 1,
                &mut letters,
            )?;
            change.adds.push((ClientId(card.client), key));
        }
        if let (Some(leaf), Some(to)) = (renews, &request.exchange) {
            let key = self.letter(seeds, &crypto, (card.client, to), epoch + 1, &mut letters)?;
            change.renews = Some((leaf, key));
        }
        let seed = self.draw(seeds);
        let plan = Plan::new(&crypto, &self.tree, change, epoch + 1, &seed)?;
        let rekey = Rekey {
            epoch: epoch + 1,
            width: plan.after.width(),
            removes: request.removes,
            adds: cards.clone(),
            wrapped: plan.wrapped.clone(),
        };
        let wrapped_bytes = encode(&rekey.wrapped)?.len() as u64;
        let rekey = rekey.sign(&crypto, &self.signer.private)?;
        Ok(Planned { plan, cards, rekey, wrapped_bytes, letters, ledger: crypto.ledger() })
    }

    /// A new individual key, encrypted to its owner.
    fn letter(
        &mut self,
        seeds: &impl Seeds,
        crypto: &Crypto<'_>,
        (client, to): (u32, &HpkePublicKey),
        epoch: u64,
        letters: &mut BTreeMap<ClientId, HpkeCiphertext>,
    ) -> Result<Secret, BaselineError> {
        let (drawn, seed) = (self.draw(seeds), self.draw(seeds));
        let key = crypto.provider().expand(&drawn, b"individual", KEY)?;
        let context = epoch.to_be_bytes();
        let sealed = crypto.encrypt_with_label(to, INDIVIDUAL, &context, key.as_slice(), &seed)?;
        letters.insert(ClientId(client), sealed);
        Ok(key)
    }
}

/// Whether the server grants a request.
fn check(book: &Book, card: &Card, request: &Request, epoch: u64) -> Result<(), BaselineError> {
    if request.client != card.client {
        return Err(BaselineError::WrongSender);
    }
    if request.epoch != epoch {
        return Err(BaselineError::WrongEpoch);
    }
    let (client, Request { removes, adds, .. }) = (ClientId(card.client), request);
    let adds_itself = removes.is_empty() && *adds == [card.client];
    if adds_itself && book.card(client).is_none() {
        return Ok(());
    }
    check_members(book, client, removes, adds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::x3dh::Identity;
    use crate::crypto::RealProvider;

    fn card(client: u32) -> Card {
        let crypto = Crypto::new(&RealProvider);
        let seed = [client as u8 + 1; 32];
        let keys = Identity::new(&crypto, &seed, &seed).unwrap().keys();
        Card { client, registration: 0, keys }
    }

    /// What the server says of the request of a client, with 0 to 3 as members.
    fn verdict(client: u32, removes: &[u32], adds: &[u32]) -> Result<(), BaselineError> {
        let mut book = Book::default();
        (0..4).for_each(|client| book.enter(0, card(client)));
        let (removes, adds) = (removes.to_vec(), adds.to_vec());
        let request = Request { client, epoch: 5, removes, adds, exchange: None };
        check(&book, &card(client), &request, 5)
    }

    #[test]
    fn who_may_ask_for_what() {
        for (client, removes, adds) in
            [(1, &[2, 0][..], &[7, 5][..]), (1, &[2], &[2]), (1, &[], &[]), (9, &[], &[9])]
        {
            assert_eq!(verdict(client, removes, adds), Ok(()));
        }
        for removes in [&[9][..], &[1], &[2, 2]] {
            assert_eq!(verdict(1, removes, &[]), Err(BaselineError::BadRemove), "{removes:?}");
        }
        for adds in [&[2][..], &[1], &[8, 8]] {
            assert_eq!(verdict(1, &[], adds), Err(BaselineError::BadAdd), "{adds:?}");
        }
        let anew_twice = verdict(1, &[2], &[2, 2]);
        assert_eq!(anew_twice, Err(BaselineError::BadAdd));
        for (removes, adds) in [(&[1][..], &[9][..]), (&[], &[8]), (&[], &[9, 9]), (&[], &[])] {
            assert_eq!(verdict(9, removes, adds), Err(BaselineError::NotAnIssuer));
        }
    }
}
