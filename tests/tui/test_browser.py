"""``placet console --web`` in Chromium: behind a code and the sign-in."""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from placet.tokens import write_key_file
from tests.harness.alone import alone
from tests.harness.world import free_port

CHROMIUM = next(
    (
        found
        for each in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(each))
    ),
    None,
)
PASSPHRASE = "s3cr3t"
pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("PLACET_REQUIRE_CHROMIUM"),
        reason="Chromium is not installed: the console was not seen in a browser",
    ),
]


@dataclass
class Page:
    """One page of a browser, driven over its own protocol; ``seen`` is what its terminal got."""

    socket: aiohttp.ClientWebSocketResponse
    seen: str = ""
    number: int = 0
    answers: dict[int, asyncio.Future[dict[str, object]]] = field(default_factory=dict)

    async def follow(self) -> None:
        async for message in self.socket:
            told = json.loads(message.data)
            if told.get("method") == "Network.webSocketFrameReceived":
                payload = told["params"]["response"]["payloadData"]
                with contextlib.suppress(ValueError):
                    self.seen += base64.b64decode(payload).decode("utf-8", "replace")
            elif told.get("id") in self.answers:
                self.answers[told["id"]].set_result(told)

    async def call(self, method: str, **parameters: object) -> dict[str, object]:
        self.number += 1
        answer = self.answers[self.number] = asyncio.get_running_loop().create_future()
        request = {"id": self.number, "method": method, "params": parameters}
        await self.socket.send_json(request)
        return (await answer)["result"]

    async def type(self, text: str) -> None:
        focus = "document.querySelector('textarea').focus()"
        await self.call("Runtime.evaluate", expression=focus)
        for each in text:
            await self.call("Input.dispatchKeyEvent", type="char", text=each)

    async def enter(self) -> None:
        how = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **how)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **how)

    async def until(self, *words: str) -> None:
        try:
            async with asyncio.timeout(90):
                while not all(each in self.seen for each in words):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{words} did not come: {self.seen[-3000:]!r}") from None


@contextlib.asynccontextmanager
async def program(*command: str, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Callable[[str], AsyncIterator[Page]]]:
    assert CHROMIUM is not None, "Chromium is required here"
    flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,900")
    async with (
        program(
            CHROMIUM,
            *flags,
            "--remote-debugging-port=0",
            f"--user-data-dir={folder}",
            "about:blank",
        ) as process,
        aiohttp.ClientSession() as http,
    ):
        assert process.stderr is not None
        while b"DevTools listening on " not in (line := await process.stderr.readline()):
            assert line, "Chromium did not start"
        address = line.decode().split("ws://")[1].split("/")[0]
        async with http.get(f"http://{address}/json/list") as answer:
            tabs = await answer.json()
        url = next(each["webSocketDebuggerUrl"] for each in tabs if each["type"] == "page")
        async with http.ws_connect(url, max_msg_size=0) as socket:
            page = Page(socket)
            following = asyncio.create_task(page.follow())
            try:
                yield page
            finally:
                following.cancel()


async def test_the_console_is_served_behind_a_code_and_the_sign_in(tmp_path: Path) -> None:
    """I7: without the code nothing is served, and no window starts signed in."""
    port = free_port()
    async with alone(f"sqlite:///{tmp_path / 'authority.db'}") as authority:
        key_file = tmp_path / "ada.key"
        write_key_file(key_file, authority.admin, PASSPHRASE)
        command = (sys.executable, "-m", "placet.cli", "console", "--web")
        async with program(
            *command,
            PLACET_ISSUER=authority.settings.issuer,
            PLACET_OPERATOR="ada",
            PLACET_KEY_FILE=str(key_file),
            PLACET_PASSPHRASE=PASSPHRASE,  # the server's own: a window asks all the same
            PLACET_CONSOLE_PORT=str(port),
        ) as server:
            assert server.stdout is not None
            said = (await server.stdout.readline()).decode()
            address = said.removeprefix("Open ").strip()
            await refused_without_the_code(address.partition("?")[0])
            async with browser(tmp_path / "profile") as page:
                await page.call("Network.enable")
                await page.call("Page.enable")
                await page.call("Page.navigate", url=address)
                await page.until("Passphrase of the key")
                assert "live" not in page.seen
                await page.call("Page.bringToFront")
                await page.type(PASSPHRASE)
                await page.enter()
                await page.until("administrator", "live")
                await page.type("4")
                await page.until("log.created")


async def refused_without_the_code(address: str) -> None:
    async with aiohttp.ClientSession() as http:
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(aiohttp.ClientConnectorError):
                    async with http.get(address) as answer:
                        assert answer.status == 403
                        break
                await asyncio.sleep(0.05)
        for path in ("ws", "static/js/textual.js", "?code=wrong"):
            async with http.get(address + path) as answer:
                assert answer.status == 403
        hosts = {"Host": "evil.example"}
        async with http.get(address, headers=hosts) as answer:
            assert answer.status == 403
