"""Enums that several core modules share."""

cdef enum FinishC:
    FINISH_NONE = 0
    FINISH_EOG = 1        # an end-of-generation token was sampled
    FINISH_STOP = 2       # a stop string was completed
    FINISH_LENGTH = 3     # n_predict, or the end of a context that does not shift
    FINISH_CANCELLED = 4
    FINISH_DEADLINE = 5   # its time was up
    FINISH_ERROR = 6      # llama.cpp failed on its batch
    FINISH_NO_TOKEN = 7   # its sampler left no token, or took too long
    N_FINISH = 8


cdef enum:
    MAX_DRAFT = 64        # tokens that are drafted for a step of one request at most
