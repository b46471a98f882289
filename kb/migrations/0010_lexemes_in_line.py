"""Lexemes stand in their row: a search reads those of hundreds of passages, and the text of a dozen. What was there
before moves when its document is read again."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("kb", "0009_work_of_lease")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE kb_chunk ALTER COLUMN lexemes SET STORAGE MAIN",
            "ALTER TABLE kb_chunk ALTER COLUMN lexemes SET STORAGE EXTENDED",
        )
    ]
