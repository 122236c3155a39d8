//! A run that never ran but looks like one: a large group created cold, which warms up as members
//! commit, loses some and gains some. Deterministic, with a small generator of its own.

use arboretum_results::{
    CatchUp, ClientHistogram, CommitRow, Event, Host, Machine, Operations, PortraitRow, Provenance,
    Recorded, Recorder, RunFacts, RunFolder, RunRecorder, Summary, TreeRow,
};

pub(crate) const OPS: &[&str] = &["kem_seal", "kem_open", "sign", "verify"];
const DAY_MS: u64 = 86_400_000;

/// Everything a folder is written from.
pub(crate) struct Run {
    pub(crate) scenario: String,
    pub(crate) provenance: Provenance,
    pub(crate) summary: Summary,
    pub(crate) recorded: Recorded,
    pub(crate) clients: Vec<ClientHistogram>,
}

impl Run {
    pub(crate) fn folder(&self) -> RunFolder<'_> {
        RunFolder {
            groups: &[],
            work: None,
            scenario_toml: &self.scenario,
            provenance: &self.provenance,
            summary: &self.summary,
            recorded: &self.recorded,
            clients: &self.clients,
        }
    }
}

/// SplitMix64.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Between two values, evenly on a logarithmic scale.
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.unit())
    }
}

/// `commits` commits among `members` over `days`; `away` catch-ups; a commit each `commits / days`.
pub(crate) fn run(members: u64, commits: u64, days: u64, away: u64) -> Run {
    let mut draw = Draw::new(7);
    let mut recorder = RunRecorder::new(OPS).with_events();
    let mut group = Group::new(members);
    recorder.commit(group.creation());
    recorder.tree(group.snapshot(0));
    recorder.portrait(group.portrait(0));
    let snapshots = 60.min(commits);
    for index in 1..commits {
        let time_ms = index * days * DAY_MS / commits + draw.next() % 1_000;
        recorder.commit(group.commit(time_ms, &mut draw));
        if index * snapshots / commits != (index - 1) * snapshots / commits {
            recorder.tree(group.snapshot(time_ms));
        }
        if index * 3 / commits != (index - 1) * 3 / commits || index + 1 == commits {
            recorder.portrait(group.portrait(time_ms));
            recorder.path_closed(time_ms);
        }
    }
    for index in 0..away {
        recorder.catch_up(catch_up(index * days * DAY_MS / away, commits / days.max(1), &mut draw));
    }
    recorder.event(Event {
        kind: "end".into(),
        detail: "of all, \"quoted\"".into(),
        ..Event::default()
    });
    finish(recorder, members, days, &mut draw)
}

fn finish(recorder: RunRecorder, members: u64, days: u64, draw: &mut Draw) -> Run {
    let recorded = recorder.finish();
    let facts = RunFacts {
        scenario: "fifty-thousand".into(),
        seed: 20_180_321,
        protocol: "treekem".into(),
        strategy: "rfc9420".into(),
        suite: "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519".into(),
        fidelity: "shared".into(),
        virtual_time_s: (days * DAY_MS) as f64 / 1_000.0,
        members_ever: members + 9,
        operations: Operations { adds: members, removes: 1, updates: 2 },
        ops: OPS.iter().map(|op| ((*op).to_owned(), 5)).collect(),
        host: Host { wall_s: 1.5, cpu_s: 1.25, peak_rss_mib: 300.0, threads: 2 },
        ..RunFacts::default()
    };
    let summary = Summary::new(facts, &recorded);
    let values = (0..members.min(5_000)).map(|_| draw.between(10.0, 1e6) as u64).collect();
    Run {
        scenario: "name = \"fifty-thousand\"\n".into(),
        provenance: Provenance {
            version: "0.1.0".into(),
            seed: summary.seed,
            scenario_source: "fifty-thousand".into(),
            command: vec!["arboretum".into(), "run".into(), "fifty-thousand".into()],
            machine: Machine {
                cpu: "a processor".into(),
                cores: 2,
                memory_mib: 8_192,
                os: "an os".into(),
            },
            digest: recorded.digest.clone(),
            started: 1_521_590_400,
            ..Provenance::default()
        },
        summary,
        recorded,
        clients: vec![ClientHistogram {
            metric: "received_bytes".into(),
            unit: "bytes".into(),
            values,
        }],
    }
}

/// A group whose blank parents fill by one path a commit and come back by removals.
struct Group {
    epoch: u64,
    members: u64,
    width: u64,
    blank_parents: f64,
}

impl Group {
    fn new(members: u64) -> Self {
        let width = members.next_power_of_two();
        Self { epoch: 1, members, width, blank_parents: (width - 1) as f64 }
    }

    fn depth(&self) -> u64 {
        self.width.ilog2().into()
    }

    /// About the log of the width, and the members below each blank at the top.
    fn expected(&self) -> f64 {
        let updates = self.epoch as f64;
        let share = self.blank_parents / self.width as f64;
        self.members as f64 / (1.0 + updates * 1.6) + self.depth() as f64 * (1.0 + share)
    }

    fn creation(&self) -> CommitRow {
        let bytes_proposals = self.members * 290;
        CommitRow {
            creation: true,
            adds: (self.members - 1) as u32,
            bytes_leaf_node: 180,
            bytes_framing: 220,
            bytes_proposals,
            bytes: bytes_proposals + 400,
            welcome_bytes: self.members * 120,
            welcome_recipients: (self.members - 1) as u32,
            sender_ops: vec![self.members - 1, 0, 2, 0],
            ..self.after(0)
        }
    }

    fn after(&self, time_ms: u64) -> CommitRow {
        CommitRow {
            epoch: self.epoch,
            time_ms,
            members: self.members,
            width: self.width,
            depth: self.depth(),
            blank_leaves: self.width - self.members,
            blank_parents: self.blank_parents as u64,
            unmerged: 12,
            expected_cost_sum: (self.expected() * self.members as f64) as u64,
            online: self.members / 5,
            ..CommitRow::default()
        }
    }

    fn commit(&mut self, time_ms: u64, draw: &mut Draw) -> CommitRow {
        let what = draw.unit();
        let (adds, removes) = match what {
            _ if what < 0.7 => (0, 0),
            _ if what < 0.82 => (1 + (draw.unit() * 4.0) as u32, 0),
            _ => (0, 1 + (draw.unit() * 3.0) as u32),
        };
        self.epoch += 1;
        self.members = (self.members + u64::from(adds)).saturating_sub(removes.into()).max(2);
        self.width = self.width.max(self.members.next_power_of_two());
        let filled = self.blank_parents * self.depth() as f64 / self.width as f64 * 1.4;
        let blanked =
            f64::from(removes) * 0.8 * (self.width as f64 - self.blank_parents) / self.width as f64;
        self.blank_parents += blanked * self.depth() as f64 - filled;
        let ciphertexts =
            (self.expected() * draw.between(0.6, 1.7)) as u64 + u64::from(what > 0.995) * 300;
        let keys = self.depth().min(ciphertexts);
        self.row(time_ms, (adds, removes), ciphertexts, keys)
    }

    fn row(
        &self,
        time_ms: u64,
        (adds, removes): (u32, u32),
        ciphertexts: u64,
        keys: u64,
    ) -> CommitRow {
        let mut row = CommitRow {
            has_path: true,
            committer: (self.epoch % self.members) as u32,
            adds,
            removes,
            leaves: removes / 2,
            evictions: removes - removes / 2,
            ciphertexts,
            public_keys: keys,
            bytes_proposals: u64::from(adds) * 290 + u64::from(removes) * 6,
            bytes_path_keys: keys * 33,
            bytes_path_ciphertexts: ciphertexts * 82,
            bytes_leaf_node: 190,
            bytes_framing: 240,
            welcome_bytes: u64::from(adds) * 400,
            welcome_recipients: adds,
            sender_ops: vec![ciphertexts, 0, 2, 0],
            receiver_ops: vec![0, 1, 0, 2],
            ..self.after(time_ms)
        };
        row.bytes = row.bytes_of_parts();
        row
    }

    fn snapshot(&self, time_ms: u64) -> TreeRow {
        TreeRow {
            time_ms,
            epoch: self.epoch,
            members: self.members,
            width: self.width,
            depth: self.depth(),
            blank_leaves: self.width - self.members,
            blank_parents: self.blank_parents as u64,
            keyed_parents: self.width - 1 - self.blank_parents as u64,
            unmerged: 12,
            expected_cost_sum: (self.expected() * self.members as f64) as u64,
            online: self.members / 5,
            lagging_epochs: 40,
            weight_sum: Some(self.members),
            active_cost_sum: Some((self.expected() * self.members as f64 * 0.8) as u64),
            huffman_sum: Some(self.members * self.depth().saturating_sub(1)),
            blank_paths: Some(self.epoch % 7),
        }
    }

    /// A perfect tree whose parents are blank here and there, more so at the right.
    fn portrait(&self, time_ms: u64) -> Vec<PortraitRow> {
        let (mut rows, mut draw) = (Vec::new(), Draw::new(time_ms));
        for level in 0..=self.depth() {
            let count = (1_u64 << level).min(512);
            let leaves = self.width / count;
            for place in 0..count {
                let is_blank = draw.unit() < place as f64 / count as f64;
                let (blank, full) =
                    if is_blank { (leaves, 0) } else { (leaves / 3, leaves - leaves / 3) };
                let is_leaf = level == self.depth();
                rows.push(PortraitRow {
                    time_ms,
                    epoch: self.epoch,
                    level: level as u32,
                    first: place * leaves,
                    leaves,
                    nodes: ((1 << level) / count).max(1),
                    keyed: if is_leaf { 0 } else { full },
                    blank: if is_leaf { 0 } else { blank },
                    member: if is_leaf { full } else { 0 },
                    blank_leaf: if is_leaf { blank } else { 0 },
                    ..PortraitRow::default()
                });
            }
        }
        rows
    }
}

fn catch_up(time_ms: u64, commits_a_day: u64, draw: &mut Draw) -> CatchUp {
    let away_ms = draw.between(120_000.0, 20.0 * DAY_MS as f64) as u64;
    let commits =
        (away_ms as f64 / DAY_MS as f64 * commits_a_day as f64 * draw.between(0.3, 2.0)) as u64;
    let bytes = (commits as f64 * 2_900.0 * draw.between(0.8, 1.6)) as u64;
    CatchUp { time_ms, client: 3, away_ms, commits, bytes, removed: commits > 9_000 }
}
