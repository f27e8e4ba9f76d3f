#!/bin/bash
# Trainings on a GPU, each ended by the clock, beside one another on the one GPU.
#
#     bash benchmarks/gpu.sh PACKAGES OUT esm 325 specialist generalist-70k clustered random
#     bash benchmarks/gpu.sh PACKAGES OUT light 500 light
#     bash benchmarks/gpu.sh PACKAGES OUT efficiency 40 specialist
#
# PACKAGES holds NAME.xz of `gpu.py pack` for each name; `esm2`, the encoder; perhaps NAME.start.safetensors, weights that
# a light network begins with. OUT gets NAME.safetensors and NAME.log. `efficiency` times one package in each precision,
# and with 8-bit AdamW if bitsandbytes is installed. FLAGS are further options of `gpu.py train`.
set -u
packages=$1 out=$2 kind=$3 seconds=$4
shift 4
here=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$out"
export PYTHONPATH=$here OMP_NUM_THREADS=${OMP_NUM_THREADS:-4}
train() { # RESULT NAME OPTIONS...
    local result=$1 name=$2 network=light
    shift 2
    [ "$kind" = light ] || network=esm
    python "$here/benchmarks/gpu.py" train "$packages/$name.xz" "$scratch/$result" --network $network \
        --seconds "$seconds" "$@" ${FLAGS:-} >"$out/$result.log" 2>&1 || { tail -n 3 "$out/$result.log" >&2; return 1; }
    mv "$scratch/$result/$network.safetensors" "$out/$result.safetensors"
    tail -n 1 "$out/$result.log"
}

failed=0
case $kind in
esm)
    jobs=()
    for name; do
        share=0.25
        [ "$name" = clustered ] && share=0.4 # distant relatives
        train "$name" "$name" --base "$packages/esm2" --batch 32768 --lr 8e-4 --head-lr 3e-3 \
            --substitutions 0.06 --emitted $share &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job" || failed=1; done
    ;;
light)
    for name; do
        start=$packages/$name.start.safetensors
        [ -f "$start" ] && start=(--start "$start") || start=()
        train "$name" "$name" --batch 32768 --lr 2e-3 --emitted 0.25 "${start[@]}" || failed=1
    done
    ;;
efficiency)
    name=$1
    for row in fp32/adamw bf16/adamw fp16/adamw bf16/adamw8bit; do
        train "${row/\//.}" "$name" --base "$packages/esm2" --batch 32768 --precision "${row%/*}" --optimizer "${row#*/}" \
            || failed=1
    done
    ;;
*)
    echo "gpu.sh: '$kind': not esm, light or efficiency" >&2
    exit 2
    ;;
esac
exit $failed
