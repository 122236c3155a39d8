"""Tables come back from Parquet as they stand in their CSV files."""

import pytest
from pyarrow import parquet, types
from to_parquet import to_parquet

CELLS = "tree,n,seed,digest,cost,mean\nnone,8,1,00000000,5,\n2018-10,64,2,00000001,,2.5\n"


def test_a_table_keeps_its_values_and_types(tmp_path):
    (tmp_path / "cells.csv").write_text(CELLS, "utf-8")
    (tmp_path / "aggregate.csv").write_text("tree,metric,n\n", "utf-8")
    written = to_parquet(tmp_path)
    assert [path.name for path in written] == ["aggregate.parquet", "cells.parquet"]
    table = parquet.read_table(written[1])
    assert table.to_pydict() == {
        "tree": ["none", "2018-10"],
        "n": [8, 64],
        "seed": [1, 2],
        "digest": ["00000000", "00000001"],
        "cost": [5, None],
        "mean": [None, 2.5],
    }
    kinds = [table.schema.field(name).type for name in ("n", "cost", "mean")]
    assert [types.is_integer(kind) for kind in kinds] == [True, True, False]
    assert parquet.read_table(written[0]).num_rows == 0
    assert sorted(path.suffix for path in (tmp_path / "parquet").iterdir()) == [".parquet"] * 2


def test_a_folder_without_tables_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no tables"):
        to_parquet(tmp_path)
    assert not (tmp_path / "parquet").exists()
