"""The package's progress lines and warnings, for a command or a notebook whose logging nobody has set up."""

import contextlib
import logging
import sys
from collections.abc import Iterator


class _PlainHandler(logging.Handler):
    """Prints progress on standard output as it stands, warnings on standard error under the command's name."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.WARNING:
            print(self.format(record), flush=True)
        else:
            print(f"hrnet-keras: {self.format(record)}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def plain_lines(*, wanted: bool = True) -> Iterator[None]:
    """While it lasts, lines of level INFO appear on standard output, warnings on standard error, as plain text.

    Nothing changes where the program has handlers that take such lines already: they come in its own format.

    Args:
        wanted: whether lines are to appear; without them only warnings do, where the program shows warnings.
    """
    logger = logging.getLogger("hrnet_keras")
    if not wanted or (logger.isEnabledFor(logging.INFO) and logger.hasHandlers()):
        yield
        return
    handler = _PlainHandler()
    level = logger.level
    propagates = logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    # Otherwise a handler of the root logger, as Colab has one, shows every line again.
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates
