#!/bin/sh
# Makes certificates for a trial, in the working folder: NAME.crt and NAME.key for each NAME, and
# the CA that signs them, ca.pem with its ca.key, where there is none yet. They last 30 days. In
# production take those of your own CA.
# usage: make-certificates.sh NAME...        needs openssl 3
set -eu
umask 077

[ $# -gt 0 ] || { echo 'usage: make-certificates.sh NAME...' >&2; exit 2; }
for name in "$@"; do
  case $name in
    *[!A-Za-z0-9.-]* | '' | -*) echo "make-certificates.sh: $name is no name of a host" >&2; exit 2 ;;
  esac
done

issue() {
  subject=$1
  shift
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 30 \
    -subj "/CN=$subject" "$@" 2>/dev/null ||
    { echo "make-certificates.sh: openssl cannot make the certificate of $subject" >&2; exit 1; }
}

[ -f ca.pem ] || issue 'CA of a trial' -keyout ca.key -out ca.pem
for name in "$@"; do
  issue "$name" -CA ca.pem -CAkey ca.key -addext basicConstraints=critical,CA:FALSE \
    -addext "subjectAltName=DNS:$name" -keyout "$name.key" -out "$name.crt"
done
