"""What an answer prints, displays and plots is shown once, below its card, however often it is run."""

import nbformat
import pytest
from nbclient import NotebookClient

from minigen.probing.outputs import MOST_PRINTED, MOST_SHOWN, collected

BEGIN = """
import matplotlib.pyplot as plt
from IPython.display import Markdown, display
from minigen.probing.outputs import collected
"""


@pytest.fixture(scope="module")
def cells():
    """The outputs of these cells in a kernel."""
    notebook = nbformat.v4.new_notebook()
    sources = {
        "begin": BEGIN,
        "kept": "with collected() as kept:\n display(Markdown('a')); plt.plot([1]); plt.show(); plt.plot(2)",
        "shown": "for output in kept.shown: output.display()",
        "many": "with collected() as many:\n for i in range(99): display(i)\nprint(len(many.shown))",
        "after": "display(Markdown('b')); figure = plt.plot([3]);",
    }
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources.values()]
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    kinds = [[next(reversed(o.get("data", {"text": 0}))) for o in cell.outputs] for cell in notebook.cells]
    return dict(zip(sources, kinds, strict=True)), notebook.cells


def test_nothing_of_what_is_collected_reaches_the_cell(cells):
    assert cells[0]["kept"] == []


def test_it_can_be_shown_afterwards_plots_that_were_left_open_too(cells):
    assert cells[0]["shown"] == ["text/markdown", "image/png", "image/png"]


def test_only_the_first_displays_are_kept(cells):
    assert cells[1][3].outputs[0].text.strip() == str(MOST_SHOWN)


def test_displays_and_plots_work_as_before_after_the_block(cells):
    assert cells[0]["after"] == ["text/markdown", "image/png"]


def test_text_is_kept_to_its_beginning_without_ipython_too():
    with collected() as outputs:
        for _ in range(100):
            print("x" * 1000)
    assert outputs.printed.startswith("x" * 1000 + "\nx") and len(outputs.printed) == MOST_PRINTED
    assert outputs.shown == []


def test_a_figure_of_the_caller_stays_open():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    mine = pyplot.figure()
    with collected():
        pyplot.figure()
    assert pyplot.get_fignums() == [mine.number]
    pyplot.close(mine)


def test_what_was_printed_before_an_error_is_kept():
    with pytest.raises(ZeroDivisionError), collected() as kept:
        print("so far")
        raise ZeroDivisionError
    assert kept.printed == "so far\n"
