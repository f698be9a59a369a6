"""How a server is reached, and in what words it is said that it cannot be."""

from __future__ import annotations

import ipaddress
import ssl
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from judge.errors import FatalError, TransientError

__all__ = ["no_tls", "proxy_for", "unreachable"]

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


def unreachable(error: OSError, address: str) -> TransientError:
    """Our error where no connection could be made.

    Args:
        error: What the system said.
        address: Of the server, without a key.
    """
    message = f"cannot reach {address} ({error.strerror or error})."
    return TransientError(message, code="unreachable", hint="Is the server running?")


def no_tls(error: Exception, address: str) -> FatalError:
    """Our error where TLS failed; a certificate that cannot be trusted now cannot be at the next try either."""
    if isinstance(error, ssl.CertificateError):
        return _certificate_error(error, address)
    why = getattr(error, "reason", None) or error
    hint = "Does the server speak https there? Else the address begins with http://"
    return FatalError(f"{address}: no TLS connection ({_words(why)}).", code="tls", hint=hint)


def _certificate_error(error: Exception, address: str) -> FatalError:
    number = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else 0
    why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
    hint = _TRUST
    if number in _TIMES:
        hint = "Renew it at the server; is the clock of this machine right?"
    elif number in _NAMES:
        hint = "Use the name that stands in the certificate as --api-base."
    return FatalError(f"{address}: its TLS certificate is not valid ({why.rstrip('.')}).", code="tls", hint=hint)


def _words(reason: object) -> str:
    """OpenSSL's `WRONG_VERSION_NUMBER` as words."""
    return str(reason).replace("_", " ").lower()
