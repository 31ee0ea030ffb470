"""What a torch dtype becomes in JavaScript: a typed array, and how a number is brought to it."""

import torch

from .errors import CompileError

# int64 is stored in doubles: whole numbers are exact up to 2^53, where Int32Array would wrap.
ARRAYS = {
    torch.bool: "Uint8Array", torch.uint8: "Uint8Array", torch.int8: "Int8Array",
    torch.int16: "Int16Array", torch.int32: "Int32Array", torch.int64: "Float64Array",
    torch.float32: "Float32Array", torch.float64: "Float64Array",
}  # fmt: skip
NARROW = (torch.uint8, torch.int8, torch.int16, torch.int32)  # whole numbers that wrap
LARGEST = 2**53  # whole numbers of JavaScript are exact up to here


def kind_of(dtype: torch.dtype) -> str:
    """The typed array for a torch dtype.

    Args:
        dtype: Of a tensor.

    Returns:
        Its name in JavaScript.

    Raises:
        CompileError: If JavaScript has no such numbers.

    Example:
        >>> kind_of(torch.float32), kind_of(torch.bool)
        ('Float32Array', 'Uint8Array')
    """
    if dtype not in ARRAYS:
        raise CompileError(f"numbers of {dtype} cannot become JavaScript", "", instead(dtype))
    return ARRAYS[dtype]


def instead(dtype: torch.dtype) -> str:
    """What to write in place of a dtype that does not exist here."""
    if dtype.is_complex:
        return "two real tensors, for the real and the imaginary part"
    if dtype.is_floating_point:
        return "torch.float32 (round weights outside, with w.half().float())"
    return "torch.int64 or torch.int32"


def is_whole(dtype: torch.dtype) -> bool:
    """Whole numbers, not counting True and False."""
    return dtype != torch.bool and not dtype.is_floating_point


def of_number(value) -> torch.dtype:
    """The dtype of a Python number."""
    if isinstance(value, bool):
        return torch.bool
    return torch.int64 if isinstance(value, int) else torch.float32


def number_as(value, dtype: torch.dtype):
    """A Python number as one of a dtype."""
    if dtype == torch.bool:
        return bool(value)
    if dtype.is_floating_point:
        return float(value) if not isinstance(value, float) and value is not None else value
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return value  # as it is: torch's own result differs from machine to machine
    return int(torch.tensor(int(value)).to(dtype)) if dtype in NARROW else int(value)
