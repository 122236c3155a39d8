//! The server from outside: a driver of our own in the place of the working group's runner.
//!
//! * `driver`: plays the Delivery Service between the clients of a server;
//! * `scenarios`: whole lives of groups, which make every call;
//! * `refusals`: requests that are refused.

#[macro_use]
mod driver;
mod refusals;
mod scenarios;
