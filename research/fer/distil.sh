#!/usr/bin/env bash
# The five networks of the package from three teachers, on one GPU, all with `mien train`.
#
#     research/fer/distil.sh PREPARED OUT
#
# PREPARED holds the prepared sets (docs/how-to/train.md), OUT/teachers/facenet the converted FaceNet weights
# (research/fer/facenet.py). Teachers learn at once, then the students at once, each from the mean prediction of the
# teachers on its own augmented images. TEACHERS and STUDENTS say for how long; BATCH, and RATE the learning rate.
set -euo pipefail
prepared=$1 out=$2
teach=${TEACHERS:---minutes 3.5} learn=${STUDENTS:---minutes 5.4} batch=${BATCH:-384} rate=${RATE:-1e-3}
python=${PYTHON:-python3}
# shellcheck source=research/fer/sources.sh
. "$(dirname "$0")/sources.sh"
common=("${mixed[@]}" --weights-folder "$out/teachers")
run() { # NAME RECIPE OPTIONS...: in the background, with a log of its own
  local name=$1 recipe=$2
  shift 2
  (
    set -o pipefail
    "$python" -m mien train "$recipe" "${sets[@]}" --out "$out/$name" "${common[@]}" "$@" 2>&1 |
      while IFS= read -r line; do printf '%(%T)T.%s %s\n' -1 "${EPOCHREALTIME#*[.,]}" "$line"; done
  ) >"$out/${name//\//-}.log" &
  runs+=($!)
}
finished() { # all that run; fails where one failed
  local failed=0
  for process in "${runs[@]}"; do wait "$process" || failed=1; done
  runs=()
  return $failed
}
runs=()

mkdir -p "$out/teachers"
large=(--set model_kwargs.size_px=112 --set size_px=112 --set "batch=$batch" --set "optimizer.lr=$rate" --set ema_decay=0.995)
# shellcheck disable=SC2086 # how long: options of their own
{
  run teachers/facenet128 research.fer.recipes.facenet:RECIPE \
    --set "batch=${FACENET_BATCH:-256}" --set ema_decay=0.995 --set seed=1 $teach
  run teachers/bare112 multi_source/bare_backbone "${large[@]}" --set seed=2 $teach
  run teachers/poster_v2_112 multi_source/poster_v2 "${large[@]}" --set 'model_kwargs.windows=[7,7,7]' --set seed=3 $teach
}
finished || { tail -n 3 "$out"/teachers-*.log; exit 1; }

students=(
  --set "batch=$batch" --set "optimizer.lr=$rate" --set ema_decay=0.997 "${taught[@]}"
  --set "teachers=teachers/facenet128/weights,teachers/bare112/weights,teachers/poster_v2_112/weights"
  --weights-folder "$out"
)
for network in poster_v2 bare_backbone apvit phanet poster; do
  # shellcheck disable=SC2086
  run "$network" "multi_source/$network" "${students[@]}" $learn
done
finished || { tail -n 3 "$out"/*.log; exit 1; }
tail -n 2 "$out"/{poster_v2,bare_backbone,apvit,phanet,poster}.log
