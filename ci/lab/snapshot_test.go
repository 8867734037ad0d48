package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/snapshot"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/local"
)

// labAt is the folder of a lab whose backends are at one address.
func labAt(t *testing.T, url string) string {
	t.Helper()
	dir := t.TempDir()
	raw, err := json.Marshal(local.State{
		Addresses: target.Addresses{Name: "local", Mimir: url, Loki: url, Tempo: url},
		Processes: []local.Process{{Name: target.Mimir}}, // a lab without processes is not up
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "state.json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// backends answers every query with the value 1, and queries to Loki with the status.
func backends(t *testing.T, loki int) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/loki/"):
			w.WriteHeader(loki)
			fmt.Fprint(w, `{"data":{"resultType":"streams","result":[]}}`)
		case strings.HasPrefix(r.URL.Path, "/api/"):
			fmt.Fprint(w, `{"traces":[],"series":[]}`)
		case strings.HasSuffix(r.URL.Path, "exemplars"):
			fmt.Fprint(w, `{"data":[]}`)
		case strings.HasSuffix(r.URL.Path, "range"):
			fmt.Fprint(w, `{"data":{"resultType":"matrix","result":[]}}`)
		default:
			fmt.Fprint(w, `{"data":{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[1,"1"]}]}}`)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestSnapshot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.html")
	code, stdout, stderr := lab(t, "snapshot", file, "--dir", labAt(t, backends(t, http.StatusOK)), "--commit", "c0ffee")
	if code != 0 || !strings.Contains(stdout, "STATE") || !strings.Contains(stdout, file) || !strings.Contains(stderr, "· ") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	page, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(page), "c0ffee") || !strings.Contains(string(page), "</html>") {
		t.Errorf("the page of %d bytes: %v", len(page), err)
	}
}

// A failed query fails the command, after the page is written.
func TestSnapshotFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.html")
	code, stdout, stderr := lab(t, "snapshot", file, "--dir", labAt(t, backends(t, http.StatusBadGateway)), "-o", "json")
	if code != 1 {
		t.Errorf("exit code %d, want 1: %s", code, stderr)
	}
	var l snapshot.Listing
	if err := json.Unmarshal([]byte(stdout), &l); err != nil {
		t.Fatalf("standard output is not the list alone: %v\n%s", err, stdout)
	}
	if l.OK || l.Counts[snapshot.Failed] == 0 || l.File != file || l.Page != nil {
		t.Errorf("ok %v, %v, file %s, page of %d bytes", l.OK, l.Counts, l.File, len(l.Page))
	}
	if page, err := os.ReadFile(file); err != nil || !strings.Contains(string(page), "502 Bad Gateway") {
		t.Errorf("the page does not tell the failure: %v", err)
	}
	if _, stdout, _ := lab(t, "snapshot", file, "--dir", labAt(t, backends(t, http.StatusBadGateway))); !strings.Contains(stdout, "502 Bad Gateway") || !strings.Contains(stdout, " failed") {
		t.Errorf("the table does not tell the failure:\n%s", stdout)
	}
}

// With - only the page goes to standard output, or with JSON the list with the page in it,
// which is how a Job in a cluster returns both.
func TestSnapshotToStdout(t *testing.T) {
	dir := labAt(t, backends(t, http.StatusOK))
	code, page, _ := lab(t, "snapshot", "-", "--dir", dir)
	if code != 0 || !strings.HasPrefix(page, "<!doctype html>") || !strings.HasSuffix(strings.TrimSpace(page), "</html>") {
		t.Errorf("exit code %d and %.40q…", code, page)
	}
	code, printed, _ := lab(t, "snapshot", "-", "--dir", dir, "-o", "json")
	var l snapshot.Listing
	if err := json.Unmarshal([]byte(printed), &l); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v", code, err)
	}
	if read, err := snapshot.DecodePage(l.Page); err != nil || !strings.HasPrefix(string(read), "<!doctype html>") || l.File != "" {
		t.Errorf("the list has the page %.40q and the file %q", l.Page, l.File)
	}
}

func TestSnapshotFlags(t *testing.T) {
	for line, says := range map[string]string{
		"snapshot a.html b.html":    "snapshot takes one file",
		"snapshot --last 5s":        "--last 5s: want a minute or more",
		"snapshot --var service":    "want NAME=VALUE",
		"snapshot -o junit":         `--output "junit": want table, json`,
		"snapshot - --png a.png":    "--png needs the page in a file",
		"snapshot --target nirvana": `--target "nirvana"`,
	} {
		code, _, stderr := lab(t, strings.Fields(line)...)
		if code != 2 || !strings.Contains(stderr, says) {
			t.Errorf("lab %s: exit code %d, %q; want 2 and %q", line, code, stderr, says)
		}
	}
	if code, _, stderr := lab(t, "snapshot", "--dir", t.TempDir()); code != 1 || !strings.Contains(stderr, "the lab is not up") {
		t.Errorf("without a lab: exit code %d, %s", code, stderr)
	}
}

// Without a browser, --png is an error before any work.
func TestSnapshotNoBrowser(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	file := filepath.Join(t.TempDir(), "page.html")
	code, _, stderr := lab(t, "snapshot", file, "--png", "a.png", "--dir", labAt(t, backends(t, http.StatusOK)))
	if _, err := os.Stat(file); code != 1 || !strings.Contains(stderr, "apt-get install chromium") || err == nil {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}
