"""The pages that list settings and JSON fields list all of them."""

import dataclasses
import json
import re
from pathlib import Path

from rag.answer_json import answer_object, passage_object
from rag.records import Answer, Document, Passage
from rag.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


def test_every_setting_is_listed_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \| (.+) \|$", (DOCS / "settings.md").read_text("utf-8"), re.M)
    listed = [(name, default) for name, default, _ in rows]
    assert listed == [(field.name, _as_toml(field.default)) for field in dataclasses.fields(Settings)]


def _as_toml(value: object) -> str:
    return json.dumps(str(value) if isinstance(value, Path) else value)


def test_every_field_that_programs_get_is_listed() -> None:
    text = (DOCS / "commands.md").read_text("utf-8")
    document = Document("d", "d.md", "Mir fell.", 0, "", "Mir")
    passage = Passage(1, document, 0, 9, 0.5)
    answer = Answer("?", "?", None, False, 0.5, "", (), (), (passage,), model="", generation="")
    for answered in (answer_object(answer), answer_object(answer)["retrieved"][0], passage_object(passage)):
        for name in answered:
            assert f"`{name}`" in text, name
