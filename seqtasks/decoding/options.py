"""What a model that generates can be asked for."""

import dataclasses

from seqtasks.errors import UserError

MOST = 2**31 - 1  # the largest int32


@dataclasses.dataclass(frozen=True)
class GenerationOptions:
    """What a model that writes is asked for.

    Raises:
        UserError: if a number is out of its range.

    Example:
        >>> GenerationOptions(top_p=1.5)
        Traceback (most recent call last):
        seqtasks.errors.UserError: --top_p: 1.5 is out of range; take a number above 0, and 1 at most
    """

    num: int = 1  # how many are written
    length: int = 200  # tokens or steps that are written, at most
    temperature: float = 1.0  # what logits are divided by: below 1 more likely, above 1 more daring; 0 the likeliest
    top_k: int = 0  # choose from so many, the likeliest; 0 from all
    top_p: float = 1.0  # choose from the likeliest that together reach this probability
    seed: int = 0  # of the random numbers

    def __post_init__(self):
        for name, least in {"num": 1, "length": 1, "temperature": 0, "top_k": 0, "seed": 0}.items():
            value, most = getattr(self, name), MOST - self.num if name == "seed" else MOST  # each text has its own seed
            if not least <= value <= most:
                size, remedy = ("large", f"take at most {most}") if value > most else ("small", f"take {least} or more")
                raise UserError(f"{value} is too {size}", where=f"--{name}", remedy=remedy)
        if not 0 < self.top_p <= 1:
            what, remedy = f"{self.top_p} is out of range", "take a number above 0, and 1 at most"
            raise UserError(what, where="--top_p", remedy=remedy)
