package traceparent

import (
	"regexp"
	"testing"
)

// The id must stay what it is: a lab that is up may be older than the program that asks it.
func TestClientSpanID(t *testing.T) {
	a, b := ClientSpanID("80000000000000000000000000000001"), ClientSpanID("80000000000000000000000000000002")
	if a == b || a != ClientSpanID("80000000000000000000000000000001") || !regexp.MustCompile(`^[89a-f][0-9a-f]{15}$`).MatchString(a) {
		t.Errorf("ids %q and %q", a, b)
	}
}

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
