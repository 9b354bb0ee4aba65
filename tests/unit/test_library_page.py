"""The list of articles tells the languages where there is more than one."""

import pytest

from rag import models
from rag.chat.engine import IndexSummary
from rag.chat.library import Wanted, page
from rag.records import Listed


def listed(*languages: str) -> list[Listed]:
    return [
        Listed(f"d{number}", f"{number}.txt", f"Title {number}", None, None, None, language, 1, 2, 300)
        for number, language in enumerate(languages)
    ]


def shown(*languages: str, model: str = models.EMBEDDING.name) -> str:
    return page(listed(*languages), IndexSummary(1, 1, 1, model, "writer"), Wanted(), manage=False)


def test_english_alone_is_no_news() -> None:
    html = shown("en", "en-GB")
    assert "Language" not in html
    assert "library-note" not in html


def test_other_languages_have_a_column_and_a_note() -> None:
    html = shown("en", "de", "und", "<x>")
    assert '<th scope="col">Language</th>' in html
    assert all(f"<td>{name}</td>" in html for name in ("English", "German", "unknown", "&lt;x&gt;"))
    assert "2 articles are not in English" in html
    assert html.count("<td>") == 4 * 3


@pytest.mark.parametrize("languages", [("de",), ("en", "fr")])
def test_a_multilingual_model_needs_no_note(languages: tuple[str, ...]) -> None:
    html = shown(*languages, model="paraphrase-multilingual-MiniLM-L12-v2")
    assert "library-note" not in html
    assert '<th scope="col">Language</th>' in html
