package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/arrival"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/check"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/inspector"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/judge"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// checkFlags are the flags of check, with those of the lab that it may bring up.
type checkFlags struct {
	up                     upFlags
	own, watch, record     bool
	init                   string // the service that a first case is written for
	output, app, runID     string
	tags                   []string
	parallel               int
	timeout, absentTimeout time.Duration
	evidence               string
	packed                 string // the files of the cases, for a `lab check` in a cluster
	files                  reportFiles
}

func checkCommand(e *env) *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check [FILE|FOLDER…]",
		Short: "Run acceptance cases of an application's telemetry",
		Long: `check runs acceptance cases: YAML files that say how an application is started and driven,
and which traces, log lines and metrics it must then have sent. It reads the cases of
grafana/oats, versions 3 and 2, and has keys of its own; docs/cases.md explains them.
Without a file it runs the cases that oats-config.yaml names.

Each case has a run id of its own, and each query is narrowed to it, so that cases run side
by side. An expectation is asked until it holds, for --timeout at most. check exits with 1
when one does not hold, and with 2 when a case file is wrong.

With --record check drives each case, and writes what the run has sent into the case's file
as its expectations, with ids, times and varying numbers taken out. With --init SERVICE it
writes a first case for a service that is sending, to FILE or standard output. Read what
was written before you rely on it.

A case with a compose fixture needs Docker and its compose command; the cases with a k3d
fixture need Docker, and get a cluster of Kind's, which is deleted at the end.

With --target kind the cases run in the cluster, as a Job: they start no application and no
script there. Name the Service of one that is deployed by --app, and give the case
fixture: remote.

Without a lab that is up, check brings one up, which stays; with --up it starts a lab of its
own and takes that lab down afterwards.`,
		RunE: func(cmd *cobra.Command, args []string) error { return e.check(cmd, &f, args) },
	}
	e.registerTarget(cmd)
	f.up.register(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.own, "up", false, "start a lab for the purpose and take it down afterwards")
	flags.BoolVar(&f.watch, "watch", false, "run again when a file of the cases or of the application changes, until Ctrl-C")
	flags.BoolVar(&f.record, "record", false, "write what each case's run sends as its expectations, in the place of those in its file")
	flags.StringVar(&f.init, "init", "", "write a first case for the `SERVICE`, from what it has sent in the last 15 minutes, to FILE or standard output")
	flags.StringVar(&f.app, "app", "", "the `URL` of an application that runs already, for cases that start none")
	flags.StringVar(&f.runID, "run-id", "", "the run `ID` of that application, as `lab run` prints it")
	flags.StringSliceVar(&f.tags, "tags", nil, "run only the cases with one of these tags")
	flags.IntVar(&f.parallel, "parallel", check.DefaultParallel, "how many cases run at a time")
	flags.DurationVar(&f.timeout, "case-timeout", check.DefaultTimeout, "how long an application may take to be ready, and then an expectation to hold")
	flags.DurationVar(&f.absentTimeout, "absent-timeout", check.DefaultAbsentTimeout, "how long an expectation of absence is asked")
	flags.StringVar(&f.evidence, "evidence", "", "keep what the applications print in this `FOLDER`")
	flags.StringVarP(&f.output, "output", "o", "table", "table, json, junit or markdown")
	f.files.register(cmd)
	flags.StringVar(&f.packed, "packed", "", "the files of the cases, as `lab check` gives them to its Job in a cluster")
	_ = flags.MarkHidden("packed")
	onlyOn(flags, []string{target.Local}, "up", "watch", "record", "init", "evidence")
	onlyOn(flags, []string{target.InCluster}, "packed")
	registerNodes(flags)
	cmd.MarkFlagsMutuallyExclusive("record", "watch", "init", "up")
	for _, file := range []string{"junit", "json", "markdown"} {
		cmd.MarkFlagsMutuallyExclusive("watch", file) // such a file has one report
	}
	return cmd
}

// valid fails when flags are wrong.
func (f *checkFlags) valid() error {
	if f.parallel < 1 || f.timeout <= 0 || f.absentTimeout <= 0 {
		return usageError{errors.New("--parallel, --case-timeout and --absent-timeout must be above 0")}
	}
	if u, err := url.Parse(f.app); f.app != "" && (err != nil || u.Scheme == "" || u.Host == "") {
		return usageError{fmt.Errorf("--app %q: want a URL, such as http://127.0.0.1:8000", f.app)}
	}
	return nil
}

func (e *env) check(cmd *cobra.Command, f *checkFlags, paths []string) error {
	ctx := cmd.Context()
	format, err := report.ParseFormat(f.output)
	if err != nil {
		return usageError{err}
	}
	if err := f.valid(); err != nil {
		return err
	}
	if f.init != "" {
		return e.initCase(ctx, f, paths)
	}
	if f.packed != "" {
		dir, err := os.MkdirTemp("", "lab-check-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if paths, err = unpackCases(f.packed, dir); err != nil {
			return fmt.Errorf("unpacking the cases: %w", err)
		}
	}
	all, err := e.loadCases(paths, f.tags)
	if err != nil {
		return err
	}
	if e.target.name != target.Local {
		return e.checkInCluster(cmd, f, all, format)
	}
	files, err := f.files.create()
	if err != nil {
		return err
	}
	defer files.Discard()
	at, release, err := e.labForCases(ctx, f)
	if err != nil {
		return err
	}
	defer release()
	options := e.checkOptions(f, at)
	for {
		before := check.Fingerprint(all)
		result, err := check.Run(ctx, all, options)
		if err != nil {
			return err
		}
		if err := e.annotate(result); err != nil {
			return err
		}
		err = e.writeReport(result.Report, format, files)
		if !f.watch || err != nil && !errors.Is(err, errFailed) {
			return err
		}
		if all, err = e.changedCases(ctx, f, paths, all, before); err != nil {
			return err
		}
	}
}

// annotate shows each failed check beside its line of the case file, on GitHub.
func (e *env) annotate(r check.Result) error {
	if e.getenv("GITHUB_ACTIONS") != "true" {
		return nil
	}
	return r.Annotate(e.stderr)
}

// changedCases waits until a file changes, and reads the cases again, until they are right.
func (e *env) changedCases(ctx context.Context, f *checkFlags, paths []string, all []cases.Case, before uint64) ([]cases.Case, error) {
	e.say("· waiting for a change; Ctrl-C ends")
	for {
		if err := check.AwaitChange(ctx, all, before); err != nil {
			return nil, err
		}
		read, err := e.loadCases(paths, f.tags)
		if err == nil {
			return read, nil
		}
		before = check.Fingerprint(all) // the problems are printed: wait for the next change
	}
}

// loadCases reads the cases that have one of the tags; without tags, all.
func (e *env) loadCases(paths, tags []string) ([]cases.Case, error) {
	all, problems := cases.Load(paths)
	for _, p := range problems {
		e.say("lab: " + p.Error())
	}
	if len(problems) > 0 {
		if e.getenv("GITHUB_ACTIONS") == "true" {
			if err := check.AnnotateProblems(e.stderr, problems); err != nil {
				return nil, err
			}
		}
		return nil, exitError(2)
	}
	if len(tags) > 0 {
		all = slices.DeleteFunc(all, func(c cases.Case) bool {
			return !slices.ContainsFunc(c.Tags, func(tag string) bool { return slices.Contains(tags, tag) })
		})
	}
	if len(all) == 0 {
		return nil, usageError{errors.New("there is no case to run: name a case file or a folder with cases, and tags that a case has")}
	}
	return all, nil
}

// labForCases returns the lab's addresses: of a lab for the purpose, or of the one that is
// up or that it brings up.
func (e *env) labForCases(ctx context.Context, f *checkFlags) (at target.Addresses, release func(), err error) {
	release = func() {}
	if !f.own {
		at, err = e.labForApplication(ctx, &f.up)
		return at, release, err
	}
	f.up.noServices, f.up.inspect = true, true
	t, err := e.wanted(&f.up)
	if err != nil {
		return at, release, err
	}
	own, release, err := t.Temporary(ctx)
	if err != nil {
		return at, func() {}, err
	}
	lab, ok := own.(target.Reachable)
	if !ok {
		release()
		return at, func() {}, fmt.Errorf("an application on this machine cannot send to a lab in a cluster: leave --target out. %w", target.ErrNotHere)
	}
	if at, err = lab.Addresses(ctx); err != nil {
		release()
		release = func() {}
	}
	return at, release, err
}

// judgedStores are the lab's stores as the judge asks them.
func judgedStores(at target.Addresses) query.Stores {
	const within = 30 * time.Second
	stores := query.NewStores(at.Tempo, at.Loki, at.Mimir, at.Client(within))
	stores.Tempo.HTTP = &http.Client{Timeout: within, Transport: check.CacheTraces(at.Transport())}
	return stores
}

// checkOptions are the options of package check for these flags and this lab.
func (e *env) checkOptions(f *checkFlags, at target.Addresses) check.Options {
	stores := judgedStores(at)
	var recordInto func(context.Context, cases.Case, judge.Scope) (string, error)
	if f.record {
		recordInto = recorder{stores, storesOf(at)}.record
	}
	options := check.Options{
		Record: recordInto,
		At:     at, App: f.app, RunID: f.runID, Parallel: f.parallel, Timeout: f.timeout, AbsentTimeout: f.absentTimeout,
		Nodes: e.caseNodes(&f.up), Evidence: f.evidence, Judge: check.OfStores(stores), Progress: e.say,
		Arrived: func(ctx context.Context, scope judge.Scope) (bool, error) {
			counts, err := arrival.Count(ctx, storesOf(at), arrival.Run{ID: scope.RunID, Since: scope.Since})
			return !counts.Nothing(), err
		},
	}
	if at.Inspector != "" {
		options.Quality = quality{inspector.Client{URL: at.Inspector, HTTP: at.Client(30 * time.Second)}}
	}
	return options
}
