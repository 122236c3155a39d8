//! A CSV file (RFC 4180): one of its columns says when, another who. The first line names them.

use std::io::{self, Read};

use csv::{ByteRecord, ErrorKind, ReaderBuilder, Trim};

use super::clock::TimeFormat;
use super::error::{ImportError, shown};
use super::lines::MAX_LINE;
use super::{Log, Malformed};
use crate::scenario::nearest;

/// The longest record, in bytes: of several lines, if fields are quoted.
const MAX_RECORD: usize = 1 << 20;

/// Which columns are read, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// The column of moments.
    pub time: String,
    /// How they are written.
    pub format: TimeFormat,
    /// The column of actors.
    pub actor: String,
    /// What stands between columns.
    pub delimiter: u8,
}

/// Reads a log from a CSV file; `file` names it in errors.
pub fn import_csv(
    file: &str,
    reader: impl Read,
    columns: &Columns,
    malformed: Malformed,
) -> Result<Log, ImportError> {
    let guarded = Guard { inner: reader, line: 1, length: 0 };
    let mut builder = ReaderBuilder::new();
    let builder = builder.delimiter(columns.delimiter).trim(Trim::All).flexible(true);
    let mut table = builder.from_reader(guarded);
    let header = table.byte_headers().map_err(|error| refused(file, &error))?.clone();
    let time = place(file, &header, &columns.time, "--time")?;
    let actor = place(file, &header, &columns.actor, "--actor")?;
    let mut log = Log::new(file, malformed);
    let mut record = ByteRecord::new();
    while table.read_byte_record(&mut record).map_err(|error| refused(file, &error))? {
        let line = record.position().map_or(0, csv::Position::line);
        log.take(line, row(&record, header.len(), (time, actor), columns.format))?;
    }
    log.finish("the table has no rows that can be read")
}

fn row(
    record: &ByteRecord,
    wanted: usize,
    (time, actor): (usize, usize),
    format: TimeFormat,
) -> Result<(u64, String), String> {
    if record.as_slice().len() > MAX_RECORD {
        return Err(format!("a record of more than {MAX_RECORD} bytes: is a quote not closed?"));
    }
    if record.len() != wanted {
        return Err(format!("{} columns, and the first line has {wanted}", record.len()));
    }
    let text = |at: usize| {
        std::str::from_utf8(&record[at]).map_err(|_| "the field is not UTF-8".to_owned())
    };
    Ok((format.read(text(time)?)?, text(actor)?.to_owned()))
}

/// Where a column stands.
fn place(file: &str, header: &ByteRecord, name: &str, option: &str) -> Result<usize, ImportError> {
    let mut found = (0..header.len()).filter(|at| &header[*at] == name.as_bytes());
    let refuse = |what: String, help: String| {
        Err(ImportError { help: Some(help), ..ImportError::at(file, 1, what) })
    };
    match (found.next(), found.next()) {
        (Some(at), None) => Ok(at),
        (Some(_), Some(_)) => {
            let help = format!("rename one of them, or give another: {option} COLUMN");
            refuse(format!("two columns are called {}", shown(name)), help)
        }
        (None, _) => {
            let names: Vec<_> = header.iter().map(String::from_utf8_lossy).collect();
            let help = match nearest(name, names.iter().map(AsRef::as_ref)) {
                Some(near) => format!("did you mean {option} {}?", shown(near)),
                None => format!("there is {}: {option} COLUMN", shown(&names.join(", "))),
            };
            refuse(format!("there is no column {}", shown(name)), help)
        }
    }
}

fn refused(file: &str, error: &csv::Error) -> ImportError {
    match error.kind() {
        // What the guard says names its line.
        ErrorKind::Io(error) => match error.get_ref().and_then(|it| it.downcast_ref::<TooLong>()) {
            Some(TooLong(line)) => ImportError {
                help: Some("is this a CSV file with a line for each event?".into()),
                ..ImportError::at(file, *line, format!("a line of more than {MAX_LINE} bytes"))
            },
            None => ImportError::whole(file, error.to_string()),
        },
        _ => ImportError::whole(file, error.to_string()),
    }
}

/// A line is too long.
#[derive(Debug, thiserror::Error)]
#[error("line {0} is too long")]
struct TooLong(u64);

/// Refuses lines longer than [`MAX_LINE`] before they are held.
struct Guard<R> {
    inner: R,
    line: u64,
    length: usize,
}

impl<R: Read> Read for Guard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        for byte in &buffer[..read] {
            if *byte == b'\n' {
                (self.line, self.length) = (self.line + 1, 0);
            } else {
                self.length += 1;
                if self.length > MAX_LINE {
                    return Err(io::Error::other(TooLong(self.line)));
                }
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Names;
    use super::*;

    fn import(text: &str, malformed: Malformed) -> Result<Log, ImportError> {
        let columns = Columns {
            time: "when".into(),
            format: TimeFormat::Unix,
            actor: "who".into(),
            delimiter: b',',
        };
        import_csv("log.csv", text.as_bytes(), &columns, malformed)
    }

    fn refusal(text: &str) -> ImportError {
        import(text, Malformed::Refuse).unwrap_err()
    }

    #[test]
    fn two_columns_are_read_wherever_they_stand() {
        let text = "id,who,text,when\r\n1,\"b, c\",\"a\nline\",20\r\n2, a ,x,10.5\r\n";
        let log = import(text, Malformed::Refuse).unwrap();
        assert_eq!(log.to_csv(Names::Numbers).unwrap(), "time_s,actor\n10.500,1\n20,2\n");
    }

    #[test]
    fn what_is_malformed_is_refused_with_its_line_or_counted() {
        for (line, wrong, rule) in [
            ("x,a", "log.csv:3:", "\"x\" is not seconds since 1970"),
            ("5", "log.csv:3:", "1 columns, and the first line has 2"),
            ("5,a,b", "log.csv:3:", "3 columns"),
            ("5,", "log.csv:3:", "an actor's name has 1 to 256 bytes, not 0"),
        ] {
            let text = format!("when,who\n1,a\n{line}\n2,b\n");
            let refused = refusal(&text);
            assert!(refused.to_string().starts_with(wrong), "{refused}");
            assert!(refused.what.contains(rule), "{refused}");
            assert!(refused.help.unwrap().contains("--skip-malformed"));
            let log = import(&text, Malformed::Skip).unwrap();
            assert_eq!((log.events(), log.skipped()), (2, 1));
            assert!(log.first_skipped().unwrap().what.contains(rule));
        }
        let none = import("when,who\nx,a\n", Malformed::Skip).unwrap_err().to_string();
        assert!(none.contains("no rows that can be read (1 malformed)"), "{none}");
    }

    #[test]
    fn columns_that_are_not_there_are_named() {
        let near = refusal("wen,who\n1,a\n");
        assert_eq!(near.to_string(), "log.csv:1: there is no column \"when\"");
        assert_eq!(near.help.as_deref(), Some("did you mean --time \"wen\"?"));
        assert!(refusal("when,who,who\n").what.contains("two columns are called \"who\""));
        assert!(refusal("").what.contains("there is no column"));
    }

    #[test]
    fn long_lines_and_open_quotes_are_refused() {
        let long = format!("when,who\n1,a\n2,{}\n", "x".repeat(MAX_LINE + 1));
        assert!(refusal(&long).to_string().starts_with("log.csv:3: a line of more than 65536"));
        let open = format!("when,who\n1,\"a\n{}", "x\n".repeat(MAX_RECORD));
        assert!(refusal(&open).what.contains("is a quote not closed?"));
    }
}
