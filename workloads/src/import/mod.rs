//! Importers: activity logs of other kinds, turned into traces. Pure but for the reader that they are
//! given; who opens the file or runs the program is `arboretum trace`.
//!
//! | file | what it owns |
//! |---|---|
//! | this one | the events of a log, their order, and the trace that is written |
//! | `error` | what is wrong with a log, and where |
//! | `lines` | lines of a limited length |
//! | `clock` | moments in words and numbers |
//! | `table` | a CSV file: two of its columns |
//! | `git` | the output of `git log`: authors and their commits |
//! | `mbox` | a mail archive: senders and their messages |

mod clock;
mod error;
mod git;
mod lines;
mod mbox;
mod table;

use std::collections::BTreeMap;
use std::fmt::Write as _;

pub use clock::TimeFormat;
pub use error::ImportError;
pub use git::{GIT_FORMAT, import_git};
pub use mbox::import_mbox;
pub use table::{Columns, import_csv};

use crate::trace::{MAX_ACTORS, MAX_EVENTS, MAX_NAME};

/// What an importer does with what is malformed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Malformed {
    /// The first of it ends the import.
    #[default]
    Refuse,
    /// It is left out and counted.
    Skip,
}

/// What the actors of a trace are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// Numbers from 1, in the order of their first events.
    #[default]
    Numbers,
    /// As in the log.
    Kept,
}

/// The events of a log.
#[derive(Clone, Debug, Default)]
pub struct Log {
    file: String,
    malformed: Malformed,
    /// Milliseconds since 1970, and whose.
    events: Vec<(u64, u32)>,
    names: Vec<String>,
    known: BTreeMap<String, u32>,
    skipped: u64,
    first_skipped: Option<ImportError>,
}

impl Log {
    fn new(file: &str, malformed: Malformed) -> Self {
        Self { file: file.into(), malformed, ..Self::default() }
    }

    /// Takes what was read at a line, or why it could not be.
    fn take(&mut self, line: u64, read: Result<(u64, String), String>) -> Result<(), ImportError> {
        let read = read.and_then(|(time, name)| match name.len() {
            1..=MAX_NAME => Ok((time, name)),
            length => Err(format!("an actor's name has 1 to {MAX_NAME} bytes, not {length}")),
        });
        match read {
            Ok((time, name)) => self.event(line, time, name),
            Err(what) => {
                let error = ImportError::at(&self.file, line, what).or_skip();
                if self.malformed == Malformed::Refuse {
                    return Err(error);
                }
                self.skipped += 1;
                self.first_skipped.get_or_insert(error);
                Ok(())
            }
        }
    }

    fn event(&mut self, line: u64, time: u64, name: String) -> Result<(), ImportError> {
        let full = |what: String| {
            let help = "cut the log into parts and import one";
            Err(ImportError { help: Some(help.into()), ..ImportError::at(&self.file, line, what) })
        };
        if self.events.len() == MAX_EVENTS {
            return full(format!("more than {MAX_EVENTS} events, the most of a trace"));
        }
        let next = self.names.len();
        let actor = match self.known.get(&name) {
            Some(known) => *known,
            None if next == MAX_ACTORS => {
                return full(format!("more than {MAX_ACTORS} actors, the most of a trace"));
            }
            None => {
                self.names.push(name.clone());
                self.known.insert(name, next as u32);
                next as u32
            }
        };
        self.events.push((time, actor));
        Ok(())
    }

    /// The log is read to its end.
    fn finish(mut self, nothing: &str) -> Result<Self, ImportError> {
        if self.events.is_empty() {
            let what = format!("{nothing} ({} malformed)", self.skipped);
            return Err(ImportError::whole(&self.file, what));
        }
        // Events of one moment stay in the order of the log.
        self.events.sort_by_key(|(time, _)| *time);
        Ok(self)
    }

    /// How many events it has.
    pub fn events(&self) -> usize {
        self.events.len()
    }

    /// How many actors.
    pub fn actors(&self) -> usize {
        self.names.len()
    }

    /// What was malformed and left out.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The first of it.
    pub fn first_skipped(&self) -> Option<&ImportError> {
        self.first_skipped.as_ref()
    }

    /// The first and the last moment, in seconds since 1970.
    pub fn span_s(&self) -> (f64, f64) {
        let at = |event: Option<&(u64, u32)>| event.map_or(0.0, |(time, _)| *time as f64 / 1e3);
        (at(self.events.first()), at(self.events.last()))
    }

    /// The trace, as a file has it.
    pub fn to_csv(&self, names: Names) -> Result<String, ImportError> {
        let mut text = String::from("time_s,actor\n");
        let mut numbers = vec![0_u32; self.names.len()];
        let mut next = 0;
        for (time, actor) in &self.events {
            let number = &mut numbers[*actor as usize];
            if *number == 0 {
                next += 1;
                *number = next;
            }
            let (seconds, millis) = (time / 1_000, time % 1_000);
            let moment = match millis {
                0 => seconds.to_string(),
                _ => format!("{seconds}.{millis:03}"),
            };
            // Writing to a text cannot fail.
            let _ = match names {
                Names::Numbers => writeln!(text, "{moment},{number}"),
                Names::Kept => writeln!(text, "{moment},{}", self.name(*actor)?),
            };
        }
        Ok(text)
    }

    fn name(&self, actor: u32) -> Result<&str, ImportError> {
        let name = &self.names[actor as usize];
        // A trace has no quotes, and its reader takes white space at the ends away.
        if name.contains([',', '\n', '\r']) || name.trim() != name {
            let what = format!(
                "a trace cannot hold the name {name:?}: it has a comma or a line break, or begins or ends with white space"
            );
            let help = "leave --keep-names out: actors become numbers";
            return Err(ImportError {
                help: Some(help.into()),
                ..ImportError::whole(&self.file, what)
            });
        }
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Trace;

    fn log(events: &[(u64, &str)]) -> Log {
        let mut log = Log::new("log", Malformed::Refuse);
        for (line, (time, name)) in events.iter().enumerate() {
            log.take(line as u64, Ok((*time, (*name).into()))).unwrap();
        }
        log.finish("nothing").unwrap()
    }

    #[test]
    fn events_are_sorted_and_actors_numbered_as_they_come() {
        let log = log(&[(5_000, "z"), (1_500, "a"), (5_000, "b"), (1_500, "a")]);
        let text = log.to_csv(Names::Numbers).unwrap();
        assert_eq!(text, "time_s,actor\n1.500,1\n1.500,1\n5,2\n5,3\n");
        assert_eq!(log.to_csv(Names::Kept).unwrap(), "time_s,actor\n1.500,a\n1.500,a\n5,z\n5,b\n");
        assert_eq!((log.events(), log.actors(), log.span_s()), (4, 3, (1.5, 5.0)));
        assert_eq!(Trace::parse("t", text.as_bytes()).unwrap().actors(), 3);
    }

    #[test]
    fn names_that_a_trace_cannot_hold_are_refused() {
        for name in ["a,b", "a\nb", " a", "a\r"] {
            let log = log(&[(1, name)]);
            assert!(log.to_csv(Names::Kept).unwrap_err().to_string().contains("cannot hold"));
            assert!(log.to_csv(Names::Numbers).is_ok());
        }
        let mut log = Log::new("log", Malformed::Refuse);
        let long = "x".repeat(MAX_NAME + 1);
        for name in ["", long.as_str()] {
            let refused = log.take(7, Ok((1, name.into()))).unwrap_err().to_string();
            assert!(refused.starts_with("log:7: an actor's name has 1 to 256 bytes"), "{refused}");
        }
    }
}
