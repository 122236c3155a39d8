//! The engine as a server for the interoperability test runner of the MLS working group: each of
//! its calls is one step of a client in an RFC 9420 group. The interface is described in
//! `proto/mls_client.proto`.
//!
//! | part | what it owns |
//! |---|---|
//! | [`interface`] | what is generated from the description |
//! | [`Lab`] | the clients, and what each call does; no network, one call at a time |
//! | [`serve`] | the calls of the network, handed to a lab |
//! | [`limits`] | how much a request may ask for |
//! | [`Refusal`] | the rule that a request breaks, and the status that says so |

pub mod interface;
mod lab;
pub mod limits;
mod refusal;
mod service;

pub use lab::Lab;
pub use refusal::{Field, Refusal};
pub use service::serve;
