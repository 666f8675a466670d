"""The EMO model (arXiv 2402.17485): one portrait and one piece of audio in, a talking face out.

`pipeline` is the diffusers pipeline, `renderer` what the rest of Portrayal calls. The network is `backbone`, `reference`,
`attention`, `face_locator`, `speed` and `audio`; `corpus`, `training` and `evaluate` make a checkpoint and measure it.
"""
