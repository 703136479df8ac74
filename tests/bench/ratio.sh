#!/bin/sh
# ratio.sh BENCH_STEP - a Hessian-vector product costs at most 3 gradients, activations kept or not: medians of interleaved
# blocks of CPU time, so that a busy machine slows both.
failed=0
for case in "mlp 0 32" "mlp 1 128" "cnn 0 32" "cnn 1 32"; do
    # shellcheck disable=SC2086
    "$1" $case 5 | awk -v case="$case" '
        {ms[$1] = $2; print "    " case ": " $0}
        END {
            kept = ms["hv_cached"] / ms["gradient"]
            fresh = ms["hv_fresh"] / ms["gradient"]
            printf "%s: Hv costs %.2f gradients kept, %.2f fresh\n", case, kept, fresh
            exit !(kept > 0 && kept <= 3 && fresh <= 3)
        }' || failed=1
done
exit $failed
