"""Languages are named only where they are clear, and readers are told what the models in use do not know."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rag.languages import corpus_notice, detect, known, name, of_question, question_notice, summary
from rag.sentences import split_sentences

GOLD = Path(__file__).parents[1] / "gold" / "questions.jsonl"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The crew repaired the antenna on Sunday, although one of the gloves had begun to leak."),
        ("de", "Die Besatzung reparierte am Sonntag die Antenne, obwohl einer der Handschuhe undicht war."),
        ("fr", "L'équipage a réparé l'antenne dimanche, bien qu'un des gants ait commencé à fuir."),
        ("es", "La tripulación reparó la antena el domingo, aunque uno de los guantes tenía una fuga."),
        ("ru", "В воскресенье экипаж починил антенну, хотя одна из перчаток начала пропускать воздух."),
        ("zh", "航天员在星期天修好了天线，尽管其中一只手套已经开始漏气，地面控制中心对此表示满意。"),
        ("ar", "أصلح الطاقم الهوائي يوم الأحد على الرغم من أن أحد القفازات بدأ يتسرب منه الهواء."),
    ],
)
def test_articles(language: str, text: str) -> None:
    assert detect(text) == language
    assert detect(text.upper()) == language


@pytest.mark.parametrize(
    "text", ["", "   \n", "1969 – 1972: 12", "Mir", "Kjell Thorsen Ragnhild Dahl Baikonur Mir Soyuz"]
)
def test_what_is_not_clear_is_not_named(text: str) -> None:
    assert detect(text) == "und"
    assert split_sentences("It flew. It fell.", 0, "und") == split_sentences("It flew. It fell.", 0, "en")


def test_no_english_question_is_taken_for_another_language() -> None:
    asked = [json.loads(line)["question"] for line in GOLD.read_text("utf-8").splitlines()]
    assert len(asked) > 100
    assert [question for question in asked if of_question(question) != "en"] == []


@pytest.mark.parametrize(
    "question",
    ["Baikonur rent", "Aimbetov mission length", "Mir Shuttle Soyuz", "Rent of Baikonur?", "Salyut 1?", "2021?"],
)
def test_keywords_and_names_count_as_english(question: str) -> None:
    assert of_question(question) == "en"


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Wer war der erste Mensch im All?", "seems to be in German"),
        ("¿Cuándo se lanzó la primera estación espacial?", "seems to be in Spanish"),
        ("空间站什么时候发射？", "seems to be in Chinese"),
        ("Когда запустили Мир?", "is not in English"),
        ("Who was the first man in space?", ""),
    ],
)
def test_a_question_in_another_language_gets_a_notice(question: str, said: str) -> None:
    notice = question_notice(question, multilingual=False)
    assert bool(notice) == bool(said)
    assert said in notice
    assert question_notice(question, multilingual=True) == ""


def test_articles_in_other_languages_get_a_notice() -> None:
    notice = corpus_notice({"en": 31, "en-GB": 1, "de": 2, "fr": 1, "de-AT": 1, "und": 5}, multilingual=False)
    assert notice.startswith("4 articles are not in English (3 in German, 1 in French).")
    assert corpus_notice({"de": 1}, multilingual=False).startswith("1 article is not in English (German).")
    assert corpus_notice({"de": 1}, multilingual=True) == ""
    assert corpus_notice({"en": 4, "und": 2}, multilingual=False) == ""
    assert corpus_notice({}, multilingual=False) == ""


def test_names() -> None:
    assert [name(code) for code in ("en_US", "nn", "und", "", "qu")] == [
        "English",
        "Norwegian",
        "unknown",
        "unknown",
        "qu",
    ]
    assert [known(code) for code in ("en", "EN-us", "en_GB", "und", "eng", "de")] == [True] * 3 + [False] * 3
    assert summary({"en": 1000, "en-GB": 31, "de": 2, "und": 2}) == "English 1,031, German 2, unknown 2"


def test_english_questions_load_no_model() -> None:
    program = (
        "import sys; from rag.languages import question_notice\n"
        "assert question_notice('When did Mir fall?', multilingual=False) == ''\n"
        "assert not {'py3langid', 'numpy'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
