# tries: attack the reader: a student whose name a spreadsheet would compute
# protections: our names, text
# outcome: graded
# canary: names
import json


def make(folder, solved, untouched):
    student = folder / "=cmd|' calc'!A1"
    student.mkdir()
    (student / "00_start_here.ipynb").write_text(json.dumps(untouched))
