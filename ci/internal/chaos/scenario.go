// Package chaos does harm to a lab, one scenario after another, and takes the account after
// each: what of the requests that were acknowledged has survived, and what telemetry of them.
//
// Steady traffic runs through each scenario. The trace id of every request is known, and so is
// the user that it creates or deletes. What must hold is written down once, as a [Promise];
// each scenario names the promises that it tests.
package chaos

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// A Scenario is one kind of harm, and how it ends.
type Scenario struct {
	// Name is what the scenario is called on the command line, such as kill-tempo.
	Name string
	// About says in a line what is done.
	About string
	// Promises are the ids of the promises that the scenario tests.
	Promises []string
	// Needs are the components that the lab must have; the scenario is skipped where one is
	// missing.
	Needs []string
	// OwnLab says that the scenario destroys data, or changes the lab's machine: it runs
	// only on a lab that was brought up for the purpose.
	OwnLab bool
	// Targets are the targets that the scenario can run on; nil is all.
	Targets []string
	// Possible, if set, says why this machine, or this lab, does not allow the harm: the
	// scenario is then skipped.
	Possible func(ctx context.Context, lab target.Breakable) error
	// Prepare, if set, makes the lab ready for the harm, before the traffic begins. Undo, if
	// set, takes back what Prepare has done, after the account; it is called whatever
	// happens, also when Prepare has failed or the run was interrupted.
	Prepare, Undo func(ctx context.Context, s *Stage) error
	// Inject does the harm.
	Inject func(ctx context.Context, s *Stage) error
	// InjectWithin is how long Inject may take, where that is more than a moment. Traffic
	// inside a cluster cannot be told when the harm has ended, so that it lasts longer by
	// this.
	InjectWithin time.Duration
	// Hold is how long the harm lasts after Inject has returned.
	Hold time.Duration
	// Heal ends the harm. nil lets [target.Breakable.Mend] do it, which is called in any
	// case, also when the run is interrupted.
	Heal func(ctx context.Context, s *Stage) error
	// Rate is the traffic's requests per second; 0 is [DefaultRate].
	Rate float64
	// Alert is the alert that must fire when the harm lasts long enough; "" is none.
	Alert string
	// Patience is how long after the healing missing telemetry may still arrive; 0 is
	// [DefaultPatience].
	Patience time.Duration
	// Account, if set, adds to the account what the scenario itself has sent to the services.
	Account func(s *Stage, o *Observation)
	// FreshWithin is how long after the healing a signal may take to be fresh; 0 is the time
	// that [Freshness] names.
	FreshWithin time.Duration
	// Judge, if set, judges promises that are the scenario's own, from what its Inject has
	// found out. The engine judges the others.
	Judge func(s *Stage, o Observation) []Verdict
}

// freshWithin is how long after the healing a signal may take to be fresh.
func (s Scenario) freshWithin() time.Duration { return cmp.Or(s.FreshWithin, fresh) }

// DefaultRate is the requests per second of the steady traffic.
const DefaultRate = 20

// DefaultPatience is how long after the healing telemetry may still arrive before it counts
// as lost. A sender's pauses between two tries grow to 30 s.
const DefaultPatience = 90 * time.Second

// All lists the scenarios in the order in which they run.
func All() []Scenario {
	return slices.Concat(kills(), pairs(), freezes(), damages(), fullDisks(), outages(), overloads(), []Scenario{portStolen(), senderClock(), drainNode()}, tenants())
}

// Choose returns the scenarios that the words name: a scenario's name, or a part of names
// with * for any letters, such as freeze-*. Without words it returns all of them.
func Choose(words []string) ([]Scenario, error) {
	all := All()
	if len(words) == 0 {
		return all, nil
	}
	var chosen []Scenario
	for _, word := range words {
		found := slices.DeleteFunc(slices.Clone(all), func(s Scenario) bool { return !matches(word, s.Name) })
		if len(found) == 0 {
			return nil, fmt.Errorf("no scenario %q; `lab chaos --list` lists them", word)
		}
		chosen = append(chosen, found...)
	}
	return chosen, nil
}

// matches tells whether the name is the word, in which each * stands for any letters.
func matches(word, name string) bool {
	first, rest, any := strings.Cut(word, "*")
	if !any {
		return word == name
	}
	name, ok := strings.CutPrefix(name, first)
	if !ok {
		return false
	}
	for i := range len(name) + 1 {
		if matches(rest, name[i:]) {
			return true
		}
	}
	return false
}

// A Stage is what a scenario works on, and what it notes about what it has done.
type Stage struct {
	// Lab is the lab; what is done to it is noted in Actions.
	Lab target.Breakable
	// Target is the target's name.
	Target string
	// Addresses says where the components listen, where this program reaches them.
	Addresses target.Addresses
	// Say shows a line of progress.
	Say func(line string)
	// Actions are what was done, in order.
	Actions    []Action
	components []string // that the lab has
	// Facts are what the scenario itself has found out, for its Judge.
	Facts map[string]string
}

// Action is one thing that a scenario has done to a component.
type Action struct {
	At        time.Time `json:"at"`
	Done      time.Time `json:"done"`
	What      string    `json:"what"` // kill, terminate, freeze, thaw, or a scenario's own word
	Component string    `json:"component"`
}

// Kill ends the components at once, and notes when.
func (s *Stage) Kill(ctx context.Context, names ...string) error {
	return s.do(ctx, "kill", s.Lab.Kill, names)
}

// Terminate asks the components to end, and notes when.
func (s *Stage) Terminate(ctx context.Context, names ...string) error {
	return s.do(ctx, "terminate", s.Lab.Terminate, names)
}

// Freeze freezes the components, and notes when.
func (s *Stage) Freeze(ctx context.Context, names ...string) error {
	return s.do(ctx, "freeze", s.Lab.Freeze, names)
}

// Thaw lets the components go on, and notes when.
func (s *Stage) Thaw(ctx context.Context, names ...string) error {
	return s.do(ctx, "thaw", s.Lab.Thaw, names)
}

func (s *Stage) do(ctx context.Context, what string, act func(context.Context, ...string) error, names []string) error {
	begin := time.Now()
	s.Say(what + " " + strings.Join(names, ", "))
	err := act(ctx, names...)
	for _, name := range names {
		s.Actions = append(s.Actions, Action{begin, time.Now(), what, name})
	}
	return err
}

// Note notes an action of the scenario's own.
func (s *Stage) Note(what, component string) {
	now := time.Now()
	s.Actions = append(s.Actions, Action{now, now, what, component})
}

// present are the components that the lab has, from the answer of its status.
func (s *Stage) present() []string { return s.components }
