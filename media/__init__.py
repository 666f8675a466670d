"""Files and formats: dialogues, audio, video, captions, layouts, provenance, the artifact store.

No Prefect, no SQL and no torch in here: everything below works on any machine that has Python and the bundled ffmpeg.
"""
