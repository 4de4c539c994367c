# tries: break the batch: metadata of other types than anyone expects, and a schema from the future
# protections: no validation
# outcome: graded
# canary: strict
import json


def make(folder, solved, untouched):
    for i, cell in enumerate(untouched["cells"]):
        strange = [None, [], 7, "x", {"minigen": None}, {"minigen": []}, {"nbgrader": {"schema_version": 99}}]
        cell["metadata"] = strange[i % len(strange)]
    (folder / "00_start_here.ipynb").write_text(json.dumps(untouched | {"metadata": {"minigen": 3}}))
