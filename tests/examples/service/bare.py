"""The bound of every service on uvicorn: an application that answers and does nothing else."""

BODY = b'{"id":1,"name":"apple","price":"0.50"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
