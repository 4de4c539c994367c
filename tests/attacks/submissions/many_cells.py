# tries: deny service: a hundred thousand cells
# protections: reader limits, no validation
# outcome: refused
# said: code cells
# canary: validate
import json


def make(folder, solved, untouched):
    cell = {"cell_type": "code", "metadata": {}, "source": "x = 1", "outputs": [], "execution_count": None}
    cells = [cell | {"id": f"c{i}"} for i in range(100_000)]
    (folder / "00_start_here.ipynb").write_text(json.dumps(solved | {"cells": cells}))
