#!/bin/sh
# `docker-compose run --rm manage COMMAND…`: the command line on the store of docker-compose.yml.
exec sallyport "$@" --config "${SALLYPORT_CONFIG:-/etc/sallyport/gate.yaml}"
