//! The cells of a study: every point of its grid, with every seed.

use serde::{Deserialize, Serialize};

use super::{Axis, AxisValue, MAX_CELLS, Quick, Study, several};
use crate::operations::Experiment;
use crate::scenario::{Scenario, ScenarioError, nearest};

/// What a cell runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    /// People who come and go.
    Scenario(Box<Scenario>),
    /// A sequence of operations.
    Experiment(Box<Experiment>),
}

impl Job {
    /// It as resolved: what a cell's address is made of.
    pub fn to_toml(&self) -> String {
        match self {
            Self::Scenario(scenario) => scenario.to_toml(),
            Self::Experiment(experiment) => experiment.to_toml(),
        }
    }
}

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The values of the axes, in their order, as the tables have them.
    pub point: Vec<String>,
    /// The seed.
    pub seed: u64,
    /// What it runs.
    pub job: Job,
}

/// A part of a study: values of axes, and seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// `axis=value`, or `axis=value,value`; of one axis, any of the values.
    pub only: Vec<String>,
    /// Seeds of each point.
    pub seeds: Option<u32>,
    /// The first seed, in the place of 1.
    pub first_seed: Option<u64>,
    /// Overrides of every cell's scenario.
    pub set: Vec<String>,
    /// Whether the study's small size is meant.
    pub quick: bool,
}

/// A scenario inside a study has no lines of its own that somebody could look up.
fn without_lines(error: ScenarioError) -> ScenarioError {
    ScenarioError { span: None, text: String::new(), ..error }
}

/// A study's scenario has no expectations of its own.
fn stand_elsewhere(file: &str, has_none: bool) -> Result<(), ScenarioError> {
    let what = "the expectations of a study stand under `[[expect]]` of the study";
    if has_none { Ok(()) } else { Err(ScenarioError::new(file, "", what)) }
}

/// A value as the tables have it.
pub fn value_text(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Values of axes as the tables have them.
pub fn value_texts(values: &toml::Table) -> Vec<(String, String)> {
    values.iter().map(|(axis, value)| (axis.clone(), value_text(value))).collect()
}

impl Study {
    /// The cells that a filter leaves, points in the order of the axes, seeds innermost.
    pub fn cells(&self, file: &str, filter: &Filter) -> Result<Vec<Cell>, ScenarioError> {
        let axes = self.kept(file, filter)?;
        self.check_overrides(&filter.set)?;
        let first = filter.first_seed.unwrap_or(1);
        let base = toml::to_string(&self.scenario).expect("a table was read from text");
        let mut points = points(&axes);
        points.retain(|point| !self.leaves_out(point));
        if points.is_empty() {
            return Err(ScenarioError::new(file, "", "`without` leaves no point of these"));
        }
        let seeds: Vec<u32> = points.iter().map(|point| self.seeds_of(point, filter)).collect();
        let count: usize = seeds.iter().map(|seeds| *seeds as usize).sum();
        if count > MAX_CELLS {
            let what = format!("{count} cells, at most {MAX_CELLS}: take fewer --seeds");
            return Err(ScenarioError::new(file, "", what));
        }
        let small = filter.quick.then_some(&self.quick.set);
        let small: Vec<String> = small.into_iter().flat_map(assignments).collect();
        let mut cells = vec![];
        for (point, seeds) in points.into_iter().zip(seeds) {
            for seed in (0..u64::from(seeds)).map(|at| first.wrapping_add(at)) {
                let mut set = small.clone();
                for value in &point {
                    set.extend(assignments(&value.set));
                }
                set.push(format!("seed={seed}"));
                set.extend(filter.set.iter().cloned());
                let place: Vec<_> = point.iter().map(|value| value_text(&value.value)).collect();
                let job = self.job(&format!("{file} at {}", place.join(" ")), &base, &set)?;
                let point = point.iter().map(|value| value_text(&value.value)).collect();
                cells.push(Cell { point, seed, job });
            }
        }
        Ok(cells)
    }

    /// Whether `without` names this point.
    fn leaves_out(&self, point: &[&AxisValue]) -> bool {
        self.without.iter().any(|left_out| {
            self.axes.iter().zip(point).all(|(axis, value)| {
                let values = left_out.get(&axis.name);
                let text = value_text(&value.value);
                values.is_none_or(|values| several(values).iter().any(|v| value_text(v) == text))
            })
        })
    }

    /// The seeds of a point: what is asked for, or else no more than its values allow.
    fn seeds_of(&self, point: &[&AxisValue], filter: &Filter) -> u32 {
        let quick = if filter.quick { self.quick.seeds } else { None };
        let most = point.iter().filter_map(|value| value.seeds).min().unwrap_or(u32::MAX);
        filter.seeds.unwrap_or_else(|| quick.unwrap_or(self.seeds).min(most))
    }

    fn job(&self, file: &str, base: &str, set: &[String]) -> Result<Job, ScenarioError> {
        if self.scenario.contains_key("operations") {
            let read = Experiment::parse(file, base, set).map_err(without_lines)?;
            stand_elsewhere(file, read.expect.is_empty())?;
            return Ok(Job::Experiment(Box::new(read)));
        }
        let read = Scenario::parse(file, base, set).map_err(without_lines)?;
        stand_elsewhere(file, read.expect.is_empty())?;
        Ok(Job::Scenario(Box::new(read)))
    }

    /// Seeds and whatever an axis sets are the grid's own.
    fn check_overrides(&self, set: &[String]) -> Result<(), ScenarioError> {
        let values = self.axes.iter().flat_map(|axis| axis.values.iter().map(move |v| (axis, v)));
        let taken: Vec<(&str, &str)> = values
            .flat_map(|(axis, value)| value.set.keys().map(|key| (key.as_str(), &*axis.name)))
            .collect();
        let within = |one: &str, other: &str| {
            one == other || one.strip_prefix(other).is_some_and(|rest| rest.starts_with('.'))
        };
        for given in set {
            let key = given.split('=').next().unwrap_or_default().trim();
            let refuse = |what: String, help: &str| {
                let refused = ScenarioError::new(&format!("--set {given}"), "", what);
                Err(ScenarioError { help: Some(help.into()), ..refused })
            };
            if key == "seed" {
                return refuse("each cell has a seed of its own".into(), "give --seed or --seeds");
            }
            let clash = taken.iter().find(|(set, _)| within(key, set) || within(set, key));
            if let Some((set, axis)) = clash {
                return refuse(
                    format!("axis `{axis}` sets `{set}`"),
                    "choose its values by --only",
                );
            }
        }
        Ok(())
    }

    /// The axes with the values that a filter leaves.
    fn kept(&self, file: &str, filter: &Filter) -> Result<Vec<Axis>, ScenarioError> {
        let mut axes = self.axes.clone();
        if filter.quick {
            let Quick { keep, .. } = &self.quick;
            for axis in &mut axes {
                if let Some(keep) = keep.get(&axis.name) {
                    let kept: Vec<String> = keep.iter().map(value_text).collect();
                    axis.values.retain(|value| kept.contains(&value_text(&value.value)));
                }
            }
        }
        let mut asked: Vec<(&str, Vec<&str>)> = vec![];
        for only in &filter.only {
            let refuse = |what: String, help: Option<String>| {
                let place = format!("--only {only}");
                ScenarioError { help, ..ScenarioError::new(&place, "", what) }
            };
            let (name, values) = only
                .split_once('=')
                .ok_or_else(|| refuse("expected axis=value, or axis=value,value".into(), None))?;
            let Some(axis) = self.axis(name) else {
                let help = nearest(name, self.axes.iter().map(|axis| axis.name.as_str()))
                    .map(|name| format!("did you mean `{name}`?"));
                return Err(refuse(format!("{file} has no axis `{name}`"), help));
            };
            for value in values.split(',').map(str::trim) {
                let known: Vec<String> = axis.values.iter().map(|v| value_text(&v.value)).collect();
                if !known.iter().any(|known| known == value) {
                    let help = Some(format!("its values: {}", known.join(", ")));
                    return Err(refuse(format!("axis `{name}` has no value `{value}`"), help));
                }
                match asked.iter_mut().find(|(axis, _)| *axis == name) {
                    Some((_, values)) => values.push(value),
                    None => asked.push((name, vec![value])),
                }
            }
        }
        for axis in &mut axes {
            if let Some((_, values)) = asked.iter().find(|(name, _)| *name == axis.name) {
                // What is asked for by name is run, whatever the small size would leave.
                axis.values = self.axis(&axis.name).map_or(vec![], |axis| axis.values.clone());
                axis.values.retain(|value| values.contains(&&*value_text(&value.value)));
            }
        }
        Ok(axes)
    }
}

/// A table's keys and values, as `--set` has them.
fn assignments(set: &toml::Table) -> impl Iterator<Item = String> {
    set.iter().map(|(key, value)| format!("{key}={value}"))
}

/// All combinations, the last axis fastest.
fn points(axes: &[Axis]) -> Vec<Vec<&AxisValue>> {
    let mut points = vec![vec![]];
    for axis in axes {
        points = points
            .into_iter()
            .flat_map(|point: Vec<&AxisValue>| {
                axis.values.iter().map(move |value| [&point[..], &[value]].concat())
            })
            .collect();
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        name = "s"
        title = "t"
        question = "q"
        seeds = 2
        quick = { seeds = 1, keep = { n = [4] } }
        [scenario]
        name = "e"
        title = "t"
        analysis = "a"
        group.members = 2
        operations.count = 3
        [[axes]]
        name = "who"
        values = [{ value = "all" }, { value = "zipf", set = { "operations.updated" = "zipf" } }]
        [[axes]]
        name = "n"
        values = [
            { value = 4, set = { "group.members" = 4 } },
            { value = 8, set = { "group.members" = 8 } },
        ]
    "#;

    fn study() -> Study {
        Study::parse("s", TEXT).unwrap()
    }

    fn cells(filter: Filter) -> Vec<(String, u64)> {
        let cells = study().cells("s", &filter).unwrap();
        cells.into_iter().map(|cell| (cell.point.join(" "), cell.seed)).collect()
    }

    #[test]
    fn a_grid_is_all_combinations_with_all_seeds() {
        let points = ["all 4", "all 8", "zipf 4", "zipf 8"];
        let expected: Vec<_> =
            points.iter().flat_map(|point| [1, 2].map(|seed| (point.to_string(), seed))).collect();
        assert_eq!(cells(Filter::default()), expected);
        let all = study().cells("s", &Filter::default()).unwrap();
        let Job::Experiment(last) = &all[7].job else { panic!("it has operations") };
        assert_eq!((last.group.members, last.seed), (8, 2));
    }

    #[test]
    fn a_part_is_chosen_by_values_seeds_and_size() {
        let quick = Filter { quick: true, ..Filter::default() };
        assert_eq!(cells(quick.clone()), [("all 4".into(), 1), ("zipf 4".into(), 1)]);
        let only = |only: &[&str]| only.iter().map(|one| (*one).to_owned()).collect();
        let one = Filter { only: only(&["n=8", "who=zipf"]), first_seed: Some(7), ..quick };
        assert_eq!(cells(one), [("zipf 8".into(), 7)]);
        let refused = |text: &str| {
            let filter = Filter { only: only(&[text]), ..Filter::default() };
            study().cells("s", &filter).unwrap_err().to_string()
        };
        assert!(refused("m=8").contains("no axis `m`"), "{}", refused("m=8"));
        assert!(refused("n=9").contains("its values: 4, 8"), "{}", refused("n=9"));
        assert!(refused("n").contains("axis=value"));
    }

    #[test]
    fn points_may_be_left_out_and_have_fewer_seeds() {
        let without = "without = [{ who = \"zipf\", n = [8, 4] }]\n[scenario]";
        let text = TEXT.replacen("[scenario]", without, 1).replacen(
            "set = { \"group.members\" = 8 } }",
            "seeds = 1, set = { \"group.members\" = 8 } }",
            1,
        );
        let cells = |filter: &Filter| {
            let cells = Study::parse("s", &text).unwrap().cells("s", filter).unwrap();
            cells.iter().map(|cell| (cell.point.join(" "), cell.seed)).collect::<Vec<_>>()
        };
        let expected = [("all 4", 1), ("all 4", 2), ("all 8", 1)].map(|(p, s)| (p.to_owned(), s));
        assert_eq!(cells(&Filter::default()), expected);
        // Who asks for seeds gets them.
        assert_eq!(cells(&Filter { seeds: Some(3), ..Filter::default() }).len(), 6);
        let none = text.replacen("who = \"zipf\", n = [8, 4]", "n = [4, 8]", 1);
        let none = Study::parse("s", &none).unwrap().cells("s", &Filter::default()).unwrap_err();
        assert!(none.to_string().contains("leaves no point"), "{none}");
    }

    #[test]
    fn the_small_size_sets_what_no_axis_does() {
        let quick = "set = { \"operations.count\" = 5, \"group.members\" = 99 } }";
        let text = TEXT.replacen("keep = { n = [4] } }", quick, 1);
        let study = Study::parse("s", &text).unwrap();
        let cells = study.cells("s", &Filter { quick: true, ..Filter::default() }).unwrap();
        let Job::Experiment(last) = &cells[3].job else { panic!("it has operations") };
        assert_eq!(last.group.members, 8);
        assert_eq!(last.operations.count.of(1), 5);
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_place() {
        for (from, to, what) in [
            ("name = \"n\"", "name = \"who\"", "two axes"),
            ("name = \"n\"", "name = \"seed\"", "cannot be called"),
            ("{ n = [4] }", "{ n = [5] }", "no value 5"),
            ("{ n = [4] }", "{ m = [4] }", "no axis `m`"),
            ("seeds = 2", "seeds = 0", "seeds"),
            ("[scenario]", "without = [{ n = 5 }]\n[scenario]", "no value 5"),
            ("[scenario]", "without = [{}]\n[scenario]", "at least one value"),
            ("{ value = 4,", "{ value = 4, seeds = 0,", "at least 1 seed"),
            ("[scenario]", "ratios = { n = [\"a\", \"b\"] }\n[scenario]", "called `n`"),
            (
                "[scenario]",
                "ratios = { d = [\"a\", 0] }\n[scenario]",
                "divided by the number of `d`",
            ),
            (
                "[scenario]",
                "paired = [{ axis = \"m\", metrics = [\"a\"] }]\n[scenario]",
                "no axis `m`",
            ),
            (
                "[scenario]",
                "paired = [{ axis = \"n\", metrics = [] }]\n[scenario]",
                "at least one metric",
            ),
            ("[scenario]", "fits = [{ x = \"who\", y = \"a\" }]\n[scenario]", "no numbers above 0"),
            (
                "[scenario]",
                "fits = [{ x = \"n\", y = \"a\", min = 1.0 }]\n[scenario]",
                "`says` goes with",
            ),
        ] {
            let refused = Study::parse("s", &TEXT.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(refused.contains(what), "{refused}");
        }
    }
}
