package verify

import (
	"regexp"
	"slices"
	"testing"
)

// Every loss has counters that a tampering makes rise, and its expression matches them.
func TestEveryLossHasCounters(t *testing.T) {
	for _, l := range losses {
		names := lossCounters[l.name]
		if len(names) == 0 {
			t.Errorf("%s: add its counters to lossCounters, or no test makes it fail", l.name)
		}
		for _, name := range names {
			if !regexp.MustCompile("^(?:" + l.counter + ")$").MatchString(name) {
				t.Errorf("%s: the expression %s does not match %s", l.name, l.counter, name)
			}
		}
	}
	for name := range lossCounters {
		if !slices.ContainsFunc(losses, func(l loss) bool { return l.name == name }) {
			t.Errorf("lossCounters has %q, which is no loss", name)
		}
	}
}
