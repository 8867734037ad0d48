package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/progress"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/verify"
)

func trafficCommand(e *env) *cobra.Command {
	var flags trafficFlags
	var output, frontend string
	var noFaults bool
	cmd := &cobra.Command{
		Use:   "traffic [PROFILE]",
		Short: "Send requests to the lab at a constant rate",
		Long: "traffic sends a mix of requests to the frontend: reads, creates, deletes, requests for\n" +
			"users that do not exist, and slow and failing requests. It keeps a constant rate, even\n" +
			"when answers are slow. It exits with 1 when a request was not sent or its answer was\n" +
			"not the expected one. Profiles:\n\n" + profileList() +
			"\nThe report is kept in the lab's folder: `lab verify --run last` then proves that\nevery request of the run was recorded.",
		Args: atMostOne("profile"),
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
			t, err := e.lab()
			if err != nil {
				return err
			}
			r, err := target.Do(cmd.Context(), t, target.Work[traffic.Report]{
				Args: append([]string{"traffic", flags.profile}, given(cmd, append(trafficFlagNames, "frontend", "no-faults")...)...),
				Asks: []string{target.Frontend},
				Here: func(ctx context.Context, at target.Addresses) (traffic.Report, error) {
					if cmp.Or(frontend, at.Frontend) == "" {
						return traffic.Report{}, errNoServices
					}
					o := traffic.Options{
						Frontend: cmp.Or(frontend, at.Frontend), TLS: at.TLS, Profile: profile, NoFaults: noFaults, Progress: e.trafficProgress(),
					}
					if frontend == "" {
						o.Before = verify.CountBefore(at)
					}
					return traffic.Run(ctx, o)
				},
				NeedsNoLab: frontend != "", Remark: e.say,
			})
			if err != nil {
				return err
			}
			if err := keep(t, r); err != nil {
				e.say("lab: the report could not be kept for `lab verify --run last`: " + err.Error())
			}
			return e.writeTraffic(r, output)
		},
	}
	e.registerTarget(cmd)
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

// keep writes the report to the file that `verify --run last` reads.
func keep(t target.Target, r traffic.Report) error {
	file, err := t.TrafficFile()
	if err != nil || file == "" {
		return err
	}
	if _, err := labdir.Claim(filepath.Dir(file)); err != nil {
		return err
	}
	return r.Save(file)
}

// writeTraffic prints the report, and returns errFailed when the traffic has failed.
func (e *env) writeTraffic(r traffic.Report, output string) (err error) {
	if output == "json" {
		err = r.WriteJSON(e.stdout)
	} else {
		err = r.WriteText(e.stdout)
	}
	if err == nil && !r.OK() {
		return errFailed
	}
	return err
}

// trafficProgress shows how far traffic is: on standard error, or in a pod as marked lines
// on standard output, which the `lab` that has started the Job recognizes.
func (e *env) trafficProgress() func(traffic.Event) {
	if e.target.name != target.InCluster {
		return traffic.ProgressTo(e.progress())
	}
	return traffic.ProgressTo(progress.To(marked{e.stdout}))
}

// marked puts the mark of progress before every line.
type marked struct{ w io.Writer }

func (m marked) Write(p []byte) (int, error) {
	if _, err := fmt.Fprintf(m.w, "· %s", p); err != nil {
		return 0, err
	}
	return len(p), nil
}
