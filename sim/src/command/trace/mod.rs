//! `arboretum trace`: activity logs turned into a trace, and a trace into a workload. The files and the program
//! `git` are opened here; what is in them is read by `workloads/src/import` and `workloads/src/fit`.
//!
//! | file | what it owns |
//! |---|---|
//! | this one | the subcommands: what is read, written and told |
//! | `arguments` | their command line |
//! | `output` | a file that appears whole or not at all |

mod arguments;
mod output;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::JoinHandle;

use arboretum_workloads::{
    Columns, FitOptions, GIT_FORMAT, ImportError, Log, Names, Row, Trace, TraceFit, import_csv,
    import_git, import_mbox,
};

pub(crate) use arguments::TraceCommand;
use arguments::{Cleaning, CsvOptions, FitArguments, GitOptions, MboxOptions};
use output::Output;

use super::failure::Failure;

/// The most bytes of what `git` says when it refuses.
const MAX_COMPLAINT: u64 = 4_096;

/// Does what a subcommand says.
pub(crate) fn run(command: &TraceCommand) -> Result<ExitCode, Failure> {
    match command {
        TraceCommand::Csv(options) => csv(options),
        TraceCommand::Git(options) => git(options),
        TraceCommand::Mbox(options) => mbox(options),
        TraceCommand::Fit(options) => fit(options),
    }
}

fn refused(error: ImportError) -> Failure {
    Failure::Input { what: error.to_string(), help: error.help }
}

fn open(path: &Path) -> Result<File, Failure> {
    let refuse = |what: String| Failure::input(format!("{}: {what}", path.display()));
    let file = File::open(path).map_err(|error| refuse(error.to_string()))?;
    let is_folder = file.metadata().is_ok_and(|about| about.is_dir());
    if is_folder { Err(refuse("a folder and not a file".into())) } else { Ok(file) }
}

fn csv(options: &CsvOptions) -> Result<ExitCode, Failure> {
    let output = Output::new(&options.cleaning.output, options.cleaning.force)?;
    let columns = Columns {
        time: options.time.clone(),
        format: options.time_format,
        actor: options.actor.clone(),
        delimiter: options.delimiter,
    };
    let name = options.file.display().to_string();
    let file = open(&options.file)?;
    let log = import_csv(&name, file, &columns, options.cleaning.malformed()).map_err(refused)?;
    write(&log, &options.cleaning, &output)
}

fn mbox(options: &MboxOptions) -> Result<ExitCode, Failure> {
    let output = Output::new(&options.cleaning.output, options.cleaning.force)?;
    let name = options.file.display().to_string();
    let file = BufReader::new(open(&options.file)?);
    let log = import_mbox(&name, file, options.cleaning.malformed()).map_err(refused)?;
    write(&log, &options.cleaning, &output)
}

fn git(options: &GitOptions) -> Result<ExitCode, Failure> {
    let output = Output::new(&options.cleaning.output, options.cleaning.force)?;
    let mut running = Running::new(start_git(options)?);
    let name = format!("git log of {}", options.path.display());
    let log = {
        let stdout = running.child.stdout.take().expect("its output was asked for");
        import_git(&name, BufReader::new(stdout), options.cleaning.malformed())
    };
    if let Err(error @ ImportError { line: Some(_), .. }) = log {
        return Err(refused(error));
    }
    // Without any commit, why there is none is for git to say.
    running.finish(&name)?;
    write(&log.map_err(refused)?, &options.cleaning, &output)
}

fn start_git(options: &GitOptions) -> Result<Child, Failure> {
    let mut command = Command::new("git");
    // What the configuration says about looks must not reach what is read.
    command.arg("-C").arg(&options.path).args(["--no-pager", "-c", "log.showSignature=false"]);
    command.args(["log", "--no-color", "--use-mailmap", "--encoding=UTF-8"]);
    command.arg(format!("--format={GIT_FORMAT}"));
    if options.all {
        command.arg("--all");
    }
    // The repository is the one that was named, whatever the environment says.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_NAMESPACE"] {
        command.env_remove(variable);
    }
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().map_err(|error| {
        let help = "install git, and make sure that it is in the PATH";
        Failure::input_with_help(format!("the program `git` cannot be run: {error}"), help)
    })
}

/// A program that is ended when nobody reads it any more.
struct Running {
    child: Child,
    /// Reads what it complains about: a program whose complaints nobody reads may wait for ever.
    complaints: Option<JoinHandle<String>>,
}

impl Running {
    fn new(mut child: Child) -> Self {
        let complaints = child.stderr.take().map(|stderr| {
            std::thread::spawn(move || {
                let (mut stderr, mut told) = (stderr, vec![]);
                // What it says is only told on.
                let _ = stderr.by_ref().take(MAX_COMPLAINT).read_to_end(&mut told);
                let _ = io::copy(&mut stderr, &mut io::sink());
                String::from_utf8_lossy(&told).into_owned()
            })
        });
        Self { child, complaints }
    }

    /// Waits for its end, and relays what it complains about.
    fn finish(&mut self, name: &str) -> Result<(), Failure> {
        let complaint = self.complaints.take().and_then(|reader| reader.join().ok());
        let complaint = complaint.unwrap_or_default();
        let ended = self.child.wait().map_err(|error| Failure::input(error.to_string()))?;
        if ended.success() {
            return Ok(());
        }
        let help = "give the folder of a repository that has commits";
        Err(Failure::input_with_help(format!("{name}: {}", complaint.trim()), help))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, as a rule.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a log as a trace, and tells about it.
fn write(log: &Log, cleaning: &Cleaning, output: &Output) -> Result<ExitCode, Failure> {
    let names = if cleaning.keep_names { Names::Kept } else { Names::Numbers };
    let text = log.to_csv(names).map_err(refused)?;
    // Only what `arboretum run` will read is written.
    Trace::parse(&output.name(), text.as_bytes())
        .map_err(|error| Failure::input(format!("what came of the log is no trace: {error}")))?;
    output.write(&text)?;
    let (first, last) = log.span_s();
    if cleaning.json {
        let told = serde_json::json!({
            "trace": output.name(),
            "events": log.events(),
            "actors": log.actors(),
            "first_s": first,
            "last_s": last,
            "skipped": log.skipped(),
            "first_skipped": log.first_skipped().map(ToString::to_string),
        });
        println!("{told:#}");
        return Ok(ExitCode::SUCCESS);
    }
    let (events, actors, days) = (log.events(), log.actors(), (last - first) / 86_400.0);
    println!("{}: {events} events of {actors} actors in {days:.1} days", output.name());
    if let Some(skipped) = log.first_skipped() {
        println!("{} malformed and left out; the first: {skipped}", log.skipped());
    }
    Ok(ExitCode::SUCCESS)
}

fn fit(options: &FitArguments) -> Result<ExitCode, Failure> {
    let output = options.output.as_ref().map(|path| Output::new(path, options.force));
    let output = output.transpose()?;
    let trace = Trace::load(&options.trace).map_err(|error| Failure::input(error.to_string()))?;
    let looks =
        FitOptions { session: options.session, silence: options.silence, warm_up: options.warm_up };
    let failed = |error: arboretum_workloads::FitError| {
        Failure::input(format!("{}: {error}", options.trace.display()))
    };
    let fit = TraceFit::new(&trace, &looks).map_err(failed)?;
    let file = options.trace.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
    if let Some(output) = &output {
        let text = fit.scenario(&scenario_name(output.path()), &file).map_err(failed)?;
        output.write(&text)?;
    }
    if options.json {
        let text = serde_json::to_string_pretty(&fit);
        println!("{}", text.map_err(|error| Failure::run(error.to_string()))?);
        return Ok(ExitCode::SUCCESS);
    }
    print!("{}", table(&fit.rows()));
    if let Some(output) = output {
        println!("{}", output.name());
    }
    Ok(ExitCode::SUCCESS)
}

/// A scenario's name from its file's.
fn scenario_name(path: &Path) -> String {
    const LONGEST: usize = 64;
    let stem = path.file_stem().map(OsStr::to_string_lossy).unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let name: String = stem.chars().map(plain).take(LONGEST).collect();
    if name.is_empty() { "fitted".into() } else { name }
}

/// Rows in columns.
fn table(rows: &[Row]) -> String {
    let width = |of: fn(&Row) -> &String| rows.iter().map(|row| of(row).chars().count()).max();
    let (what, value) = (width(|row| &row.0).unwrap_or(0), width(|row| &row.1).unwrap_or(0));
    let line = |row: &Row| format!("{:what$}  {:value$}  {}", row.0, row.1, row.2);
    rows.iter().map(|row| line(row).trim_end().to_owned() + "\n").collect()
}
