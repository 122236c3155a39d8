//! Random groups of clients of all three implementations: each kind creates, adds, updates,
//! removes, leaves, joins by itself, sends and receives; after each commit all agree.
//!
//! `PEERS_SEEDS` says how many groups (100), `PEERS_OPERATIONS` how many operations each has (200).

use std::collections::BTreeMap;

use arboretum_peers::{Commit, Event, Habits, MlsRs, OpenMls, Ours, Peer};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

const MOST_MEMBERS: usize = 30;

/// The suites that all three have.
const SUITES: [u16; 3] = [1, 2, 3];

/// How often each kind did each operation.
type Tally = BTreeMap<(&'static str, &'static str), u64>;

struct Room {
    rng: ChaCha20Rng,
    suite: u16,
    private_handshakes: bool,
    members: BTreeMap<u64, Box<dyn Peer>>,
    names: u64,
    tally: Tally,
    /// The keys that were proposed in this epoch, which whoever is added needs too.
    psks: Vec<([u8; 8], [u8; 32])>,
    /// How many members the group was wished to have, for now.
    target: usize,
}

/// What was proposed before a commit.
#[derive(Default)]
struct Proposed {
    newcomers: Vec<Box<dyn Peer>>,
    /// Who is about to go.
    going: Vec<u64>,
    /// Who must not commit: whoever proposed its own Update or Remove.
    about_itself: Vec<u64>,
}

impl Room {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut room = Self {
            suite: SUITES[(seed % 3) as usize],
            private_handshakes: seed / 3 % 2 == 1,
            members: BTreeMap::new(),
            names: 0,
            tally: Tally::new(),
            psks: vec![],
            target: 2 + rng.next_u32() as usize % (MOST_MEMBERS - 1),
            rng,
        };
        let mut first = room.peer_of(seed / 6 % 3);
        first.create(&seed.to_be_bytes()).unwrap();
        room.count("create", first.kind());
        room.members.insert(0, first);
        room
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.next_u32() as usize % bound
    }

    fn count(&mut self, what: &'static str, kind: &'static str) {
        *self.tally.entry((what, kind)).or_default() += 1;
    }

    /// A client outside the group, of this kind.
    fn peer_of(&mut self, kind: u64) -> Box<dyn Peer> {
        let name = self.names.to_be_bytes();
        self.names += 1;
        let suite = self.suite;
        let private_handshakes = self.private_handshakes;
        let habits = Habits { private_handshakes, ..Habits::default() };
        match kind {
            0 => {
                let mut seed = [0; 32];
                self.rng.fill_bytes(&mut seed);
                Box::new(Ours::new(&name, suite, habits, seed).unwrap())
            }
            1 => Box::new(OpenMls::new(&name, suite, habits).unwrap()),
            _ => Box::new(MlsRs::new(&name, suite, habits).unwrap()),
        }
    }

    fn peer(&mut self) -> Box<dyn Peer> {
        let kind = self.below(3) as u64;
        let mut peer = self.peer_of(kind);
        self.psks.iter().for_each(|(id, psk)| peer.store_psk(id, psk).unwrap());
        peer
    }

    fn name_of(peer: &dyn Peer) -> u64 {
        let own = peer.leaf();
        let roster = peer.roster();
        let name = &roster.iter().find(|(leaf, _)| *leaf == own).unwrap().1;
        u64::from_be_bytes(name.as_slice().try_into().unwrap())
    }

    /// A member at random, not among these.
    fn somebody(&mut self, but: &[u64]) -> Option<u64> {
        let names: Vec<_> =
            self.members.keys().copied().filter(|name| !but.contains(name)).collect();
        if names.is_empty() {
            return None;
        }
        let at = self.below(names.len());
        Some(names[at])
    }

    fn member(&mut self, name: u64) -> &mut dyn Peer {
        self.members.get_mut(&name).unwrap().as_mut()
    }

    /// Everybody but the sender receives a message.
    fn hand_out(&mut self, from: Option<u64>, message: &[u8], expected: &Event) {
        let kind = from.map_or("somebody", |name| self.members[&name].kind());
        let mut removed = vec![];
        for (name, peer) in self.members.iter_mut().filter(|(name, _)| Some(**name) != from) {
            let event = peer.receive(message).unwrap_or_else(|error| {
                panic!("{} {name} receives {expected:?} from {kind}: {error}", peer.kind())
            });
            match event {
                Event::Removed if *expected == Event::Commit => removed.push(*name),
                event => assert_eq!(event, *expected, "{} from {kind}", peer.kind()),
            }
        }
        removed.iter().for_each(|name| _ = self.members.remove(name));
    }

    /// One proposal before a commit, by anybody.
    fn propose(&mut self, proposed: &mut Proposed) {
        let but = [&proposed.going[..], &proposed.about_itself].concat();
        let Some(from) = self.somebody(&but) else { return };
        let what = ["add", "update", "remove", "leave", "psk"][self.below(5)];
        let message = match what {
            "add" if self.room_for(proposed) => {
                let mut newcomer = self.peer();
                let package = newcomer.key_package().unwrap();
                proposed.newcomers.push(newcomer);
                self.member(from).propose_add(&package)
            }
            "update" => {
                proposed.about_itself.push(from);
                self.member(from).propose_update()
            }
            "remove" if self.can_lose(proposed) => {
                let but = [&but[..], &[from]].concat();
                let Some(victim) = self.somebody(&but) else { return };
                proposed.going.push(victim);
                let leaf = self.members[&victim].leaf();
                self.member(from).propose_remove(leaf)
            }
            "leave" if self.can_lose(proposed) => {
                proposed.going.push(from);
                proposed.about_itself.push(from);
                let leaf = self.members[&from].leaf();
                self.member(from).propose_remove(leaf)
            }
            "psk" => {
                let (mut id, mut psk) = ([0; 8], [0; 32]);
                self.rng.fill_bytes(&mut id);
                self.rng.fill_bytes(&mut psk);
                let peers = self.members.values_mut().chain(&mut proposed.newcomers);
                peers.for_each(|peer| peer.store_psk(&id, &psk).unwrap());
                self.psks.push((id, psk));
                self.member(from).propose_psk(&id)
            }
            _ => return,
        };
        let kind = self.members[&from].kind();
        let message = message.unwrap_or_else(|error| panic!("{kind} proposes {what}: {error}"));
        self.count(what, kind);
        self.hand_out(Some(from), &message, &Event::Proposal);
    }

    fn room_for(&self, proposed: &Proposed) -> bool {
        self.members.len() + proposed.newcomers.len() < self.target
    }

    fn can_lose(&self, proposed: &Proposed) -> bool {
        self.members.len() > proposed.going.len() + 2
    }

    fn commit(&mut self) {
        let mut proposed = Proposed::default();
        for _ in 0..self.below(4) {
            if proposed.newcomers.is_empty() || self.below(2) == 0 {
                self.propose(&mut proposed);
            }
        }
        let but = [&proposed.going[..], &proposed.about_itself].concat();
        let Some(committer) = self.somebody(&but) else { return self.give_up(proposed) };
        let mut adds = vec![];
        if self.room_for(&proposed) && self.below(2) == 0 && proposed.newcomers.is_empty() {
            let mut newcomer = self.peer();
            adds.push(newcomer.key_package().unwrap());
            proposed.newcomers.push(newcomer);
        }
        let mut removes = vec![];
        if self.members.len() > self.target
            && let Some(victim) = self.somebody(&[&but[..], &[committer]].concat())
        {
            removes.push(self.members[&victim].leaf());
        }
        self.race(committer, &but);
        self.commit_by(committer, &adds, &removes, proposed.newcomers);
    }

    /// Nobody can commit what was proposed: whoever is there commits, and it lapses.
    fn give_up(&mut self, proposed: Proposed) {
        drop(proposed);
        // With every member about itself, an outsider's commit ends the epoch.
        self.enter_alone();
    }

    /// Somebody else makes a commit that is not chosen.
    fn race(&mut self, committer: u64, but: &[u64]) {
        if self.below(4) != 0 {
            return;
        }
        let Some(loser) = self.somebody(&[but, &[committer]].concat()) else { return };
        let kind = self.members[&loser].kind();
        let made = self.member(loser).commit(&[], &[]);
        made.unwrap_or_else(|error| panic!("{kind} commits in vain: {error}"));
        self.member(loser).discard_commit().unwrap();
        self.count("commit in vain", kind);
    }

    fn commit_by(
        &mut self,
        committer: u64,
        adds: &[Vec<u8>],
        removes: &[u32],
        newcomers: Vec<Box<dyn Peer>>,
    ) {
        let kind = self.members[&committer].kind();
        let made = self.member(committer).commit(adds, removes);
        let Commit { message, welcome } =
            made.unwrap_or_else(|error| panic!("{kind} commits: {error}"));
        self.count("commit", kind);
        self.hand_out(Some(committer), &message, &Event::Commit);
        self.member(committer).accept_commit().unwrap();
        assert_eq!(welcome.is_some(), !newcomers.is_empty());
        for mut newcomer in newcomers {
            let joined = newcomer.join(welcome.as_deref().unwrap());
            joined.unwrap_or_else(|e| panic!("{} joins by {kind}: {e}", newcomer.kind()));
            self.count("join", newcomer.kind());
            self.members.insert(Self::name_of(newcomer.as_ref()), newcomer);
        }
        self.check();
    }

    fn enter_alone(&mut self) {
        let host = self.somebody(&[]).unwrap();
        let host_kind = self.members[&host].kind();
        let info = self.member(host).group_info().unwrap();
        let mut newcomer = self.peer();
        let kind = newcomer.kind();
        let entered = newcomer.join_external(&info);
        let message =
            entered.unwrap_or_else(|error| panic!("{kind} enters by {host_kind}: {error}"));
        self.count("join alone", kind);
        self.hand_out(None, &message, &Event::Commit);
        self.members.insert(Self::name_of(newcomer.as_ref()), newcomer);
        self.check();
    }

    fn talk(&mut self) {
        let from = self.somebody(&[]).unwrap();
        let mut data = vec![0; self.below(100)];
        self.rng.fill_bytes(&mut data);
        let kind = self.members[&from].kind();
        let sent = self.member(from).send(&data);
        let message = sent.unwrap_or_else(|error| panic!("{kind} sends: {error}"));
        self.count("send", kind);
        let sender = self.members[&from].leaf();
        self.hand_out(Some(from), &message, &Event::Application { sender, data });
    }

    fn check(&mut self) {
        self.psks.clear();
        let mut members = self.members.values();
        let first = members.next().unwrap();
        let seen = |peer: &dyn Peer| {
            let exported = peer.export("arboretum peers", b"context", 40).unwrap();
            (peer.epoch(), peer.epoch_authenticator().unwrap(), exported, peer.roster())
        };
        let expected = seen(first.as_ref());
        assert_eq!(expected.3.len(), self.members.len());
        for member in members {
            let kinds = (member.kind(), first.kind());
            assert_eq!(seen(member.as_ref()), expected, "{kinds:?}");
        }
    }

    fn step(&mut self) {
        match self.below(10) {
            0 if self.members.len() < self.target => self.enter_alone(),
            1..=3 if self.members.len() > 1 => self.talk(),
            4 => self.target = 2 + self.below(MOST_MEMBERS - 1),
            _ => self.commit(),
        }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

#[test]
fn mixed_groups_agree() {
    let (seeds, operations) = (setting("PEERS_SEEDS", 100), setting("PEERS_OPERATIONS", 200));
    let tallies: Vec<_> = (0..seeds)
        .into_par_iter()
        .map(|seed| {
            let mut room = Room::new(seed);
            while room.tally.values().sum::<u64>() < operations {
                room.step();
            }
            room.tally
        })
        .collect();
    let mut all = Tally::new();
    for (key, count) in tallies.into_iter().flatten() {
        *all.entry(key).or_default() += count;
    }
    for ((what, kind), count) in &all {
        println!("{what:15} {kind:10} {count:8}");
    }
    let wanted = [
        "create",
        "add",
        "update",
        "remove",
        "leave",
        "psk",
        "commit",
        "join",
        "join alone",
        "send",
    ];
    for what in wanted {
        for kind in ["arboretum", "openmls", "mls-rs"] {
            assert!(seeds < 18 || all.contains_key(&(what, kind)), "no {kind} did {what}");
        }
    }
}
