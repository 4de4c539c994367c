"""The card a learner sees: HTML in Jupyter, plain text in a terminal, the same words in both."""

import re
from dataclasses import dataclass

import jinja2
from markupsafe import Markup, escape

from minigen.course.catalogue import Exercise
from minigen.course.verdict import Outcome, Verdict

COLOURS = {  # Okabe and Ito's palette: told apart with every kind of colour vision, on light and on dark
    Outcome.RIGHT: "#009E73",
    Outcome.WRONG: "#D55E00",
    Outcome.RAISED: "#D55E00",
    Outcome.TIMED_OUT: "#D55E00",
    Outcome.NOT_YOURS: "#0072B2",
    Outcome.NOT_ATTEMPTED: "#0072B2",
}
MARKS = {Outcome.RIGHT: "✓", Outcome.NOT_ATTEMPTED: "○", Outcome.NOT_YOURS: "○"}

# Colours are inherited, so that the card is readable on whatever theme the notebook has.
TEMPLATES = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
TEMPLATES.filters["code"] = lambda text: Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(text))))
CARD = TEMPLATES.from_string("""
<div class="minigen-card" data-outcome="{{ outcome }}" style="border-left:5px solid {{ colour }}; 
 padding:6px 14px; margin:4px 0; background:rgba(128,128,128,.10);
 color:inherit; font-size:14px; line-height:1.5; max-width:60em">
<div><b style="color:{{ colour }}">{{ mark }} {{ outcome }}</b> · <code>{{ name }}</code> · {{ title }}</div>
{% for line in lines %}
<div style="white-space:pre-wrap">{{ line|code }}</div>
{% endfor %}
{% if rows %}
<table style="margin:6px 0; border-collapse:collapse; color:inherit">
{% for label, text in rows %}
<tr style="background:none"><td style="text-align:left; padding:1px 14px 1px 0">{{ label|code }}</td>
<td style="text-align:left; padding:1px 0; font-family:monospace">{{ text }}</td></tr>
{% endfor %}
</table>
{% endif %}
{% for hint in hints %}
<details style="margin-top:2px"><summary style="cursor:pointer">Hint {{ loop.index }} of {{ hints|length }}
</summary><div style="padding-left:1em">{{ hint|code }}</div></details>
{% endfor %}
{% if after %}<div style="opacity:.75">{{ after }}</div>{% endif %}
{% if printed %}<div style="opacity:.75">Your code printed:</div>
<pre style="margin:0; max-height:12em; overflow:auto">{{ printed }}</pre>{% endif %}
</div>
""")
NOTE = TEMPLATES.from_string("""
<div class="minigen-note" style="border-left:5px solid #E69F00; padding:6px 14px; margin:4px 0;
 background:rgba(128,128,128,.10); color:inherit; font-size:14px; max-width:60em">{{ words|code }}</div>
""")
MOST_PRINTED = 2000  # characters of the learner's own prints


@dataclass
class Card:
    """A verdict made readable. Jupyter shows its HTML; print() shows its text.

    lesson_goes_on: False when no lesson runs, so that nothing is said of what it goes on with.
    """

    exercise: Exercise
    verdict: Verdict
    lesson_goes_on: bool = True

    @property
    def after(self) -> str:
        """Which object the lesson goes on with."""
        if not self.lesson_goes_on or (self.verdict.fits and self.exercise.kind == "predict"):
            return ""
        if self.verdict.fits:
            return "From here on the library runs on your code."
        if self.exercise.kind == "predict":
            return "The lesson goes on with the right value."
        return "The lesson goes on with the library's version."

    @property
    def lines(self) -> list[str]:
        """What is said, in order."""
        if self.verdict.outcome is Outcome.NOT_ATTEMPTED:
            said = f"Not changed yet; about {self.exercise.minutes} minutes."
        else:
            said = self.verdict.message
        return [line for line in [said, *self.verdict.notes] if line]

    @property
    def hints(self) -> tuple[str, ...]:
        """Hints are offered until the answer is right."""
        return () if self.verdict.outcome is Outcome.RIGHT else self.exercise.hints

    @property
    def printed(self) -> str:
        """What the answer printed, cut when it is long."""
        text = self.verdict.outputs.printed
        return text if len(text) <= MOST_PRINTED else text[:MOST_PRINTED] + " …"

    def _repr_html_(self) -> str:
        outcome = self.verdict.outcome
        return CARD.render(
            outcome=str(outcome),
            colour=COLOURS[outcome],
            mark=MARKS.get(outcome, "✗"),
            name=self.exercise.id,
            title=self.exercise.title,
            lines=self.lines,
            rows=self.verdict.example,
            hints=self.hints,
            after=self.after,
            printed=self.printed,
        )

    def __repr__(self) -> str:
        mark = MARKS.get(self.verdict.outcome, "✗")
        width = max((len(label) for label, _ in self.verdict.example), default=0)
        text = [f"{mark} {self.verdict.outcome} · {self.exercise.id} · {self.exercise.title}"]
        text += [f"  {line}" for lines in self.lines for line in lines.splitlines()]
        text += [f"    {label:{width}}  {value}" for label, value in self.verdict.example]
        if self.hints and self.lesson_goes_on:
            text.append(f'  Stuck? hint("{self.exercise.id}")')
        text += [f"  {self.after}"] if self.after else []
        text += ["  Your code printed:", self.printed] if self.printed else []
        return "\n".join(text)


@dataclass
class Note:
    """A remark on a right answer, shown below its card."""

    words: str

    def _repr_html_(self) -> str:
        return NOTE.render(words=self.words)

    def __repr__(self) -> str:
        return f"  ! {self.words}"
