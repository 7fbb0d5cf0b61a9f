"""`llmstep index`: vectors for the premises of a library, for prompts that read premises."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmstep.cli.downloads import agree_to
from llmstep.cli.flags import YesOption
from llmstep.cli.say import say


def index(
    corpus: Annotated[Path, typer.Option("--corpus", help="LeanDojo's corpus.jsonl, or the folder of a Lean project.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the index.")],
    encoder: Annotated[
        str | None, typer.Option(help="Hub id or folder of the encoder; default ReProver's retriever.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Premises a batch.")] = 16,
    threads: Annotated[int, typer.Option(min=0, help="Processor threads.")] = 0,
    yes: YesOption = False,
) -> None:
    """Make an index of premises for --premises index.

    Example: llmstep index --corpus leandojo_benchmark_4/corpus.jsonl -o mathlib-premises
    """
    from llmstep.errors import RequestError
    from llmstep.premises.corpus import read_corpus

    files = read_corpus(corpus)
    if out.exists() and not (out / "index.json").is_file() and (not out.is_dir() or any(out.iterdir())):
        raise RequestError(f"{out} is there already and is no index.", hint="Give another folder.")
    from llmstep.premises.encoder import MODEL, Encoder
    from llmstep.premises.index import PremiseIndex, texts_of

    agree_to(encoder or MODEL, yes=yes)
    texts = texts_of(files)
    model = Encoder(encoder or MODEL, device, threads)
    with typer.progressbar(length=len(texts), label="Premises") as bar:
        vectors = model.embed(texts, batch_size, lambda done: bar.update(done - bar.pos))
    name = str(Path(model.name).resolve()) if Path(model.name).is_dir() else model.name
    PremiseIndex(name, files, vectors).save(out)
    say(f"{len(texts):,} premises of {len(files):,} files in {out}")
