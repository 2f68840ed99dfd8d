"""A word to your phone when a training ends or fails, through any service that apprise knows.

Apprise (https://github.com/caronc/apprise) reaches Telegram, mail, Slack, ntfy and a hundred more;
each is one address, such as ``tgram://bot-token/chat-id`` or ``mailto://user:password@gmail.com``.
Such addresses hold secrets: they are handed in, never stored with the run.

Chapter: training on Colab.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from seglib.errors import SeglibError


class Notices:
    """Sends notices about one run.

    A service that cannot be reached is a warning: a training is never lost over a notice.
    """

    def __init__(self, addresses: Sequence[str], run: str) -> None:
        """Take the services' addresses; with none, nothing is sent and apprise is not needed.

        Args:
            addresses: apprise's.
            run: what the run is called in a notice.

        Raises:
            SeglibError: the `apprise` package is missing or knows no such service.
        """
        self.run = run
        self._services: Any = None
        if not addresses:
            return
        try:
            import apprise
        except ImportError as error:
            raise SeglibError(
                "notices need the apprise package; pip install apprise, or leave notify out"
            ) from error
        self._services = apprise.Apprise()
        for address in addresses:
            if not self._services.add(address):
                # What follows the scheme may be a password.
                scheme = address.split("://")[0]
                raise SeglibError(
                    f"apprise knows no service for the address that begins with {scheme!r}; "
                    "see its list at https://github.com/caronc/apprise"
                )

    def send(self, title: str, text: str) -> None:
        """Send one notice, or warn that it did not arrive."""
        if self._services is None:
            return
        if not self._services.notify(title=f"{self.run}: {title}", body=text):
            warnings.warn(f"the notice {title!r} did not reach every service", stacklevel=2)

    @contextmanager
    def of_failure(self) -> Iterator[None]:
        """Send a notice when the block fails or is interrupted, and let the error go on."""
        try:
            yield
        except BaseException as error:
            self.send("training stopped", f"{type(error).__name__}: {error}".rstrip(": "))
            raise
