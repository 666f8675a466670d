"""Migrations, `rNNNN_what_it_does.py`."""
