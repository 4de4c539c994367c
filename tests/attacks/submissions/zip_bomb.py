# tries: deny service: a zip that unpacks to a thousand times its size
# protections: zip members
# outcome: refused
# said: unpacks to more than
# canary: unzip
import zipfile


def make(folder, solved, untouched):
    with zipfile.ZipFile(folder / "eve.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("00_start_here.ipynb", bytes(40 << 20))
