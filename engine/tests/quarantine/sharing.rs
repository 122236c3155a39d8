//! Shares on their way: what holders open and keep, what they give and to whom, and what leads to a key.

use arboretum_engine::crypto::{Crypto, RealProvider, Secret};
use arboretum_engine::group::{HeldShare, Member, ShareExchangeError, ghost_key};
use arboretum_engine::protocol::{ClientId, Protocol};
use arboretum_engine::strategy::Strategy;
use arboretum_engine::tree::LeafIndex;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::trio::Trio;

fn crypto() -> Crypto<'static> {
    static REAL: RealProvider = RealProvider::new();
    Crypto::new(&REAL)
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(9)
}

/// A group in which somebody has just become a ghost: the ghost as it was, and each holder before and
/// after the commit, with what it has opened.
fn shared_out() -> (Trio, Member, Vec<(Member, Vec<HeldShare>)>) {
    let mut trio = Trio::new(11, Strategy::default());
    trio.commit(9, 0, 0);
    let ghost = ClientId(4);
    let epoch = trio.full.epoch();
    (0..10).for_each(|client| trio.advance(ClientId(client), epoch));
    let before: Vec<_> = (0..10).map(|it| trio.shared.materialise(ClientId(it)).unwrap()).collect();
    trio.commit_by(ClientId(0), &[], &[], &[ghost]);
    let message = trio.shared.commit_message(epoch + 1).unwrap();
    let holders = trio.full.ghost(ghost).unwrap().holders;
    let held = holders.iter().map(|holder| {
        let (mut member, roster) = before[holder.0 as usize].clone();
        let transition = member.public.apply(&crypto(), &roster, message).unwrap();
        let opened = member.open_shares(&crypto(), &transition).unwrap();
        member.follow(&crypto(), &transition).unwrap();
        (member, opened)
    });
    let held = held.collect();
    (trio, before[4].0.clone(), held)
}

#[test]
fn each_holder_opens_its_own_share_and_nobody_else_any() {
    let (trio, ghost, held) = shared_out();
    for (member, opened) in &held {
        assert_eq!(opened.len(), 1, "{}", member.leaf);
        assert_eq!((opened[0].ghost, opened[0].epoch), (ghost.leaf, ghost.epoch()));
    }
    let epoch = ghost.epoch();
    let message = trio.shared.commit_message(epoch + 1).unwrap();
    let (_, roster) = (&ghost, arboretum_engine::treesync::Roster::of(&ghost.public.tree).unwrap());
    let transition = ghost.public.apply(&crypto(), &roster, message).unwrap();
    assert_eq!(ghost.open_shares(&crypto(), &transition).unwrap(), []);
    // A share is bound to its holder, its place and its epoch: with anything else nothing opens.
    let (holder, _) = &held[0];
    let mut elsewhere = transition.clone();
    elsewhere.applied.quarantined[0].shares.rotate_left(1);
    let mut before = ghost.clone();
    (before.leaf, before.keys) = (holder.leaf, holder.keys.clone());
    assert_eq!(before.open_shares(&crypto(), &transition).unwrap().len(), 1);
    assert_eq!(before.open_shares(&crypto(), &elsewhere).unwrap(), []);
    let mut another = transition.clone();
    another.applied.quarantined[0].ghost = LeafIndex(9);
    assert_eq!(before.open_shares(&crypto(), &another).unwrap(), []);
    assert_eq!(holder.open_shares(&crypto(), &transition).unwrap(), [], "in the next epoch");
}

#[test]
fn any_two_shares_find_the_key_and_one_does_not() {
    let (trio, ghost, held) = shared_out();
    let message = trio.shared.commit_message(ghost.epoch() + 1).unwrap();
    let roster = arboretum_engine::treesync::Roster::of(&ghost.public.tree).unwrap();
    let transition = ghost.public.apply(&crypto(), &roster, message).unwrap();
    let proposal = &transition.applied.quarantined[0];
    let shares: Vec<&Secret> = held.iter().map(|(_, opened)| &opened[0].share).collect();
    let [one, two, three] = shares[..] else { panic!("three holders") };
    for found in [vec![one, two], vec![one, three], vec![three, two], vec![one, two, three]] {
        let pair = ghost_key(&crypto(), proposal, &found).unwrap();
        assert_eq!(pair.public, proposal.leaf_node.encryption_key);
    }
    for alone in [one, two, three] {
        assert_eq!(ghost_key(&crypto(), proposal, &[alone]), None);
        assert_eq!(ghost_key(&crypto(), proposal, &[alone, alone]), None);
    }
    // A false share does no more harm than a missing one.
    let mut false_share = three.as_slice().to_vec();
    false_share[5] ^= 1;
    let false_share = Secret::from(false_share);
    assert_eq!(ghost_key(&crypto(), proposal, &[&false_share, one]), None);
    assert!(ghost_key(&crypto(), proposal, &[&false_share, one, two]).is_some());
    assert_eq!(ghost_key(&crypto(), proposal, &[]), None);
}

#[test]
fn holders_answer_the_ghost_alone() {
    let (_, ghost, held) = shared_out();
    let (request, pair) = ghost.ask_for_shares(&crypto(), &mut rng()).unwrap();
    let (holder, shares) = &held[0];
    let answer = holder.answer(&crypto(), &request, shares, &mut rng()).unwrap();
    assert_eq!(request.open_answer(&crypto(), &pair, &answer).unwrap(), *shares);
    // One share an epoch, however many a holder sends.
    let other = HeldShare { share: held[1].1[0].share.clone(), ..shares[0].clone() };
    let later = HeldShare { epoch: shares[0].epoch + 1, ..other.clone() };
    let many = [shares[0].clone(), other.clone(), later.clone(), other];
    let answered = holder.answer(&crypto(), &request, &many, &mut rng()).unwrap();
    let opened = request.open_answer(&crypto(), &pair, &answered).unwrap();
    assert_eq!(opened, [shares[0].clone(), later]);
    // Only with the request's own key, and only for that request.
    assert!(request.open_answer(&crypto(), ghost.keys.leaf(), &answer).is_err());
    let mut later = request.clone();
    later.epoch += 1;
    assert!(later.open_answer(&crypto(), &pair, &answer).is_err());
    let refused = |request, shares: &[HeldShare]| {
        holder.answer(&crypto(), &request, shares, &mut rng()).map(|_| ()).unwrap_err()
    };
    // Somebody else has signed it, or it has been changed.
    let (mut foreign, _) = held[1].0.ask_for_shares(&crypto(), &mut rng()).unwrap();
    assert_eq!(refused(foreign.clone(), shares), ShareExchangeError::NotAGhost(held[1].0.leaf));
    foreign.ghost = ghost.leaf;
    assert!(matches!(refused(foreign, shares), ShareExchangeError::Crypto(_)));
    let mut changed = request.clone();
    changed.key = ghost.keys.leaf().public.clone();
    assert!(matches!(refused(changed, shares), ShareExchangeError::Crypto(_)));
    let mut elsewhere = request.clone();
    elsewhere.group_id = vec![1].into();
    assert_eq!(refused(elsewhere, shares), ShareExchangeError::WrongGroup);
    // It has none, or none that the ghost still needs.
    let none = ShareExchangeError::NoShare(ghost.leaf);
    assert_eq!(refused(request.clone(), &[]), none);
    let older = HeldShare { epoch: 0, ..shares[0].clone() };
    assert_eq!(refused(request, &[older]), none);
}

/// Holders keep shares of every key until the quarantine ends, and then none.
#[test]
fn shares_are_kept_as_long_as_they_are_needed() {
    let (mut trio, _, _) = shared_out();
    let ghost = ClientId(4);
    let holders = trio.full.ghost(ghost).unwrap().holders;
    let by = (0..10).map(ClientId).find(|it| *it != ghost && !holders.contains(it)).unwrap();
    trio.commit_by(by, &[], &[], &[ghost]);
    assert_eq!(trio.full.ghost(ghost).unwrap().holders, holders, "the same who held before");
    let held =
        |trio: &Trio| holders.iter().map(|it| trio.full.shares_held(*it)).collect::<Vec<_>>();
    let epoch = trio.full.epoch();
    holders.clone().into_iter().for_each(|holder| trio.advance(holder, epoch));
    assert_eq!(held(&trio), [2, 2, 2]);
    trio.recover(ghost);
    assert_eq!(held(&trio), [2, 2, 2], "it has not committed");
    trio.commit_by(ghost, &[], &[], &[]);
    let epoch = trio.full.epoch();
    holders.clone().into_iter().for_each(|holder| trio.advance(holder, epoch));
    assert_eq!(held(&trio), [0, 0, 0]);
    trio.end();
}
