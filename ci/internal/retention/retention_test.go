package retention

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPeriods(t *testing.T) {
	p := Periods{Traces: 48 * time.Hour}.Or(720 * time.Hour)
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	want := []string{"LAB_RETENTION_LOGS=720h", "LAB_RETENTION_TRACES=48h", "LAB_RETENTION_METRICS=720h"}
	if have := p.Environment(); !slices.Equal(have, want) {
		t.Errorf("%v, want %v", have, want)
	}
	p.Audit = 8760 * time.Hour
	if have := p.Environment(); !slices.Contains(have, "LAB_RETENTION_AUDIT=8760h") {
		t.Errorf("%v has no period of the audit log", have)
	}
	if have := (Periods{}).Environment(); have != nil {
		t.Errorf("%v of nothing", have)
	}
}

func TestCheck(t *testing.T) {
	if err := (Periods{}).Check(); err != nil {
		t.Error(err)
	}
	err := Periods{Logs: time.Hour, Traces: 24*time.Hour + time.Minute, Metrics: 24 * time.Hour}.Check()
	if err == nil {
		t.Fatal("an hour is accepted")
	}
	for _, name := range []string{"retention of logs of 1h0m0s", "retention of traces of 24h1m0s"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not name %q", err, name)
		}
	}
	if strings.Contains(err.Error(), "metrics") {
		t.Errorf("%q names what is right", err)
	}
}
