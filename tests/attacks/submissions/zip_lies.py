# tries: deny service: a zip whose list of files lies about them
# protections: zip members
# outcome: refused
# said: the zip cannot be read
# canary: unzip
import json
import zipfile


def make(folder, solved, untouched):
    with zipfile.ZipFile(folder / "eve.zip", "w") as archive:
        archive.writestr("00_start_here.ipynb", json.dumps(untouched))
    data = bytearray((folder / "eve.zip").read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 16 : at + 20] = b"\0\0\0\0"  # the checksum
    (folder / "eve.zip").write_bytes(data)
