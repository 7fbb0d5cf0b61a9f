"""From the settings to one model: what is loaded, from where, and with which template."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import attrs

from llmstep.catalog import store
from llmstep.catalog.files import CONFIG, read_json
from llmstep.catalog.models import STARTER, ModelRecord
from llmstep.catalog.recommended import PREFERENCE, Hardware, ways
from llmstep.catalog.registry import all_records, find_record
from llmstep.catalog.store import STARTER_DIR, cache_path, is_cached
from llmstep.catalog.template import Family, PromptTemplate
from llmstep.catalog.templates import TEMPLATES, guess_template, template_for
from llmstep.errors import ModelError, ModelLoadError, ModelNotFoundError
from llmstep.settings import Settings

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@attrs.frozen
class ModelChoice:
    """A model, found."""

    source: str
    """See `llmstep.catalog.store`; all but a GGUF file is what `from_pretrained` takes."""
    template: PromptTemplate
    record: ModelRecord | None = None
    """Its record, if it is in the catalog."""
    trust_remote_code: bool = False
    """Whether Python code that the model brings may run."""

    @property
    def name(self) -> str:
        """What to call it: its name in the catalog, else its source."""
        return self.record.name if self.record is not None else self.source

    @property
    def path(self) -> Path | None:
        """Its folder or file, where that is on this machine."""
        return cache_path(self.source)


def resolve(settings: Settings, hardware: Hardware | None = None) -> ModelChoice:
    """The model that `settings` name.

    `settings.model` is a catalog name, alias or hub id, any other hub id, or a folder with a `config.json` (a path that
    starts with `/`, `.` or `~`). `auto` means: of the models in `PREFERENCE` that are wholly on this machine, the first
    that is small enough for the device (`AUTO_PARAMETERS`), fits its free memory and needs no code of its own that the
    settings do not allow, and that was trained with `settings.template` where that is set; else the starter model. So
    `auto` never starts a download.

    The template is `settings.template`; else the one of the catalog; else what the model's `llmstep.json` says; else
    a guess from its id and architecture.

    Args:
        hardware: Device and free memory, for `auto`; by default a CPU, and no limit from memory.

    Raises:
        ModelError: No such model or template, a folder without a model, or code of its own that is not allowed.
    """
    name = settings.model.strip()
    if name.lower() == "auto":
        return _choice(_auto(settings, hardware or Hardware()), settings)
    record = find_record(name)
    if record is not None:
        return _choice(record, settings)
    if store.is_path(name):
        return _folder(Path(name).expanduser(), settings)
    if _HUB_ID.fullmatch(name):
        return _other(name, cache_path(name), settings)
    raise _unknown(name)


def source_of(name: str) -> tuple[str, bool]:
    """The source of a model by its name, id or path, and whether Python code of its own belongs to it.

    Raises:
        ModelNotFoundError: There is no such model.
    """
    record = find_record(name)
    if record is not None:
        return (str(STARTER_DIR) if record.bundled else record.repo_id), record.trust_remote_code
    if not store.is_path(name) and not _HUB_ID.fullmatch(store.repository(name)[0]):
        raise _unknown(name)
    return name, False


def _auto(settings: Settings, hardware: Hardware) -> ModelRecord:
    for record in PREFERENCE:
        if (
            any(way.suits and way.engine == "inProcess" for way in ways(record, hardware, settings.dtype))
            and (settings.trust_remote_code or not record.trust_remote_code)
            and settings.template in ("", record.template)
            and is_cached(record)
        ):
            return record
    return STARTER


def _choice(record: ModelRecord, settings: Settings) -> ModelChoice:
    """The choice of a model in the catalog."""
    allowed = settings.trust_remote_code or record.added  # who added it has said so for it alone
    if record.trust_remote_code and not allowed:
        raise ModelError(
            f"The model {record.name} brings Python code of its own, which is not allowed to run.",
            hint="If you trust its authors, set llmstep.trustRemoteCode to true; else choose another model.",
        )
    template = template_for(settings, record.name, record.template)
    check_family(template, record.family, record.name)
    if record.added:
        template = _as_trained(template, store.read_hints(cache_path(record)))
    return ModelChoice(
        source=str(STARTER_DIR) if record.bundled else record.repo_id,
        template=template.stopping(record.stops),
        record=record,
        trust_remote_code=record.trust_remote_code or (record.added and settings.trust_remote_code),
    )


def _folder(folder: Path, settings: Settings) -> ModelChoice:
    if folder.suffix.lower() == ".gguf":
        raise ModelLoadError(
            f"The model {folder} is a GGUF file, which only llama.cpp runs.",
            hint="Set llmstep.engine to auto or to llama.cpp.",
        )
    if not folder.is_dir():
        raise ModelNotFoundError(
            f"There is no folder {folder}.", hint="Set llmstep.model to a model's folder, name or hub id."
        )
    if not (folder / CONFIG).is_file() and store.adapter_base(folder) is None:
        raise ModelLoadError(
            f"The folder {folder} holds no model: it has no {CONFIG}.",
            hint="Set llmstep.model to the folder that a model was saved to.",
        )
    return _other(str(folder), folder, settings)


def _other(source: str, folder: Path | None, settings: Settings) -> ModelChoice:
    """The choice of a model that is not in the catalog; `folder` has its files, where there are any."""
    config = read_json(folder / CONFIG) if folder else {}
    family: Family | None = None
    if config:
        family = "seq2seq" if config.get("is_encoder_decoder") or config.get("model_type") == "t5" else "causal"
    hints = store.read_hints(folder)
    template = template_for(settings, source, hints[0], _guess(source, config, family))
    if family is not None:
        check_family(template, family, source)
    return ModelChoice(source, _as_trained(template, hints), trust_remote_code=settings.trust_remote_code)


def _as_trained(template: PromptTemplate, hints: tuple[str, int]) -> PromptTemplate:
    """The template with prompts no longer than those that the model was trained on."""
    name, maximum = hints
    return template.shortened(maximum) if name == template.name and maximum > 0 else template


def _guess(source: str, config: dict[str, object], family: Family | None) -> str:
    """The most likely template, or the empty text."""
    last_parts = "/".join(Path(source).parts[-2:])  # further up a path stand the names of other things
    families: tuple[Family, ...] = (family,) if family else ("causal", "seq2seq")
    for model_id in (last_parts, str(config.get("_name_or_path") or "")):
        for candidate in families:
            if model_id and (name := guess_template(model_id, candidate)):
                return name
    return "pythia" if config.get("model_type") == "gpt_neox" else ""


def check_family(template: PromptTemplate, family: str, model: str) -> None:
    """
    Raises:
        ModelLoadError: The template is for models of another kind.
    """
    if template.family == family:
        return
    kinds = {"causal": "a decoder-only model", "seq2seq": "an encoder-decoder model"}
    fitting = [name for name, other in TEMPLATES.items() if other.family == family]
    raise ModelLoadError(
        f"The template {template.name} is for {kinds[template.family]}, and {model} is {kinds[family]}.",
        hint=f"Set llmstep.template to one of {', '.join(fitting)}.",
    )


def _unknown(name: str) -> ModelError:
    names = {alias.lower(): record.name for record in all_records() for alias in record.names}
    near = list(
        dict.fromkeys(names[alias] for alias in difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5))
    )
    return ModelNotFoundError(
        f"There is no model {name!r} in the catalog.",
        hint=(f"Did you mean {' or '.join(near)}? " if near else "")
        + "`llmstep models` lists them; a hub id has the form owner/name, a path starts with /, . or ~.",
    )
