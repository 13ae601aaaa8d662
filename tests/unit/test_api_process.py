"""Several workers serve as one process does."""

from typing import Any

import uvicorn
from fastapi import FastAPI
from pytest_mock import MockerFixture

from entrypoints import api_process
from entrypoints.servers import KEEP_ALIVE, Server
from entrypoints.settings import Settings

OF_WORKERS = {"app", "factory", "workers"}


def shared(config: uvicorn.Config) -> dict[str, Any]:
    return {name: value for name, value in vars(config).items() if name not in OF_WORKERS}


def test_workers_serve_as_one_process_does(mocker: MockerFixture) -> None:
    mocker.patch.object(api_process, "bind")
    mocker.patch.dict("os.environ")
    multiprocess = mocker.patch.object(api_process, "Multiprocess")
    settings = Settings.model_construct()
    api_process.run_api("bets", settings, "url", host="127.0.0.1", port=0, workers=2)
    (config,) = multiprocess.call_args.args
    assert config.workers == 2
    assert config.timeout_keep_alive == KEEP_ALIVE
    assert shared(config) == shared(Server(FastAPI(), mocker.Mock()).config)
