package traceparent

import (
	"regexp"
	"testing"
)

func TestHeader(t *testing.T) {
	valid := regexp.MustCompile(`^00-[89a-f][0-9a-f]{31}-[89a-f][0-9a-f]{15}-01$`)
	seen := map[string]bool{}
	for range 100 {
		h := Header(NewTraceID(), NewSpanID())
		if !valid.MatchString(h) || seen[h] {
			t.Fatalf("Header() = %q, want a new one of ids that begin with no 0", h)
		}
		seen[h] = true
	}
}
