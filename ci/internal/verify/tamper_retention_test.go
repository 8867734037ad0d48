package verify

import (
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/retention"
)

// running replaces a part of what a program says of its settings.
func running(part, old, by string) func(*fake) {
	return func(f *fake) {
		if !strings.Contains(f.settings[part], old) {
			panic(part + " has no " + old)
		}
		f.settings[part] = strings.Replace(f.settings[part], old, by, 1)
	}
}

func retentionTamperings() []tampering {
	return []tampering{
		{name: "logs for a week", do: running("loki", "30d", "1w"), fails: []string{keptLogs}, says: "keeps it for 1w, and 30d was asked for"},
		{name: "logs for ever", do: running("loki", "30d", "0s"), fails: []string{keptLogs}, says: "nothing is deleted"},
		{name: "a Loki that deletes nothing", do: running("loki", "retention_enabled: true", "retention_enabled: false"), fails: []string{keptLogs, keptAudit}, says: "deletes nothing"},
		{name: "an audit log for a month", do: running("loki", "1y", "30d"), fails: []string{keptAudit}, says: "keeps it for 30d, and 1y was asked for"},
		{name: "an audit log like other lines", do: running("loki", "lab_audit", "audit"), fails: []string{keptAudit}, says: "no retention_stream"},
		{name: "traces for two weeks", do: running("tempo", "168h0m0s", "336h0m0s"), fails: []string{keptTraces}, says: "keeps it for 2w, and 1w was asked for"},
		{name: "traces overridden", do: running("tempo", "compactor:", "overrides:\n    defaults:\n        compaction:\n            block_retention: 24h0m0s\ncompactor:"),
			fails: []string{keptTraces}, says: "keeps it for 1d"},
		{name: "metrics for ever", do: running("mimir", "1y", "0s"), fails: []string{keptMetrics}, says: "nothing is deleted"},
		{name: "metrics for a period that is none", do: running("mimir", "1y", "soon"), fails: []string{keptMetrics}, says: "not a valid duration"},
	}
}

// Where nobody has asked for a period, one must be set all the same, and the audit log must
// not go before other lines.
func TestRetentionThatNobodyAskedFor(t *testing.T) {
	f := startFake(t)
	v := f.verifier()
	v.Retention = retention.Periods{}
	defer v.connect()()
	failed := func() (names []string) {
		v.report = report.Report{}
		v.retention(t.Context())
		for _, c := range failures(v.report) {
			names = append(names, name(c)+": "+c.Detail)
		}
		return names
	}
	if got := failed(); got != nil {
		t.Errorf("%q fail", got)
	}
	running("loki", "1y", "1w")(f)
	running("tempo", "168h0m0s", "1h0m0s")(f)
	running("mimir", "1y", "0s")(f)
	got := failed()
	if len(got) != 3 || !strings.Contains(got[0], keptAudit+": it is kept for less than 30d") {
		t.Errorf("%q fail", got)
	}
}
