package chaos

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// standIn is a lab of which a test says how it is.
type standIn struct {
	target.Breakable
	status    target.Status
	addresses target.Addresses
	problem   error
}

func (l standIn) Status(context.Context) (target.Status, error)       { return l.status, l.problem }
func (l standIn) Addresses(context.Context) (target.Addresses, error) { return l.addresses, nil }
func (l standIn) Mend(context.Context) error                          { return nil }

// A lab that is refused before anything is done to it says why once: as the error. One that is
// lost between two scenarios has its reason in the table, once.
func TestRefusedLabSaysWhyOnce(t *testing.T) {
	reason := errors.New("the reason")
	for name, lab := range map[string]standIn{
		"it is not up":    {problem: reason},
		"it is not ready": {},
		"it has no Alloy to ask": {
			status:    target.Status{Ready: true},
			addresses: target.Addresses{Alloy: "http://127.0.0.1:1"},
		},
	} {
		var said []string
		o := Options{
			Scenarios: []Scenario{{Name: "first"}, {Name: "second"}}, Lab: lab,
			Say: func(line string) { said = append(said, line) }, Line: func(string) {},
		}
		r, err := Run(t.Context(), o)
		if err == nil || len(r.Scenarios) != 0 {
			t.Errorf("%s: %v, %d outcomes", name, err, len(r.Scenarios))
			continue
		}
		if all := strings.Join(append(said, err.Error()), "\n"); strings.Count(all, err.Error()) != 1 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: said more than once:\n%s", name, all)
		}
	}
	var table strings.Builder
	lost := Outcome{Name: "second", Error: reason.Error()}
	if err := (Result{Scenarios: []Outcome{{Name: "first"}, lost}}).WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	if all := lost.sentence() + table.String(); strings.Count(all, reason.Error()) != 1 {
		t.Errorf("not said once:\n%s", all)
	}
}
