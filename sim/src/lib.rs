//! The Arboretum simulator.
//!
//! A run is three things put together: a *scenario* says who is there and when, a *protocol*
//! holds the cryptographic state of all clients, and a *recorder* takes down what happens.
//! [`simulation::run`] plays the scenario on the protocol in virtual time. It does no I/O and
//! reads no clock: the same scenario and seed give the same records.
//!
//! [`operations::play`] does the same for an experiment given as a sequence of operations.
//!
//! The command `arboretum` is [`command`]; it alone touches files, terminals and clocks.

pub mod command;
pub mod operations;
pub mod simulation;
