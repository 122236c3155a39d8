//! The section of a capacity answer: how large a group may grow, what binds, and how it was searched.

use maud::{Markup, html};

use super::table::{Cell, Table};
use super::{CapacitySection, figure, source, text};

/// What a window is called.
pub(super) fn title(section: &CapacitySection) -> String {
    format!("How large may a group of {} grow?", section.scenario)
}

pub(super) fn draw(section: &CapacitySection, id: &str) -> Markup {
    let heading = format!("{id}-title");
    html! {
        section id=(id) aria-labelledby=(heading) {
            h2 id=(heading) { (title(section)) }
            p.question {
                "The largest group whose members, on the device profile " code { (section.profile) }
                ", stay within the budgets below, with " (section.contestant) "."
            }
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

fn answer(section: &CapacitySection) -> Markup {
    let binds = &section.binds;
    match &section.largest {
        Some(largest) => {
            html! { "Members of the largest group: " (largest) ". What binds: " code { (binds) } "." }
        }
        None => {
            html! { "With some seed no group that was tried stays within them. What binds: " code { (binds) } "." }
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
