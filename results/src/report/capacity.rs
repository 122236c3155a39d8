//! The section of a capacity answer: how large a group may grow, what binds, and how it was searched.

use maud::{Markup, html};

use super::table::{Cell, Table};
use super::{CapacityInterval, CapacitySection, figure, source, text};
use crate::plots::words::whole;

/// What the section is called; names stand between backticks.
pub(super) fn title(section: &CapacitySection) -> String {
    format!("How large may a group grow whose people live as in `{}`?", section.scenario)
}

pub(super) fn draw(section: &CapacitySection, id: &str) -> Markup {
    let heading = format!("{id}-title");
    html! {
        section id=(id) aria-labelledby=(heading) {
            h2 id=(heading) { (text::prose(&title(section))) }
            p.question {
                "xmtp/libxmtp issue 701: “how high can we grow the group limit?” Here it is the largest group whose members, on the device profile "
                code { (section.profile) } ", stay within the budgets below, with " (section.contestant) "."
            }
            (device(section))
            div.answer {
                h3 { "Answer" }
                p { (answer(section)) }
            }
            h3 { "Budgets" }
            (budgets(section))
            h3 { "Plots" }
            (figure::draw(&section.tables, &section.figure, &format!("{id}-plot1"), "capacity.csv"))
            h3 { "Seeds" }
            (seeds(section))
            h3 { "How it was searched" }
            (method(section))
            h3 { "Limits" }
            (limits())
            h3 { "Provenance" }
            (source::provenance(Some(&section.provenance)))
            h3 { "Run it again" }
            (source::command(&source::again(Some(&section.provenance), &format!("arboretum capacity {}", section.scenario))))
        }
    }
}

/// What the device is, and what its numbers are worth, in its profile's own words.
fn device(section: &CapacitySection) -> Markup {
    let CapacitySection { profile, profile_title, profile_source, .. } = section;
    html! {
        @if !profile_source.is_empty() {
            p.note { code { (profile) } ": " (profile_title) ". " (text::prose(profile_source)) }
        }
    }
}

fn answer(section: &CapacitySection) -> Markup {
    let Some(CapacityInterval { lo, median, hi, at_least }) = section.largest else {
        return html! { "With some seed no group that was tried stays within the budgets. " (binds(section)) };
    };
    let members = |count: u32| whole(count.into());
    let seeds = match section.seeds.len() {
        1 => "one seed, no interval".to_owned(),
        n => format!("{} to {} over {n} seeds", members(lo), members(hi)),
    };
    html! {
        "The largest group has " strong { (members(median)) } " members"
        @if at_least { " or more" }
        " " span.interval { "(" (seeds) ")" } ". " (binds(section))
    }
}

fn binds(section: &CapacitySection) -> Markup {
    html! {
        @match &section.binds[..] {
            [] => "No budget is broken by any that was tried.",
            [(one, _)] => { "The budget that binds is " code { (one) } "." }
            several => {
                "The budgets that bind are "
                @for (at, (name, seeds)) in several.iter().enumerate() {
                    @if at > 0 { ", " }
                    code { (name) } " with " (text::count(*seeds as usize, "seed", "seeds"))
                }
                "."
            }
        }
    }
}

fn budgets(section: &CapacitySection) -> Markup {
    let rows = section.budgets.iter().map(|budget| budget.iter().map(Cell::text).collect());
    let rows = rows.collect();
    let columns = ["budget", "at most", "what is measured"];
    Table { caption: "Budgets", file: "capacity.json", columns: &columns, rows }.markup()
}

fn seeds(section: &CapacitySection) -> Markup {
    let size =
        |members: Option<u32>| members.map_or(Cell::None, |members| Cell::whole(members.into()));
    let rows = section.seeds.iter().map(|seed| {
        vec![Cell::whole(seed.seed), size(seed.largest), size(seed.fails), Cell::text(&seed.breaks)]
    });
    let rows = rows.collect();
    let columns = ["seed", "largest group", "too large", "what that breaks"];
    let caption = "What each seed's search came to";
    Table { caption, file: "capacity.json", columns: &columns, rows }.markup()
}

fn method(section: &CapacitySection) -> Markup {
    html! {
        ul {
            li {
                "Each size is simulated, and what its clients do is counted; the counts are priced by the profile. Same scenario, seeds, budgets and profile: same answer, on any machine."
            }
            li {
                "Each of " (text::count(section.seeds.len(), "seed", "seeds")) " has a search of its own: the size doubles until a budget is broken, then the gap is halved to a fiftieth of the size. The answer is the middle of the seeds and, in brackets, the least and the most."
            }
            li { "The plot has the sizes that every seed has tried." }
            @if !section.grows.is_empty() {
                li { "What grows with the members: " code { (section.grows.join(", ")) } "." }
            }
        }
    }
}

fn limits() -> Markup {
    html! {
        ul {
            li { "A group that is too large is taken to stay so when it grows." }
            li { "Operations and bytes are exact; what they take is an estimate of a device, and storage, decoding and waking up are not in it." }
            li { "People, networks and services are modelled, and their figures are assumptions of the scenario." }
        }
    }
}
