#!/usr/bin/env bash
# Under pytest 9.2.0, pytest-xdist 3.8.0 spreads a group of tests that `--dist loadgroup` is to keep together.
# Version: pytest 9.2.0, pytest-xdist 3.8.0, Linux, Python 3.11.7.
# Behaviour: tests that share @pytest.mark.xdist_group("one") are to run in one process under
#   `-n 2 --dist loadgroup`. They are given to both processes, without a warning, so tests that
#   share a kernel or a server fail or pass by chance. `--dist loadfile` keeps a file together.
# Seen: on 2026-11-28; below, under EXPECTED: how many processes ran the six tests of one group, and of one file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check pytest==9.2.0 pytest-xdist==3.8.0
cat > "$folder/test_group.py" <<'PY'
import pytest


@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(6))
def test_of_the_group(number):
    pass
PY
cd "$folder"
processes() {
  env/bin/python -m pytest -v -p no:cacheprovider -n 2 --dist "$1" test_group.py |
    grep -o '^\[gw[0-9]\]' | sort -u | wc -l
}
SEEN="loadgroup: $(processes loadgroup), loadfile: $(processes loadfile)"
EXPECTED="loadgroup: 2, loadfile: 1"
echo "$SEEN"
if [ "$SEEN" != "$EXPECTED" ]; then
  echo "this was expected: $EXPECTED" >&2
  exit 1
fi
