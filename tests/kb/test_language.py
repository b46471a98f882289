import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb import language


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("How many days of annual leave do I have?", "en"),
        ("Wie viele Urlaubstage habe ich?", "de"),
        ("¿Cuántos días de vacaciones tengo?", "es"),
        ("Combien de jours de congé ai-je ?", "fr"),
        ("Сколько дней отпуска мне положено?", "ru"),
        ("Скільки днів відпустки я маю?", "uk"),
        ("كم عدد أيام الإجازة السنوية؟", "ar"),
        ("چند روز مرخصی سالانه دارم؟", "fa"),
        ("年假有多少天？", "zh"),
        ("有給休暇は何日ありますか。", "ja"),
        ("カタカナ", "ja"),
        ("연차는 며칠인가요?", "ko"),
        ("ฉันมีวันลาพักร้อนกี่วัน", "th"),
        ("Πόσες ημέρες άδειας έχω;", "el"),
        ("כמה ימי חופשה יש לי?", "he"),
        ("मेरे पास कितने दिन की छुट्टी है?", "hi"),
    ],
)
def test_it_works(text: str, code: str) -> None:
    assert language.identify(text) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("我们使用 Kubernetes 和 PostgreSQL 部署", "zh"),
        ("The company 字节跳动 was founded in Beijing in 2012.", "en"),
        ("中文里引用了一个假名の，其余全部都是汉字。", "zh"),
        ("PostgreSQL のインストール手順 (Debian GNU/Linux)", "ja"),
        ("PDF を Word に変換", "ja"),
        ("Windows 11에서 WSL 설치", "ko"),
        ("Как установить PostgreSQL на Debian", "ru"),
    ],
)
def test_a_mixed_text_is_in_the_language_of_most_words(text: str, code: str) -> None:
    assert language.identify(text) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("日本語能力試験", "ja"),
        ("東京都庁", "ja"),
        ("劳动合同法", "zh"),
        ("國立臺灣大學圖書館", "zh"),
        ("大学", "zh"),
    ],
)
def test_without_kana_the_forms_of_characters_decide(text: str, code: str) -> None:
    assert language.identify(text) == code


@pytest.mark.parametrize("text", ["", " \n", "12 - 3.5 %", "😀", "ᚠᚢᚦ", "S0 | 2024-01 | 6.0\nS1 | 2024-02 | 6.1"])
def test_without_letters_that_we_know_it_is_undetermined(text: str) -> None:
    assert language.identify(text) == language.UNKNOWN


@given(st.text())
def test_any_text_has_a_code(text: str) -> None:
    code = language.identify(text)
    assert 2 <= len(code) <= 8
    assert code.isascii()
    assert code.islower()


class TestChances:
    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("Wo ist die Pumpe?", "de"),
            ("年假怎么算", "zh"),
            ("有給休暇の申請", "ja"),
            ("연차휴가", "ko"),
            ("カタカナ", "ja"),
            ("中文里引用了一个假名の，其余全部都是汉字。", "zh"),
            ("磁盘分区", "zh"),
            ("経費精算", "ja"),
            ("会社規定", "ja"),
            ("annual leave", "en"),
            ("remote work KB-2041", "en"),
            ("Docker 磁盘分区", "zh"),
            ("2016年超级碗50", "zh"),
            ("KB-2041 отпуск сотрудников", "ru"),
            ("KB-2041/7", "und"),
            ("", "und"),
        ],
    )
    def test_one_language_where_it_is_certain(self, text, code):
        assert language.chances(text) == {code: 1.0}

    def test_several_where_a_word_belongs_to_several(self):
        found = language.chances("administration")
        assert {"en", "fr"} <= set(found)
        assert sum(found.values()) == pytest.approx(1)

    @pytest.mark.parametrize(
        ("text", "codes"),
        [
            ("the tide rises", {"en", "da"}),
            ("disk partition", {"en", "fr"}),
            ("licencia anual", {"es", "gl"}),
            ("password dimenticata", {"en", "it"}),
            ("वार्षिक अवकाश", {"hi", "ne"}),
            ("休暇申請", {"zh", "ja"}),
            ("管理者", {"zh", "ja"}),
        ],
    )
    def test_few_words_may_be_in_several(self, text, codes):
        assert codes <= set(language.chances(text))

    def test_a_text_in_two_scripts_may_be_in_a_language_of_each(self):
        found = language.chances("KB-2041 磁盘 installation guide")
        assert found["zh"] == pytest.approx(0.5)
        assert found["en"] > 0.1

    @given(st.text())
    def test_chances_add_up(self, text):
        assert sum(language.chances(text).values()) == pytest.approx(1)
