"""Every error is one line with a remedy, and the picture in the module shows all of them."""

import ast
import inspect
import pickle
import re
from pathlib import Path

import pytest

from rag import errors
from rag.errors import IndexUnusableError, RagError, UsageError

CLASSES = [
    member
    for _, member in inspect.getmembers(errors, inspect.isclass)
    if issubclass(member, RagError) and member.__module__ == errors.__name__
]
SOURCES = sorted(Path(errors.__file__).parent.rglob("*.py"))


def raised() -> list[tuple[str, ast.Call]]:
    """Every construction of a RagError in the sources."""
    names = {member.__name__ for member in CLASSES}
    return [
        (f"{source.stem}:{node.lineno}", node)
        for source in SOURCES
        for node in ast.walk(ast.parse(source.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
    ]


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    shown: dict[str, str] = {}
    path = ["RagError"]
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"([│ ]*)[├└]── (\w+)  ", line)
        if match:
            depth = len(match.group(1)) // 4 + 1
            path[depth:] = [match.group(2)]
            shown[match.group(2)] = path[depth - 1]
    assert shown == {member.__name__: member.__base__.__name__ for member in CLASSES if member is not RagError}


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_every_error_is_one_line_with_its_remedy(error: type[RagError]) -> None:
    made = error("It is\nbroken: “a\tb”.", "Mend it\r\nsoon.")
    assert str(made) == "It is broken: “a b”. Mend it soon."
    assert (made.problem, made.remedy) == ("It is\nbroken: “a\tb”.", "Mend it\r\nsoon.")
    assert error.__doc__


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_wrong_usage_alone_exits_with_two(error: type[RagError]) -> None:
    assert error("a", "b").exit_status == (2 if error is UsageError else 1)


def test_errors_survive_being_sent_to_another_process() -> None:
    sent = pickle.loads(pickle.dumps(UsageError("a", "b")))
    assert (type(sent), str(sent)) == (UsageError, "a. b")


def test_unusable_indexes_can_be_caught_at_once() -> None:
    below = {member.__name__ for member in CLASSES if issubclass(member, IndexUnusableError)}
    assert below == {"IndexUnusableError", "IndexMissingError", "IndexCorruptError", "IndexMismatchError"}


@pytest.mark.parametrize("call", [call for _, call in raised()], ids=[place for place, _ in raised()])
def test_every_place_that_raises_gives_problem_and_remedy(call: ast.Call) -> None:
    assert len(call.args) + len(call.keywords) == 2
    remedy = call.args[-1]
    if isinstance(remedy, ast.Constant):
        assert isinstance(remedy.value, str)
        assert re.match("[`A-Z]", remedy.value), "a remedy is a sentence of its own"
