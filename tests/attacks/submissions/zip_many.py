# tries: deny service: a zip of a hundred thousand files
# protections: zip members
# outcome: refused
# said: more than 1,000 files
# canary: unzip
import zipfile


def make(folder, solved, untouched):
    with zipfile.ZipFile(folder / "eve.zip", "w") as archive:
        for i in range(20_000):
            archive.writestr(f"{i}.ipynb", "")
