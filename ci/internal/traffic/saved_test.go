package traffic

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSaveAndLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "last.json")
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), "run `lab traffic` first") {
		t.Errorf("Load() of a file that is not there = %v", err)
	}
	if err := (Report{TracePrefix: "0123456789abcdef", Finished: time.Now()}).Save(file); err != nil {
		t.Fatal(err)
	}
	if r, err := Load(file); err != nil || r.TracePrefix != "0123456789abcdef" {
		t.Errorf("Load() = %+v, %v", r, err)
	}
	if err := (Report{Finished: time.Now().Add(-time.Hour)}).Save(file); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), "ended 1h0m0s ago") {
		t.Errorf("Load() of an old report = %v", err)
	}
}

// A report may be the text itself: so it reaches a command inside a cluster.
func TestLoadText(t *testing.T) {
	if _, err := Load(`{"trace_prefix": 1}`); err == nil || !strings.Contains(err.Error(), "is not a report of traffic") {
		t.Errorf("Load() = %v", err)
	}
	r, err := Load(`{"schema_version":1,"kind":"traffic","trace_prefix":"0123456789abcdef","finished":"` + time.Now().Format(time.RFC3339Nano) + `"}`)
	if err != nil || r.TracePrefix != "0123456789abcdef" {
		t.Errorf("Load() = %+v, %v", r, err)
	}
}
