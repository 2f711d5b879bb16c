"""POSTER, POSTER++ and APViT computed as their authors' code does: the baseline of `networks.py`.

Our own transcription of the formulas, waste included: what the authors compute and never read is computed
here too, what they compute twice is computed twice, and what they only allocate is allocated. Tensors have the
names of the official checkpoints, so `mien.weights.official` moves weights from here into our networks;
`tests/benchmarks` holds both to the same logits. Where the authors' code does nothing (dropout at rate 0,
windows as large as their map) the cheaper reading was taken.
"""
