//! Scenario files: the shipped ones, the round trip, the place of an error.

use arboretum_workloads::{Experiment, Scenario, shipped};

fn parse(name: &str, overrides: &[&str]) -> Scenario {
    let found = arboretum_workloads::find_shipped(name).unwrap();
    let overrides: Vec<_> = overrides.iter().map(ToString::to_string).collect();
    Scenario::parse(name, found.text, &overrides).unwrap()
}

#[test]
fn every_shipped_scenario_is_read_and_says_what_it_shows() {
    for found in shipped() {
        if found.is_experiment() {
            let experiment = Experiment::parse(found.name, found.text, &[]).unwrap();
            assert_eq!((experiment.name.as_str(), &experiment.title), (found.name, &found.title()));
            assert!(experiment.analysis.len() > 80, "{}", found.name);
            assert!(!experiment.expect.is_empty(), "{}", found.name);
            let again = Experiment::parse("again", &experiment.to_toml(), &[]).unwrap();
            assert_eq!(again, experiment, "{}", found.name);
            continue;
        }
        let overrides = match found.name {
            "trace" => vec!["workload.trace=some.csv".to_owned()],
            _ => vec![],
        };
        let scenario = Scenario::parse(found.name, found.text, &overrides).unwrap();
        assert_eq!(scenario.name, found.name);
        assert_eq!(scenario.title, found.title());
        assert!(scenario.analysis.len() > 80, "{}", found.name);
        assert!(!scenario.expect.is_empty(), "{}", found.name);
        let again = Scenario::parse("again", &scenario.to_toml(), &[]).unwrap();
        assert_eq!(again, scenario, "{}", found.name);
    }
}

#[test]
fn overrides_reach_every_kind_of_key() {
    let scenario = parse(
        "smoke",
        &[
            "seed=7",
            "duration=3h",
            "workload.arrivals.rhythm.strength=0.25",
            "policy.batching=immediate",
            "expect.members.max={ min = 3 }",
        ],
    );
    assert_eq!(scenario.seed, 7);
    assert_eq!(scenario.duration.to_string(), "3h");
    assert_eq!(scenario.workload.arrivals.unwrap().rhythm.unwrap().strength, 0.25);
    assert_eq!(scenario.expect["members.max"].min, Some(3.0));
}

#[test]
fn a_strategy_is_a_text_or_a_table() {
    let strategy =
        |given: &str| parse("smoke", &[&format!("group.strategy={given}")]).group.strategy;
    assert_eq!(parse("smoke", &[]).group.strategy, "rfc9420");
    assert_eq!(strategy("2019-11+warming=on-join"), "2019-11+warming=on-join");
    let table = r#"{ warming = "on-join", preset = "2019-11", batching = "every:30m" }"#;
    assert_eq!(strategy(table), "2019-11+batching=every:30m+warming=on-join");
    assert_eq!(strategy(r#"{ unmerged = "off" }"#), "rfc9420+unmerged=off");
}

#[test]
fn an_error_names_file_line_column_and_key() {
    let text = "name = \"x\"\ntitle = \"x\"\nanalysis = \"x\"\nduration = \"1d\"\n[workload]\n[group]\nmembers = 1\n";
    let error = Scenario::parse("file.toml", text, &[]).unwrap_err();
    assert_eq!(error.position(), Some((7, 1)));
    assert_eq!(error.key.as_deref(), Some("group.members"));
    assert!(error.to_string().starts_with("file.toml:7:1: group.members: 1 members"));
}

#[test]
fn the_schema_lists_what_the_reader_knows() {
    let schema = Scenario::json_schema();
    let scenario = serde_json::to_value(parse("smoke", &[])).unwrap();
    for key in scenario.as_object().unwrap().keys() {
        assert!(schema["properties"][key].is_object(), "{key}");
    }
}

#[test]
fn every_file_of_the_folder_is_shipped() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let name = name.strip_suffix(".toml").unwrap();
        assert!(shipped().iter().any(|shipped| shipped.name == name), "{name}");
    }
}
