package chaos

import (
	"slices"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// Tempo and Alloy may lose what came while their disks were full, and nothing else; other
// components lose nothing.
func TestFullDisks(t *testing.T) {
	for _, c := range []struct {
		component string
		second    int
		line      bool
		broken    []string
	}{
		{target.Tempo, 46, false, nil},
		{target.Tempo, 59, false, nil},
		{target.Tempo, 44, false, []string{Traces}},
		{target.Tempo, 61, false, []string{Traces}},
		{target.Tempo, 55, true, []string{Lines}},
		{target.Alloy, 55, false, nil},
		{target.Alloy, 55, true, nil},
		{target.Alloy, 61, true, []string{Lines}},
		{target.Mimir, 55, false, []string{Traces}},
	} {
		o := Outcome{Healed: at(60), Ready: at(60), Actions: []Action{{At: at(50), Done: at(50), What: fillDisk, Component: c.component}}}
		b := perfect()
		lacking := &b.Account.Services[target.Frontend].NoSpan
		if c.line {
			lacking = &b.Account.Services[target.Frontend].NoLine
		}
		*lacking = []int{c.second}
		o.judge(Scenario{Promises: append(slices.Clone(stored), FullTempo, FullAlloy)}, false, b)
		if got := o.broken(); !slices.Equal(got, c.broken) {
			t.Errorf("the disk of %s is full, second %d is lost: broken are %v, want %v\n%+v", c.component, c.second, got, c.broken, o.Verdicts)
		}
	}
}

// A component that has ended breaks the promise of a full disk, and so does an answer of the
// backend that is no honest refusal of a change.
func TestFullDiskJudge(t *testing.T) {
	for name, c := range map[string]struct {
		component string
		ended     bool
		kind      traffic.Kind
		status    int
		want      string
	}{
		"a creation is refused":          {target.Backend, false, traffic.Create, 503, Kept},
		"a creation fails":               {target.Backend, false, traffic.Create, 500, Broken},
		"a question is refused":          {target.Backend, false, traffic.Get, 503, Broken},
		"nothing is refused":             {target.Backend, false, traffic.Get, 200, Broken},
		"Loki's disk, all as usual":      {target.Loki, false, traffic.Get, 200, Kept},
		"Loki's disk, Loki has ended":    {target.Loki, true, traffic.Get, 200, Broken},
		"Loki's disk, one is refused":    {target.Loki, false, traffic.Create, 503, Broken},
		"the components were never seen": {"", false, traffic.Get, 200, Broken},
	} {
		s := &Stage{Facts: map[string]string{}}
		if c.component != "" {
			s.fact("components", map[string]*Seen{c.component: {Ended: c.ended}})
		}
		f := &fullDisk{component: c.component}
		v := f.judge(s, Observation{Answers: []traffic.Answer{{Kind: c.kind, Status: c.status}}})[0]
		if v.Outcome != c.want {
			t.Errorf("%s: %+v, want %s", name, v, c.want)
		}
	}
}
