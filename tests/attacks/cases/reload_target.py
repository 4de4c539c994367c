# tries: find the answer: imports the library anew, and looks into it
# protections: strip
# outcome: not yours
# canary: right
import importlib
import sys

for name in [n for n in sys.modules if n.startswith("minigen")]:
    del sys.modules[name]
reparameterize = importlib.import_module("minigen.vae").reparameterize
