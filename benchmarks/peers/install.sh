#!/bin/sh
# Install the peers of benchmarks/side_by_side.py into a folder: sh benchmarks/peers/install.sh peers/
# Needs Node 20 or newer with npm, and Python 3.11; about 2 GB. fer and facex run with older versions of what they
# need: OpenCV 5 lost the cascades, setuptools 81 the pkg_resources that they import.
set -e
mkdir -p "$1"
cd "$1"
npm init --yes > /dev/null
npm install --no-audit --no-fund @vladmandic/human@3.3.6 @vladmandic/face-api@1.7.15 \
    @tensorflow/tfjs@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0
python3 -m venv python
python/bin/pip install 'tensorflow-cpu==2.20.*' 'opencv-python-headless<5' 'setuptools<81' scikit-image pandas \
    requests tqdm matplotlib 'moviepy<2' ffmpeg-python
python/bin/pip install --no-deps fer==25.10.3 facex==1.1.0
