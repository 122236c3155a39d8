"""The tables of runs and studies as Parquet, into `parquet/` of their folders:

    make parquet FOLDER=runs/smoke-shared-1
    target/notebooks-venv/bin/python notebooks/to_parquet.py FOLDER...

A column is of whole numbers, of numbers or of text, as its CSV file has it; an empty cell is null.
"""

import sys
from pathlib import Path

from pyarrow import ArrowException, csv, parquet, string

# Digits may look like a number, and are none.
TEXT = {"digest": string()}


def to_parquet(folder):
    """Writes the tables of a folder, and returns where they are."""
    tables = sorted(Path(folder).glob("*.csv"))
    if not tables:
        raise FileNotFoundError(f"{folder} has no tables: it is no folder of a run or a study")
    into = Path(folder) / "parquet"
    into.mkdir(exist_ok=True)
    return [convert(table, into / f"{table.stem}.parquet") for table in tables]


def convert(table, target):
    """One table, whole or not at all."""
    words = csv.ConvertOptions(null_values=[""], strings_can_be_null=True, column_types=TEXT)
    rows = csv.read_csv(table, convert_options=words)
    aside = target.with_suffix(".part")
    parquet.write_table(rows, aside)
    return aside.replace(target)


def main(folders):
    if not folders:
        sys.exit("to_parquet.py FOLDER...: folders of runs or studies")
    for folder in folders:
        try:
            written = to_parquet(folder)
        except (ArrowException, OSError) as error:
            sys.exit(f"to_parquet.py: {error}")
        print(f"{folder}/parquet: {len(written)} tables")


if __name__ == "__main__":
    main(sys.argv[1:])
