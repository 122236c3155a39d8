//! Loading a scenario: overrides, parsing, and the place of whatever is wrong.

use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml_edit::{Document, DocumentMut, Item, Table, Value};

use super::Scenario;
use super::error::{ScenarioError, nearest};
use super::validate::Wrong;

/// The largest scenario file, in bytes: a scenario is written by hand.
const MAX_FILE: u64 = 1 << 20;

impl Scenario {
    /// Reads a scenario file, with overrides of the form `key.path=value`.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Self, ScenarioError> {
        Self::parse(&path.display().to_string(), &read(path)?, overrides)
    }

    /// Reads a scenario from text; `file` names it in errors.
    pub fn parse(file: &str, text: &str, overrides: &[String]) -> Result<Self, ScenarioError> {
        parse(file, text, overrides, Self::check)
    }

    /// The scenario as resolved, every default written out.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("a scenario is made of tables, texts and numbers")
    }

    /// The JSON Schema of scenario files.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

/// Reads the text of a scenario or study file.
pub(crate) fn read(path: &Path) -> Result<String, ScenarioError> {
    let file = path.display().to_string();
    let refuse = |what: String| ScenarioError::new(&file, "", what);
    let length = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?.len();
    if length > MAX_FILE {
        return Err(refuse(format!("{length} bytes; a scenario has at most {MAX_FILE}")));
    }
    let bytes = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    String::from_utf8(bytes)
        .map_err(|error| refuse(format!("not UTF-8 at byte {}", error.utf8_error().valid_up_to())))
}

/// Reads what a file describes from its text with overrides, and checks what its types do not say.
pub(crate) fn parse<T: DeserializeOwned>(
    file: &str,
    text: &str,
    overrides: &[String],
    check: impl FnOnce(&T) -> Result<(), Wrong>,
) -> Result<T, ScenarioError> {
    let text = override_text(file, text, overrides)?;
    if text.trim().is_empty() {
        let mut error = ScenarioError::new(file, "", "the file is empty");
        error.help = Some("start from a shipped one: `arboretum list scenarios`".into());
        return Err(error);
    }
    let read: T = toml::from_str(&text).map_err(|error| explain(file, &text, &error))?;
    check(&read).map_err(|wrong| {
        let mut error = ScenarioError::new(file, &text, wrong.what);
        error.span = span_of(&text, wrong.key);
        error.key = Some(wrong.key.into());
        error
    })?;
    Ok(read)
}

/// Applies overrides to the text, keeping everything else in its place.
fn override_text(file: &str, text: &str, overrides: &[String]) -> Result<String, ScenarioError> {
    if overrides.is_empty() {
        return Ok(text.to_owned());
    }
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        let mut refused = ScenarioError::new(file, text, error.message());
        refused.span = error.span();
        refused
    })?;
    for given in overrides {
        let refuse = |what: String| ScenarioError::new(&format!("--set {given}"), "", what);
        let (path, value) = given
            .split_once('=')
            .ok_or_else(|| refuse("expected key.path=value, like group.members=500".into()))?;
        let value = parse_value(value.trim());
        set(document.as_table_mut(), path.trim(), value).map_err(refuse)?;
    }
    Ok(document.to_string())
}

/// A value as TOML has it, or else as a bare text: `--set duration=2d` needs no quotes.
fn parse_value(text: &str) -> Value {
    text.parse().unwrap_or_else(|_| Value::from(text))
}

fn set(table: &mut Table, path: &str, value: Value) -> Result<(), String> {
    let (mut at, mut rest) = (table, path);
    // Names of metrics under `expect` have dots of their own.
    while let Some((head, tail)) = rest.split_once('.').filter(|_| !is_metric(path, rest)) {
        let item = at.entry(head).or_insert_with(toml_edit::table);
        if let Item::Value(Value::InlineTable(inline)) = item {
            *item = Item::Table(std::mem::take(inline).into_table());
        }
        at = item.as_table_mut().ok_or(format!("`{head}` is not a table"))?;
        rest = tail;
    }
    if rest.is_empty() {
        return Err("the key is empty".into());
    }
    at.insert(rest, Item::Value(value));
    Ok(())
}

fn is_metric(path: &str, rest: &str) -> bool {
    path.strip_prefix("expect.") == Some(rest)
}

/// Turns what the parser says into place, key, expectation and nearest name.
fn explain(file: &str, text: &str, error: &toml::de::Error) -> ScenarioError {
    let message = error.message().lines().next().unwrap_or("cannot be read").trim();
    let mut refused = ScenarioError::new(file, text, message);
    refused.span = error.span();
    refused.key = error.span().and_then(|span| key_at(text, &span));
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if let Some((unknown, expected)) = names.split_first()
        && message.starts_with("unknown")
    {
        let found = nearest(unknown, expected.iter().copied());
        refused.help = found.map(|name| format!("did you mean `{name}`?"));
        if *unknown == "strategy" {
            refused.help = Some("a strategy is the group's: write [group.strategy]".into());
        }
    }
    refused
}

/// The key, with its tables, of the innermost item that a span lies in.
fn key_at(text: &str, span: &Range<usize>) -> Option<String> {
    let document = Document::parse(text).ok()?;
    let mut best = (usize::MAX, None);
    visit(document.as_table(), "", &mut |path, item| {
        if item.start <= span.start && span.end <= item.end && item.len() < best.0 {
            best = (item.len(), Some(path.to_owned()));
        }
    });
    best.1
}

fn span_of(text: &str, key: &str) -> Option<Range<usize>> {
    let document = Document::parse(text).ok()?;
    // A key that is not written is shown at the table it is missing from.
    let mut best: Option<(usize, Range<usize>)> = None;
    visit(document.as_table(), "", &mut |path, item| {
        let covers =
            path == key || key.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        if covers && best.as_ref().is_none_or(|(length, _)| path.len() > *length) {
            best = Some((path.len(), item));
        }
    });
    best.map(|(_, span)| span)
}

/// Visits every key with its path and the span of the key and its value.
fn visit(table: &dyn toml_edit::TableLike, prefix: &str, seen: &mut dyn FnMut(&str, Range<usize>)) {
    for (name, item) in table.iter() {
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        let key = table.key(name).and_then(toml_edit::Key::span);
        let value = item.span();
        let start = key.as_ref().or(value.as_ref()).map(|span| span.start);
        let end = value.as_ref().or(key.as_ref()).map(|span| span.end);
        if let (Some(start), Some(end)) = (start, end) {
            seen(&path, start..end.max(start));
        }
        if let Some(inner) = item.as_table_like() {
            visit(inner, &path, seen);
        }
    }
}
