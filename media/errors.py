"""The errors a user can meet. Each carries the exit code that the command line ends with.

A message is one sentence: the file (and line or field), what is wrong, and what to do about it.
"""


class PortrayalError(Exception):
    """Root of every error that Portrayal raises on purpose."""

    exit_code = 1


class InputError(PortrayalError):
    """Something the user gave cannot be used: a script, a recording, an option, a portrait's name."""


class RightsError(PortrayalError):
    """A portrait may not be used: it is retired, or no valid consent or licence covers it."""


class RenderError(PortrayalError):
    """Segments could not be rendered. What was finished is kept; running again does the rest."""

    exit_code = 2


class TranslationError(PortrayalError):
    """Turns could not be translated. Those that could be are kept; running again does the rest."""

    exit_code = 2


class StorageError(PortrayalError):
    """Where things are kept is full, or does not answer now. What was finished is kept; running again does the rest."""

    exit_code = 2


class DownloadError(PortrayalError):
    """A server that was reached failed in the middle. What was fetched is kept; running again does the rest."""

    exit_code = 2


class LostArtifactError(PortrayalError):
    """Something that was kept is not there any more, or is damaged. Running again makes it anew."""

    exit_code = 2


class MissingEngineError(PortrayalError):
    """An engine was asked for by name, and its weights or its package are not there."""

    exit_code = 3
