package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// trafficFlags choose and change a traffic profile.
type trafficFlags struct {
	profile      string
	overrides    traffic.Overrides
	slow, errors float64
	seed         uint64
}

// trafficFlagNames are the flags that register makes.
var trafficFlagNames = []string{"rate", "requests", "duration", "slow", "errors", "seed"}

func (f *trafficFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Float64Var(&f.overrides.Rate, "rate", 0, "requests per second (default the profile's)")
	flags.IntVar(&f.overrides.Requests, "requests", 0, "number of requests (default the profile's)")
	flags.DurationVar(&f.overrides.Duration, "duration", 0, "how long to send (default the profile's)")
	flags.Float64Var(&f.slow, "slow", 0, "share of requests with a slow query, 0 to 1 (default the profile's)")
	flags.Float64Var(&f.errors, "errors", 0, "share of requests with a failing query, 0 to 1 (default the profile's)")
	flags.Uint64Var(&f.seed, "seed", 0, "seed of the order of the requests (default the profile's)")
}

// resolve returns the profile with what was given on the command line.
func (f *trafficFlags) resolve(cmd *cobra.Command) (traffic.Profile, error) {
	p, err := traffic.ByName(f.profile)
	if err != nil {
		return p, usageError{err}
	}
	o := f.overrides
	if cmd.Flags().Changed("slow") {
		o.Slow = &f.slow
	}
	if cmd.Flags().Changed("errors") {
		o.Error = &f.errors
	}
	if cmd.Flags().Changed("seed") {
		o.Seed = &f.seed
	}
	if p, err = p.With(o); err != nil {
		return p, usageError{err}
	}
	return p, nil
}

func trafficCommand(e *env) *cobra.Command {
	var flags trafficFlags
	var output, frontend string
	var noFaults bool
	cmd := &cobra.Command{
		Use:   "traffic [PROFILE]",
		Short: "Send requests to the lab at a constant rate",
		Long: "traffic sends a mix of reads, creates, deletes, requests for what is not there, and\n" +
			"slow and failing requests to the frontend, at a constant rate whatever the answers\n" +
			"do. It exits with 1 when anything but what was asked for has happened. Profiles:\n\n" + profileList() +
			"\nThe report is kept in the lab's folder: `lab verify --run last` then proves that\nevery request of the run was recorded.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("traffic takes one profile, but got %q", args)}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("output", output, "table", "json"); err != nil {
				return err
			}
			if flags.profile = traffic.Profiles()[0].Name; len(args) == 1 {
				flags.profile = args[0]
			}
			profile, err := flags.resolve(cmd)
			if err != nil {
				return err
			}
			s, err := e.site()
			if err != nil {
				return err
			}
			o := trafficRun{Options: traffic.Options{Frontend: frontend, Profile: profile, NoFaults: noFaults, Progress: e.progress()},
				flags: append([]string{flags.profile}, given(cmd, append(trafficFlagNames, "frontend", "no-faults")...)...)}
			report, err := s.traffic(cmd.Context(), o)
			if err != nil {
				return err
			}
			if err := keepRun(s, report); err != nil {
				e.say("lab: the report is not kept: " + err.Error())
			}
			if output == "json" {
				err = writeJSON(e.stdout, report)
			} else {
				err = report.WriteText(e.stdout)
			}
			if err == nil && !report.OK() {
				return errFailed
			}
			return err
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	cmd.Flags().StringVar(&frontend, "frontend", "", "the frontend's `URL` (default that of the running lab)")
	cmd.Flags().BoolVar(&noFaults, "no-faults", false, "leave the slow and failing requests out")
	return cmd
}

func profileList() string {
	var b strings.Builder
	for _, p := range traffic.Profiles() {
		fmt.Fprintf(&b, "    %-8s %s\n", p.Name, p.Description)
	}
	return b.String()
}

// keepRun writes the report where `verify --run last` finds it.
func keepRun(s site, r traffic.Report) error {
	name, err := s.lastRun()
	if err != nil || name == "" {
		return err
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, append(raw, '\n'), 0o644)
}

// readRun reads a report of traffic: a file's, the last of this lab, or one that
// is on the command line itself.
func readRun(s site, name string) (*traffic.Report, error) {
	if strings.HasPrefix(name, "{") {
		return parseRun(name, []byte(name))
	}
	if name == "last" {
		var err error
		if name, err = s.lastRun(); err != nil {
			return nil, err
		}
	}
	raw, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("no report of traffic in %s; run `go run ./ci/lab traffic` first", name)
	}
	if err != nil {
		return nil, err
	}
	return parseRun(name, raw)
}

func parseRun(name string, raw []byte) (*traffic.Report, error) {
	var r traffic.Report
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("%s is not a report of traffic: %w", shorten(name), err)
	}
	// Loki and Tempo answer for a day at the least; Mimir for as long as its
	// counters are looked back at.
	if age := time.Since(r.Finished); age > 10*time.Minute {
		return nil, fmt.Errorf("that traffic ended %v ago; its counters can be compared for 10 minutes", age.Round(time.Minute))
	}
	return &r, nil
}

// shorten is the beginning of a text, for a message.
func shorten(text string) string {
	const most = 60
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// progress shows how far traffic is: on standard error, or in a pod as lines that
// whoever has started it recognizes.
func (e *env) progress() func(traffic.Event) {
	if e.chosen.name != onCluster {
		return traffic.ProgressTo(e.stderr)
	}
	return traffic.ProgressTo(marked{e.stdout})
}

// marked puts the mark of progress before every line.
type marked struct{ w io.Writer }

func (m marked) Write(p []byte) (int, error) {
	if _, err := fmt.Fprintf(m.w, "· %s", p); err != nil {
		return 0, err
	}
	return len(p), nil
}
