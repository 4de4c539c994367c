# tries: attack the reader: prints script, events, pictures and links that a page would run
# protections: text
# outcome: wrong
# canary: shown <script
def reparameterize(mu, logvar, eps):
    print("</pre></style><script>window.planted = 1</script><img src=x onerror='window.planted = 1'>")
    print("<svg onload='window.planted = 1'></svg><a href='javascript:window.planted = 1'>click</a>")
    print("<iframe src='data:text/html,<script>top.planted = 1</script>'></iframe>")
    return mu
