"""How a server is reached, and in what words it is said that it cannot be."""

from __future__ import annotations

import ipaddress
import ssl
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from judge.errors import BackendError, FatalError, TransientError

__all__ = ["proxy_for", "transport_error"]

# OpenSSL's X509_V_ERR_… of a certificate, and what to do; any other one is of a CA that this machine does not know.
_TIMES = {9, 10, 13, 14}
_NAMES = {62, 63, 64}
_TRUST = "If it is yours, name the file of its CA in SSL_CERT_FILE, and start again."


def proxy_for(address: str) -> str | None:
    """The environment's proxy for an address, by `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.

    Never one for a server on this machine, which a proxy could not find. aiohttp's own `trust_env` is no choice: it
    also reads `.netrc`, sends what it finds there to the server, and fails where the request has a key already.
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    if _on_this_machine(host) or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return getproxies().get(parts.scheme)


def _on_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def transport_error(error: aiohttp.ClientError | OSError, address: str) -> BackendError:
    """Our error where no answer came; a certificate that cannot be trusted now cannot be at the next try either.

    Args:
        error: What aiohttp raised.
        address: Of the server, without a key.
    """
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _certificate_error(error.certificate_error, address)
    if isinstance(error, aiohttp.ClientSSLError):
        why = getattr(error.os_error, "reason", None) or error.os_error
        hint = "Does the server speak https there? Else the address begins with http://"
        return FatalError(f"{address}: no TLS connection ({_words(why)}).", code="tls", hint=hint)
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        message = f"cannot reach the proxy of the environment for {address} ({_reason(error)})."
        hint = f"Unset HTTP_PROXY and HTTPS_PROXY, or put {urlsplit(address).hostname} into NO_PROXY."
        return TransientError(message, code="unreachable", hint=hint)
    if isinstance(error, aiohttp.ClientConnectorError):
        message = f"cannot reach {address} ({_reason(error)})."
        return TransientError(message, code="unreachable", hint="Is the server running?")
    return TransientError(f"{address}: the connection broke ({type(error).__name__}).", code="connection")


def _certificate_error(error: Exception, address: str) -> FatalError:
    number = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else 0
    why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
    hint = _TRUST
    if number in _TIMES:
        hint = "Renew it at the server; is the clock of this machine right?"
    elif number in _NAMES:
        hint = "Use the name that stands in the certificate as --api-base."
    return FatalError(f"{address}: its TLS certificate is not valid ({why.rstrip('.')}).", code="tls", hint=hint)


def _reason(error: aiohttp.ClientConnectorError) -> str:
    return error.os_error.strerror or str(error.os_error)


def _words(reason: object) -> str:
    """OpenSSL's `WRONG_VERSION_NUMBER` as words."""
    return str(reason).replace("_", " ").lower()
