"""Fields have names that are shown and translated in the console. Nothing changes in the database."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('embeddings', '0004_leading'),
        ('kb', '0010_lexemes_in_line'),
    ]

    operations = [
        migrations.AlterField(
            model_name='accesstoken',
            name='prefix',
            field=models.CharField(editable=False, max_length=8, verbose_name='begins with'),
        ),
        migrations.AlterField(
            model_name='chunk',
            name='anchor',
            field=models.JSONField(verbose_name='place'),
        ),
        migrations.AlterField(
            model_name='chunk',
            name='content_hash',
            field=models.CharField(max_length=64, verbose_name='fingerprint of the text'),
        ),
        migrations.AlterField(
            model_name='chunk',
            name='context',
            field=models.TextField(blank=True, help_text="Given to the encoder in front of the text: headings, a table's header row.", verbose_name='context'),
        ),
        migrations.AlterField(
            model_name='chunk',
            name='end',
            field=models.PositiveIntegerField(verbose_name='to character'),
        ),
        migrations.AlterField(
            model_name='chunk',
            name='heading_path',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), default=list, size=None, verbose_name='headings'),
        ),
        migrations.AlterField(
            model_name='chunk',
            name='kind',
            field=models.CharField(max_length=10, verbose_name='kind'),
        ),
        migrations.AlterField(
            model_name='chunk',
            name='revision',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='chunks', to='kb.revision', verbose_name='revision'),
        ),
        migrations.AlterField(
            model_name='chunk',
            name='start',
            field=models.PositiveIntegerField(verbose_name='from character'),
        ),
        migrations.AlterField(
            model_name='collection',
            name='slug',
            field=models.SlugField(allow_unicode=True, max_length=80, unique=True, verbose_name='name in addresses'),
        ),
        migrations.AlterField(
            model_name='collection',
            name='updated_at',
            field=models.DateTimeField(auto_now=True, verbose_name='changed'),
        ),
        migrations.AlterField(
            model_name='document',
            name='created_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by'),
        ),
        migrations.AlterField(
            model_name='document',
            name='metadata',
            field=models.JSONField(blank=True, default=dict, verbose_name='metadata'),
        ),
        migrations.AlterField(
            model_name='document',
            name='updated_at',
            field=models.DateTimeField(auto_now=True, verbose_name='changed'),
        ),
        migrations.AlterField(
            model_name='embeddingwork',
            name='chunk',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='kb.chunk', verbose_name='passage'),
        ),
        migrations.AlterField(
            model_name='embeddingwork',
            name='id',
            field=models.BigAutoField(primary_key=True, serialize=False, verbose_name='number'),
        ),
        migrations.AlterField(
            model_name='embeddingwork',
            name='lease_expires_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='leased until'),
        ),
        migrations.AlterField(
            model_name='embeddingwork',
            name='lease_token',
            field=models.UUIDField(blank=True, null=True, verbose_name='lease'),
        ),
        migrations.AlterField(
            model_name='embeddingwork',
            name='next_attempt_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='next attempt'),
        ),
        migrations.AlterField(
            model_name='embeddingwork',
            name='owner',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='owner'),
        ),
        migrations.AlterField(
            model_name='embeddingwork',
            name='space',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='embeddings.space', verbose_name='space'),
        ),
        migrations.AlterField(
            model_name='languagemean',
            name='collection',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='language_means', to='kb.collection', verbose_name='collection'),
        ),
        migrations.AlterField(
            model_name='languagemean',
            name='space',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='embeddings.space', verbose_name='space'),
        ),
        migrations.AlterField(
            model_name='languagemean',
            name='updated_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='changed'),
        ),
        migrations.AlterField(
            model_name='revision',
            name='document',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='revisions', to='kb.document', verbose_name='document'),
        ),
        migrations.AlterField(
            model_name='revision',
            name='file',
            field=models.FileField(max_length=200, upload_to='', verbose_name='file'),
        ),
        migrations.AlterField(
            model_name='revision',
            name='lease_expires_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='leased until'),
        ),
        migrations.AlterField(
            model_name='revision',
            name='lease_token',
            field=models.UUIDField(blank=True, null=True, verbose_name='lease'),
        ),
        migrations.AlterField(
            model_name='revision',
            name='next_attempt_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='next attempt'),
        ),
        migrations.AlterField(
            model_name='revision',
            name='progress_done',
            field=models.PositiveIntegerField(default=0, verbose_name='done'),
        ),
        migrations.AlterField(
            model_name='revision',
            name='progress_total',
            field=models.PositiveIntegerField(default=0, verbose_name='to do'),
        ),
        migrations.AlterField(
            model_name='revision',
            name='published_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='published'),
        ),
        migrations.AlterField(
            model_name='revision',
            name='reader',
            field=models.CharField(blank=True, max_length=60, verbose_name='reader'),
        ),
        migrations.AlterField(
            model_name='revision',
            name='sha256',
            field=models.CharField(db_index=True, max_length=64, verbose_name='SHA-256'),
        ),
        migrations.AlterField(
            model_name='revision',
            name='uploaded_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='uploaded by'),
        ),
        migrations.AlterField(
            model_name='revision',
            name='warnings',
            field=models.JSONField(blank=True, default=list, verbose_name='what was not read'),
        ),
    ]
