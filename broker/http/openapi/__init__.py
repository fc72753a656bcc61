"""`/openapi.json`: the API as a description that programs read (OpenAPI 3.1)."""
