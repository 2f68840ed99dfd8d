"""The one error that a user can mend."""


class SeglibError(ValueError):
    """Something the caller handed in cannot be used.

    The message is one sentence that says what was wrong, where (the file's name) and what to do.
    The command line prints it and exits with code 2.
    """
