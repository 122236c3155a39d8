//! What checking vector files came to.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

/// What a case came to.
pub(super) enum Verdict {
    Passed,
    Failed(String),
    /// It needs a cipher suite that is not built.
    NeedsSuite(u64),
}

/// A file's cases.
#[derive(Debug)]
pub(crate) struct FileReport {
    name: String,
    kind: &'static str,
    passed: usize,
    failed: Vec<(usize, String)>,
    needs: BTreeMap<u64, usize>,
}

impl FileReport {
    pub(super) fn new(name: String, kind: &'static str) -> Self {
        Self { name, kind, passed: 0, failed: vec![], needs: BTreeMap::new() }
    }

    pub(super) fn take(&mut self, number: usize, verdict: Verdict) {
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed(what) => self.failed.push((number, what)),
            Verdict::NeedsSuite(suite) => *self.needs.entry(suite).or_default() += 1,
        }
    }
}

impl FileReport {
    /// How many cases were not checked.
    fn needed(&self) -> usize {
        self.needs.values().sum()
    }

    fn to_json(&self) -> Value {
        let failure = |(case, what): &(usize, String)| json!({ "case": case, "what": what });
        json!({
            "file": self.name,
            "kind": self.kind,
            "passed": self.passed,
            "failed": self.failed.len(),
            "not_built": self.needed(),
            "failures": self.failed.iter().map(failure).collect::<Vec<_>>(),
        })
    }

    /// What the cases that were not checked need, in one phrase.
    fn why(&self) -> String {
        let suites: Vec<_> = self.needs.keys().map(u64::to_string).collect();
        if suites.is_empty() {
            String::new()
        } else {
            format!("  cipher suites {}", suites.join(" "))
        }
    }
}

/// All files of a folder.
#[derive(Debug)]
pub(crate) struct Report {
    pub(super) files: Vec<FileReport>,
}

impl Report {
    /// Whether any case failed.
    pub(crate) fn failed(&self) -> bool {
        self.files.iter().any(|file| !file.failed.is_empty())
    }

    /// What each file came to.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "files": self.files.iter().map(FileReport::to_json).collect::<Vec<_>>() })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.files.iter().map(|file| file.name.len()).max().unwrap_or(0).max(4);
        writeln!(f, "{:width$}  passed  failed  not built", "file")?;
        let (mut passed, mut failed, mut needed) = (0, 0, 0);
        for file in &self.files {
            let (needs, why) = (file.needed(), file.why());
            let (ok, bad) = (file.passed, file.failed.len());
            writeln!(f, "{:width$}  {ok:>6}  {bad:>6}  {needs:>9}{why}", file.name)?;
            (passed, failed, needed) = (passed + ok, failed + bad, needed + needs);
        }
        writeln!(f, "{:width$}  {passed:>6}  {failed:>6}  {needed:>9}", "all")?;
        for file in &self.files {
            for (number, what) in &file.failed {
                writeln!(f, "{} ({}), case {number}: {what}", file.name, file.kind)?;
            }
        }
        Ok(())
    }
}
