"""Tests of the standard library that are about another loop's private parts, each with the reason.

Nothing else may be listed here.
"""

from __future__ import annotations

import fnmatch

# Whole modules that never touch the loop under test.
MODULES = {
    "test_proactor_events": "tests the Windows proactor with a mocked loop",
    "test_windows_events": "Windows only",
    "test_windows_utils": "Windows only",
    "test_selector_events": "tests the selector loop's own transports with a mocked selector",
}

# A pattern for the end of a test's name, and the reason.
_MOCKED_SOCKET = "hands the loop a mock in place of a socket, which only a mocked selector can poll"
_MOCKED_MODULE = "replaces a module inside asyncio.unix_events, whose code this loop does not run"
_SENDFILE = "calls the selector loop's private _sock_sendfile_native_impl()"
_WATCHER = "reads the selector loop's private _watcher"

TESTS = {
    "BaseEventLoopWithSelectorTests.test_accept_connection_*": "calls the selector loop's private _accept_connection()",
    "BaseEventLoopWithSelectorTests.test_create_connection_ip_addr": _MOCKED_SOCKET,
    "BaseEventLoopWithSelectorTests.test_create_connection_ipv6_scope": _MOCKED_SOCKET,
    "BaseEventLoopWithSelectorTests.test_create_connection_no_inet_pton": _MOCKED_SOCKET,
    "BaseEventLoopWithSelectorTests.test_create_connection_service_name": _MOCKED_SOCKET,
    "BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_ip_addr": _MOCKED_SOCKET,
    "BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_sock_unix": _MOCKED_SOCKET,
    "BaseEventLoopWithSelectorTests.test_create_server_soreuseport_only_defined": _MOCKED_SOCKET,
    "BaseEventLoopTests.test_create_connection_happy_eyeballs*": _MOCKED_SOCKET,
    "EventLoopTests.test_internal_fds": "counts the selector loop's private self-pipe",
    "EventLoopTests.test_timeout_rounding": "replaces the private _run_once() and reads _selector",
    "SelectorEventLoopSignalTests.test_add_signal_handler_*_error*": _MOCKED_MODULE,
    "SelectorEventLoopSignalTests.test_close": _MOCKED_MODULE,
    "SelectorEventLoopSignalTests.test_close_on_finalizing": _MOCKED_MODULE,
    "SelectorEventLoopSignalTests.test_remove_signal_handler*": _MOCKED_MODULE,
    "SelectorEventLoopUnixSockSendfileTests.test_sock_sendfile_*": _SENDFILE,
    "SelectorEventLoopUnixSocketTests.test_create_unix_server_bind_error": _MOCKED_MODULE,
    "Subprocess*WatcherTests.test_pid_not_reaped_before_exit_published": _WATCHER,
    "Subprocess*WatcherTests.test_watcher_implementation": _WATCHER,
    "TestSSL.test_remote_shutdown_receives_trailing_data_on_slow_socket": (
        "replaces the selector transport's private _sock; not run, because its threads keep the process when it fails"
    ),
}

# Of those, what keeps the others from running.
NOT_RUN = ("TestSSL.test_remote_shutdown_receives_trailing_data_on_slow_socket",)


def reason_of(test: str) -> str | None:
    """Why a test is excluded, or None."""
    for pattern, reason in TESTS.items():
        if fnmatch.fnmatch(test, f"*{pattern}"):
            return reason
    return None
