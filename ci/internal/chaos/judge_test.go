package chaos

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/verify"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const prefix = "0123456789abcdef"

// perfect is an observation of a hundred seconds with a request a second, in which nothing
// is lost: requests 1 to 10 create users 1 to 10, request 11 deletes user 1, and the rest
// reads.
func perfect() Observation {
	b := Observation{TracePrefix: prefix, Started: start, Freshness: map[string][]Fresh{}}
	for n := 1; n <= 100; n++ {
		a := traffic.Answer{N: n, TraceID: traffic.TraceID(prefix, n), Kind: traffic.List, Status: 200, Sent: at(n), Ended: at(n).Add(10 * time.Millisecond)}
		switch {
		case n <= 10:
			a.Kind, a.Status, a.UserID = traffic.Create, 201, int64(n)
		case n == 11:
			a.Kind, a.Status, a.UserID = traffic.Delete, 204, 1
		}
		b.Answers = append(b.Answers, a)
	}
	for n := 2; n <= 10; n++ {
		b.Users = append(b.Users, traffic.User{ID: int64(n), Name: traffic.Name(n), Email: traffic.Email(prefix, n)})
	}
	b.Account = verify.Account{Exemplars: 5, Torn: map[int]string{}, Services: map[string]*verify.ServiceAccount{}}
	for _, service := range services {
		b.Account.Services[service] = &verify.ServiceAccount{Requests: 100, Most: 101, Before: 1, Counted: 101}
	}
	for _, signal := range signals {
		b.Freshness[signal] = []Fresh{{At: at(40), Data: at(38)}, {At: at(65), Data: at(61)}}
	}
	return b
}

func at(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }

// killed is a scenario that kills a component at second 50 and starts it again at 60.
func killed(component string) (Scenario, Outcome) {
	s := Scenario{Name: "kill-" + component, Promises: promisesFor(true, component), Alert: downAlerts[component]}
	return s, Outcome{Name: s.Name, Healed: at(60), Actions: []Action{{At: at(50), Done: at(50).Add(20 * time.Millisecond), What: "kill", Component: component}}}
}

// Each fault breaks one promise; without a fault all are kept.
func TestFaultsBreakPromises(t *testing.T) {
	both := func(b *Observation, do func(*verify.ServiceAccount)) {
		do(b.Account.Services[target.Frontend])
	}
	for name, c := range map[string]struct {
		component string // that is killed
		fault     func(*Observation)
		broken    []string
		promised  int // losses that a promise allows
	}{
		"nothing is lost":                     {target.Loki, func(*Observation) {}, nil, 0},
		"a user is dropped":                   {target.Loki, func(b *Observation) { b.Users = b.Users[1:] }, []string{Users}, 0},
		"a user is dropped before a deletion": {target.Loki, func(b *Observation) { b.Answers[10].Status = 404 }, []string{Users, Unnoticed}, 0},
		"a user is not whole":                 {target.Loki, func(b *Observation) { b.Users[0].Name = "" }, []string{Users}, 0},
		"a user is there twice":               {target.Loki, func(b *Observation) { u := b.Users[0]; u.ID = 99; b.Users = append(b.Users, u) }, []string{Users}, 0},
		"a deleted user is back":              {target.Loki, func(b *Observation) { b.Users = append(b.Users, traffic.User{ID: 1}) }, []string{Users}, 0},
		"the users cannot be read":            {target.Loki, func(b *Observation) { b.UsersProblem = "no answer" }, []string{Users}, 0},
		"a trace is lost":                     {target.Loki, func(b *Observation) { both(b, func(s *verify.ServiceAccount) { s.NoSpan = []int{49} }) }, []string{Traces}, 0},
		"a trace is torn":                     {target.Loki, func(b *Observation) { b.Account.Torn[49] = "torn" }, []string{Traces}, 0},
		"a span is there twice":               {target.Loki, func(b *Observation) { b.Account.Doubled = []int{49} }, []string{Traces}, 0},
		"a line is lost":                      {target.Loki, func(b *Observation) { both(b, func(s *verify.ServiceAccount) { s.NoLine = []int{49} }) }, []string{Lines}, 0},
		"a line is there twice":               {target.Loki, func(b *Observation) { both(b, func(s *verify.ServiceAccount) { s.TwoLines = []int{49} }) }, []string{Lines}, 0},
		"a count is lost":                     {target.Loki, func(b *Observation) { both(b, func(s *verify.ServiceAccount) { s.Counted-- }) }, []string{Counters}, 0},
		"a request counts twice":              {target.Loki, func(b *Observation) { both(b, func(s *verify.ServiceAccount) { s.Counted++ }) }, []string{Counters}, 0},
		"an exemplar leads nowhere":           {target.Loki, func(b *Observation) { b.Account.Dead = []string{traffic.TraceID(prefix, 3)} }, []string{Exemplars}, 0},
		"no exemplar is stored":               {target.Loki, func(b *Observation) { b.Account.Exemplars = 0 }, []string{Exemplars}, 0},
		"a signal stays old":                  {target.Loki, func(b *Observation) { b.Freshness[logLine] = b.Freshness[logLine][:1] }, []string{Freshness}, 0},
		"a signal is slow":                    {target.Loki, func(b *Observation) { b.Freshness[metric][1].At = at(121) }, []string{Freshness}, 0},
		"a request fails":                     {target.Loki, func(b *Observation) { b.Answers[54].Status = 502 }, []string{Unnoticed}, 0},
		"the traces cannot be read":           {target.Loki, func(b *Observation) { b.Account.Problems = []string{"traces: no answer"} }, []string{Traces}, 0},

		"a killed service's last second is lost": {target.Frontend, func(b *Observation) {
			both(b, func(s *verify.ServiceAccount) { s.NoSpan, s.NoLine, s.Counted = []int{49}, []int{49}, s.Counted-5 })
		}, nil, 7},
		"a killed service loses more": {target.Frontend, func(b *Observation) {
			both(b, func(s *verify.ServiceAccount) { s.NoSpan, s.NoLine, s.Counted = []int{47}, []int{47}, s.Counted-9 })
		}, []string{Traces, Lines, Counters}, 7},
		"another service's last second is lost": {target.Backend, func(b *Observation) {
			both(b, func(s *verify.ServiceAccount) { s.NoSpan = []int{49} })
		}, []string{Traces}, 0},
		"what Tempo had not written is lost": {target.Tempo, func(b *Observation) {
			both(b, func(s *verify.ServiceAccount) { s.NoSpan = []int{46, 49} })
		}, nil, 2},
		"Tempo loses more than it had not written": {target.Tempo, func(b *Observation) {
			both(b, func(s *verify.ServiceAccount) { s.NoSpan = []int{40} })
		}, []string{Traces}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, o := killed(c.component)
			b := perfect()
			c.fault(&b)
			o.judge(s, false, b)
			if got := o.broken(); !slices.Equal(got, c.broken) {
				t.Errorf("broken are %v, want %v\n%+v", got, c.broken, o.Verdicts)
			}
			if got := o.Traces.Promised + o.Lines.Promised + o.Counters.Promised; got != c.promised {
				t.Errorf("%d losses are promised, want %d", got, c.promised)
			}
			if len(o.Verdicts) != len(s.Promises) {
				t.Errorf("%d verdicts on %d promises", len(o.Verdicts), len(s.Promises))
			}
		})
	}
}

// A scenario may allow a signal more time than others do.
func TestFreshWithin(t *testing.T) {
	for within, want := range map[time.Duration][]string{0: {Freshness}, 2 * time.Minute: nil} {
		_, o := killed(target.Loki)
		b := perfect()
		b.Freshness[logLine][1].At = at(121)
		o.judge(Scenario{Promises: []string{Freshness}, FreshWithin: within}, false, b)
		if got := o.broken(); !slices.Equal(got, want) {
			t.Errorf("fresh 61 s after the end, within %v: broken are %v, want %v", within, got, want)
		}
	}
}

// Lines that were sent while a tenant had filled Loki's streams may be there twice; earlier and
// later ones may not.
func TestWaited(t *testing.T) {
	for second, want := range map[int][]string{49: {Lines}, 55: nil, 70: nil} {
		o := Outcome{Healed: at(60), Ready: at(60), Actions: []Action{{At: at(50), Done: at(50), What: tenantLabels, Component: target.Alloy}}}
		b := perfect()
		b.Account.Services[target.Backend].TwoLines = []int{second}
		o.judge(Scenario{Promises: stored}, false, b)
		if got := o.broken(); !slices.Equal(got, want) {
			t.Errorf("a line of second %d is there twice: broken are %v, want %v", second, got, want)
		}
	}
}

// A request without an answer may be stored or not, and counted or not.
func TestUnansweredRequests(t *testing.T) {
	for _, counted := range []float64{99, 101} {
		s, o := killed(target.Backend)
		b := perfect()
		b.Answers[49].Status, b.Answers[50].Status = 0, 502
		b.Account.Services[target.Frontend] = &verify.ServiceAccount{Requests: 99, Most: 101, Before: 1, Counted: counted + 1}
		b.Account.Services[target.Backend] = &verify.ServiceAccount{Requests: 98, Most: 101, Before: 1, Counted: counted}
		if b.Account.Services[target.Frontend].Counted > 101 {
			b.Account.Services[target.Frontend].Counted = 101
		}
		o.judge(s, false, b)
		if broken := o.broken(); len(broken) > 0 {
			t.Errorf("counted %.0f: broken are %v: %+v", counted, broken, o.Verdicts)
		}
		if o.Requests != (RequestCounts{Sent: 100, Acknowledged: 98, Refused: 1, Unanswered: 1}) {
			t.Errorf("requests %+v", o.Requests)
		}
	}
}

// An alert that was awaited must have fired and be over.
func TestAlerts(t *testing.T) {
	for name, c := range map[string]struct {
		alerts  []FiredAlert
		awaited bool
		want    string
	}{
		"not awaited":           {nil, false, NotTested},
		"did not fire":          {nil, true, Broken},
		"fires still":           {[]FiredAlert{{Name: "LokiDown", Fired: at(55)}}, true, Broken},
		"fired and is over":     {[]FiredAlert{{Name: "LokiDown", Fired: at(55), Resolved: at(70)}}, true, Kept},
		"over, and not awaited": {[]FiredAlert{{Name: "LokiDown", Fired: at(55), Resolved: at(70)}}, false, Kept},
		"another fired":         {[]FiredAlert{{Name: "TempoDown", Fired: at(55), Resolved: at(70)}}, true, Broken},
	} {
		s, o := killed(target.Loki)
		b := perfect()
		b.Alerts = c.alerts
		o.judge(s, c.awaited, b)
		i := slices.IndexFunc(o.Verdicts, func(v Verdict) bool { return v.Promise == Alerts })
		if i < 0 || o.Verdicts[i].Outcome != c.want {
			t.Errorf("%s: %+v, want %s", name, o.Verdicts[i], c.want)
		}
	}
}

// Users that were there before the harm are what its account is about: without any, P1 is not
// tested. A second request may delete a user whose first deletion had no answer.
func TestUsersFromBeforeTheHarm(t *testing.T) {
	users := func(o Outcome, b Observation) Verdict {
		s, _ := killed(target.Backend)
		o.judge(s, false, b)
		return o.Verdicts[slices.IndexFunc(o.Verdicts, func(v Verdict) bool { return v.Promise == Users })]
	}
	_, o := killed(target.Backend)
	if v := users(o, perfect()); v.Outcome != Kept || !strings.HasPrefix(v.Measured, "9 users due, 9 of them from before") {
		t.Errorf("%+v", v)
	}
	o.Actions[0].At = at(0)
	if v := users(o, perfect()); v.Outcome != NotTested {
		t.Errorf("without users from before the harm: %+v", v)
	}
	b := perfect()
	b.Answers[10].Status = 0
	b.Answers[11] = traffic.Answer{N: 12, Kind: traffic.Delete, Status: 404, UserID: 1, Sent: at(12), Ended: at(12)}
	_, o = killed(target.Backend)
	if v := users(o, b); v.Outcome != Kept {
		t.Errorf("deleted by the second request: %+v", v)
	}
}

// A service counts the flood's requests besides those of the steady traffic: each of them, and
// none of them twice.
func TestFloodIsCounted(t *testing.T) {
	for _, c := range []struct {
		frontend, backend float64
		broken            []string
	}{{1131, 411, nil}, {1130, 411, []string{Counters}}, {1132, 411, []string{Counters}}, {1131, 410, []string{Counters}}} {
		b := perfect()
		b.Account.Services[target.Frontend].Counted = c.frontend
		b.Account.Services[target.Backend].Counted = c.backend
		s := &Stage{Facts: map[string]string{}}
		s.fact("capacity", Flood{Sent: 30, Accepted: 30})
		s.fact("flood", Flood{Sent: 1000, Accepted: 280, Rejected: 720})
		countFlood(s, &b)
		_, o := killed(target.Loki)
		o.judge(Scenario{Promises: []string{Counters}}, false, b)
		if got := o.broken(); !slices.Equal(got, c.broken) {
			t.Errorf("counted %.0f and %.0f: broken are %v, want %v\n%+v", c.frontend, c.backend, got, c.broken, o.Verdicts)
		}
	}
}

// What is sent after the damage must be stored; what was sent before may be lost.
func TestDamage(t *testing.T) {
	for request, want := range map[int]string{40: Kept, 60: Broken} {
		b := perfect()
		b.Account.Services[target.Backend].NoLine = []int{request}
		s := &Stage{Facts: map[string]string{"damaged": "1"}, Actions: []Action{{At: at(50), Done: at(50), What: "damage", Component: target.Loki}}}
		if v := judgeDamage(s, b)[0]; v.Outcome != want {
			t.Errorf("a line of second %d is lost, and the damage was at 50: %+v, want %s", request, v, want)
		}
	}
}

// What Alloy or Tempo had not answered when it was frozen is sent again, and may be there twice.
func TestSentAgain(t *testing.T) {
	for _, c := range []struct {
		frozen  string
		request int
		line    bool
		broken  []string
	}{
		{target.Alloy, 49, false, nil},
		{target.Tempo, 55, false, nil},
		{target.Alloy, 40, false, []string{Traces}},
		{target.Alloy, 70, false, []string{Traces}},
		{target.Loki, 49, false, []string{Traces}},
		{target.Loki, 54, true, nil},
		{target.Loki, 40, true, []string{Lines}},
		{target.Loki, 70, true, []string{Lines}},
		{target.Tempo, 54, true, []string{Lines}},
	} {
		o := Outcome{Healed: at(60), Ready: at(60), Actions: []Action{{At: at(50), Done: at(50), What: "freeze", Component: c.frozen}}}
		b := perfect()
		b.Account.Doubled = []int{c.request}
		if c.line {
			b.Account.Doubled, b.Account.Services[target.Backend].TwoLines = nil, []int{c.request}
		}
		o.judge(Scenario{Promises: append(slices.Clone(stored), SentAgain)}, false, b)
		if got := o.broken(); !slices.Equal(got, c.broken) {
			t.Errorf("%s is frozen, request %d is there twice: broken are %v, want %v\n%+v", c.frozen, c.request, got, c.broken, o.Verdicts)
		}
	}
}
