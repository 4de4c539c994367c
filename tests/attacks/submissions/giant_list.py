# tries: deny service: 19 MB of JSON that take twenty times as much memory
# protections: reader limits
# outcome: refused
# said: no list of cells
# canary: parse
def make(folder, solved, untouched):
    (folder / "eve.ipynb").write_bytes(b'{"cells":[' + b"{}," * 6_300_000 + b"{}]}")
