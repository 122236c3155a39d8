//! The `arboretum` command: arguments, files, terminals and clocks. Everything it computes is
//! computed elsewhere.
//!
//! | file | what it owns |
//! |---|---|
//! | `arguments` | the command line |
//! | `run`, `study`, `compare`, `plot`, `report`, `verify`, `conformance`, `calibrate`, `price`, `capacity`, `trace`, `splice`, `list`, `schema` | the subcommands of these names |
//! | `scenario`, `experiment` | which scenario or experiment is meant, and whether it can run |
//! | `protocols` | the protocols by name, and what each refuses |
//! | `make` | a scenario's protocol, made |
//! | `played` | a scenario's groups, played |
//! | `pricing` | counts times the costs of a device |
//! | `threads` | threads, work side by side, the wish to stop |
//! | `progress`, `host`, `failure` | what a terminal shows; clocks and memory; why a command ends without having done its work |
//!
//! Exit codes: 0 done; 1 the run failed (an invariant, an audit, a digest, an expectation); 2
//! the input or the command line is wrong; 130 interrupted, with everything finished kept.

mod arguments;
mod calibrate;
mod capacity;
mod compare;
mod conformance;
mod experiment;
mod failure;
mod host;
mod list;
mod make;
mod played;
mod plot;
mod price;
mod pricing;
mod progress;
mod protocols;
mod report;
mod run;
mod scenario;
mod schema;
mod splice;
mod study;
mod threads;
mod trace;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use failure::Failure;

/// Parses the command line, does what it says, and gives the exit code.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Run(options) => run::run(&options),
        Command::Study(options) => study::run(&options),
        Command::Cell(options) => study::run_task(&options),
        Command::List { what, json } => list::list(&what, json),
        Command::Schema { what } => schema::schema(&what),
        Command::Plot { paths } => plot::plot(&paths),
        Command::Splice(options) => splice::splice(&options),
        Command::Report(options) => report::run(&options),
        Command::Calibrate(options) => calibrate::run(&options),
        Command::Price(options) => price::run(&options),
        Command::Capacity(options) => capacity::run(&options),
        Command::Compare(options) => compare::run(&options),
        Command::Verify(options) => verify::verify(&options),
        Command::Trace { command } => trace::run(&command),
        Command::Conformance { dir, json } => run_conformance(&dir, json),
        Command::Completions { shell } => schema::completions(shell),
        Command::Manual { path } => schema::manual(&path),
    };
    done.unwrap_or_else(Failure::report)
}

fn run_conformance(dir: &std::path::Path, json: bool) -> Result<ExitCode, Failure> {
    let report = conformance::run(dir).map_err(|error| Failure::input(error.to_string()))?;
    if json {
        println!("{:#}", report.to_json());
    } else {
        print!("{report}");
    }
    Ok(if report.failed() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
