#!/bin/sh
# Which folder may include what: the floors of DESIGN, held against every #include line. Prints each breach; exit 1.
set -eu
cd "$1"
allowed() {
    case $1 in
    base) echo "" ;;
    num | sweep | data) echo "base" ;;
    nn) echo "num base" ;;
    store | farm) echo "sweep base" ;;
    train | sharp) echo "nn data num base" ;;
    app) echo "base num sweep data nn store farm train sharp" ;;
    esac
}
# Foreign headers and the one folder each belongs to.
foreign() {
    case $1 in
    cblas.h) echo num ;;
    lapacke.h) echo "no floor, the tests" ;;
    yaml.h) echo sweep ;;
    zlib.h) echo data ;;
    hdf5*.h | H5*.h) echo store ;;
    mpi.h) echo farm ;;
    esac
}
breaches=0
breach() {
    echo "$1"
    breaches=$((breaches + 1))
}
n=0
for file in src/*/*.[ch] include/sharpsweep/*.h; do
    case $file in
    src/*) folder=${file#src/} folder=${folder%%/*} ;;
    *) folder=${file##*/} folder=${folder%.h} ;;
    esac
    [ "$folder" != queue ] || folder=sweep # queue.h: that floor's second header
    [ "$folder" != measure ] || folder=sharp # measure.h likewise
    for header in $(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]\([^>"]*\)[>"].*/\1/p' "$file"); do
        n=$((n + 1))
        case $header in
        sharpsweep/*.h)
            other=${header#sharpsweep/} other=${other%.h}
            [ "$other" != queue ] || other=sweep
            [ "$other" != measure ] || other=sharp
            [ "$other" = "$folder" ] && continue
            case " $(allowed "$folder") " in
            *" $other "*) ;;
            *) breach "$file includes $header, which floor $folder may not use" ;;
            esac
            ;;
        ../*) breach "$file reaches out of its folder: $header" ;;
        *)
            owner=$(foreign "$header")
            [ -z "$owner" ] || [ "$owner" = "$folder" ] && continue
            [ "$file:$header" = src/app/main.c:mpi.h ] || breach "$file includes $header, which belongs to $owner"
            ;;
        esac
    done
done
echo "$n includes checked, $breaches breaches"
[ "$n" -gt 50 ] && [ "$breaches" -eq 0 ]
