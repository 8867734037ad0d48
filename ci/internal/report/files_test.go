package report_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	names := map[report.Format]string{report.JUnit: filepath.Join(dir, "junit.xml"), report.JSON: filepath.Join(dir, "report.json"), report.Table: ""}
	f, err := report.CreateFiles(names)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write(sample()); err != nil {
		t.Fatal(err)
	}
	f.Discard() // does nothing now
	raw, err := os.ReadFile(names[report.JSON])
	var got report.Report
	if err != nil || json.Unmarshal(raw, &got) != nil || got.Name != "verify" {
		t.Errorf("the JSON file: %v, %.80q", err, raw)
	}
	if raw, err := os.ReadFile(names[report.JUnit]); err != nil || !strings.Contains(string(raw), "<testsuites") {
		t.Errorf("the JUnit file: %v, %.80q", err, raw)
	}

	// A folder that is not there is an error before the work, and leaves nothing.
	names[report.JUnit] = filepath.Join(dir, "not", "there.xml")
	names[report.JSON] = filepath.Join(dir, "new.json")
	if _, err := report.CreateFiles(names); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "junit") {
		t.Errorf("a folder that is not there: error %v", err)
	}
	if _, err := os.Stat(names[report.JSON]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the other file is left: %v", err)
	}

	// Without a report no empty file is left that looks like one.
	names[report.JUnit] = ""
	if f, err = report.CreateFiles(names); err != nil {
		t.Fatal(err)
	}
	f.Discard()
	if _, err := os.Stat(names[report.JSON]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty file is left: %v", err)
	}
}
