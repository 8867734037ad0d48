package verify

import (
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/config/grafana"
)

// TestDeriveOfText is for a derived field that is found in the text of a line.
func TestDeriveOfText(t *testing.T) {
	f := grafana.DerivedField{MatcherType: "regex", Matcher: `trace_id=(\w+)`}
	if got, err := derive(f, query.Line{Text: "request trace_id=abc done"}); got != "abc" || err != nil {
		t.Errorf("it is %q, %v", got, err)
	}
}
