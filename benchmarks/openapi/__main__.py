"""Lint the OpenAPI document of the shipped gateway, and use clients that are generated from it.

    .venv/bin/python -m benchmarks.openapi

Needs Node.js 20 or newer with npm. The tools are installed into `.venv-openapi`, in the versions of
`clients/requirements.txt` and `clients/package.json`; that takes about half a minute, but only once. The
steps run on a live gateway with mock services:

1. Spectral and Redocly lint the document with their default rules; an error ends the program.
2. openapi-python-client generates a client, `mypy --strict` checks it with `use_client.py`, which then runs.
3. openapi-typescript generates types, `tsc --strict` checks them with `use_client.ts`, which then runs.
"""

import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

import httpx

MOCKS_PORT: Final = 18301
SOURCES: Final = Path(__file__).parent / "clients"
TOOLS: Final = Path(__file__).parents[2] / ".venv-openapi"
CLIENTS: Final = TOOLS / "clients"
"""A copy of the sources, the generated clients, and the packages from npm."""

PYTHON: Final = str(TOOLS / "bin" / "python")
DOCUMENT: Final = "openapi.json"
ENVIRONMENT: Final = {
    **os.environ,
    "PATH": os.pathsep.join([str(TOOLS / "bin"), str(CLIENTS / "node_modules" / ".bin"), os.environ["PATH"]]),
    "REDOCLY_TELEMETRY": "off",
    "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
    "NO_PROXY": "127.0.0.1",
}


def run(*command: str) -> None:
    """Run *command* among the clients, and print its time; exit with its output if it fails."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=CLIENTS, env=ENVIRONMENT, check=False)  # noqa: S603 - no shell
    outcome = "FAILED" if done.returncode else "ok"
    print(f"{outcome}: {' '.join(command)}, {time.perf_counter() - start:.0f} s", flush=True)
    if done.returncode:
        sys.exit(1)


def install() -> None:
    """Install the tools, unless they are installed, and copy the sources."""
    if shutil.which("npm") is None:
        sys.exit("npm is required: install Node.js 20 or newer")
    shutil.copytree(SOURCES, CLIENTS, dirs_exist_ok=True)
    if not Path(PYTHON).exists():
        venv.create(TOOLS, with_pip=True)
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt")
    run("npm", "install", "--silent", "--no-package-lock", "--ignore-scripts")


@contextmanager
def run_gateway() -> Generator[str]:
    """Run a gateway with mock services; yield its URL."""
    program = (sys.executable, "-m", "gateway", "serve", "--port", "0", "--with-mocks", str(MOCKS_PORT))
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            lines = iter(cast("IO[str]", process.stdout).readline, "")
            ready = next(line for line in lines if line.startswith("documentation: "))
            yield ready.split()[1].removesuffix("/docs")
        finally:
            process.terminate()


def lint() -> None:
    run("spectral", "lint", DOCUMENT, "--ruleset", "spectral.yaml")
    run("redocly", "lint", DOCUMENT, "--format", "stylish")


def use_python_client(url: str) -> None:
    run(
        *("openapi-python-client", "generate", "--path", DOCUMENT, "--config", "generator.yaml"),
        *("--meta", "none", "--output-path", "gateway_client", "--overwrite", "--fail-on-warning"),
    )
    # Without `--config-file`, mypy would use the settings of this project.
    run("mypy", "--config-file=", "--strict", "gateway_client", "use_client.py")
    run(PYTHON, "use_client.py", url)


def use_typescript_client(url: str) -> None:
    # Otherwise, a field of a request that has a default is required.
    run("openapi-typescript", DOCUMENT, "--output", "gateway.d.ts", "--default-non-nullable", "false")
    run("tsc", "--project", ".")
    run("node", "use_client.js", url)


def main() -> None:
    install()
    with run_gateway() as url:
        (CLIENTS / DOCUMENT).write_text(httpx.get(f"{url}/openapi.json", trust_env=False).text)
        lint()
        use_python_client(url)
        use_typescript_client(url)


if __name__ == "__main__":
    main()
