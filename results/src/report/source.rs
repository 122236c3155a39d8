//! Where results come from, and how to have them again.

use maud::{Markup, html};

use super::text;
use crate::folder::Provenance;

/// A run's or study's provenance as a list.
pub(super) fn provenance(found: Option<&Provenance>) -> Markup {
    let Some(found) = found else {
        return html! {
            p { "The folder keeps no " code { "provenance.json" } ": it does not say when, where and by which build it was made." }
        };
    };
    let Provenance { version, git_commit, seed, scenario_source, machine, digest, started, .. } =
        found;
    let commit =
        git_commit.as_ref().map_or_else(String::new, |commit| format!(", commit {commit}"));
    let host = [
        machine.cpu.clone(),
        text::count(machine.cores as usize, "processor", "processors"),
        format!("{} MiB", crate::plots::words::whole(machine.memory_mib)),
        machine.os.clone(),
    ];
    let rows = [
        ("Program", format!("Arboretum {version}{commit}")),
        ("Definition", scenario_source.clone()),
        ("First seed", seed.to_string()),
        ("Started", text::date(*started)),
        ("Machine", host.join(", ")),
    ];
    html! {
        dl {
            @for (name, value) in rows { dt { (name) } dd { (value) } }
            dt { "Digest" } dd { code.digest { (digest) } }
        }
    }
}

/// A command line to copy.
pub(super) fn command(line: &str) -> Markup {
    html! { pre tabindex="0" { code { (line) } } }
}

/// The command that made it, as it was given; without provenance the one that would.
pub(super) fn again(found: Option<&Provenance>, otherwise: &str) -> String {
    match found {
        Some(found) if found.command.len() > 1 => text::command(&found.command),
        _ => otherwise.to_owned(),
    }
}
