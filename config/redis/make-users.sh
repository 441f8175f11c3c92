#!/bin/sh
# Writes the ACL file for Redis to standard output: the template beside this script with the
# passwords' SHA-256 and the key prefix filled in.
# usage: GATE_PASSWORD_FILE=… MANAGER_PASSWORD_FILE=… [KEY_PREFIX=sallyport] \
#        [INSPECTOR_PASSWORD_FILE=…] [REPLICA_PASSWORD_FILE=…] [SENTINEL_PASSWORD_FILE=…] \
#        make-users.sh > users.acl
# With the last three there is also a user who looks at how the server is set up (check --connect),
# one as whom replicas follow (masteruser), and one for sentinels (sentinel auth-user).
set -eu

: "${GATE_PASSWORD_FILE:?is the file that holds the password of the user gate}"
: "${MANAGER_PASSWORD_FILE:?is the file that holds the password of the user manager}"
prefix=${KEY_PREFIX:-sallyport}

case $prefix in
  *[!A-Za-z0-9._-]* | '') echo "make-users.sh: KEY_PREFIX may hold A-Z a-z 0-9 . _ - only" >&2; exit 2 ;;
esac

# The last line break is not part of the password; Sallyport reads the files in the same way.
digest() {
  password=$(cat "$1")
  [ -n "$password" ] || { echo "make-users.sh: $1 is empty" >&2; exit 2; }
  if command -v sha256sum >/dev/null; then printf %s "$password" | sha256sum | cut -d ' ' -f 1
  else printf %s "$password" | shasum -a 256 | cut -d ' ' -f 1
  fi
}

gate=$(digest "$GATE_PASSWORD_FILE")
manager=$(digest "$MANAGER_PASSWORD_FILE")
sed -e "s/GATE_PASSWORD_SHA256/$gate/" -e "s/MANAGER_PASSWORD_SHA256/$manager/" -e "s/~sallyport:/~$prefix:/g" "$(dirname "$0")/users.acl"

if [ -n "${INSPECTOR_PASSWORD_FILE:-}" ]; then
  inspector=$(digest "$INSPECTOR_PASSWORD_FILE")
  echo "user inspector reset on #$inspector +hello +auth +ping +select +client|setname +info +time +config|get +acl|getuser"
fi
if [ -n "${REPLICA_PASSWORD_FILE:-}" ]; then
  replica=$(digest "$REPLICA_PASSWORD_FILE")
  echo "user replica reset on #$replica +psync +replconf +ping"
fi
if [ -n "${SENTINEL_PASSWORD_FILE:-}" ]; then
  sentinel=$(digest "$SENTINEL_PASSWORD_FILE")
  echo "user sentinel reset on #$sentinel allchannels +multi +exec +slaveof +ping +info +role +publish +subscribe +config|rewrite +client|setname +client|kill +script|kill"
fi
