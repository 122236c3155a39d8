//! Why a command ends without having done what it was asked, and the exit code that says so.

use std::process::ExitCode;

use arboretum_workloads::ScenarioError;
use miette::{Diagnostic, LabeledSpan, NamedSource, Report};

/// The input or the command line is wrong.
const INPUT: u8 = 2;
/// The run failed.
const RUN: u8 = 1;

/// What went wrong.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A scenario is refused, with its place.
    Scenario(Box<ScenarioError>),
    /// Other input is refused.
    Input { what: String, help: Option<String> },
    /// The run failed.
    Run { what: String, help: Option<String> },
}

impl Failure {
    pub(crate) fn input(what: impl Into<String>) -> Self {
        Self::Input { what: what.into(), help: None }
    }

    pub(crate) fn input_with_help(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Input { what: what.into(), help: Some(help.into()) }
    }

    pub(crate) fn run(what: impl Into<String>) -> Self {
        Self::Run { what: what.into(), help: None }
    }

    /// Prints what went wrong to standard error and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        match self {
            Self::Scenario(error) => {
                // The one line that tools can read stands first, the picture below it.
                eprintln!("arboretum: {error}");
                if error.span.is_some() {
                    eprintln!("{:?}", Report::new(Shown::from(*error)));
                }
                ExitCode::from(INPUT)
            }
            Self::Input { what, help } => say(&what, help.as_deref(), INPUT),
            Self::Run { what, help } => say(&what, help.as_deref(), RUN),
        }
    }
}

fn say(what: &str, help: Option<&str>, code: u8) -> ExitCode {
    eprintln!("arboretum: {what}");
    if let Some(help) = help {
        eprintln!("  {help}");
    }
    ExitCode::from(code)
}

/// A scenario's error with the place in its text.
#[derive(Debug)]
struct Shown {
    error: ScenarioError,
    source: NamedSource<String>,
}

impl From<ScenarioError> for Shown {
    fn from(error: ScenarioError) -> Self {
        let source = NamedSource::new(&error.file, error.text.clone()).with_language("TOML");
        Self { error, source }
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("here:")
    }
}

impl std::error::Error for Shown {}

impl Diagnostic for Shown {
    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.error.span.clone()?;
        let label = LabeledSpan::new(Some("this".into()), span.start, span.len().max(1));
        Some(Box::new(std::iter::once(label)))
    }
}
