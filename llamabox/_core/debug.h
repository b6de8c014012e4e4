/* LLAMABOX_DEBUG is 1 in a debug build (`make debug`) and 0 otherwise. */
#ifndef LLAMABOX_DEBUG
#define LLAMABOX_DEBUG 0
#endif
