from .lengths import Lengths

class Speculation:
    lengths: Lengths
