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

GGUF = ".gguf"
"""How the sources of files for llama.cpp end; see `llmstep.catalog.gguf`."""
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
        name = _auto(settings, hardware or Hardware()).name
    record, (source, _) = find_record(name), source_of(name)
    if source.lower().endswith(GGUF):
        raise ModelLoadError(
            f"The model {source} is a GGUF file, which only llama.cpp runs.",
            hint="Set llmstep.engine to auto or to llama.cpp.",
        )
    return choice_of(_folder(source) if record is None and store.is_path(source) else source, record, settings)


def source_of(name: str) -> tuple[str, bool]:
    """The source of a model by its name, id or path, and whether Python code of its own belongs to it.

    Raises:
        ModelNotFoundError: There is no such model.
    """
    record = find_record(name)
    if record is not None:
        return (str(STARTER_DIR) if record.bundled else record.repo_id), record.trust_remote_code
    is_file = name.lower().endswith(GGUF) and store.repository(name)[1]
    if not store.is_path(name) and not _HUB_ID.fullmatch(name) and not is_file:
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


def _folder(source: str) -> str:
    """A folder of the user's, looked at."""
    folder = store.path_of(source).absolute()
    if not folder.is_dir():
        raise ModelNotFoundError(
            f"There is no folder {folder}.", hint="Set llmstep.model to a model's folder, name or hub id."
        )
    if not (folder / CONFIG).is_file() and store.adapter_base(folder) is None:
        raise ModelLoadError(
            f"The folder {folder} holds no model: it has no {CONFIG}.",
            hint="Set llmstep.model to the folder that a model was saved to.",
        )
    return str(folder)


def choice_of(source: str, record: ModelRecord | None, settings: Settings) -> ModelChoice:
    """A source, with its template, and whether its code may run; see `resolve`."""
    name = record.name if record else source
    is_file = source.lower().endswith(GGUF)
    of_the_user = record is None or record.added
    brings_code = record is not None and record.trust_remote_code and not is_file
    if brings_code and not of_the_user and not settings.trust_remote_code:  # who added one has allowed it with that
        raise ModelError(
            f"The model {name} brings Python code of its own, which is not allowed to run.",
            hint="If you trust its authors, set llmstep.trustRemoteCode to true; else choose another model.",
        )
    here = cache_path(source) if of_the_user else None
    folder = here.parent if here is not None and is_file else here
    hinted, maximum = store.read_hints(folder)
    config = read_json(folder / CONFIG) if folder and record is None and not is_file else {}
    family = record.family if record else _family(config)
    template = template_for(settings, name, record.template if record else hinted or _guess(source, config, family))
    if family is not None and not is_file:
        check_family(template, family, name)
    if template.name == hinted and maximum > 0:
        template = template.shortened(maximum)  # to what it was trained on
    trusted = brings_code or (of_the_user and settings.trust_remote_code)
    return ModelChoice(source, template.stopping(record.stops if record else ()), record, trusted)


def _family(config: dict[str, object]) -> Family | None:
    if not config:
        return None
    return "seq2seq" if config.get("is_encoder_decoder") or config.get("model_type") == "t5" else "causal"


def _guess(source: str, config: dict[str, object], family: Family | None) -> str:
    """The most likely template, or the empty text."""
    # Further up a path stand the names of other things.
    named = "/".join(Path(source).parts[-2:]) if store.is_path(source) else source
    families: tuple[Family, ...] = (family,) if family else ("causal", "seq2seq")
    for model_id in (named, str(config.get("_name_or_path") or "")):
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
