"""A FastAPI application with work in the background; it tells on which loop it runs."""

import asyncio
import contextlib

from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse


@contextlib.asynccontextmanager
async def lifespan(app):
    app.state.sent = []
    yield
    print("ended on", type(asyncio.get_running_loop()), app.state.sent, flush=True)


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def who():
    return {"loop": str(type(asyncio.get_running_loop()))}


@app.get("/thread/{number}")
def in_a_thread(number: int):
    return {"twice": 2 * number}


@app.post("/mail/{address}", status_code=202)
async def mail(address: str, background: BackgroundTasks):
    background.add_task(send, address)


async def send(address):
    await asyncio.sleep(0.2)
    app.state.sent.append(address)


@app.get("/count")
async def count():
    async def numbers():
        for number in range(20):
            yield f"{number}\n"
            await asyncio.sleep(0.01)

    return StreamingResponse(numbers(), media_type="text/plain")
