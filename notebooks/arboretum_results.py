"""Studies and runs of Arboretum in pandas, with paired differences and how numbers grow.

What stands in the files is said in docs/studies.md (studies) and docs/files.md (runs). Nothing is
guessed: a result, an axis, a value or a number that is not there is an error that says what is.
"""

import difflib
import json
import os
import subprocess
import tomllib
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

REPOSITORY = Path(__file__).resolve().parent.parent

# As in results/src/bootstrap.rs.
RESAMPLES = 10_000
TAIL = 0.025

# Columns of tables that are no axis. An axis of the same name stands as `axis.NAME`.
AFTER_AXES = {"cells.csv": "seed", "aggregate.csv": "metric", "differences.csv": "axis"}

# Commits by what they do: `by_kind.KIND.*`.
KINDS = ["update", "add", "remove", "add_remove"]

# What is told of a difference, after the point.
DIFFERENCE = ["seeds", "base_mean", "difference", "lo", "hi", "percent", "percent_lo", "percent_hi"]


class MissingResult(Exception):
    """There is no such study, run, axis, value or number, and what to do about it."""


class CommandFailed(Exception):
    """The command ended with an error, which is told."""


# Where things are.


def runs_folder():
    """The folder of runs: ARBORETUM_RUNS, by default `runs/` of this repository."""
    return Path(os.environ.get("ARBORETUM_RUNS") or REPOSITORY / "runs")


def command():
    """The `arboretum` command: ARBORETUM, by default the release build of this repository."""
    path = Path(os.environ.get("ARBORETUM") or REPOSITORY / "target/release/arboretum")
    if not path.is_file():
        raise MissingResult(
            f"there is no command {path}: build it with `cargo build --release`, "
            "or say in ARBORETUM where it is"
        )
    return path


def shown(path):
    """A path as a reader of a figure should see it: nothing of this machine."""
    path = Path(path).resolve()
    for base in (REPOSITORY, runs_folder().resolve().parent):
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return path.name


# Studies.


@dataclass
class Study:
    """A study's tables. `cells` is a row a cell; not everything that is recorded for reference has it;
    `aggregate` has a row a point and metric: the axes, `metric`, `seeds`, `mean`, `lo`, `hi`."""

    name: str
    folder: Path
    axes: list
    aggregate: pd.DataFrame
    cells: pd.DataFrame | None
    definition: dict

    @property
    def metrics(self):
        """Names of all numbers."""
        return list(self.aggregate["metric"].unique())

    def values(self, axis):
        """The values of an axis, in the order of the study."""
        return values(self.aggregate, self.axes, axis)

    def means(self, metric, **at):
        """Means of a number and their intervals at the points that `at` leaves; `at` gives a value
        of an axis, or a list of values."""
        rows = self.aggregate[self.aggregate["metric"] == metric]
        if rows.empty:
            raise MissingResult(f"{self.name} has no number {metric!r}" + near(metric, self.metrics))
        return where(rows, self.axes, at).drop(columns="metric").reset_index(drop=True)

    def each(self, *metrics, **at):
        """Numbers of each cell: the axes, `seed`, and the numbers."""
        cells = self.all_cells()
        for metric in metrics:
            require_number(cells, metric)
        rows = where(cells, self.axes, at)
        return rows[[*self.axes, "seed", *metrics]].reset_index(drop=True)

    def differences(self, axis, base, metric, **at):
        """How much more each value of `axis` has of a number than `base`, paired by seed: from the
        cells, or as it is recorded where there are none."""
        file = self.folder / "differences.csv"
        if self.cells is None and file.is_file():
            return recorded_differences(file, self.axes, axis, base, metric, at)
        return differences(self.each(metric, **at), self.axes, axis, base, metric)

    def with_ratio(self, name, over, under):
        """This study with the number `name`, cell by cell `over` through `under`, if it has not
        got it."""
        def ratio(cells):
            require_number(cells, over)
            require_number(cells, under)
            return cells[over] / cells[under]

        return self.with_number(name, ratio)

    def with_number(self, name, compute):
        """This study with the number `name`, which `compute` gives of the table of cells, if it has
        not got it."""
        if name in self.metrics:
            return self
        cells = self.all_cells()
        # Of a copy, for it is in one piece: a column more of many is no warning then.
        cells = cells.copy().assign(**{name: compute(cells)})
        added = aggregate(cells, self.axes, name)
        both = pd.concat([self.aggregate, added], ignore_index=True)
        return Study(self.name, self.folder, self.axes, both, cells, self.definition)

    def all_cells(self):
        """The table of cells; an error where only means are recorded."""
        if self.cells is None:
            raise MissingResult(
                f"{shown(self.folder)} has no cells, only means: run "
                f"`arboretum study {self.name} --quick`"
            )
        return self.cells

    @property
    def seeds(self):
        """In words: how many seeds a point has, and what the intervals are."""
        # What happens with few seeds has few values; its point was run with all of them.
        of_points = self.aggregate.groupby(self.axes, dropna=False)["seeds"].max()
        low, high = of_points.min(), of_points.max()
        if high == 1:
            return "one seed: no interval"
        count = f"{low}" if low == high else f"{low} to {high}"
        return f"{count} seeds, 95 % bootstrap intervals"


def find_study(name):
    """The folder of a study: a path, or that of a name in the folder of runs (the whole study before
    its small size), or what is recorded in `results/reference`."""
    if (Path(name) / "aggregate.csv").is_file():
        return Path(name)
    runs = runs_folder()
    places = [runs / name, runs / f"{name}-quick", REPOSITORY / "results/reference" / name]
    for place in places:
        if (place / "aggregate.csv").is_file():
            return place
    looked = ", ".join(shown(place) for place in places)
    raise MissingResult(
        f"there is no result of the study {name!r} in {looked}: run `arboretum study {name} "
        "--quick`, or say in ARBORETUM_RUNS where runs are"
    )


def load_study(name):
    """Loads a study by its name or its folder."""
    folder = find_study(name)
    axes, table = read_table(folder / "aggregate.csv")
    table = table.rename(columns={"n": "seeds"}).rename(columns=own_names(axes))
    axes = [own_names(axes).get(axis, axis) for axis in axes]
    cells = None
    if (folder / "cells.csv").is_file():
        cell_axes, cells = read_table(folder / "cells.csv")
        cells = cells.rename(columns=own_names(cell_axes))
    file = folder / "study.toml"
    definition = tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}
    title = definition.get("name", folder.name.removesuffix("-quick"))
    return Study(title, folder, axes, table, cells, definition)


def read_table(path):
    """The axes and the rows of a table of a study. Axes of numbers are numbers; `never`, `none` and
    their like are words and no missing values."""
    header = path.open(encoding="utf-8").readline().rstrip("\r\n").split(",")
    mark = AFTER_AXES[path.name]
    if mark not in header:
        raise MissingResult(f"{shown(path)} has no column {mark!r}: it is no table of a study")
    axes = header[: header.index(mark)]
    table = pd.read_csv(path, dtype=dict.fromkeys(axes, str), keep_default_na=False, na_values=[""])
    for axis in axes:
        try:
            table[axis] = pd.to_numeric(table[axis])
        except (ValueError, TypeError):
            pass
    if table.empty:
        raise MissingResult(f"{shown(path)} has no rows")
    return axes, table


def own_names(axes):
    """The names that axes have in the study's file."""
    return {axis: axis.removeprefix("axis.") for axis in axes if axis.startswith("axis.")}


# Runs.


@dataclass
class Run:
    """A run's folder: `summary` with its keys joined by dots, the tables, the scenario."""

    folder: Path
    summary: dict
    commits: pd.DataFrame
    tree: pd.DataFrame
    scenario: dict


def load_run(folder):
    """Loads a run from its folder."""
    folder = Path(folder)
    file = folder / "summary.json"
    if not file.is_file():
        raise MissingResult(f"{shown(folder)} is no folder of a run: it has no summary.json")
    summary = flat(json.loads(file.read_text("utf-8")))
    if summary.get("interrupted"):
        raise MissingResult(f"{shown(folder)} was interrupted: its numbers are those of a part")
    return Run(
        folder,
        summary,
        pd.read_csv(folder / "commits.csv"),
        pd.read_csv(folder / "tree.csv"),
        tomllib.loads((folder / "scenario.toml").read_text("utf-8")),
    )


def run(scenario, name, *arguments):
    """The run `name` in the folder of runs; the command makes it anew, so that what is seen is
    what this build does."""
    folder = runs_folder() / name
    invoke("run", scenario, *arguments, "--out", folder, "--force", "--quiet")
    return load_run(folder)


def invoke(*line):
    """Runs the command with these words; a failure is told with what it said."""
    words = [str(word) for word in line]
    done = subprocess.run([str(command()), *words], capture_output=True, text=True)
    if done.returncode != 0:
        what = " ".join(words[:2])
        raise CommandFailed(f"`arboretum {what}` ended with {done.returncode}:\n{done.stderr}")


def cells_of(contestants, *metrics):
    """Numbers of runs as a table of cells: `contestants` gives the runs of each name."""
    rows = []
    for name, runs in contestants.items():
        for one in runs:
            numbers = {metric: number(one.summary, metric) for metric in metrics}
            rows.append({"contestant": name, "seed": one.summary["seed"], **numbers})
    return pd.DataFrame(rows)


def number(summary, metric):
    """A number of a summary."""
    if metric not in summary:
        raise MissingResult(f"the run has no number {metric!r}" + near(metric, list(summary)))
    return summary[metric]


def bytes_of_commits(cells):
    """Bytes of all commits but the one that made the group, Welcomes apart: of each kind as many as
    there are times the mean of one. A kind that does not occur has no mean."""
    each = [f"by_kind.{kind}" for kind in KINDS if f"by_kind.{kind}.bytes" in cells.columns]
    return sum(cells[f"{kind}.commits"] * cells[f"{kind}.bytes"].fillna(0) for kind in each)


def flat(table, before=""):
    """A table of tables with its keys joined by dots."""
    found = {}
    for key, value in table.items():
        inner = isinstance(value, dict)
        found |= flat(value, f"{before}{key}.") if inner else {before + key: value}
    return found


# The largest group within budgets.


@dataclass
class Capacity:
    """An answer of `arboretum capacity`: `capacity.json`, and what was tried: a row for each seed, size
    and budget, with what is measured, in seconds, bytes or as a share, its `limit`, and the `share`
    of it that this is. A size at which nothing of a kind happens has no row of that budget."""

    folder: Path
    answer: dict
    tried: pd.DataFrame

    @property
    def budgets(self):
        """Names of the budgets, in the order they were given in."""
        return [budget["name"] for budget in self.answer["budgets"]]

    @property
    def seeds(self):
        """A row a seed: the `largest` size that holds, and what breaks at the next that was tried."""
        rows = self.answer["seeds"]
        binds = [", ".join(name for name, _ in row["binds"]) or "nothing" for row in rows]
        table = pd.DataFrame({key: [row[key] for row in rows] for key in ("seed", "largest", "fails")})
        return table.assign(binds=binds)

    def shares(self):
        """How much of each budget is taken at the sizes that every seed tried, in the form of means."""
        count = len(self.answer["seeds"])
        rows = aggregate(self.tried, ["budget", "members"], "share")
        return rows[rows["seeds"] == count].drop(columns="metric").reset_index(drop=True)


def load_capacity(folder):
    """Loads an answer from its folder."""
    folder = Path(folder)
    if not (folder / "capacity.json").is_file():
        raise MissingResult(f"{shown(folder)} is no answer of a search: it has no capacity.json")
    answer = json.loads((folder / "capacity.json").read_text("utf-8"))
    table = pd.read_csv(folder / "capacity.csv").sort_values(["seed", "members"])
    tables = []
    for budget in answer["budgets"]:
        name = budget["name"]
        rows = table[["seed", "members"]].assign(budget=name, measured=table[name], limit=budget["limit"])
        tables.append(rows.dropna(subset="measured"))
    tried = pd.concat(tables, ignore_index=True)
    return Capacity(folder, answer, tried.assign(share=tried["measured"] / tried["limit"]))


def capacity(scenario, name, *arguments):
    """The search `name` in the folder of runs. What another search in that folder has run is not run
    again, if this build would come to the same."""
    folder = runs_folder() / name
    invoke("capacity", scenario, *arguments, "--out", folder, "--quiet")
    return load_capacity(folder)


# Statistics.


def bootstrap(numbers, name=""):
    """The mean of numbers and the interval that 95 % of the means of resamples lie in, which one
    number has not got. `name` picks the stream, so that the same numbers give the same interval."""
    numbers = np.asarray(numbers, dtype=float)
    if len(numbers) == 0:
        raise MissingResult(f"no values of {name or 'a number'}")
    if len(numbers) == 1:
        return numbers[0], np.nan, np.nan
    stream = np.random.default_rng(zlib.crc32(name.encode()))
    drawn = stream.integers(len(numbers), size=(RESAMPLES, len(numbers)))
    means = np.sort(numbers[drawn].mean(axis=1))
    lo, hi = (means[round((RESAMPLES - 1) * share)] for share in (TAIL, 1 - TAIL))
    return numbers.mean(), lo, hi


def aggregate(cells, axes, metric):
    """Means of a number over seeds, in the form of a study's `aggregate`."""
    rows = []
    for point, group in cells.groupby(axes, sort=False):
        numbers = group[metric].dropna()
        if len(numbers) > 0:
            estimate = (len(numbers), *bootstrap(numbers, metric))
            rows.append((*point, metric, *estimate))
    return pd.DataFrame(rows, columns=[*axes, "metric", "seeds", "mean", "lo", "hi"])


def differences(cells, axes, axis, base, metric):
    """How much more each value of `axis` has of a number than `base` at the same point, over the
    seeds that both have: the same seed brings the same people on the same days, so what they have
    in common cancels out. `percent` and its interval are of the base's mean."""
    require_number(cells, metric)
    where(cells, axes, {axis: base})
    rest = [other for other in axes if other != axis]
    keys = [*rest, "seed"]
    if cells.duplicated([axis, *keys]).any():
        raise MissingResult(f"several cells of one point and seed: pairs by {axis!r} are not unique")
    of_base = cells.loc[cells[axis] == base, [*keys, metric]]
    both = cells[cells[axis] != base].merge(of_base, on=keys, suffixes=("", "_of_base"))
    both = both.dropna(subset=[metric, f"{metric}_of_base"])
    if both.empty:
        raise MissingResult(f"nothing of {axis!r} has a seed in common with {base!r}")
    rows = []
    for point, group in both.groupby([*rest, axis], sort=False):
        low = group[f"{metric}_of_base"]
        mean, lo, hi = bootstrap(group[metric] - low, metric)
        base_mean = low.mean()
        # Of a base that has none of it there are no percents.
        percent = [100 * end / base_mean if base_mean else np.nan for end in (mean, lo, hi)]
        rows.append((*point, len(group), base_mean, mean, lo, hi, *percent))
    return pd.DataFrame(rows, columns=[*rest, axis, *DIFFERENCE])


def recorded_differences(file, axes, axis, base, metric, at):
    """The same from `differences.csv`."""
    columns, table = read_table(file)
    table = table.rename(columns={"n": "seeds"}).rename(columns=own_names(columns))
    asked = (table["axis"] == axis) & (table["base"].astype(str) == str(base)) & (table["metric"] == metric)
    if not asked.any():
        raise MissingResult(f"{shown(file)} has no difference of {metric!r} by {axis!r} from {base!r}")
    table = where(table[asked], axes, at).copy()
    of = {"percent": "difference", "percent_lo": "lo", "percent_hi": "hi"}
    for percent, end in of.items():
        table[percent] = 100 * table[end] / table["base_mean"].where(table["base_mean"] != 0)
    rest = [other for other in axes if other != axis]
    return table[[*rest, axis, *DIFFERENCE]].reset_index(drop=True)


def growth(x, y):
    """The exponent b of y = a·x^b, and what each doubling of x adds to y, by least squares; and
    which of the two forms is nearer, by the mean square of relative errors, as in `fits.csv`."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if len(x) < 3 or (x <= 0).any() or (y <= 0).any():
        raise MissingResult("growth is fitted to three points at least, all above 0")
    power = np.polynomial.Polynomial.fit(np.log(x), np.log(y), 1).convert().coef
    added = np.polynomial.Polynomial.fit(np.log2(x), y, 1).convert().coef
    as_power = np.exp(power[0]) * x ** power[1]
    as_log = added[0] + added[1] * np.log2(x)
    errors = [float(np.sqrt(np.mean(((fit - y) / y) ** 2))) for fit in (as_power, as_log)]
    nearer = "power" if errors[0] <= errors[1] else "log2"
    return {"exponent": power[1], "per_doubling": added[1], "nearer": nearer}


# What is asked for is there, or an error says what is.


def values(table, axes, axis):
    """The values of an axis, in the order of the table."""
    if axis not in axes:
        raise MissingResult(f"there is no axis {axis!r}; the axes are {', '.join(axes)}")
    return table[axis].unique().tolist()


def where(table, axes, at):
    """The rows at values of axes."""
    for axis, wanted in at.items():
        wanted = list(wanted) if isinstance(wanted, (list, tuple)) else [wanted]
        known = values(table, axes, axis)
        for value in wanted:
            if value not in known:
                there = ", ".join(map(str, known))
                raise MissingResult(f"axis {axis!r} has no value {value!r} here; it has {there}")
        table = table[table[axis].isin(wanted)]
    if table.empty:
        raise MissingResult(f"no rows at {at}")
    return table


def require_number(table, metric):
    """Checks that a table has a number."""
    if metric not in table.columns:
        raise MissingResult(f"there is no number {metric!r}" + near(metric, list(table.columns)))


def near(name, names):
    """The nearest of the names that there are."""
    nearest = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"; there is {', '.join(nearest)}" if nearest else ""
