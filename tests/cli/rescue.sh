#!/bin/sh
# The journal of a running sweep is taken away: deleted and begun anew by another run, replaced by an older copy, cut. The run
# stops and prints a command; done exactly as printed it brings every finished point back. Names that a shell would take apart
# included. Places where a run could not write are refused by plan and submit too.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
mkdir bin
ln -s "$program" bin/sharpsweep
PATH=$dir/bin:$PATH
small_job job.yaml 60 '{log: [0.01, 0.3, 30]}' 20 # 1200 points of some milliseconds

wait_for_more() { # N FILE - points of the run that writes to err
    tries=0
    while [ "$(grep -c ': done,' err)" -le "$1" ] && [ "$tries" -lt 400 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
}
take_away() { # HOW FILE.h5
    how=$1 file=$2
    : >err
    "$program" run job.yaml -o "$file" --progress plain >out 2>err &
    pid=$!
    wait_for_more 5
    cp "$file.journal" older
    wait_for_more 40
    case $how in
    run) # the first stands still, so that it is the second that comes first
        kill -s STOP "$pid"
        rm "$file.journal"
        "$program" run job.yaml -o "$file" >out2 2>err2 &
        second=$!
        wait_for_file "$file.journal"
        kill -s CONT "$pid"
        ;;
    copy) cp older new && mv new "$file.journal" ;;
    cut) dd if=/dev/null of="$file.journal" bs=1 seek=400 2>/dev/null ;;
    esac
    wait "$pid"
    status=$?
    check "$how: status $status of a run that lost its journal, not 1" [ "$status" -eq 1 ]
    has err 'somebody else'
    has err 'of this run: when no other writes it any more, `sharpsweep merge '
    if [ "$how" = run ]; then
        kill -s TERM "$second" 2>/dev/null
        wait "$second"
    fi
    n_done=$(grep -c ': done,' err)
    check "$how: points were finished" [ "$n_done" -gt 40 ]
    sed -n 's/.*`\(sharpsweep merge .*\)` joins them.*/\1/p' err >printed
    check "$how: a command is printed" [ "$(wc -l <printed)" -eq 1 ]
    sh ./printed >out 2>err3
    status=$?
    check "$how: status $status of the printed command, not 75: $(cat err3)" [ "$status" -eq 75 ]
    joined=${file%.h5}.new.h5
    have=$(column "$joined" status | grep -c '^done')
    check "$how: $have points are there, $n_done were finished" [ "$have" -ge "$n_done" ]
    run 0 verify "$joined"
}
take_away run one.h5
take_away copy "it's \$two.h5"
take_away cut cut.h5

# The rescued journal alone is a results file to go on with, as any other.
check "a rescued journal is there" [ -n "$(ls one.kept-*.h5.journal)" ]

# What run refuses, plan and submit refuse, in the same words.
refused_by_all() { # TEXT FILE
    for command in run plan 'submit --dry-run'; do
        # shellcheck disable=SC2086
        run 2 $command job.yaml -o "$2"
        has err "$1"
        check "$command: nothing to be submitted" [ ! -s out ]
    done
}
ln -s /nowhere/at/all dangling.h5.journal
refused_by_all 'dangling.h5.journal: is a symbolic link that leads to nothing' dangling.h5
ln -s /nowhere/x.h5 far.h5
refused_by_all 'far.h5: is a symbolic link into /nowhere, a folder that does not exist' far.h5

# What is no results file is not made one, whatever lies in it: a journal, an archive of two sweeps.
sed 's/{log: .*}/[0.1, 0.2]/; s/seeds: 20/seeds: 1/' job.yaml >few.yaml
run 0 run few.yaml -o a.h5 --progress none
sed 's/0\.1, 0\.2/0.3/' few.yaml >other.yaml
run 0 run other.yaml -o b.h5 --progress none
tar cf backup.tar a.h5 a.h5.journal b.h5 b.h5.journal
cp a.h5.journal before.journal
cp backup.tar before.tar
for command in 'verify --repair' verify show status 'run few.yaml -o' 'merge c.h5'; do
    # shellcheck disable=SC2086
    run 2 $command a.h5.journal
    has err 'a.h5.journal: is a journal of sharpsweep, and the name of the results file is needed'
    lacks err '--repair'
    # shellcheck disable=SC2086
    run 2 $command backup.tar
    has err 'backup.tar: is not an HDF5 file'
    lacks err '--repair'
done
same before.journal a.h5.journal
same before.tar backup.tar
run 0 verify a.h5
finish
