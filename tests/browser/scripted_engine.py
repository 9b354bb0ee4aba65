"""A fake engine that follows a script: real records, no model, and notes of how it was used."""

import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rag.chat.engine import Choices, EngineStatus, IndexSummary
from rag.errors import CorpusError, ModelError, RagError
from rag.records import (
    Answer,
    AnswerEvent,
    AnswerReady,
    AnswerSentence,
    Citation,
    Document,
    Listed,
    Passage,
    SentenceReady,
    SourcesReady,
    Turn,
)
from rag.settings import Mode

HOSTILE = '<script>window.hacked=1</script><img src="http://evil.example/x.png" onerror="window.hacked=1">'
MARKDOWN = "![](http://evil.example/y.png) **bold** [link](javascript:window.hacked=1) ${window.hacked=1} {{value}}"


def document(number: int, title: str, text: str, **known: str) -> Document:
    defaults = {"publisher": "Orbit Review", "published": "2021-06-18", "url": f"https://example.org/{number}"}
    return Document(
        id=f"doc-{number}",
        path=f"space/{number:02d}.md",
        text=text,
        body_start=0,
        sha256="0" * 64,
        title=title,
        **{**defaults, **known},
    )


SALYUT = document(
    1,
    "Half a century of space stations",
    "Space stations changed what crews could do in orbit. The first one was small and stood empty for most of its "
    "life.\n\n"
    "The Soviet Union launched Salyut 1 (Салют-1), the first space station, on 19 April 1971. Its first crew could not "
    "dock firmly and returned home. A second crew, that of Soyuz 11, lived on board for 23 days in June. "
    "It carried a telescope, a small greenhouse and a library of music tapes. Cosmonauts kept a log of every meal, "
    "and the doctors on the ground compared it with their own notes after landing.",
)
MIR = document(
    2,
    "From Salyut to Mir: how docking became routine",
    "Docking was the hard part. Engineers reworked the probe after 1971. The Salyut 1 station burned up over the "
    "Pacific on 11 October 1971 after 175 days in orbit. Later stations received two ports, which let crews overlap.",
    publisher="The Spaceflight Quarterly",
    published="2019-04-02",
)
KAZAKH = document(
    3,
    "Қазақ ғарышкері Айдын Айымбетов",
    "Кіріспе сөз. Айдын Айымбетов 2015 жылы Халықаралық ғарыш станциясында тоғыз тәулік болды. Соңғы сөз.",
    publisher="Ғарыш",
    language="kk",
    url="",
)
HOSTILE_DOCUMENT = document(
    4,
    HOSTILE + MARKDOWN,
    f"Before {HOSTILE} it. The station said: {MARKDOWN} {HOSTILE}. After {MARKDOWN} it.",
    publisher=HOSTILE,
    published=MARKDOWN,
    url="javascript:window.hacked=1",
)


def passage(
    article: Document, score: float = 0.8, start: int = 0, end: int | None = None, chunk: int | None = None
) -> Passage:
    return Passage(
        int(article.id[4:]) if chunk is None else chunk,
        article,
        start,
        len(article.text) if end is None else end,
        score,
    )


def cite(number: int, article: Document, quote: str) -> Citation:
    start = article.text.index(quote)
    return Citation(
        number,
        article.id,
        article.title,
        article.path,
        article.url,
        article.publisher,
        article.published,
        start,
        start + len(quote),
        quote,
    )


LAUNCH = "The Soviet Union launched Salyut 1 (Салют-1), the first space station, on 19 April 1971."
CREW = "A second crew, that of Soyuz 11, lived on board for 23 days in June."
BURNED = "The Salyut 1 station burned up over the Pacific on 11 October 1971 after 175 days in orbit."
AIMBETOV = "Айдын Айымбетов 2015 жылы Халықаралық ғарыш станциясында тоғыз тәулік болды."


@dataclass
class Script:
    """What one question gets."""

    sentences: tuple[AnswerSentence, ...] = ()
    citations: tuple[Citation, ...] = ()
    passages: tuple[Passage, ...] = ()
    standalone: str = ""
    refusal: str = ""
    short_answer: str | None = None
    problem: RagError | Exception | None = None
    pause: float = 0.0
    suggestions: tuple[str, ...] = ()
    notice: str = ""
    filter: str = ""


SALYUT_SCRIPT = Script(
    sentences=(
        AnswerSentence(LAUNCH, "quoted", (1,)),
        AnswerSentence("Its second crew, Soyuz 11, stayed for 23 days.", "supported", (2,)),
        AnswerSentence("It came down half a year later.", "weak", (1, 2)),
    ),
    citations=(cite(1, SALYUT, LAUNCH), cite(2, SALYUT, CREW), cite(3, MIR, BURNED)),
    passages=(passage(SALYUT, 0.92), passage(MIR, 0.71), passage(KAZAKH, 0.2)),
    short_answer="19 April 1971",
    pause=0.4,
    suggestions=("When did it burn up?", "Who will be the first person on Mars?"),
)
OLD = document(5, "The mine in 2014", "The Dorran mine has 400 people at work.", published="2014-03-18")
NEW = document(6, "The mine in 2023", "Only 150 people work at the Dorran mine.", published="2023-05-02")
SCRIPTS = {
    "When was Salyut 1 launched?": SALYUT_SCRIPT,
    "When did it burn up?": Script(
        sentences=(AnswerSentence(BURNED, "quoted", (1,)),),
        citations=(cite(1, MIR, BURNED),),
        passages=(passage(MIR, 0.88), passage(SALYUT, 0.4)),
        standalone="When did Salyut 1 burn up?",
        short_answer="11 October 1971",
    ),
    "How long was Aidyn Aimbetov's mission?": Script(
        sentences=(AnswerSentence(AIMBETOV, "quoted", (1,)),),
        citations=(cite(1, KAZAKH, AIMBETOV),),
        # Another part of the article was retrieved: the surroundings come from the document itself.
        passages=(passage(KAZAKH, 0.7, 0, 12), passage(SALYUT, 0.3)),
    ),
    "Who will be the first person on Mars?": Script(
        refusal="The articles do not say who will be the first person on Mars.",
        passages=(passage(SALYUT, 0.3), passage(MIR, 0.2), passage(KAZAKH, 0.1), passage(HOSTILE_DOCUMENT, 0.1)),
    ),
    "How many work at the mine?": Script(
        sentences=(
            AnswerSentence(OLD.text, "quoted", (1,), as_of="2014"),
            AnswerSentence(NEW.text, "quoted", (2,), as_of="2023"),
        ),
        citations=(cite(1, OLD, OLD.text), cite(2, NEW, NEW.text)),
        passages=(passage(OLD), passage(NEW)),
        notice="The writer model is missing. Run make setup. The sources are quoted instead.",
        filter="only articles since 2014",
    ),
    "Ponder": Script(passages=(passage(SALYUT),), pause=3.0),
    "Break": Script(problem=ModelError("The writer has stopped", "Run rag serve again.")),
    "Crash": Script(problem=ZeroDivisionError("secret detail")),
    "Slow": Script(
        sentences=tuple(AnswerSentence(f"Sentence number {n}.", "supported", (1,)) for n in range(1, 41)),
        citations=(cite(1, SALYUT, LAUNCH),),
        passages=(passage(SALYUT),),
        pause=0.15,
    ),
    HOSTILE + MARKDOWN: Script(
        sentences=(AnswerSentence(f"The station said: {MARKDOWN} {HOSTILE}.", "quoted", (1,)),),
        citations=(cite(1, HOSTILE_DOCUMENT, f"The station said: {MARKDOWN} {HOSTILE}."),),
        passages=(passage(HOSTILE_DOCUMENT),),
        standalone=HOSTILE + MARKDOWN + " standalone",
        short_answer="bold",
    ),
}


@dataclass
class Asked:
    """A call of ``ask`` as the engine saw it."""

    question: str
    history: tuple[Turn, ...]
    choices: Choices
    closed: bool = False

    @property
    def mode(self) -> Mode:
        return self.choices.mode


@dataclass
class ScriptedEngine:
    """An ``Engine`` that answers from ``SCRIPTS``."""

    state: EngineStatus = field(default_factory=lambda: EngineStatus("ready"))
    asked: list[Asked] = field(default_factory=list)
    articles: list[Document] = field(default_factory=lambda: [SALYUT, MIR, KAZAKH, HOSTILE_DOCUMENT, OLD, NEW])
    waiting: list[Document] = field(default_factory=list)
    """Added, and shown after the next rebuild."""
    generation: int = 1

    def status(self) -> EngineStatus:
        return self.state

    def summary(self) -> IndexSummary:
        publishers = tuple(sorted({article.publisher for article in self.articles if article.publisher}))
        return IndexSummary(
            32,
            240,
            2060,
            "all-MiniLM-L6-v2",
            "SmolLM2-135M-Instruct",
            publishers,
            generation=f"gen-{self.generation:06d}",
            created="2026-11-20T10:00:00+00:00",
            problems=(("scan.pdf", "no reader for .pdf"),),
        )

    def writers(self) -> Sequence[str]:
        return ["SmolLM2-135M-Instruct", "hub:owner/big.gguf"]

    def suggest(self, answer: Answer, asked: Sequence[str]) -> Iterator[str]:
        yield from SCRIPTS.get(answer.question, SALYUT_SCRIPT).suggestions

    def listed(self) -> Sequence[Listed]:
        return [
            Listed(
                id=article.id,
                path=article.path,
                title=article.title,
                publisher=article.publisher,
                published=article.published,
                url=article.url,
                language=article.language,
                chunks=3,
                sentences=20,
                characters=len(article.text),
            )
            for article in sorted(self.articles, key=lambda article: article.published or "", reverse=True)
        ]

    def add(self, name: str, content: bytes) -> str:
        if not name.endswith(".md"):
            raise CorpusError(f"{name!r} has a format that is not read", "Read are: .md.")
        self.waiting.append(dataclasses.replace(document(90, name, content.decode()), path=name))
        return name

    def remove(self, path: str) -> None:
        self.articles = [article for article in self.articles if article.path != path]

    def rebuild(self) -> None:
        self.articles += self.waiting
        self.waiting = []
        self.generation += 1

    def document(self, document_id: str) -> Document:
        for article in self.articles:
            if article.id == document_id:
                return article
        raise ModelError(f"No article {document_id}", "Run rag index.")

    def ask(self, question: str, history: Sequence[Turn], choices: Choices) -> Iterator[AnswerEvent]:
        call = Asked(question, tuple(history), choices)
        self.asked.append(call)
        try:
            yield from self._events(question, SCRIPTS.get(question, SALYUT_SCRIPT), choices.mode)
        except GeneratorExit:
            call.closed = True
            raise

    def _events(self, question: str, script: Script, mode: Mode) -> Iterator[AnswerEvent]:
        if script.problem is not None:
            raise script.problem
        standalone = script.standalone or question
        time.sleep(script.pause)
        yield SourcesReady(standalone, script.citations, script.passages, script.short_answer, script.filter)
        for sentence in script.sentences:
            time.sleep(script.pause)
            yield SentenceReady(sentence)
        text = " ".join(item.text + "".join(f" [{n}]" for n in item.citations) for item in script.sentences)
        used = {number for item in script.sentences for number in item.citations}
        yield AnswerReady(
            Answer(
                question=question,
                standalone_question=standalone,
                short_answer=script.short_answer,
                refused=bool(script.refusal),
                confidence=0.04 if script.refusal else 0.83,
                text=script.refusal or text,
                sentences=script.sentences,
                citations=tuple(citation for citation in script.citations if citation.number in used),
                retrieved=script.passages,
                filter=script.filter,
                notice=script.notice,
                seconds={"retrieve": 0.11, "evidence": 0.14, "first_token": 0.6, "total": 1.42},
                model="SmolLM2-135M-Instruct" if mode == "write" else "",
                generation="gen-000001",
            )
        )
