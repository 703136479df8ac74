#!/bin/sh
# Results depend neither on the number of ranks nor on order: the same records bit for bit, times aside.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
have_mpirun || { echo "no mpirun here, skipped"; exit 77; }

cat >job.yaml <<EOF
model: {network: mlp, widths: [16, 16]}
data: {dataset: synthetic, synthetic_train: 256, synthetic_test: 64}
training: {max_epochs: 3}
curvature: {curvature_examples: 128, track_every_epochs: 1}
sweep: {seeds: 2}
grid:
  learning_rate: [0.05, 1]
  batch_size: [50, full]
  sam_rho: [0, 0.05]
  dropout: [0, 0.5]
  batch_norm: [false, true]
EOF
run 0 run job.yaml -o alone.h5
results alone.h5 >alone
check "64 points" [ "$(wc -l <alone)" -eq 65 ]
for n in 1 2 5; do
    run_ranks "$n" 0 run job.yaml -o "ranks$n.h5"
    has out '64 of 64 points finished'
    results "ranks$n.h5" >"ranks$n"
    same alone "ranks$n"
done
check "several of five ranks worked" [ "$(column ranks5.h5 worker | sort -u | grep -c '[1-4]')" -ge 2 ]
check "and rank 0 did not" [ "$(column ranks5.h5 worker | grep -cx 0)" -eq 0 ]
if command -v h5diff >/dev/null 2>&1; then
    check "histories agree" h5diff alone.h5 ranks5.h5 /history
fi

# Errors under mpirun: one sentence, from rank 0.
printf 'grid: {learning_rate: []}\n' >bad.yaml
run_ranks 3 2 run bad.yaml
check "one sentence" [ "$(grep -c '^sharpsweep: ' err)" -eq 1 ]
run_ranks 3 2 run
check "one sentence" [ "$(grep -c '^sharpsweep: ' err)" -eq 1 ]
# Commands that need no ranks answer once.
run_ranks 3 0 show alone.h5
check "one table" [ "$(grep -c '^learning_rate\|^ *learning_rate' out)" -eq 1 ]

# A rank that dies while starting: nobody waits for ever, and those that have come say so.
cat >dies.sh <<END
#!/bin/sh
[ "\$OMPI_COMM_WORLD_RANK" != "\$1" ] || exit 0
shift
exec "$program" "\$@"
END
chmod +x dies.sh
export SHARPSWEEP_TOGETHER_S=2
for dead in 0 1; do
    timeout 60 sh "$mpirun_sh" 3 ./dies.sh "$dead" run job.yaml -o dead.h5 >out 2>err
    status=$?
    check "rank $dead died while starting: status $status, not 75" [ "$status" -eq 75 ]
    has err 'sharpsweep: not all ranks arrived within 2 s (rank '
    has err 'run the same command again'
    timeout 60 sh "$mpirun_sh" 3 --enable-recovery ./dies.sh "$dead" run job.yaml -o dead.h5 >out 2>err
    check "rank $dead died while starting: it ends under --enable-recovery" [ "$?" -ne 124 ]
    has err "arrived within 2 s (rank $((1 - dead)) on "
    has err 'arrived within 2 s (rank 2 on '
    lacks err "(rank $dead on "
    check "nothing was begun" [ ! -e dead.h5.journal ]
done
# Data, results and the last save may take longer than ranks wait for each other where nobody has work to do.
SHARPSWEEP_TOGETHER_S=3
for phase in open close; do
    SHARPSWEEP_FAULT="slow@phase=$phase,after=8" run_ranks 3 0 run job.yaml -o "slow-$phase.h5"
    has out '64 of 64 points finished'
    results "slow-$phase.h5" >slow
    same alone slow
done
# But not for ever, and then they say what to do.
SHARPSWEEP_OPEN_S=2 SHARPSWEEP_FAULT='slow@phase=open,after=20' run_ranks 3 75 run job.yaml -o late.h5
has err 'not all ranks answered within 2 s'
has err 'with a larger SHARPSWEEP_OPEN_S'
# No number is too large for an alarm: rank 1 comes late.
cat >late.sh <<END
#!/bin/sh
[ "\$OMPI_COMM_WORLD_RANK" != 1 ] || sleep 3
exec "$program" "\$@"
END
chmod +x late.sh
for limit in 1e30 inf nan; do
    n_checks=$((n_checks + 1))
    SHARPSWEEP_TOGETHER_S=$limit sh "$mpirun_sh" 3 ./late.sh run job.yaml -o ranks1.h5 >out 2>err || fail "SHARPSWEEP_TOGETHER_S=$limit"
    has out 'all 64 points were finished already'
done
unset SHARPSWEEP_TOGETHER_S
finish
