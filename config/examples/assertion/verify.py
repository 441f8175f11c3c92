"""Verifies X-Account-Assertion in Python, with PyJWT and cryptography (python3-jwt, python3-cryptography).

  KEYS=https://gate.internal:9443/.well-known/jwks.json ISSUER=sallyport AUDIENCE=deployments \
    python3 verify.py < LINES

reads lines of an assertion and, where it may be bound, the method and the URI of the request.
"""

import json
import os
import sys
import time
import urllib.request

import jwt

LEEWAY_SECONDS = 5
# A set may be kept for so long, and is asked for again for a key that is not known, but not more
# often than that.
KEPT_SECONDS, PAUSE_SECONDS = 300, 30


class Keys:
    def __init__(self, url):
        self._url, self._keys, self._read_at = url, {}, float("-inf")

    def _read(self):
        with urllib.request.urlopen(self._url, timeout=2) as response:
            found = json.load(response)["keys"]
        self._keys = {
            key["kid"]: jwt.PyJWK(key, algorithm="ES256").key
            for key in found
            if key.get("kty") == "EC" and key.get("crv") == "P-256"
        }
        self._read_at = time.monotonic()

    def get(self, kid):
        age = time.monotonic() - self._read_at
        if age > KEPT_SECONDS or (kid not in self._keys and age > PAUSE_SECONDS):
            self._read()
        if kid not in self._keys:
            raise jwt.InvalidTokenError("signed with a key that is not known")
        return self._keys[kid]


KEYS = Keys(os.environ["KEYS"])
ISSUER, AUDIENCE = os.environ["ISSUER"], os.environ["AUDIENCE"]


def caller_of(assertion, method=None, uri=None):
    """Who calls: a dict of claims. Raises jwt.InvalidTokenError where nobody has vouched for it.

    `method` and `uri` are those of the request, without query, as the service got it.
    """
    claims = jwt.decode(
        assertion,
        KEYS.get(jwt.get_unverified_header(assertion).get("kid")),
        algorithms=["ES256"],
        issuer=ISSUER,
        audience=AUDIENCE,
        leeway=LEEWAY_SECONDS,
        options={"require": ["iss", "aud", "sub", "nbf", "exp"]},
    )
    for name, said in (("htm", method), ("htu", uri)):
        if name in claims and claims[name] != said:
            raise jwt.InvalidTokenError("for another request")
    return claims


if __name__ == "__main__":
    for line in sys.stdin:
        try:
            print(json.dumps(caller_of(*line.split())), flush=True)
        except jwt.InvalidTokenError as error:
            print("refused:", error, flush=True)
