"""Question sets → gold questions: our own lines, SQuAD v1.1 and v2.0, and BEIR.

A set that brings its own articles (SQuAD, BEIR) is given as questions and texts; ``write_corpus`` makes the texts
a corpus to index, without a character changed. NUL characters and lone surrogates, which no text file can hold,
become U+FFFD everywhere, one for one, so that offsets stay right.
"""

import dataclasses
import hashlib
import json
import random
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from rag.errors import UsageError
from rag.records import Role, Turn

Kind = Literal["answerable", "unanswerable", "follow-up", "two-articles"]

MAX_QUESTION = 2_000
"""Characters, as for any question that is asked."""

_KINDS = get_args(Kind)
_ROLES = get_args(Role)
_QRELS_HEADER = ["query-id", "corpus-id", "score"]
_MAX_TITLE = 200
_MAX_STEM = 80

_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")
_NOT_IN_YAML = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_RESERVED_BY_WINDOWS = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)

_FORMATS = "Name a .jsonl file of your own questions, a .json file of SQuAD or an unpacked folder of BEIR."
_OWN_LINE = 'Write each line as {"id": "…", "question": "…", "answers": ["…"]}.'
_SQUAD_SHAPE = (
    'SQuAD is {"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"id": …, "question": …, "answers": …}]}]}]};'
    " a file with an object a line must be named .jsonl."
)
_QUERY_LINE = 'Write each line as {"_id": "…", "text": "…"}.'
_CORPUS_LINE = 'Write each line as {"_id": "…", "title": "…", "text": "…"}.'
_QRELS_LINE = "Write a query's id, a document's id and a whole number, with tabs between them."


@dataclass(frozen=True, slots=True)
class GoldPassage:
    """Where the answer stands."""

    document: str
    """Path in the corpus; for a set that brings texts, the name under which ``write_corpus`` writes it."""
    text: str | None
    """The exact passage in it; None: the whole document."""
    relevance: int = 1
    """Positive; graded in BEIR."""


@dataclass(frozen=True, slots=True)
class GoldQuestion:
    """A question whose answer is known."""

    id: str
    question: str
    kind: Kind
    history: tuple[Turn, ...]
    answers: tuple[tuple[str, ...], ...]
    """Alternatives for each part that the answer must contain; none where unanswerable or not judged."""
    passages: tuple[GoldPassage, ...]
    judged: bool = True
    """False: only what is retrieved is judged, because the set knows no answers (BEIR)."""


@dataclass(frozen=True, slots=True)
class SetText:
    """A text that a set brings with it."""

    file: str
    """A safe name that no other text of the set has, whatever the case of its letters; ends in ``.md``."""
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """At least one question, and the texts that they are asked about unless these are the user's own corpus."""

    name: str
    questions: tuple[GoldQuestion, ...]
    texts: tuple[SetText, ...] = ()

    @property
    def key(self) -> str:
        """A file name for what is kept of the texts; other texts have another one."""
        digest = hashlib.sha256()
        for text in self.texts:
            digest.update(f"{text.file}\0{text.title}\0{text.text}\0".encode())
        return f"{_FileNames().give(self.name).removesuffix('.md')}-{digest.hexdigest()[:12]}"

    def sample(self, count: int) -> "QuestionSet":
        """At most ``count`` of the questions in their order, always the same ones."""
        if count >= len(self.questions):
            return self
        chosen = sorted(random.Random(0).sample(range(len(self.questions)), count))  # noqa: S311 - no secret
        return dataclasses.replace(self, questions=tuple(self.questions[position] for position in chosen))


def read_question_set(path: Path) -> QuestionSet:
    """Read a folder as BEIR, a ``.json`` file as SQuAD, and any other file as lines of our own.

    Raises:
        UsageError: it cannot be read or is malformed; names the line or the place in the JSON.
    """
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if is_folder:
        return _read_beir(path)
    if path.suffix.lower() == ".json":
        return _read_squad(path)
    return _read_own(path)


def write_corpus(texts: Sequence[SetText], folder: Path) -> None:
    """Write each text as a Markdown file with its title as front matter; empty texts are skipped.

    Files of the same names are overwritten; others in the folder stay.

    Raises:
        UsageError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for text in texts:
            if not _is_blank(text.text):
                # As bytes: writing text would translate line ends on some systems, and passages are exact.
                (folder / text.file).write_bytes((_front_matter(text.title) + text.text).encode())
    except OSError as error:
        problem = f"Cannot write the texts of the question set to {folder}: {error.strerror}"
        raise UsageError(problem, "Check its permissions and the space left.") from error


def _front_matter(title: str) -> str:
    """Always with a field: an empty block would take a text that begins with ``---`` for its own."""
    line = " ".join(_NOT_IN_YAML.sub(" ", title).split())[:_MAX_TITLE]
    return f"---\ntitle: {json.dumps(line, ensure_ascii=False)}\n---\n"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a file something stands, for messages."""

    path: Path
    spot: str
    """``line 3`` or ``data[0].paragraphs[1]``."""

    def error(self, problem: str, remedy: str) -> UsageError:
        return UsageError(f"{self.path}, {self.spot}: {problem}", remedy)


@dataclass(slots=True)
class _Ids:
    """Every id that was read, and where."""

    key: str
    remedy: str
    seen: dict[str, str] = field(default_factory=dict)

    def read(self, row: Mapping[str, Any], place: _Place, default: str | None = None) -> str:
        value = row.get(self.key)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise place.error(f'no "{self.key}" that is a string or a whole number', self.remedy)
        name = _clean(str(value))
        if not name.strip():
            raise place.error(f'the "{self.key}" is empty', self.remedy)
        if name in self.seen:
            raise place.error(f"the id {_shown(name)} was already used in {self.seen[name]}", "Give each its own id.")
        self.seen[name] = place.spot
        return name


@dataclass(slots=True)
class _FileNames:
    """Safe file names on every system, each given once."""

    taken: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)

    def give(self, name: str) -> str:
        ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", ascii_only).strip("._-")[:_MAX_STEM].rstrip("._-") or "text"
        if _RESERVED_BY_WINDOWS.match(stem):
            stem = f"text-{stem}"
        candidate = stem
        while candidate.lower() in self.taken:
            # Counting on from the last one keeps many equal names linear.
            self.counts[stem.lower()] = count = self.counts.get(stem.lower(), 1) + 1
            candidate = f"{stem}-{count}"
        self.taken.add(candidate.lower())
        return f"{candidate}.md"


# Our own lines


def _read_own(path: Path) -> QuestionSet:
    ids = _Ids("id", _OWN_LINE)
    questions = tuple(_own_question(row, place, ids) for place, row in _json_lines(path, _OWN_LINE))
    return _question_set(path, path.stem, questions)


def _own_question(row: Mapping[str, Any], place: _Place, ids: _Ids) -> GoldQuestion:
    name = ids.read(row, place, default=place.spot.removeprefix("line "))
    question = _question(row, "question", place, _OWN_LINE)
    history = _history(row.get("history"), place)
    answers = _own_answers(row.get("answers"), place)
    return GoldQuestion(
        id=name,
        question=question,
        kind=_kind(row.get("kind"), history, answers, place),
        history=history,
        answers=answers,
        passages=_own_passages(row, place),
    )


def _own_answers(value: Any, place: _Place) -> tuple[tuple[str, ...], ...]:
    if not isinstance(value, list):
        problem = 'no "answers" that is a list'
        raise place.error(problem, 'Write "answers": ["…"], or [] where the articles do not say.')
    if not value:
        return ()
    parts = value if isinstance(value[0], list) else [value]
    if not all(isinstance(part, list) and part and all(map(_is_filled, part)) for part in parts):
        problem = '"answers" is neither a list of strings nor a list of lists of strings, none of them empty'
        raise place.error(problem, 'Write ["one way to say it", "another"], or a list of these for each part.')
    return tuple(tuple(_clean(text) for text in part) for part in parts)


def _history(value: Any, place: _Place) -> tuple[Turn, ...]:
    remedy = 'Write it as [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}].'
    if value is None:
        return ()
    if not isinstance(value, list):
        raise place.error('"history" is not a list', remedy)
    for number, turn in enumerate(value):
        if not isinstance(turn, dict) or not isinstance(turn.get("content"), str):
            raise place.error(f'history[{number}] has no "content" that is a string', remedy)
        if turn.get("role") not in _ROLES:
            raise place.error(f'the role of history[{number}] is neither "user" nor "assistant"', remedy)
    return tuple(Turn(turn["role"], _clean(turn["content"])) for turn in value)


def _kind(value: Any, history: Sequence[Turn], answers: Sequence[Sequence[str]], place: _Place) -> Kind:
    fitting = _fitting_kinds(history, answers)
    if value is None:
        return fitting[0]
    if value not in _KINDS:
        raise place.error(f'"kind" is none of {", ".join(_KINDS)}', "Write one of these, or leave it out.")
    for kind in fitting:
        if value == kind:
            return kind
    problem = f'"kind" is {value}, but by its history and answers the question is {fitting[0]}'
    remedy = "Leave it out, or mend them: unanswerable has no answers, follow-up a history, two-articles several parts."
    raise place.error(problem, remedy)


def _fitting_kinds(history: Sequence[Turn], answers: Sequence[Sequence[str]]) -> tuple[Kind, ...]:
    """The one to assume comes first; a follow-up question with several parts may be counted as either."""
    if not answers:
        return ("unanswerable",)
    if len(answers) > 1:
        return ("two-articles", "follow-up") if history else ("two-articles",)
    return ("follow-up",) if history else ("answerable",)


def _own_passages(row: Mapping[str, Any], place: _Place) -> tuple[GoldPassage, ...]:
    documents = _strings(row, "document", place)
    evidence = _strings(row, "evidence", place)
    if documents is None and evidence is not None:
        raise place.error('"evidence" without "document"', 'Name the file that it stands in as "document".')
    if documents is None:
        return ()
    if evidence is None:
        return tuple(GoldPassage(document, None) for document in documents)
    if len(documents) != len(evidence):
        problem = f'"document" names {len(documents)} and "evidence" {len(evidence)}'
        raise place.error(problem, "Give one passage for each document, in the same order.")
    return tuple(GoldPassage(document, text) for document, text in zip(documents, evidence, strict=True))


def _strings(row: Mapping[str, Any], key: str, place: _Place) -> list[str] | None:
    value = row.get(key)
    if value is None:
        return None
    values = value if isinstance(value, list) else [value]
    if not all(map(_is_filled, values)):
        raise place.error(f'"{key}" is no string or list of strings, or one is empty', "Mend it or leave it out.")
    return [_clean(text) for text in values]


# SQuAD


def _read_squad(path: Path) -> QuestionSet:
    root = _json_file(path)
    if not isinstance(root, dict) or not isinstance(root.get("data"), list):
        raise UsageError(f'{path} has no "data" that is a list', _SQUAD_SHAPE)
    ids, names = _Ids("id", _SQUAD_SHAPE), _FileNames()
    questions: list[GoldQuestion] = []
    texts: list[SetText] = []
    for place, article in _objects(root, "data", _Place(path, "")):
        title = _title(article, place, _SQUAD_SHAPE)
        paragraphs = list(_objects(article, "paragraphs", place))
        contexts = [_context(paragraph, spot) for spot, paragraph in paragraphs]
        file = names.give(title)
        texts.append(SetText(file, title.replace("_", " "), "\n\n".join(contexts)))
        for (spot, paragraph), context in zip(paragraphs, contexts, strict=True):
            rows = _objects(paragraph, "qas", spot)
            questions += [_squad_question(row, where, ids, GoldPassage(file, context)) for where, row in rows]
    return _question_set(path, path.stem, questions, texts)


def _objects(parent: Mapping[str, Any], key: str, place: _Place) -> Iterator[tuple[_Place, dict[str, Any]]]:
    values = parent.get(key)
    if not isinstance(values, list):
        raise place.error(f'no "{key}" that is a list', _SQUAD_SHAPE)
    for number, value in enumerate(values):
        inner = _Place(place.path, f"{place.spot}.{key}[{number}]".removeprefix("."))
        if not isinstance(value, dict):
            raise inner.error("not an object", _SQUAD_SHAPE)
        yield inner, value


def _context(paragraph: Mapping[str, Any], place: _Place) -> str:
    context = paragraph.get("context")
    if not isinstance(context, str) or _is_blank(context):
        raise place.error('no "context" that is a string with text in it', _SQUAD_SHAPE)
    return _clean(context)


def _squad_question(row: Mapping[str, Any], place: _Place, ids: _Ids, passage: GoldPassage) -> GoldQuestion:
    alternatives = _squad_answers(row, place, passage.text or "")
    impossible = row.get("is_impossible", not alternatives)
    if not isinstance(impossible, bool):
        raise place.error('"is_impossible" is neither true nor false', "Write one of these.")
    if impossible and alternatives:
        raise place.error('answers although "is_impossible" is true', "Mend one of them.")
    if not impossible and not alternatives:
        raise place.error('no answers although "is_impossible" is false', "Mend one of them.")
    return GoldQuestion(
        id=ids.read(row, place),
        question=_question(row, "question", place, _SQUAD_SHAPE),
        kind="unanswerable" if impossible else "answerable",
        history=(),
        answers=(alternatives,) if alternatives else (),
        passages=(passage,),
    )


def _squad_answers(row: Mapping[str, Any], place: _Place, context: str) -> tuple[str, ...]:
    """Each once, in their order."""
    if "answers" not in row and row.get("is_impossible") is True:
        return ()
    texts = [_squad_answer(answer, where, context) for where, answer in _objects(row, "answers", place)]
    return tuple(dict.fromkeys(texts))


def _squad_answer(answer: Mapping[str, Any], place: _Place, context: str) -> str:
    text, start = answer.get("text"), answer.get("answer_start")
    if not isinstance(text, str) or not text.strip():
        raise place.error('no "text" that is a string with text in it', _SQUAD_SHAPE)
    if isinstance(start, bool) or not isinstance(start, int):
        raise place.error('no "answer_start" that is a whole number', "Count the characters before the answer.")
    text = _clean(text)
    if start < 0 or not context.startswith(text, start):
        problem = f"the answer {_shown(text)} does not stand at {_cut(str(start))} in its context"
        found = context.find(text)
        remedy = (
            "Copy it from the context."
            if found < 0
            else f"It first stands at {found}, counted in characters, not bytes."
        )
        raise place.error(problem, remedy)
    return text


# BEIR


@dataclass(frozen=True, slots=True)
class _Judgement:
    """A line of the qrels."""

    place: _Place
    query: str
    document: str
    relevance: int


def _read_beir(folder: Path) -> QuestionSet:
    corpus, queries, qrels = _beir_files(folder)
    relevant = _judgements(qrels)
    questions = _queries(queries, {judgement.query for judgement in relevant})
    texts = _beir_texts(corpus)
    _check_known(((judgement.query, judgement.place) for judgement in relevant), "queries", queries, questions)
    _check_known(((judgement.document, judgement.place) for judgement in relevant), "documents", corpus, texts)
    passages: dict[str, list[GoldPassage]] = {}
    for judgement in relevant:
        passage = GoldPassage(texts[judgement.document].file, None, judgement.relevance)
        passages.setdefault(judgement.query, []).append(passage)
    gold = [
        GoldQuestion(name, question, "answerable", (), (), tuple(passages[name]), judged=False)
        for name, question in questions.items()
    ]
    return _question_set(folder, folder.resolve().name, gold, texts.values())


def _beir_files(folder: Path) -> tuple[Path, Path, Path]:
    corpus, queries, test = folder / "corpus.jsonl", folder / "queries.jsonl", folder / "qrels" / "test.tsv"
    try:
        others = [path for path in sorted((folder / "qrels").glob("*.tsv")) if not path.name.startswith(".")]
        qrels = [test] if test.is_file() else others
        missing = [path.name for path in (corpus, queries) if not path.is_file()]
    except OSError as error:
        raise _unreadable(folder, error) from error
    missing += [] if qrels else ["qrels/test.tsv"]
    if missing:
        raise UsageError(f"The folder {folder} is no question set of BEIR: it lacks {' and '.join(missing)}", _FORMATS)
    if len(qrels) > 1:
        problem = f"{folder / 'qrels'} holds several files and no test.tsv: {', '.join(path.name for path in qrels)}"
        raise UsageError(problem, "Name the one to use test.tsv.")
    return corpus, queries, qrels[0]


def _judgements(path: Path) -> list[_Judgement]:
    """Those with a positive score; of two for the same pair the later one counts, as in BEIR's own code."""
    lines = _lines(path)
    place, header = next(lines, (_Place(path, "line 1"), ""))
    if header.split("\t") != _QRELS_HEADER:
        remedy = f"Write the line {' '.join(_QRELS_HEADER)}, with tabs between the words, before the others."
        raise place.error("the header is missing", remedy)
    found: dict[tuple[str, str], _Judgement] = {}
    for place, line in lines:
        fields = line.split("\t")
        if len(fields) != 3:
            raise place.error(f"there must be 3 fields between tabs, not {len(fields)}", _QRELS_LINE)
        query, document, score = fields
        if not re.fullmatch(r"[+-]?[0-9]{1,9}", score):
            raise place.error(f"the score {_shown(score)} is no whole number of up to 9 digits", _QRELS_LINE)
        found[query, document] = _Judgement(place, query, document, int(score))
    relevant = [judgement for judgement in found.values() if judgement.relevance > 0]
    if not relevant:
        raise UsageError(f"{path} holds no score above 0, and so no question", "Give each query its documents there.")
    return relevant


def _queries(path: Path, wanted: set[str]) -> dict[str, str]:
    """Id → text of the wanted ones, in the order of the file, which may hold those of other splits too."""
    ids = _Ids("_id", _QUERY_LINE)
    rows = ((ids.read(row, place), row, place) for place, row in _json_lines(path, _QUERY_LINE))
    return {name: _question(row, "text", place, _QUERY_LINE) for name, row, place in rows if name in wanted}


def _beir_texts(path: Path) -> dict[str, SetText]:
    """Id → text. Where there is only a title, it is the text too, or the document could never be found."""
    ids, names = _Ids("_id", _CORPUS_LINE), _FileNames()
    texts = {}
    for place, row in _json_lines(path, _CORPUS_LINE):
        name = ids.read(row, place)
        title = _title(row, place, _CORPUS_LINE)
        text = row.get("text")
        if not isinstance(text, str):
            raise place.error('no "text" that is a string', _CORPUS_LINE)
        texts[name] = SetText(names.give(name), title, title if _is_blank(text) else _clean(text))
    return texts


def _check_known(named: Iterable[tuple[str, _Place]], what: str, source: Path, known: Mapping[str, object]) -> None:
    unknown: dict[str, _Place] = {}
    for name, place in named:
        if name not in known:
            unknown.setdefault(name, place)
    for name, place in unknown.items():
        problem = f"{_shown(name)} is not in {source.name}; unknown {what} in all: {len(unknown):,}"
        raise place.error(problem, "Take all three files from the same set, or remove these lines.")


# What the formats share


def _question_set(
    path: Path, name: str, questions: Sequence[GoldQuestion], texts: Iterable[SetText] = ()
) -> QuestionSet:
    if not questions:
        raise UsageError(f"{path} holds no questions", _FORMATS)
    return QuestionSet(_clean(name), tuple(questions), tuple(texts))


def _question(row: Mapping[str, Any], key: str, place: _Place, remedy: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise place.error(f'no "{key}" that is a string', remedy)
    if not any(char.isalnum() for char in value):
        raise place.error(f'"{key}" is empty', "Write the question, with a letter or a digit at least.")
    if len(value) > MAX_QUESTION:
        problem = f'"{key}" has {len(value):,} characters; the limit is {MAX_QUESTION:,}'
        raise place.error(problem, "Shorten the question or leave it out.")
    return _clean(value)


def _title(row: Mapping[str, Any], place: _Place, remedy: str) -> str:
    value = row.get("title")
    if value is not None and not isinstance(value, str):
        raise place.error('"title" is not a string', remedy)
    return _clean(value or "")


def _json_lines(path: Path, remedy: str) -> Iterator[tuple[_Place, dict[str, Any]]]:
    for place, line in _lines(path):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise place.error(f"not JSON at character {error.colno} ({error.msg})", remedy) from error
        except (ValueError, RecursionError) as error:
            raise place.error("not JSON that can be read: too long a number or too deeply nested", remedy) from error
        if not isinstance(row, dict):
            raise place.error("not an object", remedy)
        yield place, row


def _lines(path: Path) -> Iterator[tuple[_Place, str]]:
    """Those that are not blank, without their ends; a byte-order mark is left out."""
    try:
        with path.open("rb") as opened:
            for number, data in enumerate(opened, 1):
                place = _Place(path, f"line {number}")
                try:
                    line = data.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise _not_utf8(place, error) from error
                if line.strip():
                    yield place, line.rstrip("\r\n")
    except OSError as error:
        raise _unreadable(path, error) from error


def _json_file(path: Path) -> Any:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # ``error.object`` is without the mark, as its offsets are.
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _not_utf8(_Place(path, f"line {line}"), error) from error
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = _Place(path, f"line {error.lineno}")
        raise place.error(f"not JSON at character {error.colno} ({error.msg})", _SQUAD_SHAPE) from error
    except (ValueError, RecursionError) as error:
        problem = f"{path} is not JSON that can be read: too long a number or too deeply nested"
        raise UsageError(problem, _SQUAD_SHAPE) from error


def _not_utf8(place: _Place, error: UnicodeDecodeError) -> UsageError:
    return place.error(f"not UTF-8 text (byte 0x{error.object[error.start]:02x})", "Save the file as UTF-8.")


def _unreadable(path: Path, error: OSError | ValueError) -> UsageError:
    reason = error.strerror if isinstance(error, OSError) else error
    return UsageError(f"Cannot read the questions {path}: {reason}", _FORMATS)


def _clean(text: str) -> str:
    return _UNWRITABLE.sub("\ufffd", text)


def _is_filled(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_blank(text: str) -> bool:
    """Whether the reader of documents would call it empty."""
    return not text.replace("\ufeff", "").replace("\u200b", "").strip()


def _shown(text: str) -> str:
    """In quotes, with control characters escaped, and not too long for a message."""
    return repr(_cut(text))


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
