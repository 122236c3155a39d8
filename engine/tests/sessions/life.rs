//! Groups that live through everything at once, over every cipher suite.

use arboretum_engine::crypto::CipherSuite;
use arboretum_engine::group::{Received, Session, Settings};
use arboretum_engine::treesync::{Extension, Proposal, PskType, ResumptionPskUsage};
use rand_core::Rng;

use crate::world::{CUSTOM, Client, EXTENSION, World};

/// Somebody, at random.
fn somebody(world: &mut World) -> u64 {
    let at = world.rng.next_u32() as usize % world.sessions.len();
    *world.sessions.keys().nth(at).unwrap()
}

/// Somebody else, if there is.
fn another(world: &mut World, than: u64) -> Option<u64> {
    let others: Vec<_> = world.sessions.keys().copied().filter(|name| *name != than).collect();
    let at = world.rng.next_u32() as usize % others.len().max(1);
    others.get(at).copied()
}

fn external_psk(world: &mut World) -> Proposal {
    let crypto = world.crypto();
    let id = world.rng.next_u32().to_be_bytes().to_vec();
    let psk = world.seed();
    world.share_psk(&id, &psk);
    let psk_type = PskType::External(id.into());
    Proposal::PreSharedKey(Session::psk_id(&crypto, psk_type, &mut world.rng))
}

/// The resumption key of the epoch before, if all were there.
fn resumption_psk(world: &mut World) -> Option<Proposal> {
    let crypto = world.crypto();
    let context = &world.sessions.values().next()?.public().context;
    let epoch = context.epoch.checked_sub(1)?;
    let usage = ResumptionPskUsage::Application;
    let psk_type = PskType::Resumption(usage, context.group_id.clone(), epoch);
    let held = |session: &Session| session.holdings().psks.find(&psk_type).is_some();
    if !world.sessions.values().all(held) {
        return None;
    }
    Some(Proposal::PreSharedKey(Session::psk_id(&crypto, psk_type, &mut world.rng)))
}

/// Something that somebody proposes before the commit; a client, if it is to be added.
fn propose_something(world: &mut World, committer: u64) -> Option<Client> {
    let proposer = somebody(world);
    match world.rng.next_u32() % 6 {
        0 => {
            let client = world.client();
            world.propose(proposer, client.add());
            return Some(client);
        }
        1 if proposer != committer => world.update(proposer),
        2 if world.sessions.len() > 2 => {
            let victim = another(world, committer)?;
            let leaf = world.leaf(victim);
            world.propose(proposer, Proposal::Remove(leaf));
        }
        3 => {
            let psk = external_psk(world);
            world.propose(proposer, psk);
        }
        4 => {
            world.propose(proposer, Proposal::Custom(CUSTOM, vec![1, 2].into()));
        }
        _ => {
            let data = world.seed().to_vec();
            let extension = Extension { extension_type: EXTENSION, extension_data: data.into() };
            world.propose(proposer, Proposal::GroupContextExtensions(vec![extension]));
        }
    }
    None
}

/// Somebody else makes a commit that is not chosen.
fn race(world: &mut World, committer: u64) {
    let Some(loser) = another(world, committer) else { return };
    let (crypto, plan) = (world.crypto(), world.plan());
    let session = world.sessions.get_mut(&loser).unwrap();
    session.commit(&crypto, plan, &mut world.rng).unwrap();
    if loser % 2 == 0 {
        session.discard_pending();
    }
}

/// A commit of what was proposed, and of what the committer adds itself.
fn commit(world: &mut World) {
    let committer = somebody(world);
    let mut newcomers = vec![];
    for _ in 0..world.rng.next_u32() % 4 {
        newcomers.extend(propose_something(world, committer));
    }
    race(world, committer);
    let mut plan = world.plan();
    if world.rng.next_u32().is_multiple_of(3) {
        let client = world.client();
        plan.proposals.push(client.add());
        newcomers.push(client);
    } else if newcomers.is_empty()
        && let Some(psk) = resumption_psk(world)
    {
        plan.proposals.push(psk);
    }
    let welcome = world.commit(committer, plan);
    assert_eq!(welcome.is_some(), !newcomers.is_empty());
    world.join_all(&welcome.unwrap_or_default(), newcomers);
}

/// Somebody joins by itself, or comes back by itself in the place of its former self.
fn enter_alone(world: &mut World) {
    let returning = (world.rng.next_u32().is_multiple_of(2) && world.sessions.len() > 1)
        .then(|| somebody(world));
    let client = match returning {
        Some(name) => {
            let signer = world.session(name).member().signer.clone();
            world.client_named(name, signer)
        }
        None => world.client(),
    };
    let host = match returning {
        Some(name) => another(world, name).unwrap(),
        None => somebody(world),
    };
    let info = world.group_info(host);
    let removing = returning.map(|name| world.leaf(name));
    let crypto = world.crypto();
    let joining = world.joining(&client);
    let (session, message) =
        Session::join_external(&crypto, &info, joining, removing, vec![], &mut world.rng).unwrap();
    if let Some(name) = returning {
        world.sessions.remove(&name);
    }
    let received = world.hand_out(None, &message);
    for (name, received) in received {
        assert!(matches!(received, Ok(Received::Commit { .. })), "{name}: {received:?}");
    }
    world.sessions.insert(client.name, session);
    world.check_complete();
}

fn live(suite: CipherSuite, seed: u64, steps: usize) {
    let settings = Settings {
        private_handshakes: seed % 2 == 1,
        padding: if seed.is_multiple_of(3) { 256 } else { 0 },
        ..Settings::default()
    };
    let mut world = World::new(suite, seed, settings);
    world.found();
    for _ in 0..steps {
        match world.rng.next_u32() % 5 {
            0 => enter_alone(&mut world),
            _ => commit(&mut world),
        }
        if world.sessions.len() > 1 {
            let from = somebody(&mut world);
            world.talk(from);
        }
    }
}

#[test]
fn groups_live_through_everything() {
    for seed in 0..30 {
        live(CipherSuite::ALL[0], seed, 25);
    }
}

#[test]
fn in_every_cipher_suite() {
    for suite in CipherSuite::ALL {
        for seed in 100..102 {
            live(suite, seed, 8);
        }
    }
}
