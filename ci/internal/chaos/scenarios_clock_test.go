package chaos

import (
	"maps"
	"testing"
)

// What a sender with a wrong clock has sent is stored or counted: each thing that is lacking
// breaks the promise.
func TestClockAccount(t *testing.T) {
	sent := clockSent{Traces: make([]string, 4), Rounds: map[string]int{"right": 2, "ahead": 1, "behind": 1}}
	whole := clockFound{
		traces: 4, moved: linesEach, lines: map[string]float64{"right": 2 * linesEach, "ahead": linesEach, "behind": linesEach},
		points: map[string]float64{"right": 2, "behind": 1},
	}
	for name, c := range map[string]struct {
		fault func(*clockFound)
		left  float64
		kept  bool
	}{
		"all is there":                    {func(*clockFound) {}, 1, true},
		"a span is lost":                  {func(f *clockFound) { f.traces-- }, 1, false},
		"a line from behind is lost":      {func(f *clockFound) { f.lines["behind"]-- }, 1, false},
		"a line is there twice":           {func(f *clockFound) { f.lines["right"]++ }, 1, false},
		"a line has lost its own time":    {func(f *clockFound) { f.moved-- }, 1, false},
		"a point from behind is lost":     {func(f *clockFound) { f.points["behind"]-- }, 1, false},
		"a point from ahead is stored":    {func(f *clockFound) { f.points["ahead"]++ }, 1, false},
		"a point is lost and not counted": {func(*clockFound) {}, 0, false},
	} {
		found := whole
		found.lines, found.points = maps.Clone(whole.lines), maps.Clone(whole.points)
		c.fault(&found)
		if measured, complaints := sent.compare(found, c.left); (len(complaints) == 0) != c.kept {
			t.Errorf("%s: %s, %q", name, measured, complaints)
		}
	}
}
