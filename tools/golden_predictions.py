"""Write tests/golden/predictions.json: what the default weights predict on the images there and in examples/.

python tools/golden_predictions.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mien

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests/golden"

FIELDS = ("box", "detection", "landmarks", "pose", "expression")


def kept(values: dict[str, Any]) -> dict[str, Any]:
    """What the test compares."""
    return {field: values[field] for field in FIELDS}


def main() -> None:
    recognizer = mien.load("default", threads=1, precision="float32")
    images = [*sorted((ROOT / "examples").glob("*.jpg")), *sorted((GOLDEN / "poses").glob("*.jpg"))]
    predictions = {image.name: [kept(face.to_dict()) for face in recognizer.predict(image)] for image in images}
    (GOLDEN / "predictions.json").write_text(
        json.dumps(predictions, separators=(",", ": ")) + "\n", encoding="utf-8"
    )
    for name, faces in predictions.items():
        print(name, [max(face["expression"].items(), key=lambda each: each[1]) for face in faces])


if __name__ == "__main__":
    main()
