//! The page of a report: that it is one well-formed file with everything in it, that texts stay
//! texts, and that nothing is claimed that was not measured. What only a browser can say is tested
//! in `browser/`. The pages stay in the test's own directory, so that a person can look at them.

mod synthetic;

use std::fs;
use std::path::{Path, PathBuf};

use arboretum_results::{
    CapacityInterval, CapacitySection, CapacitySeed, CellRow, Estimate, Finding, Growth,
    PairedMetrics, Report, StudyFigure, StudySection, StudyTables, WriteOptions, differences, fits,
};

/// Elements that have no end.
const VOID: [&str; 4] = ["meta", "link", "input", "!DOCTYPE"];

fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

/// A study of two strategies and four sizes with so many seeds.
fn study(seeds: u64) -> StudySection {
    let mut cells = vec![];
    for (strategy, times) in [("plain", 1.0), ("fancy", 0.5)] {
        for n in [16_u64, 64, 256, 1024] {
            for seed in 1..=seeds {
                let log = (n as f64).log2();
                let cost = log * times * (1.0 + seed as f64 / 100.0) + 10.0;
                let numbers = vec![("cost".to_owned(), cost), ("bound".to_owned(), log)];
                let point = vec![strategy.to_owned(), n.to_string()];
                cells.push(CellRow { point, seed, digest: format!("{seed}"), numbers });
            }
        }
    }
    let tables = StudyTables::new(texts(["strategy", "n"]), cells);
    let (point, other) = (texts(["fancy", "1024"]), texts(["plain", "1024"]));
    let finding = Finding {
        says: "fancy is cheaper".into(),
        metric: "cost".into(),
        estimate: tables.ratio(&point, &other, "cost"),
        point,
        than: Some(other),
        max: Some(1.0),
        holds: Some(true),
        ..Finding::default()
    };
    let (says, after) = ("Fancy costs ".into(), " times as much.".into());
    let paired = PairedMetrics {
        axis: "strategy".into(),
        base: Some("plain".into()),
        metrics: vec!["cost".into(), "bound".into()],
        at: vec![],
    };
    let growth = Growth { x: "n".into(), y: "cost".into(), at: vec![], from: None };
    StudySection {
        name: "small".into(),
        title: "A small study".into(),
        question: "Somebody: is fancy cheaper?".into(),
        source: "a paper".into(),
        analysis: "Two strategies only.".into(),
        scenario: ("updates".into(), "Everybody updates.".into()),
        in_counts: true,
        grid: 8,
        seeds: 8,
        smaller: vec![],
        set: vec![],
        answer: Some(Finding { says, after, max: None, holds: None, ..finding.clone() }),
        expectations: vec![finding],
        figures: vec![StudyFigure {
            level: None,
            title: "What an update costs".into(),
            subtitle: String::new(),
            x: "n".into(),
            x_label: "members".into(),
            y: "cost".into(),
            y_label: "ciphertexts".into(),
            series: Some("strategy".into()),
            at: vec![],
            bound: Some("bound".into()),
            powers: vec![("√n".into(), 0.5)],
            logarithmic: true,
        }],
        differences: differences(&tables, &paired),
        fits: fits(&tables, &growth),
        tree: None,
        tables,
        provenance: None,
    }
}

fn page(section: StudySection) -> String {
    let mut report = Report::default();
    report.study(section);
    report.html()
}

/// A table for each metric that is compared, one of all that grows, and none where nothing is.
#[test]
fn differences_and_growth_are_tables() {
    let html = page(study(8));
    assert_well_formed(&html);
    for metric in ["cost", "bound"] {
        assert_eq!(html.matches(&format!("Differences in {metric}")).count(), 1, "{metric}");
    }
    let begins = html.find("Differences in cost").unwrap();
    let table = &html[begins..begins + html[begins..].find("</table>").unwrap()];
    assert_eq!(table.matches("strategy = plain").count(), 4, "{table}");
    // log2 n of 16 is 4, half of it 2, times the mean of 1.01 to 1.08.
    assert!(table.contains("data-value=\"-2.09"), "{table}");
    let begins = html.find("<caption>Growth").unwrap();
    let table = &html[begins..begins + html[begins..].find("</table>").unwrap()];
    assert_eq!(table.matches(">log2</td>").count(), 2, "{table}");
    let bare = StudySection { differences: vec![], fits: vec![], ..study(8) };
    let html = page(bare);
    assert!(!html.contains("Differences") && !html.contains("Growth"));
}

/// Tags open and close in order. Style and script are the page's own and left out.
fn assert_well_formed(page: &str) {
    let mut page = page.to_owned();
    for own in ["style", "script"] {
        let (from, to) = (format!("<{own}>"), format!("</{own}>"));
        let (start, end) = (page.find(&from).unwrap(), page.find(&to).unwrap());
        page.replace_range(start..end + to.len(), "");
    }
    let mut open = Vec::new();
    for tag in page.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "{text}");
        let name = tag.split([' ', '/']).next().unwrap_or(tag);
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !VOID.contains(&name) {
            open.push(name);
            // Of two attributes of one name browsers drop the second.
            let names: Vec<&str> = tag
                .split('"')
                .step_by(2)
                .filter_map(|part| part.trim().strip_suffix('='))
                .collect();
            let last = |name: &&str| name.split(' ').next_back().unwrap_or_default().to_owned();
            let mut names: Vec<_> = names.iter().map(last).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{tag}");
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

/// No address that a browser would ask.
fn assert_self_contained(page: &str) {
    for part in ["http:", "https:", "src=", "url(", "@import", "<iframe", "<object", "//"] {
        let outside = page.split("</script>").map(|part| part.split("<script>").next().unwrap());
        assert!(!outside.collect::<String>().contains(part), "{part}");
    }
    for part in page.split("href=\"").skip(1) {
        assert!(part.starts_with('#') || part.starts_with("data:,"), "{}", &part[..40]);
    }
    let policy = "content=\"default-src &#39;none&#39;;";
    assert!(page.contains(policy) || page.contains("content=\"default-src 'none';"));
}

#[test]
fn a_study_is_answered_with_its_interval() {
    let page = page(study(8));
    fs::write(own("study.html"), &page).unwrap();
    assert_well_formed(&page);
    assert_self_contained(&page);
    assert!(page.starts_with("<!DOCTYPE html>"));
    for part in [
        "Somebody: is fancy cheaper?",
        "Set-up after: a paper.",
        "Fancy costs <strong>0.7",
        "% interval 0.7",
        "8 seeds)</span> times as much.",
        "Fancy is cheaper",
        "expected at most 1",
        "</svg>log₂(members)</li>",
        "√n",
        "ciphertexts against members, a line for each strategy: plain, fancy.",
        "strategy fancy, n 1024: 15.",
        "Two strategies only.",
        "8 points of a grid of 8 (strategy × n) were run with 8 seeds each.",
        "arboretum study small",
        "keeps no <code>provenance.json</code>",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("A part of the study") && !page.contains("One seed"));
    assert_eq!(page.matches("class=\"point ").count(), 2 * 8, "each point, wide and narrow");
}

#[test]
fn the_same_tables_give_the_same_bytes() {
    assert_eq!(page(study(3)), page(study(3)));
}

#[test]
fn what_was_not_measured_is_not_claimed() {
    let mut one = study(1);
    one.grid = 20;
    one.smaller = vec!["group.members = 50".into()];
    let page_of_one = page(one);
    for part in [
        "One seed: ",
        "(one seed, no interval)",
        "The small size of the study: </strong>every run has <code>group.members = 50</code>.",
        "A part of the study: </strong>8 of 20 points, 1 of 8 seeds.",
    ] {
        assert!(page_of_one.contains(part), "{part}");
    }
    assert!(!page_of_one.contains("% interval 0") && !page_of_one.contains("bootstrap"));

    let mut open = study(2);
    open.answer = None;
    let none =
        Finding { estimate: None, holds: None, point: vec![], ..open.expectations[0].clone() };
    open.expectations = vec![none.clone()];
    let page_of_none = page(open);
    assert!(page_of_none.contains("The points that would answer it were not run."));
    assert!(page_of_none.contains("Not run") && !page_of_none.contains(">Holds<"));
    assert!(page_of_none.contains("1 expectation is about points that were not run."));

    let mut broken = study(2);
    broken.answer = None;
    broken.expectations[0].holds = Some(false);
    let page_of_broken = page(broken);
    assert!(page_of_broken.contains("It does not hold that fancy is cheaper: the ratio of"));
    assert!(page_of_broken.contains("Does not hold</span>"));
}

/// What a page says of the seeds of its points: of which each has its own, and of which a metric may have fewer.
#[test]
fn seeds_are_those_of_points() {
    let said = |study: StudySection, part: &str| {
        let page = page(study);
        assert!(page.contains(part), "{part}");
        page
    };
    let few = "Intervals of fewer than 5 seeds, here those of ";
    let whole = said(study(8), "were run with 8 seeds each.");
    assert!(!whole.contains(few));
    said(study(3), &format!("{few}all points, are hardly more"));

    // Two points have three seeds, and something happened in two seeds only.
    let mut some = study(8);
    let is_kept = |row: &CellRow| row.point[1] != "1024" || row.seed <= 3;
    some.tables.cells.retain(is_kept);
    for row in some.tables.cells.iter_mut().filter(|row| row.seed <= 2) {
        row.numbers.push(("rare".into(), 1.0));
    }
    some.tables = StudyTables::new(some.tables.axes, some.tables.cells);
    let words =
        "8 points of a grid of 8 (strategy × n) were run with 8 seeds each, but 2 of them with 3.";
    let mut means = study(8);
    means.tables = some.tables.clone();
    means.tables.cells.clear();
    for section in [some, means] {
        let page = said(section, words);
        assert!(page.contains(&format!("{few}2 points, are hardly more")));
        assert!(!page.contains("2 seeds"), "no point has two");
        assert!(!page.contains("A part of the study"));
    }
}

#[test]
fn means_alone_give_a_wider_interval_and_say_so() {
    let mut means = study(8);
    let (point, other) = (texts(["fancy", "1024"]), texts(["plain", "1024"]));
    let width = |estimate: Option<Estimate>| {
        estimate.and_then(|estimate| estimate.interval).map(|(lo, hi)| hi - lo).unwrap()
    };
    let paired = width(means.tables.ratio(&point, &other, "cost"));
    means.tables.cells.clear();
    assert!(width(means.tables.ratio(&point, &other, "cost")) > 2.0 * paired);
    assert!(page(means).contains("The folder keeps means alone"));
}

#[test]
fn texts_from_files_stay_texts() {
    let evil = "<script>alert(1)</script>\"'&</title><img src=x onerror=y>";
    let mut study = study(2);
    for row in &mut study.tables.cells {
        row.point[0] = format!("{evil}{}", row.point[0]);
    }
    study.tables = StudyTables::new(texts([evil, "n"]), study.tables.cells);
    let figure = &mut study.figures[0];
    figure.series = Some(evil.into());
    for text in [&mut figure.title, &mut figure.x_label, &mut figure.y_label] {
        *text = evil.to_owned();
    }
    figure.powers = vec![(evil.into(), 0.5)];
    // An axis that the tables do not have holds nothing back.
    figure.at = vec![("elsewhere".into(), vec![evil.into()])];
    let finding = &mut study.expectations[0];
    (finding.says, finding.metric) = (evil.into(), evil.into());
    study.answer = Some(Finding { after: evil.into(), ..finding.clone() });
    for text in [&mut study.name, &mut study.title, &mut study.question, &mut study.source] {
        *text = evil.to_owned();
    }
    (study.analysis, study.scenario) = (evil.into(), (evil.into(), evil.into()));
    let page = page(study);
    assert_well_formed(&page);
    assert_eq!(page.matches("<script").count(), 1, "the page's own");
    assert!(!page.contains("<img") && !page.contains("alert(1)</script>"));
    assert!(page.matches("&lt;script&gt;alert(1)&lt;/script&gt;").count() > 20);
}

#[test]
fn a_run_is_shown_with_its_tree_over_time() {
    let run = synthetic::run(2_000, 600, 10, 500);
    let folder = own("report-run");
    let options = WriteOptions { replace: true, plots: false, ..WriteOptions::default() };
    run.folder().write(&folder, options).unwrap();
    let mut report = Report::default();
    report.run(&folder).unwrap();
    report.study(study(2));
    let file = own("both.html");
    report.write(&file).unwrap();
    let page = fs::read_to_string(&file).unwrap();
    assert_well_formed(&page);
    assert_self_contained(&page);
    assert!(page.contains("<h1>Arboretum report: 1 study and 1 run</h1>"));
    assert!(page.contains("<a href=\"#s2\">A small study</a>"));
    assert!(page.contains("type=\"range\"") && page.contains("At the start: 2,048 leaves"));
    assert_eq!(page.matches("<figure class=\"frame\">").count(), 4);
    assert_eq!(page.matches("<figure class=\"run\"").count(), 5);
    assert!(page.contains("One row in 3 of 600, and the last; all of them are in"));
    assert!(page.contains("epoch 300: "), "each commit says what it is");
    assert!(page.contains(" at the end; the path of a commit cost <strong>"));
    assert!(page.contains("ciphertexts of a commit's path, removals and adds included"));
}

/// A search with so many seeds, in which some budgets bind.
fn capacity(seeds: u64, binds: &[(&str, u32)]) -> CapacitySection {
    let share = |members: u32, seed| CellRow {
        point: vec![members.to_string(), "join".into()],
        seed,
        digest: "d".into(),
        numbers: vec![("share".into(), f64::from(members) / 2_000.0)],
    };
    let sizes = [16, 256, 4_096];
    let cells = sizes.iter().flat_map(|size| (0..seeds).map(|seed| share(*size, seed)));
    let answer = |seed| CapacitySeed { seed, largest: Some(2_000), fails: None, breaks: "".into() };
    CapacitySection {
        scenario: "a-club".into(),
        contestant: "treekem rfc9420".into(),
        profile: "phone".into(),
        profile_title: "a phone".into(),
        profile_source: "A guess: see `calibrate`.".into(),
        largest: Some(CapacityInterval { lo: 1_000, median: 2_000, hi: 3_000, at_least: false }),
        binds: binds.iter().map(|(name, seeds)| ((*name).into(), *seeds)).collect(),
        budgets: vec![["join".into(), "1 s".into(), "time to join".into()]],
        grows: vec![],
        seeds: (0..seeds).map(answer).collect(),
        figure: StudyFigure {
            x: "members".into(),
            y: "share".into(),
            y_label: "times the budget".into(),
            series: Some("budget".into()),
            bound: None,
            level: Some(("the budget".into(), 1.0)),
            ..study(1).figures.remove(0)
        },
        tables: StudyTables::new(texts(["members", "budget"]), cells.collect()),
        provenance: synthetic::run(8, 2, 1, 1).provenance,
    }
}

#[test]
fn a_capacity_answer_is_a_sentence_about_a_device() {
    let page = |section| {
        let mut report = Report::default();
        report.capacity(section);
        let page = report.html();
        assert_well_formed(&page);
        page.replace("<strong>", "")
            .replace("</strong>", "")
            .replace("<span class=\"interval\">", "")
            .replace("</span>", "")
    };
    let whole = page(capacity(5, &[("join", 5)]));
    for part in [
        "How large may a group grow whose people live as in <code>a-club</code>?",
        "<code>phone</code>: a phone. A guess: see <code>calibrate</code>.",
        "The largest group has 2,000 members (1,000 to 3,000 over 5 seeds). The budget that binds is <code>join</code>.",
        "a line for each budget: join, and a line across, the budget.",
        "</svg>the budget</li>",
    ] {
        assert!(whole.contains(part), "{part}");
    }
    let dotted = |page: &str| page.matches("stroke-width=\"1.8\"").count();
    assert_eq!(dotted(&whole), 3, "in the legend, wide and narrow");

    let several = page(capacity(5, &[("join", 4), ("memory", 1)]));
    let binds = "The budgets that bind are <code>join</code> with 4 seeds, <code>memory</code> with 1 seed.";
    assert!(several.contains(binds));

    let mut more = capacity(1, &[]);
    more.largest.as_mut().unwrap().at_least = true;
    more.profile_source = String::new();
    let more = page(more);
    let open =
        "The largest group has 2,000 members or more (one seed, no interval). No budget is broken";
    assert!(more.contains(open) && !more.contains("</code>: a phone"));

    let none = page(CapacitySection { largest: None, ..capacity(5, &[("join", 5)]) });
    assert!(none.contains("With some seed no group that was tried stays within the budgets."));
}

#[test]
fn only_a_page_is_replaced_and_nothing_is_left_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    let mut report = Report::default();
    report.study(study(1));
    report.write(&file).unwrap();
    report.write(&file).unwrap();
    let mine = folder.path().join("notes.html");
    fs::write(&mine, "mine").unwrap();
    let refused = report.write(&mine).unwrap_err().to_string();
    assert!(refused.contains("is no page that a report has written"), "{refused}");
    assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
    assert!(report.write(folder.path()).is_err());
    assert!(report.write(&folder.path().join("no/such/folder.html")).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}
