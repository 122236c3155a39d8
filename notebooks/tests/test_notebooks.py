"""What every committed notebook keeps to: no outputs, nothing of a machine, the same parts."""

import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).resolve().parent.parent
REPOSITORY = NOTEBOOKS.parent
ALL = sorted(NOTEBOOKS.glob("*.ipynb"))

PARTS = ["**Question.**", "**Method.**", "**What it does not show.**"]
OF_A_MACHINE = re.compile(r"(^|[\s\"'(=])(/(home|root|tmp|Users|work|usr|var|mnt)/|[A-Z]:\\)")


def source(cell):
    return "".join(cell["source"])


def written(book):
    """A notebook as Jupyter writes it."""
    return json.dumps(book, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def complaints(text):
    """What is wrong with a notebook."""
    book = json.loads(text)
    if text != written(book):
        yield "it is not written as Jupyter writes it"
    if set(book["metadata"]) != {"kernelspec", "language_info"}:
        yield "its metadata are more than the kernel and the language"
    for cell in book["cells"]:
        if cell.get("outputs") or cell.get("execution_count") is not None:
            yield f"cell {cell['id']} has outputs: clear them before committing"
        if cell["metadata"]:
            yield f"cell {cell['id']} has metadata"
        if OF_A_MACHINE.search(source(cell)):
            yield f"cell {cell['id']} names a path of one machine"
    ids = [cell["id"] for cell in book["cells"]]
    if len(set(ids)) < len(ids):
        yield "two cells have one id"
    words = "\n".join(source(cell) for cell in book["cells"] if cell["cell_type"] == "markdown")
    if not words.startswith("# "):
        yield "it does not open with a title"
    yield from (f"it has no {part}" for part in PARTS if part not in words)
    if not re.search(r"\*\*(What to look|Look) at", words):
        yield "it does not say what to look at"


def test_there_are_notebooks():
    assert len(ALL) >= 8


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_a_notebook_is_clean_and_has_its_parts(path):
    assert list(complaints(path.read_text("utf-8"))) == []


def test_what_is_not_clean_is_refused():
    text = ALL[0].read_text("utf-8")

    def broken(change):
        book = json.loads(text)
        change(next(cell for cell in book["cells"] if cell["cell_type"] == "code"), book)
        return list(complaints(written(book)))

    stream = [{"output_type": "stream", "name": "stdout", "text": ["1\n"]}]
    assert "outputs" in broken(lambda cell, _: cell.update(outputs=stream))[0]
    assert "outputs" in broken(lambda cell, _: cell.update(execution_count=1))[0]
    assert "path" in broken(lambda cell, _: cell.update(source=["open('/home/x/trace.csv')"]))[0]
    assert "metadata" in broken(lambda _, book: book["metadata"].update(widgets={}))[0]
    assert "one id" in broken(lambda cell, book: book["cells"].append(cell))[0]
    assert "Jupyter" in list(complaints(text.rstrip()))[0]
    no_limits = text.replace("**What it does not show.**", "")
    assert list(complaints(no_limits)) == ["it has no **What it does not show.**"]


def test_the_makefile_makes_the_studies_that_notebooks_load():
    loaded = set()
    for path in ALL:
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            loaded |= set(re.findall(r'load_study\("([^"]+)"\)', source(cell)))
    makefile = (REPOSITORY / "Makefile").read_text("utf-8").replace("\\\n", " ")
    made = re.search(r"^NOTEBOOK_STUDIES = (.*)$", makefile, re.MULTILINE)
    assert set(made[1].split()) == loaded


def test_the_readme_names_every_notebook():
    named = set(re.findall(r"\]\(([a-z-]+\.ipynb)\)", (NOTEBOOKS / "README.md").read_text("utf-8")))
    assert named == {path.name for path in ALL}


def test_every_requirement_is_exact():
    for line in (NOTEBOOKS / "requirements.txt").read_text("utf-8").splitlines():
        requirement = line.split("#")[0].strip()
        assert not requirement or re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*", requirement)
