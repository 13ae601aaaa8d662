"""Gets what the tests need beyond Python packages: Java, Maven, Apache Kafka's jars, and Chromium.

Run by `make setup`, and so by `make test`. What is there already is left alone. What can't be
installed from here stops it before the first test, with the command to type.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.kafka.broker import KafkaBroker
from tests.kafka.jars import POM, class_archive, jars_directory

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
OLDEST_JAVA = 17
JAVA_PACKAGES = ("openjdk-17-jdk-headless", "openjdk-21-jdk-headless", "default-jdk-headless")
"""The first one that the Debian release at hand has is installed. With its compiler: Java runs the
example from its source."""


def main() -> None:
    """Install what is missing."""
    ensure_chromium()
    ensure_kafka()


def ensure_kafka() -> None:
    """What a broker needs: Java, Maven, Kafka's jars, and their classes as the JVM keeps them."""
    ensure_java_and_maven()
    copy_kafka_jars()
    archive_kafka_classes()


def ensure_java_and_maven() -> None:
    """Install Java and Maven, or exit with the command that does."""
    if is_ready():
        return
    if not may_install():
        sys.exit(
            f"The tests need a JDK {OLDEST_JAVA} or newer and Maven. Type: {command_to_type()}"
        )
    run("apt-get", "update", "-q")
    packages = (*first_available(JAVA_PACKAGES), "maven")
    run("apt-get", "install", "-q", "-y", "--no-install-recommends", *packages)
    if not is_ready():
        sys.exit(
            f"Installed {' and '.join(packages)}, but the `java` on the path is still none that is "
            f"{OLDEST_JAVA} or newer and has a compiler. Type: update-alternatives --config java"
        )


def ensure_chromium() -> None:
    """Install the browser that the pages are tested in, or exit with the command that does."""
    if found_chromium() is not None:
        return
    if not may_install():
        sys.exit(f"The tests need Chromium. Type: {command_to_type('chromium')}")
    run("apt-get", "update", "-q")
    run("apt-get", "install", "-q", "-y", "--no-install-recommends", "chromium")
    chromium()


def found_chromium() -> str | None:
    """Where a Chromium is, under one of the names that distributions give it."""
    found = (shutil.which(name) for name in CHROMIUM_NAMES)
    return next((path for path in found if path is not None), None)


def chromium() -> str:
    """Where Chromium is; exits if it isn't there."""
    path = found_chromium()
    if path is None:
        sys.exit(f"There is no Chromium. Type: {command_to_type('chromium')}")
    return path


def copy_kafka_jars() -> None:
    """Copy Kafka and all it depends on into the project's cache, once and whole."""
    target = jars_directory()
    if target.is_dir():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        unfinished = Path(scratch) / "libs"
        run(
            *("mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"),
            *("-DincludeScope=runtime", f"-DoutputDirectory={unfinished}"),
        )
        unfinished.rename(target)


def archive_kafka_classes() -> None:
    """Let every broker of the tests start in half the time."""
    target = class_archive()
    if target.is_file():
        return
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        unfinished = Path(scratch) / target.name
        KafkaBroker(Path(scratch) / "broker").archive_classes(unfinished)
        unfinished.rename(target)


def is_ready() -> bool:
    """Whether Java is new enough and has its compiler, and Maven is there."""
    return java_version() >= OLDEST_JAVA and can_compile() and shutil.which("mvn") is not None


def java_version() -> int:
    """The major version of the `java` on the path; 0 if there is none."""
    if shutil.which("java") is None:
        return 0
    says = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', says)
    return int(found[1]) if found else 0


def can_compile() -> bool:
    """Whether the `java` on the path runs a program from its source: a runtime alone doesn't."""
    modules = subprocess.run(
        ["java", "--list-modules"], capture_output=True, text=True, check=False
    ).stdout
    return "jdk.compiler@" in modules


def may_install() -> bool:
    """Whether this is Debian or a child of it, and we are root."""
    return shutil.which("apt-get") is not None and os.geteuid() == 0


JAVA_AND_MAVEN = {
    "apt-get": "openjdk-17-jdk-headless maven",
    "dnf": "java-17-openjdk-devel maven",
    "brew": "openjdk@17 maven && brew link --force openjdk@17",
}


def command_to_type(package: str | None = None) -> str:
    """What installs a package here; without a name, Java and Maven."""
    if shutil.which("apt-get"):
        return (
            f"sudo apt-get update && sudo apt-get install -y {package or JAVA_AND_MAVEN['apt-get']}"
        )
    if shutil.which("dnf"):
        return f"sudo dnf install -y {package or JAVA_AND_MAVEN['dnf']}"
    if shutil.which("brew"):
        return f"brew install {package or JAVA_AND_MAVEN['brew']}"
    wanted = package or "a JDK and Maven"
    return f"make setup   (after installing {wanted} from your system's packages)"


def first_available(packages: tuple[str, ...]) -> tuple[str, ...]:
    """The first of these that apt knows, as the only item."""
    for package in packages:
        shown = subprocess.run(["apt-cache", "show", package], capture_output=True, check=False)
        if shown.returncode == 0:
            return (package,)
    return packages[:1]


def run(*command: str) -> None:
    """Run it in view of the user; exit when it fails."""
    sys.stdout.write(f"+ {' '.join(command)}\n")
    sys.stdout.flush()
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    finished = subprocess.run(command, env=environment, check=False)
    if finished.returncode != 0:
        sys.exit(f"`{' '.join(command)}` failed with exit code {finished.returncode}")


if __name__ == "__main__":
    main()
