"""What litellm makes of the server: run by `test_clients.py` with the Python that has litellm; prints JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network for prices
import litellm

url, token, prompt, busy = sys.argv[1], sys.argv[2], sys.argv[3], len(sys.argv) > 4
litellm.suppress_debug_info = True
litellm.telemetry = False
CHAT = [{"role": "user", "content": prompt}]


def ask(function: Any, model: str, base: str = url + "/v1", key: str = token, **fields: Any) -> Any:
    return function(model=model, api_base=base, api_key=key, temperature=0, max_tokens=64, num_retries=0, **fields)


def raised(function: Any, *arguments: Any, **fields: Any) -> dict[str, Any]:
    try:
        ask(function, *arguments, **fields)
    except Exception as error:
        response = getattr(error, "response", None)
        headers = getattr(response, "headers", {}) or {}
        return {"class": type(error).__name__, "said": str(error), "retry_after": headers.get("retry-after")}
    return {"class": "", "said": "", "retry_after": None}


if busy:
    print(json.dumps(raised(litellm.text_completion, "text-completion-openai/starter", prompt=prompt, max_retries=0)))
    sys.exit()

found: dict[str, Any] = {}
answer = ask(litellm.text_completion, "text-completion-openai/starter", prompt=prompt)
found["completion"] = answer.choices[0].text
found["usage"] = answer.usage.completion_tokens
several = ask(litellm.text_completion, "text-completion-openai/starter", prompt=[prompt, prompt], n=2)
found["several"] = [each.text for each in several.choices]
stream = ask(litellm.text_completion, "text-completion-openai/starter", prompt=prompt, stream=True)
found["stream"] = "".join(part.choices[0].text or "" for part in stream)
found["chat"] = ask(litellm.completion, "openai/starter", messages=CHAT).choices[0].message.content
stream = ask(litellm.completion, "openai/starter", messages=CHAT, stream=True)
found["chat_stream"] = "".join(part.choices[0].delta.content or "" for part in stream)
found["ollama"] = ask(litellm.completion, "ollama/starter", url, messages=CHAT).choices[0].message.content
found["ollama_chat"] = ask(litellm.completion, "ollama_chat/starter", url, messages=CHAT).choices[0].message.content
stream = ask(litellm.completion, "ollama_chat/starter", url, messages=CHAT, stream=True)
found["ollama_chat_stream"] = "".join(part.choices[0].delta.content or "" for part in stream)
found["too_long"] = raised(litellm.text_completion, "text-completion-openai/starter", prompt="p " * 5000)
found["token"] = raised(litellm.completion, "openai/starter", url + "/v1", "wrong", messages=CHAT)
found["tools"] = raised(litellm.completion, "openai/starter", messages=CHAT, logprobs=True, top_logprobs=3)
print(json.dumps(found))
