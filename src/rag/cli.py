"""The command line: ``rag index | fetch | ask | search | show | eval | serve | models | info | doctor``.

Exit status 0: done; 1: a clear error in one line on stderr; 2: wrong usage.
"""

import argparse
import dataclasses
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rag import __version__
from rag.errors import RagError, UsageError
from rag.filters import NO_FILTER, Filter, combine, named
from rag.settings import Settings, load_settings

if TYPE_CHECKING:
    from rag.assembly import Assembly
    from rag.evaluation import Evaluation
    from rag.question_sets import QuestionSet

_EXAMPLES = """\
examples:
  rag index                                  read corpus/, embed what changed, write index/
  rag index --watch                          the same after every change of the folder
  rag ask "When was Salyut 1 launched?"      one cited answer
  rag ask --batch questions.jsonl > answers.jsonl
  rag search "crew exchange" -k 3            the passages alone
  rag serve                                  the chat on http://127.0.0.1:7860

Settings are read from rag.toml in the working directory, if there is one."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        settings = load_settings(
            options.settings,
            **{
                name: getattr(options, name, None)
                for name in ("corpus", "index", "mode", "host", "port", "manage", "history")
            },
        )
        status: int = options.run(options, settings)
        sys.stdout.flush()
        return status
    except RagError as error:
        print(f"rag: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("rag: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output is gone, as after `rag show … | head`. Keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def entry_point() -> NoReturn:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        # Quotes hold any character; where the terminal's encoding does not, a traceback would be the answer.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    sys.exit(main())


class _Parser(argparse.ArgumentParser):
    """argparse whose errors are one line, as all others here."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"rag: {' '.join(message.split())}. See `{self.prog} --help`.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="rag",
        description="Ask your own articles. Every sentence of an answer is carried by an exact quote, or it is not shown.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"rag {__version__}")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="settings file (default: rag.toml, if there)")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace, Settings], int], summary: str, more: str) -> _Parser:
        added = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}. {more}",
        )
        added.set_defaults(run=run)
        added.add_argument("--index", type=Path, metavar="DIR", help="folder of the index (default: index)")
        return added

    index = command(
        "index",
        _index,
        "build the index, or bring it up to date",
        "Only new and changed articles are embedded. The new index replaces the old one at the very end, in one step; "
        "an interrupted run changes nothing.",
    )
    index.add_argument("--corpus", type=Path, metavar="DIR", help="folder of articles (default: corpus)")
    what = index.add_mutually_exclusive_group()
    what.add_argument("--rebuild", action="store_true", help="read and embed every article anew")
    what.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    what.add_argument("--watch", action="store_true", help="stay, and follow every change of the folder")
    what.add_argument("--rollback", action="store_true", help="go back to the index before the current one")
    index.add_argument("--json", action="store_true", help="print the summary as JSON")

    fetch = command(
        "fetch",
        _fetch,
        "load web pages into the corpus folder",
        "The only command that loads pages. robots.txt is kept to, what has not changed is not loaded again, and a page "
        "that cannot be had is named.",
    )
    fetch.add_argument(
        "lists",
        nargs="*",
        type=Path,
        metavar="URLS.txt",
        default=[Path("urls.txt")],
        help='files with one web address a line; "#" begins a comment (default: urls.txt)',
    )
    fetch.add_argument("--corpus", type=Path, metavar="DIR", help="folder to put them into (default: corpus)")
    fetch.add_argument(
        "--delay", type=_seconds, default=1.0, metavar="SECONDS", help="between requests to one host (default: 1)"
    )
    fetch.add_argument(
        "--allow-private", action="store_true", help="also load from this machine and the private network"
    )
    fetch.add_argument("--json", action="store_true", help="print the summary as JSON")

    ask = command(
        "ask",
        _ask,
        "answer a question with cited sentences",
        "When the articles do not say, the answer says so and lists the nearest passages.",
    )
    ask.add_argument("question", nargs="?", metavar="QUESTION")
    ask.add_argument("--batch", metavar="FILE.jsonl", help=_BATCH_HELP)
    _add_filter(ask)
    ask.add_argument("--mode", choices=("quote", "write"), help="quote the evidence, or let the small model word it")
    ask.add_argument("--json", action="store_true", help="print the answer as a JSON object")

    search = command("search", _search, "find passages", "Vectors and BM25 fused; nothing is written or judged.")
    search.add_argument("query", nargs="?", metavar="QUERY")
    search.add_argument("-k", type=_positive, default=5, metavar="N", help="how many passages (default: 5)")
    search.add_argument(
        "--batch", metavar="FILE.jsonl", help='lines of {"id": …, "query": "…", "filter": {…}}; "-" reads stdin'
    )
    _add_filter(search)
    search.add_argument("--json", action="store_true", help="print the passages as a JSON object")

    show = command(
        "show", _show, "print the stored text of an article, exactly", "Its offsets are those of the citations."
    )
    show.add_argument("document", metavar="DOCUMENT_ID", help="id as in citations, or the path in the corpus")
    show.add_argument(
        "--markup",
        action="store_true",
        help="show how it was understood: sentences, chunks, pages, boilerplate, and where title, date … were found",
    )
    show.add_argument("--json", action="store_true", help="print the same as ranges of characters, as a JSON object")

    evaluate = command(
        "eval",
        _eval,
        "ask questions whose answers are known, and measure",
        "Finding, answering, citing, refusing and speed. Reads our own lines (a question without answers is one that the "
        "articles do not answer), SQuAD files (.json) and BEIR folders; the last two are indexed first, unless "
        "--index is given.",
    )
    evaluate.add_argument(
        "--questions",
        type=Path,
        metavar="FILE",
        default=Path("tests/gold/questions.jsonl"),
        help='lines of {"id", "question", "answers", "document", "evidence", "history"?}, a SQuAD file or a BEIR folder '
        "(default: tests/gold/questions.jsonl)",
    )
    evaluate.add_argument("--sample", type=_positive, metavar="N", help="ask only N of them, always the same ones")
    evaluate.add_argument("--mode", choices=("quote", "write"), help="as for ask")
    evaluate.add_argument("--ablation", action="store_true", help="measure what each step of finding and writing adds")
    evaluate.add_argument("--json", action="store_true", help="print the figures as a JSON object")
    evaluate.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="also write figures.json, outcomes.jsonl, answers.md and plots.png there",
    )

    serve = command(
        "serve",
        _serve,
        "open the web chat",
        "Builds the index first where there is none. Only this machine can reach it unless --host says otherwise.",
    )
    serve.add_argument("--corpus", type=Path, metavar="DIR", help="folder of articles (default: corpus)")
    serve.add_argument("--host", metavar="H", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", type=_positive, metavar="P", help="port to listen on (default: 7860)")
    serve.add_argument(
        "--manage",
        action="store_const",
        const=True,
        help="let the library page add and delete articles and rebuild the index",
    )
    serve.add_argument(
        "--no-history",
        dest="history",
        action="store_const",
        const="off",
        help="forget conversations when the chat ends",
    )
    serve.add_argument("--open", action="store_true", help="open the page in a browser")

    models = commands.add_parser(
        "models",
        help="list, fetch and verify models",
        description="List, fetch and verify models. Only `fetch` reaches the network.",
    )
    models.set_defaults(run=_models_list)
    actions = models.add_subparsers(title="commands", metavar="COMMAND")
    actions.add_parser("list", help="the models that are here, and how settings name them")
    fetch = actions.add_parser("fetch", help="download a model of the Hugging Face hub, or go on with a download")
    fetch.add_argument("model", metavar="OWNER/NAME[/FILE.gguf]", help="whole model for transformers, or one GGUF file")
    fetch.set_defaults(run=_models_fetch)
    verify = actions.add_parser("verify", help="recompute the hashes of all models that are here")
    verify.set_defaults(run=_models_verify)

    info = command(
        "info",
        _info,
        "show index, models, versions and hashes",
        "Every hash is recomputed; a damaged file is an error.",
    )
    info.add_argument("--verify", action="store_true", help="also check every count, offset and vector of the index")
    info.add_argument("--json", action="store_true", help="print a JSON object")

    doctor = command(
        "doctor",
        _doctor,
        "prove that this installation works",
        "Versions, hashes, folders, the port, and one question answered offline from an article of its own. Changes "
        "nothing; exit status 1 if anything failed.",
    )
    doctor.add_argument("--json", action="store_true", help="print a JSON object")
    return parser


_BATCH_HELP = (
    'lines of {"id": …, "question": "…", "history": [{"role", "content"}], "filter": {"publishers": […], "since", '
    '"until"}}; one answer a line; "-" reads stdin'
)


def _add_filter(command: _Parser) -> None:
    command.add_argument(
        "--publisher", action="append", metavar="NAME", help="only articles of this publisher; may be given repeatedly"
    )
    command.add_argument(
        "--since", metavar="DATE", help="only articles published then or later: 2021, 2021-06 or 2021-06-18"
    )
    command.add_argument("--until", metavar="DATE", help="only articles published then or earlier")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds <= 3600.0:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 3600")
    return seconds


def _index(options: argparse.Namespace, settings: Settings) -> int:
    from rag import generations
    from rag.assembly import Assembly
    from rag.terminal import changes_text
    from rag.watching import changes_of

    if options.rollback:
        generation = generations.rollback(settings.index)
        if options.json:
            _print_json({"generation": generation.name, "created": generation.manifest.created})
        else:
            print(
                f"{generation.name}, made {generation.manifest.created}, is in use again. "
                "The next `rag index` brings it up to date with the corpus."
            )
        return 0
    assembly = Assembly(settings)
    if options.dry_run:
        changes = assembly.plan_index(rebuild=False)
        if options.json:
            _print_json(
                {
                    "added": changes.added,
                    "changed": changes.changed,
                    "removed": changes.removed,
                    "renamed": changes.renamed,
                    "unchanged": len(changes.unchanged),
                }
            )
        else:
            print(changes_text(changes))
        return 0
    _bring_up_to_date(assembly, options.rebuild, options.json)
    if options.watch:
        print(f"Watching {settings.corpus}. Press Ctrl+C to stop.", file=sys.stderr)
        for _ in changes_of(settings.corpus):
            try:
                _bring_up_to_date(assembly, False, options.json)
            except RagError as error:  # e.g. an emptied folder, a full disk: the next change may mend it
                print(f"rag: {error}", file=sys.stderr)
    return 0


def _bring_up_to_date(assembly: "Assembly", rebuild: bool, as_json: bool) -> None:
    from rag.terminal import index_progress, index_summary

    with index_progress() as progress:
        report = assembly.build_index(rebuild=rebuild, progress=progress)
    manifest = report.generation.manifest
    formats = assembly.snapshot().store.by_format()
    if as_json:
        _print_json(
            {
                "generation": report.generation.name,
                "changed": report.changed,
                "documents": manifest.documents,
                "chunks": manifest.chunks,
                "sentences": manifest.sentences,
                "added": len(report.changes.added),
                "updated": len(report.changes.changed),
                "renamed": len(report.changes.renamed),
                "embedded_documents": report.embedded_documents,
                "reused_documents": report.reused_documents,
                "removed_documents": report.removed_documents,
                "embedded_texts": report.embedded_texts,
                "seconds": round(report.seconds, 3),
                "chunks_per_second": round(report.embedded_chunks / report.seconds, 1),
                "formats": [dataclasses.asdict(count) for count in formats],
                "skipped": [dataclasses.asdict(file) for file in report.skipped],
            }
        )
    else:
        print(index_summary(report, formats), flush=True)


def _fetch(options: argparse.Namespace, settings: Settings) -> int:
    from rag.fetch import fetch, read_list
    from rag.terminal import counting

    wanted = [item for file in options.lists for item in read_list(file)]
    if not wanted:
        names = ", ".join(map(str, options.lists))
        raise UsageError(f"{names} names no web address", "Write one a line, beginning with https://.")
    with counting("fetching") as progress:
        report = fetch(
            wanted,
            settings.corpus,
            max_bytes=settings.max_file_bytes,
            delay=options.delay,
            allow_private=options.allow_private,
            progress=progress,
        )
    if options.json:
        failed = [
            {"url": item.wanted.url, "where": item.wanted.where, "reason": item.reason} for item in report.failures
        ]
        _print_json({"fetched": report.fetched, "unchanged": report.unchanged, "failed": failed})
    else:
        for failure in report.failures:
            print(f"rag: {failure}", file=sys.stderr)
        counts = (
            f"Fetched {len(report.fetched):,}, unchanged {len(report.unchanged):,}, failed {len(report.failures):,}."
        )
        print(f"{counts} Run `rag index` to read what is new." if report.fetched else counts)
    return 0 if report.fetched or report.unchanged else 1


def _ask(options: argparse.Namespace, settings: Settings) -> int:
    from rag.answer_json import answer_object
    from rag.answering import check_question
    from rag.assembly import Assembly
    from rag.records import Turn
    from rag.terminal import answer_text

    assembly = Assembly(settings)
    publishers = _publishers(assembly)
    if options.batch is None:
        question = check_question(_one(options.question, "question", "ask"))
        filter = _filter(options.publisher, options.since, options.until, publishers)
        answer = assembly.answerer.answer(question, filter=filter)
        if options.json:
            _print_json(answer_object(answer))
        else:
            print(answer_text(answer))
        return 0
    if options.question is not None:
        raise UsageError("Both a question and --batch were given", "Give one of them.")
    filter = _filter(options.publisher, options.since, options.until, publishers)
    rows = list(_batch(options.batch, "question", publishers))
    for row, of_line in rows:
        history = [Turn(turn["role"], turn["content"]) for turn in row.get("history") or ()]
        answer = assembly.answerer.answer(row["question"], history, filter=combine(filter, of_line))
        print(json.dumps(answer_object(answer, row.get("id")), ensure_ascii=False), flush=True)
    return 0


def _search(options: argparse.Namespace, settings: Settings) -> int:
    from rag.answer_json import passage_object
    from rag.answering import check_question
    from rag.assembly import Assembly
    from rag.terminal import passages_text

    batch = options.batch is not None
    if batch and options.query is not None:
        raise UsageError("Both a query and --batch were given", "Give one of them.")
    assembly = Assembly(settings)
    publishers = _publishers(assembly)
    if batch:
        rows = list(_batch(options.batch, "query", publishers))
    else:
        rows = [({"query": _one(options.query, "query", "search")}, NO_FILTER)]
    questions = [check_question(row["query"]) for row, _ in rows]
    filter = _filter(options.publisher, options.since, options.until, publishers)
    snapshot = assembly.snapshot()
    for (row, of_line), question in zip(rows, questions, strict=True):
        found = assembly.picker.passages(snapshot, question, options.k, combine(filter, of_line))
        result = {"id": row.get("id"), "query": question, "results": [passage_object(item) for item in found]}
        if batch:
            print(json.dumps(result, ensure_ascii=False), flush=True)
        elif options.json:
            _print_json(result)
        else:
            print(passages_text(found))
    return 0


def _show(options: argparse.Namespace, settings: Settings) -> int:
    from rag.assembly import Assembly

    assembly = Assembly(settings)
    document = assembly.document(options.document)
    if options.json:
        from rag.markup import as_object

        _print_json(as_object(document, assembly.chunks(document)))
        return 0
    if options.markup:
        from rag.terminal import show_markup

        show_markup(document, assembly.chunks(document))
        return 0
    # Written as bytes: print would translate line ends on some systems, and quotes are exact to the character.
    sys.stdout.flush()
    sys.stdout.buffer.write(document.text.encode())
    sys.stdout.buffer.flush()
    return 0


def _eval(options: argparse.Namespace, settings: Settings) -> int:
    from rag.assembly import Assembly
    from rag.question_sets import read_question_set
    from rag.terminal import ablation_text, counting, evaluation_text

    questions = read_question_set(options.questions)
    if options.out:
        from rag.plots import check_drawing

        check_drawing()
        _make_folder(options.out)
    if options.sample:
        questions = questions.sample(options.sample)
    if questions.texts and options.index is None:
        settings = _index_of_texts(questions, settings)
    rows = ABLATION if options.ablation else {"": {}}
    evaluations = {}
    for name, changes in rows.items():
        assembly = Assembly(dataclasses.replace(settings, **changes))
        with counting(name or "asking") as progress:
            evaluations[name] = assembly.evaluate(questions, progress)
    if options.out:
        _write_evaluations(evaluations, options.out)
    if options.json:
        figures = {name: evaluation.figures() for name, evaluation in evaluations.items()}
        _print_json(figures if options.ablation else figures[""])
    else:
        print(ablation_text(evaluations) if options.ablation else evaluation_text(evaluations[""]))
    return 0


_QUOTE = {"mode": "quote", "writer_adapter": "none"}
ABLATION: dict[str, dict[str, Any]] = {
    "chunk cosine": {"retrieval": "chunks", "rerank": False, "ranking": "cosine", **_QUOTE},
    "+ BM25": {"retrieval": "chunks+words", "rerank": False, "ranking": "cosine", **_QUOTE},
    "+ sentence vectors": {"rerank": False, "ranking": "cosine", **_QUOTE},
    "+ word features": {"rerank": False, "ranking": "words", **_QUOTE},
    "+ reader reranks": {"ranking": "words", **_QUOTE},
    "+ reader picks evidence": _QUOTE,
    "+ plain writer": {"mode": "write", "writer_adapter": "none"},
    "+ taught writer": {"mode": "write"},
}
"""Each row adds one step to the one before it."""


def _index_of_texts(questions: "QuestionSet", settings: Settings) -> Settings:
    """Settings that name an index of the set's own texts, which is built, or brought up to date, in the cache."""
    from rag.assembly import Assembly, cache_folder
    from rag.question_sets import write_corpus
    from rag.terminal import index_progress

    folder = cache_folder().parent / "question-sets" / questions.key
    settings = dataclasses.replace(settings, corpus=folder / "corpus", index=folder / "index")
    write_corpus(questions.texts, settings.corpus)
    with index_progress() as progress:
        Assembly(dataclasses.replace(settings, max_file_bytes=10**9)).build_index(rebuild=False, progress=progress)
    return settings


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"Cannot write to {folder}: {error.strerror}", "Name another folder with --out.") from error


def _write_evaluations(evaluations: Mapping[str, "Evaluation"], folder: Path) -> None:
    from rag.plots import draw
    from rag.terminal import outcomes_markdown

    try:
        figures = {name: evaluation.figures() for name, evaluation in evaluations.items()}
        shown = figures.get("", figures)
        (folder / "figures.json").write_text(json.dumps(shown, indent=1, ensure_ascii=False) + "\n", "utf-8")
        with (folder / "outcomes.jsonl").open("w", encoding="utf-8") as file:
            for name, evaluation in evaluations.items():
                for outcome in evaluation.outcomes:
                    row = ({"row": name} if name else {}) | outcome.as_object()
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
        if "" in evaluations:
            (folder / "answers.md").write_text(outcomes_markdown(evaluations[""]), "utf-8")
        draw(evaluations, folder / "plots.png")
    except OSError as error:
        raise UsageError(f"Cannot write to {folder}: {error.strerror}", "Name another folder with --out.") from error


def _serve(options: argparse.Namespace, settings: Settings) -> int:
    from rag.chat import serve
    from rag.chat.local import LocalEngine

    serve(lambda: LocalEngine(settings), settings, open_browser=options.open)
    return 0


def _models_list(options: argparse.Namespace, settings: Settings) -> int:
    from rag import hub, models

    for model in models.ALL:
        print(f"{model.name:<50}{_megabytes(model.path.stat().st_size):>12}  comes with the project")
    for fetched in hub.installed():
        named = ", ".join(f'writer_model = "{name}"' for name in fetched.references) or "incomplete"
        print(f"{fetched.repository + '@' + fetched.revision:<50}{_megabytes(fetched.bytes):>12}  {named}")
    return 0


def _models_fetch(options: argparse.Namespace, settings: Settings) -> int:
    from rag import hub
    from rag.terminal import counting

    reference = hub.parse(options.model)
    with counting("fetching") as progress:
        hub.fetch(reference.repository, reference.file, reference.revision, progress)
    print(f'Fetched. To use it, write into rag.toml: writer_model = "{reference}"')
    return 0


def _models_verify(options: argparse.Namespace, settings: Settings) -> int:
    from rag import hub, models

    for model in models.ALL:
        models.verify(model)
        print(f"{model.name}: as measured")
    for fetched in hub.installed():
        print(f"{fetched.repository}@{fetched.revision}: {hub.verify_installed(fetched)} files as on the hub")
    return 0


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def _info(options: argparse.Namespace, settings: Settings) -> int:
    from rag.assembly import Assembly
    from rag.terminal import info_text

    facts = Assembly(settings).facts()
    if options.verify:
        from rag.verification import verify_index

        facts["index"]["verified"] = verify_index(settings.index)
    if options.json:
        _print_json(facts)
    else:
        print(info_text(facts))
    return 0


def _doctor(options: argparse.Namespace, settings: Settings) -> int:
    from rag.doctor import as_line, as_object, conclusion, examine

    findings = []
    for finding in examine(settings):
        findings.append(finding)
        if not options.json:
            print(as_line(finding), flush=True)
    if options.json:
        _print_json(as_object(findings))
    else:
        print(conclusion(findings))
    return int(any(finding.state == "failed" for finding in findings))


def _one(text: str | None, what: str, command: str) -> str:
    if text is None:
        raise UsageError(f"No {what} was given", f'Write: rag {command} "…", or give --batch FILE.jsonl.')
    return text


def _publishers(assembly: "Assembly") -> Callable[[], Sequence[str]]:
    """Gives those of the index, which is opened only where one is named."""
    return lambda: assembly.snapshot().publishers


def _filter(
    names: Sequence[str] | None, since: str | None, until: str | None, publishers: Callable[[], Sequence[str]]
) -> Filter:
    """What the options of a command or a line of a batch admit.

    Raises:
        UsageError: a date is none, or the index does not know a publisher.
    """
    dates = Filter(since=since, until=until)
    return dataclasses.replace(dates, publishers=named(names, publishers())) if names else dates


def _batch(name: str, key: str, publishers: Callable[[], Sequence[str]]) -> Iterator[tuple[dict[str, Any], Filter]]:
    """All lines of a batch with their filters, checked before the first one is answered.

    Raises:
        UsageError: the file cannot be read, or a line is not as it must be.
    """
    try:
        text = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        lines = text.decode("utf-8-sig").split("\n")
    except OSError as error:
        raise UsageError(f"Cannot read the batch {name}: {error.strerror}", "Check its name.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"The batch {name} is not UTF-8 text", "Save it as UTF-8.") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        problem = _batch_problem(line, key)
        if problem:
            raise UsageError(f"{name}, line {number}: {problem}", f'Write each line as {{"id": …, "{key}": "…"}}.')
        row = json.loads(line)
        try:
            filter = _filter_of(row.get("filter"), publishers)
        except UsageError as error:
            raise UsageError(f"{name}, line {number}: {error.problem}", error.remedy) from error
        yield row, filter


def _filter_of(given: Any, publishers: Callable[[], Sequence[str]]) -> Filter:
    """The filter of a line of a batch.

    Raises:
        UsageError: it is not as it must be.
    """
    given = given if given is not None else {}
    fine = isinstance(given, dict) and given.keys() <= {"publishers", "since", "until"}
    names, since, until = (given.get(name) for name in ("publishers", "since", "until")) if fine else (None, None, None)
    fine = fine and isinstance(names, list | None) and all(isinstance(name, str) for name in names or ())
    if not fine or not isinstance(since, str | None) or not isinstance(until, str | None):
        remedy = 'Write it like {"publishers": ["CGTN"], "since": "2021", "until": "2021-06-18"}.'
        raise UsageError("its filter is not as it must be", remedy)
    return _filter(names, since, until, publishers)


def _batch_problem(line: str, key: str) -> str | None:
    from rag.answering import check_question

    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return "not JSON"
    if not isinstance(row, dict) or not isinstance(row.get(key), str):
        return f"no {key!r} that is a string"
    try:
        json.dumps(row.get("id"), ensure_ascii=False, allow_nan=False).encode()
    except ValueError:  # a lone surrogate or 1e400
        return "its id cannot be written back"
    try:
        check_question(row[key])
    except UsageError as error:
        return error.problem
    history = row.get("history") or []
    fine = isinstance(history, list) and all(
        isinstance(turn, dict) and turn.get("role") in ("user", "assistant") and isinstance(turn.get("content"), str)
        for turn in history
    )
    return None if fine else "its history is not a list of user and assistant turns"


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
