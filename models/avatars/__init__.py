"""Procedural illustrated presenters: the starter cast of the catalog, and what the starter model is trained on.

`presenters` says who they are, `drawing` draws one in one pose, `motion` makes poses from phonemes and sound. `geometry`,
`features`, `hair` and `clothing` are the parts of the drawing. Photographs and learned models do not live here.
"""
