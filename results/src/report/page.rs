//! The document: its head with the security policy, its contents, its sections.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::{Section, capacity, run, study, text};

const STYLE: &str = include_str!("../../assets/report/page.css");
const SCRIPT: &str = include_str!("../../assets/report/page.js");

/// What a page of ours has near its beginning.
const GENERATOR: &str = "Arboretum report";

/// Where in a file that would stand.
pub(super) const BEGINNING: usize = 2_000;

/// Whether these are the bytes of a page of ours.
pub(super) fn is_page(bytes: &[u8]) -> bool {
    let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(BEGINNING)]);
    beginning.contains(&format!("content=\"{GENERATOR}\""))
}

pub(super) fn html(sections: &[Section]) -> String {
    let title = title(sections);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content=(GENERATOR);
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="color-scheme" content="light dark";
                title { (title) }
                // An icon that is not there would be asked for.
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "To the results" }
                header {
                    h1 { (heading(sections)) }
                    (contents(sections))
                }
                main id="main" {
                    @for (at, section) in sections.iter().enumerate() { (draw(section, &id(at))) }
                }
                div id="tip" role="tooltip" hidden {}
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// Nothing is fetched, and no script or style runs but the page's own, known by their digests: a
/// text that got past the escaping would still do nothing.
fn policy() -> String {
    let digest = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        digest(STYLE),
        digest(SCRIPT)
    )
}

fn id(at: usize) -> String {
    format!("s{}", at + 1)
}

fn draw(section: &Section, id: &str) -> Markup {
    match section {
        Section::Study(section) => study::draw(section, id),
        Section::Run(section) => run::draw(section, id),
        Section::Capacity(section) => capacity::draw(section, id),
    }
}

/// What a window is called.
fn title(sections: &[Section]) -> String {
    match sections {
        // A window's name is no prose.
        [section] => format!("{} · {GENERATOR}", name(section).replace('`', "")),
        _ => heading(sections),
    }
}

fn heading(sections: &[Section]) -> String {
    if sections.len() == 1 {
        return GENERATOR.to_owned();
    }
    let of = |is: fn(&&Section) -> bool| sections.iter().filter(is).count();
    let counts = [
        (of(|it| matches!(it, Section::Study(_))), "study", "studies"),
        (of(|it| matches!(it, Section::Capacity(_))), "capacity answer", "capacity answers"),
        (of(|it| matches!(it, Section::Run(_))), "run", "runs"),
    ];
    let counts = counts.into_iter().filter(|(n, ..)| *n > 0);
    let counts: Vec<_> = counts.map(|(n, one, many)| text::count(n, one, many)).collect();
    format!("{GENERATOR}: {}", counts.join(" and "))
}

fn name(section: &Section) -> String {
    match section {
        Section::Study(section) => section.title.clone(),
        Section::Run(section) => run::title(section),
        Section::Capacity(section) => capacity::title(section),
    }
}

/// What tells a part of a study from the whole.
fn remark(section: &Section) -> &'static str {
    match section {
        Section::Study(section) if study::is_part(section) => " (a part of the study)",
        _ => "",
    }
}

/// Links to the sections, if there are several.
fn contents(sections: &[Section]) -> Markup {
    if sections.len() < 2 {
        return html! {};
    }
    html! {
        nav aria-label="Contents" {
            ol {
                @for (at, section) in sections.iter().enumerate() {
                    li { a href=(format!("#{}", id(at))) { (text::prose(&name(section))) } (remark(section)) }
                }
            }
        }
    }
}
