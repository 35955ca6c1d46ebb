"""Prints what each failed test said, its first and last lines: reads the output of go tool test2json."""

import collections
import json
import sys

said = collections.defaultdict(list)
for line in sys.stdin:
    event = json.loads(line)
    test, text = event.get("Test"), event.get("Output", "").rstrip()[:300]
    if event["Action"] == "run":
        said[test] = []
    elif test and text and not text.startswith("==="):
        said[test].append(text)
    elif event["Action"] == "fail" and len(said[test]) > 1:
        lines = said[test]
        if len(lines) > 40:
            lines = lines[:20] + [f"... {len(lines) - 40} lines ..."] + lines[-20:]
        print(f"=== what {test} said", *lines, sep="\n")
