"""Loads on running servers, one a module."""
