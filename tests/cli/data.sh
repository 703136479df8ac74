#!/bin/sh
# Every point is known by its own data set: a grown data axis computes only what is new, under the identities of a fresh run;
# data that have changed are refused and nothing on disk changes; every rank has every data set of rank 0.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# make_set FOLDER N LETTER - N training and 30 test images of 6x6 in two classes, as IDX files; the letter is in the pixels.
make_set() {
    mkdir -p "$1"
    for split in train t10k; do
        n=$2
        [ "$split" = train ] || n=30
        count=$(printf '\\000\\000\\%03o\\%03o' $((n / 256)) $((n % 256)))
        {
            printf "\\000\\000\\010\\003$count\\000\\000\\000\\006\\000\\000\\000\\006"
            awk -v n="$n" -v letter="$3" 'BEGIN {
                for (i = 0; i < n; i++) for (k = 0; k < 36; k++)
                    printf "%s", k == 7 ? letter : sprintf("%c", 33 + (i * 7 + k * (1 + i % 2 * 4) + i * k % 5) % 90)}'
        } >"$1/$split-images-idx3-ubyte"
        {
            printf "\\000\\000\\010\\001$count"
            i=0
            while [ "$i" -lt "$n" ]; do
                printf "\\00$((i % 2))"
                i=$((i + 1))
            done
        } >"$1/$split-labels-idx1-ubyte"
    done
}
# data_job FILE DATA AXIS - a job of two learning rates times one data axis.
data_job() {
    cat >"$1" <<END
model: {network: mlp, widths: [8]}
data: {$2}
training: {max_epochs: 2, target_train_accuracy: 0, batch_size: 25}
curvature: {curvature_examples: 50}
grid:
  $3
  learning_rate: [0.05, 0.1]
END
}
make_set set 150 a
synthetic='dataset: synthetic, synthetic_train: 200, synthetic_test: 50'
# grows NAME DATA OLD NEW
grows() {
    data_job "$1.yaml" "$2" "$3"
    run 0 run "$1.yaml"
    has out '2 of 2 points finished'
    check "no folder for weights that nobody asked for" [ ! -e "$1.weights" ]
    data_job "$1.yaml" "$2" "$4"
    run 0 plan "$1.yaml"
    has out '4 points, 2 done, 2 to do'
    run 0 run "$1.yaml"
    has out '4 of 4 points finished, 2 of them now'
    check "$1: every point was started once" [ "$(column "$1.h5" attempts | sort -u)" = 1 ]
    data_job "$1.yaml" "$2" "$4"
    run 0 run "$1.yaml" -o fresh.h5
    results "$1.h5" | sort >grown
    results fresh.h5 | sort >fresh
    same grown fresh
    check "$1: two data sets" [ "$(column "$1.h5" data_digest | sort -u | grep -c '^[0-9a-f]\{64\}$')" -eq 2 ]
    rm -f fresh.h5*
    run 0 verify "$1.h5"
}
grows examples "$synthetic" 'train_examples: [100]' 'train_examples: [100, 150]'
check "n_train is what was used" [ "$(column examples.h5 n_train | sort -u | tr '\n' ' ')" = '100 150 ' ]
grows standard "$synthetic" 'standardise: [pixel]' 'standardise: [none, pixel]'
grows seeds "$synthetic" 'synthetic_seed: [0]' 'synthetic_seed: [0, 1]'
grows sets 'data_dir: set, synthetic_train: 200' 'dataset: [idx]' 'dataset: [synthetic, idx]'
grows tests 'data_dir: set, dataset: idx' 'test_examples: [20]' 'test_examples: [20, all]'

# One of two data sets changes: refused, also for a grid that only grows; the old data are still welcome.
sha256sum sets.h5 sets.h5.journal >before
mv set kept
make_set set 150 b
run 2 run sets.yaml
has err 'the data set has changed since point'
has err 'restore the data, or write to another file'
data_job grown.yaml 'data_dir: set, synthetic_train: 200' 'dataset: [synthetic, idx]'
sed -i 's/0.05, 0.1/0.2, 0.3/' grown.yaml
run 2 run grown.yaml -o sets.h5
has err 'the data set has changed since point'
sha256sum sets.h5 sets.h5.journal >after
same before after
run 0 run sets.yaml -o other.h5
has out '4 of 4 points finished'
rm -r set
mv kept set
run 0 run sets.yaml
has out 'all 4 points were finished already'

# A rank whose second data set is another one.
if have_mpirun; then
    make_set set1 150 c
    data_job ranks.yaml 'data_dir: "${DATA_OF_RANK}", synthetic_train: 200' 'dataset: [synthetic, idx]'
    cat >per_rank.sh <<END
#!/bin/sh
DATA_OF_RANK=$dir/set
[ "\${OMPI_COMM_WORLD_RANK:-0}\${PMI_RANK:-}" != "\$1" ] || DATA_OF_RANK=$dir/set1
export DATA_OF_RANK
shift
exec "$program" "\$@"
END
    n_checks=$((n_checks + 1))
    sh "$mpirun_sh" 3 sh per_rank.sh 2 run ranks.yaml >out 2>err
    status=$?
    [ "$status" -eq 2 ] || fail "rank 2 has other data: status $status, not 2"
    has err "the data set in $dir/set1 differs from rank 0's in $dir/set"
    check "nothing was begun" [ ! -e ranks.h5.journal ]
    sh "$mpirun_sh" 3 sh per_rank.sh 9 run ranks.yaml >out 2>err
    has out '4 of 4 points finished'
fi
finish
