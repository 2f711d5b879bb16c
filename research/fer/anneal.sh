#!/usr/bin/env bash
# A short end of training on one CPU core, from weights that `research/fer/distil.sh` made and faces that never
# travelled: low learning rate, one teacher.
#
#     research/fer/anneal.sh PREPARED OUT bare_backbone
#
# OUT is that of distil.sh; the run is OUT/NETWORK-annealed. MINUTES says for how long.
set -euo pipefail
prepared=$1 out=$2 network=$3
# shellcheck source=research/fer/sources.sh
. "$(dirname "$0")/sources.sh"
OMP_NUM_THREADS=1 "${PYTHON:-python3}" -m mien train "multi_source/$network" "${sets[@]}" "${mixed[@]}" "${taught[@]}" \
  --out "$out/$network-annealed" --weights-folder "$out" --minutes "${MINUTES:-26}" \
  --set "pretrained={\"\": \"$network/weights\"}" --set teachers=teachers/poster_v2_112/weights \
  --set optimizer.lr=2e-4 --set schedule.warmup_epochs=0.02 --set ema_decay=0.99 --set seed=7
