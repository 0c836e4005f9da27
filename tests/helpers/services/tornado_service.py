"""A Tornado application for the servers under test; it tells on which loop and in which process it runs."""

import os

import tornado.httpclient
import tornado.ioloop
import tornado.web
import tornado.websocket


class Who(tornado.web.RequestHandler):
    async def get(self):
        self.write({"loop": str(type(tornado.ioloop.IOLoop.current().asyncio_loop)), "process": os.getpid()})


class Echo(tornado.web.RequestHandler):
    async def post(self):
        self.write(self.request.body)


class Fetch(tornado.web.RequestHandler):
    async def get(self):
        client = tornado.httpclient.AsyncHTTPClient()
        answer = await client.fetch(f"http://{self.request.host}/")
        self.set_header("Content-Type", "application/json")
        self.write(answer.body)


class Shout(tornado.websocket.WebSocketHandler):
    async def on_message(self, message):
        await self.write_message(message.upper())


app = tornado.web.Application([("/", Who), ("/echo", Echo), ("/fetch", Fetch), ("/shout", Shout)])
