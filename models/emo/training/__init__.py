"""How a checkpoint is trained. The flow `flows.train` runs these in order; each can be killed and goes on.

`hearing` trains the audio encoder, `codec` fits the codec, `scenes` writes and reads the training data, `stages` are the
paper's three, `checkpoint` writes the result; `stage` is what all of them have in common, `plan` how long they are. `videos`
prepares recordings of real people.
"""
