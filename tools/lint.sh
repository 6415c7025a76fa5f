#!/bin/sh
# Static checks.  usage: tools/lint.sh CLANG_BUILD_DIR   (made with clang)
# Prints a line a check, and the output of one that fails.
set -u
cd "$(dirname "$0")/.."
build=$1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0

step() # name, command...
{
    name=$1
    shift
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        printf 'ok      %s\n' "$name"
    else
        failed=$((failed + 1))
        printf 'FAILED  %s\n' "$name"
        cat "$log"
    fi
}

# Of git, where there is one: a tarball has none.
sources() {
    git ls-files 'src/*.[ch]' 'posture/*.[ch]' 'tests/*.[ch]' 'fuzz/*.[ch]' 'bench/*.[ch]' 2>/dev/null ||
        find src posture tests fuzz bench -name '*.[ch]'
}
code() { sources | grep '^\(src\|posture\|bench\)/.*\.c$'; }

format() { sources | xargs clang-format --dry-run -Werror; }
compile() { meson compile -C "$build"; }
# One file a process: given several, clang-tidy 14 invents valist findings.
tidy() { code | grep -v facts_portable | xargs -P 2 -n 1 clang-tidy -p "$build" --quiet; }
check() {
    cppcheck --std=c11 -q --error-exitcode=1 --inline-suppr -j 2 \
        --enable=warning,style,performance,portability \
        --suppress=missingIncludeSystem --suppress=unusedStructMember \
        --suppress=constParameterCallback --suppress=constParameter -DVERSION='""' -Isrc -I. src posture bench
}
# wire, and what of base it calls.
pure() {
    find "$build" '(' -path '*libwire.a.p*' -o -path '*libbase.a.p*cidr*' -o -path '*libbase.a.p*ip_address*' \
        -o -path '*libbase.a.p*num*' -o -path '*libbase.a.p*utf8*' ')' -name '*.o' -exec tools/lint_pure.sh {} +
}

step 'clang build' compile
step 'clang-format' format
step 'includes point down' python3 tools/lint_includes.py
step 'globals and exports' python3 tools/lint_symbols.py "$build"
step 'wire is pure' pure
step 'cppcheck' check
step 'clang-tidy' tidy
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
