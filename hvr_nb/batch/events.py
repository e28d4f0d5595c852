"""``events.jsonl``: what happened to the videos of a batch, one JSON line an event.

Every line has ``time`` (seconds since 1970), ``event`` and ``batch`` (which one). The events:

- "batch": one begins: ``stages``, and the ``process`` and ``machine`` that wait for its end;
- "queued": ``clip``, its ``video`` and ``given`` (its parameters by stage);
- "began": ``clip``, with the ``process`` and ``machine`` that work on it;
- "stage": ``clip``, ``stage``, ``seconds``, ``skipped`` (nothing had changed);
- "ended": ``clip``, ``status``, ``seconds``, and where it failed ``notebook`` and ``error``;
- "over": nobody works on the batch any more.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hvr_nb.store.atomic_files import explain_disk
from hvr_nb.store.files import plain
from hvr_nb.store.locks import writing

EVENTS = "events.jsonl"
EVERY = 1.0  # seconds between two looks at the file
MAX_LINE = 1 << 20  # bytes; a longer one is none of ours


@dataclass(frozen=True)
class EventLog:
    """Where the events of one batch are written; jobs on other machines have a copy of it."""

    folder: Path  # of the clips
    batch: str  # its name, unlike those of all others

    @classmethod
    def begin(cls, folder: Path, stages: list[str]) -> EventLog:
        """The log of a batch that begins now."""
        log = cls(folder, uuid.uuid4().hex[:12])
        log.add("batch", stages=stages, **here())
        return log

    def add(self, event: str, **content) -> None:
        """Append one line; writers of all machines take turns.

        Raises:
            HvrError: the disk is full or closed.
        """
        self.add_all(event, [content])

    def add_all(self, event: str, contents: list[dict]) -> None:
        """Append one line for each content."""
        begin = {"time": round(time.time(), 3), "event": event, "batch": self.batch}
        lines = [json.dumps({**begin, **content}, default=plain) + "\n" for content in contents]
        path = self.folder / EVENTS
        with writing(self.folder), explain_disk(path), open(path, "ab+") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # whoever was killed in the middle of a line has not ended it
                    lines.insert(0, "\n")
            file.write("".join(lines).encode())


def here() -> dict[str, object]:
    """This process and machine."""
    return {"process": os.getpid(), "machine": socket.gethostname()}


def read_events(folder: Path, *, begin: int = 0) -> tuple[list[dict], int]:
    """The events of a folder of clips from a place in the file on, and the place after the last whole line.

    A line that is broken or none of ours is passed over.
    """
    found = []
    try:
        with open(folder / EVENTS, "rb") as file:
            file.seek(begin)
            while (line := file.readline(MAX_LINE)).endswith(b"\n") or len(line) == MAX_LINE:
                begin += len(line)
                with contextlib.suppress(ValueError, RecursionError):
                    content = json.loads(line)
                    if _is_event(content):
                        found.append(content)
    except OSError:  # there is none yet
        pass
    return found, begin


def _is_event(content: object) -> bool:
    if not isinstance(content, dict) or not all(isinstance(content.get(k), str) for k in ("event", "batch")):
        return False
    if content["event"] not in ("batch", "over") and "clip" not in content:  # whose is it?
        return False
    texts = [content.get(key, "") for key in ("clip", "video", "stage", "status", "notebook", "error")]
    numbers = [content.get("time"), content.get("seconds", 0)]
    return (
        all(isinstance(text, str) for text in texts)
        and all(type(number) in (int, float) and abs(number) < 1e12 for number in numbers)
        and isinstance(content.get("stages", []), list)
        and isinstance(content.get("given", {}), dict)
    )


@contextlib.contextmanager
def following(log: EventLog, tell: Callable[[dict], None]) -> Iterator[None]:
    """Tell of the batch's events as they come, whoever writes them, until the block has ended."""
    over = threading.Event()

    def follow() -> None:
        place, last = 0, False
        while not last:
            last = over.wait(EVERY)  # one look more, at what came meanwhile
            events, place = read_events(log.folder, begin=place)
            for event in events:
                if event["batch"] == log.batch:
                    tell(event)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
