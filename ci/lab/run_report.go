package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/application"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/arrival"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/runid"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/score"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// runReport is what `lab run` says at the end, and its JSON.
type runReport struct {
	RunID    string    `json:"run_id"`
	Service  string    `json:"service"`
	Command  []string  `json:"command"`
	Started  time.Time `json:"started"`
	Duration float64   `json:"duration_seconds"`
	ExitCode int       `json:"exit_code"`
	arrival.Counts
	// TraceURL is where a person can look at the latest trace; "" when there is none.
	TraceURL string `json:"trace_url"`
	// Score is the service's Instrumentation Score in this run, 0 to 100; null when it is not
	// known, and then ScoreProblem says why.
	Score        *float64 `json:"score"`
	ScoreProblem string   `json:"score_problem"`
	// Findings is the number of findings beside the score.
	Findings int `json:"findings"`
	// Advice says what to do if nothing has arrived, a sentence for each thing.
	Advice []string `json:"advice"`

	at          target.Addresses
	telemetry   application.Telemetry
	environment []string
	problem     error // of the stores
	category    score.Category
}

func (r *runReport) run() arrival.Run { return arrival.Run{ID: r.RunID, Since: r.Started} }

func storesOf(at target.Addresses) query.Stores {
	return query.NewStores(at.Tempo, at.Loki, at.Mimir, at.Client(10*time.Second))
}

// complete fills in what follows from the counts.
func (r *runReport) complete() {
	r.Advice = []string{}
	if r.TraceID != "" {
		r.TraceURL = strings.ReplaceAll(r.at.TraceURL(), "{trace_id}", r.TraceID)
	}
	if r.Nothing() && r.problem == nil {
		r.Advice = r.advice()
		r.ScoreProblem = "nothing has arrived"
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	found, err := scoreOf(ctx, r.at, r.Service, r.RunID)
	if err != nil {
		r.ScoreProblem = err.Error()
		return
	}
	r.Score, r.category, r.Findings = &found.Score, found.Category, len(found.Findings)
}

// advice says what to do if nothing has arrived.
func (r *runReport) advice() []string {
	said := []string{
		fmt.Sprintf("The lab receives OTLP at %s (http/protobuf, http/json) and %s (grpc).", r.telemetry.HTTP, r.telemetry.GRPC),
	}
	diverted := r.telemetry.Diverted(r.environment)
	said = append(said, diverted...)
	if n := r.withoutRunID(); n > 0 {
		return append(said, fmt.Sprintf("%s of the service %s came without the run id: the application sets a resource of its own. "+
			"Let its SDK read OTEL_RESOURCE_ATTRIBUTES, too (the detector is called env in most SDKs).", number(n, "trace", "traces"), r.Service))
	}
	if len(diverted) == 0 {
		said = append(said,
			fmt.Sprintf("The application was told so by OTEL_EXPORTER_OTLP_ENDPOINT, for %s. Its SDK reads that, unless the code gives the exporter an endpoint: look for one there.", endpoint(r.environment)),
			"An application without an SDK sends nothing: see how OpenTelemetry's documentation sets it up for its language.")
	}
	return append(said, "An SDK keeps telemetry for a moment before it sends: an application that ends without a shutdown of its providers loses that.")
}

// withoutRunID counts the traces that the service has sent since the beginning of the run
// without its id.
func (r *runReport) withoutRunID() int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	found, err := storesOf(r.at).Tempo.Find(ctx,
		fmt.Sprintf("{ resource.service.name = %q } | select(resource.%s)", r.Service, runid.Attribute), r.Started, time.Now(), 100)
	if err != nil {
		return 0 // no advice then
	}
	n := 0
	for _, f := range found {
		if len(f.Spans) > 0 && f.Spans[0].Attributes[runid.Attribute] == "" {
			n++
		}
	}
	return n
}

// write prints the report for people, a line for each call of say.
func (r *runReport) write(say func(string), exit application.Exit) {
	say(fmt.Sprintf("\nlab: %s has ended after %s: %s. Run %s:\n", r.Service, report.Elapsed(report.FromSeconds(r.Duration)), exit, r.RunID))
	if r.problem != nil {
		say(fmt.Sprintf("  What has arrived is not known: %v", r.problem))
		return
	}
	row := func(name, text string) { say(fmt.Sprintf("  %-8s %s", name, text)) }
	traces := number(r.Traces, "trace", "traces") + ", " + number(r.Spans, "span", "spans")
	if r.Traces >= arrival.MaxTraces {
		traces += ", or more"
	}
	row("traces", traces)
	row("logs", number(r.Lines, "line", "lines"))
	row("metrics", number(r.Series, "series", "series")+", "+number(r.Metrics, "metric", "metrics"))
	if r.Score != nil {
		row("score", fmt.Sprintf("%v of 100, %s; %s", *r.Score, strings.ReplaceAll(string(r.category), "_", " "), number(r.Findings, "finding", "findings")))
		row("", fmt.Sprintf("lab score %s --run %s", r.Service, r.RunID))
	} else if !r.Nothing() {
		row("score", "not known: "+r.ScoreProblem)
	}
	if r.TraceID != "" {
		row("latest", r.TraceName)
		row("", "lab trace "+r.TraceID)
		row("", r.TraceURL)
	}
	if len(r.Advice) > 0 {
		say("\nNothing has arrived.")
		for _, line := range r.Advice {
			say("  - " + line)
		}
	}
}

// number is a number of things, in words.
func number(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// createIfNamed creates the file, so that a wrong name is an error before the work begins;
// nil without a name.
func createIfNamed(name string) (*os.File, error) {
	if name == "" {
		return nil, nil
	}
	return os.Create(name)
}

// writeRun writes the report as JSON.
func writeRun(file *os.File, r runReport) error {
	if file == nil {
		return nil
	}
	err := report.Encode(file, kindRun, r)
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}
