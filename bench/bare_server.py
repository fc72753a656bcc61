"""The floor: a Starlette app that reads a form of 2 kB and answers 900 B of JSON, nothing else."""

import sys
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ANSWER = {"access_token": "x" * 760, "token_type": "Bearer", "expires_in": 600, "scope": "a b"}


async def token(request: Request) -> Response:
    """Answer one request."""
    dict(parse_qsl((await request.body()).decode()))
    return JSONResponse(ANSWER)


if __name__ == "__main__":
    app = Starlette(routes=[Route("/oauth/token", token, methods=["POST"])])
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")
