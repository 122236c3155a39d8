//! The simulation core: virtual time, clients, services, policies, checks.
//!
//! | file | what it owns |
//! |---|---|
//! | `events` | the event queue and its total order |
//! | `clients` | the clients: whether they are online, what they mean to do, what they have done |
//! | `delivery` | the Delivery Service: one ordered log, requests waiting for a committer |
//! | `authentication` | the Authentication Service: identity to signature key |
//! | `behaviour` | the clients' half of a strategy: warming, the inactive, batches |
//! | `policy` | when a client renews its key, who commits, when the server evicts |
//! | `world` | everything there is in a run, and the clock |
//! | `mail` | application messages: sent, relayed, kept, read, and tried by those they are not for |
//! | `outside` | entering by oneself: by a link, after a loss, after too long an absence |
//! | `compromise` | copied states, and when they lead nowhere any more |
//! | `devices` | further devices of a user |
//! | `services` | federated services and what they see |
//! | `people` | people come and go, views move |
//! | `commits` | commits are made, raced and accepted |
//! | `records` | what is written down |
//! | `work` | what clients had to do, in counts |
//! | `survey` | the look at every node that a snapshot takes |
//! | `portrait` | the states of all nodes, small enough to be kept |
//! | `huffman` | the least that any tree over weighted members costs |
//! | `blank_paths` | how long the paths of removed members lack keys |
//! | `seeds` | the engine's seeds: identities of people, all else of a group |
//! | `start` | how the group comes to be |
//! | `fault` | a broken check, with the command that replays up to it |

mod authentication;
mod behaviour;
mod blank_paths;
mod clients;
mod commits;
mod compromise;
mod delivery;
mod devices;
mod events;
mod fault;
mod huffman;
mod mail;
mod outside;
mod people;
mod policy;
mod portrait;
mod records;
mod seeds;
mod services;
mod start;
mod survey;
mod work;
mod world;

pub use behaviour::{
    Batching, Behaviour, BehaviourError, Delays, Inactive, Moving, PRESETS, Warming, choices,
};
pub use fault::Fault;
pub use seeds::StreamSeeds;
pub use world::{Outcome, Progress, Settings, run};
