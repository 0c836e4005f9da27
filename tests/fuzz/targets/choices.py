"""What a fuzzer's bytes mean, as native/input.hpp has it."""


class Choices:
    """Numbers drawn one after another until nothing is left."""

    def __init__(self, data):
        self._data = data
        self._at = 0

    def __bool__(self):
        return self._at < len(self._data)

    def below(self, limit):
        """A number below `limit`, from as many bytes as it takes."""
        number, most = self._byte(), 0x100
        while most < limit:
            number, most = number << 8 | self._byte(), most << 8
        return number % limit

    def of(self, things):
        """One of them."""
        return things[self.below(len(things))]

    def text(self, size, alphabet):
        """So many bytes, each one of the alphabet's."""
        return bytes(self.of(alphabet) for _ in range(size))

    def _byte(self):
        if not self:
            return 0
        self._at += 1
        return self._data[self._at - 1]
