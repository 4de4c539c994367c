# tries: attack the reader: outputs that show script, pictures and links
# protections: text, no validation
# outcome: graded
# canary: outputs
import json


def make(folder, solved, untouched):
    shown = {
        "text/html": "<script>window.planted = 1</script>",
        "image/svg+xml": "<svg onload='window.planted = 1'></svg>",
        "text/markdown": "[x](javascript:window.planted=1) ![y](data:text/html,<script>1</script>)",
    }
    for cell in untouched["cells"]:
        cell["outputs"] = [{"output_type": "display_data", "data": shown, "metadata": {}}]
    (folder / "00_start_here.ipynb").write_text(json.dumps(untouched))
