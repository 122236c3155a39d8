//! What is generated from `proto/mls_client.proto`: messages, the server's trait, and a client.

#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]

tonic::include_proto!("mls_client");

/// The names of all calls of the service, as they are described.
pub const CALLS: &[&str] = include!(concat!(env!("OUT_DIR"), "/calls.rs"));
