# tries: break the batch: a name that is no text
# protections: our names
# outcome: graded
# canary: names
import json
import os


def make(folder, solved, untouched):
    student = os.fsencode(folder) + b"/\xff\xfe eve\r\n"
    os.mkdir(student)
    with open(student + b"/00_start_here.ipynb", "w") as file:
        json.dump(untouched, file)
