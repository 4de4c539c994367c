# tries: attack the reader: a message that a spreadsheet would compute
# protections: text
# outcome: raised
# canary: shown =HYPERLINK
raise type("=HYPERLINK", (Exception,), {})("=HYPERLINK('http://127.0.0.1:9/')")


def reparameterize(mu, logvar, eps):
    return mu
