import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.reading.office import number_formats

ACCOUNTING = '_-* #,##0.00_-;\\-* #,##0.00_-;_-* "-"??_-;_-@_-'


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        ("0.30000000000000004", "General", "0.3"),
        ("33.333333333333336", "", "33.33333333"),
        ("1234567890123", "General", "1234567890123"),
        ("1e300", "General", "1e+300"),
        ("1234.5", "#,##0.00", "1,234.50"),
        ("2.5", "0", "3"),
        ("7", "000", "007"),
        ("-1234.5", "#,##0.00;[Red](#,##0.00)", "(1,234.50)"),
        ("-0.001", "0.00", "0.00"),
        ("0.125", "0.0%", "12.5%"),
        ("12.5", '0.0"%"', "12.5%"),
        ("1234567", '0.0,,"M"', "1.2M"),
        ("0.5", "#.##", "0.5"),
        ("0", "#", ""),
        ("6.022e23", "0.00E+00", "6.02E+23"),
        ("12", '0" kg"', "12 kg"),
        ("1234.5", "[$€-407] #,##0.00", "€ 1,234.50"),
        ("1234.5", "#,##0.00\\ [$€-407]", "1,234.50 €"),
        ("-5", ACCOUNTING, "-5.00"),
        ("0", ACCOUNTING, "-"),
        ("0", '0;-0;"none"', "none"),
        ("3", ";;;", ""),
        ("5551234", "000\\-0000", "5551234"),
        ("1.5", "# ?/?", "1.5"),
        ("5", '[>=10]"many";0', "5"),
        ("45352", "yyyy-mm-dd", "2024-03-01"),
        ("45352", "mmm yy", "2024-03-01"),
        ("45352", 'yyyy"年"m"月"d"日"', "2024-03-01"),
        ("45352.5", "m/d/yy h:mm", "2024-03-01 12:00"),
        ("45352.999999", "h:mm:ss", "00:00:00"),
        ("0.5", "h:mm AM/PM", "12:00"),
        ("1.25", "[h]:mm", "30:00"),
        ("-0.5", "[h]:mm:ss", "-12:00:00"),
        ("59", "d", "1900-02-28"),
        ("61", "d", "1900-03-01"),
        ("-1", "yyyy-mm-dd", "-1"),
        ("1e9", "yyyy-mm-dd", "1000000000"),
        ("45352", "[Red]General", "45352"),
        ("many", "0.00", "many"),
        ("nan", "0.00", "nan"),
        ("sNaN", "0.00", "sNaN"),
        ("1e999", "0.00", "1e999"),
    ],
)
def test_it_shows_what_people_see(value: str, code: str, shown: str) -> None:
    assert number_formats.shown(value, code) == shown


def test_the_calendar_of_1904() -> None:
    assert number_formats.shown("0", "yyyy-mm-dd", from_1904=True) == "1904-01-01"


@given(st.floats() | st.integers(), st.text('0#?.,%E+-;[]hmsydeg$"\\_*@/ General', max_size=30))
def test_no_code_breaks_it(number: float, code: str) -> None:
    number_formats.shown(str(number), code)
