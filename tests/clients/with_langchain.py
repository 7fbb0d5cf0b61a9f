"""What langchain-openai makes of the server: run by `test_clients.py` with the Python that has it; prints JSON."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import openai
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI, OpenAI

if TYPE_CHECKING:
    from collections.abc import Callable

url, token, prompt, busy = sys.argv[1] + "/v1", sys.argv[2], sys.argv[3], len(sys.argv) > 4


def model(kind: Any, key: str = token, **fields: Any) -> Any:
    return kind(model="starter", base_url=url, api_key=key, temperature=0, max_tokens=64, max_retries=0, **fields)


def raised(work: Callable[[], object]) -> dict[str, Any]:
    try:
        work()
    except openai.APIStatusError as error:
        after = error.response.headers.get("retry-after")
        return {"class": type(error).__name__, "said": str(error), "code": error.code, "retry_after": after}
    return {"class": "", "said": "", "code": None, "retry_after": None}


if busy:
    print(json.dumps(raised(lambda: model(OpenAI).invoke(prompt))))
    sys.exit()

found: dict[str, Any] = {}
found["completion"] = model(OpenAI).invoke(prompt)
found["stream"] = "".join(model(OpenAI).stream(prompt))
found["several"] = [each.text for made in model(OpenAI).generate([prompt, prompt]).generations for each in made]
found["chat"] = model(ChatOpenAI).invoke(prompt).content
found["chat_stream"] = "".join(str(part.content) for part in model(ChatOpenAI).stream(prompt))
turns = [SystemMessage("Lean"), HumanMessage("⊢ True"), AIMessage("trivial"), HumanMessage(prompt)]
answer = model(ChatOpenAI).bind(logprobs=True).invoke(turns)
found["turns"] = bool(answer.content)
found["logprobs"] = len(answer.response_metadata["logprobs"]["content"]) > 0
found["retrieve"] = openai.OpenAI(base_url=url, api_key=token).models.retrieve("starter").id
found["unknown"] = raised(lambda: openai.OpenAI(base_url=url, api_key=token).models.retrieve("other"))
found["too_long"] = raised(lambda: model(OpenAI).invoke("p " * 5000))
found["token"] = raised(lambda: model(ChatOpenAI, "wrong").invoke(prompt))
found["tools"] = raised(
    lambda: model(ChatOpenAI).bind_tools([{"name": "f", "description": "", "parameters": {}}]).invoke(prompt)
)
print(json.dumps(found))
