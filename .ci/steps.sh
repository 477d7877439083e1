# Sourced by .ci/run and .ci/cluster, in the root of the project.

# step NAME MINUTES COMMAND...
step() {
  local name=$1 minutes=$2 began=$SECONDS
  shift 2
  printf '\n=== %s: %s\n' "$name" "$*"
  local limit=()
  # Not on every system; with it, a hanging step ends with an error.
  command -v timeout >/dev/null && limit=(timeout --kill-after=30 "${minutes}m")
  if ${limit[@]+"${limit[@]}"} "$@" </dev/null; then
    printf '=== %s: passed in %d s\n' "$name" "$((SECONDS - began))"
  else
    local code=$?
    [ "$code" -eq 124 ] && printf '=== %s: not done after %d minutes\n' "$name" "$minutes" >&2
    printf '=== %s: FAILED (exit code %d)\n' "$name" "$code" >&2
    exit 1
  fi
}

# need PACKAGE COMMAND...: notes the package of Debian as missing, unless the command succeeds
need() { "${@:2}" >/dev/null 2>&1 || missing+=("$1"); }

# install_missing: installs the packages that check_commands() notes as missing, if this is root; ends
# with an error if a command is still missing
install_missing() {
  check_commands
  if [ ${#missing[@]} -gt 0 ] && command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
    apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
    check_commands
  fi
  if [ ${#missing[@]} -gt 0 ]; then
    printf 'needed, and not there: the package %s\n' "${missing[@]}" >&2
    exit 1
  fi
}
