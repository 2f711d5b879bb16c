"""Rendered faces of known expression, identity and head pose: `mien data render`.

model.py        the 3D face model as it is brought by the user
expression.py   action units and emotions as weights of the model's shapes
canvas.py       the texture of its skin, painted
look.py         one identity: its shape and its colours
scene.py        PyVista: one posed, lit face in one image
dataset.py      a folder of views with their table: seeds, splits, resuming
"""
