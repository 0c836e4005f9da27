"""What clients send and get."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field

LARGEST_ID = 2**63 - 1
"""PostgreSQL's largest bigint."""


class NewItem(BaseModel):
    """What is in the body of a PUT."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    price: Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]


class Item(NewItem):
    """What is in the answer to a GET."""

    id: int
