"""Every attack succeeds where the protections that stop it are missing: else it would prove nothing.

It runs in a machine made for it, inside the grader's own outer wall, in which it can harm nothing else.
"""

import pytest
from unprotected import HARMLESS, HERE, LATE, UNWRITTEN, Machines, case, harms, succeeds

ANSWERS = [case(path) for path in sorted((HERE / "cases").glob("*.py"))]
SUBMISSIONS = [case(path) for path in sorted((HERE / "submissions").glob("*.py"))]
TRIED = [a for a in ANSWERS if a.canary[0] not in ("none,", "shown")]  # `test_attacks` shows the second
KINDS = {a.told["canary"] if a.canary[0] in ("judge", "reader") else a.canary[0]: a for a in TRIED}
READERS = {a.told["canary"]: a for a in SUBMISSIONS}
UNTOUCHED = """
import json

def make(folder, solved, untouched):
    (folder / "eve").mkdir()
    (folder / "eve" / "00_start_here.ipynb").write_text(json.dumps(solved))
"""


@pytest.fixture(scope="module")
def machines(walls):
    made = Machines()
    yield made
    made.close()


@pytest.mark.parametrize("attack", TRIED, ids=lambda attack: attack.name)
def test_an_attack_succeeds_without_its_protections(machines, attack):
    done, seen = succeeds(machines, attack)
    assert done, {key: value for key, value in seen.items() if key != "files"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_canary_is_silent_where_nothing_is_attacked(machines, kind):
    answer = UNWRITTEN if kind == "reader claims" else HARMLESS  # whose frame claims nothing
    done, seen = succeeds(machines, KINDS[kind], answer)
    assert not done, {key: value for key, value in seen.items() if key != "files"}


@pytest.mark.parametrize("attack", SUBMISSIONS, ids=lambda attack: attack.name)
def test_a_hostile_submission_harms_a_careless_reader(machines, attack):
    assert harms(machines, attack)


@pytest.mark.parametrize("reader", READERS)
def test_a_careless_reader_is_not_harmed_by_an_honest_submission(machines, reader):
    assert not harms(machines, READERS[reader], UNTOUCHED)


def test_a_machine_ends_with_all_that_is_in_it(machines):
    """The daemon of one machine is not in the next."""
    daemon = next(a for a in TRIED if a.name == "daemon")
    assert succeeds(machines, daemon)[1]["alive"]
    assert not machines.run(HARMLESS, [], patience=LATE)["alive"]


@pytest.mark.parametrize(
    "attack", [a for a in ANSWERS if a.canary[0] == "none,"], ids=lambda attack: attack.name
)
def test_an_attack_without_a_canary_says_why(attack):
    assert attack.canary[1].startswith("because ")
