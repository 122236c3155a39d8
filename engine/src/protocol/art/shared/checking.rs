//! What is checked beside the messages themselves: the nodes of a setup from both their children, and
//! audits.

use rayon::prelude::*;

use super::{Epoch, Moment, SharedArt};
use crate::art::{DhKeyPair, DhPublicKey, Followed, NodeSecret, UserInitKey, root_at};
use crate::crypto::{Crypto, CryptoError};
use crate::protocol::art::draft::{Invited, Step};
use crate::protocol::art::{authenticator, check, init_keys};
use crate::protocol::{ClientId, ProtocolError, Seeds};

/// The children of each parent among the nodes of a tree in order, as positions: parent, left, right.
fn families(first: usize, width: usize, found: &mut Vec<[usize; 3]>) {
    if width == 1 {
        return;
    }
    let left = width.next_power_of_two() / 2;
    let root = |first: usize, width: usize| 2 * first + root_at(width);
    let right = root(first + left, width - left);
    found.push([root(first, width), root(first, left), right]);
    families(first, left, found);
    families(first + left, width - left, found);
}

impl<S: Seeds> SharedArt<S> {
    /// Every member computes its own leaf, and every parent is computed from the child from which the
    /// creator has not computed it.
    pub(super) fn check_setup_nodes(
        &self,
        setup_key: &DhPublicKey,
        nodes: &[NodeSecret],
        invited: &[Invited],
    ) -> Result<u32, ProtocolError> {
        let provider = self.provider;
        let inits = init_keys(&self.clients, provider, invited)?;
        let leaf = |(at, (_, init)): (usize, &(UserInitKey, DhKeyPair))| {
            let own = NodeSecret::agreed(&Crypto::new(provider), init, setup_key)?;
            Ok::<_, CryptoError>(own == nodes[2 * (at + 1)])
        };
        let leaves: Result<Vec<bool>, _> = inits.par_iter().enumerate().map(leaf).collect();
        check(leaves?.into_iter().all(|same| same), "a member computes another leaf")?;
        let mut parents = vec![];
        families(0, invited.len() + 1, &mut parents);
        let met = |[parent, left, right]: &[usize; 3]| {
            let (own, other) = (&nodes[*right].pair, &nodes[*left].pair.public);
            let met = NodeSecret::agreed(&Crypto::new(provider), own, other)?;
            Ok::<_, CryptoError>(met == nodes[*parent])
        };
        let met: Result<Vec<bool>, _> = parents.par_iter().map(met).collect();
        check(met?.into_iter().all(|same| same), "members below one node compute another")?;
        Ok((inits.len() + parents.len()) as u32)
    }

    /// Members follow an entry from the wire, and must arrive where everybody does.
    pub(super) fn audit(
        &self,
        before: &Epoch,
        steps: &[Step],
        after: &Moment,
        audited: &[ClientId],
    ) -> Result<u32, ProtocolError> {
        let expected = authenticator(&Crypto::new(self.provider), &after.secrets);
        let mut audits = 0;
        for client in audited {
            let leaf = self.membership(*client)?.leaf;
            let mut member = self.member_at(&before.now, *client, leaf)?;
            let crypto = Crypto::new(self.provider);
            for step in steps {
                match member.receive(&crypto, &step.message)? {
                    Followed::Member(next) => member = *next,
                    Followed::Deleted => return Err(ProtocolError::NotAMember(*client)),
                }
            }
            let epoch = before.number + 1;
            if authenticator(&crypto, &member.secrets) != expected {
                return Err(ProtocolError::Audit { client: *client, epoch });
            }
            let held = after.private.keys_of(leaf)?;
            check(member.keys == held, "an audited member holds other keys than it should")?;
            audits += 1;
        }
        Ok(audits)
    }
}
