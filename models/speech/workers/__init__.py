"""Programs that run in other environments, each behind the protocol of docs/synthesis-workers.md.

Nothing here imports Portrayal, and Portrayal imports nothing from here: it starts these files with another python.
"""
