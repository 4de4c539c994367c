# tries: break the batch: cells that all have one id, and cells that have none
# protections: no validation
# outcome: graded
# canary: strict
import json


def make(folder, solved, untouched):
    for i, cell in enumerate(untouched["cells"]):
        cell["id"] = "same"
        if i % 2:
            del cell["id"]
    (folder / "00_start_here.ipynb").write_text(json.dumps(untouched))
