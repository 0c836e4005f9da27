"""Several calls at once, of which some may fail: ``asyncio.gather(return_exceptions=True)``.

Every call gets its outcome, in the order of the calls, and a failure of one does not disturb the others.
"""

import asyncio

import mainspring


async def fetch_price(shop: str) -> float:
    await asyncio.sleep(0.01)
    prices = {"north": 10.0, "east": 12.5, "south": 9.0}
    if shop not in prices:
        raise LookupError(f"no prices from {shop}")
    return prices[shop]


async def main() -> None:
    shops = ["north", "west", "east", "south"]
    outcomes = await asyncio.gather(*map(fetch_price, shops), return_exceptions=True)
    for shop, outcome in zip(shops, outcomes, strict=True):
        if isinstance(outcome, BaseException):
            print(f"{shop}: failed, {outcome}")
        else:
            print(f"{shop}: {outcome:.2f}")
    print(f"best: {min(outcome for outcome in outcomes if isinstance(outcome, float)):.2f}")


if __name__ == "__main__":
    mainspring.run(main())
