"""The proxy that other tests make faults with."""

from __future__ import annotations

import time

import psycopg
import pytest
from support.database import Server
from support.proxy import Proxy


def test_counts_messages_and_round_trips(server: Server) -> None:
    """Each statement is a round trip, however many messages it takes."""
    with Proxy(server.url(), latency=0.01) as proxy:
        with psycopg.connect(proxy.url, autocommit=True) as connection:
            with proxy.counting() as counted:
                connection.execute("select 1")
                connection.execute("select %s::int", [2])
            assert counted.round_trips == 2
            assert counted.from_client >= 2
            assert counted.connections == 0
            with proxy.counting() as counted, connection.pipeline():
                for number in range(5):
                    connection.execute("select %s::int", [number])
            assert counted.round_trips == 1
        assert proxy.counts.connections == 1


def test_adds_latency(server: Server) -> None:
    """A statement under latency takes the way there and back."""
    with (
        Proxy(server.url(), latency=0.05) as proxy,
        psycopg.connect(proxy.url, autocommit=True) as connection,
    ):
        begin = time.monotonic()
        connection.execute("select 1")
        assert time.monotonic() - begin >= 0.1


def test_cuts_after_a_message(server: Server) -> None:
    """What was sent before the cut is done by the server, but its answer is lost."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("create table proxy_cut (id int)")
        try:
            with Proxy(server.url()) as proxy:
                connection = psycopg.connect(proxy.url, autocommit=True)
                fault = proxy.fault("cut", match=lambda m: b"insert" in m.body)
                with pytest.raises(psycopg.OperationalError):
                    connection.execute("insert into proxy_cut values (1)")
                assert fault.fired.is_set()
                assert connection.broken
                connection.close()
                psycopg.connect(proxy.url).close()
            deadline = time.monotonic() + 10
            while admin.execute("select from proxy_cut").fetchone() is None:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        finally:
            admin.execute("drop table proxy_cut")


def test_stalls_until_cleared(server: Server) -> None:
    """A stalled connection says nothing, and goes on when the fault is cleared."""
    with (
        Proxy(server.url()) as proxy,
        psycopg.connect(proxy.url, autocommit=True) as connection,
    ):
        proxy.fault("stall", side="client")
        connection.pgconn.send_query(b"select 1")
        time.sleep(0.2)
        connection.pgconn.consume_input()
        assert connection.pgconn.is_busy()
        proxy.clear()
        while connection.pgconn.is_busy():
            connection.pgconn.consume_input()
        while connection.pgconn.get_result():
            pass


def test_cuts_everything_and_refuses(server: Server) -> None:
    """Connections can be cut by hand, and new ones refused."""
    with Proxy(server.url()) as proxy:
        connection = psycopg.connect(proxy.url)
        proxy.cut_all()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
        connection.close()
        proxy.refusing = True
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(proxy.url)
