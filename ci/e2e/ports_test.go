package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/filelock"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Each lab of a test has a block of ports of its own. The blocks lie below the ports that
// operating systems give out by themselves, from 32768 upwards. So nothing takes the port of a
// component that a test has killed before the test starts the component again.
const (
	firstPort   = 20_000
	blockSize   = 32
	blocksCount = 375
)

// claimPorts takes the first block that no test has, also in other processes, and on which no
// program listens. It returns the flags of `lab up`, and a function that gives the block back.
func claimPorts(t *testing.T) (flags []string, release func()) {
	t.Helper()
	names := portNames(t)
	for block := range blocksCount {
		first := firstPort + block*blockSize
		release, ok, err := filelock.Try(filepath.Join(os.TempDir(), "lgtm-lab-e2e-ports", strconv.Itoa(first)+".lock"))
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			continue
		}
		if !areFree(first, len(names)) {
			release()
			continue
		}
		for i, name := range names {
			flags = append(flags, "--port", fmt.Sprintf("%s=%d", name, first+i))
		}
		return flags, release
	}
	t.Fatalf("no block of %d free ports from %d upwards", blockSize, firstPort)
	return nil, nil
}

// portNames are the names that `lab up --port` takes.
func portNames(t *testing.T) []string {
	t.Helper()
	raw, err := json.Marshal(target.Ports{})
	if err != nil {
		t.Fatal(err)
	}
	var ports map[string]int
	if err := json.Unmarshal(raw, &ports); err != nil {
		t.Fatal(err)
	}
	if len(ports) > blockSize {
		t.Fatalf("a lab has %d ports, and a block has %d", len(ports), blockSize)
	}
	return slices.Sorted(maps.Keys(ports))
}

// areFree tells whether no program listens on any of the n ports from first upwards.
func areFree(first, n int) bool {
	for port := first; port < first+n; port++ {
		for _, host := range []string{"127.0.0.1", "::1"} {
			l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
			if err != nil {
				if host == "::1" && !hasIPv6() {
					continue
				}
				return false
			}
			l.Close()
		}
	}
	return true
}

func hasIPv6() bool {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// Two labs never get the same port, and a port on which another program listens is given to
// none.
func TestClaimPorts(t *testing.T) {
	first, release := claimPorts(t)
	second, releaseSecond := claimPorts(t)
	defer releaseSecond()
	for _, flag := range first {
		if flag != "--port" && slices.Contains(second, flag) {
			t.Errorf("two labs get %s", flag)
		}
	}
	release()
	_, port, _ := strings.Cut(first[1], "=")
	busy, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		t.Fatal(err)
	}
	third, releaseThird := claimPorts(t)
	if slices.Contains(third, first[1]) {
		t.Errorf("a lab gets %s, where another program listens", first[1])
	}
	releaseThird()
	busy.Close()
}
