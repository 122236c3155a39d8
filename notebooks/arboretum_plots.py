"""Plots in the looks of results/src/plots: Okabe and Ito's palette, told apart with any kind of
colour vision; marks and strokes that differ without colour too.
"""

import itertools

import matplotlib
import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from arboretum_results import shown

GREY = "#5a5a5a"
GRID = "#dadada"
LOOKS = [
    ("#0072b2", "o", "-"),
    ("#d55e00", "s", "--"),
    ("#009e73", "D", "-."),
    ("#e69f00", "^", "-"),
    ("#cc79a7", "o", "--"),
    ("#56b4e9", "s", "-."),
    ("#000000", "D", "-"),
    (GREY, "^", "--"),
]


def use_style():
    """Makes matplotlib draw like the command."""
    looks = list(zip(*LOOKS))
    matplotlib.rcParams.update(
        {
            "font.family": ["DejaVu Sans"],
            "font.size": 10,
            "figure.figsize": (9, 5),
            "figure.dpi": 100,
            "figure.constrained_layout.use": True,
            "axes.prop_cycle": cycler(color=looks[0]) + cycler(marker=looks[1]) + cycler(linestyle=looks[2]),
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 12,
            "grid.color": GRID,
            "lines.linewidth": 1.8,
            "lines.markersize": 5,
            "legend.frameon": False,
        }
    )


def figure(title, note, columns=1, rows=1, height=4.8, **arguments):
    """A figure of panels with its title and, in grey below it, a note: what it was drawn from."""
    tall = height * rows
    drawn, panels = plt.subplots(rows, columns, figsize=(9, tall), **arguments)
    drawn.get_layout_engine().set(rect=(0, 0, 1, 1 - 0.62 / tall), wspace=0.04, hspace=0.04)
    drawn.text(0.012, 1 - 0.08 / tall, title, va="top", fontsize=14)
    drawn.text(0.012, 1 - 0.37 / tall, note, va="top", fontsize=9, color=GREY)
    return drawn, panels


def source(study):
    """The note of a figure of a study."""
    return f"{study.name} · {shown(study.folder)} · {study.seeds}"


def lines(panel, means, x, series=None, label=str):
    """A line with its interval for each value of `series` along the axis `x`."""
    groups = [(None, means)] if series is None else means.groupby(series, sort=False)
    for (value, rows), (color, mark, stroke) in zip(groups, itertools.cycle(LOOKS)):
        rows = rows.sort_values(x)
        name = None if value is None else label(value)
        panel.plot(rows[x], rows["mean"], color=color, marker=mark, linestyle=stroke, label=name)
        panel.fill_between(rows[x], rows["lo"], rows["hi"], color=color, alpha=0.2, linewidth=0)


def marks(panel, table, axis, value="mean", lo="lo", hi="hi", look=0, label=None):
    """A mark with its interval for each row of a table, one below the other: for axes of words."""
    color, mark, _ = LOOKS[look]
    places = range(len(table))
    panel.hlines(places, table[lo], table[hi], color=color, alpha=0.4, linewidth=5)
    panel.plot(table[value], places, color=color, marker=mark, linestyle="none", label=label)
    panel.set_yticks(places, [str(name) for name in table[axis]])
    panel.set_ylim(len(table) - 0.4, -0.6)
    panel.margins(x=0.08)
    panel.grid(axis="y", visible=False)


def legend(panel, columns=4):
    """The names of the lines, above the panel."""
    panel.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0.2)


def legend_below(drawn, title=None, columns=7):
    """The names of the lines of a figure's first panel, below the figure."""
    marks, names = drawn.axes[0].get_legend_handles_labels()
    drawn.legend(
        marks, names, loc="outside lower left", ncols=min(len(names), columns), title=title, alignment="left"
    )


def from_zero(panels):
    """Vertical axes that begin at nothing; to be said when all is drawn."""
    for panel in getattr(panels, "flat", panels):
        panel.set_ylim(0, 1.04 * panel.get_ylim()[1])


def logarithmic(panel, x=10, y=10):
    """Logarithmic axes to these bases, with whole numbers beside them; to be said when all is drawn,
    for where there are two powers of ten at most, there are numbers between them."""
    plain = FuncFormatter(lambda value, _: f"{value:,.10g}")
    for axis, scale, base in ((panel.xaxis, panel.set_xscale, x), (panel.yaxis, panel.set_yscale, y)):
        if base is not None:
            scale("log", base=base)
            low, high = axis.get_view_interval()
            if base == 10 and high < 100 * low:
                axis.set_major_locator(LogLocator(base, subs=(1, 2, 5)))
            axis.set_major_formatter(plain)
            axis.set_minor_formatter(NullFormatter())
