"""Gets an access token with google-auth from whatever GOOGLE_APPLICATION_CREDENTIALS names."""

import json

import google.auth
import google.auth.exceptions
import google.auth.transport.requests

credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
try:
    credentials.refresh(google.auth.transport.requests.Request())
except google.auth.exceptions.RefreshError as error:
    print(json.dumps({"refused": str(error)}))
else:
    print(json.dumps({"token": credentials.token}))
