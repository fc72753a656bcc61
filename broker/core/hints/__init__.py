"""What to change so that a refused request passes: one function per hint, in tables.

A hint is a sentence that a person understands at first sight, with the line to write where there
is one. It never leaves the tenant: no hint adds another repository, project, owner or namespace.
"""
