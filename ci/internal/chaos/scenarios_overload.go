package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

const (
	// overloadFactor is how many times more requests an overload has than the lab can take.
	overloadFactor = 3
	// overloadFor is how long it lasts.
	overloadFor = 5 * time.Minute
	// measureFor is how long the measuring of what the lab can take lasts, with so many
	// clients.
	measureFor, measureClients = 10 * time.Second, 16
	// acceptedWithin bounds 99 % of the accepted requests: a quarter of a second of waiting,
	// and the work of as many requests as are in flight.
	acceptedWithin = time.Second
	// mostMemory bounds each component's memory in an overload.
	mostMemory = 1 << 30
)

// overloads send more than the lab can take.
func overloads() []Scenario {
	var all []Scenario
	for _, o := range []struct {
		name string
		d    time.Duration
	}{{"overload", overloadFor}, {"overload-short", overloadFor / 5}} {
		all = append(all, Scenario{
			Name: o.name, About: fmt.Sprintf("%d times the requests that the lab can take, for %v", overloadFactor, o.d),
			Promises: append(slices.Clone(stored), Overload, Memory), Needs: everything,
			Targets: []string{target.Local}, Alert: "RequestsRejected",
			Inject:  func(ctx context.Context, s *Stage) error { return injectOverload(ctx, s, o.d) },
			Account: countFlood, Judge: judgeOverload,
		})
	}
	return all
}

// injectOverload measures what the lab can take, and then sends more.
func injectOverload(ctx context.Context, s *Stage, d time.Duration) error {
	can := capacity(ctx, s.Addresses.Frontend, measureClients, measureFor)
	s.Say("with " + fmt.Sprint(measureClients) + " clients: " + can.String())
	if can.Accepted == 0 {
		return errors.New("the frontend answers no request as usual")
	}
	rate := overloadFactor * can.AcceptedRate()
	s.Note(fmt.Sprintf("flood %.0f/s", rate), target.Frontend)
	watching := watchComponents(ctx, s)
	f := overload(ctx, s.Addresses.Frontend, rate, d)
	s.Note("flood over", target.Frontend)
	s.Say(f.String())
	s.fact("flood", f)
	s.fact("capacity", can)
	s.fact("components", watching())
	return context.Cause(ctx)
}

// fact keeps what the scenario has found out for its Judge, as JSON.
func (s *Stage) fact(name string, v any) {
	text, _ := json.Marshal(v) // structs of numbers and texts
	s.Facts[name] = string(text)
}

// countFlood adds the flood's requests, and those that measured what the lab can take, to what
// the services must have counted. The backend has answered those that were accepted, for
// certain, and none that the frontend has turned away by itself; which of the rejected ones
// these are, no answer says.
func countFlood(s *Stage, o *Observation) {
	for _, name := range []string{"capacity", "flood"} {
		var f Flood
		if json.Unmarshal([]byte(s.Facts[name]), &f) != nil {
			continue
		}
		for service, answered := range map[string]int{target.Frontend: f.Sent - f.Unanswered, target.Backend: f.Accepted} {
			if account := o.Account.Services[service]; account != nil {
				account.Before += answered
				account.Most += f.Sent
			}
		}
	}
}

func judgeOverload(s *Stage, _ Observation) []Verdict {
	var f Flood
	if err := json.Unmarshal([]byte(s.Facts["flood"]), &f); err != nil {
		return []Verdict{verdict(Overload, "not measured", err.Error())}
	}
	var complaints []string
	for _, what := range slices.Sorted(maps.Keys(f.Problems)) {
		complaints = append(complaints, fmt.Sprintf("%d requests: %s", f.Problems[what], what))
	}
	if f.Accepted == 0 {
		complaints = append(complaints, "no request was accepted")
	}
	if f.AcceptedP99 > acceptedWithin.Seconds() {
		complaints = append(complaints, fmt.Sprintf("99 %% of the accepted requests took up to %.2f s", f.AcceptedP99))
	}
	return []Verdict{verdict(Overload, f.String(), complaints...), judgeComponents(s)}
}

// verdict is kept without a complaint.
func verdict(id, measured string, complaints ...string) Verdict {
	v := Verdict{Promise: id, Title: byID(id).Title, Outcome: Kept, Measured: measured}
	if len(complaints) > 0 {
		v.Outcome, v.Detail = Broken, strings.Join(complaints, "\n")
	}
	return v
}

// Seen is what was seen of a component during a harm.
type Seen struct {
	PID    int   `json:"pid"`
	Memory int64 `json:"memory_bytes"` // the most
	// Ended says that it ended, or was started again.
	Ended bool `json:"ended"`
}

// watchComponents looks at the components once a second until the function that it returns
// is called, which says what was seen.
func watchComponents(ctx context.Context, s *Stage) func() map[string]*Seen {
	ctx, stop := context.WithCancel(ctx)
	seen, done := map[string]*Seen{}, make(chan struct{})
	go func() {
		defer close(done)
		for {
			if status, err := s.Lab.Status(ctx); err == nil {
				look(seen, status)
			}
			if wait.For(ctx, time.Second) != nil {
				return
			}
		}
	}()
	return func() map[string]*Seen {
		stop()
		<-done
		return seen
	}
}

func look(seen map[string]*Seen, status target.Status) {
	for _, c := range status.Components {
		for _, i := range c.Instances {
			was := seen[c.Name]
			if was == nil {
				was = &Seen{PID: i.PID}
				seen[c.Name] = was
			}
			was.Memory = max(was.Memory, i.MemoryBytes)
			was.Ended = was.Ended || i.PID != was.PID || i.State == "ended"
		}
	}
}

func judgeComponents(s *Stage) Verdict {
	var seen map[string]*Seen
	if err := json.Unmarshal([]byte(s.Facts["components"]), &seen); err != nil || len(seen) == 0 {
		return verdict(Memory, "not measured", "the components were not seen")
	}
	var measured, complaints []string
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		c := seen[name]
		measured = append(measured, fmt.Sprintf("%s %d MB", name, c.Memory>>20))
		if c.Memory > mostMemory {
			complaints = append(complaints, fmt.Sprintf("%s took %d MB", name, c.Memory>>20))
		}
		if c.Ended {
			complaints = append(complaints, name+" has ended")
		}
	}
	return verdict(Memory, strings.Join(measured, ", "), complaints...)
}
