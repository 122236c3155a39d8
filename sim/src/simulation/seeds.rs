//! The engine's seeds, from the addressed streams of the run.

use arboretum_engine::crypto::Seed;
use arboretum_engine::protocol::Seeds;
use arboretum_workloads::RootSeed;

/// What belongs to a client and not to its place in a group: its signature key, and the key by which
/// others begin a channel to it. All its groups see the same.
const IDENTITY: [&str; 2] = ["identity", "exchange identity"];

/// Every seed is the first 32 bytes of the stream at its address.
#[derive(Clone, Debug)]
pub struct StreamSeeds {
    people: RootSeed,
    group: RootSeed,
}

impl StreamSeeds {
    /// The seeds of one of the groups that people have.
    pub fn new(root: &RootSeed, group: u32) -> Self {
        Self { people: root.clone(), group: root.of_group(group) }
    }
}

impl Seeds for StreamSeeds {
    fn seed(&self, domain: &'static str, entity: u64, counter: u64) -> Seed {
        let root = if IDENTITY.contains(&domain) { &self.people } else { &self.group };
        root.stream(domain, entity, counter).seed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_share_identities_and_nothing_else() {
        let root = RootSeed::from_u64(1);
        let [first, second] = [0, 1].map(|group| StreamSeeds::new(&root, group));
        for domain in IDENTITY {
            assert_eq!(first.seed(domain, 3, 1), second.seed(domain, 3, 1));
        }
        for domain in ["key package", "commit", "group", "baseline"] {
            assert_ne!(first.seed(domain, 3, 1), second.seed(domain, 3, 1), "{domain}");
        }
    }
}
