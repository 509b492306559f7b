"""The AT parser: transcripts of modems, replayed in every cut; hostile input; bounds."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from masqgate.link.at import MAX_LINE, Final, Garbage, Information, Line, Parser, Result
from masqgate.link.at import Unsolicited as Free

FOLDER = Path(__file__).with_name("transcripts")
TRANSCRIPTS = sorted(FOLDER.glob("*.txt"))


def said(path: Path) -> bytes:
    lines = [line[2:] for line in path.read_text().splitlines() if line.startswith("< ")]
    return b"".join(line.encode("latin-1").decode("unicode_escape").encode("latin-1")
                    for line in lines)  # fmt: skip


def wanted(path: Path) -> list[str]:
    return [line[2:] for line in path.read_text().splitlines() if line.startswith("= ")]


def told(line: Line) -> str:
    match line:
        case Result(final, _, rate, code):
            words = ["result", final.name]
            words += [str(rate)] if rate is not None else []
            words += [f"code {code}"] if code is not None else []
            return " ".join(words)
        case Information(text):
            return f"info {text}"
        case Free(text):
            return f"unsolicited {text}"
        case Garbage():
            return "garbage"


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcripts_are_understood_whole_and_byte_by_byte(path: Path) -> None:
    data = said(path)
    assert [told(line) for line in Parser().feed(data)] == wanted(path)
    parser = Parser()
    pieces = [line for at in range(len(data)) for line in parser.feed(data[at : at + 1])]
    assert [told(line) for line in pieces] == wanted(path)


@given(st.sampled_from(TRANSCRIPTS), st.lists(st.integers(0, 400), max_size=8))
def test_transcripts_are_understood_in_any_cut(path: Path, cuts: list[int]) -> None:
    data, parser = said(path), Parser()
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    lines = [line for a, b in itertools.pairwise(edges) for line in parser.feed(data[a:b])]
    assert [told(line) for line in lines] == wanted(path)


@given(st.binary(max_size=2000), st.integers(1, 50))
def test_any_bytes_give_lines_and_never_an_error(data: bytes, size: int) -> None:
    parser = Parser()
    for at in range(0, len(data), size):
        for line in parser.feed(data[at : at + size]):
            text = getattr(line, "text", "")
            assert text.isprintable() and text.isascii() and len(text) <= MAX_LINE


def test_a_megabyte_without_a_line_end_is_garbage_of_bounded_size() -> None:
    parser = Parser()
    for _ in range(256):
        assert list(parser.feed(b"x" * 4096)) == []
        assert len(parser._line) <= MAX_LINE
    assert list(parser.feed(b"\r\nOK\r\n")) == [Garbage(1 << 20), Result(Final.OK, "OK")]


def test_nuls_are_no_part_of_a_line() -> None:
    assert list(Parser().feed(b"\0O\0K\0\r\n\0")) == [Result(Final.OK, "OK")]


def test_a_result_within_other_text_is_none() -> None:
    for text in (b"OKAY", b"IS BUSY", b"NO CARRIER LOST", b"CONNECTED", b'+COPS: 0,0,"OK",7'):
        assert [type(line) for line in Parser().feed(text + b"\r\n")] == [Information]
