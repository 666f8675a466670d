"""Procedural illustrated presenters: who they are, how they are drawn, how they move when they speak."""
