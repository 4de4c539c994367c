"""A program for root: shows a few places to a user who may do nothing, becomes that user, and runs another.

    as_nobody.py STAGE PLACE … -- COMMAND …

What a sandbox reads may lie where that user cannot look. So each place is bound to STAGE/0, STAGE/1, …, in a
namespace of mounts that ends with the command. It is a program, and not a function between fork and exec,
because a process with threads must do nothing there.
"""

import os
import sys
from pathlib import Path

NOBODY = 65534


def main(stage: Path, places: list[Path], command: list[str]) -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    from inside import wall

    wall.own_mounts()
    for i, path in enumerate(places):
        place = stage / str(i)
        place.mkdir() if path.is_dir() else place.touch()
        wall.bind(path, place)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    try:
        os.execv(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    cut = sys.argv.index("--")
    main(Path(sys.argv[1]), [Path(text) for text in sys.argv[2:cut]], sys.argv[cut + 1 :])
