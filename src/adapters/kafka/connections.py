"""kafka-python's connections, made to say why there is none.

kafka-python 3.0.12 tells whoever waits for a connection only that the time was up; it waits for a
TLS handshake for ever, leaves what one failed with to the garbage collector, and takes a broker
that refuses a password for one that is well: it asks again at once.
"""

import ssl
from functools import partial
from socket import socket
from time import monotonic
from typing import Any

from kafka import errors as kafka_errors
from kafka.net.inet import KafkaNetSocket, create_connection
from kafka.net.manager import KafkaConnectionManager
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport
from kafka.protocol.metadata import MetadataRequest

from adapters.kafka.refusals import Reason, refusal, silence
from domain.errors import BusUnavailable, Misconfigured, TouchlineError

DIRECT = "direct"
"""The scheme of what kafka-python takes for a proxy: none, but sockets of our own."""


class Connections(KafkaConnectionManager):  # type: ignore[misc]  # kafka-python is untyped
    """All connections of one client, and what a person has to mend where one fails."""

    def __init__(self, net: Any, **configs: Any) -> None:
        super().__init__(net, **configs)
        self._troubles: dict[object, TouchlineError] = {}

    @property
    def trouble(self) -> TouchlineError | None:
        """Why no connection came about, where it is known and doesn't pass by itself."""
        found = min(tuple(self._troubles.values()), key=str, default=None)
        return None if found is None else type(found)(*found.args)

    def send(
        self, request: Any, node_id: Any = None, request_timeout_ms: float | None = None
    ) -> Any:
        node_id = self.least_loaded_node() if node_id is None else node_id
        answered = super().send(request, node_id, request_timeout_ms)
        if isinstance(request, MetadataRequest):
            answered.add_callback(lambda _: self._troubles.clear())
            answered.add_errback(partial(self._note_silence, node_id))
        return answered

    async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
        sock = await self._reach(node, timeout_at)
        if not self.ssl_enabled:
            return _Transport(self._net, sock, host=node.host)
        context = self.config["ssl_context"]
        transport = _TlsTransport(self._net, sock, host=node.host, ssl_context=context)
        try:
            await self._shake_hands(transport, timeout_at)
        except OSError as error:
            transport.close()
            raise kafka_errors.KafkaConnectionError(f"TLS: {error}") from error
        except BaseException:
            transport.close()
            raise
        return transport

    async def _reach(self, node: Any, timeout_at: float | None) -> socket:
        options, way = self.config["socket_options"], self.config["proxy_url"]
        try:
            sock: socket = await create_connection(
                self._net, node.host, node.port, options, proxy_url=way, timeout_at=timeout_at
            )
        except kafka_errors.KafkaConnectionError:
            if timeout_at is None or monotonic() < timeout_at:
                self._troubles.pop(node.node_id, None)  # now it is only away
            raise
        return sock

    async def _shake_hands(self, transport: Any, timeout_at: float | None) -> None:
        tls = transport._sock  # noqa: SLF001
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._net.wait_read(tls, timeout_at=timeout_at)
            except ssl.SSLWantWriteError:
                await self._net.wait_write(tls, timeout_at=timeout_at)
            else:
                return

    async def _connect(
        self,
        node: Any,
        conn: Any,
        reset_backoff_on_connect: bool = True,
        timeout_at: float | None = None,
    ) -> None:
        waiting = self._backoff.get(node.node_id)
        await super()._connect(node, conn, False, timeout_at)
        if conn.init_future.succeeded():
            if reset_backoff_on_connect:
                self.reset_backoff(node.node_id)
            return
        if self._backoff.get(node.node_id) is waiting:
            self.update_backoff(node.node_id)
        if conn.init_future.failed():
            self._note(node.node_id, refusal(conn.init_future.exception, self.config))

    def _note_silence(self, node_id: object, error: Exception) -> None:
        """Who wants SASL lets anybody connect, and ends it at the first question."""
        if isinstance(error, kafka_errors.KafkaConnectionError) and not self.cluster.brokers():
            self._note(node_id, silence(self.config))

    def _note(self, node_id: object, reason: Reason | None) -> None:
        """What is certain is not forgotten for a guess."""
        node = self.cluster.broker_metadata(node_id)
        if node is None or reason is None:
            return
        if reason.is_certain or node_id not in self._troubles:
            kind = Misconfigured if reason.is_certain else BusUnavailable
            self._troubles[node_id] = kind(f"Kafka at {node.host}:{node.port} {reason.text}")


class _LastWords:
    """A broker that refuses somebody says why, and ends the connection. kafka-python drops what
    came just before the end."""

    def _sock_recv(self) -> tuple[bytes, Exception | None]:
        received, error = super()._sock_recv()  # type: ignore[misc]
        return (received, None) if received else (received, error)


class _Transport(_LastWords, KafkaTCPTransport):  # type: ignore[misc]  # kafka-python is untyped
    pass


class _TlsTransport(_LastWords, KafkaSSLTransport):  # type: ignore[misc]  # kafka-python is untyped
    pass


class _ClosedWhenRefused(KafkaNetSocket):  # type: ignore[misc]  # kafka-python is untyped
    """kafka-python leaves a socket that got no connection to the garbage collector."""

    SCHEMES = (DIRECT,)

    async def sock_connect(self, net: Any, sock: socket, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().sock_connect(net, sock, *args, **kwargs)
        except BaseException:
            sock.close()
            raise
