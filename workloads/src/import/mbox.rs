//! A mail archive in the mbox format (RFC 4155): who sent a message when, from its headers `From` and `Date`
//! (RFC 5322). Bodies are read past.
//!
//! A message begins with a line `From …` at the start of the file or after a blank line. Archives leave such
//! lines in bodies too, so the next line must look like a header. Where an archive has veiled addresses
//! ("ann at x.org"), the whole header is the actor.

use std::io::BufRead;

use mailparse::{MailAddr, MailHeaderMap, addrparse_header, parse_headers};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::error::{ImportError, shown};
use super::lines::Lines;
use super::{Log, Malformed, clock};

/// The most bytes of a message's headers.
const MAX_HEADERS: usize = 1 << 20;

/// Where in a mailbox a line stands.
enum Place {
    /// In a body, or before the first message; and whether the line before it was blank.
    Body(bool),
    /// After a line `From …` of this number.
    Separator(u64),
    /// In the headers of a message that began at a line.
    Headers(u64),
}

/// Reads a log from a mailbox; `file` names it in errors.
pub fn import_mbox(
    file: &str,
    reader: impl BufRead,
    malformed: Malformed,
) -> Result<Log, ImportError> {
    let mut log = Log::new(file, malformed);
    let mut lines = Lines::new(reader);
    let (mut buffer, mut headers) = (vec![], vec![]);
    let mut place = Place::Body(true);
    loop {
        let line = lines.next(&mut buffer);
        let line = line.map_err(|error| ImportError::whole(file, error.to_string()))?;
        let Some(line) = line else { break };
        place = match place {
            Place::Body(true) if line.bytes.starts_with(b"From ") => Place::Separator(line.number),
            Place::Separator(began) if is_header(line.bytes) => {
                headers.clear();
                keep(&mut headers, line.bytes);
                Place::Headers(began)
            }
            Place::Body(_) | Place::Separator(_) => Place::Body(line.bytes.is_empty()),
            Place::Headers(began) if line.bytes.is_empty() => {
                log.take(began, message(&headers))?;
                Place::Body(true)
            }
            Place::Headers(began) => {
                keep(&mut headers, line.bytes);
                Place::Headers(began)
            }
        };
    }
    if let Place::Headers(began) = place {
        log.take(began, message(&headers))?;
    }
    log.finish("the mailbox has no messages that can be read")
}

/// Keeps a line of the headers, and no more than one byte too many of them.
fn keep(headers: &mut Vec<u8>, line: &[u8]) {
    let room = (MAX_HEADERS + 1).saturating_sub(headers.len());
    headers.extend(line.iter().chain(b"\n").take(room));
}

/// Whether a line is a header: a name of printable characters, and a colon (RFC 5322 §2.2).
fn is_header(line: &[u8]) -> bool {
    let name = line.iter().position(|byte| *byte == b':').map(|end| &line[..end]);
    name.is_some_and(|name| !name.is_empty() && name.iter().all(u8::is_ascii_graphic))
}

fn message(headers: &[u8]) -> Result<(u64, String), String> {
    if headers.len() > MAX_HEADERS {
        return Err(format!("a message with headers of more than {MAX_HEADERS} bytes"));
    }
    let (headers, _) =
        parse_headers(headers).map_err(|error| format!("the headers cannot be read: {error}"))?;
    let date = headers.get_first_value("Date").ok_or("a message without a header `Date`")?;
    let moment = OffsetDateTime::parse(date.trim(), &Rfc2822);
    let moment = moment.map_err(|_| format!("the header `Date: {}` is no date", shown(&date)))?;
    let from = headers.get_first_header("From").ok_or("a message without a header `From`")?;
    let who = match addrparse_header(from).ok().and_then(|list| list.first().cloned()) {
        Some(MailAddr::Single(person)) if person.addr.contains('@') => person.addr,
        _ => from.get_value(),
    };
    Ok((clock::seconds(moment.unix_timestamp())?, who.trim().to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::super::Names;
    use super::*;

    const MAILBOX: &str = "From ann@x.org Thu Mar 22 10:00:00 2018\nFrom: Ann <Ann@X.org>\n\
        Date: Thu, 22 Mar 2018 10:00:00 +0100\nSubject: =?utf-8?q?h=C3=A9?=\n\nFrom here on it is text.\n\n\
        From now on, too\nit is.\n\n>From this as well.\n\nFrom bob at x.org  Thu Mar 22 12:00:00 2018\r\n\
        From: bob at x.org (Bob)\r\nDate: Thu, 22 Mar 2018\r\n 09:30:00 GMT\r\n\r\nHello\r\n\n\
        From ann\nDate: 22 Mar 2018 11:00 EST\nFrom: \"Ann, B\" <ann@x.org>\n";

    #[test]
    fn messages_are_told_from_bodies() {
        let log = import_mbox("box", MAILBOX.as_bytes(), Malformed::Refuse).unwrap();
        let text = log.to_csv(Names::Kept).unwrap();
        assert_eq!(
            text,
            "time_s,actor\n1521709200,ann@x.org\n1521711000,bob at x.org (bob)\n1521734400,ann@x.org\n"
        );
    }

    #[test]
    fn what_is_no_message_is_refused_with_the_line_where_it_begins() {
        for (headers, rule) in [
            ("From: a@x\nSubject: x\n", "without a header `Date`"),
            ("Date: Thu, 22 Mar 2018 10:00:00 +0100\n", "without a header `From`"),
            ("From: a@x\nDate: soon\n", "`Date: \"soon\"` is no date"),
            ("From: a@x\nDate: Sun, 1 Jan 1950 00:00:00 +0000\n", "outside the years"),
            ("From: \nDate: Sat, 1 Jan 2000 00:00:00 +0000\n", "1 to 256 bytes"),
        ] {
            let text = format!("{MAILBOX}\n\nFrom x\n{headers}\nbody\n");
            let refused = import_mbox("box", text.as_bytes(), Malformed::Refuse).unwrap_err();
            assert!(refused.to_string().starts_with("box:25: "), "{refused}");
            assert!(refused.what.contains(rule), "{refused}");
            let log = import_mbox("box", text.as_bytes(), Malformed::Skip).unwrap();
            assert_eq!((log.events(), log.skipped()), (3, 1));
        }
        let long = format!("From x\nFrom: a@x\n{}\n", "X: y\n".repeat(MAX_HEADERS / 5));
        let refused = import_mbox("box", long.as_bytes(), Malformed::Refuse).unwrap_err();
        assert!(refused.what.contains("more than 1048576 bytes"), "{refused}");
        let none = import_mbox("box", b"no mail".as_slice(), Malformed::Refuse).unwrap_err();
        assert!(none.to_string().contains("no messages that can be read"));
    }
}
