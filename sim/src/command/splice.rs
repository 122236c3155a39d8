//! `arboretum splice`: numbers of studies into a page, so that what a page says is what was found.
//!
//! ```text
//! <!-- value STUDY METRIC axis=value … -->16 (15.9 to 16.1)<!-- end -->
//! <!-- exponent STUDY METRIC along=AXIS from=NUMBER axis=value … -->0.44 (0.42 to 0.45)<!-- end -->
//! <!-- largest CAPACITY -->2,272 (2,112 to 2,336)<!-- end -->
//! ```
//!
//! What stands between is replaced, of the studies and capacity answers whose folders are given; with
//! `--check` it is compared. A value is the mean over seeds and its interval; an exponent is fitted from the
//! axis's value `from` on, or over all of it; the largest group of a capacity answer, which is called like
//! its folder, is the middle of the seeds, the least and the most, and its values are of its budgets by
//! `members=…`. `"…"` encloses words with blanks.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::{fmt, fs};

use arboretum_results::{CapacityInterval, Growth, StudyTables, fits, write_whole};
use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::arguments::SpliceOptions;
use super::failure::Failure;
use super::{capacity, study};

const BEGIN: &str = "<!-- ";
const END: &str = "<!-- end -->";
/// What a marker begins with.
const KINDS: [&str; 3] = ["value", "exponent", "largest"];

/// Puts the numbers of these folders into a page, or says which of them do not stand there.
pub(crate) fn splice(options: &SpliceOptions) -> Result<ExitCode, Failure> {
    let SpliceOptions { page, folders, check, json } = options;
    let shown = page.display();
    let text = fs::read_to_string(page);
    let text = text.map_err(|error| Failure::input(format!("cannot read {shown}: {error}")))?;
    let sources: BTreeMap<String, Source> =
        folders.par_iter().map(|folder| Source::read(folder)).collect::<Result<_, _>>()?;
    let filled = fill(&text, &sources);
    let filled = filled.map_err(|what| Failure::input(format!("{shown}: {what}")))?;
    if !check {
        write_whole(page, &filled.text).map_err(|error| Failure::run(error.to_string()))?;
    }
    if *json {
        println!("{:#}", filled.to_json());
    }
    if *check && !filled.others.is_empty() {
        let (others, all) = (filled.others.len(), filled.count);
        let told: Vec<_> = filled.others.iter().map(Other::to_string).collect();
        let told = told.join("; ");
        let what =
            format!("{shown}: {others} of {all} numbers are not those of the tables: {told}");
        return Err(Failure::run(what));
    }
    if !json {
        println!("{shown}: {}", filled.words());
    }
    Ok(ExitCode::SUCCESS)
}

/// What a page has its numbers from.
struct Source {
    tables: StudyTables,
    /// Of a capacity answer: the largest group.
    largest: Option<CapacityInterval>,
}

impl Source {
    /// Reads a folder; with the name that marks call it by.
    fn read(folder: &Path) -> Result<(String, Self), Failure> {
        if !capacity::is_one(folder) {
            let (study, tables) = study::read(folder)?;
            return Ok((study.name, Self { tables, largest: None }));
        }
        let (tables, largest) = capacity::numbers(folder)?;
        Ok((study::name_of(folder), Self { tables, largest }))
    }
}

/// A page with its numbers.
#[derive(Debug, Default, PartialEq)]
struct Filled {
    text: String,
    /// How many of them are of folders that were given.
    count: usize,
    /// In whose place something else stood.
    others: Vec<Other>,
    /// Marks that are of other folders.
    elsewhere: Vec<String>,
}

/// A number, and what stood in its place.
#[derive(Debug, PartialEq, Serialize)]
struct Other {
    mark: String,
    number: String,
    stood: String,
}

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {} and not {}", self.mark, self.number, self.stood)
    }
}

impl Filled {
    fn words(&self) -> String {
        let numbers = format!("{} numbers", self.count);
        let Some(first) = self.elsewhere.first() else { return numbers };
        let left = self.elsewhere.len();
        format!("{numbers}; left as they are, of folders that were not given: {left}, as {first}")
    }

    fn to_json(&self) -> Value {
        json!({ "numbers": self.count, "others": self.others, "left": self.elsewhere })
    }
}

/// Fills in the numbers of a text.
fn fill(text: &str, sources: &BTreeMap<String, Source>) -> Result<Filled, String> {
    let (mut filled, mut rest) = (Filled::default(), text);
    while let Some(at) = rest.find(BEGIN) {
        let (before, marked) = rest.split_at(at);
        filled.text.push_str(before);
        let marker = marked.find("-->").map(|end| &marked[..end + "-->".len()]);
        let marker = marker.ok_or("a comment has no end")?;
        filled.text.push_str(marker);
        rest = &marked[marker.len()..];
        let inner = &marker[BEGIN.len()..marker.len() - "-->".len()];
        if !inner.split_whitespace().next().is_some_and(|kind| KINDS.contains(&kind)) {
            continue;
        }
        let words = words(inner)?;
        let Some(number) = number(&words, sources).map_err(|what| format!("{marker} {what}"))?
        else {
            filled.elsewhere.push(marker.to_owned());
            continue;
        };
        // Its own end, before anything else begins.
        let end = rest.find(BEGIN).filter(|at| rest[*at..].starts_with(END));
        let end = end.ok_or_else(|| format!("{marker} has no {END}"))?;
        if rest[..end] != number {
            let (mark, stood) = (marker.to_owned(), rest[..end].to_owned());
            filled.others.push(Other { mark, number: number.clone(), stood });
        }
        filled.text.push_str(&number);
        filled.count += 1;
        rest = &rest[end..];
    }
    filled.text.push_str(rest);
    Ok(filled)
}

/// The words of a marker; quotes hold together what blanks part.
fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quoted) = (vec![], String::new(), false);
    for letter in text.trim().chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.extend(Some(std::mem::take(&mut word))),
            other => word.push(other),
        }
    }
    if quoted {
        return Err(format!("`{text}` has a quote without its other"));
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    Ok(words)
}

/// The number that a marker asks for; none if it asks for one of another folder.
fn number(words: &[String], sources: &BTreeMap<String, Source>) -> Result<Option<String>, String> {
    let [kind, name, rest @ ..] = words else { return Err("names no study".into()) };
    let Some(Source { tables, largest: found }) = sources.get(name) else { return Ok(None) };
    if kind == "largest" {
        return largest(*found, rest).map(Some);
    }
    let [metric, place @ ..] = rest else { return Err("names no metric".into()) };
    let mut at = vec![];
    for pair in place {
        let pair = pair.split_once('=').ok_or_else(|| format!("`{pair}` is no axis=value"))?;
        at.push((pair.0.to_owned(), pair.1.to_owned()));
    }
    let found = match kind.as_str() {
        "value" => value(tables, metric, &at)?,
        _ => exponent(tables, metric, &at)?,
    };
    Ok(Some(found))
}

/// The largest group of a capacity answer, to the last member.
fn largest(found: Option<CapacityInterval>, rest: &[String]) -> Result<String, String> {
    if !rest.is_empty() {
        return Err("says more than the name of a capacity answer".into());
    }
    let missing = "names no capacity answer, or one in which no group is small enough";
    let CapacityInterval { lo, median, hi, at_least } = found.ok_or(missing)?;
    let size = words_of(f64::from(median), Some((f64::from(lo), f64::from(hi))));
    Ok(if at_least { format!("{size} or more") } else { size })
}

fn column(tables: &StudyTables, axis: &str) -> Result<usize, String> {
    let found = tables.axes.iter().position(|name| name == axis);
    found.ok_or_else(|| format!("has no axis `{axis}`: {}", tables.axes.join(", ")))
}

fn value(tables: &StudyTables, metric: &str, at: &[(String, String)]) -> Result<String, String> {
    let mut columns = vec![];
    for (axis, value) in at {
        columns.push((column(tables, axis)?, value));
    }
    let points = tables.points();
    let mut meant = points.iter().filter(|p| columns.iter().all(|(at, value)| p[*at] == **value));
    let (Some(point), None) = (meant.next(), meant.next()) else {
        return Err("names no point that was run, or more than one".into());
    };
    let found = tables.mean(point, metric).ok_or_else(|| format!("has no `{metric}`"))?;
    Ok(words_of(found.mean, found.interval))
}

fn exponent(tables: &StudyTables, metric: &str, at: &[(String, String)]) -> Result<String, String> {
    let (mut along, mut from, mut place) = (None, None, vec![]);
    for (axis, value) in at {
        match axis.as_str() {
            "along" => along = Some(value.clone()),
            "from" => {
                let number = value.parse();
                from = Some(number.map_err(|_| format!("begins at no number: from={value}"))?);
            }
            _ => {
                column(tables, axis)?;
                place.push((axis.clone(), vec![value.clone()]));
            }
        }
    }
    let x = along.ok_or("does not say along which axis: along=AXIS")?;
    column(tables, &x)?;
    match &fits(tables, &Growth { x, y: metric.to_owned(), at: place, from })[..] {
        [fit] => Ok(words_of(fit.power.slope, fit.power.interval)),
        _ => Err("names no curve that was run, or more than one".into()),
    }
}

/// A number with its interval, where it has one of any width.
fn words_of(value: f64, interval: Option<(f64, f64)>) -> String {
    let apart = interval.filter(|(lo, hi)| three_digits(*lo) != three_digits(*hi));
    let interval = apart.map(|(lo, hi)| format!(" ({} to {})", three_digits(lo), three_digits(hi)));
    format!("{}{}", three_digits(value), interval.unwrap_or_default())
}

/// Three significant digits, or all before the point, with the thousands apart.
fn three_digits(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    // The exponent after rounding: 99.96 is 100.
    let exponent = format!("{value:.2e}").rsplit_once('e').and_then(|(_, e)| e.parse().ok());
    let digits = (2 - exponent.unwrap_or(0_i32)).clamp(0, 12) as usize;
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    };
    let whole = text.split('.').next().unwrap_or_default().len();
    let sign = usize::from(text.starts_with('-'));
    let mut apart = String::new();
    for (at, letter) in text.chars().enumerate() {
        if at > sign && at < whole && (whole - at).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(letter);
    }
    apart
}

#[cfg(test)]
mod tests {
    use arboretum_results::CellRow;

    use super::*;

    fn sources() -> BTreeMap<String, Source> {
        let cell = |n: f64, seed: u64| CellRow {
            point: vec!["50 %".into(), n.to_string()],
            seed,
            digest: String::new(),
            numbers: vec![("cost".into(), n * n + 8.0 * seed as f64)],
        };
        // What is small grows otherwise.
        let small = CellRow { numbers: vec![("cost".into(), 900.0)], ..cell(1.0, 1) };
        let cells = [10.0, 100.0, 1_000.0].into_iter().flat_map(|n| [cell(n, 1), cell(n, 2)]);
        let cells = std::iter::once(small).chain(cells);
        let axes = vec!["u".into(), "n".into()];
        let tables = StudyTables::new(axes, cells.collect());
        let largest = Some(CapacityInterval { lo: 8, median: 9, hi: 1_000, at_least: true });
        let none = Source { tables: StudyTables::new(vec![], vec![]), largest };
        [("s".to_owned(), Source { tables, largest: None }), ("c".to_owned(), none)].into()
    }

    #[test]
    fn numbers_take_the_place_of_what_stood_there() {
        let value = "<!-- value s cost u=\"50 %\" n=1000 -->";
        let exponent = "<!-- exponent s cost along=n from=10 -->";
        let page = |first: &str, second: &str| {
            format!(
                "a {value}{first}<!-- end --> b <!-- a note --> c {exponent}{second}<!-- end -->, \
                 <!-- value t x -->7<!-- end -->, <!-- largest c -->9 (8 to 1,000) or more<!-- end -->."
            )
        };
        let filled = fill(&page("1,000,012", "1.98 (1.97 to 1.98)"), &sources()).unwrap();
        assert_eq!(filled.text, page("1,000,012 (1,000,008 to 1,000,016)", "1.98 (1.97 to 1.98)"));
        let other = Other {
            mark: value.into(),
            number: "1,000,012 (1,000,008 to 1,000,016)".into(),
            stood: "1,000,012".into(),
        };
        let elsewhere = vec!["<!-- value t x -->".to_owned()];
        assert_eq!((filled.count, filled.others), (3, vec![other]));
        assert_eq!(filled.elsewhere, elsewhere);
        // What is spliced can be spliced again.
        let again = fill(&filled.text, &sources()).unwrap();
        assert_eq!(again, Filled { text: filled.text, count: 3, others: vec![], elsewhere });
    }

    #[test]
    fn what_is_not_there_is_refused() {
        for (marker, what) in [
            ("value s", "no metric"),
            ("value s cost n=7", "no point"),
            ("value s cost", "more than one"),
            ("value s price n=10", "no `price`"),
            ("largest s", "names no capacity answer"),
            ("largest c n=10", "more than the name"),
            ("value c cost", "no point"),
            ("value", "no study"),
            ("value s cost m=10", "no axis `m`"),
            ("value s cost n", "no axis=value"),
            ("value s cost u=\"50 %", "quote"),
            ("exponent s cost u=\"50 %\"", "along=AXIS"),
            ("exponent s cost along=n from=x", "no number"),
            ("exponent s cost along=n from=100", "no curve"),
            ("exponent s price along=n", "no curve"),
        ] {
            let refused = fill(&format!("<!-- {marker} -->1<!-- end -->"), &sources()).unwrap_err();
            assert!(refused.contains(what), "{refused}");
        }
        let refused = fill("<!-- value s cost n=10 -->1", &sources()).unwrap_err();
        assert!(refused.contains("has no <!-- end -->"), "{refused}");
        // Not that of the next one.
        let two = "<!-- value s cost u=\"50 %\" n=10 -->1 and <!-- value s cost u=\"50 %\" n=100 -->2<!-- end -->";
        assert!(fill(two, &sources()).unwrap_err().contains("has no <!-- end -->"));
        let note = "<!-- a 5\" disk -->";
        let filled = Filled { text: note.to_owned(), ..Filled::default() };
        assert_eq!(fill(note, &sources()).unwrap(), filled);
    }

    #[test]
    fn numbers_have_three_digits() {
        let told = [0.0, 0.012_345, 1.5, 16.0, 99.96, 814.2, 12_345.6, -1_234_567.0];
        let expected = ["0", "0.0123", "1.5", "16", "100", "814", "12,346", "-1,234,567"];
        assert_eq!(told.map(three_digits), expected.map(str::to_owned));
    }
}
