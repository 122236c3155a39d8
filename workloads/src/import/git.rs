//! The output of `git log`: who wrote which commit when. One person writes under several names and addresses;
//! the repository's mailmap says which are one (`%aE`), and its address is the actor.

use std::io::BufRead;

use super::error::{ImportError, shown};
use super::lines::{Lines, MAX_LINE};
use super::{Log, Malformed, clock};

/// What `git log` is asked for, a line for each commit: the author's time in seconds since 1970, and its
/// address and name after the mailmap, with a zero byte between them, which none of them can have.
pub const GIT_FORMAT: &str = "%at%x00%aE%x00%aN";

/// Reads the output of `git log --format=`[`GIT_FORMAT`]; `source` names it in errors.
pub fn import_git(
    source: &str,
    reader: impl BufRead,
    malformed: Malformed,
) -> Result<Log, ImportError> {
    let mut log = Log::new(source, malformed);
    let mut lines = Lines::new(reader);
    let mut buffer = vec![];
    loop {
        let line = lines.next(&mut buffer);
        let line = line.map_err(|error| ImportError::whole(source, error.to_string()))?;
        let Some(line) = line else { break };
        let read = match line.is_cut {
            true => Err(format!("a line of more than {MAX_LINE} bytes")),
            false => commit(line.bytes),
        };
        log.take(line.number, read)?;
    }
    log.finish("the repository has no commits that can be read")
}

fn commit(line: &[u8]) -> Result<(u64, String), String> {
    // Names are in whatever encoding somebody had; only whether they are the same counts.
    let line = String::from_utf8_lossy(line);
    let mut fields = line.split('\0');
    let (Some(time), Some(address), Some(name), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(format!("{} is no line of the format that was asked for", shown(&line)));
    };
    let seconds: i64 =
        time.parse().map_err(|_| format!("the author's time {} is no number", shown(time)))?;
    let who = [address, name].map(|field| field.trim().to_lowercase());
    let who = who.into_iter().find(|field| !field.is_empty());
    Ok((clock::seconds(seconds)?, who.ok_or("a commit without an author")?))
}

#[cfg(test)]
mod tests {
    use super::super::Names;
    use super::*;

    #[test]
    fn authors_are_told_apart_by_address_then_name() {
        let output = b"30\0A@x.org\0Ann\n20\0b@x.org\0Bob\n25\0a@x.org\0Ann B\n40\0\0Carol\n";
        let log = import_git("repo", output.as_slice(), Malformed::Refuse).unwrap();
        let text = log.to_csv(Names::Kept).unwrap();
        assert_eq!(text, "time_s,actor\n20,b@x.org\n25,a@x.org\n30,a@x.org\n40,carol\n");
    }

    #[test]
    fn what_is_no_commit_is_refused_or_counted() {
        for (line, rule) in [
            ("10\0a@x", "is no line of the format"),
            ("soon\0a@x\0A", "the author's time \"soon\" is no number"),
            ("-5\0a@x\0A", "outside the years 1970 to 9999"),
            ("10\0\0 ", "a commit without an author"),
        ] {
            let output = format!("1\0a@x\0A\n{line}\n");
            let refused = import_git("repo", output.as_bytes(), Malformed::Refuse).unwrap_err();
            assert!(refused.to_string().starts_with("repo:2: "), "{refused}");
            assert!(refused.what.contains(rule), "{refused}");
            let log = import_git("repo", output.as_bytes(), Malformed::Skip).unwrap();
            assert_eq!((log.events(), log.skipped()), (1, 1));
        }
        assert!(import_git("repo", b"".as_slice(), Malformed::Skip).is_err());
    }
}
