"""Asks STS who it is, with botocore and whatever credentials its environment leads to.

Line by line: each line on stdin is one more call with the same session.
"""

import json
import sys

import botocore.session

session = botocore.session.get_session()
sts = session.create_client("sts")
for _ in sys.stdin:
    identity = sts.get_caller_identity()
    credentials = session.get_credentials()
    print(json.dumps({"arn": identity["Arn"], "method": credentials.method}), flush=True)
