package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
)

// An emptyMirror is a registry that has no image, and a lock that names it.
type emptyMirror struct {
	host, lock string
	mu         sync.Mutex
	asked      []string // the paths
}

func newEmptyMirror(t *testing.T) *emptyMirror {
	t.Helper()
	m := &emptyMirror{lock: filepath.Join(t.TempDir(), "mirror.json")}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.asked = append(m.asked, r.URL.Path)
		if r.URL.Path != "/v2/" {
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	m.host = strings.TrimPrefix(server.URL, "http://")
	refs := map[string]string{}
	for _, image := range images.Names() {
		refs[image] = m.host + "/mirror/" + image + ":1.0@sha256:" + strings.Repeat("1", 64)
	}
	raw, err := json.Marshal(map[string]any{"images": refs})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.lock, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

// wasAsked tells whether a client has asked the mirror for the image.
func (m *emptyMirror) wasAsked(image string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.asked, func(path string) bool { return strings.Contains(path, "/mirror/"+image+"/manifests/sha256:") })
}

// fakeDocker puts a docker command on PATH that answers by a shell script.
func fakeDocker(t *testing.T, script string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the fake docker is a shell script")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func TestArchivesThatAreNotThere(t *testing.T) {
	code, _, stderr := lab(t, "up", "--target", "kind", "--archives", filepath.Join(t.TempDir(), "absent"))
	if code != 1 || !strings.Contains(stderr, "there is no such directory") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

// --images swaps the whole lock on the local target, too.
func TestLocalTargetTakesAnotherLock(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the images are for linux")
	}
	absent := filepath.Join(t.TempDir(), "absent.json")
	for _, line := range []string{"stack build", "up --detach --free-ports", "verify --up"} {
		t.Run(line, func(t *testing.T) {
			m := newEmptyMirror(t)
			t.Setenv("TMPDIR", t.TempDir()) // verify --up keeps a folder there when it fails
			args := append(strings.Fields(line), "--stack", "images", "--cache", t.TempDir(), "--images")
			code, _, stderr := lab(t, append(args, m.lock)...)
			if code != 1 || !strings.Contains(stderr, m.host+"/mirror/loki:1.0@sha256:") || !m.wasAsked("loki") {
				t.Errorf("exit %d, the mirror was asked: %v; it says %q", code, m.wasAsked("loki"), stderr)
			}
			code, _, stderr = lab(t, append(args, absent)...)
			if code != 1 || !strings.Contains(stderr, absent) || strings.Contains(stderr, "folder is kept") {
				t.Errorf("without the file: exit %d, %q", code, stderr)
			}
		})
	}
}

// verify says that a temporary cluster stays only when there is such a cluster.
func TestOwnClusterStaysOnlyIfThere(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "absent.json")
	for name, test := range map[string]struct {
		names string
		stays bool
	}{
		"no cluster":            {"", false},
		"one of an earlier run": {"lgtm-lab-temporary-abc-control-plane", true},
	} {
		t.Run(name, func(t *testing.T) {
			fakeDocker(t, fmt.Sprintf("case $1 in ps) echo %s;; inspect) echo '[{}]';; *) exit 1;; esac\n", test.names))
			code, _, stderr := lab(t, "verify", "--target", "kind", "--up", "--images", absent)
			if code != 1 || !strings.Contains(stderr, absent) || strings.Contains(stderr, "stays") != test.stays {
				t.Errorf("exit %d, it says %q; want that a cluster stays: %v", code, stderr, test.stays)
			}
		})
	}
}
