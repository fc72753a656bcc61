"""What is left out where a program that no package brings is not there."""

import shutil

collect_ignore = [] if shutil.which("terraform") else ["test_terraform_itself.py"]
