"""Fields have names that are shown and translated in the console. Nothing changes in the database."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('search', '0004_run_reranker'),
    ]

    operations = [
        migrations.AlterField(
            model_name='searchlogentry',
            name='offset',
            field=models.PositiveIntegerField(default=0, verbose_name='hits before'),
        ),
    ]
