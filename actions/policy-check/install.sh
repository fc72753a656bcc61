#!/bin/sh
# Installs the broker with its extra `server`, from the checkout that this file is part of.
#
# -I keeps Python from importing what lies in the working directory: that is a stranger's repository.
# Nor may a variable of the job lead there: pip starts processes of its own.
set -eu
unset PYTHONPATH PYTHONHOME
root=$(cd "$(dirname "$0")/../.." && pwd)
venv=$RUNNER_TEMP/broker-policy-check
python=${POLICY_CHECK_PYTHON:-python3}

# A second use in one job finds the first one's, if it is of the same commit.
if [ "$(cat "$venv/.complete" 2>/dev/null)" = "$root" ]; then exit; fi
rm -f "$venv/.complete"

if ! "$python" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "::error title=No Python 3.11::The policy check needs Python 3.11 or newer. Set the input 'python', or put actions/setup-python before this step."
    exit 1
fi
"$python" -I -m venv "$venv"

# What Python compiles for it is compiled when it is used.
install() { "$venv/bin/python" -I -m pip install --quiet --disable-pip-version-check --no-compile "$@"; }
install --require-hashes -r "$root/requirements/build.txt" -r "$root/requirements/server.txt"
install --force-reinstall --no-deps --no-build-isolation "$root"
printf '%s\n' "$root" >"$venv/.complete"
