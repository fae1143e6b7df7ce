"""A small stand-in of W&B's server: the operations of sweeps, runs and files that agents and loggers use, in memory.

It hands out the points of a sweep as W&B does: each to one agent, again where an agent has gone silent or where the run
was marked preempted, and it tells an agent to exit when nothing is left.
"""

import base64
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "0" * 40
ENTITY, PROJECT = "someone", "fastadasp"
USER = {
    "id": "VXNlcjox",
    "entity": ENTITY,
    "username": ENTITY,
    "email": "",
    "name": ENTITY,
    "admin": False,
    "flags": "{}",
}


@dataclass
class Run:
    """What the server knows of one run."""

    args: Mapping[str, Any] = field(default_factory=dict)
    agent: str | None = None
    state: str = "waiting"
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    exit_code: int | None = None
    preempted: bool = False
    starts: int = 0


@dataclass
class Server:
    """The state of the stand-in."""

    url: str = ""
    program: str = "run.py"
    sweep: str = ""
    """The sweep's config as YAML."""
    silence_s: float = 3.0
    """After this time without a heartbeat, an agent counts as dead."""
    runs: dict[str, Run] = field(default_factory=dict)
    agents: dict[str, float] = field(default_factory=dict)
    """Time of each agent's last heartbeat."""
    stop: set[str] = field(default_factory=set)
    """Runs that their agents are to stop."""
    unknown: list[str] = field(default_factory=list)
    """Operations that were asked for and are not known."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def offer(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Put the points of a sweep into the queue."""
        for number, point in enumerate(points):
            self.runs[f"point{number}"] = Run({key: {"value": value} for key, value in point.items()})

    def answered(self, operation: str, given: Mapping[str, Any]) -> Any:
        """The `data` of the answer to one GraphQL operation."""
        known = getattr(self, f"_{operation}", None)
        if known is None:
            self.unknown.append(operation)
            return None
        with self.lock:
            return known(given)

    def _Viewer(self, _: Mapping[str, Any]) -> Any:
        return {"viewer": {**USER, "teams": {"edges": [{"node": {"name": ENTITY}}]}}}

    def _GetViewer(self, _: Mapping[str, Any]) -> Any:
        keys = {"edges": [{"node": {"name": KEY, "id": "1", "description": ""}}]}
        return {"viewer": {**USER, "teams": {"edges": []}, "apiKeys": keys}}

    def _ServerFeaturesQuery(self, _: Mapping[str, Any]) -> Any:
        return {"serverInfo": {"features": []}}

    def _SweepWithRuns(self, given: Mapping[str, Any]) -> Any:
        found = {
            "id": "U3dlZXA6MQ==",
            "name": given["sweep"],
            "method": "grid",
            "state": "RUNNING",
            "config": self.sweep,
        }
        return {"project": {"sweep": {**found, "runs": {"edges": []}}}}

    def _CreateAgent(self, _: Mapping[str, Any]) -> Any:
        name = f"agent{len(self.agents)}"
        self.agents[name] = time.monotonic()
        return {"createAgent": {"agent": {"id": name}}}

    def _Heartbeat(self, given: Mapping[str, Any]) -> Any:
        agent, running = given["id"], json.loads(given["runState"])
        self.agents[agent] = time.monotonic()
        for name, run in self.runs.items():
            if run.state == "running" and run.agent == agent and name not in running:
                run.state = "preempted" if run.preempted else "failed" if run.exit_code else "finished"
                run.state = "crashed" if run.exit_code is None else run.state
        commands: list[dict[str, Any]] = [
            {"type": "stop", "run_id": name} for name in running if name in self.stop
        ] or self._next(agent, running)
        return {"agentHeartbeat": {"agent": {"id": agent}, "commands": json.dumps(commands)}}

    def _next(self, agent: str, running: Mapping[str, Any]) -> list[dict[str, Any]]:
        if running:
            return []
        for name, run in self.runs.items():
            silent = run.agent is not None and time.monotonic() - self.agents[run.agent] > self.silence_s
            if run.state in ("waiting", "preempted") or (run.state == "running" and silent):
                run.agent, run.state, run.preempted, run.exit_code = agent, "running", False, None
                run.starts += 1
                return [{"type": "run", "run_id": name, "program": self.program, "args": run.args}]
        open_ones = any(run.state == "running" for run in self.runs.values())
        return [] if open_ones else [{"type": "exit"}]

    def _UpsertBucket(self, given: Mapping[str, Any]) -> Any:
        name = given.get("name") or base64.b64decode(given["id"]).decode()
        run = self.runs.setdefault(name, Run())
        run.config |= json.loads(given.get("config") or "{}")
        project = {"id": "1", "name": PROJECT, "entity": {"id": "1", "name": ENTITY}}
        bucket = {"id": base64.b64encode(name.encode()).decode(), "name": name, "displayName": name, "project": project}
        sweep = given.get("sweep")
        more = {"description": "", "config": given.get("config") or "{}", "sweepName": sweep, "historyLineCount": 0}
        return {"upsertBucket": {"bucket": {**bucket, **more}, "inserted": True}}

    def _RunResumeStatus(self, _: Mapping[str, Any]) -> Any:
        return {"model": {"name": PROJECT, "entity": {"name": ENTITY}, "bucket": None}}

    def _CreateRunFiles(self, given: Mapping[str, Any]) -> Any:
        files = [{"name": name, "uploadUrl": f"{self.url}/upload/{given['run']}/{name}"} for name in given["files"]]
        return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}

    def stream(self, name: str, sent: Mapping[str, Any]) -> None:
        """Take what a run streams: history, summary, and how it ended."""
        with self.lock:
            run = self.runs.setdefault(name, Run())
            for file, part in (sent.get("files") or {}).items():
                if file == "wandb-summary.json":
                    run.summary = json.loads(part["content"][-1])
                elif file == "wandb-history.jsonl":
                    run.history += [json.loads(line) for line in part["content"]]
            run.preempted |= bool(sent.get("preempting"))
            if sent.get("complete") or sent.get("exitcode") is not None:
                run.exit_code = sent.get("exitcode")


@contextmanager
def serving() -> Iterator[Server]:
    """The server on a free port of this machine, until the block ends."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = json.loads(self._body() or b"{}")
            if self.path.endswith("file_stream"):
                state.stream(self.path.split("/")[-2], sent)
                self._answer({})
                return
            found = re.search(r"(?:query|mutation)\s+(\w+)", sent.get("query", ""))
            data = state.answered(found[1] if found else "nameless", sent.get("variables") or {})
            self._answer({"data": data} if data is not None else {"data": None, "errors": [{"message": "not known"}]})

        def do_PUT(self) -> None:
            _, _, run, *name = self.path.split("?")[0].split("/")
            with state.lock:
                state.runs.setdefault(run, Run()).files["/".join(name)] = self._body()
            self._answer({})

        def do_GET(self) -> None:
            self._answer({})

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _answer(self, content: Any) -> None:
            text = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """Say nothing of clients that are killed while they are connected."""

    http = Quiet(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def environment(server: Server) -> dict[str, str]:
    """Variables with which W&B's client talks to the stand-in."""
    return {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY, "WANDB_MODE": "online", "WANDB_ENTITY": ENTITY,
            "WANDB_PROJECT": PROJECT, "WANDB_SILENT": "true", "WANDB__DISABLE_STATS": "true",
            "WANDB_DISABLE_GIT": "true", "WANDB_ERROR_REPORTING": "false"}  # fmt: skip
