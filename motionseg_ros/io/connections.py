"""HTTP connections as the environment wants them: through its proxies, with its certificates."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from .. import __version__
from ..core.errors import ConfigError

TIMEOUT = urllib3.Timeout(connect=10.0, read=30.0)
# Every failure comes back at once; who downloads knows better when to try again.
_RETRIES = urllib3.Retry(connect=0, read=0, status=0, other=0, redirect=10)


def open_pool(url: str) -> urllib3.PoolManager:
    """What requests for `url` are made with.

    Honours HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in capitals or not, and SSL_CERT_FILE.

    Raises:
        ConfigError: the proxy's address cannot be used.
    """
    options = {
        "headers": {"User-Agent": f"motionseg_ros/{__version__}"},
        "retries": _RETRIES,
        "timeout": TIMEOUT,
    }
    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return urllib3.PoolManager(**options)
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    try:
        login = urllib3.util.parse_url(proxy).auth
        identity = urllib3.make_headers(proxy_basic_auth=unquote(login)) if login else None
        return urllib3.ProxyManager(proxy, proxy_headers=identity, **options)
    except urllib3.exceptions.LocationValueError as error:
        # Without the address, which may hold a password.
        raise ConfigError(
            f"the proxy that the environment names for {parts.scheme} cannot be used: give {parts.scheme}_proxy as "
            "http://host:port"
        ) from error
