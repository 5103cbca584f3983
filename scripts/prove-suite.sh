#!/usr/bin/env bash
# That the suite says the same wherever and whenever it runs: three times in a row, once on one
# processor, once with a loop that never rests on each. Arguments go to jest. Linux: taskset.
set -uo pipefail
cd "$(dirname "$0")/.."
mkdir -p .build/proof

failed=()
prove() {
  local name=$1
  shift
  echo "── $name"
  "$@" >".build/proof/$name.log" 2>&1 || failed+=("$name")
  grep -E "^(FAIL|Tests:|Time:)" ".build/proof/$name.log"
}

loops=()
stop_loops() {
  [ ${#loops[@]} -eq 0 ] || kill "${loops[@]}" 2>/dev/null
  loops=()
}
trap stop_loops EXIT

for round in 1 2 3; do
  prove "round-$round" npx --no-install jest --ci "$@"
done
prove one-processor taskset -c 0 npx --no-install jest --ci "$@"
for _ in $(seq "$(nproc)"); do
  (while :; do :; done) &
  loops+=($!)
done
prove busy-processors npx --no-install jest --ci "$@"
stop_loops

if [ ${#failed[@]} -gt 0 ]; then
  printf 'Failed: %s (.build/proof)\n' "${failed[@]}"
  exit 1
fi
echo "The same five times."
