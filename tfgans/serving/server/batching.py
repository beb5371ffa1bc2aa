"""Joins concurrent requests into batches."""

import asyncio
import collections
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np

Arrays = dict[str, np.ndarray]


class _Request(NamedTuple):
    inputs: Arrays
    rows: int
    reply: "asyncio.Future[Arrays]"


class Batcher:
    """Joins requests along axis 0 while the model is busy.

    A request runs at once if the model is idle. Requests that arrive while it is busy form the next
    batch. So no request waits for a timer, and the batch size follows the load.

    Args:
        run: Function inputs -> outputs with a common axis 0, called in `executor`.
        executor: `concurrent.futures.Executor`.
        max_rows: Int, rows of a batch.
    """

    def __init__(
        self, run: Callable[[Arrays], Arrays], executor: Executor, *, max_rows: int
    ) -> None:
        self._run, self._executor, self._max_rows = run, executor, max_rows
        self._waiting: collections.deque[_Request] = collections.deque()
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, inputs: Arrays) -> Arrays:
        """Returns the outputs for the rows of a request, at most `max_rows`.

        Raises what `run` raises on these rows.
        """
        rows = len(next(iter(inputs.values())))
        request = _Request(inputs, rows, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await request.reply

    async def _work(self) -> None:
        while self._waiting:
            await self._answer(self._next_batch())

    def _next_batch(self) -> list[_Request]:
        batch: list[_Request] = []
        rows = 0
        while self._waiting and (not batch or rows + self._waiting[0].rows <= self._max_rows):
            request = self._waiting.popleft()
            # The server cancels `submit` when the client disconnects.
            if not request.reply.done():
                batch.append(request)
                rows += request.rows
        return batch

    async def _answer(self, batch: Sequence[_Request]) -> None:
        if not batch:
            return
        loop = asyncio.get_running_loop()
        try:
            inputs = {
                name: np.concatenate([request.inputs[name] for request in batch])
                for name in batch[0].inputs
            }
            outputs = await loop.run_in_executor(self._executor, self._run, inputs)
        except Exception as error:
            half = len(batch) // 2
            if half and isinstance(error, ValueError):
                # An invalid request must not fail the others of its batch.
                await self._answer(batch[:half])
                await self._answer(batch[half:])
            else:
                _fail(batch, error)
        else:
            rows = sum(request.rows for request in batch)
            if any(len(value) != rows for value in outputs.values()):
                await self._answer_alone(batch, outputs)
                return
            start = 0
            for request in batch:
                end = start + request.rows
                if not request.reply.done():
                    request.reply.set_result(
                        {name: value[start:end] for name, value in outputs.items()}
                    )
                start = end

    async def _answer_alone(self, batch: Sequence[_Request], outputs: Arrays) -> None:
        """Answers the requests of a signature that does not keep rows, each by a separate call."""
        if len(batch) > 1:
            for request in batch:
                await self._answer([request])
        elif not batch[0].reply.done():
            batch[0].reply.set_result(outputs)


def _fail(batch: Sequence[_Request], error: Exception) -> None:
    for request in batch:
        if not request.reply.done():
            request.reply.set_exception(error)
