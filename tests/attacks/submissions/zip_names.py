# tries: escape: names in a zip that lead out of it, or onto one another
# protections: zip members
# outcome: refused
# said: leads out of the zip
# canary: unzip
import json
import zipfile


def make(folder, solved, untouched):
    with zipfile.ZipFile(folder / "eve.zip", "w") as archive:
        for name in ("../../../up.ipynb", "/run/root.ipynb", "a\\..\\..\\b.ipynb"):
            archive.writestr(name, json.dumps(solved))
