//! For how many operations members have had their own keys: who has copied one reads on until it is
//! replaced. An experiment has no clock, so ages are counted in operations.

use arboretum_results::{Distribution, FiveFigures};
use arboretum_workloads::{Operation, OperationKind};

/// When whom of all who ever came has got keys of its own.
#[derive(Debug)]
pub(super) struct KeyAges {
    /// Operations so far.
    now: u64,
    /// By the member's number; none where it has gone.
    keyed: Vec<Option<u64>>,
}

impl KeyAges {
    /// A group in which all keys are new.
    pub(super) fn new(members: u32) -> Self {
        Self { now: 0, keyed: vec![Some(0); members as usize] }
    }

    /// After an operation, by which its issuer has renewed its own keys or not.
    pub(super) fn apply(&mut self, operation: &Operation, renewed: bool) {
        self.now += 1;
        match operation.kind {
            OperationKind::Add { member } => self.set(member, Some(self.now)),
            OperationKind::Remove { member } => self.set(member, None),
            OperationKind::Update => {}
        }
        let issuer = renewed.then_some(&operation.by);
        for member in operation.proposers.iter().chain(issuer) {
            self.set(*member, Some(self.now));
        }
    }

    fn set(&mut self, member: u32, keyed: Option<u64>) {
        let at = member as usize;
        if self.keyed.len() <= at {
            self.keyed.resize(at + 1, None);
        }
        self.keyed[at] = keyed;
    }

    /// The ages of those who are there.
    pub(super) fn figures(&self) -> FiveFigures {
        let mut ages = Distribution::default();
        self.keyed.iter().flatten().for_each(|keyed| ages.record(self.now - keyed));
        ages.five_figures()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(by: u32, kind: OperationKind, proposers: &[u32]) -> Operation {
        let proposers = proposers.to_vec();
        Operation { by, kind, proposers, left: vec![], returned: vec![], measured: true }
    }

    #[test]
    fn keys_are_as_old_as_the_last_own_path_proposal_or_add() {
        let mut ages = KeyAges::new(4);
        ages.apply(&operation(0, OperationKind::Update, &[2]), true);
        ages.apply(&operation(0, OperationKind::Add { member: 4 }, &[]), false);
        ages.apply(&operation(1, OperationKind::Remove { member: 3 }, &[]), true);
        // 0 and 2 at the first, 4 at the second, 1 at the third; 3 has gone.
        let figures = ages.figures();
        assert_eq!(figures.mean, Some((2.0 + 2.0 + 1.0 + 0.0) / 4.0));
        assert_eq!((figures.p50, figures.max), (Some(1), Some(2)));
    }
}
