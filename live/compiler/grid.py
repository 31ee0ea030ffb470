"""Arrays of expressions: what NumPy's arrays of objects would do, as far as the compiler asks."""

from itertools import product
from math import prod


class Grid:
    """Things at places, row-major.

    Args:
        shape: Whole numbers.
        flat: The things, one after the other.

    Example:
        >>> Grid((2, 2), "abcd").map(str.upper)[1, 0]
        'C'
    """

    def __init__(self, shape, flat):
        self.shape, self.flat = tuple(shape), list(flat)
        if len(self.flat) != prod(self.shape):
            raise ValueError(f"{len(self.flat)} things do not fill a grid of {self.shape}")

    def __getitem__(self, position):
        k = 0
        for size, i in zip(self.shape, position, strict=True):
            if not 0 <= i < size:
                raise IndexError(f"there is no place {position} in a grid of {self.shape}")
            k = k * size + i
        return self.flat[k]

    def positions(self):
        """All places, in order."""
        return product(*map(range, self.shape))

    def map(self, function, *others):
        """A grid of `function(own, other, ...)`; the others have the same shape."""
        flats = zip(self.flat, *(g.flat for g in others), strict=True)
        return Grid(self.shape, [function(*things) for things in flats])

    def reshape(self, shape):
        """The same things in another shape."""
        return Grid(shape, self.flat)
