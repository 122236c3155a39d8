"""Reading studies and runs, and the statistics, on tables small enough to check by hand."""

import json
import os
import stat

import arboretum_results as results
import numpy as np
import pandas as pd
import pytest

AGGREGATE = """strategy,axis.n,metric,n,mean,lo,hi
none,8,cost,3,360,10,1000
none,64,cost,3,361,11,1001
taint,8,cost,3,358,8,998
taint,64,cost,1,5,,
none,8,sent,3,2,2,2
"""

# The people of the seeds are far apart, the strategy makes the same difference to each.
CELLS = """strategy,n,seed,digest,cost,sent,messages
none,8,1,a,10,4,2
none,8,2,b,1000,9,3
none,8,3,c,70,8,2
taint,8,1,d,8,4,2
taint,8,2,e,998,9,3
taint,8,3,f,68,8,2
taint,8,4,g,5,1,1
"""


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """An empty folder of runs, and nothing recorded for reference."""
    monkeypatch.setenv("ARBORETUM_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(results, "REPOSITORY", tmp_path)
    return tmp_path / "runs"


def write_study(folder, cells=True):
    folder.mkdir(parents=True)
    (folder / "aggregate.csv").write_text(AGGREGATE)
    if cells:
        (folder / "cells.csv").write_text(CELLS)
    return folder


# Where a study is found.


def test_ones_own_run_comes_before_its_small_size_and_that_before_the_reference(runs, tmp_path):
    reference = write_study(tmp_path / "results/reference/mine")
    assert results.find_study("mine") == reference
    quick = write_study(runs / "mine-quick")
    assert results.find_study("mine") == quick
    whole = write_study(runs / "mine")
    assert results.find_study("mine") == whole
    assert results.find_study(str(reference)) == reference


def test_a_study_that_is_nowhere_is_an_error_that_says_how_to_make_it(runs):
    with pytest.raises(results.MissingResult, match="arboretum study mine --quick"):
        results.load_study("mine")
    # A folder without tables is no result.
    (runs / "mine").mkdir(parents=True)
    with pytest.raises(results.MissingResult):
        results.load_study("mine")


def test_a_table_that_is_cut_off_is_refused(runs):
    folder = write_study(runs / "mine")
    (folder / "aggregate.csv").write_text("strategy,axis.n\n")
    with pytest.raises(results.MissingResult, match="no column 'metric'"):
        results.load_study("mine")
    (folder / "aggregate.csv").write_text(AGGREGATE.splitlines()[0] + "\n")
    with pytest.raises(results.MissingResult, match="no rows"):
        results.load_study("mine")


# What a study says.


def test_axes_have_their_own_names_in_both_tables_and_words_stay_words(runs):
    write_study(runs / "mine")
    study = results.load_study("mine")
    assert study.axes == ["strategy", "n"]
    assert study.values("strategy") == ["none", "taint"]
    assert study.values("n") == [8, 64]
    assert list(study.aggregate.columns) == ["strategy", "n", "metric", "seeds", "mean", "lo", "hi"]
    assert list(study.each("cost").columns) == ["strategy", "n", "seed", "cost"]
    assert study.seeds == "1 to 3 seeds, 95 % bootstrap intervals"


def test_values_that_pandas_takes_for_missing_are_words(runs):
    folder = write_study(runs / "mine")
    (folder / "aggregate.csv").write_text(AGGREGATE.replace("taint", "None"))
    assert results.load_study("mine").values("strategy") == ["none", "None"]


def test_means_are_those_of_the_points_that_are_left(runs):
    write_study(runs / "mine")
    study = results.load_study("mine")
    assert study.means("cost", n=8)["mean"].tolist() == [360, 358]
    assert study.means("cost", n=[64], strategy="taint")["mean"].tolist() == [5]
    assert np.isnan(study.means("cost", n=64, strategy="taint")["lo"][0])


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda study: study.means("costs"), "there is cost"),
        (lambda study: study.means("cost", strategy="tainted"), "it has none, taint"),
        (lambda study: study.means("cost", members=8), "the axes are strategy, n"),
        (lambda study: study.values("members"), "no axis 'members'"),
        (lambda study: study.each("costs"), "there is cost"),
        (lambda study: study.means("sent", n=64), "axis 'n' has no value 64"),
        (lambda study: study.differences("strategy", "blank", "cost"), "no value 'blank'"),
        (lambda study: study.differences("n", 8, "cost"), "seed in common"),
    ],
)
def test_what_is_not_there_is_an_error_that_says_what_is(runs, ask, says):
    write_study(runs / "mine")
    with pytest.raises(results.MissingResult, match=says):
        ask(results.load_study("mine"))


def test_a_ratio_is_taken_cell_by_cell(runs):
    write_study(runs / "mine")
    study = results.load_study("mine").with_ratio("each", "sent", "messages")
    assert study.means("each", strategy="none")["mean"].tolist() == [3.0]     # 2, 3 and 4
    assert study.each("each")["each"].tolist() == [2, 3, 4, 2, 3, 4, 1]
    assert study.with_ratio("each", "nothing", "of this") is study


def test_a_number_can_be_computed_of_the_cells(runs):
    write_study(runs / "mine")
    study = results.load_study("mine")
    more = study.with_number("twice", lambda cells: 2 * cells["sent"])
    assert more.means("twice", strategy="none")["mean"].tolist() == [14.0]     # twice 4, 9 and 8
    assert more.with_number("twice", None) is more
    assert "twice" not in study.metrics


def test_bytes_of_commits_are_summed_over_the_kinds_there_are():
    cells = pd.DataFrame(
        {
            "by_kind.add.commits": [2, 0],
            "by_kind.add.bytes": [10.0, np.nan],
            "by_kind.update.commits": [3, 1],
            "by_kind.update.bytes": [100.0, 7.0],
        }
    )
    assert results.bytes_of_commits(cells).tolist() == [320, 7]


# Differences.


def test_what_people_have_in_common_cancels_out(runs):
    write_study(runs / "mine")
    [row] = results.load_study("mine").differences("strategy", "none", "cost").to_dict("records")
    # The fourth seed has no partner.
    assert (row["strategy"], row["n"], row["seeds"], row["base_mean"]) == ("taint", 8, 3, 360)
    assert (row["difference"], row["lo"], row["hi"]) == (-2, -2, -2)
    assert row["percent"] == pytest.approx(-100 * 2 / 360)


def test_pairs_that_are_not_unique_are_refused():
    cells = pd.DataFrame({"strategy": ["a", "b", "b"], "seed": [1, 1, 1], "cost": [1, 2, 3]})
    with pytest.raises(results.MissingResult, match="not unique"):
        results.differences(cells, ["strategy"], "strategy", "a", "cost")


def test_of_nothing_there_are_no_percents():
    cells = pd.DataFrame({"strategy": ["a", "b"], "seed": [1, 1], "cost": [0, 2]})
    [row] = results.differences(cells, ["strategy"], "strategy", "a", "cost").to_dict("records")
    assert row["difference"] == 2
    assert np.isnan(row["percent"]) and np.isnan(row["lo"])


def test_without_cells_differences_are_those_recorded(runs):
    folder = write_study(runs / "mine", cells=False)
    study = results.load_study("mine")
    with pytest.raises(results.MissingResult, match="no cells"):
        study.differences("strategy", "none", "cost")
    (folder / "differences.csv").write_text(
        "strategy,axis.n,axis,base,metric,n,base_mean,difference,lo,hi\n"
        "taint,8,strategy,none,cost,3,200,-2,-4,-1\n"
    )
    [row] = study.differences("strategy", "none", "cost", n=8).to_dict("records")
    assert (row["seeds"], row["difference"], row["percent"], row["percent_lo"]) == (3, -2, -1, -2)
    with pytest.raises(results.MissingResult, match="no difference of 'sent'"):
        study.differences("strategy", "none", "sent")


# Statistics.


def test_an_interval_is_reproducible_and_the_one_it_should_be():
    numbers = np.arange(20)
    mean, lo, hi = results.bootstrap(numbers, "cost")
    assert (mean, lo, hi) == results.bootstrap(numbers, "cost")
    # The normal interval of the mean is 9.5 ± 1.96·5.77/√20.
    assert mean == 9.5
    assert abs(lo - 6.97) < 0.3 and abs(hi - 12.03) < 0.3


def test_one_number_has_no_interval_and_equal_ones_have_none_of_any_width():
    mean, lo, hi = results.bootstrap([3])
    assert mean == 3 and np.isnan(lo) and np.isnan(hi)
    assert results.bootstrap([2, 2, 2]) == (2, 2, 2)
    with pytest.raises(results.MissingResult):
        results.bootstrap([])


def test_growth_finds_the_law():
    n = np.array([4, 16, 64, 1024])
    power = results.growth(n, 3 * n**0.5)
    assert power["exponent"] == pytest.approx(0.5) and power["nearer"] == "power"
    log = results.growth(n, 1 + 2 * np.log2(n))
    assert log["per_doubling"] == pytest.approx(2) and log["nearer"] == "log2"
    for x, y in [([1, 2], [1, 2]), ([1, 2, 3], [0, 1, 2])]:
        with pytest.raises(results.MissingResult):
            results.growth(x, y)


@pytest.mark.skipif("ARBORETUM_RUNS" not in os.environ, reason="no runs: `make notebooks` has some")
def test_the_commands_own_means_and_intervals_come_out():
    study = results.load_study("ttkem-2021")
    metric = "ciphertexts_per_operation"
    ours = results.aggregate(study.each(metric), study.axes, metric)
    theirs = study.means(metric)
    for column in ("seeds", "mean", "lo", "hi"):
        assert np.allclose(ours[column], theirs[column], rtol=0.02 if column in ("lo", "hi") else 1e-12)


# Runs.


def write_run(folder, **summary):
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps({"seed": 1, "members": {"end": 7}} | summary))
    (folder / "commits.csv").write_text("epoch,time_ms\n1,5\n")
    (folder / "tree.csv").write_text("time_ms,members\n0,7\n")
    (folder / "scenario.toml").write_text('name = "x"\n[group]\nmembers = 7\n')
    return folder


def test_a_run_is_its_summary_and_tables(runs):
    made = results.load_run(write_run(runs / "x"))
    assert made.summary["members.end"] == 7
    assert made.tree["members"].tolist() == [7]
    assert made.scenario["group"]["members"] == 7
    cells = results.cells_of({"a": [made]}, "members.end")
    assert cells.to_dict("records") == [{"contestant": "a", "seed": 1, "members.end": 7}]
    with pytest.raises(results.MissingResult, match="there is members.end"):
        results.cells_of({"a": [made]}, "members.ends")


def test_what_is_no_whole_run_is_refused(runs):
    with pytest.raises(results.MissingResult, match="no folder of a run"):
        results.load_run(runs / "x")
    with pytest.raises(results.MissingResult, match="interrupted"):
        results.load_run(write_run(runs / "x", interrupted=True))


def test_a_command_that_is_missing_or_fails_is_told(runs, tmp_path, monkeypatch):
    monkeypatch.setenv("ARBORETUM", str(tmp_path / "arboretum"))
    with pytest.raises(results.MissingResult, match="cargo build --release"):
        results.run("smoke", "x")
    (tmp_path / "arboretum").write_text("#!/bin/sh\necho no such strategy >&2\nexit 2\n")
    (tmp_path / "arboretum").chmod(stat.S_IRWXU)
    with pytest.raises(results.CommandFailed, match="ended with 2:\nno such strategy"):
        results.run("smoke", "x")


# The largest group.

SEARCH = """seed,members,commits,digest,holds,join,join_limit,join_holds,memory,memory_limit,memory_holds
1,32,9,a,false,3,2,false,50,100,true
1,16,5,b,true,1,2,true,25,100,true
2,16,4,c,true,,2,,27,100,true
"""
ANSWER = {
    "budgets": [{"name": "join", "limit": 2.0}, {"name": "memory", "limit": 100.0}],
    "seeds": [
        {"seed": 1, "largest": 16, "fails": 32, "binds": [["join", 1.5]]},
        {"seed": 2, "largest": 16, "fails": None, "binds": []},
    ],
}


def test_a_search_is_what_it_tried_and_what_binds(runs):
    with pytest.raises(results.MissingResult, match="no capacity.json"):
        results.load_capacity(runs / "search")
    (runs / "search").mkdir(parents=True)
    (runs / "search/capacity.csv").write_text(SEARCH)
    (runs / "search/capacity.json").write_text(json.dumps(ANSWER))
    found = results.load_capacity(runs / "search")
    assert found.budgets == ["join", "memory"]
    assert found.seeds["binds"].tolist() == ["join", "nothing"]
    assert found.seeds["largest"].tolist() == [16, 16]
    join = found.tried[found.tried["budget"] == "join"]
    assert join[["seed", "members", "share"]].values.tolist() == [[1, 16, 0.5], [1, 32, 1.5]]
    # Only what every seed tried, and at which something of the kind happened.
    assert found.shares()[["budget", "members", "mean"]].values.tolist() == [["memory", 16, 0.26]]


def test_figures_name_no_path_of_a_machine(runs, tmp_path):
    assert results.shown(runs / "mine") == "runs/mine"
    assert results.shown(tmp_path / "results/reference/mine") == "results/reference/mine"
    assert results.shown("/elsewhere/mine") == "mine"
