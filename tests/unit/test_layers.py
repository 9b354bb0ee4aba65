"""Modules import only from their own layer and those below; what answers nothing loads no model runtime."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import rag

LAYERS = [
    "records errors settings",
    """wording documents sentences chunking prompts citations checking shortening followups reading evidence metrics models
    question_sets compound excerpts disagreement filters suggestions duplicates languages robots markup web_files
    prose bylines boilerplate_lines boilerplate datelines stopping""",
    """embedding vectors bm25 store vector_cache reader writer generations onnx_export hub corpus changes watching
    openai_writer transformers_writer loading fetch merging""",
    "generation_writer indexing verification retrieval picking writing answering answer_json evaluation",
    "assembly",
    "terminal plots cli chat prepare doctor __main__",
]
"""Lowest first."""

LEVEL = {module: level for level, modules in enumerate(LAYERS) for module in modules.split()}
SOURCES = Path(rag.__file__).parent
RUNTIMES = ("torch", "faiss", "onnxruntime", "gradio", "transformers", "numpy", "sentence_transformers", "xllamacpp")


def imports(source: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything a file imports, also inside functions."""
    package = source.relative_to(SOURCES.parent).parent.parts
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            if module == "rag":
                yield from ((node.lineno, f"rag.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module


def module_of(name: str) -> str | None:
    """``rag.chat.page`` → ``chat``; None for what is not ours."""
    parts = name.split(".")
    return parts[1] if parts[0] == "rag" and len(parts) > 1 else None


def files() -> list[Path]:
    return [source for source in sorted(SOURCES.rglob("*.py")) if source != SOURCES / "__init__.py"]


def test_every_module_has_one_layer() -> None:
    modules = [module for layer in LAYERS for module in layer.split()]
    assert len(modules) == len(set(modules))
    assert set(modules) == {source.relative_to(SOURCES).parts[0].removesuffix(".py") for source in files()}


@pytest.mark.parametrize("source", files(), ids=lambda source: source.relative_to(SOURCES).as_posix())
def test_no_module_imports_from_a_layer_above(source: Path) -> None:
    level = LEVEL[source.relative_to(SOURCES).parts[0].removesuffix(".py")]
    known = [
        (line, module) for line, name in imports(source) if (module := module_of(name)) and module != "__version__"
    ]
    upward = [f"line {line}: {module}" for line, module in known if LEVEL[module] > level]
    assert upward == []


def test_imports_are_seen_in_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "SOURCES", tmp_path / "rag")
    source = tmp_path / "rag" / "chat" / "x.py"
    source.parent.mkdir(parents=True)
    source.write_text(
        "import rag.cli\nfrom rag import a, b as c\nfrom rag.d.e import f\nfrom . import g\nfrom ..h import i\n"
    )
    assert [module_of(name) for _, name in imports(source)] == ["cli", "a", "b", "d", "chat", "h"]


@pytest.mark.parametrize(
    ("runtime", "modules"),
    [
        ("watchfiles", {"watching"}),
        ("faiss", {"vectors"}),
        ("sqlite3", {"generations", "store", "vector_cache", "chat"}),
        ("xllamacpp", {"writer"}),
        ("onnxruntime", {"embedding", "onnx_export", "reader"}),
        ("torch", {"embedding", "onnx_export", "transformers_writer"}),
        ("sentence_transformers", {"embedding", "onnx_export"}),
        ("gradio", {"chat"}),
        ("httpx2", {"fetch", "hub", "loading", "openai_writer"}),
        ("datasketch", {"duplicates"}),
        ("py3langid", {"languages"}),
        ("argparse", {"cli", "onnx_export"}),
        ("pickle", set()),
    ],
)
def test_each_runtime_has_its_only_adapter(runtime: str, modules: set[str]) -> None:
    users = {
        source.relative_to(SOURCES).parts[0].removesuffix(".py")
        for source in files()
        if any(name.split(".")[0] == runtime for _, name in imports(source))
    }
    assert users == modules


@pytest.mark.parametrize(
    "statement",
    [
        "import rag.cli",
        "from rag.cli import main; main(['--help'])",
        "from rag.cli import main; main(['ask', '--help'])",
        "import rag.chat",
        "import rag.settings, rag.records, rag.errors",
    ],
)
def test_help_loads_no_runtime(statement: str) -> None:
    program = (
        f"import sys\ntry:\n    {statement}\nexcept SystemExit as done:\n    assert done.code == 0\n"
        f"print('loaded:', *sorted(set({RUNTIMES!r}) & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "loaded:"
