"""Write the development split as a SQuAD file: ``python training/development.py --data DIR --out FILE``.

All articles of the reading set are in it, but only the questions of the held-back ones, so that ``rag eval`` asks
them to an index of everything.
"""

import argparse
import json
from pathlib import Path

from reader.data import is_development, read_articles


def squad(paragraphs: list[dict], title: str, number: int) -> dict:
    """One article in SQuAD's form."""
    result = []
    for position, paragraph in enumerate(paragraphs):
        qas = [
            {
                "id": f"{number}-{position}-{index}",
                "question": qa["question"],
                "is_impossible": not qa["answers"],
                "answers": [{"text": answer["text"], "answer_start": answer["start"]} for answer in qa["answers"]],
            }
            for index, qa in enumerate(paragraph["qas"])
        ]
        result.append({"context": paragraph["context"], "qas": qas if is_development(title) else []})
    return {"title": title, "paragraphs": result}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of reading_train.jsonl")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    articles = read_articles(options.data / "reading_train.jsonl")
    data = [squad(paragraphs, title, number) for number, (title, paragraphs) in enumerate(articles.items())]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"version": "v2.0", "data": data}, ensure_ascii=False), "utf-8")


if __name__ == "__main__":
    main()
