"""Progress lines: plain on standard output where nobody has set up logging, else left to whoever has."""

import logging

from hrnet_keras.logs import plain_lines

LOGGER = logging.getLogger("hrnet_keras.training")


def test_lines_are_plain_and_end_with_the_context(capsys):
    with plain_lines():
        LOGGER.info("device: %s", "CPU")
        LOGGER.warning("no score")
    LOGGER.info("later")
    printed = capsys.readouterr()
    assert printed.out == "device: CPU\n" and printed.err == "hrnet-keras: no score\n"
    package = logging.getLogger("hrnet_keras")
    assert not package.handlers and package.propagate and package.level == logging.NOTSET


def test_nested_contexts_show_a_line_once(capsys):
    with plain_lines(), plain_lines():
        LOGGER.info("once")
    assert capsys.readouterr().out == "once\n"


def test_a_program_that_takes_the_lines_itself_gets_them(capsys, caplog):
    with caplog.at_level("INFO"), plain_lines():
        LOGGER.info("device")
    assert capsys.readouterr().out == "" and "device" in caplog.text


def test_nothing_appears_where_nothing_is_wanted(capsys):
    with plain_lines(wanted=False):
        LOGGER.info("device")
    assert capsys.readouterr().out == ""
