#!/bin/bash
# Builds whose training runs on the GPU of another machine, which has neither the data nor pyhmmer.
#
#     bash benchmarks/gpu.sh begin DATA WORK NAME...     where the data are: makes WORK/NAME.tar.xz
#     bash benchmarks/gpu.sh train DATA WORK NAME...     where the GPU is, with these in WORK: makes WORK/trained.*
#     bash benchmarks/gpu.sh finish DATA WORK NAME...    where the data are, with these in WORK: makes the models WORK/NAME
#
# Each step is one pfamnet-build for each NAME, with the options below and FLAGS; ESM and LIGHT are
# residues to train on. DATA is the same text everywhere; WORK/esm2
# is the encoder to fine-tune, on both machines; WORK/split.reduced and WORK/split.rows are splits by reduced_split.py and
# row_split.py. NAME-fp16 is NAME in half precision, NAME-8bit NAME with 8-bit AdamW. The trainings run beside one
# another. If one is not complete after LIMIT seconds (540), another `train` continues it.
set -eu
step=$1 data=$2 work=$3
shift 3
PYTHONPATH=$(cd "$(dirname "$0")/.." && pwd)${PYTHONPATH:+:$PYTHONPATH} && export PYTHONPATH
cd "$work"
run=()
light=(--batch "${BATCH:-32768}" --light-lr 2e-3)
esm=("${light[@]}" --base esm2 --lr 8e-4 --head-lr 3e-3 --esm-residues "${ESM:-120000000}" --light-residues "${LIGHT:-60000000}")
pfam=(--hmm "$data/pfam/profiles.h3m" --domains "$data/proteins/domains.tsv.gz" --families "$data/pfam/clans.tsv" --emit 1)

build() { # NAME OPTIONS...
    local name=$1 plain=$1 options=() less=() resume=()
    shift
    case $name in # what a training with less precision, or less memory, costs
    *-fp16) plain=${name%-fp16} less=(--precision fp16) ;;
    *-8bit) plain=${name%-8bit} less=(--optim adamw8bit) ;;
    esac
    case $plain in
    pfam-3183)
        options=("${pfam[@]}" "${light[@]}" --light-residues "${LIGHT:-2000000000}" --proteins rest_train.fa.gz --holdout 0.03
            --recall 0.997 --license cc0-1.0 "$name" "$data/proteins/train.fa.gz")
        ;;
    specialist | generalist-70k)
        options=("${pfam[@]}" "${esm[@]}" --recipe "$plain" --cut-domains "$name" "$data"/seed/clustered
            "$data/proteins/train.fa.gz")
        ;;
    rows)
        options=(--hmm "$data/pfam/profiles.h3m" --families "$data/pfam/clans.tsv" "${esm[@]}" --recipe specialist
            "$name" split.rows)
        ;;
    clustered | random) options=("${esm[@]}" --families "$data/seed/families.tsv" "$name" "$data/seed/$plain") ;;
    reduced) options=("${esm[@]}" --families "$data/seed/families.tsv" "$name" split.reduced) ;;
    *) echo "gpu.sh: '$name': no build of this name" >&2 && return 2 ;;
    esac
    [ ! -d "$name.work" ] || resume=(--resume)
    "${run[@]}" python -m pfamnet.cli.build "$@" "${resume[@]}" "${options[@]}" "${less[@]}" ${FLAGS:-}
}

case $step in
begin)
    if [ ! -f rest_train.fa.gz ] && [[ " $* " == *" pfam-3183 "* ]]; then # proteins that may be learnt from
        awk 'NR == FNR { keep[">" $1]; next } /^>/ { on = $1 in keep } on' \
            <(zcat "$data/proteins/rest_train.txt.gz") <(zcat "$data/proteins/rest.fa.gz") | gzip >rest_train.fa.gz
    fi
    for name; do
        build "$name" --until data
        tar -cf - "$name.work"/{options.json,inputs.json,data.safetensors} | xz -6 >"$name.tar.xz"
    done
    ;;
train)
    jobs=() failed=0 run=(timeout "${LIMIT:-540}")
    for name; do
        [ -d "$name.work" ] || tar -xJf "$name.tar.xz"
        build "$name" --until training --cpu $((($(nproc) + $# - 1) / $#)) >"$name.log" 2>&1 &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job" || failed=1; done
    tail -n 4 "${@/%/.log}"
    python - "$@" <<'END' # half of the size, without loss that counts
import sys
from pathlib import Path
from safetensors.torch import load_file, save_file
for path in (path for name in sys.argv[1:] for path in Path(f"{name}.work").glob("*/best.safetensors")):
    save_file({name: tensor.half() for name, tensor in load_file(path).items()}, path)
END
    rm -f trained.*
    tar -cJf - --exclude data.safetensors --exclude soft.safetensors --exclude vectors.npy "${@/%/.work}" "${@/%/.log}" | split -b 16m - trained.
    exit $failed
    ;;
finish)
    cat trained.* | tar -xJf -
    for name; do build "$name"; done
    ;;
esac
