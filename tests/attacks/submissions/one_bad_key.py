# tries: deny service: twenty thousand cells, the last of which has a key that the schema does not know
# protections: no validation
# outcome: graded
# canary: validate
import json


def make(folder, solved, untouched):
    cell = {"cell_type": "markdown", "metadata": {}, "source": "x"}
    cells = [cell | {"id": f"c{i}"} for i in range(20_000)]
    cells[-1]["surprise"] = True
    stub = {"cell_type": "code", "metadata": {}, "source": "1"}
    (folder / "00_start_here.ipynb").write_text(json.dumps(solved | {"cells": [*cells, stub]}))
