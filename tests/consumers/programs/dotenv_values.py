"""Reads a .env file from stdin with python-dotenv."""

import json
import sys

import dotenv

print(json.dumps(dotenv.dotenv_values(stream=sys.stdin, interpolate=True)))
