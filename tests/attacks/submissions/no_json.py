# tries: break the batch: text that ends too early
# protections: reader limits
# outcome: refused
# said: not a notebook
# canary: strict
import json


def make(folder, solved, untouched):
    (folder / "eve.ipynb").write_text(json.dumps(solved)[:-100])
