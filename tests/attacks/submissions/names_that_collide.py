# tries: break the batch: two students whose names differ by case alone
# protections: our names
# outcome: graded
# canary: names
import json


def make(folder, solved, untouched):
    for name in ("eve", "EVE"):
        (folder / name).mkdir()
        (folder / name / "00_start_here.ipynb").write_text(json.dumps(untouched))
