//! The command: binds an address, says where, and serves until it is interrupted.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;

use arboretum_engine::crypto::Seed;
use arboretum_interop::serve;
use clap::Parser;
use tokio::net::TcpListener;

/// Serves Arboretum's engine to the interoperability test runner of the MLS working group.
///
/// Each server is one implementation to the runner, and plays any number of clients:
/// `-client 127.0.0.1:50001`.
#[derive(Parser)]
#[command(name = "arboretum-interop", version)]
struct Options {
    /// The address to listen at. The interface gives private keys to whoever asks, so any
    /// address but a loopback one is for networks where that is meant.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// The port to listen at; 0 lets the system choose one.
    #[arg(long, default_value_t = 50001)]
    port: u16,
    /// Draws everything random from this number, so that the same calls in the same order give
    /// the same keys. Without it the seed comes from the operating system.
    #[arg(long)]
    seed: Option<u64>,
}

/// Why the server stopped, or did not start.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("cannot listen at {address}: {error}; choose another --host or --port")]
    Bind { address: SocketAddr, error: io::Error },
    #[error("the operating system gives no randomness; --seed does without")]
    Randomness,
    #[error("serving failed: {0}")]
    Serve(#[from] tonic::transport::Error),
    #[error("cannot start: {0}")]
    Start(#[from] io::Error),
}

fn seed(chosen: Option<u64>) -> Result<Seed, Stop> {
    let mut seed = Seed::default();
    match chosen {
        Some(number) => seed[..8].copy_from_slice(&number.to_le_bytes()),
        None => aws_lc_rs::rand::fill(&mut seed).map_err(|_| Stop::Randomness)?,
    }
    Ok(seed)
}

async fn run(options: Options) -> Result<(), Stop> {
    let seed = seed(options.seed)?;
    let address = SocketAddr::new(options.host, options.port);
    let bind = |error| Stop::Bind { address, error };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    if !address.ip().is_loopback() {
        eprintln!("anyone who reaches {address} can ask for the private keys of every client");
    }
    println!("listening at {address}");
    let interrupted = async {
        // Without a handler there is nothing to wait for but the end of the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    Ok(serve(listener, seed, interrupted).await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            eprintln!("arboretum-interop: {stop}");
            ExitCode::from(match stop {
                Stop::Bind { .. } => 2,
                _ => 1,
            })
        }
    }
}
