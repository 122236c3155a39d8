//! The look at every node of the tree that a snapshot takes: what the tree costs those who are
//! active, against the best tree for them; which removals are still felt; and now and then a
//! portrait. O(width), and at snapshots only.

use arboretum_engine::protocol::{ClientId, ProtocolError};
use arboretum_engine::tree::Traversed;
use arboretum_results::Recorder;

use super::blank_paths::Lacking;
use super::clients::Standing;
use super::huffman::least_weighted_depth;
use super::portrait::Portrait;
use super::world::World;

/// Portraits of a run: one at each end and the others between, as evenly as snapshots come.
const PORTRAITS: u64 = 8;

/// What a survey finds; nothing where the protocol keeps no tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) weight_sum: Option<u64>,
    pub(super) active_cost_sum: Option<u64>,
    pub(super) huffman_sum: Option<u64>,
    pub(super) blank_paths: Option<u64>,
}

impl World<'_, '_> {
    /// Looks at every node.
    pub(super) fn survey(&mut self, recorder: &mut dyn Recorder) -> Result<Found, ProtocolError> {
        let weights = self.weights();
        let mut lacking = Lacking::default();
        let width = self.protocol.tree().width;
        let mut portrait = self.portrait_is_due().then(|| Portrait::new(width));
        let (mut nodes, mut active_cost) = (0_u64, 0);
        let mut above = vec![];
        self.protocol.traverse(&mut |node| {
            let here = Above::of(&mut above, node);
            if let Some(leaf) = node.leaf {
                let weight = weights.get(leaf.0 as usize).copied().unwrap_or(0);
                active_cost += weight * here.cost;
                lacking.note(leaf, here.lacks_key);
            }
            portrait.iter_mut().for_each(|portrait| portrait.add(node));
            nodes += 1;
        });
        if nodes == 0 {
            return Ok(Found::default());
        }
        if let Some(portrait) = portrait {
            recorder.portrait(portrait.rows(self.now.0, self.protocol.epoch()));
        }
        for blank in self.facts.blank_paths.close(&lacking, self.now) {
            recorder.path_closed(blank.0);
        }
        let weights: Vec<u64> = weights.into_iter().filter(|weight| *weight > 0).collect();
        let weight = weights.iter().sum();
        let huffman = least_weighted_depth(weights);
        self.facts.invariants.checked += 1;
        if active_cost < huffman {
            let what = format!("active members spend {active_cost}, any tree takes {huffman}");
            return Err(ProtocolError::Check(what));
        }
        Ok(Found {
            weight_sum: Some(weight),
            active_cost_sum: Some(active_cost),
            huffman_sum: Some(huffman),
            blank_paths: Some(self.facts.blank_paths.count()),
        })
    }

    /// The weight of the member at each leaf: its commits so far and one, so that who is silent
    /// weighs something; 0 for a blank leaf.
    fn weights(&self) -> Vec<u64> {
        let mut weights = vec![];
        for (number, client) in self.clients.iter().enumerate() {
            if client.standing == Standing::Member
                && let Some(leaf) = self.protocol.leaf(ClientId(number as u32))
            {
                let at = leaf.0 as usize;
                if weights.len() <= at {
                    weights.resize(at + 1, 0);
                }
                weights[at] = client.tally.commits_sent + 1;
            }
        }
        weights
    }

    /// Whether this snapshot is the first after the next part of the run has passed.
    fn portrait_is_due(&mut self) -> bool {
        let (now, end) = (self.now.0, self.demand.duration().0.max(1));
        let is_due = now * (PORTRAITS - 1) >= self.facts.portraits * end;
        if is_due {
            self.facts.portraits = now * (PORTRAITS - 1) / end + 1;
        }
        is_due
    }
}

/// What there is on the way from the root down to a node.
#[derive(Clone, Copy, Debug, Default)]
struct Above {
    /// What a path through the node spends from there on up.
    cost: u64,
    /// Whether a parent on it, the node among them, lacks its key.
    lacks_key: bool,
}

impl Above {
    /// Of the next node of a traversal; `above` has the nodes it was reached by.
    fn of(above: &mut Vec<Self>, node: Traversed) -> Self {
        above.truncate(node.depth as usize);
        let last = above.last().copied().unwrap_or_default();
        let here =
            Self { cost: last.cost + node.copath, lacks_key: last.lacks_key || node.lacks_key };
        above.push(here);
        here
    }
}
