//! Traces: an activity log in the place of drawn activity. A CSV with the header
//! `time_s,actor`, one event a line, in the order of time.

use std::collections::BTreeMap;
use std::path::Path;

use crate::time::Millis;

/// The most events of a trace.
pub(crate) const MAX_EVENTS: usize = 50_000_000;

/// The most actors of a trace.
pub(crate) const MAX_ACTORS: usize = 3_000_000;

/// The longest name of an actor, in bytes.
pub(crate) const MAX_NAME: usize = 256;

/// The longest a trace may last, in seconds: a hundred years.
const MAX_SECONDS: f64 = 100.0 * 365.0 * 86_400.0;

/// A trace that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {what}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct TraceError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: Option<u64>,
    /// What is wrong and what was expected.
    pub what: String,
}

/// Events by actor; actors in the order of their first events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    actors: Vec<Vec<Millis>>,
    events: usize,
    start: Millis,
}

impl Trace {
    /// Reads a trace file.
    pub fn load(path: &Path) -> Result<Self, TraceError> {
        let file = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| TraceError {
            file: file.clone(),
            line: None,
            what: error.to_string(),
        })?;
        Self::parse(&file, &bytes)
    }

    /// Reads a trace from bytes; `file` names it in errors.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, TraceError> {
        let refuse = |line: Option<u64>, what: String| TraceError { file: file.into(), line, what };
        let mut lines = bytes.split(|byte| *byte == b'\n').zip(1_u64..);
        let header = lines.next().map(|(line, _)| line.trim_ascii()).unwrap_or_default();
        if header != b"time_s,actor" {
            let found = String::from_utf8_lossy(&header[..header.len().min(80)]);
            let what = format!("the first line must be `time_s,actor`, found `{found}`");
            return Err(refuse(Some(1), what));
        }
        let mut parser = Parser::default();
        let mut blank_at = None;
        for (line, number) in lines {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                blank_at = blank_at.or(Some(number));
                continue;
            }
            // Blank lines may end the file and stand nowhere else.
            if let Some(blank) = blank_at {
                return Err(refuse(Some(blank), "a blank line between events".into()));
            }
            parser.take(line).map_err(|what| refuse(Some(number), what))?;
        }
        if parser.events == 0 {
            return Err(refuse(None, "the trace has no events".into()));
        }
        let start = Millis::from_secs_f64(parser.first);
        Ok(Self { actors: parser.actors, events: parser.events, start })
    }

    /// Actors.
    pub fn actors(&self) -> usize {
        self.actors.len()
    }

    /// Events.
    pub fn events(&self) -> usize {
        self.events
    }

    /// When an actor was active, in order; the first event of the trace is time zero.
    pub fn times(&self, actor: usize) -> &[Millis] {
        &self.actors[actor]
    }

    /// When the first event was, by the log's own clock: since 1970, as a rule.
    pub fn start(&self) -> Millis {
        self.start
    }

    /// When the last event was.
    pub fn end(&self) -> Millis {
        self.actors.iter().filter_map(|times| times.last()).max().copied().unwrap_or_default()
    }
}

#[derive(Default)]
struct Parser {
    names: BTreeMap<String, usize>,
    actors: Vec<Vec<Millis>>,
    events: usize,
    first: f64,
    last: f64,
}

impl Parser {
    fn take(&mut self, line: &[u8]) -> Result<(), String> {
        let line = std::str::from_utf8(line).map_err(|_| "the line is not UTF-8".to_owned())?;
        let mut fields = line.split(',');
        let (Some(time), Some(actor), None) = (fields.next(), fields.next(), fields.next()) else {
            return Err(format!("expected two columns, time_s and actor, found `{line}`"));
        };
        let seconds: f64 = time
            .trim()
            .parse()
            .ok()
            .filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)
            .ok_or_else(|| format!("`{time}` is not a time in seconds, at least 0"))?;
        if self.events == 0 {
            self.first = seconds;
        } else if seconds < self.last {
            return Err(format!(
                "time {time} comes after time {}: sort the lines by time",
                self.last
            ));
        }
        if seconds - self.first > MAX_SECONDS {
            return Err("the trace lasts longer than a hundred years".into());
        }
        self.last = seconds;
        self.events += 1;
        if self.events > MAX_EVENTS {
            return Err(format!("more than {MAX_EVENTS} events"));
        }
        let at = self.actor(actor.trim())?;
        self.actors[at].push(Millis::from_secs_f64(seconds - self.first));
        Ok(())
    }

    fn actor(&mut self, name: &str) -> Result<usize, String> {
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(format!("an actor's name has 1 to {MAX_NAME} bytes"));
        }
        if let Some(known) = self.names.get(name) {
            return Ok(*known);
        }
        if self.actors.len() == MAX_ACTORS {
            return Err(format!("more than {MAX_ACTORS} actors"));
        }
        self.names.insert(name.to_owned(), self.actors.len());
        self.actors.push(vec![]);
        Ok(self.actors.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &[u8]) -> String {
        Trace::parse("t.csv", text).unwrap_err().to_string()
    }

    #[test]
    fn a_trace_is_read() {
        let trace = Trace::parse("t", b"time_s,actor\n10,b\n12.5,a\r\n12.5,b\n\n").unwrap();
        assert_eq!((trace.actors(), trace.events()), (2, 3));
        assert_eq!(trace.times(0), [Millis(0), Millis(2_500)]);
        assert_eq!((trace.start(), trace.end()), (Millis(10_000), Millis(2_500)));
    }

    #[test]
    fn refusals_name_the_line_and_the_rule() {
        let head = |rest: &str| [b"time_s,actor\n", rest.as_bytes()].concat();
        assert!(refusal(b"").starts_with("t.csv:1: the first line must be"));
        assert!(refusal(b"time,who\n1,a\n").contains("found `time,who`"));
        assert_eq!(refusal(&head("")), "t.csv: the trace has no events");
        assert!(refusal(&head("1,a\n\n2,b\n")).starts_with("t.csv:3: a blank line"));
        assert!(refusal(&head("5,a\n4,b\n")).contains("t.csv:3: time 4 comes after time 5"));
        assert!(refusal(&head("5\n")).contains("expected two columns"));
        assert!(refusal(&head("x,a\n")).contains("`x` is not a time"));
        assert!(refusal(&head("-1,a\n")).contains("`-1` is not a time"));
        assert!(refusal(b"time_s,actor\n1,\xff\n").contains("t.csv:2: the line is not UTF-8"));
        assert!(refusal(&head("1,\n")).contains("an actor's name"));
    }
}
