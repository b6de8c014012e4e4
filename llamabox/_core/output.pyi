from .crew import Crew

class Output:
    crew: Crew
    wake_ns: int
