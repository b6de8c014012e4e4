#!/bin/sh
# Checks what a build needs from the machine: Python >= 3.10 with venv, C and C++ compilers, CMake.
# Usage: scripts/preflight.sh PYTHON

python=${1:-python3}
missing=""

need() { missing="$missing
  - $1"; }

if ! command -v "$python" >/dev/null 2>&1; then
    need "Python >= 3.10 ('$python' is not a command; set PYTHON=/path/to/python)"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    need "Python >= 3.10 ('$python' is $("$python" -V 2>&1); set PYTHON=/path/to/python)"
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    need "Python's venv module (on Debian and Ubuntu: the package python3-venv)"
elif ! "$python" -c 'import os, sysconfig as s; os.stat(s.get_path("include") + "/Python.h")' 2>/dev/null; then
    need "Python's C headers (on Debian and Ubuntu: the package python3-dev)"
fi
for tool in "C compiler|${CC:-cc}" "C++ compiler|${CXX:-c++}" "CMake|cmake"; do
    command=${tool#*|}
    command -v "${command%% *}" >/dev/null 2>&1 || need "${tool%%|*} ('$command' is not a command)"
done

if [ -n "$missing" ]; then
    echo "llamabox cannot be built here. Missing:$missing" >&2
    exit 1
fi
