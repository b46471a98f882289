from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.reading import encoding, sniffing, source, syntaxes
from kb.reading.confined import sandbox
from kb.reading.sections import About, Section

from .reading import marked, sections


def read(folder: Path, name: str, code: str) -> list[Section]:
    path = folder / name
    path.write_text(code, encoding="utf-8")
    media_type = sniffing.supported(name)
    assert media_type is not None
    sniffing.check(path, media_type)
    return sections(source.read(path, media_type))


LEDGER = '''\
"""Accounts."""

import decimal  # for money

# What it costs.
FEE = decimal.Decimal(1)


# A ledger is a book.
@dataclass
class Ledger:
    """Entries."""

    def close(self):
        return 1
def reopen(ledger):
    pass

print(FEE)
'''


def test_it_reads(tmp_path: Path) -> None:
    found = read(tmp_path, "ledger.py", LEDGER)
    assert {(section.kind, section.syntax) for section in found} == {("code", "python")}
    assert [(section.heading_path, section.text) for section in found] == [
        ((), '"""Accounts."""'),
        ((), "import decimal  # for money"),
        ((), "# What it costs.\nFEE = decimal.Decimal(1)"),
        (("Ledger",), LEDGER[LEDGER.index("# A ledger") : LEDGER.index("\ndef reopen")]),
        (("reopen",), "def reopen(ledger):\n    pass"),
        ((), "print(FEE)"),
    ]
    assert marked(found[3])[-1] == (15, "        return 1")


def test_a_long_class_is_cut_at_its_methods(tmp_path: Path) -> None:
    body = "".join(f"    # {number}\n    def f{number}(self):\n        pass\n\n" for number in range(15))
    found = read(
        tmp_path, "a.py", f"class Long:\n    x = 1\n\n{body}    y = 2\n\nclass Short:\n    def f(self): pass\n"
    )
    assert [(section.heading_path, section.text.split("\n")[0]) for section in found] == [
        (("Long",), "class Long:"),
        *((("Long", f"f{number}"), f"    # {number}") for number in range(15)),
        (("Long",), "    y = 2"),
        (("Short",), "class Short:"),
    ]


# fmt: off
DEFINITIONS = [
    ("a.java", "/** d */\n@X\nclass A {\n}\ninterface B {\n}\nenum C {\n}\nrecord D(int a) {\n}", ["A", "B", "C", "D"]),
    ("a.go", "// d\nfunc (l *Led[T]) Close() {\n}\nfunc F() {\n}\ntype T struct {\n}", ["Led.Close", "F", "T"]),
    ("a.js", "export class A {\n}\nconst f = () => {\n}\nasync function g() {\n}\nconst x = {\n}", ["A", "f", "g", ""]),
    ("a.jsx", "function A() {\n return <b/>;\n}", ["A"]),
    ("a.ts", "namespace N {\n}\nexport interface I {\n}\n@D()\nabstract class C<T> {\n}\nenum E {\n}",
     ["N", "I", "C", "E"]),
    ("a.tsx", "export const A = () => {\n return <b/>;\n}", ["A"]),
    ("a.c", "#ifdef X\nstatic char *f(int a)\n{\n}\n#endif\nstruct s {\n};\ntypedef struct {\n} t;",
     ["", "f", "", "s", "t"]),
    ("a.h", "#ifndef H\n#define H\nint f(void);\nclass A {\n};\n#endif", ["", "A", ""]),
    ("a.cpp", "namespace n {\n}\ntemplate <class T>\nT &id(T t) {\n}\nvoid A::m() {\n}", ["n", "id", "A::m"]),
    ("a.cs", "namespace N {\n}\n/// d\n[X]\nclass A {\n}\nenum E {\n}", ["N", "A", "E"]),
    ("a.rs", "/// d\n#[x]\nstruct S {\n}\nimpl fmt::Display for S {\n}\nimpl S {\n}\nmod m;\nfn f() {\n}",
     ["S", "fmt::Display for S", "S", "", "f"]),
    ("a.rb", "# d\nmodule M\nend\nclass A < B\nend\ndef self.m\nend", ["M", "A", "m"]),
    ("a.php", "<?php\nnamespace N;\nclass A {\n}\nfunction f() {\n}", ["", "A", "f"]),
    ("a.sql", "-- d\nCREATE TABLE a.t (\n id int\n);\nCREATE VIEW v AS\nSELECT 1;\nSELECT 2,\n3;", ["a.t", "v", ""]),
    ("a.sh", "#!/bin/sh\n# d\nf() {\n}\nfunction g {\n true\n}\necho", ["f", "g", ""]),
    ("a.kt", "class A(val x: Int) {\n}\nobject O {\n}\nfun f() {\n}", ["A", "O", "f"]),
    ("a.swift", "struct S {\n}\nextension S {\n}\nprotocol P {\n}\nfunc f() {\n}", ["S", "S", "P", "f"]),
    ("a.scala", "package a\nobject O {\n}\ntrait T {\n}\ndef f = {\n 1\n}", ["", "O", "T", "f"]),
    ("a.lua", "-- d\nfunction M.close()\nend\nlocal f = function()\nend\nreturn M", ["M.close", "f", ""]),
]
# fmt: on


@pytest.mark.parametrize(("name", "code", "paths"), DEFINITIONS)
def test_definitions(tmp_path: Path, name: str, code: str, paths: list[str]) -> None:
    found = read(tmp_path, name, code)
    assert [" > ".join(section.heading_path) for section in found] == paths
    assert "\n".join(section.text for section in found) == code


def test_without_a_grammar_it_is_cut_at_blank_lines(tmp_path: Path) -> None:
    found = read(tmp_path, "a.r", "f <- function() {\n  1\n\n  2\n}\n\n\ng <- 3\n")
    assert [(section.text, section.syntax) for section in found] == [
        ("f <- function() {\n  1\n\n  2\n}", "r"),
        ("g <- 3", "r"),
    ]


@pytest.mark.parametrize("limit", ["_PARSED_MOST", "_READ_AGAIN_MOST"])
def test_what_takes_too_long_to_parse_is_cut_at_blank_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(source, limit, 0)
    found = read(tmp_path, "a.py", "def f():\n    pass\ndef g():\n    pass\n\nx = 1\n")
    assert [section.heading_path for section in found] == [(), ()]


def test_every_language_has_its_files_and_a_title() -> None:
    assert len(syntaxes.EXTENSIONS) == sum(len(syntax.extensions) for syntax in syntaxes.SYNTAXES)
    assert len(syntaxes.BY_MEDIA_TYPE) == len(syntaxes.SYNTAXES)
    assert (syntaxes.title("text/x-c++"), syntaxes.title("text/plain")) == ("C++", None)


@pytest.mark.parametrize("media_type", syntaxes.BY_MEDIA_TYPE)
def test_the_confined_child_reads_it(tmp_path: Path, media_type: str) -> None:
    path = tmp_path / "file"
    path.write_text("one\n\ntwo\n")
    about, *found = sandbox.read(path, media_type)
    assert isinstance(about, About)
    assert "".join(section.text for section in sections(found)).replace("\n", "") == "onetwo"


LINE = st.sampled_from((
    "class A:", "class A {", "}", "{", "def f():", "function f() {", "fn f() {", "func f() {", "int f() {", "end", "/*",
    "*/", "// x", "# x", "-- x", "  x = 1", "    return 1", "", " ", "@x", "#[x]", "#ifdef X", "#endif",
    "namespace N {",
    "CREATE TABLE t (", ");", "'", '"""', "é\t中 ", "<?php", "export default class {", "impl A for B {",
))  # fmt: skip


@given(st.sampled_from(syntaxes.SYNTAXES), st.lists(LINE, max_size=90), st.sampled_from(("\n", "\r\n")))
def test_every_line_comes_once_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, syntax: syntaxes.Syntax, lines: list[str], end: str
) -> None:
    path = tmp_path_factory.mktemp("source") / "file"
    path.write_bytes(end.join(lines).encode())
    found = sections(source.read(path, syntax.media_type))
    expected = [(number, line) for number, line in enumerate(encoding.whole(path).split("\n"), 1) if line.strip()]
    assert [one for section in found for one in marked(section)] == expected
    for section in found:
        first, last = section.marks[0].unit, section.marks[-1].unit
        assert section.text == "\n".join(lines[first - 1 : last])
