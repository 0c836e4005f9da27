"""``/items/{item}``: the read is the hot path, the write is FastAPI as one knows it."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Path, Request, Response
from fastapi.routing import APIRoute

from service.item import LARGEST_ID, Item, NewItem
from service.store import ItemStore

JSON = "application/json"
PARAMETER = {"name": "item", "in": "path", "required": True, "schema": {"type": "integer"}}


class DirectRoute(APIRoute):
    """The endpoint gets the request itself: to find and check its arguments takes FastAPI as long as all the rest."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


async def read(request: Request) -> Response:
    """An item as it is in the cache, or else in the database."""
    store: ItemStore = request.app.state.items
    item: int = request.path_params["item"]
    # One wrong number would fail the query of all reads that are made together.
    json = await store.get(item) if item <= LARGEST_ID else None
    if json is None:
        raise HTTPException(404, "no such item")
    return Response(json, media_type=JSON)


async def write(item: Annotated[int, Path(le=LARGEST_ID)], new: NewItem, request: Request) -> None:
    """Make an item or replace it."""
    store: ItemStore = request.app.state.items
    await store.put(item, new.name, new.price)


def add_items(app: FastAPI) -> None:
    """On the application and not in an ``APIRouter``, which costs a second search for the route."""
    app.router.add_api_route(
        "/items/{item:int}",
        read,
        route_class_override=DirectRoute,
        tags=["items"],
        response_class=Response,
        responses={200: {"model": Item}, 404: {}},
        openapi_extra={"parameters": [PARAMETER]},
    )
    app.router.add_api_route("/items/{item:int}", write, methods=["PUT"], tags=["items"], status_code=204)
