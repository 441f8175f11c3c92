"""One call with python3-requests: METHOD URL SAVE_TO BODY_FILE NAME:VALUE...   ('-' saves to standard output; '' = no body)

Prints the status, then the headers as `name: value`, to standard error. The CA comes from REQUESTS_CA_BUNDLE.
"""
import sys

import requests

method, url, save_to, body_file = sys.argv[1:5]
headers = dict(line.split(":", 1) for line in sys.argv[5:])
body = open(body_file, "rb") if body_file else b""
with requests.request(method, url, headers=headers, data=body, stream=True, allow_redirects=False) as answer:
    print(answer.status_code, file=sys.stderr)
    for name, value in answer.headers.items():
        print(f"{name}: {value}", file=sys.stderr)
    out = sys.stdout.buffer if save_to == "-" else open(save_to, "wb")
    for chunk in answer.iter_content(1 if save_to == "-" else 262144):
        out.write(chunk)
        if save_to == "-":
            out.flush()
    out.flush()
