"""Real videos of people who talk, prepared for training: cut, cropped and measured, one folder of parts a video.

`films` reads pictures and sound in step, `faces` finds and follows the face, `head` tells how it turns, `cuts` chooses what to
keep, `crops` makes the square pictures, `prepare` does all of it for one video, and `rows` writes what training reads.
"""
