#!/bin/sh
# An example adapter for `aziot-conformance run --driver command --command conformance/runner/testing/adapter.sh`.
# Behind it stand the daemons of this project; put yours into `start`.
#
#   configure DAEMON     the files of this daemon are written: translate them where yours reads something else
#   start DAEMON         become the daemon (exec), stay in the foreground, write the log to stderr
#   stop DAEMON          end it in peace
#   kill DAEMON SIGNAL   send it a signal, for example SIGKILL
#   as UID start DAEMON  the same as start, running as that uid
#
# Given with every verb: AZIOT_CONFORMANCE_WORLD (a folder of this world alone), AZIOT_CONFORMANCE_SOCKET (where to listen),
# AZIOT_CONFORMANCE_CONFIG and AZIOT_CONFORMANCE_CONFIG_DIR (what to read). A socket that is handed over comes as LISTEN_FDS.
set -eu
here=$(dirname -- "$(readlink -f -- "$0")")
aziotd=${ADAPTED_AZIOTD:-$here/../../../impl/bin/aziotd}
pid_file=$AZIOT_CONFORMANCE_WORLD/$2.pid
verb=$1

case $verb in
  configure)
    [ -d "$AZIOT_CONFORMANCE_CONFIG_DIR" ]
    ;;
  start)
    echo $$ >"$pid_file"
    exec "$aziotd" "$2"
    ;;
  as)
    echo $$ >"$AZIOT_CONFORMANCE_WORLD/$4.pid"
    exec setpriv --reuid="$2" --clear-groups "$aziotd" "$4"
    ;;
  stop)
    kill -TERM "$(cat "$pid_file")"
    ;;
  kill)
    kill -s "${3#SIG}" "$(cat "$pid_file")"
    ;;
  *)
    echo "adapter.sh: unknown verb $verb" >&2
    exit 2
    ;;
esac
