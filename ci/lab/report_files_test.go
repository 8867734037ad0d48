package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// A file that cannot be created ends verify before it asks the lab anything.
func TestReportFilesAreOpenedFirst(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(s.Close)
	dir := labAt(t, s.URL)
	for _, flag := range []string{"--junit", "--json"} {
		code, stdout, stderr := lab(t, "verify", "--dir", dir, flag, filepath.Join(t.TempDir(), "not", "there"))
		if code != 1 || stdout != "" || !strings.Contains(stderr, "no such file or directory") && !strings.Contains(stderr, "cannot find the path") {
			t.Errorf("%s in a folder that is not there: exit code %d\n%s%s", flag, code, stdout, stderr)
		}
	}
	if asked > 0 {
		t.Errorf("the lab was asked %d times", asked)
	}
}

// A command prints its report even when it cannot write a file.
func TestReportIsPrintedWhateverHappensToFiles(t *testing.T) {
	var out bytes.Buffer
	e := &env{stdout: &out}
	r := report.Report{Checks: []report.Check{{Name: "a check", Status: report.Pass}}}
	if err := e.writeReport(r, report.Table, closed(t)); err == nil {
		t.Error("a file that is closed is no error")
	}
	if !strings.Contains(out.String(), "a check") {
		t.Errorf("printed %q", out.String())
	}
}

// closed returns files that are closed, so that writing to them fails.
func closed(t *testing.T) *report.Files {
	t.Helper()
	files, err := report.CreateFiles(map[report.Format]string{report.JSON: filepath.Join(t.TempDir(), "a.json")})
	if err != nil {
		t.Fatal(err)
	}
	again := *files
	again.Discard()
	return files
}
