//! Compiles the interface description, and lists its calls for the tests.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

const INTERFACE: &str = "proto/mls_client.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={INTERFACE}");
    let described = protox::compile([INTERFACE], ["proto"])?;
    let services = described.file.iter().flat_map(|file| &file.service);
    let mut calls = vec![];
    for method in services.flat_map(|service| &service.method) {
        calls.push(method.name());
    }
    let list = format!("&{calls:?}");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    tonic_prost_build::configure().compile_fds(described)?;
    fs::write(out.join("calls.rs"), list)?;
    Ok(())
}
