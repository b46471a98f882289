"""What the doctor says beside what is wrong."""

import pytest
from django.core.management import call_command

from kb.models import Collection

pytestmark = pytest.mark.django_db

TESSERACT = "#!/bin/sh\nprintf 'List of available languages (3):\\neng\\ndeu\\nosd\\n'\n"


def said(capsys) -> str:
    call_command("doctor")
    return capsys.readouterr().out


def test_which_scans_are_recognised(collection, tmp_path, monkeypatch, capsys):
    Collection.objects.update(ocr_languages="eng+chi_sim")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "Scans are not recognised: Tesseract is not installed." in said(capsys)
    (tmp_path / "tesseract").write_text(TESSERACT)
    (tmp_path / "tesseract").chmod(0o755)
    assert "Scans are recognised in eng. Tesseract has no data for chi_sim." in said(capsys)
    Collection.objects.update(ocr_languages="deu")
    assert "Scans are recognised in deu.\n" in said(capsys)
