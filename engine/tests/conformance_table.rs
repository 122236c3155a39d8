//! docs/conformance.md says which test covers which rule: each of them must be there.

use std::fs;
use std::path::Path;

/// Where the table of what is left out begins: its rows name no tests.
const LEFT_OUT: &str = "## Left out, and why";

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/conformance.md");
    fs::read_to_string(path).unwrap()
}

/// The cells of a row of a table: section, rule, tests.
fn cells(line: &str) -> Option<[&str; 3]> {
    let row = line.strip_prefix("| ")?.strip_suffix(" |")?;
    let cells: Vec<_> = row.split(" | ").collect();
    let [section, rule, tests] = cells[..] else { panic!("{line} has not three cells") };
    Some([section, rule, tests]).filter(|_| section != "section")
}

/// The tests that a text names: a file, and a function in it.
fn named(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('`').skip(1).step_by(2).filter_map(|name| name.split_once("::"))
}

/// Whether a file has a test of this name.
fn has_test(source: &str, name: &str) -> bool {
    let wanted = format!("fn {name}() {{");
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    lines.windows(2).any(|pair| pair[0] == "#[test]" && pair[1] == wanted)
}

#[test]
fn every_test_that_is_named_is_there() {
    let document = document();
    let engine = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for (file, name) in named(&document).filter(|(file, _)| file.ends_with(".rs")) {
        let source = fs::read_to_string(engine.join(file));
        let source = source.unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(has_test(&source, name), "{file} has no test {name}");
        count += 1;
    }
    assert!(count > 200, "{count} tests were found in the document");
}

#[test]
fn every_row_names_a_test() {
    let document = document();
    let (rules, left_out) = document.split_once(LEFT_OUT).unwrap();
    let rows: Vec<_> = rules.lines().filter_map(cells).collect();
    let sections: Vec<_> = rows.iter().flat_map(|row| row[0].split(", ")).collect();
    for [section, rule, tests] in &rows {
        let others = tests.split_once("the rows of ").map(|(_, others)| others);
        let others: Vec<_> = others.iter().flat_map(|names| names.split(" and ")).collect();
        for other in &others {
            assert!(sections.contains(other), "{section} {rule}: no rows of {other}");
        }
        let has_own = named(tests).count() > 0 || tests.contains("*vectors*");
        assert!(has_own || !others.is_empty(), "{section} {rule}: no test");
    }
    assert!(rows.len() > 150, "{} rules were found in the document", rows.len());
    assert!(left_out.lines().filter_map(cells).count() > 10);
}

#[test]
fn a_test_is_more_than_a_name() {
    let source = "    #[test]\n    fn one() {\n// fn two() {\nfn three() {\n";
    let found: Vec<_> =
        ["one", "two", "three", "on"].iter().map(|name| has_test(source, name)).collect();
    assert_eq!(found, [true, false, false, false]);
}
