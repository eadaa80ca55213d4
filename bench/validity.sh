#!/bin/sh
# The figures of docs/validity.md. Every step goes on where it was left; give names of steps to take only those.
#   bench/validity.sh OUT [alarms-reference alarms-emoji alarms-pruned contrast reference ladder pruned adversarial lora ...]
# DORI: the program (default: dori). PRUNED, ADVERSARIAL, LORA: models for the steps of these names. THREADS: threads in all (default: all).
set -eu
out=${1:?a folder for the runs}; shift
dori=${DORI:-dori}
here=$(cd "$(dirname "$0")/.." && pwd)
m=$here/models
detector="--copy-detector $m/emoji/copy_detector"
plain="--starts prompt,caption -n 4 --curve none ${THREADS:+--threads $THREADS}"
looked="--starts prompt,caption -n 4 --curve 10,25 ${THREADS:+--threads $THREADS}"
alarms="--controls $m/emoji-controls.tar --limit 200 $plain"
gone="$looked $detector --reference $m/emoji-reference --ladder --paths 8"
mkdir -p "$out"
few=$out/six-pictures # the first 6 verbatim pictures and 19 controls

six() {
    [ -f "$few/metadata.csv" ] && return
    mkdir -p "$few"
    awk -F, 'NR == 1 || /^verbatim-0[0-5]\.png/ || /^control-(0[0-9]|1[0-8])\.png/' "$m/emoji/pictures/metadata.csv" > "$few/rows"
    sed 1d "$few/rows" | cut -d, -f1 | while read -r file; do cp "$m/emoji/pictures/$file" "$few/"; done
    mv "$few/rows" "$few/metadata.csv"
}

step() {
    case $1 in
    alarms-reference) $dori false-alarms "$m/emoji-reference" $alarms $detector -o "$out/$1" ;;
    alarms-emoji) $dori false-alarms "$m/emoji" $alarms --reference "$m/emoji-reference" -o "$out/$1" ;;
    alarms-pruned) $dori false-alarms "$PRUNED" $alarms $detector -o "$out/$1" ;;
    alarms-adversarial) $dori false-alarms "$ADVERSARIAL" $alarms $detector -o "$out/$1" ;;
    reference) $dori audit "$m/emoji-reference" --images "$m/emoji/pictures" $plain $detector -o "$out/$1" ;;
    contrast) $dori audit "$m/emoji" --images "$m/emoji/pictures" $plain --reference "$m/emoji-reference" -o "$out/$1" ;;
    ladder) $dori audit "$m/emoji" --images "$m/emoji/pictures" --starts prompt -n 4 --curve 10,25 --ladder -o "$out/$1" ;;
    lora) $dori audit "$m/emoji" --lora "$LORA" --images "${LORA_PICTURES:?}" $plain $detector --reference base -o "$out/$1" ;;
    pruned) six; $dori audit "$PRUNED" --images "$few" $gone -o "$out/$1" ;;
    adversarial) six; $dori audit "$ADVERSARIAL" --images "$few" $gone -o "$out/$1" ;;
    *) echo "validity.sh: $1: no such step" >&2; exit 2 ;;
    esac
}

[ $# -gt 0 ] || set -- alarms-reference alarms-emoji reference contrast ladder
for name in "$@"; do step "$name"; done
