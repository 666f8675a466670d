"""Machine learning: the EMO model, the illustrated presenters it was trained on, and the speech engines.

No Prefect and no SQL in here. Subpackages import their heavy libraries when they are first used.
"""
