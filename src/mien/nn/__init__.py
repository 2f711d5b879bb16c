"""What several networks share: blocks, and the way ONNX files are run."""
