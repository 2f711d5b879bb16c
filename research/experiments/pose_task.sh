#!/usr/bin/env bash
# PhaNet with and without its pose task, from a backbone that knows faces but no expressions.
#
#     python -m research.experiments.pose_task start face_id_mobilefacenet.safetensors --out out
#     research/experiments/pose_task.sh PREPARED OUT "11 12"
#
# PREPARED holds the prepared sets ferplus, wild7, muxspace, cfee and sfew. The same images in the same order for each
# seed; the last epoch is kept, so that no image chooses anything. A run that was interrupted goes on.
set -euo pipefail
prepared=$1 out=$2 seeds=${3:-11}
sets=()
for name in ferplus wild7 muxspace cfee sfew; do sets+=(--data "$prepared/$name"); done
same=(
  --set shares.ferplus=20 --set shares.wild7=26 --set shares.muxspace=7 --set shares.cfee=5 --set shares.sfew=3
  --set source_bias=true --set optimizer.lr_multipliers.source_bias=10
  --set 'pretrained={"image_backbone": "face_identity:image_backbone"}' --weights-folder "$out"
  --set batch=64 --set optimizer.lr=1e-3 --set ema_decay=0.99 --set monitor=last
  --set epochs=4 --set epoch_images=14976
)
run() { # NAME OPTIONS...
  local name=$1
  shift
  OMP_NUM_THREADS=1 "${PYTHON:-python3}" -m mien train multi_source/phanet "${sets[@]}" "${same[@]}" \
    --set "seed=$seed" --out "$out/$name-$seed" "$@"
}
for seed in $seeds; do
  run pose
  run no_pose --set model_kwargs.poses=0 --set poses=
done
