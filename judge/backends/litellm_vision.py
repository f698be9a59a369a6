"""Whether images reach a provider through litellm: for some it leaves them out of the request, and says nothing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from judge.backends.litellm_setup import check_model, import_litellm

__all__ = ["drops_images"]

# One transparent pixel.
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def drops_images(model: str, *, api_base: str | None) -> bool:
    """Let litellm write a request with an image, which is not sent, and look for the image in it.

    Args:
        model: `provider/model`, as litellm names it.
        api_base: The provider's address, where it is not its usual one.

    Raises:
        ConfigError: As `check_model`.
    """
    litellm = import_litellm()
    check_model(model, api_base=api_base)
    name, provider, _, _ = litellm.get_llm_provider(model, api_base=api_base)
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PIXEL}"}}
    messages: list[Any] = [{"role": "user", "content": [image, {"type": "text", "text": "What is it?"}]}]
    try:
        written = _writer_of(provider, name).transform_request(
            model=name, messages=messages, optional_params={}, litellm_params={}, headers={}
        )
    except Exception:  # noqa: BLE001 - it has no one way to write requests: for those that it does not write so, ask
        return False
    return _PIXEL not in str(written)


def _writer_of(provider: str, model: str) -> Any:
    providers = import_module("litellm.types.utils").LlmProviders
    manager = import_module("litellm.utils").ProviderConfigManager
    return manager.get_provider_chat_config(model=model, provider=providers(provider))
