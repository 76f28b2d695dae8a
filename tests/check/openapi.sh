#!/bin/bash
# openapi.yaml keeps OpenAPI's own rules.
#   usage: openapi.sh      (from the root of the tree)
set -euo pipefail
if [ ! -e openapi.yaml ]; then
    echo "there is no openapi.yaml"
    exit 77
fi
build/venv/bin/python -m openapi_spec_validator openapi.yaml
