# tries: break the batch: a version of the format that there is not
# protections: no validation
# outcome: graded
# canary: strict
import json


def make(folder, solved, untouched):
    (folder / "00_start_here.ipynb").write_text(
        json.dumps(untouched | {"nbformat": 99, "nbformat_minor": -1})
    )
