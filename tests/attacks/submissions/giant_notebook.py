# tries: deny service: a notebook of 500 MB
# protections: reader limits
# outcome: refused
# said: at most 20,000,000 are read
# canary: parse
import json


def make(folder, solved, untouched):
    with open(folder / "eve.ipynb", "wb") as file:
        file.write(json.dumps(solved).encode())
        file.truncate(500_000_000)  # sparse: it takes no room
