#!/bin/sh
# A grid of a million points is planned in a few seconds: its bookkeeping is some microseconds a point.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

cp "$here/million.yaml" job.yaml
# Processor time: other tests run beside this one. 2.6 s where this was written; a sanitizer's build takes terabytes of addresses.
# shellcheck disable=SC3045
if (ulimit -v 4000000 && "$program" --version) >/dev/null 2>&1; then
    limit=15
else
    limit=150
fi
# shellcheck disable=SC3045
(ulimit -t $limit && exec "$program" plan job.yaml >out 2>err) || fail "a million points take more than $limit s"
has out 'job.yaml: 1000000 points, 0 done, 1000000 to do'
has out 'longest point 0 s: point 90000 learning_rate=0.001 batch_size=10 sam_rho=0.01 seed=0'
finish
