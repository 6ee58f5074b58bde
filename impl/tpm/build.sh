#!/bin/sh
# Builds build/aziot_tcti.so when its source is newer than it. Says in one line what is missing, and exits 1.
set -eu
cd "$(dirname "$0")"

target=build/aziot_tcti.so
[ -f "$target" ] && [ -z "$(find tcti_exchange.c build.sh -newer "$target")" ] && exit 0
command -v gcc >/dev/null || {
  echo "cannot build $target: gcc is missing; run: apt-get install gcc libc6-dev" >&2
  exit 1
}
mkdir -p build
# Linked beside and then renamed, so that nobody loads half a file.
gcc -std=c11 -O2 -g -shared -fPIC -fvisibility=hidden -fstack-protector-strong -Wall -Wextra -Werror -Wshadow \
  -Wstrict-prototypes -Wl,-z,relro,-z,now,-z,noexecstack -o "$target.$$" tcti_exchange.c
mv -f "$target.$$" "$target"
