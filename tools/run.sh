#!/bin/bash
# Start the relay in development mode, and say what to try once it answers.
# usage: tools/run.sh HOST:PORT
address=$1
host=${address%:*} port=${address##*:}
out/bin/pyrycode-relay --insecure-listen "$address" &
relay=$!
# The terminal's Ctrl-C reaches the relay too; this one only waits for it.
trap : INT
trap 'kill -TERM "$relay" 2>/dev/null' TERM HUP
for _ in {1..50}; do
    kill -0 "$relay" 2>/dev/null || break
    if (exec 3<>"/dev/tcp/$host/$port") 2>/dev/null; then
        echo "listening on http://$address; try: curl http://$address/healthz   (Ctrl-C stops it)"
        break
    fi
    sleep 0.1
done
wait "$relay"
status=$?
while kill -0 "$relay" 2>/dev/null; do # a signal ended the wait, not the relay
    wait "$relay"
    status=$?
done
exit "$status"
