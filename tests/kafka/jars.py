"""Where Kafka's jars, and what is made of them, lie once `make setup` has run."""

from pathlib import Path
from xml.etree import ElementTree as ET

POM = Path(__file__).with_name("pom.xml")

_VERSION_PATH = "{http://maven.apache.org/POM/4.0.0}properties/{*}kafka.version"


def kafka_version() -> str:
    """The version that pom.xml pins."""
    version = ET.parse(POM).findtext(_VERSION_PATH)
    if version is None:
        raise LookupError(f"{POM} names no kafka.version")
    return version


def jars_directory() -> Path:
    """The copied jars of this version, whether they are there yet or not."""
    return POM.parents[2] / ".cache" / "kafka" / kafka_version() / "libs"


def class_archive() -> Path:
    """A broker's classes as the JVM keeps them: with it a broker starts in half the time."""
    return jars_directory().with_name("classes.jsa")
