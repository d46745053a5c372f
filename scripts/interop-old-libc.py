"""Makes a program that was built for glibc 2.38 and GCC 13 start on a somewhat older system.

    python interop-old-libc.py PROGRAM LAUNCHER

Writes LAUNCHER, which runs PROGRAM. Where the system is new enough it does nothing else. Where it is not, the
versions that the program asks for are marked as optional in its dynamic section, and a small library gives
the functions of those versions: number parsing without binary literals, and two helpers of the C++ library.
The program's own code stays as it is.
"""

import os
import pathlib
import shutil
import struct
import subprocess
import sys

program, launcher = map(pathlib.Path, sys.argv[1:])
library = program.with_name("libolder.so")
too_new = {"GLIBC_2.38", "GLIBCXX_3.4.31", "GLIBCXX_3.4.32"}

source = r"""
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
extern "C" {
long __isoc23_strtol(const char* s, char** e, int b) { return strtol(s, e, b); }
long long __isoc23_strtoll(const char* s, char** e, int b) { return strtoll(s, e, b); }
unsigned long __isoc23_strtoul(const char* s, char** e, int b) { return strtoul(s, e, b); }
unsigned long long __isoc23_strtoull(const char* s, char** e, int b) { return strtoull(s, e, b); }
int __isoc23_sscanf(const char* s, const char* f, ...) {
  va_list a; va_start(a, f); int n = vsscanf(s, f, a); va_end(a); return n;
}
// The newer library initializes its streams by itself, the older one from whatever includes <iostream>.
void _ZSt21ios_base_library_initv() {}
// std::string::_M_replace_cold(char* p, size_t old, const char* s, size_t len, size_t tail): replaces `old`
// bytes at `p`, behind which `tail` bytes stay, with bytes that may overlap them.
void _ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE15_M_replace_coldEPcmPKcmm(
    void*, char* p, size_t old, const char* s, size_t len, size_t tail) {
  std::string copy(s, len);
  if (tail != 0 && old != len) memmove(p + len, p + old, tail);
  memcpy(p, copy.data(), len);
}
}
"""


def starts():
    return subprocess.run([program, "--version"], capture_output=True).returncode == 0


def mark_optional(data):
    """Sets the flag 'weak' of every needed version that this system does not have."""
    (offset,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, offset + i * size) for i in range(count)]
    for _, kind, _, _, at, _, link, entries, _, _ in sections:
        if kind != 0x6FFFFFFE:  # SHT_GNU_verneed
            continue
        names = sections[link][4]
        for _ in range(entries):
            _, versions, _, first, step = struct.unpack_from("<HHIII", data, at)
            entry = at + first
            for _ in range(versions):
                _, flags, _, name, further = struct.unpack_from("<IHHII", data, entry)
                text = data[names + name : data.index(b"\0", names + name)].decode()
                if text in too_new:
                    struct.pack_into("<H", data, entry + 4, flags | 2)
                entry += further
            at += step


preload = ""
if not starts():
    compiler = shutil.which("g++")
    assert compiler, "perf_analyzer needs glibc 2.38, or g++ to make up for it"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-x", "c++", "-", "-o", library], input=source.encode(), check=True
    )
    data = bytearray(program.read_bytes())
    mark_optional(data)
    program.write_bytes(data)
    preload = f"LD_PRELOAD={library} "
trial = launcher.with_suffix(".trial")
trial.write_text(f'#!/bin/sh\nexec env {preload}{program} "$@"\n')
os.chmod(trial, 0o755)
check = subprocess.run([trial, "--version"], capture_output=True, text=True)
assert check.returncode == 0, f"exit code {check.returncode}: {check.stderr}"
trial.rename(launcher)
