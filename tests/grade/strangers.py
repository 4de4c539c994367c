"""Records as a batch makes them, and texts that attack who reads them."""

ATTACKS = [
    "<script>window.planted = 1</script>",
    "<img src=x onerror='window.planted = 1'>",
    "<svg onload='window.planted = 1'></svg>",
    "<svg><script>window.planted = 1</script></svg>",
    "<svg><animate onbegin='window.planted = 1' attributeName=x dur=1s></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror='window.planted = 1'>",
    "<style>* { display: none }</style>",
    "<link rel=stylesheet href='data:text/css,*{display:none}'>",
    "</pre></p></style></title></details><script>window.planted = 1</script>",
    "--><script>window.planted = 1</script>",
    "' autofocus onfocus='window.planted = 1' x='",
    '" autofocus onfocus="window.planted = 1" x="',
    "<details open ontoggle='window.planted = 1'>x</details>",
    "<a href='javascript:window.planted = 1'>click</a>",
    "javascript:window.planted=1",
    "<a href='data:text/html,<script>opener.planted = 1</script>'>click</a>",
    "<iframe src='data:text/html,<script>top.planted = 1</script>'></iframe>",
    "<object data='data:image/svg+xml,<svg onload=\"top.planted = 1\">'></object>",
    "<img src='data:image/png;base64,iVBORw0KGgo='>",
    "<base href='http://127.0.0.1:9/'><form action='http://127.0.0.1:9/'><input name=x></form>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
    "{{ 7 * 7 }}{% for x in [1] %}x{% endfor %}",
    "\x1b[31mred\x1b[0m\x07",
    "\x9b31mred",
    "\x1b]8;;http://127.0.0.1:9/\x1b\\click\x1b]8;;\x1b\\",
    "\x1b]0;title\x07\x08\x7f\r\x00",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe",
    "\N{LEFT-TO-RIGHT ISOLATE}a\N{POP DIRECTIONAL ISOLATE}\N{ZERO WIDTH SPACE}\N{SOFT HYPHEN}",
    "::error::a workflow command",
    "a\n::set-output name=result::1\n##[error]x",
    "=HYPERLINK('http://127.0.0.1:9/')",
    "a;=cmd|'/c calc'!A1",
    "\t+1\r\n@SUM(1)",
    "\ud800",
    "../../../etc/passwd",
]


def record(student="Ada", score=2, mistake="std = exp(logvar)", **changes):
    """A submission of lesson 13 with one exercise right and one wrong."""
    wrong = {
        "id": "reparameterize", "title": "Let gradients flow", "outcome": "wrong", "points": 0, "of": 2,
        "mistake": mistake, "message": "The spread grows like σ², not σ.", "printed": "", "seconds": 0.1,
    }  # fmt: skip
    right = wrong | {"id": "kl_1d", "title": "How far?", "outcome": "right", "points": 2, "mistake": None}
    made = {
        "id": "0123456789abcdef", "student": student, "name": "13_vae.ipynb", "lesson": "13_vae",
        "tier": "bwrap", "outcome": "graded", "refused": "", "notes": [], "same": "", "score": score,
        "max_score": 15, "exercises": [right | {"message": ""}, wrong],
    }  # fmt: skip
    return made | changes


def hostile(text, **changes):
    """A record in which every place that a stranger can fill holds a text."""
    made = record(**{"student": text, "name": text, "notes": [text], "refused": text, "same": text} | changes)
    for exercise in made["exercises"]:
        exercise |= {"message": text, "printed": f"{text}\n{text}"}
    return made
