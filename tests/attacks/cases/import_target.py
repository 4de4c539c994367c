# tries: find the answer: imports the library's own function
# protections: strip
# outcome: not yours
# canary: right
from minigen.vae import reparameterize
