# Sourced by distil.sh and anneal.sh, with `prepared` set: the sets, and how they are mixed.
sets=()
for name in ferplus wild7 muxspace cfee sfew kdef3 stock_cdf; do
  if [ -d "$prepared/$name" ]; then sets+=(--data "$prepared/$name"); fi
done
# Shares of a batch; a bias per source takes up how often each source uses each label, and is dropped in the end.
# 0.3 of the loss is that of the labels and 0.7 that of the teachers, where there are any.
mixed=(
  --set shares.ferplus=20 --set shares.wild7=26 --set shares.muxspace=7 --set shares.cfee=5 --set shares.sfew=3
  --set shares.kdef3=2 --set shares.stock_cdf=2
  --set source_bias=true --set optimizer.lr_multipliers.source_bias=10
)
taught=(--set loss.smoothed_ce_weight=0.3 --set loss.distillation_weight=0.7)
