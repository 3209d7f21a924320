"""Variables that Kubernetes and Docker set for a service of their own named `gateway`, or `gateway-...`.

Kubernetes sets `GATEWAY_SERVICE_HOST`, `GATEWAY_PORT=tcp://10.0.0.1:8000`, `GATEWAY_PORT_8000_TCP_ADDR` and
others in each pod of the namespace, unless the pod turns `enableServiceLinks` off. They are no settings,
although they begin like settings, and one has the name of a setting.

https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
https://docs.docker.com/engine/network/links/#environment-variables
"""

import re
from typing import Final

__all__ = ("is_service_link",)

_NAME: Final = re.compile(
    r"""[A-Z0-9_]+?
    (   _SERVICE_HOST
    |   _SERVICE_PORT(_[A-Z0-9_]+)?
    |   _PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR)(_START|_END)?)?
    |   _ENV_[A-Za-z0-9_]+
    )""",
    re.VERBOSE,
)
_CONTAINER: Final = re.compile(r"(/[^/]+){2}")
_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://.+:\d+")


def is_service_link(variable: str, value: str) -> bool:
    """Return whether *variable* is a service link, by its name, which may leave that to its *value*."""
    if variable.endswith("_PORT") and _ADDRESS.fullmatch(value) is not None:
        return True
    if variable.endswith("_NAME") and _CONTAINER.fullmatch(value) is not None:
        return True
    return _NAME.fullmatch(variable) is not None
