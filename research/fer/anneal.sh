#!/usr/bin/env bash
# A short end of training on one CPU core, from weights that `research/fer/distil.sh` made and faces that never
# travelled: low learning rate, one teacher.
#
#     research/fer/anneal.sh PREPARED OUT bare_backbone
#
# OUT is that of distil.sh; the run is OUT/NETWORK-annealed. MINUTES says for how long.
set -euo pipefail
prepared=$1 out=$2 network=$3
sets=()
for name in ferplus wild7 muxspace cfee sfew kdef3 stock_cdf; do sets+=(--data "$prepared/$name"); done
OMP_NUM_THREADS=1 "${PYTHON:-python3}" -m mien train "multi_source/$network" "${sets[@]}" \
  --out "$out/$network-annealed" --weights-folder "$out" --minutes "${MINUTES:-26}" \
  --set "pretrained={\"\": \"$network/weights\"}" --set teachers=teachers/poster_v2_112/weights \
  --set shares.ferplus=20 --set shares.wild7=26 --set shares.muxspace=7 --set shares.cfee=5 --set shares.sfew=3 \
  --set shares.kdef3=2 --set shares.stock_cdf=2 --set source_bias=true \
  --set optimizer.lr_multipliers.source_bias=10 --set optimizer.lr=2e-4 --set schedule.warmup_epochs=0.02 \
  --set ema_decay=0.99 --set loss.smoothed_ce_weight=0.3 --set loss.distillation_weight=0.7 --set seed=7
