# tries: deny service: a hundred thousand cells, one of which is wrong, so that who validates looks twice
# protections: reader limits, no validation
# outcome: refused
# said: code cells
# canary: validate
import json


def make(folder, solved, untouched):
    cell = {"cell_type": "code", "metadata": {}, "source": "x = 1", "outputs": [], "execution_count": None}
    cells = [cell | {"id": f"c{i}"} for i in range(100_000)]
    cells[-1]["execution_count"] = "none"
    (folder / "00_start_here.ipynb").write_text(json.dumps(solved | {"cells": cells}))
