#!/bin/sh
# kube-apiserver.sh [--at-hand]: prints the path of a kube-apiserver to test with; builds one where there is none.
#
# Looks at PGCTL_KUBE_APISERVER, in PATH, in the cache (see unpack.sh), and for a
# kube-apiserver-*.xz in the directory PGCTL_SERVICES. With --at-hand that is all. Else it is built from the source package
# of Debian 12, the last release that has one: 8 minutes on two cores, 1.7 GB of disk meanwhile, and Go by apt.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

cache=$(cache_directory)
program=$cache/kube-apiserver
suite=bookworm

at_hand() {
    for found in "${PGCTL_KUBE_APISERVER:-}" "$(command -v kube-apiserver || true)" "$program"; do
        if [ -n "$found" ] && [ -x "$found" ]; then echo "$found"; return 0; fi
    done
    for archive in "${PGCTL_SERVICES:-/nonexistent}"/kube-apiserver-*.xz; do
        [ -r "$archive" ] || continue
        mkdir -p "$cache"
        xz -dc "$archive" > "$program.new"
        chmod 755 "$program.new"
        mv "$program.new" "$program"
        echo "$program"
        return 0
    done
    return 1
}

# apt with a state of its own: its sources are Debian 12's, the system's are not touched. Signatures are checked.
own_apt() {
    apt-get -q -o Dir::Etc::SourceList="$work/apt/sources.list" -o Dir::Etc::SourceParts=/nonexistent \
        -o Dir::State::Lists="$work/apt/lists" -o Dir::State::status="$work/apt/status" -o Dir::Cache="$work/apt/cache" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none "$@" >&2
}

fetch_sources() {
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -r "$key" ] || fail "this is no Debian: kube-apiserver cannot be built here" \
        "Build one elsewhere and name it in PGCTL_KUBE_APISERVER."
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/source" "$work/deb"
    : > "$work/apt/status"
    archive=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' \
        /etc/apt/sources.list.d/*.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1)
    for kind in deb deb-src; do echo "$kind [signed-by=$key] ${archive:-http://deb.debian.org/debian} $suite main"; done \
        > "$work/apt/sources.list"
    own_apt update
    (cd "$work/source" && own_apt --download-only source kubernetes)
    (cd "$work/deb" && own_apt download golang-github-modern-go-reflect2-dev)
}

build() {
    export GOPATH="$work/gopath" GOCACHE="$work/gocache" GO111MODULE=off GOFLAGS= GOPROXY=off GOSUMDB=off CGO_ENABLED=0
    tree=$GOPATH/src/k8s.io/kubernetes
    mkdir -p "$tree"
    tar -xzf "$work"/source/kubernetes_*.orig.tar.gz -C "$tree" --strip-components=1
    # The vendored reflect2 1.0.1 crashes with Go 1.18 and later at the first JSON map; Debian's own package is 1.0.2.
    dpkg -x "$work"/deb/golang-github-modern-go-reflect2-dev_*.deb "$work/deb"
    reflect=$tree/vendor/github.com/modern-go/reflect2
    rm -f "$reflect"/*.go "$reflect"/*.s
    cp "$work"/deb/usr/share/gocode/src/github.com/modern-go/reflect2/*.go \
        "$work"/deb/usr/share/gocode/src/github.com/modern-go/reflect2/*.s "$reflect"
    rm -f "$reflect"/*_test.go
    (
        cd "$tree"
        # The one generated file that the source package lacks, made as Kubernetes' own build makes it.
        go build -p 2 -o "$work/openapi-gen" k8s.io/kubernetes/vendor/k8s.io/kube-openapi/cmd/openapi-gen
        inputs=$(grep -rlE --include='*.go' --exclude='*_test.go' --exclude='zz_generated*' \
            '^ *// *\+k8s:openapi-gen=' pkg plugin cmd staging/src/k8s.io |
            grep -vE 'code-generator/|sample-apiserver/|/testdata/' | xargs -n1 dirname | sort -u |
            sed -e 's#^staging/src/#vendor/#' -e 's#^#k8s.io/kubernetes/#' | paste -sd, -)
        "$work/openapi-gen" --logtostderr -i "$inputs" -p k8s.io/kubernetes/pkg/generated/openapi -O zz_generated.openapi \
            -h vendor/k8s.io/code-generator/hack/boilerplate.go.txt -r "$work/violations" -o "$GOPATH/src"
        flags="-s -w"
        for package in component-base/version client-go/pkg/version; do
            name=k8s.io/kubernetes/vendor/k8s.io/$package
            flags="$flags -X $name.gitVersion=v1.20.2 -X $name.gitMajor=1 -X $name.gitMinor=20 -X $name.gitTreeState=archive"
            flags="$flags -X $name.buildDate=2021-01-13T00:00:00Z"
        done
        go build -p 2 -trimpath -ldflags "$flags" -o "$work/kube-apiserver" k8s.io/kubernetes/cmd/kube-apiserver
    ) >&2
    mkdir -p "$cache"
    mv "$work/kube-apiserver" "$program"
}

at_hand && exit 0
[ "${1:-}" != --at-hand ] || exit 1
say "building kube-apiserver: about 8 minutes"
command -v go >/dev/null || install_packages golang-go
command -v dpkg >/dev/null || fail "this is no Debian: kube-apiserver cannot be built here" \
    "Build one elsewhere and name it in PGCTL_KUBE_APISERVER."
work=$(mktemp -d /var/tmp/pgctl-kube-XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
fetch_sources
build
echo "$program"
