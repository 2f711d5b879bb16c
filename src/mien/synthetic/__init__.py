"""Rendered faces of known expression, identity and head pose: `mien data render`.

face_model.py   the 3D face model that the user brings
blendshapes.py  action units and emotions as weights of the model's shapes
canvas.py       the texture of its skin, painted
identity.py     one identity: its shape and its colours
renderer.py     PyVista: one posed, lit face in one image
generate.py     a folder of rendered faces with their table: seeds, splits, resuming
"""
