#!/usr/bin/env python3
"""Turns openapi.yaml into openapi.json at build time.   usage: openapi_json.py IN.yaml OUT.json"""

import json
import sys

import yaml


class Loader(yaml.SafeLoader):
    """YAML as JSON sees it: a time stays the text that was written."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    with open(sys.argv[1], encoding="utf-8") as source:
        try:
            document = yaml.load(source, Loader=Loader)
        except yaml.YAMLError as error:
            print(f"{sys.argv[1]}: {error}", file=sys.stderr)
            return 1
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        json.dump(document, out, ensure_ascii=False, separators=(",", ":"))
        out.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
