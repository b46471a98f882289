"""The space of a run and its name then are told apart in the console. Nothing changes in the database."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('embeddings', '0004_leading'),
        ('search', '0005_names_of_fields'),
    ]

    operations = [
        migrations.AlterField(
            model_name='evaluationrun',
            name='space',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='embeddings.space', verbose_name='space measured'),
        ),
        migrations.AlterField(
            model_name='evaluationrun',
            name='space_name',
            field=models.CharField(max_length=200, verbose_name='name of the space then'),
        ),
    ]
