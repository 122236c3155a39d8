//! The plots: that they exist, are well formed, name their axes, and survive tiny runs. The
//! folders stay in the test's own directory, so that a person can look at them.

mod synthetic;

use std::fs;
use std::path::{Path, PathBuf};

use arboretum_results::{WriteOptions, plot_folder};

const NAMES: [&str; 7] = [
    "update_cost",
    "tree_growth",
    "tree_portrait",
    "tree_portraits",
    "cost_distribution",
    "catch_up",
    "commit_size",
];

/// A run's folder under the build directory.
fn written(name: &str, run: &synthetic::Run) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let options = WriteOptions { replace: true, ..WriteOptions::default() };
    run.folder().write(&folder, options).expect("the folder is written");
    folder
}

fn svg(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join("plots").join(name).with_extension("svg"))
        .expect("the plot is there")
}

/// Tags open and close in order, text is escaped.
fn assert_well_formed(svg: &str) {
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "{text}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap_or(tag));
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_large_run_is_drawn() {
    let folder = written("large", &synthetic::run(50_000, 15_000, 30, 40_000));
    for name in NAMES {
        let svg = svg(&folder, name);
        assert_well_formed(&svg);
        assert!(svg.starts_with("<svg width=\"1600\" height=\"900\" viewBox="), "{}", &svg[..80]);
        assert!(svg.contains("font-family=\"DejaVu Sans, Verdana, Geneva, sans-serif\""));
        assert!(svg.contains("fifty-thousand") && svg.contains("seed 20180321"));
        let png = fs::read(folder.join("plots").join(name).with_extension("png")).unwrap();
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        assert_eq!((side(16), side(20)), (1600, 900));
    }
    assert!(svg(&folder, "update_cost").contains("A cold tree warms up"));
    assert!(svg(&folder, "update_cost").contains("Update cost (ciphertexts)"));
    assert!(svg(&folder, "update_cost").contains("Huffman bound"));
    assert!(svg(&folder, "cost_distribution").contains("Huffman bound"));
    assert!(svg(&folder, "tree_growth").contains("Virtual time since the start (days)"));
    for plot in ["tree_portrait", "tree_portraits"] {
        assert!(svg(&folder, plot).contains("keyed, with unmerged leaves"), "{plot}");
        assert!(svg(&folder, plot).len() < 3_000_000, "{plot}");
    }
    assert!(svg(&folder, "cost_distribution").contains("99th percentile"));
    assert!(svg(&folder, "catch_up").contains("Time away"));
    assert!(svg(&folder, "commit_size").contains("creation: 14.5 MB, beyond the scale"));
}

#[test]
fn small_runs_are_drawn() {
    for (name, commits, away) in
        [("single", 1, 0), ("pair", 2, 1), ("few", 25, 12), ("some", 900, 300)]
    {
        let folder = written(name, &synthetic::run(16, commits, 2, away));
        NAMES.iter().for_each(|name| assert_well_formed(&svg(&folder, name)));
    }
    let single = Path::new(env!("CARGO_TARGET_TMPDIR")).join("single");
    assert!(svg(&single, "catch_up").contains("no data"));
    assert!(svg(&single, "cost_distribution").contains("no data"));
}

#[test]
fn a_run_without_any_record_is_drawn() {
    let empty = synthetic::Run {
        recorded: arboretum_results::RunRecorder::new(&[]).finish(),
        clients: Vec::new(),
        ..synthetic::run(2, 1, 1, 0)
    };
    let folder = written("empty", &empty);
    for name in NAMES {
        assert!(svg(&folder, name).contains("no data"), "{name}");
    }
}

#[test]
fn a_folder_from_before_portraits_is_drawn() {
    let folder = written("older", &synthetic::run(16, 40, 2, 3));
    fs::remove_file(folder.join("portraits.csv")).unwrap();
    let without = |table: &str, columns: &[&str]| {
        let path = folder.join(table);
        let text = fs::read_to_string(&path).unwrap();
        let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
        let keep = |at: &usize| !columns.contains(&header[*at]);
        let kept: Vec<usize> = (0..header.len()).filter(keep).collect();
        assert_eq!(kept.len() + columns.len(), header.len());
        let line = |line: &str| {
            let cells: Vec<&str> = line.split(',').collect();
            kept.iter().map(|at| cells[*at]).collect::<Vec<_>>().join(",") + "\n"
        };
        fs::write(&path, text.lines().map(line).collect::<String>()).unwrap();
    };
    without("commits.csv", &["wasted_ciphertexts"]);
    let later = ["weight_sum", "active_cost_sum", "active_update_cost", "huffman_sum"];
    let derived = ["huffman_bound", "regret", "blank_paths", "width_over_members"];
    without("tree.csv", &[later, derived].concat());
    plot_folder(&folder).unwrap();
    assert!(svg(&folder, "tree_portrait").contains("no data"));
    assert!(!svg(&folder, "update_cost").contains("Huffman"));
    assert!(svg(&folder, "update_cost").contains("log₂(members)"));
}

#[test]
fn same_tables_same_bytes() {
    let folder = written("twice", &synthetic::run(300, 2_500, 3, 200));
    let bytes = |files: &[PathBuf]| -> Vec<Vec<u8>> {
        files.iter().map(|file| fs::read(file).expect("a plot")).collect()
    };
    let first = plot_folder(&folder).unwrap();
    let before = bytes(&first);
    let second = plot_folder(&folder).unwrap();
    assert_eq!(first.len(), 14);
    assert_eq!(first, second);
    assert!(before == bytes(&second), "redrawn plots differ");
}
