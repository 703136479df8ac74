#!/bin/sh
# install.sh PROGRAM ROOT BUILD - what `meson install` puts where, and whether it works there: once into a DESTDIR from this
# build, once from a build of its own into a prefix, where the module file is loaded and everything is uninstalled again.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
root=$2 build=$3
version=$("$program" --version)
unset SHARPSWEEP_ANALYSIS MANPATH XDG_DATA_DIRS
export PYTHONDONTWRITEBYTECODE=1

pictures() { # that the README shows
    sed -nE 's/.*!\[[^]]*\]\(([^)]*)\).*/\1/p' "$root/README.md"
}
# What has to be there, from the sources' own folders: paths below PREFIX.
expected() {
    cat <<'LIST'
bin/sharpsweep
share/man/man1/sharpsweep.1
share/man/man5/sharpsweep-job.5
share/bash-completion/completions/sharpsweep
share/sharpsweep/jobs/schema.json
LIST
    (cd "$root" && ls jobs/*.yaml jobs/*/*.yaml slurm/*.sh slurm/*.sbatch slurm/README.md) | sed 's|^|share/sharpsweep/|'
    (cd "$root" && ls analysis/*.py | grep -vE '/(bench|witness|test)_') | sed 's|^|share/sharpsweep/|'
    for name in LICENSE README.md CHANGELOG.md CITATION.cff SCHEMA.md jobs.md analysis.md; do echo "share/doc/sharpsweep/$name"; done
    pictures | sed 's|^|share/doc/sharpsweep/|'
    echo "share/modulefiles/sharpsweep/$(echo "$version" | cut -d' ' -f2)"
}

check_files() { # TREE
    expected | sort >wanted
    (cd "$1" && find . -type f | sed 's|^\./||' | sort) >found
    check "nobody asked for: $(comm -13 wanted found | tr '\n' ' ')" [ -z "$(comm -13 wanted found)" ]
    check "at least 30 files" [ "$(wc -l <found)" -ge 30 ]
    for script in array.sh chain.sh; do check "$script can be run" [ -x "$1/share/sharpsweep/slurm/$script" ]; done
}

check_program() { # TREE
    installed=$1/bin/sharpsweep
    check "the installed program starts" [ "$("$installed" --version)" = "$version" ]
    "$installed" reference --schema | cmp -s - "$1/share/sharpsweep/jobs/schema.json" || fail "the installed schema is another one"
    if [ -d /usr/share/datasets/fashion-mnist ]; then
        n_checks=$((n_checks + 1))
        "$installed" plan "$1/share/sharpsweep/jobs/quickstart.yaml" -o none.h5 >out 2>err || fail "plan of the installed quickstart"
        has out points
    else
        echo "skipped: plan of an installed job: dataset-fashion-mnist is not installed"
    fi
    if [ ! -f tiny.h5 ]; then # one sweep for both trees
        small_job tiny.yaml 2 '[0.05, 0.1]' 3
        "$installed" run tiny.yaml --progress none >out 2>err || fail "a sweep by the installed program"
    fi
    if /usr/bin/python3 -c 'import h5py, scipy, matplotlib' 2>/dev/null; then
        rm -rf report
        n_checks=$((n_checks + 1))
        SHARPSWEEP_PYTHON=/usr/bin/python3 "$installed" report tiny.h5 -o report >out 2>err || fail "report of the installed program"
        check "it wrote a page" [ -s report/report.html ]
    else
        echo "skipped: the installed report: Python's h5py, scipy or matplotlib is missing"
    fi
}

check_pages() { # TREE
    if ! command -v man >/dev/null 2>&1; then
        echo "skipped: man pages found by man: man-db is not installed"
        return
    fi
    check "man finds sharpsweep(1)" [ "$(man -M "$1/share/man" -w 1 sharpsweep 2>err)" = "$1/share/man/man1/sharpsweep.1" ]
    check "man finds sharpsweep-job(5)" [ "$(man -M "$1/share/man" -w sharpsweep-job 2>err)" = "$1/share/man/man5/sharpsweep-job.5" ]
}

check_completion() { # TREE
    # shellcheck disable=SC2016
    check "the completion loads" bash -c '. "$0" && complete -p sharpsweep >/dev/null' "$1/share/bash-completion/completions/sharpsweep"
    if [ -f /usr/share/bash-completion/bash_completion ]; then
        # shellcheck disable=SC2016
        check "bash-completion finds it" env XDG_DATA_DIRS="$1/share" bash -c '. /usr/share/bash-completion/bash_completion
            _completion_loader sharpsweep; complete -p sharpsweep 2>/dev/null | grep -q _sharpsweep'
    else
        echo "skipped: bash-completion finds the file: bash-completion is not installed"
    fi
}

check_tree() {
    check_files "$1"
    check_program "$1"
    check_pages "$1"
    check_completion "$1"
}

# ---- a DESTDIR: nothing at the prefix itself -----------------------------------------------------------------------------
prefix=$(meson introspect "$build" --buildoptions | tr '{' '\n' | sed -n 's/.*"name": "prefix", "value": "\([^"]*\)".*/\1/p')
DESTDIR=$dir/dest meson install -C "$build" --no-rebuild --quiet >out 2>err || fail "meson install into a DESTDIR"
check "only the prefix $prefix is below it" [ "$(cd dest && find . -type f | grep -cv "^.$prefix/")" -eq 0 ]
check_tree "$dir/dest$prefix"

# ---- a prefix ------------------------------------------------------------------------------------------------------------
# By the README's two commands, with a home and a build folder of this test's, and no more built than is installed.
new=$dir/build
sed -n '/^```sh$/,/^```$/p' "$root/README.md" | grep '^meson ' | sed "s|^meson setup build |meson setup $new |; s| -C build\$| -C $new|" >lines
check "the README shows how to install" [ "$(grep -c "$new" lines)" -eq 2 ]
if ! (cd "$root" && HOME=$dir/home sh -c "$(sed -n 1p "$dir/lines") --buildtype=plain") >out 2>err || ! ninja -C "$new" \
    sharpsweep src/install/sharpsweep.1 src/install/sharpsweep-job.5 src/install/sharpsweep >>out 2>>err; then
    fail "a build with another prefix"
    finish
fi
sh -c "$(sed -n 2p lines) --no-rebuild --quiet" >out 2>err || fail "meson install into a prefix"
inst=$dir/home/.local
check_tree "$inst"
# Of a build that was configured just now; the other may not know files that are newer.
check "not installed: $(comm -23 wanted found | tr '\n' ' ')" [ -z "$(comm -23 wanted found)" ]
check "the manual names its folders" grep -q "$inst/share/doc/sharpsweep" "$inst/share/man/man1/sharpsweep.1"

# What the installed module file does in a shell of its own.
in_module() {
    # shellcheck disable=SC2016
    bash -c '. /usr/share/modules/init/bash; module use "$0"; module load sharpsweep || exit 9; eval "$1"' \
        "$inst/share/modulefiles" "$1" 2>err
}
if [ -f /usr/share/modules/init/bash ]; then
    check "the module finds the program" [ "$(in_module 'command -v sharpsweep')" = "$inst/bin/sharpsweep" ]
    check "and the manual" [ "$(in_module 'man -w sharpsweep-job')" = "$inst/share/man/man5/sharpsweep-job.5" ]
    check "and others still" [ -n "$(in_module 'man -w man')" ]
    # shellcheck disable=SC2016
    check "and the example jobs" [ -f "$(in_module 'echo $SHARPSWEEP_SHARE')/jobs/quickstart.yaml" ]
    # shellcheck disable=SC2016
    check "and the completion, the system's too" [ "$(in_module 'echo $XDG_DATA_DIRS')" = "$inst/share:/usr/local/share:/usr/share" ]
    # shellcheck disable=SC2016
    check "unloaded, nothing of it stays" [ -z "$(in_module 'module unload sharpsweep; echo "$PATH:$MANPATH:$SHARPSWEEP_SHARE"' | grep "$dir")" ]
    check "it helps" [ "$(in_module 'module help sharpsweep 2>&1' | grep -c 'man sharpsweep')" -eq 1 ]
else
    echo "skipped: the module file: environment-modules is not installed"
fi
ninja -C "$new" uninstall >out 2>err || fail "uninstall"
check "uninstalled, nothing is left: $(find "$inst" 2>/dev/null)" [ ! -e "$inst" ]
finish
