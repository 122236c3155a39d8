//! `arboretum schema`, `completions` and `man`: what editors and shells ask for.

use std::io;
use std::process::ExitCode;

use arboretum_workloads::{Experiment, Profile, Scenario, Study};
use clap::CommandFactory;

use super::arguments::Arguments;
use super::failure::Failure;

/// Prints a JSON Schema.
pub(crate) fn schema(what: &str) -> Result<ExitCode, Failure> {
    let schema = match what {
        "scenario" => Scenario::json_schema(),
        "experiment" => Experiment::json_schema(),
        "study" => Study::json_schema(),
        "profile" => Profile::json_schema(),
        _ => {
            return Err(Failure::input_with_help(
                format!("there is no schema of `{what}`"),
                "there is: scenario, experiment, study, profile",
            ));
        }
    };
    let schema = serde_json::to_string_pretty(&schema);
    println!("{}", schema.map_err(|error| Failure::run(error.to_string()))?);
    Ok(ExitCode::SUCCESS)
}

/// Prints a completion script.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<ExitCode, Failure> {
    clap_complete::generate(shell, &mut Arguments::command(), "arboretum", &mut io::stdout());
    Ok(ExitCode::SUCCESS)
}

/// Prints the manual page of the whole, or of a command below it.
pub(crate) fn manual(path: &[String]) -> Result<ExitCode, Failure> {
    let mut whole = Arguments::command();
    whole.build();
    let mut command = &whole;
    for name in path {
        command = command.find_subcommand(name).ok_or_else(|| {
            let known: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
            let what = format!("`{}` has no command `{name}`", command.get_name());
            let help = match known.is_empty() {
                true => "it has none".to_owned(),
                false => format!("there is: {}", known.join(", ")),
            };
            Failure::input_with_help(what, help)
        })?;
    }
    let title = [&["arboretum".to_owned()], path].concat().join("-");
    let page = clap_mangen::Man::new(command.clone()).title(title);
    page.render(&mut io::stdout()).map_err(|error| Failure::run(error.to_string()))?;
    Ok(ExitCode::SUCCESS)
}
