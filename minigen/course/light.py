"""Makes every start lighter: jsonschema, beneath nbformat, is kept from compiling a grammar of web addresses.

That takes seconds in each process, and serves nothing in a notebook. To jsonschema it is as if the package
were not installed, which it allows for.
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)
