# tries: forge the grade: metadata that says what it is worth, and that it is done
# protections: our points
# outcome: graded
# canary: claims
import json


def make(folder, solved, untouched):
    untouched["metadata"]["minigen"] |= {"points": 1000, "score": 1000}
    for cell in untouched["cells"]:
        cell["metadata"].setdefault("minigen", {})["points"] = 1000
        cell["metadata"]["nbgrader"] = {"grade": True, "points": 1000, "score": 1000, "locked": False}
    (folder / "00_start_here.ipynb").write_text(json.dumps(untouched))
