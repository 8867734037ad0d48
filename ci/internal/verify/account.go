package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// An Account compares the telemetry of a run's requests with what is stored. Unlike the
// checks of completeness it judges nothing: it names each request that has lost something,
// so that the reader can tell a loss that is promised from one that is not. A request
// without an answer may have telemetry or none.
type Account struct {
	// Services are what each service's spans, lines and counter say.
	Services map[string]*ServiceAccount `json:"services"`
	// Torn are requests whose spans are all there, and are not one joined trace, with
	// what is wrong. Nothing else is wrong with them.
	Torn map[int]string `json:"torn,omitempty"`
	// Doubled are requests with a span that is stored twice, or two server spans of a
	// service.
	Doubled []int `json:"doubled,omitempty"`
	// Exemplars counts the exemplars of the services' requests, and Dead are the trace
	// ids of those that lead to no stored trace.
	Exemplars int      `json:"exemplars"`
	Dead      []string `json:"dead,omitempty"`
	// Losses are the counters of lost telemetry that have risen, by the names that verify
	// has for them. A component that was started again counts from 0.
	Losses map[string]float64 `json:"losses,omitempty"`
	// Problems say which part of the account could not be made.
	Problems []string `json:"problems,omitempty"`
}

// ServiceAccount is the part of an [Account] that one service has sent. Requests are named
// by their numbers.
type ServiceAccount struct {
	// Requests are those that the service has answered: each must have its count and, if it
	// was not rejected, its span and its line. Most is how many it may have answered.
	Requests int `json:"requests"`
	Most     int `json:"most"`
	// NoSpan and NoLine have lost the server span, or the access-log line.
	NoSpan []int `json:"no_span,omitempty"`
	NoLine []int `json:"no_line,omitempty"`
	// TwoLines have a second line.
	TwoLines []int `json:"two_lines,omitempty"`
	// Counted is by how much the counter of requests has risen. Before is how many of
	// them are no part of the run.
	Counted float64 `json:"counted"`
	Before  int     `json:"before"`
}

// accounted are the services that an account is about.
var accounted = []string{target.Frontend, target.Backend}

// answered tells whether the service has answered the request for certain.
func answered(service string, a traffic.Answer) bool {
	if service == target.Backend {
		return a.FromBackend()
	}
	return a.Status != 0
}

// must tells whether there must be a span and a line of the service's.
func must(service string, a traffic.Answer) bool { return answered(service, a) && !a.Rejected }

// TakeAccount compares the answers of a run with what the stores have. What is missing is
// looked for again until patience is over: it may be on its way. run.Before has what was
// counted before the run; see [CountBefore].
func TakeAccount(ctx context.Context, o Options, run traffic.Report, answers []traffic.Answer, patience time.Duration) (Account, error) {
	v := &verifier{Options: o, timing: usual()}
	defer v.connect()()
	return v.takeAccount(ctx, run, answers, patience)
}

func (v *verifier) takeAccount(ctx context.Context, run traffic.Report, answers []traffic.Answer, patience time.Duration) (Account, error) {
	if v.Progress == nil {
		v.Progress = func(string) {}
	}
	v.stored = map[string]bool{}
	a := Account{Services: map[string]*ServiceAccount{}, Torn: map[int]string{}, Losses: map[string]float64{}}
	for _, service := range accounted {
		s := &ServiceAccount{Before: run.Outside.Preflight, Most: run.Outside.Preflight}
		for _, answer := range answers {
			s.Most++
			if answered(service, answer) {
				s.Requests++
			}
		}
		a.Services[service] = s
	}
	until := time.Now().Add(patience)
	parts := []struct {
		what string
		do   func(context.Context, *Account, traffic.Report, []traffic.Answer, time.Time) error
	}{
		{"log lines", v.accountLines}, {"traces", v.accountTraces}, {"counters", v.accountCounters},
		{"exemplars", v.accountExemplars}, {"losses that the stack has counted", v.accountLosses},
	}
	for _, part := range parts {
		v.Progress("the account: " + part.what)
		if err := part.do(ctx, &a, run, answers, until); err != nil {
			a.Problems = append(a.Problems, part.what+": "+err.Error())
		}
	}
	return a, context.Cause(ctx)
}

// accountLines counts the access-log lines of every request and service.
func (v *verifier) accountLines(ctx context.Context, a *Account, run traffic.Report, answers []traffic.Answer, until time.Time) error {
	most := 0
	for _, answer := range answers {
		most = max(most, answer.N)
	}
	for _, service := range accounted {
		s := a.Services[service]
		for {
			perTrace, err := v.linesPerTrace(ctx, run, service, most)
			s.NoLine, s.TwoLines = nil, nil
			for _, answer := range answers {
				switch lines := perTrace[answer.TraceID]; {
				case lines == 0 && must(service, answer):
					s.NoLine = append(s.NoLine, answer.N)
				case lines > 1:
					s.TwoLines = append(s.TwoLines, answer.N)
				}
			}
			s.NoLine, s.TwoLines = sorted(s.NoLine), sorted(s.TwoLines)
			if err == nil && len(s.NoLine) == 0 {
				break
			}
			if !time.Now().Before(until) || ctx.Err() != nil {
				if err != nil {
					return err
				}
				break
			}
			if err := wait.For(ctx, v.timing.again); err != nil {
				return err
			}
		}
	}
	return nil
}

// linesPerTrace counts the access-log lines of each trace of a run, up to request number
// most.
func (v *verifier) linesPerTrace(ctx context.Context, run traffic.Report, service string, most int) (map[string]float64, error) {
	perTrace := map[string]float64{}
	for n := 0; n <= most; n += linesChunk {
		chunk, err := v.countLines(ctx, run, accessLines(service), "trace_id", traffic.Block(run.TracePrefix, n))
		if err != nil {
			return perTrace, err
		}
		maps.Copy(perTrace, chunk)
	}
	return perTrace, nil
}

// accountCounters reads by how much the services' counters of requests have risen, until
// they say what they should.
func (v *verifier) accountCounters(ctx context.Context, a *Account, run traffic.Report, _ []traffic.Answer, until time.Time) error {
	if run.Before.At.IsZero() {
		return fmt.Errorf("what was counted before the traffic is not known: %s", run.Before.Error)
	}
	before := baselineOf(run.Before)
	// A second count may come later than the first.
	if err := wait.For(ctx, time.Until(run.Finished.Add(v.timing.export))); err != nil {
		return err
	}
	for i, service := range accounted {
		s := a.Services[service]
		err := v.poll(ctx, max(time.Until(until), v.timing.export), func(ctx context.Context) error {
			by, err := v.rise(ctx, before.get(requestCounters[i]))
			if err != nil {
				return err
			}
			s.Counted = by
			if least := s.Requests + s.Before; by < float64(least) {
				return fmt.Errorf("the %s has counted %.0f of %d requests", service, by, least)
			}
			return nil
		})
		if err != nil && s.Counted == 0 {
			return err
		}
	}
	return nil
}

// accountLosses reads which counters of losses have risen.
func (v *verifier) accountLosses(ctx context.Context, a *Account, run traffic.Report, _ []traffic.Answer, _ time.Time) error {
	before := baselineOf(run.Before)
	for _, l := range losses {
		base := before.get(l.selector())
		if base.err != nil {
			return base.err
		}
		value, found, err := v.mimir.Scalar(ctx, sumOver(l.selector(), v.timing.alive), time.Now())
		if err != nil {
			return err
		}
		by := value - base.value
		if by < 0 { // the component was started again, and counts from 0
			by = value
		}
		if found && by > 0 {
			a.Losses[l.name] = by
		}
	}
	return nil
}

func sorted(numbers []int) []int {
	slices.Sort(numbers)
	return numbers
}
