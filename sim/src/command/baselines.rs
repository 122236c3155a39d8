//! The protocols that TreeKEM was to replace, as they are run: by name, at the fidelity asked for.

use arboretum_engine::baseline::{KeyServerGroup, Pairwise, SenderKeys, Sharing};
use arboretum_engine::crypto::{CipherSuite, CountingProvider, Provider, provider};
use arboretum_engine::protocol::ProtocolError;
use arboretum_results::RunRecorder;
use arboretum_workloads::{Demand, Fidelity, RootSeed, Scenario};

use super::protocols::KEY_SERVERS;
use crate::simulation::{self, Fault, Outcome, Settings, StreamSeeds};

/// Plays a scenario on one of them.
pub(crate) fn play(
    scenario: &Scenario,
    demand: &Demand,
    recorder: &mut RunRecorder,
    settings: Settings<'_>,
) -> Result<Outcome, Fault> {
    let group = &scenario.group;
    let seeds = StreamSeeds(RootSeed::from_u64(scenario.seed));
    let real = || provider(CipherSuite(group.suite)).expect("the suite is built");
    let (provider, sharing): (&'static dyn Provider, _) = match group.fidelity {
        Fidelity::Full => (real(), Sharing::Full),
        Fidelity::Shared => (real(), Sharing::Shared),
        Fidelity::Counted => (&CountingProvider, Sharing::Shared),
    };
    if group.protocol == "pairwise" {
        let mut protocol = Pairwise::new(provider, seeds, sharing);
        return simulation::run(scenario, demand, &mut protocol, recorder, settings);
    }
    if group.protocol == "sender-keys" {
        let mut protocol = SenderKeys::new(provider, seeds, sharing);
        return simulation::run(scenario, demand, &mut protocol, recorder, settings);
    }
    let degree = KEY_SERVERS.iter().find(|(name, _)| *name == group.protocol);
    let degree = degree.map_or(2, |(_, degree)| *degree);
    let protocol = KeyServerGroup::new(provider, seeds, sharing, degree);
    let mut protocol = protocol
        .map_err(|error| Fault::before_start(scenario.seed, &ProtocolError::from(error)))?;
    simulation::run(scenario, demand, &mut protocol, recorder, settings)
}
