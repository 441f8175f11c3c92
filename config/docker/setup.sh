#!/bin/sh
# Makes the registry, with two roles. Run at every `docker-compose up`: what is there stays as it
# is.
# A gate that has served another registry answers 503 registry-foreign until `registry adopt` is run
# in its container: a store that was emptied must not turn every token into an unknown one.
set -eu

manage() {
  sallyport "$@" --config "${SALLYPORT_CONFIG:-/etc/sallyport/gate.yaml}"
}

# role NAME PERMISSIONS DESCRIPTION
role() {
  manage role show "$1" >/dev/null 2>&1 || manage role create "$1" --permission "$2" --description "$3"
}

manage registry init --if-none >/dev/null

role viewer deployments:read,echo:use 'May look at everything and change nothing'
role deployer 'deployments:*,echo:use' 'May look at everything and deploy'
