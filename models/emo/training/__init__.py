"""How a checkpoint is trained. The flow `flows.train` runs these in order; each can be killed and goes on.

`hearing` trains the audio encoder, `codec` fits the codec, `scenes` writes and reads the training data, `stages` are the
paper's three, `stage` is what they have in common.
"""
