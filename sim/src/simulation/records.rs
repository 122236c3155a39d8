//! What is written down: a row for each accepted commit, a snapshot of the tree now and then,
//! and what a run came to.

use std::collections::BTreeSet;

use arboretum_engine::crypto::{Ledger, Op};
use arboretum_engine::group::CommitCost;
use arboretum_engine::protocol::{ClientId, Draft, Order, ProtocolError};
use arboretum_engine::tree::LeafIndex;
use arboretum_results::{
    Abilities, ClientHistogram, ClientTotals, CommitRow, Credentials, Distribution, Evicted,
    Exposure, FiveFigures, Joins, KeyServer, Recorder, System, TreeRow, WorkKind,
};
use arboretum_workloads::Person;

use super::clients::{Client, Standing};
use super::world::{Outcome, World};

/// Members that show the roster they believe at each recount.
const ROSTERS: usize = 4;

/// Protocols in which every commit brings a new leaf key of its sender's (RFC 9420 §7.5).
const RENEW_THE_COMMITTER: [&str; 3] = ["treekem", "openmls", "mls-rs"];

/// Snapshots from one recount of everything that is cached to the next.
const RECOUNT_EVERY: u64 = 8;

impl World<'_, '_> {
    /// The protocol takes a commit; its row is written.
    pub(super) fn put_into_effect(
        &mut self,
        draft: Draft,
        creation: bool,
        recorder: &mut dyn Recorder,
    ) -> Result<(), ProtocolError> {
        let audited = if creation { vec![] } else { self.draw_audited(&draft.order) };
        // Who is no member and commits adds itself.
        let joins = self.clients.get(draft.order.by).standing != Standing::Member && !creation;
        let (order, leaf, cost, ledger) =
            (draft.order.clone(), draft.leaf, draft.cost, draft.ledger);
        let removed = order.removes.iter().filter_map(|client| self.protocol.leaf(*client));
        let removed: Vec<LeafIndex> = removed.collect();
        let stood = self.protocol.leaf(order.by);
        let returns = self.is_shut_out(order.by);
        let accepted = match self.protocol.accept(draft, &audited) {
            Err(error @ ProtocolError::Audit { .. }) => {
                self.facts.audits.mismatched += 1;
                return Err(error);
            }
            other => other?,
        };
        if creation {
            self.clients.get_mut(order.by).tally.ledger += ledger;
        }
        removed.into_iter().for_each(|leaf| self.facts.blank_paths.open(leaf, self.now));
        self.facts.audits.performed += u64::from(accepted.audits);
        self.facts.invariants.checked += u64::from(accepted.checks);
        self.facts.ever.extend(std::iter::once(order.by).chain(order.adds.iter().copied()));
        self.note_ghosts(&order, recorder);
        self.look_at_copies(recorder);
        if !creation {
            if !returns {
                self.note_moves(&order, stood, &cost, ledger);
            }
            let operations = &mut self.facts.operations;
            operations.adds += order.adds.len() as u64 + u64::from(joins);
            operations.removes += order.removes.len() as u64;
            operations.updates += 1;
        }
        let kind = match (creation, joins) {
            (true, _) => WorkKind::Create,
            (_, true) => WorkKind::Join,
            _ => WorkKind::Make,
        };
        let sizes = (cost.bytes, cost.bytes_welcome, accepted.tree_bytes);
        self.note_accepted(kind, (accepted.epoch, ledger, accepted.receiver), sizes);
        let tree = self.protocol.tree();
        self.mail.note_size(accepted.epoch, tree.members.into());
        let changes = order.adds.len() + order.removes.len() + usize::from(joins);
        self.services.order(changes as u64);
        let online = self.clients.online().len() as u64;
        let counted = if self.protocol.counts_operations() { &Op::ALL[..] } else { &[] };
        let counts = |ledger: Ledger| counted.iter().map(|op| ledger.count(*op)).collect();
        recorder.commit(CommitRow {
            epoch: accepted.epoch,
            time_ms: self.now.0,
            committer: order.by.0,
            committer_leaf: leaf.0,
            creation,
            has_path: !creation && cost.public_keys > 0,
            adds: order.adds.len() as u32 + u32::from(joins),
            removes: order.removes.len() as u32,
            updates: u32::from(changes == 0),
            leaves: std::mem::take(&mut self.facts.leaves),
            evictions: std::mem::take(&mut self.facts.evictions),
            rejected_before: std::mem::take(&mut self.facts.rejected_here),
            ciphertexts: cost.ciphertexts,
            public_keys: cost.public_keys,
            bytes: cost.bytes,
            bytes_proposals: cost.bytes_proposals,
            bytes_path_keys: cost.bytes_path_keys,
            bytes_path_ciphertexts: cost.bytes_path_ciphertexts,
            bytes_leaf_node: cost.bytes_leaf_node,
            bytes_framing: cost.bytes_framing,
            welcome_bytes: cost.bytes_welcome,
            welcome_recipients: order.adds.len() as u32,
            new_leaves_excluded: accepted.excluded_ciphertexts,
            members: tree.members.into(),
            width: tree.width.into(),
            depth: tree.height.into(),
            blank_leaves: (tree.width - tree.members).into(),
            blank_parents: tree.blank_parents.into(),
            unmerged: tree.unmerged,
            expected_cost_sum: tree.path_cost,
            online,
            sender_ops: counts(ledger),
            receiver_ops: counts(accepted.receiver),
        });
        Ok(())
    }

    /// Counts who has moved by a commit: its sender, if it `stood` elsewhere, and who was removed and
    /// added at once.
    fn note_moves(
        &mut self,
        order: &Order,
        stood: Option<LeafIndex>,
        cost: &CommitCost,
        ledger: Ledger,
    ) {
        let removed: BTreeSet<_> = order.removes.iter().collect();
        let moved = order.adds.iter().filter(|client| removed.contains(client)).count();
        let moves = moved as u64 + u64::from(self.protocol.leaf(order.by) != stood);
        if moves > 0 {
            let rebalancing = &mut self.facts.rebalancing;
            rebalancing.commits += 1;
            rebalancing.moves += moves;
            rebalancing.bytes += cost.bytes + cost.bytes_welcome;
            rebalancing.encapsulations += ledger.count(Op::KemEncapsulate);
        }
    }

    /// Members of the old epoch, drawn for an audit: neither the sender nor anybody removed, unless all
    /// are who go on in a new group.
    pub(super) fn draw_audited(&self, order: &Order) -> Vec<ClientId> {
        let count = self.clients.iter().len() as u64;
        let mut stream = self.root_seed.stream("audit", self.protocol.epoch(), 0);
        let others = self.protocol.tree().members as usize - 1;
        let anew = order.removes.len() == others && order.adds == order.removes;
        let mut audited = vec![];
        // Drawing a few times too often is enough to find members among all who ever were.
        for _ in 0..self.settings.audit * 8 {
            if audited.len() as u32 == self.settings.audit {
                break;
            }
            let client = ClientId(stream.below(count) as u32);
            let entry = self.clients.get(client);
            let is_member = entry.standing == Standing::Member && entry.lost.is_none();
            // A ghost cannot follow: nobody has its keys but quorums.
            let is_new = client != order.by && !audited.contains(&client);
            let is_new = is_new && !self.is_shut_out(client);
            if is_member && is_new && (anew || !order.removes.contains(&client)) {
                audited.push(client);
            }
        }
        audited
    }

    pub(super) fn snapshot(&mut self, recorder: &mut dyn Recorder) -> Result<(), ProtocolError> {
        // A recount visits the whole tree: a sample is enough, and the first and last are in it.
        if self.facts.snapshots.is_multiple_of(RECOUNT_EVERY) || self.now == self.demand.duration()
        {
            self.protocol.recount()?;
            self.facts.invariants.checked += 1;
            self.compare_rosters()?;
        }
        self.look_at_abilities(recorder)?;
        if self.has_mail() {
            self.clear_mail();
            recorder.messages(&self.mail.books);
        }
        self.facts.snapshots += 1;
        self.survey_ghosts();
        let found = self.survey(recorder)?;
        let tree = self.protocol.tree();
        let people = (0..self.demand.people().len() as u32).map(ClientId);
        let lagging: BTreeSet<u64> = people
            .filter(|client| !self.clients.get(*client).online)
            .filter_map(|client| self.protocol.view(client))
            .collect();
        recorder.tree(TreeRow {
            time_ms: self.now.0,
            epoch: self.protocol.epoch(),
            members: tree.members.into(),
            width: tree.width.into(),
            depth: tree.height.into(),
            blank_leaves: (tree.width - tree.members).into(),
            blank_parents: tree.blank_parents.into(),
            keyed_parents: tree.keyed_parents.into(),
            unmerged: tree.unmerged,
            expected_cost_sum: tree.path_cost,
            online: self.clients.online().len() as u64,
            lagging_epochs: lagging.len() as u64,
            weight_sum: found.weight_sum,
            active_cost_sum: found.active_cost_sum,
            huffman_sum: found.huffman_sum,
            blank_paths: found.blank_paths,
        });
        self.tell_progress();
        Ok(())
    }

    /// Members show the roster that they believe, which must be the one of their epoch.
    fn compare_rosters(&mut self) -> Result<(), ProtocolError> {
        let count = self.clients.iter().len() as u64;
        let mut stream = self.root_seed.stream("roster", self.facts.snapshots, 0);
        for _ in 0..ROSTERS {
            let client = ClientId(stream.below(count) as u32);
            let Some(view) = self.protocol.view(client) else { continue };
            let believed = match self.protocol.roster(client) {
                Err(ProtocolError::Unsupported { .. }) => return Ok(()),
                believed => believed?,
            };
            let everybody = (0..count as u32).map(ClientId);
            let members = everybody.filter(|it| self.mail.mailbox(*it).was_member_in(view));
            if !members.eq(believed) {
                let message = format!("{client} believes in another roster in epoch {view}");
                return Err(ProtocolError::Check(message));
            }
            self.facts.invariants.checked += 1;
        }
        Ok(())
    }

    /// What all members can, where some have old clients.
    fn look_at_abilities(&mut self, recorder: &mut dyn Recorder) -> Result<(), ProtocolError> {
        if self.scenario.workload.old_clients.is_none() {
            return Ok(());
        }
        let common = self.protocol.common()?;
        let (suites, extensions) = (common.suites.len() as u64, common.extensions.len() as u64);
        let is_old = |(client, person): &(ClientId, &Person)| {
            person.old && self.clients.get(*client).standing == Standing::Member
        };
        let people = (0..).map(ClientId).zip(self.demand.people());
        let old_members = people.filter(is_old).count() as u64;
        let before = self.facts.abilities;
        let seen = before.unwrap_or(Abilities {
            suites_start: suites,
            suites_min: suites,
            extensions_start: extensions,
            extensions_min: extensions,
            ..Abilities::default()
        });
        let shrinks =
            |before: Abilities| suites < before.suites_end || extensions < before.extensions_end;
        if before.is_some_and(shrinks) {
            self.note(recorder, "abilities shrink", ClientId(0));
        }
        self.facts.abilities = Some(Abilities {
            old_members,
            suites_end: suites,
            suites_min: seen.suites_min.min(suites),
            extensions_end: extensions,
            extensions_min: seen.extensions_min.min(extensions),
            ..seen
        });
        Ok(())
    }

    fn system(&self) -> System {
        let mut recovery = self.facts.recovery;
        recovery.ms = self.facts.recovery_ms.five_figures();
        System {
            messages: self.mail.books,
            links: self.facts.links,
            recovery,
            devices: self.facts.devices,
            healing: self.healing(),
            metadata: self.services.metadata(),
            credentials: Credentials {
                rotated: self.facts.rotated,
                ..self.authentication.figures()
            },
            abilities: Abilities {
                refused: self.facts.refused,
                ..self.facts.abilities.unwrap_or_default()
            },
            exposure: self.protocol.exposed().map_or(Exposure::default(), |exposed| Exposure {
                nodes: exposed.nodes,
                former_members: exposed.deleted,
            }),
            key_server: self.protocol.key_server().map_or(KeyServer::default(), |(keys, work)| {
                let (encryptions, signatures) = (work.count(Op::AeadSeal), work.count(Op::Sign));
                KeyServer { keys, encryptions, signatures }
            }),
        }
    }

    /// Who has been evicted, and who of them is or was back.
    fn evicted(&self) -> Evicted {
        let mut evicted = Evicted::default();
        for client in self.clients.iter() {
            evicted.people += u64::from(client.evictions > 0);
            evicted.people_back += u64::from(client.readmissions > 0);
            evicted.times_back += u64::from(client.readmissions);
        }
        evicted
    }

    /// How old the keys of members' leaves are, seconds: who has copied one reads on until it is
    /// replaced. Nothing where a commit does not always renew its sender's.
    fn key_ages(&self) -> FiveFigures {
        if !RENEW_THE_COMMITTER.contains(&self.protocol.name()) {
            return FiveFigures::default();
        }
        let mut ages = Distribution::default();
        for client in self.clients.iter().filter(|it| it.standing == Standing::Member) {
            ages.record((self.now.0 - client.keyed_at.0) / 1_000);
        }
        ages.five_figures()
    }

    fn totals(&self) -> Vec<ClientTotals> {
        let totals = |(number, client): (u32, &Client)| ClientTotals {
            was_member: self.facts.ever.contains(&ClientId(number)),
            bytes_received: client.tally.bytes_received,
            bytes_sent: client.tally.bytes_sent,
            commits_processed: client.tally.commits_processed,
            commits_sent: client.tally.commits_sent,
        };
        (0..).zip(self.clients.iter()).map(totals).collect()
    }

    pub(super) fn outcome(&mut self, interrupted: bool) -> Outcome {
        let mut ops = Ledger::default();
        self.clients.iter().for_each(|client| ops += client.tally.ledger);
        let numbers = 0..self.clients.iter().len();
        let is_registered = |at: &usize| self.authentication.knows(ClientId(*at as u32));
        let registered: Vec<_> = numbers.filter(is_registered).collect();
        let histogram = |metric: &str, unit: &str, value: &dyn Fn(usize) -> u64| ClientHistogram {
            metric: metric.into(),
            unit: unit.into(),
            values: registered.iter().copied().map(value).collect(),
        };
        let tally = |at: usize| self.clients.get(ClientId(at as u32)).tally;
        let mut clients = vec![
            histogram("bytes_received", "bytes", &|at| tally(at).bytes_received),
            histogram("bytes_sent", "bytes", &|at| tally(at).bytes_sent),
            histogram("commits_processed", "commits", &|at| tally(at).commits_processed),
            histogram("commits_sent", "commits", &|at| tally(at).commits_sent),
        ];
        let counted = self.protocol.counts_operations();
        if counted {
            let spent =
                |name, op| histogram(name, "operations", &move |at| tally(at).ledger.count(op));
            clients.push(spent("kem_decapsulations", Op::KemDecapsulate));
            clients.push(spent("signatures_verified", Op::Verify));
        }
        Outcome {
            interrupted,
            virtual_time: self.now,
            members_ever: self.facts.ever.len() as u64,
            operations: self.facts.operations,
            rebalancing: self.facts.rebalancing,
            quarantine: self.ghosts.facts(),
            evicted: self.evicted(),
            joins: Joins { bytes: self.facts.join_bytes.five_figures() },
            key_age_s: self.key_ages(),
            rejected: self.facts.rejected,
            rejected_work: self.facts.rejected_work,
            system: self.system(),
            ops: counted.then_some(ops),
            audits: self.facts.audits,
            invariants: self.facts.invariants,
            last_resort: self.delivery.last_resort,
            clients,
            totals: self.totals(),
            work: std::mem::take(&mut self.facts.work),
            events: self.events,
        }
    }
}
