"""Shared code of the scripts for Python; report.mjs describes their output."""

import sys
import time

URL = sys.argv[1]


def report(kind, id, data):
    sys.stdout.buffer.write("\t".join([kind, id, data.replace("\n", "\\n")]).encode() + b"\n")


def pause():
    time.sleep(0.3)
