//! The simulation core: virtual time, clients, services, policies, checks.
//!
//! | file | what it owns |
//! |---|---|
//! | `events` | the event queue and its total order |
//! | `clients` | the clients: whether they are online, what they mean to do, what they have done |
//! | `delivery` | the Delivery Service: one ordered log, requests waiting for a committer |
//! | `authentication` | the Authentication Service: identity to signature key |
//! | `policy` | when a client renews its key, who commits, when the server evicts |
//! | `world` | the events put into effect |
//! | `start` | how the group comes to be |
//! | `fault` | a broken check, with the command that replays up to it |

mod authentication;
mod clients;
mod delivery;
mod events;
mod fault;
mod policy;
mod seeds;
mod start;
mod world;

pub use fault::Fault;
pub use seeds::StreamSeeds;
pub use world::{Outcome, Progress, Settings, run};
