# tries: break the batch: cells deleted, turned around and doubled
# protections: our points
# outcome: graded
# said: there are two cells for from_levels
# canary: in order
import json


def make(folder, solved, untouched):
    first = next(c for c in untouched["cells"] if c["metadata"].get("minigen", {}).get("exercise"))
    kept = [c for c in untouched["cells"] if c["metadata"].get("minigen", {}).get("exercise") != "tile"]
    (folder / "00_start_here.ipynb").write_text(json.dumps(untouched | {"cells": [*reversed(kept), first]}))
