package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/interrupt"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// Options say what to run, and on which lab.
type Options struct {
	Scenarios []Scenario
	Lab       target.Breakable
	// Target is the target's name.
	Target string
	// Own says that the lab was brought up for the purpose.
	Own bool
	// AwaitAlerts makes each harm last until its alert fires, and the traffic until the
	// alert is over.
	AwaitAlerts bool
	// Rate is the traffic's requests per second; 0 is each scenario's own.
	Rate float64
	// Say gets each line of progress, Line a line that replaces the one before.
	Say  func(line string)
	Line func(text string)
}

// Times of a run.
const (
	// calm is how long the traffic runs before the harm.
	calm = 6 * time.Second
	// afterFresh is how much longer than a signal may take to be fresh the traffic lasts at
	// most: it ends earlier when every signal is fresh.
	afterFresh = 20 * time.Second
	// alertFires and alertEnds bound the waits for an alert.
	alertFires = 6 * time.Minute
	alertEnds  = 12 * time.Minute
	// mendWithin bounds the mending of an interrupted run.
	mendWithin = 3 * time.Minute
)

// Run runs the scenarios one after another. When ctx ends it mends the lab, and returns
// what it has with the cause. Other errors say that the lab cannot be worked on: the outcome
// of the scenario that has found that has the error, too, and a lab that is refused before
// anything is done to it has no outcome.
func Run(ctx context.Context, o Options) (Result, error) {
	r := Result{Target: o.Target, Started: time.Now(), Scenarios: []Outcome{}, OK: true}
	var err error
	for i, s := range o.Scenarios {
		o.Say(fmt.Sprintf("%d of %d · %s: %s", i+1, len(o.Scenarios), s.Name, s.About))
		var outcome Outcome
		outcome, err = o.one(ctx, s)
		if err != nil && ctx.Err() == nil && i == 0 && len(outcome.Actions) == 0 {
			return Result{Target: o.Target, Started: r.Started, Scenarios: []Outcome{}}, err
		}
		r.Scenarios = append(r.Scenarios, outcome)
		r.OK = r.OK && outcome.OK()
		o.Say("    " + outcome.sentence())
		if ctx.Err() != nil || err != nil {
			break
		}
	}
	r.Duration = time.Since(r.Started).Seconds()
	return r, errors.Join(err, context.Cause(ctx))
}

// sentence is the outcome for a line of progress.
func (o Outcome) sentence() string {
	switch broken := o.broken(); {
	case o.Skipped != "":
		return "skipped: " + o.Skipped
	case o.Error != "":
		return "did not run to its end"
	case len(broken) > 0:
		return "broken: " + strings.Join(broken, ", ")
	}
	return fmt.Sprintf("every promise is kept (%.0f s)", o.Duration)
}

// one runs a scenario. An error says that the lab is not well afterwards.
func (o Options) one(ctx context.Context, s Scenario) (out Outcome, err error) {
	out = Outcome{
		Name: s.Name, About: s.About, Started: time.Now(), Actions: []Action{}, CountedLosses: map[string]float64{},
		FreshAgain: map[string]float64{}, Alerts: []FiredAlert{}, Verdicts: []Verdict{},
	}
	defer func() { out.Duration = time.Since(out.Started).Seconds() }()
	status, err := o.Lab.Status(ctx)
	if err != nil {
		out.Error = err.Error()
		return out, err
	}
	stage := &Stage{Lab: o.Lab, Target: o.Target, Say: o.Say, Facts: map[string]string{}}
	for _, c := range status.Components {
		stage.components = append(stage.components, c.Name)
	}
	if out.Skipped = o.unfit(ctx, s, stage.components); out.Skipped != "" {
		return out, nil
	}
	if !status.Ready {
		err := errors.New("the lab is not ready; `lab status` says what is wrong")
		out.Error = err.Error()
		return out, err
	}
	if s.Undo != nil {
		defer func() {
			undoing, cancel := interrupt.Cleanup(ctx, mendWithin)
			defer cancel()
			if undoErr := s.Undo(undoing, stage); undoErr != nil {
				err = errors.Join(err, undoErr)
				out.Error = err.Error()
			}
		}()
	}
	if s.Prepare != nil {
		if err := s.Prepare(ctx, stage); err != nil {
			out.Error = err.Error()
			return out, err
		}
	}
	watching, err := o.observe(ctx, s)
	if err != nil {
		out.Error = err.Error()
		return out, err
	}
	stage.Addresses = watching.addresses()
	err = o.harm(ctx, s, stage, watching, &out)
	out.Actions = append(out.Actions, stage.Actions...)
	watching.stop()
	observation, observeErr := watching.result(ctx)
	if errors.Is(err, observeErr) { // a traffic that never began is harm's error already
		observeErr = nil
	}
	if both := errors.Join(err, observeErr); ctx.Err() != nil {
		out.Error = "interrupted"
	} else if both != nil {
		out.Error = both.Error()
	} else {
		if s.Account != nil {
			s.Account(stage, &observation)
		}
		out.CountedLosses = observation.Account.Losses
		out.judge(s, o.AwaitAlerts && watching.awaits(), observation)
		if s.Judge != nil {
			out.Verdicts = append(out.Verdicts, s.Judge(stage, observation)...)
		}
	}
	return out, err
}

// unfit says why the scenario cannot run on this lab; "" when it can.
func (o Options) unfit(ctx context.Context, s Scenario, components []string) string {
	for _, name := range s.Needs {
		if !slices.Contains(components, name) {
			return "this lab runs without " + name
		}
	}
	switch {
	case s.Targets != nil && !slices.Contains(s.Targets, o.Target):
		return "it runs on --target " + strings.Join(s.Targets, " or ") + " only"
	case s.OwnLab && !o.Own:
		return "it destroys data, so it runs with --up only, on a lab of its own"
	case s.Possible != nil:
		if err := s.Possible(ctx, o.Lab); err != nil {
			return err.Error()
		}
	}
	return ""
}

// harm injects the harm into the traffic, holds it, ends it, and waits until the lab is
// well again. Whatever happens, it mends the lab.
func (o Options) harm(ctx context.Context, s Scenario, stage *Stage, w observing, out *Outcome) (err error) {
	if err := w.begun(ctx); err != nil {
		return err
	}
	if err := wait.For(ctx, calm); err != nil {
		return err
	}
	begin := time.Now()
	err = s.Inject(ctx, stage)
	if err == nil {
		err = wait.For(ctx, s.Hold)
	}
	if err == nil && o.AwaitAlerts && s.Alert != "" && w.awaits() {
		err = until(ctx, alertFires, func() bool { fired, _ := w.alert(s.Alert); return fired })
	}
	o.Say(fmt.Sprintf("ending the harm after %.0f s", time.Since(begin).Seconds()))
	out.Healed = time.Now()
	healing, cancel := interrupt.Cleanup(ctx, mendWithin)
	defer cancel()
	if s.Heal != nil {
		err = errors.Join(err, s.Heal(healing, stage))
	}
	err = errors.Join(err, o.Lab.Mend(healing))
	out.Ready = time.Now()
	if err != nil {
		return err
	}
	if err := w.settled(ctx, out.Healed, s.freshWithin()+afterFresh); err != nil {
		return err
	}
	if o.AwaitAlerts && s.Alert != "" && w.awaits() {
		return until(ctx, alertEnds, func() bool { _, over := w.alert(s.Alert); return over })
	}
	return nil
}

// until waits until the condition holds, for some time at most.
func until(ctx context.Context, within time.Duration, holds func() bool) error {
	for end := time.Now().Add(within); time.Now().Before(end) && !holds(); {
		if err := wait.For(ctx, time.Second); err != nil {
			return err
		}
	}
	return nil
}
