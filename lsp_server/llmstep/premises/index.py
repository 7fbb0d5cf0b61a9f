"""An index on the disk: premises, which file imports which, and the vectors of the premises.

A folder with `index.json` (format, the encoder's name, width and number of vectors), `files.jsonl` (path, imports and
premises of a file a line) and `vectors.safetensors` (`vectors`, float32 of shape [premises, width], in the order of
`files.jsonl`).
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from llmstep.errors import ModelLoadError
from llmstep.premises.corpus import CorpusFile, imported_modules, module_path
from llmstep.types import Premise

FORMAT = 1
_ABOUT, _FILES, _VECTORS = "index.json", "files.jsonl", "vectors.safetensors"


@attrs.define(eq=False)
class PremiseIndex:
    """Premises with their vectors."""

    encoder: str
    """Hub id or folder of the encoder that made the vectors."""
    files: list[CorpusFile]
    vectors: torch.Tensor
    """Shape [premises, width], each of length 1; the premises are those of the files, in their order."""
    premises: list[Premise] = attrs.field(init=False)
    _paths: list[str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.premises = [premise for file in self.files for premise in file.premises]
        self._paths = [file.path for file in self.files]

    def nearest(
        self, query: torch.Tensor, count: int, allowed: torch.Tensor | None = None
    ) -> list[tuple[Premise, float]]:
        """The premises whose vectors are nearest to `query` by cosine, nearest first, with it; ties in their order.

        Args:
            query: Of length 1, shape [width].
            allowed: Which premises may be taken, bool of shape [premises]; None takes any.
        """
        cosines = self.vectors @ query
        if allowed is not None:
            cosines = cosines.masked_fill(~allowed, -torch.inf)
        order = torch.sort(cosines, descending=True, stable=True).indices[:count].tolist()
        return [(self.premises[each], float(cosines[each])) for each in order if cosines[each] > -torch.inf]

    def accessible(self, text: str, path: str, line: int) -> torch.Tensor | None:
        """Which premises a place can use: those of the files that its file imports, and those above it.

        Args:
            text: The file.
            path: Its path, with slashes; where it ends with the path of a file of the index, it is that file.
            line: Of the place, from 1.

        Returns:
            Bool of shape [premises]; None when no import is in the index, so that nothing is known.
        """
        known = {path: number for number, path in enumerate(self._paths)}
        waiting = [each for module in imported_modules(text) if (each := self._find(module_path(module))) is not None]
        own = next((number for number, each in enumerate(self._paths) if path.endswith(f"/{each}")), None)
        if not waiting and own is None:
            return None
        reached: set[int] = set()
        while waiting:
            number = waiting.pop()
            if number not in reached:
                reached.add(number)
                waiting += [known[each] for each in self.files[number].imports if each in known]
        marks = []
        for number, file in enumerate(self.files):
            if number == own:
                marks += [last < line for last in file.lines]
            else:
                marks += [number in reached] * len(file.premises)
        return torch.tensor(marks)

    def _find(self, path: str) -> int | None:
        """The file of a module: packages stand in folders of their own."""
        return next((n for n, each in enumerate(self._paths) if each == path or each.endswith(f"/{path}")), None)

    def save(self, folder: Path) -> None:
        """Writes the index; an earlier one in this folder is replaced when the new one is whole."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        try:
            about = {"format": FORMAT, "encoder": self.encoder, "width": self.vectors.shape[1]}
            (new / _ABOUT).write_text(json.dumps({**about, "premises": len(self.premises)}), encoding="utf-8")
            with (new / _FILES).open("w", encoding="utf-8", newline="\n") as lines:
                for file in self.files:
                    lines.write(json.dumps(_record(file), ensure_ascii=False) + "\n")
            save_file({"vectors": self.vectors.contiguous()}, new / _VECTORS)
            new.chmod(0o755)
            if folder.exists():
                shutil.rmtree(folder)
            new.replace(folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    @classmethod
    def load(cls, folder: Path) -> PremiseIndex:
        """The index in a folder.

        Raises:
            ModelLoadError: There is none, it is damaged, or another version made it.
        """
        if not (folder / _ABOUT).is_file():
            raise ModelLoadError(
                f"The folder {folder} holds no index of premises.",
                hint="Make one with `llmstep index`, and set llmstep.premises.index to its folder.",
            )
        try:
            about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
            files = [
                _file(json.loads(line)) for line in (folder / _FILES).read_text(encoding="utf-8").split("\n") if line
            ]
            vectors = load_file(folder / _VECTORS)["vectors"]
            index = cls(str(about["encoder"]), files, vectors)
            fits = tuple(vectors.shape) == (len(index.premises), about["width"])
            if about["format"] != FORMAT or not fits:
                raise ValueError("its parts do not belong together, or another version made it")
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ModelLoadError(
                f"The index of premises in {folder} cannot be read: {error}.", hint="Make it anew with `llmstep index`."
            ) from error
        return index


def _record(file: CorpusFile) -> dict[str, Any]:
    premises = [[each.name, each.code, line] for each, line in zip(file.premises, file.lines, strict=True)]
    return {"path": file.path, "imports": file.imports, "premises": premises}


def _file(record: dict[str, Any]) -> CorpusFile:
    names = [(str(name), str(code), int(line)) for name, code, line in record["premises"]]
    return CorpusFile(
        str(record["path"]),
        tuple(map(str, record["imports"])),
        tuple(Premise(name, code) for name, code, _ in names),
        tuple(line for _, _, line in names),
    )


def texts_of(files: Sequence[CorpusFile]) -> list[str]:
    """What the encoder reads of each premise, in the order of the index."""
    from llmstep.catalog.template import marked

    return [marked(premise) for file in files for premise in file.premises]
