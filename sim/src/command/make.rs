//! The protocol that a scenario names, made at its fidelity. What can be made was checked when the
//! scenario was chosen (`protocols`).

use arboretum_engine::baseline::{KeyServerGroup, Pairwise, SenderKeys, Sharing};
use arboretum_engine::crypto::{CipherSuite, CountingProvider, Provider, provider};
use arboretum_engine::protocol::{
    FullArt, FullTreeKem, Protocol, ProtocolError, SharedArt, SharedTreeKem,
};
use arboretum_workloads::{Fidelity, RootSeed, Scenario};

use super::protocols::{ART, KEY_SERVERS, is_baseline};
use crate::simulation::{Behaviour, Fault, StreamSeeds};

/// All clients of one of a scenario's groups, before there is any.
pub(crate) fn make(scenario: &Scenario, number: u32) -> Result<Box<dyn Protocol>, Fault> {
    let group = &scenario.group;
    #[cfg(feature = "peers")]
    if let Some(kind) = arboretum_peers::PeerKind::by_name(&group.protocol) {
        let group = arboretum_peers::PeerGroup::new(kind, CipherSuite(group.suite));
        return Ok(Box::new(group.expect("the suite was checked when the scenario was chosen")));
    }
    let seeds = StreamSeeds::new(&RootSeed::from_u64(scenario.seed), number);
    let made = if is_baseline(&group.protocol) {
        baseline(scenario, seeds)
    } else if group.protocol == ART {
        Ok(art(scenario, seeds))
    } else {
        treekem(scenario, seeds)
    };
    made.map_err(|error| Fault::before_start(scenario.seed, &error))
}

fn provider_of(scenario: &Scenario) -> &'static dyn Provider {
    match scenario.group.fidelity {
        Fidelity::Full | Fidelity::Shared => {
            provider(CipherSuite(scenario.group.suite)).expect("the suite is built")
        }
        Fidelity::Counted => &CountingProvider,
    }
}

fn treekem(scenario: &Scenario, seeds: StreamSeeds) -> Result<Box<dyn Protocol>, ProtocolError> {
    let (strategy, behaviour) = Behaviour::of(scenario).expect("the strategy was checked");
    let ghosts = behaviour.quarantine().is_some();
    let provider = provider_of(scenario);
    if scenario.group.fidelity == Fidelity::Full {
        let protocol = FullTreeKem::new(provider, seeds, strategy);
        return Ok(Box::new(if ghosts { protocol.with_quarantine() } else { protocol }));
    }
    let protocol = SharedTreeKem::new(provider, seeds, strategy)?;
    Ok(Box::new(if ghosts { protocol.with_quarantine() } else { protocol }))
}

fn art(scenario: &Scenario, seeds: StreamSeeds) -> Box<dyn Protocol> {
    let provider = provider_of(scenario);
    match scenario.group.fidelity {
        Fidelity::Full => Box::new(FullArt::new(provider, seeds)),
        Fidelity::Shared | Fidelity::Counted => Box::new(SharedArt::new(provider, seeds)),
    }
}

/// One of the protocols that TreeKEM was to replace.
fn baseline(scenario: &Scenario, seeds: StreamSeeds) -> Result<Box<dyn Protocol>, ProtocolError> {
    let (group, provider) = (&scenario.group, provider_of(scenario));
    let sharing = match group.fidelity {
        Fidelity::Full => Sharing::Full,
        Fidelity::Shared | Fidelity::Counted => Sharing::Shared,
    };
    Ok(match &group.protocol[..] {
        "pairwise" => Box::new(Pairwise::new(provider, seeds, sharing)),
        "sender-keys" => Box::new(SenderKeys::new(provider, seeds, sharing)),
        server => {
            let degree = KEY_SERVERS.iter().find(|(name, _)| *name == server);
            let (_, degree) = *degree.expect("the protocol was checked");
            Box::new(KeyServerGroup::new(provider, seeds, sharing, degree)?)
        }
    })
}
