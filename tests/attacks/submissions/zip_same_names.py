# tries: break the batch: two files in a zip whose names differ by case alone
# protections: zip members
# outcome: graded, refused
# said: two files of that name
# canary: unzip
import json
import zipfile


def make(folder, solved, untouched):
    with zipfile.ZipFile(folder / "eve.zip", "w") as archive:
        for name in ("hand/00_start_here.ipynb", "HAND/00_start_here.ipynb"):
            archive.writestr(name, json.dumps(untouched))
