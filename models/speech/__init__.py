"""Diarization, transcription, alignment and speech synthesis: one protocol each (`protocols`), several engines."""
