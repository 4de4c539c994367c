# tries: break the batch: characters that cannot be written
# protections: reader limits
# outcome: graded
# canary: written
import json


def make(folder, solved, untouched):
    cell = {"cell_type": "code", "metadata": {}, "source": "x = '\\ud800'"}
    text = json.dumps(untouched | {"cells": [*untouched["cells"], cell]})
    (folder / "00_start_here.ipynb").write_text(text.replace("\\\\ud800", "\\ud800"))
