#!/bin/sh
# Builds build/aziot_keys.so when a source is newer than it. Says in one line what is missing, and exits 1.
set -eu
cd "$(dirname "$0")"

fail() {
  echo "cannot build the OpenSSL engine: $1" >&2
  exit 1
}

up_to_date() {
  [ -f build/aziot_keys.so ] && [ -z "$(find . -maxdepth 1 \( -name '*.[ch]' -o -name Makefile \) -newer build/aziot_keys.so)" ]
}

up_to_date && exit 0
for tool in gcc make; do
  command -v "$tool" >/dev/null || fail "$tool is missing; run: apt-get install $tool"
done
echo '#include <openssl/engine.h>' | gcc -E - >/dev/null 2>&1 ||
  fail "the headers of OpenSSL are missing; run: apt-get install libssl-dev libc6-dev"

# Two builds at once (parallel tests) would overwrite each other's objects.
mkdir -p build
exec 9>build/.lock
if command -v flock >/dev/null; then flock 9; fi
up_to_date && exit 0
output=$(make -s 2>&1) || fail "$(printf '%s\n' "$output" | grep -m 1 -e error -e cannot || echo 'make failed')"
